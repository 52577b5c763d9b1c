//! Certificates beside the usual trust: a client that shows one, and a server that is known by its thumbprint alone.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{
    ClientIdentity, ClientIdentityError, HttpsTransport, HttpsTransportError, Limits, Transport, TransportError,
};
use countersign_token::Certificate;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use support::tls::{Authority, Server};
use tokio_rustls::TlsAcceptor;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1000 };

type Ca = CertifiedIssuer<'static, KeyPair>;

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server's certificate that it made for itself, for a name that nobody asks for, with its key.
fn self_made(until: i32) -> (CertificateDer<'static>, KeyPair) {
    let key = rsa();
    let mut params = CertificateParams::new(vec!["cluster.contoso.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().der().clone(), key)
}

async fn server(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Server {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = match clients {
        Some(clients) => config.with_client_cert_verifier(clients),
        None => config.with_no_client_auth(),
    };
    let config = config.with_single_cert(vec![certificate.clone()], key).unwrap();
    let answer = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec();
    Server::accepting(TlsAcceptor::from(Arc::new(config)), answer).await
}

async fn get(transport: &HttpsTransport, server: &Server) -> Result<Bytes, TransportError> {
    let request = http::Request::get(server.url("localhost")).body(Bytes::new()).unwrap();
    transport.send(request, LIMITS).await.map(http::Response::into_body)
}

fn pinning(thumbprint: &str) -> HttpsTransport {
    HttpsTransport::builder().only_certificate_sha1(thumbprint).unwrap().build().unwrap()
}

fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    Certificate::from_der(certificate.to_vec()).unwrap().thumbprint_hex()
}

#[tokio::test]
async fn c10_a_pin_lets_one_certificate_in_and_no_other() {
    let (certificate, key) = self_made(2100);
    let server = server(&certificate, &key, None).await;
    let right = thumbprint(&certificate);
    assert_eq!(get(&pinning(&right.to_lowercase()), &server).await.unwrap(), "hello");
    // Every other thumbprint is refused, one digit off too, and so is the certificate without a pin.
    let last = if right.ends_with('0') { "1" } else { "0" };
    let nearly = format!("{}{last}", &right[..39]);
    let seen = server.requests().len();
    for wrong in [nearly, "0".repeat(40)] {
        let error = get(&pinning(&wrong), &server).await.unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{wrong}: {error:?}");
    }
    let error = get(&HttpsTransport::new().unwrap(), &server).await.unwrap_err();
    assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    assert_eq!(server.requests().len(), seen, "nothing was sent");
}

#[tokio::test]
async fn c10_a_pinned_certificate_must_be_valid_today() {
    let (expired, key) = self_made(2021);
    let old = server(&expired, &key, None).await;
    let error = get(&pinning(&thumbprint(&expired)), &old).await.unwrap_err();
    assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    assert!(old.requests().is_empty());
}

#[test]
fn what_is_no_thumbprint_or_has_roots_beside_it_is_refused() {
    for wrong in ["", "AB", &"g".repeat(40), &"a".repeat(64)] {
        let error = HttpsTransport::builder().only_certificate_sha1(wrong).unwrap_err();
        assert!(matches!(error, HttpsTransportError::Thumbprint), "{wrong}: {error:?}");
    }
    let both = HttpsTransport::builder().only_certificate_sha1(&"a".repeat(40)).unwrap();
    let error = both.add_roots_pem(Authority::new().pem().as_bytes()).unwrap().build().unwrap_err();
    assert!(matches!(error, HttpsTransportError::PinAndRoots), "{error:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_ours() {
    let ca = ca();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let server_key = rsa();
    let named = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&server_key, &ca).unwrap();
    let server = server(named.der(), &server_key, Some(clients)).await;

    let key = rsa();
    let client = CertificateParams::new(vec!["daemon.contoso.test".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    // In whichever order.
    let pem = format!("{}{}", key.serialize_pem(), client.pem());
    let trusting = || HttpsTransport::builder().only_roots_pem(ca.pem().as_bytes()).unwrap();
    let transport = trusting().client_identity_pem(pem.as_bytes()).unwrap().build().unwrap();
    assert_eq!(get(&transport, &server).await.unwrap(), "hello");
    let shown = Arc::new(transport);
    let identity = Transport::client_identity(&shown).unwrap();
    assert_eq!(identity.certificate().der(), client.der().as_ref());
    assert_eq!(format!("{identity:?}"), format!("ClientIdentity(Certificate({}))", thumbprint(client.der())));

    // Without one, and with one of another authority, nothing gets through.
    let other_key = rsa();
    let other = CertificateParams::new(Vec::new()).unwrap().self_signed(&other_key).unwrap();
    let other = format!("{}{}", other.pem(), other_key.serialize_pem());
    let strangers =
        [trusting().build().unwrap(), trusting().client_identity_pem(other.as_bytes()).unwrap().build().unwrap()];
    assert!(strangers[0].client_identity().is_none());
    for transport in strangers {
        assert!(get(&transport, &server).await.is_err());
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn e07_what_is_no_certificate_with_its_key_is_named() {
    let (key, other) = (rsa(), rsa());
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    let read = |text: &str| ClientIdentity::from_pem(text.as_bytes());
    let (own, foreign) = (key.serialize_pem(), other.serialize_pem());
    assert!(read(&format!("{certificate}{own}")).is_ok());
    assert!(matches!(read(&own).unwrap_err(), ClientIdentityError::NoCertificate));
    assert!(matches!(read("").unwrap_err(), ClientIdentityError::NoCertificate));
    assert!(matches!(read(&certificate).unwrap_err(), ClientIdentityError::NoKey));
    assert!(matches!(read(&format!("{certificate}{foreign}")).unwrap_err(), ClientIdentityError::Key(_)));
    assert!(matches!(read(&format!("{certificate}{own}{foreign}")).unwrap_err(), ClientIdentityError::SeveralKeys));
    let curve = KeyPair::generate().unwrap();
    let elliptic = CertificateParams::new(Vec::new()).unwrap().self_signed(&curve).unwrap().pem();
    let error = read(&format!("{elliptic}{}", curve.serialize_pem())).unwrap_err();
    assert!(matches!(error, ClientIdentityError::Certificate(_)), "{error:?}");
    let cut = format!("{certificate}-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n");
    assert!(matches!(read(&cut).unwrap_err(), ClientIdentityError::Pem(_)));
}
