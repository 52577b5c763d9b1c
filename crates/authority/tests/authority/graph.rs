//! The small part of Graph: behind our own guard, in Graph's words, and with claims challenges after a revocation.

use std::time::Duration;

use countersign_token::base64_decode_lenient;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::browser::{Browser, DAVE, SHOP, TOOL, TOOL_URI, Wishes, ask, encoded, town};
use crate::kit::{Answer, Kit, NOW, SECRET, TENANT, claims};
use crate::people::{ALICE, BOB, ROOT};

const CP1: &str = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;

async fn start() -> Kit {
    let grants = "- {client: Shop, resource: Microsoft Graph, scopes: [User.Read], consentType: AllPrincipals}";
    let shop = "";
    Kit::with(town(&Wishes { grants, shop, ..Wishes::default() })).await
}

async fn call(kit: &Kit, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let request = http::Request::builder()
        .method(method)
        .uri(kit.url(path))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    kit.send(request.body(bytes::Bytes::from(body.to_owned())).unwrap()).await
}

/// A token of the tool for Graph, of whoever signs in, with these claims asked for.
async fn signed_in(kit: &Kit, login: &str, asked: &str) -> Answer {
    let tool = [
        ("client_id", TOOL),
        ("redirect_uri", TOOL_URI),
        ("scope", "User.Read openid profile offline_access"),
        ("claims", asked),
    ];
    let seen = Browser::new(kit).open_as(&ask(TENANT, &tool), login).await;
    let code = seen.answer()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", TOOL),
        ("redirect_uri", TOOL_URI),
        ("code", &code),
        ("claims", asked),
    ];
    let form: Vec<_> = form.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let tokens = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &encoded(&form)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens
}

fn access(tokens: &Answer) -> String {
    tokens.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn me_and_other_users() {
    let kit = start().await;
    let alice = access(&signed_in(&kit, "alice@contoso.com", "").await);
    let me = call(&kit, "GET", "/v1.0/me", &alice, "").await;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(
        me.body,
        json!({
            "@odata.context": kit.url("/v1.0/$metadata#users/$entity"), "businessPhones": [], "displayName": "Alice A.",
            "givenName": "Alice", "jobTitle": null, "mail": "alice@mail.example", "mobilePhone": null, "officeLocation": null,
            "preferredLanguage": null, "surname": "Adams", "userPrincipalName": "alice@contoso.com", "id": ALICE,
        })
    );
    assert!(me.header("content-type").starts_with("application/json;odata.metadata=minimal"));
    assert_eq!(me.header("odata-version"), "4.0");
    let some = call(&kit, "GET", "/beta/me?$select=id,accountEnabled", &alice, "").await;
    assert_eq!(
        (&some.body["id"], &some.body["accountEnabled"], some.body.get("mail")),
        (&ALICE.into(), &true.into(), None)
    );
    let unknown = call(&kit, "GET", "/v1.0/me?$select=shoeSize", &alice, "").await;
    assert_eq!((unknown.status, &unknown.body["error"]["code"]), (400, &"BadRequest".into()));
    assert_eq!(call(&kit, "GET", &format!("/v1.0/users/{ALICE}"), &alice, "").await.status, 200);
    assert_eq!(call(&kit, "GET", "/v1.0/users/ALICE@contoso.com", &alice, "").await.body["id"], ALICE);
    // `User.Read` is for oneself.
    let other = call(&kit, "GET", &format!("/v1.0/users/{BOB}"), &alice, "").await;
    assert_eq!((other.status, &other.body["error"]["code"]), (403, &"Authorization_RequestDenied".into()));
    for id in ["99999999-9999-4999-8999-999999999999", "dave@fabrikam.com", "x"] {
        let gone = call(&kit, "GET", &format!("/v1.0/users/{id}"), &alice, "").await;
        assert_eq!((gone.status, &gone.body["error"]["code"]), (404, &"Request_ResourceNotFound".into()), "B80: {id}");
    }
}

#[tokio::test]
async fn groups_of_a_user() {
    let kit = start().await;
    let alice = access(&signed_in(&kit, "alice@contoso.com", "").await);
    let groups = call(&kit, "POST", "/v1.0/me/getMemberObjects", &alice, r#"{"securityEnabledOnly":true}"#).await;
    assert_eq!(groups.body["value"], json!(["44444444-4444-4444-8444-444444444444"]), "{groups:?}");
    let same = call(
        &kit,
        "POST",
        &format!("/v1.0/users/{ALICE}/getMemberObjects"),
        &alice,
        r#"{"securityEnabledOnly":false}"#,
    )
    .await;
    assert_eq!(same.body, groups.body);
    assert_eq!(call(&kit, "POST", "/v1.0/me/getMemberObjects", &alice, "x").await.status, 400);
    let other =
        call(&kit, "POST", &format!("/v1.0/users/{BOB}/getMemberObjects"), &alice, r#"{"securityEnabledOnly":false}"#)
            .await;
    assert_eq!(other.status, 403);
}

#[tokio::test]
async fn after_a_revocation_a_continuously_evaluated_token_is_challenged_and_a_new_one_passes() {
    let kit = start().await;
    let evaluated = signed_in(&kit, "alice@contoso.com", CP1).await;
    let token = access(&evaluated);
    assert_eq!(claims(&evaluated.body["access_token"])["xms_cc"], json!(["cp1"]));
    let plain = access(&signed_in(&kit, "alice@contoso.com", "").await);
    let other = access(&signed_in(&kit, "bob@contoso.com", CP1).await);
    kit.clock.advance(Duration::from_secs(10));
    let revoked = call(&kit, "POST", "/v1.0/me/revokeSignInSessions", &token, "").await;
    assert_eq!((revoked.status, &revoked.body["value"]), (200, &true.into()), "{revoked:?}");
    let challenged = call(&kit, "GET", "/v1.0/me", &token, "").await;
    assert_eq!(challenged.status, 401);
    let error = &challenged.body["error"];
    assert_eq!(error["code"], "InvalidAuthenticationToken");
    assert_eq!(
        error["message"],
        "Continuous access evaluation resulted in claims challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp"
    );
    assert_eq!(error["innerError"]["date"], "2026-01-01T00:00:10");
    let header = challenged.header("www-authenticate");
    let start = format!(
        "Bearer realm=\"\", authorization_uri=\"{}\", client_id=\"00000003-0000-0000-c000-000000000000\", error=\"insufficient_claims\", claims=\"",
        kit.url("/common/oauth2/authorize")
    );
    let claims_text = header.strip_prefix(&start).unwrap_or_else(|| panic!("{header}")).trim_end_matches('"');
    let wanted = String::from_utf8(base64_decode_lenient(claims_text).unwrap()).unwrap();
    assert_eq!(wanted, format!(r#"{{"access_token":{{"nbf":{{"essential":true, "value":"{}"}}}}}}"#, NOW + 10));
    // A client that could make nothing of a challenge gets none, and others are not concerned.
    assert_eq!(call(&kit, "GET", "/v1.0/me", &plain, "").await.status, 200);
    assert_eq!(call(&kit, "GET", "/v1.0/me", &other, "").await.status, 200);
    // The refresh token is worth nothing either; only a new sign-in is.
    let form = encoded(&[
        ("grant_type", "refresh_token"),
        ("client_id", TOOL),
        ("scope", "User.Read"),
        ("refresh_token", evaluated.body["refresh_token"].as_str().unwrap()),
    ]);
    assert_eq!(kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await.refusal().2, 50_173);
    let merged = format!(
        r#"{{"access_token":{{"xms_cc":{{"values":["cp1"]}},"nbf":{{"essential":true, "value":"{}"}}}}}}"#,
        NOW + 10
    );
    let fresh = signed_in(&kit, "alice@contoso.com", &merged).await;
    assert_eq!(claims(&fresh.body["access_token"])["xms_cc"], json!(["cp1"]));
    assert_eq!(call(&kit, "GET", "/v1.0/me", &access(&fresh), "").await.status, 200);
}

#[tokio::test]
async fn b48_a_revocation_ends_the_sessions_in_every_browser() {
    let kit = start().await;
    let tool = [("client_id", TOOL), ("redirect_uri", TOOL_URI), ("scope", "User.Read")];
    let mut browser = Browser::new(&kit);
    browser.open_as(&ask(TENANT, &tool), "alice@contoso.com").await;
    let root = access(&signed_in(&kit, "root@contoso.com", "").await);
    kit.clock.advance(Duration::from_secs(1));
    let path = format!("/v1.0/users/{ALICE}/revokeSignInSessions");
    assert_eq!(call(&kit, "POST", &path, &root, "").await.status, 200);
    let page = browser.get(&ask(TENANT, &tool)).await;
    assert_eq!(page.heading(), "Sign in");
    assert!(browser.sign_in(&page, "alice@contoso.com").await.answer().contains_key("code"));
}

#[tokio::test]
async fn who_may_revoke_whose_sessions() {
    let kit = start().await;
    let alice = access(&signed_in(&kit, "alice@contoso.com", "").await);
    // The client may, but alice is no administrator.
    let others = call(&kit, "POST", &format!("/v1.0/users/{ROOT}/revokeSignInSessions"), &alice, "").await;
    assert_eq!((others.status, &others.body["error"]["code"]), (403, &"Authorization_RequestDenied".into()));
    let form = format!(
        "grant_type=client_credentials&client_id={SHOP}&client_secret={SECRET}&scope=https://graph.microsoft.com/.default"
    );
    let app = access(&kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await);
    for path in [format!("/v1.0/users/{ALICE}/revokeSignInSessions"), "/v1.0/me/revokeSignInSessions".to_owned()] {
        assert_eq!(call(&kit, "POST", &path, &app, "").await.status, 403, "an application without a role: {path}");
    }
}

#[tokio::test]
async fn b81_nobody_gets_in_with_another_token_or_none() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let routes = [
        ("GET", "/v1.0/me".to_owned()),
        ("GET", format!("/v1.0/users/{ALICE}")),
        ("POST", "/v1.0/me/revokeSignInSessions".to_owned()),
        ("POST", format!("/v1.0/users/{ALICE}/revokeSignInSessions")),
        ("POST", "/v1.0/me/getMemberObjects".to_owned()),
        ("POST", format!("/v1.0/users/{ALICE}/getMemberObjects")),
        ("GET", "/beta/ME".to_owned()),
    ];
    for (method, path) in &routes {
        let empty = browser.send(method, path, &[], "").await;
        assert_eq!(
            (empty.status, empty.json()["error"]["message"].as_str()),
            (401, Some("Access token is empty.")),
            "{path}"
        );
        let garbage = call(&kit, method, path, "garbage", "").await;
        assert_eq!(
            (garbage.status, &garbage.body["error"]["code"]),
            (401, &"InvalidAuthenticationToken".into()),
            "{path}"
        );
    }
    let alice = access(&signed_in(&kit, "alice@contoso.com", "").await);
    kit.clock.advance(Duration::from_secs(7_200));
    let late = call(&kit, "GET", "/v1.0/me", &alice, "").await;
    assert_eq!(
        (late.status, &late.body["error"]["message"]),
        (401, &"Access token has expired or is not yet valid.".into())
    );
}

#[tokio::test]
async fn what_is_no_route_is_graphs_404() {
    let kit = start().await;
    for path in ["/v1.0/nothing", "/v1.0/me/nothing", "/beta/x/y", "/v1.0/applications"] {
        let answer = kit.get(path).await;
        assert_eq!(answer.status, 404, "{path} {answer:?}");
        assert!(answer.body["error"]["innerError"]["date"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn b80_an_application_acts_in_its_own_tenant_and_is_nobodys_me() {
    let kit = start().await;
    let administrator = kit.authority.administrator();
    let tenant = administrator.tenant_id.to_string();
    let (own, foreign) = if tenant == TENANT { (ALICE, DAVE) } else { (DAVE, ALICE) };
    let secret = administrator.client_secret.expose_secret();
    let form = encoded(&[
        ("grant_type", "client_credentials"),
        ("client_id", &administrator.client_id.to_string()),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ]);
    let token = access(&kit.post(&format!("/{tenant}/oauth2/v2.0/token"), &form).await);
    let me = call(&kit, "GET", "/v1.0/me", &token, "").await;
    assert_eq!((me.status, &me.body["error"]["code"]), (400, &"BadRequest".into()));
    assert_eq!(call(&kit, "GET", &format!("/v1.0/users/{own}"), &token, "").await.body["id"], own);
    let path = |id: &str| format!("/v1.0/users/{id}/revokeSignInSessions");
    assert_eq!(call(&kit, "POST", &path(own), &token, "").await.status, 200);
    // Another tenant's user is as good as none.
    let elsewhere = call(&kit, "POST", &path(foreign), &token, "").await;
    let nobody = call(&kit, "POST", &path("99999999-9999-4999-8999-999999999999"), &token, "").await;
    assert_eq!((elsewhere.status, nobody.status), (404, 404));
    assert_eq!(elsewhere.body["error"]["code"], nobody.body["error"]["code"]);
}

#[tokio::test]
async fn whoever_signs_in_after_a_revocation_in_the_same_second_is_signed_in() {
    let kit = start().await;
    kit.clock.advance(Duration::from_millis(300));
    let tool = [("client_id", TOOL), ("redirect_uri", TOOL_URI), ("scope", "User.Read")];
    let alice = access(&signed_in(&kit, "alice@contoso.com", "").await);
    kit.clock.advance(Duration::from_millis(300));
    let mut before = Browser::new(&kit);
    before.open_as(&ask(TENANT, &tool), "alice@contoso.com").await;
    assert_eq!(call(&kit, "POST", "/v1.0/me/revokeSignInSessions", &alice, "").await.status, 200);
    assert_eq!(before.get(&ask(TENANT, &tool)).await.heading(), "Sign in");
    let after = Browser::new(&kit).open_as(&ask(TENANT, &tool), "alice@contoso.com").await;
    assert!(after.answer().contains_key("code"), "{after:?}");
}
