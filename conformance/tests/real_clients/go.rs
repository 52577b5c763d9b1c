//! MSAL for Go and azidentity.

use countersign_conformance::clients::{Program, attempt};
use countersign_conformance::contoso::SECRET;
use countersign_conformance::credentials::REGISTERED;
use serde_json::json;

use crate::attempts::{assert_codes, attempts_of, but, refusals, without};
use crate::flows::{Scene, client_credentials, succeed, usual_attempts};

const MSAL: Program = Program::Go("msal");
const AZIDENTITY: Program = Program::Go("azidentity");

async fn does_every_flow(program: Program) {
    let scene = Scene::open().await;
    let mut attempts = vec![
        client_credentials("secret", &json!({"secret": SECRET})),
        client_credentials("certificate", &REGISTERED.credential("thumbprint")),
        client_credentials("certificate with its chain", &REGISTERED.credential("chain")),
    ];
    attempts.extend(usual_attempts(&scene, program, "thumbprint").await);
    if program == AZIDENTITY {
        // azidentity leaves authorization codes to MSAL.
        attempts.retain(|attempt| attempt["flow"] != "authorization_code");
    }
    succeed(program, &scene, attempts).await;
}

async fn surfaces_codes(program: Program) {
    let scene = Scene::open().await;
    // They look at the metadata first; what that answered is in their error all the same.
    let refusals: Vec<_> = without(refusals("thumbprint"), &["unknown tenant"])
        .into_iter()
        .map(|(attempt, code)| (but(attempt, "flow", "client_credentials"), code))
        .collect();
    assert_codes(&attempt(program, &scene.house, attempts_of(&refusals)).await, &refusals);
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_go_does_every_flow_and_renews_silently() {
    if MSAL.is_here() {
        does_every_flow(MSAL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azidentity_does_every_flow_and_renews_silently() {
    if AZIDENTITY.is_here() {
        does_every_flow(AZIDENTITY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn go_surfaces_the_codes() {
    if MSAL.is_here() {
        surfaces_codes(MSAL).await;
        surfaces_codes(AZIDENTITY).await;
    }
}
