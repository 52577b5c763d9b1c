//! azure-identity for Node.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::SECRET;
use countersign_conformance::credentials::REGISTERED;
use serde_json::json;

use crate::attempts::{assert_codes, attempts_of, but, refusals, without};
use crate::flows::{Scene, client_credentials, succeed, usual_attempts, with, without_codes_by_certificate};

const AZURE_IDENTITY: Program = Program::Node("azure_identity.mjs");

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_node_does_every_flow_and_renews_silently() {
    let scene = Scene::open().await;
    let mut attempts = vec![
        client_credentials("secret", &json!({"secret": SECRET})),
        client_credentials("certificate", &REGISTERED.credential("thumbprint")),
        client_credentials("certificate with its chain", &REGISTERED.credential("chain")),
    ];
    attempts.extend(without_codes_by_certificate(usual_attempts(&scene, AZURE_IDENTITY, "thumbprint").await));
    // Its certificate for on-behalf-of must be a file.
    attempts.retain(|attempt| attempt["name"] != "on behalf of, by certificate");
    for attempt in attempts.iter_mut().filter(|attempt| attempt["flow"] == "authorization_code") {
        *attempt = with(attempt.take(), "url", &scene.sign_in_url());
    }
    succeed(AZURE_IDENTITY, &scene, attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_node_surfaces_the_codes() {
    let scene = Scene::open().await;
    let refusals: Vec<_> = without(refusals("thumbprint"), &["unknown tenant"])
        .into_iter()
        .map(|(attempt, code)| (but(attempt, "flow", "client_credentials"), code))
        .collect();
    assert_codes(&attempt(AZURE_IDENTITY, &scene.house, attempts_of(&refusals)).await, &refusals);
}
