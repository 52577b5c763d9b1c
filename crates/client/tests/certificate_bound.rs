//! Certificate-bound tokens (RFC 8705): what is asked and where, which answers show a binding, and that no other passes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use azure_core::credentials::TokenCredential as _;
use bytes::Bytes;
use countersign_client::{
    AcquireError, AzureCoreCredential, BuildError, Cause, ClientIdentity, ConfidentialClient,
    ConfidentialClientBuilder, RequestOptions, SharedCache, SharedTokens, TokenCache, UserAssertion,
};
use countersign_discovery::{BoxFuture, Limits, Transport};
use countersign_protocol::{AuthorityHost, EndpointVersion};
use countersign_token::{RootKey, base64url_encode};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, Outcome, START, TENANT, clock, field, jws, ok, scopes, tenant};

const PUBLIC: &str = "https://login.microsoftonline.com";
const OWN: &str = "https://login.contoso.test:8443";

fn identity() -> ClientIdentity {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    ClientIdentity::from_pem(format!("{}{}", certificate.pem(), key.serialize_pem()).as_bytes()).unwrap()
}

static FIRST: LazyLock<ClientIdentity> = LazyLock::new(identity);
static SECOND: LazyLock<ClientIdentity> = LazyLock::new(identity);

fn x5t(identity: &ClientIdentity) -> String {
    base64url_encode(&identity.certificate().sha256_thumbprint())
}

/// The endpoint, behind a door that shows a certificate.
#[derive(Debug)]
struct Mutual(Endpoint, ClientIdentity);

impl Transport for Mutual {
    fn send(&self, request: http::Request<Bytes>, limits: Limits) -> BoxFuture<'static, Outcome> {
        self.0.send(request, limits)
    }

    fn client_identity(&self) -> Option<&ClientIdentity> {
        Some(&self.1)
    }
}

fn builder(authority: &str, endpoint: &Endpoint, identity: &ClientIdentity) -> ConfidentialClientBuilder {
    let host = AuthorityHost::parse(authority).unwrap();
    ConfidentialClient::builder(host, tenant(TENANT), CLIENT.parse().unwrap())
        .transport(Arc::new(Mutual(endpoint.clone(), identity.clone())))
        .clock(Arc::new(clock()))
        .certificate_bound_tokens()
}

fn answers(endpoint: &Endpoint, kind: &'static str, token: String) {
    endpoint.answers(move |_| ok(&json!({"token_type": kind, "expires_in": 3600, "access_token": token})));
}

#[tokio::test(start_paused = true)]
async fn entra_is_asked_at_its_own_host_for_certificates_and_the_token_comes_with_its_certificate() {
    for (region, host) in [(None, "mtlsauth.microsoft.com"), (Some("westus2"), "westus2.mtlsauth.microsoft.com")] {
        let endpoint = Endpoint::issuing();
        answers(&endpoint, "mtls_pop", "aaa.bbb.ccc".to_owned());
        let builder = builder(PUBLIC, &endpoint, &FIRST);
        let builder = match region {
            Some(region) => builder.region(region),
            None => builder,
        };
        let client = builder.build().unwrap();
        for _ in 0..2 {
            let token = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
            assert_eq!(token.secret(), "aaa.bbb.ccc");
            assert_eq!(token.authorization(), "mtls_pop aaa.bbb.ccc");
            assert!(token.authorization().is_sensitive());
            assert_eq!(x5t(token.bound_to().unwrap()), x5t(&FIRST));
            assert!(!format!("{token:?}").contains("bbb"));
        }
        assert_eq!(endpoint.count(), 1, "kept like every token");
        let address = format!("https://{host}/{TENANT}/oauth2/v2.0/token");
        assert_eq!(endpoint.requests()[0].uri(), &*address);
        assert_eq!(
            endpoint.last_form(),
            format!(
                "client_id={CLIENT}&scope=api%3A%2F%2Forders%2F.default&grant_type=client_credentials&token_type=mtls_pop"
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_credential_goes_beside_the_certificate_and_other_grants_ask_for_it_too() {
    let endpoint = Endpoint::issuing();
    answers(&endpoint, "mtls_pop", "a.b.c".to_owned());
    let client = builder(OWN, &endpoint, &FIRST).secret("s3cret".to_owned()).build().unwrap();
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri(), &*format!("{OWN}/{TENANT}/oauth2/v2.0/token"));
    let sent = |name: &str| field(&endpoint.last_form(), name);
    assert_eq!((sent("client_secret").unwrap(), sent("token_type").unwrap()), ("s3cret".into(), "mtls_pop".into()));
    let user = UserAssertion::new(jws(&json!({"exp": START + 3600}))).unwrap();
    let options = RequestOptions::new();
    let token = client.acquire_token_on_behalf_of_with(&user, &scopes("api://orders"), &options).await.unwrap();
    assert_eq!(
        (sent("grant_type").unwrap().contains("jwt-bearer"), sent("token_type").unwrap()),
        (true, "mtls_pop".into())
    );
    assert!(token.bound_to().is_some());
    let v1 = builder(OWN, &endpoint, &FIRST).endpoint_version(EndpointVersion::V1).build().unwrap();
    v1.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!((sent("resource").unwrap(), sent("token_type").unwrap()), ("api://orders".into(), "mtls_pop".into()));
}

#[tokio::test(start_paused = true)]
async fn c12_a_token_that_nothing_shows_to_be_bound_is_refused() {
    let bearer = |claims: Value| jws(&claims);
    let bound = bearer(json!({"cnf": {"x5t#S256": x5t(&FIRST)}}));
    let unbound = [
        "opaque".to_owned(),
        "a.b.c".to_owned(),
        bearer(json!({"aud": "api://orders"})),
        bearer(json!({"cnf": {"x5t#S256": x5t(&SECOND)}})),
        bearer(json!({"cnf": {"jkt": x5t(&FIRST)}})),
        bearer(json!({"x5t#S256": x5t(&FIRST)})),
    ];
    for authority in [PUBLIC, OWN] {
        let endpoint = Endpoint::issuing();
        let client = builder(authority, &endpoint, &FIRST).build().unwrap();
        for token in &unbound {
            answers(&endpoint, "Bearer", token.clone());
            let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
            assert!(matches!(error, AcquireError::NotBound), "{token}: {error:?}");
            assert!(!error.is_retryable() && error.remedy().is_some());
        }
        answers(&endpoint, "pop", bound.clone());
        let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
        assert!(matches!(error, AcquireError::Unusable(_)), "{error:?}");
        assert_eq!(client.cached_tokens(), 0);

        // RFC 8705 §3.1: the binding stands in the token, its type stays what it was.
        answers(&endpoint, "Bearer", bound.clone());
        let token = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!(token.authorization(), &*format!("Bearer {bound}"));
        assert_eq!(x5t(token.bound_to().unwrap()), x5t(&FIRST));
    }
    // Nobody else is handed a bound token either.
    let endpoint = Endpoint::issuing();
    answers(&endpoint, "mtls_pop", "a.b.c".to_owned());
    let plain = support::client(&endpoint, &clock());
    assert!(matches!(plain.acquire_token_for_client(&scopes("api://a")).await, Err(AcquireError::Unusable(_))));
}

#[tokio::test(start_paused = true)]
async fn c04_tokens_are_kept_apart_by_certificate() {
    let (endpoint, cache) = (Endpoint::issuing(), TokenCache::default());
    let counted = endpoint.clone();
    endpoint.answers(move |request| {
        let is_bound = String::from_utf8_lossy(request.body()).contains("mtls_pop");
        let kind = if is_bound { "mtls_pop" } else { "Bearer" };
        ok(&json!({"token_type": kind, "expires_in": 3600, "access_token": format!("token-{}", counted.count())}))
    });
    let secret = "s3cret";
    let make =
        |identity| builder(OWN, &endpoint, identity).secret(secret.to_owned()).cache(cache.clone()).build().unwrap();
    let plain = support::builder(&endpoint, &clock()).secret(secret.to_owned()).cache(cache.clone()).build().unwrap();
    let clients = [make(&FIRST), make(&SECOND), plain];
    for _ in 0..2 {
        for (number, client) in clients.iter().enumerate() {
            let token = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
            assert_eq!(token.secret(), format!("token-{}", number + 1));
            let expected = [Some(&*FIRST), Some(&*SECOND), None][number];
            assert_eq!(token.bound_to().map(x5t), expected.map(x5t));
        }
    }
    // The same certificate in another client is the same key.
    assert_eq!(make(&FIRST).acquire_token_for_client(&scopes("api://orders")).await.unwrap().secret(), "token-1");
    assert_eq!(endpoint.count(), 3);
}

/// A cache of a fleet that nobody may touch.
#[derive(Debug)]
struct Untouched;

impl SharedCache for Untouched {
    fn get(&self, _: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        panic!("a bound token was looked for")
    }

    fn put(&self, _: &str, _: Vec<u8>, _: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        panic!("a bound token was shared")
    }

    fn remove(&self, _: &str) -> BoxFuture<'_, Result<(), Cause>> {
        panic!("what is bound was removed, though it was never here")
    }

    fn lock(&self, _: &str, _: &str, _: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        panic!("a bound token is nobody else's to refresh")
    }

    fn unlock(&self, _: &str, _: &str) -> BoxFuture<'_, Result<(), Cause>> {
        panic!("nothing was locked")
    }
}

#[tokio::test(start_paused = true)]
async fn a_bound_token_stays_in_its_process() {
    let endpoint = Endpoint::issuing();
    answers(&endpoint, "mtls_pop", "a.b.c".to_owned());
    let shared = SharedTokens::new(Arc::new(Untouched), &RootKey::from_bytes([7; 32])).unwrap();
    let client = builder(OWN, &endpoint, &FIRST).shared_tokens(shared).build().unwrap();
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!((client.cached_tokens(), endpoint.count()), (1, 1));
    // And so does the session that it is got in.
    let client_info = base64url_encode(br#"{"uid":"o","utid":"t"}"#);
    endpoint.answers(move |_| {
        ok(&json!({"token_type": "mtls_pop", "expires_in": 3600, "access_token": "a.b.d", "refresh_token": "r",
                   "client_info": client_info}))
    });
    let options = RequestOptions::new();
    let signed_in =
        client.acquire_token_by_password("alice", "pw".into(), &scopes("api://orders"), &options).await.unwrap();
    client.acquire_token_silent(signed_in.account(), &scopes("api://other"), &options).await.unwrap();
    assert!(client.sign_out(signed_in.account()).await);
}

#[tokio::test(start_paused = true)]
async fn without_a_certificate_there_is_no_client_and_without_a_way_to_send_it_no_token() {
    let endpoint = Endpoint::issuing();
    for builder in [support::builder(&endpoint, &clock()), support::builder(&endpoint, &clock()).secret("s".to_owned())]
    {
        let error = builder.certificate_bound_tokens().build().unwrap_err();
        assert!(matches!(error, BuildError::NoClientCertificate), "{error:?}");
    }
    answers(&endpoint, "mtls_pop", "a.b.c".to_owned());
    let azure = AzureCoreCredential::from(builder(PUBLIC, &endpoint, &FIRST).build().unwrap());
    assert!(azure.get_token(&["api://orders/.default"], None).await.is_err());
}
