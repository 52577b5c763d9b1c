//! @azure/msal-node.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{House, LEGACY_URI, SECRET};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token, assert_legacy_token};

use crate::attempts::{assert_codes, attempts_of, good_secrets, refusals, secret, to, usual, without};

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
