//! Authlib for Python.

use countersign_conformance::clients::Program;
use countersign_conformance::contoso::SECRET;
use serde_json::json;

use crate::flows::{Scene, authorization_code, client_credentials, succeed, with};

#[tokio::test(flavor = "multi_thread")]
async fn authlib_signs_in_verifies_and_refreshes() {
    let scene = Scene::open().await;
    let secret = json!({"secret": SECRET});
    let (post, basic) = ("client_secret_post", "client_secret_basic");
    let attempts = vec![
        with(client_credentials("secret in the body", &secret), "method", post),
        with(client_credentials("secret by Basic", &secret), "method", basic),
        with(authorization_code("code", &secret), "method", post),
        with(authorization_code("code by Basic", &secret), "method", basic),
    ];
    succeed(Program::Python("authlib_flows.py"), &scene, attempts).await;
}
