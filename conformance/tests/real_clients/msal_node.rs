//! @azure/msal-node.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{House, LEGACY_URI, SECRET};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token, assert_legacy_token};
use serde_json::json;

use crate::attempts::{assert_codes, attempts_of, good_secrets, refusals, secret, to, usual, without};
use crate::flows::{Scene, authorization_code, client_credentials, refresh_token, succeed, tool, usual_attempts};

const MSAL: Program = Program::Node("msal_client.mjs");

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_secret_and_finds_them_in_its_cache() {
    let house = House::open().await;
    for outcome in attempt(MSAL, &house, good_secrets()).await {
        assert_demo_token(outcome.token(), &house, Proof::Secret);
        assert_eq!(outcome.text("again_from"), "cache", "{}", outcome.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_certificate_with_either_thumbprint_and_with_its_chain() {
    let house = House::open().await;
    let attempts = vec![
        usual("SHA-1: RS256, x5t", &REGISTERED.credential("sha1")),
        usual("SHA-256: PS256, x5t#S256", &REGISTERED.credential("sha256")),
        usual("with x5c", &REGISTERED.credential("chain")),
    ];
    for outcome in attempt(MSAL, &house, attempts).await {
        assert_demo_token(outcome.token(), &house, Proof::Certificate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_a_version_1_token_for_a_version_1_resource() {
    let house = House::open().await;
    let attempts = vec![to(usual("legacy", &REGISTERED.credential("sha256")), LEGACY_URI)];
    assert_legacy_token(attempt(MSAL, &house, attempts).await[0].token(), Proof::Certificate);
}

#[tokio::test(flavor = "multi_thread")]
async fn surfaces_the_codes() {
    let house = House::open().await;
    let refusals = without(refusals("sha256"), &["unknown tenant"]);
    let outcomes = attempt(MSAL, &house, attempts_of(&refusals)).await;
    assert_codes(&outcomes, &refusals);
    let errors: Vec<&str> = outcomes.iter().map(|outcome| outcome.text("error")).collect();
    let expected =
        ["invalid_client", "invalid_client", "unauthorized_client", "unauthorized_client", "invalid_resource"];
    assert_eq!(errors, expected);
}

/// MSAL looks at the metadata first, and says only that it could not be resolved.
#[tokio::test(flavor = "multi_thread")]
async fn finds_an_unknown_tenant_by_its_metadata() {
    let house = House::open().await;
    let (mut unknown, _) = refusals("sha256").pop().unwrap();
    unknown["credential"] = secret(SECRET);
    assert_eq!(attempt(MSAL, &house, vec![unknown]).await[0].text("error"), "endpoints_resolution_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_node_does_every_flow_and_renews_silently() {
    let scene = Scene::open().await;
    let mut attempts = usual_attempts(&scene, Program::Node("msal_flows.mjs"), "sha256").await;
    attempts.insert(0, refresh_token(&scene.refresh_token().await));
    succeed(Program::Node("msal_flows.mjs"), &scene, attempts).await;
}

/// MSAL keeps to what a strict tenant demands: PKCE, the newest refresh token, an assertion for each request.
#[tokio::test(flavor = "multi_thread")]
async fn msal_is_at_home_in_a_strict_tenant() {
    for program in [Program::Node("msal_flows.mjs"), Program::Python("msal_flows.py")] {
        let scene = Scene::strict().await;
        let (certificate, secret) = (REGISTERED.credential("sha256"), json!({"secret": SECRET}));
        let attempts = vec![
            client_credentials("certificate", &certificate),
            authorization_code("code", &secret),
            tool("device_code"),
        ];
        succeed(program, &scene, attempts).await;
    }
}
