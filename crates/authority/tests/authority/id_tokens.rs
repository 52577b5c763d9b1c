//! id_tokens, v1.0 and v2.0.

use serde_json::{Value, json};

use crate::kit::{CLIENT, NOW, TENANT, claims};
use crate::people::ALICE;
use crate::signed_in::{NATIVE, Wishes, assert_members, assert_token, encoded, sign_in, sign_in_as, sign_in_v1, start};

#[tokio::test]
async fn a_v2_id_token_has_the_recorded_claims_order_and_life() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in(&kit, "openid profile offline_access api://two/access_as_user").await;
    let token = &answer["id_token"];
    // Recorded 2020-2023.
    let order = "aud iss iat nbf exp aio name oid preferred_username rh sub tid uti ver";
    let values = [
        ("aud", json!(NATIVE)),
        ("iss", json!(kit.url(&format!("/{TENANT}/v2.0")))),
        ("iat", json!(NOW - 300)),
        ("exp", json!(NOW + 3600)),
        ("name", json!("Alice A.")),
        ("oid", json!(ALICE)),
        ("preferred_username", json!("alice@contoso.com")),
        ("ver", json!("2.0")),
    ];
    assert_token(token, order, values);
}

#[tokio::test]
async fn scopes_choose_what_a_v2_id_token_says_of_the_user() {
    let kit = start(&Wishes::default()).await;
    let bare = claims(&sign_in(&kit, "openid api://two/access_as_user").await["id_token"]);
    for claim in ["name", "oid", "preferred_username", "email", "given_name", "upn"] {
        assert!(bare.get(claim).is_none(), "{claim}: {bare}");
    }
    let email = claims(&sign_in(&kit, "openid email api://two/access_as_user").await["id_token"]);
    assert_eq!((&email["email"], &email["name"]), (&json!("alice.adams@contoso.com"), &Value::Null));
    // A user without an address has no claim, not an empty one.
    let root = sign_in_as(&kit, "root@contoso.com", "openid email api://two/access_as_user", "").await.body;
    assert!(claims(&root["id_token"]).get("email").is_none());
}

#[tokio::test]
async fn a_v1_id_token_carries_the_profile_always() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in_v1(&kit, "api://one", "").await;
    let token = &answer["id_token"];
    let order = "aud iss iat nbf exp aio amr family_name given_name name oid rh sub tid unique_name upn uti ver";
    let values = [
        ("aud", json!(CLIENT)),
        ("iss", json!(format!("https://sts.windows.net/{TENANT}/"))),
        ("amr", json!(["pwd"])),
        ("family_name", json!("Adams")),
        ("unique_name", json!("alice@contoso.com")),
        ("ver", json!("1.0")),
    ];
    assert_token(token, order, values);
}

#[tokio::test]
async fn the_client_asks_for_more_by_its_registration_or_by_the_request() {
    let wishes = Wishes {
        clients: "optionalClaims: {idToken: [{name: sid}, {name: acct}, {name: given_name}, {name: family_name}, {name: upn}, {name: \
                  tenant_region_scope}, {name: nonsense}]}",
        ..Wishes::default()
    };
    let kit = start(&wishes).await;
    let scope = "openid profile api://two/access_as_user";
    let answer = sign_in(&kit, scope).await;
    let found = claims(&answer["id_token"]);
    let values = [
        ("sid", claims(&answer["access_token"])["sid"].clone()),
        ("acct", json!(0)),
        ("given_name", json!("Alice")),
        ("family_name", json!("Adams")),
        ("upn", json!("alice@contoso.com")),
        ("tenant_region_scope", json!("EU")),
        ("nonsense", Value::Null),
        ("login_hint", Value::Null),
        ("auth_time", Value::Null),
    ];
    assert_members(&found, values);
    // msal-node and msal-browser ask like this.
    let asked =
        r#"{"id_token":{"signin_state":{"essential":false},"login_hint":{"essential":false},"auth_time":null}}"#;
    let more = format!("&claims={}", encoded(asked));
    let found = claims(&sign_in_as(&kit, "alice@contoso.com", scope, &more).await.body["id_token"]);
    assert_eq!((&found["login_hint"], &found["auth_time"]), (&json!("alice@contoso.com"), &json!(NOW)));
}
