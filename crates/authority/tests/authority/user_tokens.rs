//! Access tokens that speak for a user: claims, order, audience, life; and what the answer around them says.

use serde_json::{Value, json};

use crate::kit::{CLIENT, NOW, TENANT, claims, segment};
use crate::people::{ALICE, BOB};
use crate::signed_in::{
    NATIVE, V1_API, V2_API, Wishes, assert_members, assert_token, encoded, sign_in, sign_in_as, sign_in_v1, start,
};

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const CP1: &str = r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#;

#[tokio::test]
async fn a_v2_token_has_entras_claims_in_entras_order() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in(&kit, "api://two/access_as_user openid profile").await;
    let token = &answer["access_token"];
    let order =
        "aud iss iat nbf exp aio azp azpacr name oid preferred_username rh roles scp sid sub tid uti ver xms_ftd";
    let values = [
        ("aud", json!(V2_API)),
        ("iss", json!(kit.url(&format!("/{TENANT}/v2.0")))),
        ("iat", json!(NOW - 300)),
        ("nbf", json!(NOW - 300)),
        ("azp", json!(NATIVE)),
        ("azpacr", json!("0")),
        ("name", json!("Alice A.")),
        ("oid", json!(ALICE)),
        ("preferred_username", json!("alice@contoso.com")),
        ("roles", json!(["Two.Admin", "Two.Read"])),
        ("scp", json!("access_as_user another")),
        ("tid", json!(TENANT)),
        ("ver", json!("2.0")),
    ];
    assert_token(token, order, values);
    let key = kit.authority.signing_key_id().await.unwrap();
    assert_eq!(segment(token, 0), json!({"typ": "JWT", "alg": "RS256", "kid": key}));
}

#[tokio::test]
async fn a_v1_token_has_entras_claims_in_entras_order() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in_v1(&kit, "https://one.contoso.com/", "").await;
    let token = &answer["access_token"];
    let order = "aud iss iat nbf exp acr aio amr appid appidacr family_name given_name idp name oid rh \
                 scp sub tid unique_name upn uti ver xms_ftd";
    let issuer = format!("https://sts.windows.net/{TENANT}/");
    let values = [
        ("aud", json!("https://one.contoso.com/")),
        ("iss", json!(issuer)),
        ("idp", json!(issuer)),
        ("acr", json!("1")),
        ("amr", json!(["pwd"])),
        ("appid", json!(CLIENT)),
        ("appidacr", json!("1")),
        ("family_name", json!("Adams")),
        ("given_name", json!("Alice")),
        ("unique_name", json!("alice@contoso.com")),
        ("upn", json!("alice@contoso.com")),
        ("ver", json!("1.0")),
    ];
    assert_token(token, order, values);
    let header = segment(token, 0);
    assert_eq!(header["x5t"], header["kid"]);
}

#[tokio::test]
async fn the_audience_is_the_resource_as_it_was_asked_for_in_v1_and_its_client_id_in_v2() {
    let kit = start(&Wishes::default()).await;
    for (resource, audience) in [
        ("api://one", "api://one"),
        ("https://one.contoso.com/", "https://one.contoso.com/"),
        (V1_API, V1_API),
        ("https://graph.microsoft.com", "https://graph.microsoft.com"),
        (GRAPH, GRAPH),
        ("api://two", V2_API),
    ] {
        let answer = sign_in_v1(&kit, resource, "").await;
        assert_eq!(claims(&answer["access_token"])["aud"], audience, "{resource}");
        assert_eq!(answer["resource"], resource);
    }
}

#[tokio::test]
async fn graphs_tokens_are_v1_with_its_extras_and_verify() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in(&kit, "https://graph.microsoft.com/User.Read openid profile email").await;
    let found = claims(&answer["access_token"]);
    let values = [
        ("ver", json!("1.0")),
        ("app_displayname", json!("Native")),
        ("appid", json!(NATIVE)),
        ("idtyp", json!("user")),
        ("tenant_region_scope", json!("EU")),
        ("wids", json!(["b79fbf4d-3ef9-4689-8143-76b194e85509"])),
        ("email", json!("alice.adams@contoso.com")),
    ];
    assert_members(&found, values);
    assert!(found["sid"].is_string() && found["scp"].as_str().unwrap().split(' ').any(|scope| scope == "User.Read"));
    assert!(segment(&answer["access_token"], 0).get("nonce").is_none(), "it verifies like any other");
    let root = sign_in_as(&kit, "root@contoso.com", "https://graph.microsoft.com/User.Read", "").await;
    let wids = claims(&root.body["access_token"])["wids"].clone();
    assert_eq!(wids.as_array().unwrap().len(), 2, "an administrator is one");
}

#[tokio::test]
async fn a_subject_is_another_at_each_application_and_the_same_each_time() {
    let kit = start(&Wishes::default()).await;
    let first = sign_in(&kit, "api://two/access_as_user openid").await;
    let again = sign_in(&kit, "api://two/access_as_user openid").await;
    let sub = |token: &Value| claims(token)["sub"].as_str().unwrap().to_owned();
    assert_eq!(sub(&first["access_token"]), sub(&again["access_token"]));
    assert_eq!(sub(&first["id_token"]), sub(&again["id_token"]));
    assert_ne!(sub(&first["access_token"]), sub(&first["id_token"]), "the API's is not the client's");
    assert_ne!(sub(&first["access_token"]), ALICE);
    let v1 = sign_in_v1(&kit, "api://two", "").await;
    assert_eq!(sub(&v1["access_token"]), sub(&first["access_token"]), "whoever asked, and wherever");
    assert_ne!(sub(&v1["id_token"]), sub(&first["id_token"]), "two clients");
    let bob = sign_in_as(&kit, "bob_fabrikam.com#EXT#@contoso.com", "api://two/access_as_user", "").await;
    assert_ne!(sub(&bob.body["access_token"]), sub(&first["access_token"]));
}

#[tokio::test]
async fn roles_are_the_users_own_and_those_of_direct_groups() {
    let kit = start(&Wishes::default()).await;
    let alice = sign_in(&kit, "api://two/access_as_user").await;
    assert_eq!(claims(&alice["access_token"])["roles"], json!(["Two.Admin", "Two.Read"]));
    let bob = sign_in_as(&kit, "bob_fabrikam.com#EXT#@contoso.com", "api://two/access_as_user", "").await;
    let found = claims(&bob.body["access_token"]);
    assert_eq!((&found["roles"], &found["oid"]), (&Value::Null, &json!(BOB)), "b56: no role that was not granted");
}

#[tokio::test]
async fn tokens_live_sixty_to_ninety_minutes_as_chance_has_it() {
    let kit = start(&Wishes::default()).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let answer = sign_in(&kit, "api://two/access_as_user").await;
        let expires_in = answer["expires_in"].as_i64().unwrap();
        assert!((3599..=5399).contains(&expires_in), "{expires_in}");
        assert_eq!(answer["ext_expires_in"], expires_in);
        assert!(answer.get("refresh_in").is_none());
        let found = claims(&answer["access_token"]);
        assert_eq!(found["exp"].as_i64().unwrap() - found["iat"].as_i64().unwrap(), expires_in + 301);
        seen.insert(expires_in);
    }
    assert!(seen.len() > 1, "{seen:?}");
}

#[tokio::test]
async fn a_client_that_understands_claims_challenges_gets_long_tokens_of_resources_that_send_them() {
    let wishes = Wishes { v2_api: "optionalClaims: {accessToken: [{name: xms_cc}]}", ..Wishes::default() };
    let kit = start(&wishes).await;
    let more = format!("&claims={}", encoded(CP1));
    for scope in ["api://two/access_as_user", "https://graph.microsoft.com/User.Read"] {
        let answer = sign_in_as(&kit, "alice@contoso.com", scope, &more).await.body;
        assert_eq!((&answer["expires_in"], &answer["refresh_in"]), (&json!(86_399), &json!(43_199)), "{scope}");
        let found = claims(&answer["access_token"]);
        assert_eq!((&found["xms_cc"], &found["exp"]), (&json!(["cp1"]), &json!(NOW + 86_400)), "{scope}");
        let plain = sign_in(&kit, scope).await;
        assert!(plain.get("refresh_in").is_none() && claims(&plain["access_token"]).get("xms_cc").is_none());
    }
    let v1 = sign_in_v1(&kit, "https://graph.microsoft.com", &more).await;
    assert_eq!((&v1["expires_in"], &v1["refresh_in"]), (&json!("86399"), &json!("43199")));
    // A resource that sends no challenges has no use for the claim, and its tokens stay short.
    let other = sign_in_as(&kit, "alice@contoso.com", "api://one/access_as_user", &more).await.body;
    assert!(other.get("refresh_in").is_none() && claims(&other["access_token"]).get("xms_cc").is_none());
    // The same for an application's own token.
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}&scope=api%3A%2F%2Ftwo%2F.default{more}",
        crate::kit::SECRET
    );
    let app = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await.body;
    assert_eq!((&app["expires_in"], &app["refresh_in"]), (&json!(86_399), &json!(43_199)), "{app}");
    assert_eq!(claims(&app["access_token"])["xms_cc"], json!(["cp1"]));
}

#[tokio::test]
async fn a_v1_answer_has_strings_and_always_a_refresh_token_and_an_id_token() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in_v1(&kit, "api://one", "").await;
    for member in ["expires_in", "ext_expires_in", "expires_on", "not_before", "refresh_token", "id_token", "scope"] {
        assert!(answer[member].is_string(), "{member}: {answer}");
    }
    assert_eq!(answer["not_before"], (NOW - 300).to_string());
    assert_eq!(answer["expires_on"], claims(&answer["access_token"])["exp"].to_string());
    assert!(answer.get("client_info").is_none());
}

#[tokio::test]
async fn a_v2_answer_has_what_its_scopes_ask_for() {
    let kit = start(&Wishes::default()).await;
    let bare = sign_in(&kit, "api://two/access_as_user").await;
    let members: Vec<_> = bare.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "expires_in", "ext_expires_in", "scope", "token_type"]);
    let scope = "api://two/access_as_user openid profile offline_access";
    let full = sign_in_as(&kit, "alice@contoso.com", scope, "&client_info=1").await.body;
    assert!(full["refresh_token"].is_string() && full["id_token"].is_string());
    let info = countersign_token::base64url_decode_strict(full["client_info"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&info).unwrap(), json!({"uid": ALICE, "utid": TENANT}));
}
