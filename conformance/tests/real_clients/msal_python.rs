//! MSAL for Python.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{ALICE, House, LEGACY_URI, RESOURCE_URI, SECRET, TENANT, TOOL, TOOL_CALLBACK};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token, assert_legacy_token, decode};
use serde_json::json;

use crate::attempts::{assert_codes, attempts_of, good_secrets, refusals, secret, to, usual, without};
use crate::flows::{Scene, on_behalf_of, refresh_token, succeed, usual_attempts, with, without_passwords};

const MSAL: Program = Program::Python("msal_client.py");

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_secret_and_finds_them_in_its_cache() {
    let house = House::open().await;
    for outcome in attempt(MSAL, &house, good_secrets()).await {
        assert_demo_token(outcome.token(), &house, Proof::Secret);
        assert_eq!(outcome.text("again_from"), "cache", "{}", outcome.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_certificate_with_ps256_and_with_rs256() {
    let house = House::open().await;
    let attempts = vec![
        usual("PEM: PS256, x5t#S256, padded", &REGISTERED.credential("pem")),
        usual("thumbprint: RS256, x5t, padded", &REGISTERED.credential("thumbprint")),
    ];
    for outcome in attempt(MSAL, &house, attempts).await {
        assert_demo_token(outcome.token(), &house, Proof::Certificate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_a_version_1_token_for_a_version_1_resource() {
    let house = House::open().await;
    let attempts = vec![to(usual("legacy", &secret(SECRET)), LEGACY_URI)];
    assert_legacy_token(attempt(MSAL, &house, attempts).await[0].token(), Proof::Secret);
}

/// MSAL drops the port of the host that it asks about, and takes the metadata's address from the answer.
#[tokio::test(flavor = "multi_thread")]
async fn believes_the_instance_discovery() {
    let house = House::open().await;
    let mut attempt_with_discovery = usual("instance discovery", &secret(SECRET));
    attempt_with_discovery["instance_discovery"] = true.into();
    let outcomes = attempt(MSAL, &house, vec![attempt_with_discovery]).await;
    assert_demo_token(outcomes[0].token(), &house, Proof::Secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn surfaces_the_codes() {
    let house = House::open().await;
    let refusals = without(refusals("pem"), &["unknown tenant"]);
    let outcomes = attempt(MSAL, &house, attempts_of(&refusals)).await;
    assert_codes(&outcomes, &refusals);
    let errors: Vec<&str> = outcomes.iter().map(|outcome| outcome.text("error")).collect();
    let expected =
        ["invalid_client", "invalid_client", "unauthorized_client", "unauthorized_client", "invalid_resource"];
    assert_eq!(errors, expected);
}

/// MSAL looks at the metadata first, and shows what that answered only in the exception's cause.
#[tokio::test(flavor = "multi_thread")]
async fn finds_an_unknown_tenant_by_its_metadata() {
    let house = House::open().await;
    let (unknown, code) = refusals("pem").pop().unwrap();
    let outcomes = attempt(MSAL, &house, vec![unknown]).await;
    assert_eq!(outcomes[0].text("exception"), "ValueError");
    assert!(outcomes[0].text("message").starts_with("Unable to get authority configuration for "));
    assert_eq!(outcomes[0].inner_codes(), [code], "{:#}", outcomes[0].line);
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_python_does_every_flow_and_renews_silently() {
    let scene = Scene::open().await;
    // MSAL asks for the user's realm at port 443, whatever the authority's port is: see the stand-in's tests for passwords.
    let mut attempts = without_passwords(usual_attempts(&scene, Program::Python("msal_flows.py"), "pem").await);
    attempts.insert(0, refresh_token(&scene.refresh_token().await));
    succeed(Program::Python("msal_flows.py"), &scene, attempts).await;
}

/// Continuous access evaluation, from the token to the challenge and back: a token in the cache is refused by Graph, the
/// refresh token is as dead as the session, and a sign-in with the challenge's claims gets one that passes.
#[tokio::test(flavor = "multi_thread")]
async fn msal_for_python_answers_a_claims_challenge() {
    let scene = Scene::open().await;
    let attempt = json!({
        "name": "challenge", "flow": "claims_challenge", "tenant": TENANT, "client_id": TOOL,
        "scope": "https://graph.microsoft.com/User.Read", "redirect_uri": TOOL_CALLBACK,
    });
    let outcome = scene.run(Program::Python("msal_flows.py"), vec![attempt]).await.remove(0);
    let (_, claims) = decode(outcome.token());
    assert_eq!(claims["xms_cc"], json!(["cp1"]), "{claims:#}");
    assert_eq!(outcome.line["statuses"], json!([200, 200, 401, 200]), "{:#}", outcome.line);
    assert!(outcome.text("challenge").contains("\"nbf\""), "{:#}", outcome.line);
    assert_eq!(outcome.line["silent_codes"], json!([50_173]));
    assert_eq!(outcome.text("me"), ALICE);
}

/// What a person must decide is told apart from what nobody can help: `suberror` and class as the libraries know them.
#[tokio::test(flavor = "multi_thread")]
async fn msal_says_when_a_person_is_needed() {
    let scene = Scene::open().await;
    let middle = scene.token_for_the_middle().await;
    let attempt = with(
        on_behalf_of("not consented to", &secret(SECRET), &middle),
        "scope",
        &format!("{RESOURCE_URI}/Orders.Admin"),
    );
    for program in [Program::Python("msal_flows.py"), Program::Node("msal_flows.mjs")] {
        let outcome = scene.run(program, vec![attempt.clone()]).await.remove(0);
        assert_eq!(outcome.codes(), [65_001], "{:#}", outcome.line);
        assert_eq!(outcome.text("error"), "invalid_grant");
        let class = if matches!(program, Program::Node(_)) { "InteractionRequiredAuthError" } else { "Refused" };
        assert_eq!(outcome.text("exception"), class, "{:#}", outcome.line);
    }
}
