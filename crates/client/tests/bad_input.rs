//! Everything that can be wrong with what is handed in or comes back: each a clear error within its time.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::{
    AcquireError, AuthorizeLayer, BuildError, CertificateOptions, ClaimsError, ClaimsRequest, ConfidentialClient,
    EnvironmentCredential, EnvironmentError, RequestOptions,
};
use countersign_discovery::{Cause, HttpsTransport, TransportError};
use countersign_protocol::{AuthorityHost, AuthorityHostError, ScopeSet, TenantSegment, TenantSegmentError};
use countersign_token::{Certificate, PrivateKey, PrivateKeyError, Timestamp};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::json;
use support::{CLIENT, Endpoint, START, TENANT, answer, builder, client, clock, ok, refused, scopes, tenant};

async fn error_of(client: &ConfidentialClient) -> AcquireError {
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err()
}

#[test]
fn malformed_keys_are_named() {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap().serialize_pem();
    let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    let cut = rsa.replace("-----END PRIVATE KEY-----", "");
    let locked = rsa.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(PrivateKey::from_pem("").unwrap_err(), PrivateKeyError::NoPem);
    assert_eq!(PrivateKey::from_pem(&cut).unwrap_err(), PrivateKeyError::NoPem);
    assert_eq!(PrivateKey::from_pem(&locked).unwrap_err(), PrivateKeyError::Encrypted);
    assert_eq!(PrivateKey::from_pem(&elliptic).unwrap_err(), PrivateKeyError::NotRsa);
}

#[test]
fn expired_certificates_and_those_of_another_key_are_refused_when_the_client_is_built() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = |from: i32, to: i32, key: &KeyPair| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        Certificate::from_pem(&params.self_signed(key).unwrap().pem()).unwrap()
    };
    let build = |certificate: Certificate| {
        let key = PrivateKey::from_pem(&pair.serialize_pem()).unwrap();
        builder(&endpoint, &clock).certificate(key, certificate, CertificateOptions::default()).build().unwrap_err()
    };
    assert!(matches!(build(certificate(2020, 2025, &pair)), BuildError::CertificateExpired { .. }));
    assert!(matches!(build(certificate(2027, 2030, &pair)), BuildError::CertificateNotYetValid { .. }));
    let other = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    assert!(matches!(build(certificate(2020, 2030, &other)), BuildError::KeyMismatch));
}

#[tokio::test(start_paused = true)]
async fn a_secrets_id_in_place_of_its_value_is_recognised() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = builder(&endpoint, &clock).secret("0f0f2d4a-0d2e-4c8a-9d43-a5d8f9b05c11".to_owned()).build().unwrap();
    endpoint.answers(|_| refused(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    let error = error_of(&client).await;
    assert!(error.remedy().unwrap().contains("looks like the secret's ID"), "{:?}", error.remedy());
    assert!(!error.is_retryable());
}

#[test]
fn an_http_authority_and_other_odd_hosts_have_no_type() {
    assert_eq!(AuthorityHost::parse("http://login.contoso.test").unwrap_err(), AuthorityHostError::NotHttps);
    assert_eq!(AuthorityHost::parse("https://user@login.contoso.test").unwrap_err(), AuthorityHostError::UserInfo);
    assert_eq!(AuthorityHost::parse("https://a.test/tenant").unwrap_err(), AuthorityHostError::NotAnOrigin);
    let layer = |client| AuthorizeLayer::new(client, scopes("api://a"), "http://orders.contoso.com");
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    assert_eq!(layer(client(&endpoint, &clock)).unwrap_err(), AuthorityHostError::NotHttps);
    let environment = EnvironmentCredential::read(|name| match name {
        "AZURE_CLIENT_SECRET" => Some("s3cret".to_owned()),
        "AZURE_TENANT_ID" => Some(TENANT.to_owned()),
        "AZURE_CLIENT_ID" => Some(CLIENT.to_owned()),
        "AZURE_AUTHORITY_HOST" => Some("http://login.contoso.test".to_owned()),
        _ => None,
    });
    assert!(matches!(environment.unwrap_err(), EnvironmentError::AuthorityHost(AuthorityHostError::NotHttps)));
}

#[test]
fn c09_tenants_that_would_change_the_address_are_refused_at_construction() {
    for text in ["a/b", "contoso.com?x", "contoso.com#x", "a@b", "contoso.com/../evil", "a%2fb", "a\\b"] {
        assert_eq!(TenantSegment::parse(text).unwrap_err(), TenantSegmentError::ForbiddenCharacter, "{text:?}");
    }
    // Two dots alone are characters of a name, but no name.
    assert_eq!(TenantSegment::parse("..").unwrap_err(), TenantSegmentError::NotADomain);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_tenant_is_the_authoritys_word_with_who_must_do_what() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.answers(|_| refused(400, "invalid_request", 90_002, "Tenant 'fabrikam.com' not found."));
    let client = client(&endpoint, &clock);
    let options = RequestOptions::new().tenant(tenant("fabrikam.com"));
    let error = client.acquire_token_for_client_with(&scopes("api://orders"), &options).await.unwrap_err();
    assert_eq!(error.code(), Some(90_002));
    assert!(error.meaning().is_some() && error.remedy().is_some() && !error.is_retryable());
    let alias = RequestOptions::new().tenant(tenant("common"));
    let error = client.acquire_token_for_client_with(&scopes("api://orders"), &alias).await.unwrap_err();
    assert!(matches!(error, AcquireError::TenantAlias));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_by_an_hour_is_named_in_the_mend_and_harms_no_token() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint
        .answers(|_| refused(401, "invalid_client", 700_024, "Client assertion is not within its valid time range."));
    let error = error_of(&client).await;
    assert!(error.remedy().unwrap().contains("clock"), "{:?}", error.remedy());
    // A token's life is counted from the asking, so a wrong clock does not shorten it.
    for offset in [-3600, 3600] {
        clock.set(Timestamp::from_unix_seconds(START + offset));
        endpoint.issues();
        let token = client.acquire_token_for_client(&scopes(&format!("api://{offset}"))).await.unwrap();
        assert_eq!(token.expires_on().as_unix_seconds(), START + offset + 3600);
    }
}

#[tokio::test(start_paused = true)]
async fn c12_a_response_with_wrong_types_is_not_understood_and_says_which_member() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    for (body, member) in [
        (json!({"token_type": "Bearer", "expires_in": [3600], "access_token": "t"}), "expires_in"),
        (json!({"token_type": "Bearer", "expires_in": 3600, "access_token": {"a": 1}}), "access_token"),
        (json!({"token_type": 1, "expires_in": 3600, "access_token": "t"}), "token_type"),
        (json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "t", "refresh_in": "soon"}), "refresh_in"),
    ] {
        let played = body.clone();
        endpoint.answers(move |_| ok(&played));
        let error = error_of(&client).await;
        let AcquireError::Unusable(answer) = &error else { panic!("{body}: {error:?}") };
        assert!(answer.source().unwrap().to_string().contains(member), "{body}: {:?}", answer.source());
    }
}

#[tokio::test(start_paused = true)]
async fn c13_ten_megabytes_and_an_answer_that_never_ends_are_cut_off_in_time() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| answer(200, vec![b' '; 10 * 1024 * 1024]));
    let AcquireError::Transport(cause) = error_of(&client).await else { panic!() };
    assert!(matches!(**cause, TransportError::TooLarge { .. }));
    let never = endpoint.hold();
    let begun = tokio::time::Instant::now();
    let AcquireError::Transport(cause) = error_of(&client).await else { panic!() };
    assert!(matches!(**cause, TransportError::Timeout { .. }));
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    never.open();
}

#[tokio::test(start_paused = true)]
async fn c03_c10_tls_that_fails_is_an_error_that_trying_again_does_not_mend() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| Err(TransportError::Tls(Cause::from("certificate not valid for name"))));
    let error = error_of(&client).await;
    assert!(matches!(&error, AcquireError::Transport(cause) if matches!(***cause, TransportError::Tls(_))));
    assert!(!error.is_retryable());
    assert_eq!(endpoint.count(), 1);
    // The real door speaks no plain http, whoever asks it to.
    let roots = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let root = CertificateParams::new(Vec::new()).unwrap().self_signed(&roots).unwrap().pem();
    let https = HttpsTransport::builder().only_roots_pem(root.as_bytes()).unwrap().build().unwrap();
    let limits = countersign_discovery::Limits { timeout: Duration::from_secs(1), max_body_bytes: 1 };
    let request = http::Request::get("http://127.0.0.1/").body(bytes::Bytes::new()).unwrap();
    let sent = countersign_discovery::Transport::send(&https, request, limits).await;
    assert!(matches!(sent.unwrap_err(), TransportError::NotHttps));
}

#[test]
fn scopes_claims_and_ids_that_are_none_have_no_type() {
    assert!(ScopeSet::parse("").is_err() && ScopeSet::parse("api://\u{e4}/.default").is_err());
    assert_eq!(ClaimsRequest::from_json("[]").unwrap_err(), ClaimsError::NotAnObject);
    assert!("not-a-guid".parse::<countersign_token::ClientId>().is_err());
}

#[cfg(unix)]
#[test]
fn c18_a_key_file_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "the-s3cret").unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let log = Log::default();
        let lines = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || lines.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        builder(&endpoint, &clock).secret_file(file.path()).build().unwrap();
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.contains("may be read by others"), warned, "{mode:o}: {text}");
        assert!(!text.contains("the-s3cret"));
    }
}
