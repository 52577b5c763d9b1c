//! azure_identity for Rust. It reads errors with borrowed strings, so a body that needs an escape loses its codes.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::House;
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token};

use crate::attempts::{assert_codes, attempts_of, but, good_secrets, refusals, usual};

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_secret() {
    let house = House::open().await;
    for outcome in attempt(Program::Rust, &house, good_secrets()).await {
        assert_demo_token(outcome.token(), &house, Proof::Secret);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_tokens_by_certificate() {
    let house = House::open().await;
    let attempts = vec![
        usual("x5t in plain base64", &REGISTERED.credential("")),
        but(usual("tenant by domain", &REGISTERED.credential("")), "tenant", "contoso.com"),
    ];
    for outcome in attempt(Program::Rust, &house, attempts).await {
        assert_demo_token(outcome.token(), &house, Proof::Certificate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn surfaces_the_codes() {
    let house = House::open().await;
    let refusals = refusals("");
    assert_codes(&attempt(Program::Rust, &house, attempts_of(&refusals)).await, &refusals);
}
