//! openid-client for Node.

use countersign_conformance::clients::Program;
use countersign_conformance::contoso::SECRET;
use countersign_conformance::credentials::REGISTERED;
use serde_json::json;

use crate::flows::{Scene, authorization_code, client_credentials, succeed, tool};

async fn signs_in_verifies_and_refreshes(scene: Scene) {
    let attempts = vec![
        client_credentials("secret in the body", &json!({"secret": SECRET})),
        client_credentials("secret by Basic", &json!({"secret": SECRET, "style": "basic"})),
        client_credentials("private_key_jwt", &REGISTERED.credential("jwt")),
        authorization_code("code", &json!({"secret": SECRET})),
        tool("device_code"),
    ];
    succeed(Program::Node("openid_client.mjs"), &scene, attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_signs_in_verifies_and_refreshes() {
    signs_in_verifies_and_refreshes(Scene::open().await).await;
}

/// A client that keeps to the standards notices nothing of a tenant that does: PKCE, assertions for one use, refresh
/// tokens for one use, `iss` in the answer.
#[tokio::test(flavor = "multi_thread")]
async fn openid_client_is_at_home_in_a_strict_tenant() {
    signs_in_verifies_and_refreshes(Scene::strict().await).await;
}
