//! What the other grants and proofs cost, beside client credentials by secret. Run with
//! `cargo bench -p countersign-authority --bench grants`.
//!
//! As in `issue`, the authority has a process and a processor to itself and its store on disk. The tenant is strict, so that
//! each refresh is a rotation that the database settles before it is answered; each assertion is signed beforehand.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
mod ratio;
#[path = "support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::path::Path;

use countersign_directory::DirectoryFile;
use countersign_token::{
    AssertionAlgorithm, Certificate, ClientAssertionSigner, Clock, PrivateKey, Randomness, SystemClock,
    SystemRandomness,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use support::{BATCH, CONNECTIONS, Connection, Server, connect, post, published};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const MIDDLE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c22";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
const SECRET: &str = "only-for-this-benchmark-0123456789";
const LAX_TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b7700";
const LAX_API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c33";
const LAX_CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b66";
const PASSWORD: &str = "correct-horse-battery-staple";

/// The client's certificate lies beside the data folder, where the measuring process put it.
fn directory(data: &Path) -> DirectoryFile {
    let pem = std::fs::read_to_string(data.with_file_name("client.pem")).unwrap();
    let scope = |id: &str| {
        format!(
            "oauth2PermissionScopes: [{{id: {id}, value: access_as_user, type: User, isEnabled: true, \
             adminConsentDisplayName: a, adminConsentDescription: a}}]"
        )
    };
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  strict: true
  domains: [contoso.com]
  users: [{{userPrincipalName: alice@contoso.com, displayName: Alice, password: "{PASSWORD}"}}]
  applications:
  - appId: {API}
    displayName: DemoResourceApp
    identifierUris: ["api://{API}"]
    api: {{requestedAccessTokenVersion: 2, {}}}
  - appId: {MIDDLE}
    displayName: MiddleTier
    identifierUris: ["api://{MIDDLE}"]
    api: {{requestedAccessTokenVersion: 2, {}}}
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]
  - appId: {CLIENT}
    displayName: DemoClientApp
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]
    keyCredentials: [{{certificatePem: {}}}]
  oauth2PermissionGrants:
  - {{client: DemoClientApp, resource: MiddleTier, scopes: [access_as_user], consentType: AllPrincipals}}
  - {{client: MiddleTier, resource: DemoResourceApp, scopes: [access_as_user], consentType: AllPrincipals}}
- tenantId: {LAX_TENANT}
  displayName: Fabrikam
  applications:
  - {{appId: {LAX_API}, displayName: DemoResourceApp, api: {{requestedAccessTokenVersion: 2}}}}
  - {{appId: {LAX_CLIENT}, displayName: DemoClientApp, keyCredentials: [{{certificatePem: {}}}]}}
"#,
        scope("f8d39977-e31e-460b-b92c-9cef51d14f01"),
        scope("f8d39977-e31e-460b-b92c-9cef51d14f02"),
        Value::from(pem.as_str()),
        Value::from(pem.as_str()),
    );
    DirectoryFile::parse("bench.yaml", &text).unwrap().file
}

fn main() {
    support::main(directory, measure);
}

/// A key, and the certificate that the client registers.
fn client_certificate() -> (PrivateKey, String) {
    let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let pair =
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()), &PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2024, 1, 1), rcgen::date_time_ymd(2044, 1, 1));
    (PrivateKey::from_pkcs8_der(&pkcs8).unwrap(), params.self_signed(&pair).unwrap().pem())
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let (key, pem) = client_certificate();
    std::fs::write(folder.path().join("client.pem"), &pem).unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roots = std::fs::read(data.join("ca.pem")).unwrap();
    let mut connections: Vec<_> =
        (0..CONNECTIONS).map(|_| runtime.block_on(connect(&server.address, &roots))).collect();
    // The keys that follow are made in the background.
    while published(&runtime, &mut connections[0]) < 2 {}
    let connections = RefCell::new(connections);
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let by_secret =
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}%2F.default");
    let signed_in = format!(
        "grant_type=password&client_id={CLIENT}&client_secret={SECRET}&username=alice%40contoso.com&password={PASSWORD}\
         &scope=api%3A%2F%2F{MIDDLE}%2Faccess_as_user%20offline_access"
    );
    let signed_in: Vec<Value> = connections
        .borrow_mut()
        .iter_mut()
        .map(|connection| serde_json::from_slice(&runtime.block_on(post(connection, &path, &signed_in))).unwrap())
        .collect();
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let on_behalf_of = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&client_id={MIDDLE}&client_secret={SECRET}\
         &requested_token_use=on_behalf_of&scope=api%3A%2F%2F{API}%2Faccess_as_user&assertion={}",
        text(&signed_in[0], "access_token")
    );
    let refresh_tokens = RefCell::new(signed_in.iter().map(|answer| text(answer, "refresh_token")).collect::<Vec<_>>());
    let signer =
        ClientAssertionSigner::new(key, Certificate::from_pem(&pem).unwrap(), AssertionAlgorithm::Ps256, false)
            .unwrap();
    let same = |form: &str| {
        runtime.block_on(batch(&mut connections.borrow_mut(), &path, |_| form.to_owned(), |_, _| ()));
    };
    let lax_path = format!("/{LAX_TENANT}/oauth2/v2.0/token");
    let lax = |form: &str| {
        runtime.block_on(batch(&mut connections.borrow_mut(), &lax_path, |_| form.to_owned(), |_, _| ()));
    };
    // Libraries send an assertion for as long as it is valid, which Entra takes.
    let lax_audience = format!("https://{}{lax_path}", server.address.replace("127.0.0.1", "localhost"));
    let lax_client = LAX_CLIENT.parse().unwrap();
    let assertion = signer.sign(lax_client, &lax_audience, SystemClock.now(), SystemRandomness.uuid_v4()).unwrap();
    let by_certificate = format!(
        "grant_type=client_credentials&client_id={LAX_CLIENT}&scope={LAX_API}%2F.default&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
    );
    let audience = format!("https://{}{path}", server.address.replace("127.0.0.1", "localhost"));
    let assertions = RefCell::new(Vec::new());
    let sign = |count: usize| {
        let client = CLIENT.parse().unwrap();
        let one = || signer.sign(client, &audience, SystemClock.now(), SystemRandomness.uuid_v4()).unwrap();
        assertions.borrow_mut().extend((0..count).map(|_| one()));
    };
    // Signing is the client's work: all of it is done before the clock runs.
    sign(BATCH * 40);
    let medians = ratio::compare(
        &format!("{BATCH} tokens over HTTPS keep-alive, {CONNECTIONS} connections, a strict tenant on SQLite"),
        11,
        &mut [
            ("client credentials by secret", Box::new(|| same(&by_secret))),
            (
                "client credentials by certificate, each assertion once",
                Box::new(|| {
                    let form = |_: usize| {
                        format!(
                            "grant_type=client_credentials&client_id={CLIENT}&scope={API}%2F.default&client_assertion_type=\
                             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={}",
                            assertions.borrow_mut().pop().unwrap()
                        )
                    };
                    runtime.block_on(batch(&mut connections.borrow_mut(), &path, form, |_, _| ()));
                }),
            ),
            ("client credentials by certificate, a tenant that is not strict", Box::new(|| lax(&by_certificate))),
            ("on behalf of a user", Box::new(|| same(&on_behalf_of))),
            (
                "refresh, each token once",
                Box::new(|| {
                    let form = |index: usize| {
                        format!(
                            "grant_type=refresh_token&client_id={CLIENT}&client_secret={SECRET}&refresh_token={}",
                            refresh_tokens.borrow()[index]
                        )
                    };
                    let keep = |index: usize, body: &[u8]| {
                        let answer: Value = serde_json::from_slice(body).unwrap();
                        refresh_tokens.borrow_mut()[index] = text(&answer, "refresh_token");
                    };
                    runtime.block_on(batch(&mut connections.borrow_mut(), &path, form, keep));
                }),
            ),
        ],
    );
    let per_second: Vec<_> =
        medians.iter().map(|nanoseconds| format!("{:.0}", BATCH as f64 / nanoseconds * 1e9)).collect();
    println!("  a second: {}", per_second.join(", "));
    drop(connections);
    server.stop();
}

/// One batch, shared evenly; each connection sends its next form when the last is answered.
async fn batch(
    connections: &mut [Connection],
    path: &str,
    form: impl Fn(usize) -> String,
    keep: impl Fn(usize, &[u8]),
) {
    let (form, keep) = (&form, &keep);
    let tasks = connections.iter_mut().enumerate().map(|(index, connection)| async move {
        for _ in 0..BATCH / CONNECTIONS {
            let body = post(connection, path, &form(index)).await;
            keep(index, &body);
        }
    });
    futures_util::future::join_all(tasks).await;
}
