//! Credentials in files that are replaced, PKCS#12 containers, and keys that live elsewhere.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use countersign_client::{
    AcquireError, AssertionError, AssertionSigner, BoxFuture, BuildError, Cause, CertificateOptions,
    ConfidentialClient, CredentialFileError, PfxError, read_pfx,
};
use countersign_token::{
    Algorithm, AssertionAlgorithm, Certificate, PrivateKey, base64url_decode_strict, base64url_encode,
};
use futures_util::future::join_all;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, TENANT, builder, clock, field, refused, scopes};
use tempfile::TempDir;

/// A private key and its certificate, PEM.
fn pem_pair() -> (String, String) {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    (pair.serialize_pem(), params.self_signed(&pair).unwrap().pem())
}

struct File {
    _directory: TempDir,
    path: PathBuf,
}

impl File {
    fn holding(content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credential");
        std::fs::write(&path, content).unwrap();
        Self { _directory: directory, path }
    }

    /// As mounted secrets are replaced: whole, under another name, then renamed.
    fn replace(&self, content: impl AsRef<[u8]>) {
        let next = self.path.with_extension("next");
        std::fs::write(&next, content).unwrap();
        std::fs::rename(next, &self.path).unwrap();
    }
}

/// Accepts these secrets and no others.
fn accepts(endpoint: &Endpoint, secrets: &'static [&'static str]) {
    let counted = endpoint.clone();
    endpoint.answers(move |request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        if field(&form, "client_secret").is_some_and(|secret| secrets.contains(&secret.as_str())) {
            let token = format!("token-{}", counted.count());
            support::ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token}))
        } else {
            refused(401, "invalid_client", 7_000_215, "Invalid client secret provided.")
        }
    });
}

#[tokio::test]
async fn a_rotation_under_load_loses_no_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let file = File::holding("first-secret\n");
    let client = builder(&endpoint, &clock).secret_file(&file.path).build().unwrap();
    let mut number = 0;
    let mut load = async |count: usize| {
        let first = number;
        number += count;
        let keys: Vec<_> = (first..number).map(|index| scopes(&format!("api://{index}"))).collect();
        let calls = keys.iter().map(|scopes| client.acquire_token_for_client(scopes));
        assert!(join_all(calls).await.into_iter().all(|outcome| outcome.is_ok()));
    };
    accepts(&endpoint, &["first-secret"]);
    load(20).await;
    // The new secret is written before the authority knows it, then both are known, then only the new one.
    file.replace("second-secret");
    load(20).await;
    accepts(&endpoint, &["first-secret", "second-secret"]);
    load(20).await;
    accepts(&endpoint, &["second-secret"]);
    load(20).await;
    assert_eq!(field(&endpoint.last_form(), "client_secret").unwrap(), "second-secret");
    // A broken file leaves what was read before.
    for broken in ["", " \n"] {
        file.replace(broken);
        load(5).await;
    }
    std::fs::remove_file(&file.path).unwrap();
    load(5).await;
    // Two generations, not three.
    file.replace("third-secret");
    accepts(&endpoint, &["first-secret"]);
    let error = client.acquire_token_for_client(&scopes("api://x")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Refused(_)));
}

/// Accepts the certificates of these thumbprints and no others.
fn knows(endpoint: &Endpoint, thumbprints: Vec<String>) {
    let counted = endpoint.clone();
    endpoint.answers(move |request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let assertion = field(&form, "client_assertion").unwrap();
        let header = base64url_decode_strict(assertion.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        if thumbprints.iter().any(|known| header["x5t#S256"] == *known) {
            let token = format!("token-{}", counted.count());
            support::ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token}))
        } else {
            refused(401, "invalid_client", 700_027, "The certificate with this thumbprint is not registered.")
        }
    });
}

/// Requests that are in flight while the file is replaced, and those that follow.
async fn rotate(endpoint: &Endpoint, client: &ConfidentialClient, round: usize, replace: impl FnOnce()) {
    let ask = |phase: usize| {
        (0..20)
            .map(|index| {
                let (client, scopes) = (client.clone(), scopes(&format!("api://{round}-{phase}-{index}")));
                tokio::spawn(async move { client.acquire_token_for_client(&scopes).await })
            })
            .collect::<Vec<_>>()
    };
    let gate = endpoint.hold();
    let before = endpoint.count();
    let in_flight = ask(0);
    while endpoint.count() < before + 20 {
        tokio::task::yield_now().await;
    }
    replace();
    let following = ask(1);
    while endpoint.count() < before + 40 {
        tokio::task::yield_now().await;
    }
    gate.open();
    for call in in_flight.into_iter().chain(following) {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn requests_in_flight_while_a_secret_is_replaced_are_answered_and_so_are_those_that_follow() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let file = File::holding("first-secret");
    let client = builder(&endpoint, &clock).secret_file(&file.path).build().unwrap();
    accepts(&endpoint, &["first-secret"]);
    // The authority learns of the new one later.
    rotate(&endpoint, &client, 0, || file.replace("second-secret")).await;
    accepts(&endpoint, &["first-secret", "second-secret"]);
    rotate(&endpoint, &client, 1, || ()).await;
    accepts(&endpoint, &["second-secret", "third-secret"]);
    rotate(&endpoint, &client, 2, || file.replace("third-secret")).await;
    assert_eq!(field(&endpoint.last_form(), "client_secret").unwrap(), "third-secret");
}

#[tokio::test]
async fn a_certificate_that_the_authority_does_not_know_yet_is_followed_by_the_one_before_it() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let thumbprint = |pem: &str| base64url_encode(&Certificate::from_pem(pem).unwrap().sha256_thumbprint());
    let (first, second) = (pem_pair(), pem_pair());
    let file = File::holding(format!("{}{}", first.0, first.1));
    let options = CertificateOptions::default();
    let client = builder(&endpoint, &clock).certificate_file(&file.path, None, options).build().unwrap();
    knows(&endpoint, vec![thumbprint(&first.1)]);
    rotate(&endpoint, &client, 0, || file.replace(format!("{}{}", second.0, second.1))).await;
    let before = endpoint.count();
    client.acquire_token_for_client(&scopes("api://one-more")).await.unwrap();
    assert_eq!(endpoint.count(), before + 2, "the new one first, then, after 700027, the one before it");
    knows(&endpoint, vec![thumbprint(&second.1)]);
    let before = endpoint.count();
    client.acquire_token_for_client(&scopes("api://another")).await.unwrap();
    assert_eq!(endpoint.count(), before + 1, "the new one alone");
    knows(&endpoint, Vec::new());
    let error = client.acquire_token_for_client(&scopes("api://nobody")).await.unwrap_err();
    assert_eq!(error.code(), Some(700_027));
}

#[tokio::test]
async fn only_invalid_client_is_tried_with_the_older_generation() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let file = File::holding("first-secret");
    let client = builder(&endpoint, &clock).secret_file(&file.path).build().unwrap();
    client.acquire_token_for_client(&scopes("api://a")).await.unwrap();
    file.replace("second-secret");
    endpoint.answers(|_| refused(400, "invalid_resource", 500_011, "Not found."));
    client.acquire_token_for_client(&scopes("api://b")).await.unwrap_err();
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test]
async fn when_no_generation_is_known_the_newest_ones_refusal_is_told() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let file = File::holding("first-secret");
    let client = builder(&endpoint, &clock).secret_file(&file.path).build().unwrap();
    file.replace("second-secret");
    endpoint.answers(|request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let is_new = field(&form, "client_secret").unwrap() == "second-secret";
        refused(401, "invalid_client", if is_new { 7_000_222 } else { 7_000_215 }, "No.")
    });
    let error = client.acquire_token_for_client(&scopes("api://a")).await.unwrap_err();
    assert_eq!((error.code(), endpoint.count()), (Some(7_000_222), 2));
}

#[tokio::test]
async fn a_certificate_that_is_replaced_signs_the_next_assertion() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let thumbprint = |pem: &str| base64url_encode(&Certificate::from_pem(pem).unwrap().sha256_thumbprint());
    let (first, second) = (pem_pair(), pem_pair());
    let file = File::holding(format!("{}{}", first.0, first.1));
    let options = CertificateOptions::default();
    let client = builder(&endpoint, &clock).certificate_file(&file.path, None, options).build().unwrap();
    for (index, pair) in [&first, &second].into_iter().enumerate() {
        file.replace(format!("{}{}", pair.1, pair.0));
        client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap();
        let assertion = field(&endpoint.last_form(), "client_assertion").unwrap();
        let header = base64url_decode_strict(assertion.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["x5t#S256"], thumbprint(&pair.1), "{index}");
    }
}

#[test]
fn a_credentials_file_that_cannot_be_used_is_named_when_the_client_is_built() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let (key, certificate) = pem_pair();
    let (_, other) = pem_pair();
    let fault = |content: &[u8]| {
        let file = File::holding(content);
        let options = CertificateOptions::default();
        let error = builder(&endpoint, &clock).certificate_file(&file.path, None, options).build().unwrap_err();
        let BuildError::CredentialFile { cause, .. } = error else { panic!("{error:?}") };
        cause
    };
    assert!(matches!(fault(b""), CredentialFileError::Empty));
    assert!(matches!(fault(key.as_bytes()), CredentialFileError::Certificate(_)));
    assert!(matches!(fault(certificate.as_bytes()), CredentialFileError::Key(_)));
    assert!(matches!(fault(format!("{key}{other}").as_bytes()), CredentialFileError::Signer(_)));
    assert!(matches!(fault(b"0\x82neither PEM nor DER"), CredentialFileError::Pfx(PfxError::Unreadable(_))));
    assert!(matches!(fault(&vec![b'a'; 1024 * 1024 + 1]), CredentialFileError::TooLarge));
    let missing = builder(&endpoint, &clock).secret_file("/no/such/file").build().unwrap_err();
    assert!(matches!(missing, BuildError::CredentialFile { cause: CredentialFileError::Unreadable(_), .. }));
    let mut old = CertificateParams::new(Vec::new()).unwrap();
    old.not_before = date_time_ymd(2020, 1, 1);
    old.not_after = date_time_ymd(2021, 1, 1);
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let file = File::holding(format!("{}{}", pair.serialize_pem(), old.self_signed(&pair).unwrap().pem()));
    let options = CertificateOptions::default();
    let error = builder(&endpoint, &clock).certificate_file(&file.path, None, options).build().unwrap_err();
    assert!(matches!(error, BuildError::CertificateExpired { .. }), "{error:?}");
}

/// A container made by openssl with these options; None where there is no openssl.
fn openssl_pfx(options: &[&str], password: &str) -> Option<(Vec<u8>, String)> {
    let (key, certificate) = pem_pair();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("key.pem"), key).unwrap();
    std::fs::write(path("cert.pem"), &certificate).unwrap();
    let made = Command::new("openssl")
        .args(["pkcs12", "-export", "-inkey"])
        .arg(path("key.pem"))
        .arg("-in")
        .arg(path("cert.pem"))
        .arg("-out")
        .arg(path("out.pfx"))
        .args(["-passout", &format!("pass:{password}")])
        .args(options)
        .output();
    match made {
        Ok(output) if output.status.success() => Some((std::fs::read(path("out.pfx")).unwrap(), certificate)),
        _ => None,
    }
}

#[tokio::test]
async fn pfx_containers_of_openssl_are_read_without_openssl() {
    let modern: &[&str] = &[];
    let old: &[&str] = &["-legacy"];
    let triple_des: &[&str] = &["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    for options in [modern, old, triple_des] {
        let Some((container, certificate)) = openssl_pfx(options, "pässword") else {
            eprintln!("skipped: this machine has no openssl that makes {options:?}");
            continue;
        };
        let (key, read) = read_pfx(&container, "pässword").unwrap();
        let certificate = Certificate::from_pem(&certificate).unwrap();
        assert_eq!(read.sha256_thumbprint(), certificate.sha256_thumbprint(), "{options:?}");
        assert!(key.public_key().same_key(certificate.public_key()));
        for wrong in ["", "password"] {
            assert!(matches!(read_pfx(&container, wrong), Err(PfxError::Unreadable(_))), "{options:?} {wrong:?}");
        }
        let cut = &container[..container.len() / 2];
        assert!(matches!(read_pfx(cut, "pässword"), Err(PfxError::Unreadable(_))));

        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let file = File::holding(&container);
        let builder = builder(&endpoint, &clock);
        let client = builder.certificate_file(&file.path, Some("pässword".into()), CertificateOptions::default());
        client.build().unwrap().acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert!(field(&endpoint.last_form(), "client_assertion").is_some());
    }
    assert!(matches!(read_pfx(b"", ""), Err(PfxError::Unreadable(_))));
}

/// Stands for an HSM.
struct Hsm(PrivateKey);

impl AssertionSigner for Hsm {
    fn sign(&self, algorithm: AssertionAlgorithm, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Cause>> {
        let algorithm = match algorithm {
            AssertionAlgorithm::Rs256 => Algorithm::Rs256,
            _ => Algorithm::Ps256,
        };
        Box::pin(async move { Ok(self.0.sign(algorithm, &message)?) })
    }
}

#[tokio::test]
async fn c17_a_key_that_lives_elsewhere_signs_a_proper_assertion() {
    let (key, certificate) = pem_pair();
    let certificate = Certificate::from_pem(&certificate).unwrap();
    for (algorithm, name) in [(AssertionAlgorithm::Ps256, "PS256"), (AssertionAlgorithm::Rs256, "RS256")] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let signer = Arc::new(Hsm(PrivateKey::from_pem(&key).unwrap()));
        let options = CertificateOptions { algorithm, send_x5c: true };
        let client = builder(&endpoint, &clock).external_signer(signer, certificate.clone(), options).build().unwrap();
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        let assertion = field(&endpoint.last_form(), "client_assertion").unwrap();
        let mut parts = assertion.split('.');
        let mut json =
            || -> Value { serde_json::from_slice(&base64url_decode_strict(parts.next().unwrap()).unwrap()).unwrap() };
        let (header, claims) = (json(), json());
        assert_eq!((&header["alg"], header["x5c"].as_array().unwrap().len()), (&json!(name), 1));
        assert_eq!(header.get("x5t").is_some(), name == "RS256");
        assert_eq!(claims["aud"], format!("https://login.contoso.test:8443/{TENANT}/oauth2/v2.0/token"));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT), &json!(CLIENT)));
        let (message, signature) = assertion.rsplit_once('.').unwrap();
        let signature = base64url_decode_strict(signature).unwrap();
        let algorithm = if name == "RS256" { Algorithm::Rs256 } else { Algorithm::Ps256 };
        assert!(certificate.public_key().verifies(algorithm, message.as_bytes(), &signature));
    }
}

struct Locked;

impl AssertionSigner for Locked {
    fn sign(&self, _: AssertionAlgorithm, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Cause>> {
        Box::pin(async { Err("the HSM is locked".into()) })
    }
}

#[tokio::test]
async fn a_signer_that_fails_is_the_errors_cause_and_nothing_is_sent() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let certificate = Certificate::from_pem(&pem_pair().1).unwrap();
    let client = builder(&endpoint, &clock)
        .external_signer(Arc::new(Locked), certificate, CertificateOptions::default())
        .build()
        .unwrap();
    let AcquireError::NoAssertion(error) = client.acquire_token_for_client(&scopes("api://a")).await.unwrap_err()
    else {
        panic!()
    };
    assert!(matches!(&*error, AssertionError::Provider(cause) if cause.to_string() == "the HSM is locked"));
    assert_eq!(endpoint.count(), 0);
}
