//! `token` and `call` with a federated token file: flag, variable, what goes before what, and what is said of bad files.
//!
//! To the command an assertion is an assertion, whoever signed it; here it is signed with a key that the authority has a
//! certificate of, which needs no second issuer.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use countersign_token::{
    AssertionAlgorithm, Certificate, ClientAssertionSigner, Clock, PrivateKey, Randomness, SystemClock,
    SystemRandomness, Timestamp,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use support::{Run, Running, countersign, run_command, write_private};
use tempfile::TempDir;

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "0f1e2d3c-4b5a-4968-8776-655443322110";
const SECRET: &str = "Zm9yLXRoaXMtdGVzdC1hbG9uZQ~correct.horse";
const FLAG: &str = "--federated-token-file";
const VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// An authority that knows one application with a secret and a certificate, and a file for the token.
struct Stage {
    folder: TempDir,
    _authority: Running,
    ready: Value,
    signer: ClientAssertionSigner,
}

impl Stage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let directory = json!({"tenants": [{
            "tenantId": TENANT, "displayName": "Contoso", "domains": ["contoso.com"],
            "applications": [
                {"appId": API, "displayName": "Orders", "identifierUris": ["api://orders"]},
                {
                    "appId": CLIENT, "displayName": "Daemon",
                    "passwordCredentials": [{"displayName": "test", "secretText": SECRET}],
                    "keyCredentials": [{"displayName": "test", "certificatePem": certificate.pem()}],
                },
            ],
        }]});
        std::fs::write(path("contoso.json"), directory.to_string()).unwrap();
        let (file, ready) = (path("contoso.json"), path("ready.json"));
        let arguments = ["authority", "--listen", "127.0.0.1:0", "--ephemeral"];
        let mut command = countersign(&arguments);
        let authority = Running::until(command.args(["--directory", &file, "--ready-file", &ready]), "ready;");
        let ready = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let key = PrivateKey::from_pem(&pair.serialize_pem()).unwrap();
        let certificate = Certificate::from_der(certificate.der().to_vec()).unwrap();
        let signer = ClientAssertionSigner::new(key, certificate, AssertionAlgorithm::default(), false).unwrap();
        Self { folder, _authority: authority, ready, signer }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn origin(&self) -> &str {
        self.ready["authority"].as_str().unwrap()
    }

    fn assertion(&self, at: Timestamp) -> String {
        let audience = format!("{}/{TENANT}/oauth2/v2.0/token", self.origin());
        self.signer.sign(CLIENT.parse().unwrap(), &audience, at, SystemRandomness.uuid_v4()).unwrap()
    }

    fn write(&self, content: &str) {
        write_private(&self.path(), content);
    }

    /// A command that knows everything but a credential from its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = countersign(arguments);
        command
            .env("AZURE_AUTHORITY_HOST", self.origin())
            .env("COUNTERSIGN_CA", self.ready["ca"].as_str().unwrap())
            .env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", CLIENT);
        command
    }

    fn token(&self) -> Command {
        self.command(&["token", "--scope", "api://orders/.default"])
    }
}

fn assert_token(run: &Run) {
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(run.stdout.trim().split('.').count(), 3, "{run:?}");
}

#[test]
fn flag_and_variable_prove_the_application_to_the_authority() {
    let stage = Stage::start();
    stage.write(&format!("{}\n", stage.assertion(SystemClock.now())));
    assert_token(&run_command(stage.token().arg(FLAG).arg(stage.path())));
    stage.write(&stage.assertion(SystemClock.now()));
    assert_token(&run_command(stage.token().env(VARIABLE, stage.path())));
    // The API's own opinion is not what matters here: that it was asked is.
    let url = format!("{}/v1.0/applications", stage.origin());
    let mut call = stage.command(&["call", &url, "--scope", "api://orders/.default"]);
    let called = run_command(call.arg(FLAG).arg(stage.path()));
    assert_eq!(called.status, 0, "{called:?}");
}

#[test]
fn a_secret_goes_before_a_certificate_before_a_federated_token_and_a_flag_before_all() {
    let stage = Stage::start();
    let certificate = stage.folder.path().join("no-such-certificate.pem");
    stage.write("no token");
    // The secret is taken: neither of the others, which cannot be used, is looked at.
    let mut command = stage.token();
    command.env("AZURE_CLIENT_SECRET", SECRET).env("AZURE_CLIENT_CERTIFICATE_PATH", &certificate);
    assert_token(&run_command(command.env(VARIABLE, stage.path())));
    // The flag is taken, though the variable beside it would do.
    let refused = run_command(stage.token().env("AZURE_CLIENT_SECRET", SECRET).arg(FLAG).arg(stage.path()));
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{refused:?}");
    // The certificate is taken, though the federated token would do.
    stage.write(&stage.assertion(SystemClock.now()));
    let mut command = stage.token();
    command.env("AZURE_CLIENT_CERTIFICATE_PATH", &certificate).env(VARIABLE, stage.path());
    let refused = run_command(&mut command);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("no-such-certificate.pem cannot be read"), "{}", refused.stderr);
}

#[test]
fn a_file_that_cannot_be_used_is_status_2_with_its_path_and_a_hint() {
    let stage = Stage::start();
    let path = stage.path().display().to_string();
    let hour_ago = Timestamp::from_unix_seconds(SystemClock.now().as_unix_seconds() - 3600);
    let stale = stage.assertion(hour_ago);
    let cases = [
        (None, "does not exist", "azure.workload.identity/use"),
        (Some(""), "is empty", "renamed"),
        (Some("{\"value\":\"sensitive\"}"), "is not a token", "for GitHub 'value'"),
        (Some(stale.as_str()), "is out of date", "renews it"),
    ];
    for (content, what, hint) in cases {
        if let Some(content) = content {
            stage.write(content);
        }
        let run = run_command(stage.token().env(VARIABLE, &path).env("COUNTERSIGN_LOG", "trace"));
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{what}: {run:?}");
        assert!(run.stderr.contains(&format!("error: the federated token file {path} {what}")), "{}", run.stderr);
        assert!(run.stderr.lines().any(|line| line.starts_with("hint: ") && line.contains(hint)), "{}", run.stderr);
        assert!(!run.stderr.contains("sensitive") && !run.stderr.contains(&stale[..40]), "{}", run.stderr);
    }
}

#[test]
fn an_assertion_that_the_authority_refuses_is_not_printed() {
    let stage = Stage::start();
    let assertion = stage.assertion(SystemClock.now());
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    stage.write(&forged);
    let run = run_command(stage.token().env(VARIABLE, stage.path()).env("COUNTERSIGN_LOG", "trace"));
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(run.stderr.contains("AADSTS700027") && run.stderr.contains("hint: "), "{}", run.stderr);
    assert!(!run.stderr.contains(signed) && !run.stderr.contains(&signature[1..40]), "{}", run.stderr);
}

#[test]
fn one_credential_at_a_time_is_enough() {
    for other in ["--secret-file", "--certificate"] {
        let arguments = ["token", "--scope", "api://a/.default", FLAG, "token", other, "file"];
        let run = run_command(&mut countersign(&arguments));
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
    }
    let arguments = ["--tenant", TENANT, "--client-id", CLIENT];
    let run = run_command(countersign(&["token", "--scope", "api://a/.default"]).args(arguments));
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("AZURE_FEDERATED_TOKEN_FILE"), "{}", run.stderr);
}
