//! MSAL for Python.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{House, LEGACY_URI, SECRET};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token, assert_legacy_token};

use crate::attempts::{assert_codes, attempts_of, good_secrets, refusals, secret, to, usual, without};

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
