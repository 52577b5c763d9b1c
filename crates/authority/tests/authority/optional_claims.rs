//! What a registration asks for beyond the usual claims: `optionalClaims` and `groupMembershipClaims`.

use serde_json::{Value, json};

use crate::kit::{CLIENT, NOW, SECRET, TENANT, claims};
use crate::people::ALICE;
use crate::signed_in::{V1_API, Wishes, assert_members, sign_in, sign_in_as, sign_in_v1, start};

const READERS: &str = "44444444-4444-4444-8444-444444444444";
const SCOPE: &str = "api://two/access_as_user";

#[tokio::test]
async fn a_resource_gets_the_claims_that_it_asks_for_and_no_others() {
    let wishes = Wishes {
        v2_api: "optionalClaims: {accessToken: [{name: idtyp, additionalProperties: [include_user_token]}, {name: acct}, {name: \
                 upn}, {name: email}, {name: given_name}, {name: family_name}, {name: auth_time}, {name: login_hint}, \
                 {name: tenant_region_scope}]}",
        ..Wishes::default()
    };
    let kit = start(&wishes).await;
    let found = claims(&sign_in(&kit, SCOPE).await["access_token"]);
    let values = [
        ("idtyp", json!("user")),
        ("acct", json!(0)),
        ("upn", json!("alice@contoso.com")),
        ("email", json!("alice.adams@contoso.com")),
        ("given_name", json!("Alice")),
        ("family_name", json!("Adams")),
        ("auth_time", json!(NOW)),
        ("login_hint", json!("alice@contoso.com")),
        ("tenant_region_scope", json!("EU")),
    ];
    assert_members(&found, values);
    let guest = sign_in_as(&kit, "bob_fabrikam.com#EXT#@contoso.com", &format!("{SCOPE} profile"), "").await.body;
    let found = claims(&guest["access_token"]);
    assert_eq!((&found["acct"], &found["upn"]), (&json!(1), &Value::Null), "a guest's name is not from here");
    assert_eq!(found["preferred_username"], "bob@fabrikam.com");
    let plain = start(&Wishes::default()).await;
    let found = claims(&sign_in(&plain, SCOPE).await["access_token"]);
    for claim in
        ["idtyp", "acct", "upn", "email", "given_name", "auth_time", "login_hint", "tenant_region_scope", "groups"]
    {
        assert!(found.get(claim).is_none(), "{claim}");
    }
}

#[tokio::test]
async fn idtyp_alone_marks_applications_only() {
    let wishes = Wishes { v2_api: "optionalClaims: {accessToken: [{name: idtyp}]}", ..Wishes::default() };
    let kit = start(&wishes).await;
    assert!(claims(&sign_in(&kit, SCOPE).await["access_token"]).get("idtyp").is_none());
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope=api://two/.default");
    let app = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await.body;
    assert_eq!(claims(&app["access_token"])["idtyp"], "app");
}

#[tokio::test]
async fn a_v1_resource_may_want_its_client_id_for_audience() {
    let wishes = Wishes {
        v1_api: "optionalClaims: {accessToken: [{name: aud, additionalProperties: [use_guid]}, {name: sid}]}",
        ..Wishes::default()
    };
    let kit = start(&wishes).await;
    let answer = sign_in_v1(&kit, "api://one", "").await;
    let found = claims(&answer["access_token"]);
    assert_eq!((&found["aud"], &answer["resource"]), (&json!(V1_API), &json!("api://one")));
    assert!(found["sid"].is_string());
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&resource=api://one");
    let app = kit.post(&format!("/{TENANT}/oauth2/token"), &form).await.body;
    assert_eq!(claims(&app["access_token"])["aud"], V1_API);
}

#[tokio::test]
async fn group_membership_claims_choose_the_groups() {
    let groups = format!(
        "{{id: {READERS}, displayName: Readers, members: [alice@contoso.com]}}, \
         {{id: 55555555-5555-4555-8555-555555555555, displayName: Outer, members: [Readers]}}, \
         {{id: 66666666-6666-4666-8666-666666666666, displayName: Mail, securityEnabled: false, members: [alice@contoso.com]}}, \
         {{id: 77777777-7777-4777-8777-777777777777, displayName: Others, members: [root@contoso.com]}}"
    );
    let of = async |wanted: &str, name: &str| {
        let v2_api = format!("groupMembershipClaims: {wanted}");
        let kit = start(&Wishes { v2_api: &v2_api, groups: Some(&groups), ..Wishes::default() }).await;
        claims(&sign_in_as(&kit, name, SCOPE, "").await.body["access_token"])
    };
    let (outer, mail) = ("55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666");
    let alice = "alice@contoso.com";
    assert_eq!(of("SecurityGroup", alice).await["groups"], json!([READERS, outer]), "groups within groups too");
    assert_eq!(of("All", alice).await["groups"], json!([READERS, outer, mail]));
    assert_eq!(of("ApplicationGroup", alice).await["groups"], json!([READERS]), "those assigned to the application");
    assert_eq!(of("None", alice).await.get("groups"), None);
    let root = of("All", "root@contoso.com").await;
    assert_eq!(root["wids"], json!(["62e90394-69f5-4237-9190-012177145e10"]));
}

#[tokio::test]
async fn more_than_two_hundred_groups_become_a_pointer_to_this_authority() {
    let groups = |count: u32| {
        let group = |number: u32| {
            format!(
                "{{id: 88888888-8888-4888-8888-{number:012}, displayName: G{number}, members: [alice@contoso.com]}}"
            )
        };
        let mut all: Vec<_> = (1..count).map(group).collect();
        all.push(format!("{{id: {READERS}, displayName: Readers, members: [alice@contoso.com]}}"));
        all.join(", ")
    };
    for (count, listed) in [(200, 200), (201, 0)] {
        let groups = groups(count);
        let wishes = Wishes {
            v2_api: "groupMembershipClaims: SecurityGroup",
            clients: "groupMembershipClaims: SecurityGroup",
            groups: Some(&groups),
            ..Wishes::default()
        };
        let kit = start(&wishes).await;
        let answer = sign_in(&kit, "openid api://two/access_as_user").await;
        for token in [&answer["access_token"], &answer["id_token"]] {
            let found = claims(token);
            assert_eq!(found["groups"].as_array().map_or(0, Vec::len), listed);
            if listed == 0 {
                assert!(found.get("groups").is_none());
                assert_eq!(found["_claim_names"], json!({"groups": "src1"}));
                let endpoint = kit.url(&format!("/v1.0/users/{ALICE}/getMemberObjects"));
                assert_eq!(found["_claim_sources"], json!({"src1": {"endpoint": endpoint}}));
            } else {
                assert!(found.get("_claim_names").is_none());
            }
        }
    }
}
