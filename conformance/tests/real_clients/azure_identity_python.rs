//! azure-identity for Python: the synchronous credentials go through MSAL, the asynchronous ones have a client of their
//! own, which builds the token endpoint from the authority's host and pads every segment of its assertions.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{DOMAIN, House};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token};

use crate::attempts::{assert_codes, attempts_of, but, good_secrets, refusals, usual, without};
use crate::flows::{Scene, succeed, usual_attempts, with, without_codes_by_certificate, without_passwords};

const SYNC: Program = Program::Python("azure_identity_client.py");
const AIO: Program = Program::Python("azure_identity_aio_client.py");

async fn gets_tokens_by_secret(program: Program) {
    let house = House::open().await;
    for outcome in attempt(program, &house, good_secrets()).await {
        assert_demo_token(outcome.token(), &house, Proof::Secret);
    }
}

async fn gets_tokens_by_certificate(program: Program) {
    let house = House::open().await;
    let attempts = vec![
        usual("thumbprint", &REGISTERED.credential("thumbprint")),
        usual("chain", &REGISTERED.credential("chain")),
        but(usual("tenant by domain", &REGISTERED.credential("thumbprint")), "tenant", DOMAIN),
    ];
    for outcome in attempt(program, &house, attempts).await {
        assert_demo_token(outcome.token(), &house, Proof::Certificate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn synchronous_gets_tokens_by_secret() {
    gets_tokens_by_secret(SYNC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_gets_tokens_by_secret() {
    gets_tokens_by_secret(AIO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn synchronous_gets_tokens_by_certificate() {
    gets_tokens_by_certificate(SYNC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_gets_tokens_by_certificate() {
    gets_tokens_by_certificate(AIO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn synchronous_surfaces_the_codes() {
    let house = House::open().await;
    let refusals = without(refusals("thumbprint"), &["unknown tenant"]);
    assert_codes(&attempt(SYNC, &house, attempts_of(&refusals)).await, &refusals);
}

/// MSAL beneath it looks at the metadata first, and shows what that answered only in the exception's cause.
#[tokio::test(flavor = "multi_thread")]
async fn synchronous_finds_an_unknown_tenant_by_its_metadata() {
    let house = House::open().await;
    let (unknown, code) = refusals("thumbprint").pop().unwrap();
    let outcomes = attempt(SYNC, &house, vec![unknown]).await;
    assert_eq!(outcomes[0].text("exception"), "ClientAuthenticationError");
    assert_eq!(outcomes[0].inner_codes(), [code], "{:#}", outcomes[0].line);
}

#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_surfaces_the_codes() {
    let house = House::open().await;
    let refusals = refusals("thumbprint");
    assert_codes(&attempt(AIO, &house, attempts_of(&refusals)).await, &refusals);
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_python_does_every_flow_and_renews_silently() {
    let scene = Scene::open().await;
    // MSAL asks for the user's realm at port 443, whatever the authority's port is: see the stand-in's tests for passwords.
    let mut attempts = without_codes_by_certificate(without_passwords(
        usual_attempts(&scene, Program::Python("azure_identity_flows.py"), "thumbprint").await,
    ));
    for attempt in attempts.iter_mut().filter(|attempt| attempt["flow"] == "authorization_code") {
        *attempt = with(attempt.take(), "url", &scene.sign_in_url());
    }
    succeed(Program::Python("azure_identity_flows.py"), &scene, attempts).await;
}
