//! ADAL for Python, on the v1.0 endpoint.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::{CLIENT, CLIENT_CALLBACK, House, LEGACY, LEGACY_URI, RESOURCE, SECRET, TENANT};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::tokens::{Proof, assert_demo_token, assert_legacy_token, decode};
use countersign_conformance::wire::escape;
use serde_json::json;

use crate::attempts::{assert_codes, attempts_of, good_secrets, refusals, secret, to, usual};
use crate::flows::{Scene, authorization_code, succeed, tool, with};

const ADAL: Program = Program::Python("adal_client.py");

#[tokio::test(flavor = "multi_thread")]
async fn gets_version_1_tokens_by_secret_and_by_certificate() {
    let house = House::open().await;
    let attempts = vec![
        to(usual("secret", &secret(SECRET)), LEGACY_URI),
        to(usual("certificate", &REGISTERED.credential("thumbprint")), LEGACY_URI),
        to(usual("certificate with its text", &REGISTERED.credential("pem")), LEGACY_URI),
    ];
    let proofs = [Proof::Secret, Proof::Certificate, Proof::Certificate];
    for (outcome, proof) in attempt(ADAL, &house, attempts).await.iter().zip(proofs) {
        assert_legacy_token(outcome.token(), proof);
        assert_eq!(outcome.text("resource"), LEGACY_URI);
        assert_eq!(outcome.line["expires_in"], json!(3599));
    }
}

/// The resource decides about the token's version, not the endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn gets_version_2_tokens_for_a_version_2_resource() {
    let house = House::open().await;
    for outcome in attempt(ADAL, &house, good_secrets()).await {
        assert_demo_token(outcome.token(), &house, Proof::Secret);
    }
}

/// A resource may be named by its application's id as well; a version 1.0 token's audience is then that id.
#[tokio::test(flavor = "multi_thread")]
async fn names_a_resource_by_its_application_id() {
    let house = House::open().await;
    let attempts = vec![to(usual("v2", &secret(SECRET)), RESOURCE), to(usual("v1", &secret(SECRET)), LEGACY)];
    let outcomes = attempt(ADAL, &house, attempts).await;
    assert_demo_token(outcomes[0].token(), &house, Proof::Secret);
    assert_eq!(decode(outcomes[1].token()).1["aud"], LEGACY);
}

#[tokio::test(flavor = "multi_thread")]
async fn surfaces_the_codes() {
    let house = House::open().await;
    let refusals = refusals("thumbprint");
    assert_codes(&attempt(ADAL, &house, attempts_of(&refusals)).await, &refusals);
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_people_in_on_the_v1_endpoint_and_refreshes() {
    let scene = Scene::open().await;
    let code = with(authorization_code("code", &secret(SECRET)), "resource", LEGACY_URI);
    let url = format!(
        "{}/{TENANT}/oauth2/authorize?response_type=code&client_id={CLIENT}&redirect_uri={}&resource={}",
        scene.house.origin(),
        escape(CLIENT_CALLBACK),
        escape(LEGACY_URI),
    );
    let attempts = vec![tool("password"), with(code, "url", &url), tool("device_code")];
    for outcome in succeed(Program::Python("adal_flows.py"), &scene, attempts).await {
        assert_eq!(decode(outcome.token()).1["ver"], "1.0", "{}", outcome.name);
        assert_eq!(outcome.text("resource"), LEGACY_URI);
    }
}
