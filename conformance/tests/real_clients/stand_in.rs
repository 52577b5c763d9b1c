//! Programs in their default configuration, instance discovery on, that mean Entra and reach the authority: all they are
//! given is a proxy and a certificate to trust, both by the environment.
//!
//! Passwords too: MSAL for Python asks for the user's realm at port 443 whatever its authority's port is, and MSAL for
//! Java renews there, so that nowhere else can they be tested with it. The Azure CLI is left out for its size; beneath it
//! is MSAL for Python.

use countersign_conformance::clients::Program;
use countersign_conformance::contoso::SECRET;
use countersign_conformance::credentials::REGISTERED;
use serde_json::json;

use crate::flows::{
    Scene, client_credentials, refresh_token, succeed, usual_attempts, with, without_codes_by_certificate,
};

async fn works_unchanged(program: Program, style: &str) {
    let scene = Scene::stand_in().await;
    let mut attempts = usual_attempts(&scene, program, style).await;
    match program {
        Program::Python("azure_identity_flows.py") | Program::Node("azure_identity.mjs") => {
            attempts = without_codes_by_certificate(attempts);
            for attempt in attempts.iter_mut().filter(|attempt| attempt["flow"] == "authorization_code") {
                *attempt = with(attempt.take(), "url", &scene.sign_in_url());
            }
        }
        Program::Go("azidentity") => attempts.retain(|attempt| attempt["flow"] != "authorization_code"),
        Program::Java => {
            attempts.insert(0, client_credentials("secret", &json!({"secret": SECRET})));
            attempts.insert(1, client_credentials("certificate", &REGISTERED.credential("chain")));
        }
        _ => attempts.insert(0, refresh_token(&scene.refresh_token().await)),
    }
    if program == Program::Node("azure_identity.mjs") {
        attempts.retain(|attempt| attempt["name"] != "on behalf of, by certificate");
    }
    if program == Program::Go("msal") {
        attempts.retain(|attempt| attempt["flow"] != "refresh_token");
    }
    succeed(program, &scene, attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_python_works_unchanged_where_the_authority_stands_in() {
    works_unchanged(Program::Python("msal_flows.py"), "pem").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_node_works_unchanged_where_the_authority_stands_in() {
    works_unchanged(Program::Node("msal_flows.mjs"), "sha256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_python_works_unchanged_where_the_authority_stands_in() {
    works_unchanged(Program::Python("azure_identity_flows.py"), "thumbprint").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_node_works_unchanged_where_the_authority_stands_in() {
    works_unchanged(Program::Node("azure_identity.mjs"), "thumbprint").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_works_unchanged_where_the_authority_stands_in() {
    for program in [Program::Go("msal"), Program::Go("azidentity")] {
        if program.is_here() {
            works_unchanged(program, "thumbprint").await;
        }
    }
}

/// And renews silently: with a port in the authority's address it would leave it out and ask elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn msal_for_java_does_every_flow_and_renews_silently_where_the_authority_stands_in() {
    if Program::Java.is_here() {
        works_unchanged(Program::Java, "chain").await;
    }
}
