//! MSAL for Java. Its flows are in `stand_in.rs`, because it leaves the port out where it renews.

use crate::attempts::{assert_codes, attempts_of, but, refusals, without};
use crate::flows::Scene;
use countersign_conformance::clients::{Program, attempt};

const MSAL: Program = Program::Java;

#[tokio::test(flavor = "multi_thread")]
async fn java_surfaces_the_codes() {
    if !MSAL.is_here() {
        return;
    }
    let scene = Scene::open().await;
    let refusals: Vec<_> = without(refusals("chain"), &["unknown tenant"])
        .into_iter()
        .map(|(attempt, code)| (but(attempt, "flow", "client_credentials"), code))
        .collect();
    assert_codes(&attempt(MSAL, &scene.house, attempts_of(&refusals)).await, &refusals);
}
