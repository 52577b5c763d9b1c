//! The on-behalf-of grant, v2.0 and v1.0: whose token may be exchanged, by whom, for what.

use serde_json::{Value, json};

use crate::crowd::{App, CONTOSO, FABRIKAM, PASSWORD, SECRET, Tenant, form, start};
use crate::forge::{Assertion, OTHER};
use crate::kit::{Answer, Kit, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The API of a tenant asks on behalf of whoever the assertion speaks for.
async fn exchange(kit: &Kit, tenant: Tenant, assertion: &Value, scope: &str) -> Answer {
    let parameters = [
        ("grant_type", GRANT),
        ("client_id", &tenant.app(App::Api)),
        ("client_secret", SECRET),
        ("assertion", assertion.as_str().unwrap()),
        ("scope", scope),
        ("requested_token_use", "on_behalf_of"),
    ];
    kit.post(&tenant.token_path(), &form(&parameters)).await
}

#[tokio::test]
async fn an_api_gets_a_token_for_the_next_one_in_the_same_name() {
    let kit = start().await;
    let first = kit.alice(CONTOSO).await;
    let assertion = &first.body["access_token"];
    let answer = exchange(&kit, CONTOSO, assertion, &CONTOSO.downstream("user_impersonation")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.members(), ["access_token", "expires_in", "ext_expires_in", "scope", "token_type"]);
    assert_eq!(answer.body["scope"], CONTOSO.downstream("user_impersonation"));
    let token = claims(&answer.body["access_token"]);
    assert_eq!((&token["ver"], &token["aud"]), (&"1.0".into(), &"api://downstream1".into()));
    assert_eq!((&token["appid"], &token["appidacr"]), (&CONTOSO.app(App::Api).into(), &"1".into()));
    assert_eq!((&token["oid"], &token["scp"]), (&CONTOSO.oid("alice").into(), &"user_impersonation".into()));

    let scope = format!("{} openid profile offline_access", CONTOSO.downstream(".default"));
    let answer = exchange(&kit, CONTOSO, assertion, &scope).await;
    assert_eq!(
        answer.body["scope"],
        format!("{} {}", CONTOSO.downstream("user_impersonation"), CONTOSO.downstream(".default"))
    );
    assert_eq!(claims(&answer.body["id_token"])["aud"], CONTOSO.app(App::Api));
    let parameters = [
        ("grant_type", GRANT),
        ("client_id", &CONTOSO.app(App::Api)),
        ("client_secret", SECRET),
        ("assertion", assertion.as_str().unwrap()),
        ("scope", &scope),
        ("requested_token_use", "on_behalf_of"),
        ("claims", r#"{"id_token":{"sid":null}}"#),
    ];
    let with_sid = kit.post(&CONTOSO.token_path(), &form(&parameters)).await;
    let sid = &claims(&with_sid.body["id_token"])["sid"];
    assert_eq!((sid.is_string(), sid), (true, &claims(assertion)["sid"]), "the session is the assertion's");
    let parameters = [
        ("grant_type", "refresh_token"),
        ("client_id", &CONTOSO.app(App::Api)),
        ("refresh_token", answer.body["refresh_token"].as_str().unwrap()),
        ("client_secret", SECRET),
    ];
    let refreshed = kit.post(&CONTOSO.token_path(), &form(&parameters)).await;
    assert_eq!(claims(&refreshed.body["access_token"])["aud"], "api://downstream1", "{refreshed:?}");
    // Its client proved itself when it got the token, and does so again.
    let unproven = kit.post(&CONTOSO.token_path(), &form(&parameters[..3])).await;
    assert_eq!(unproven.refusal(), (401, "invalid_client", 7000218));
}

#[tokio::test]
async fn version_1_answers_every_token_and_takes_tokens_of_both_versions() {
    let kit = start().await;
    let v2 = kit.alice(CONTOSO).await.body["access_token"].clone();
    let parameters = [
        ("grant_type", GRANT),
        ("client_id", &CONTOSO.app(App::Api)),
        ("client_secret", SECRET),
        ("assertion", v2.as_str().unwrap()),
        ("resource", "api://downstream1"),
        ("requested_token_use", "on_behalf_of"),
    ];
    let answer = kit.post(&CONTOSO.token_path_v1(), &form(&parameters)).await;
    assert_eq!((answer.status, answer.body["resource"].as_str()), (200, Some("api://downstream1")), "{answer:?}");
    assert_eq!(answer.body["scope"], "user_impersonation");
    assert!(answer.body["refresh_token"].is_string() && answer.body["id_token"].is_string());
}

#[tokio::test]
async fn b51_b52_each_assertion_that_will_not_do_has_its_code() {
    let kit = start().await;
    let alice = kit.alice(CONTOSO).await.body;
    let token = alice["access_token"].as_str().unwrap();
    let scope = CONTOSO.downstream("user_impersonation");
    let app_only = kit
        .post(
            &CONTOSO.token_path(),
            &form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &CONTOSO.app(App::Web)),
                ("client_secret", SECRET),
                ("scope", "api://orders1/.default"),
            ]),
        )
        .await;
    let for_graph = kit.password(CONTOSO, "alice", PASSWORD, "User.Read").await;
    let elsewhere = kit.alice(FABRIKAM).await.body["access_token"].clone();
    let (head, tail) = token.rsplit_once('.').unwrap();
    let (header, body) = head.split_once('.').unwrap();
    let encode = |value: &Value| countersign_token::base64url_encode(value.to_string().as_bytes());
    let mut foreign = claims(&alice["access_token"]);
    foreign["iss"] = "https://evil.example/v2.0".into();
    let with_header = |value: Value| format!("{}.{body}.{tail}", encode(&value)).into();
    let kid = crate::kit::segment(&alice["access_token"], 0)["kid"].clone();
    let cases: Vec<(Value, (u16, &str, u64))> = vec![
        (app_only.body["access_token"].clone(), (400, "invalid_grant", 7000114)),
        (for_graph.body["access_token"].clone(), (400, "invalid_grant", 500131)),
        (alice["id_token"].clone(), (400, "invalid_request", 240002)),
        (elsewhere, (400, "invalid_grant", 700005)),
        ("garbage".into(), (400, "invalid_request", 50027)),
        (alice["refresh_token"].clone(), (400, "invalid_request", 50027)),
        (format!("{head}.{}{tail}", "A").into(), (400, "invalid_grant", 50013)),
        (with_header(json!({"typ": "JWT", "alg": "RS256", "kid": "unknown"})), (400, "invalid_grant", 50013)),
        (with_header(json!({"typ": "JWT", "alg": "none", "kid": kid})), (400, "invalid_grant", 50013)),
        (with_header(json!({"typ": "JWT", "alg": "HS256", "kid": kid})), (400, "invalid_grant", 50013)),
        (format!("{header}.{}.{tail}", encode(&foreign)).into(), (400, "invalid_request", 50107)),
    ];
    for (index, (assertion, expected)) in cases.into_iter().enumerate() {
        let answer = exchange(&kit, CONTOSO, &assertion, &scope).await;
        assert_eq!(answer.refusal(), expected, "{index} {answer:?}");
    }
    kit.clock.advance(std::time::Duration::from_secs(3 * 3600));
    let answer = exchange(&kit, CONTOSO, &alice["access_token"], &scope).await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 500133), "{answer:?}");
}

#[tokio::test]
async fn b53_without_consent_to_the_api_itself_there_is_nothing() {
    let kit = start().await;
    let scope = format!("{} openid", CONTOSO.scope("Orders.Read"));
    let grace = kit.password(CONTOSO, "grace", PASSWORD, &scope).await.body["access_token"].clone();
    let answer = exchange(&kit, CONTOSO, &grace, &CONTOSO.downstream("user_impersonation")).await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 65001), "{answer:?}");
    assert_eq!(answer.body["suberror"], "consent_required");
    let answer = exchange(&kit, CONTOSO, &grace, "User.Read").await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 65001));
    // For itself, an API is to name itself by its client id.
    let answer = exchange(&kit, CONTOSO, &grace, &CONTOSO.scope("Orders.Read")).await;
    assert_eq!(answer.refusal(), (400, "invalid_request", 90009));
}

#[tokio::test]
async fn each_fault_of_a_request_has_its_code() {
    let kit = start().await;
    let assertion = kit.alice(CONTOSO).await.body["access_token"].clone();
    let (api, scope) = (CONTOSO.app(App::Api), CONTOSO.downstream("user_impersonation"));
    let all = [
        ("grant_type", GRANT),
        ("client_id", &api),
        ("client_secret", SECRET),
        ("assertion", assertion.as_str().unwrap()),
        ("scope", &scope),
        ("requested_token_use", "on_behalf_of"),
    ];
    for (missing, expected) in [
        ("client_secret", (401, "invalid_client", 7000218)),
        ("assertion", (400, "invalid_request", 900144)),
        ("scope", (400, "invalid_request", 900144)),
        ("requested_token_use", (400, "invalid_request", 900144)),
    ] {
        let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        let answer = kit.post(&CONTOSO.token_path(), &form(&some)).await;
        assert_eq!(answer.refusal(), expected, "{missing} {answer:?}");
    }
    let odd = form(&all).replace("on_behalf_of", "something_else");
    assert_eq!(kit.post(&CONTOSO.token_path(), &odd).await.refusal(), (400, "invalid_request", 90100));
    let wrong = form(&all).replace(SECRET, "wrong");
    assert_eq!(kit.post(&CONTOSO.token_path(), &wrong).await.refusal(), (401, "invalid_client", 7000215));
    for (alias, code) in [("common", 9001023), ("organizations", 50059)] {
        assert_eq!(kit.post(&format!("/{alias}/oauth2/v2.0/token"), &form(&all)).await.refusal().2, code);
    }
}

#[tokio::test]
async fn an_api_may_prove_itself_by_certificate() {
    let kit = start().await;
    let user = kit.alice(CONTOSO).await.body["access_token"].clone();
    let (api, scope) = (CONTOSO.app(App::Api), CONTOSO.downstream("user_impersonation"));
    let audience = kit.url(&CONTOSO.token_path());
    let proof = Assertion::new(&kit).with(json!({"aud": audience, "iss": api, "sub": api}));
    for (proof, status) in [(proof.signed(), 200), (proof.signed_by(&OTHER.key), 401)] {
        let parameters = [
            ("grant_type", GRANT),
            ("client_id", api.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &proof),
            ("assertion", user.as_str().unwrap()),
            ("scope", &scope),
            ("requested_token_use", "on_behalf_of"),
        ];
        let answer = kit.post(&CONTOSO.token_path(), &form(&parameters)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 200 {
            assert_eq!(claims(&answer.body["access_token"])["appidacr"], "2");
        }
    }
}
