//! What is sent, byte for byte, and what configuration is refused before anything is.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use countersign_client::{AcquireError, BuildError, CertificateOptions};
use countersign_protocol::{AuthorityHost, EndpointVersion, ResourceIdentifier, ScopeError, ScopeSet, TenantSegment};
use countersign_token::{
    AssertionAlgorithm, Certificate, NumericDate, PrivateKey, base64_encode_standard, base64url_decode_strict,
    base64url_encode,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, START, TENANT, builder, client, clock, scopes, tenant};

#[tokio::test(start_paused = true)]
async fn the_v2_request_with_a_secret() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    client(&endpoint, &clock).acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let request = &endpoint.requests()[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), &*format!("https://login.contoso.test:8443/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(
        endpoint.last_form(),
        "client_id=a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11&scope=api%3A%2F%2Forders%2F.default\
         &client_secret=Xy8%7Es3cret.value%2F1%2B2&grant_type=client_credentials"
    );
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("accept"), "application/json");
    assert_eq!(header("x-client-sku"), "Countersign");
    assert_eq!(header("x-ms-lib-capability"), "retry-after, h429");
    assert_eq!(header("client-request-id").len(), 36);
    assert!(!request.headers().contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn the_v1_request_names_the_resource() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client =
        builder(&endpoint, &clock).endpoint_version(EndpointVersion::V1).secret("s3cret".to_owned()).build().unwrap();
    let resource = ResourceIdentifier::parse("https://management.azure.com/").unwrap();
    client.acquire_token_for_resource(&resource).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri().path(), format!("/{TENANT}/oauth2/token"));
    assert_eq!(
        endpoint.last_form(),
        "client_id=a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11&resource=https%3A%2F%2Fmanagement.azure.com%2F\
         &client_secret=s3cret&grant_type=client_credentials"
    );
    // The same question as scopes is the same token.
    let scopes = ScopeSet::parse("https://management.azure.com//.default").unwrap();
    client.acquire_token_for_client(&scopes).await.unwrap();
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_per_request_goes_into_the_address() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    client.acquire_token_in_tenant(&tenant("Fabrikam.com"), &scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri().path(), "/fabrikam.com/oauth2/v2.0/token");
    for alias in ["common", "organizations", "consumers"] {
        let error = client.acquire_token_in_tenant(&tenant(alias), &scopes("api://orders")).await.unwrap_err();
        assert!(matches!(error, AcquireError::TenantAlias), "{alias}: {error:?}");
    }
    for traversal in ["a/b", "..", "contoso.com?x", "contoso.com#x", "a@b", "contoso.com/../evil", ""] {
        assert!(TenantSegment::parse(traversal).is_err(), "c09: {traversal:?}");
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn scopes_that_client_credentials_cannot_ask_for_send_nothing() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    for (text, several) in [("api://a/read", false), ("api://a/.default api://b/.default", true)] {
        let error = client.acquire_token_for_client(&ScopeSet::parse(text).unwrap()).await.unwrap_err();
        let AcquireError::Scopes(cause) = &error else { panic!("{text}: {error:?}") };
        assert_eq!(matches!(cause, ScopeError::SeveralResources(_)), several, "{text}");
        assert!(!error.is_retryable());
    }
    assert_eq!(endpoint.count(), 0);
}

/// A key and its certificate, valid from `from` (year) to `to`.
fn identity(from: i32, to: i32) -> (PrivateKey, Certificate) {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    let certificate = params.self_signed(&pair).unwrap();
    (PrivateKey::from_pem(&pair.serialize_pem()).unwrap(), Certificate::from_der(certificate.der().to_vec()).unwrap())
}

fn assertion(form: &str) -> (Value, Value, String) {
    let jws = form.split('&').find_map(|field| field.strip_prefix("client_assertion=")).unwrap().to_owned();
    let mut parts = jws.split('.');
    let mut json = || serde_json::from_slice(&base64url_decode_strict(parts.next().unwrap()).unwrap()).unwrap();
    (json(), json(), jws)
}

#[tokio::test(start_paused = true)]
async fn c16_c17_each_assertion_is_fresh_short_lived_and_for_the_configured_endpoint() {
    let (key, certificate) = identity(2020, 2030);
    let x5t_s256 = base64url_encode(&certificate.sha256_thumbprint());
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client =
        builder(&endpoint, &clock).certificate(key, certificate, CertificateOptions::default()).build().unwrap();
    let mut ids = HashSet::new();
    for round in 0..3 {
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        client.forget_tokens();
        let form = endpoint.last_form();
        let (header, claims, jws) = assertion(&form);
        assert_eq!(header, json!({"alg": "PS256", "typ": "JWT", "x5t#S256": x5t_s256}));
        assert_eq!(claims["aud"], format!("https://login.contoso.test:8443/{TENANT}/oauth2/v2.0/token"));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT), &json!(CLIENT)));
        let now = START + round * 60;
        assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(now), &json!(now + 600)));
        assert!(ids.insert(claims["jti"].as_str().unwrap().to_owned()), "a jti came twice");
        assert_eq!(
            form,
            format!(
                "client_id={CLIENT}&scope=api%3A%2F%2Forders%2F.default\
                 &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                 &client_assertion={jws}&grant_type=client_credentials"
            )
        );
        clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test(start_paused = true)]
async fn rs256_the_sha1_thumbprint_and_the_chain_are_sent_on_request() {
    let (key, certificate) = identity(2020, 2030);
    let x5t = base64url_encode(&certificate.sha1_thumbprint());
    let x5c = base64_encode_standard(certificate.der());
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let options = CertificateOptions { algorithm: AssertionAlgorithm::Rs256, send_x5c: true };
    let client = builder(&endpoint, &clock)
        .endpoint_version(EndpointVersion::V1)
        .certificate(key, certificate, options)
        .build()
        .unwrap();
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let (header, claims, _) = assertion(&endpoint.last_form());
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "x5t": x5t, "x5c": [x5c]}));
    assert_eq!(claims["aud"], format!("https://login.contoso.test:8443/{TENANT}/oauth2/token"));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_when_it_is_built() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let fresh = || builder(&endpoint, &clock);
    assert!(matches!(fresh().build().unwrap_err(), BuildError::NoCredential));
    for empty in ["", " \n"] {
        assert!(matches!(fresh().secret(empty.to_owned()).build().unwrap_err(), BuildError::EmptySecret));
    }
    for timeout in [Duration::ZERO, Duration::from_secs(31)] {
        let error = fresh().secret("s3cret".to_owned()).timeout(timeout).build().unwrap_err();
        assert!(matches!(error, BuildError::Timeout));
    }
    assert!(AuthorityHost::parse("http://login.contoso.test").is_err(), "an http authority has no type");
}

#[test]
fn a_certificate_that_will_be_refused_is_refused_when_the_client_is_built() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let build = |key, certificate| {
        builder(&endpoint, &clock).certificate(key, certificate, CertificateOptions::default()).build()
    };
    let (key, certificate) = identity(2020, 2025);
    let error = build(key, certificate).unwrap_err();
    assert!(matches!(error, BuildError::CertificateExpired { not_after: NumericDate(1_735_689_600) }), "{error:?}");
    let (key, certificate) = identity(2027, 2028);
    let error = build(key, certificate).unwrap_err();
    assert!(
        matches!(error, BuildError::CertificateNotYetValid { not_before: NumericDate(1_798_761_600) }),
        "{error:?}"
    );
    let ((key, _), (_, certificate)) = (identity(2020, 2030), identity(2020, 2030));
    assert!(matches!(build(key, certificate).unwrap_err(), BuildError::KeyMismatch));
}

#[test]
fn c01_nothing_that_is_configured_shows_its_credential() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let builder = builder(&endpoint, &clock).secret(support::SECRET.to_owned());
    let debug = format!("{builder:?} {:?}", client(&endpoint, &clock));
    assert!(!debug.contains("s3cret"), "{debug}");
}
