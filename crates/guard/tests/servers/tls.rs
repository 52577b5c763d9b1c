//! Certificate-bound tokens over real TLS: the handshake's certificate is the proof, under either scheme.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{HttpsTransport, Limits, Transport};
use countersign_guard::{ClientCertificate, Guard};
use countersign_token::{base64url_encode, sha256};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::{ServiceBuilder, service_fn};

use crate::{guarded, read};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1_000 };

/// Serves on loopback, and leaves each connection's certificate among its requests' extensions, as a service does.
async fn serve(guard: Guard, acceptor: TlsAcceptor) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (guard, acceptor) = (guard.clone(), acceptor.clone());
            tokio::spawn(async move {
                let Ok(connection) = acceptor.accept(connection).await else { return };
                let shown = connection.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let certificate = shown.map(|leaf| ClientCertificate::from_der(leaf));
                let hello =
                    service_fn(async |_: Request<Incoming>| Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())));
                let service = ServiceBuilder::new()
                    .map_request(move |mut request: Request<Incoming>| {
                        if let Some(certificate) = certificate.clone() {
                            request.extensions_mut().insert(certificate);
                        }
                        request
                    })
                    .layer(guard.layer_for(read()))
                    .service(hello);
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(connection), TowerToHyperService::new(service)).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_bound_token_passes_with_its_certificate_and_with_no_other() {
    let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue =
        |name: &str, key: &KeyPair| CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(key, &ca).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let clients = clients.allow_unauthenticated().build().unwrap();
    let server_key = rsa();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![issue("localhost", &server_key).der().clone()], server_key.into())
        .unwrap();
    let (guard, authority) = guarded();
    let port = serve(guard, TlsAcceptor::from(Arc::new(config))).await;

    let (ours, theirs) = (rsa(), rsa());
    let (our_certificate, their_certificate) = (issue("daemon", &ours), issue("thief", &theirs));
    let trusting = || HttpsTransport::builder().only_roots_pem(ca.pem().as_bytes()).unwrap();
    let showing = |certificate: &rcgen::Certificate, key: &KeyPair| {
        let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
        trusting().client_identity_pem(pem.as_bytes()).unwrap().build().unwrap()
    };
    let thumbprint = base64url_encode(&sha256(our_certificate.der()));
    let bound = authority.app(["Orders.Read"]).claim("cnf", json!({"x5t#S256": thumbprint})).token();
    let unbound = authority.app(["Orders.Read"]).token();
    let (daemon, thief, nobody) =
        (showing(&our_certificate, &ours), showing(&their_certificate, &theirs), trusting().build().unwrap());
    for (who, scheme, token, expected) in [
        (&daemon, "mtls_pop", &bound, 200),
        (&daemon, "Bearer", &bound, 200),
        (&thief, "mtls_pop", &bound, 401),
        (&thief, "Bearer", &bound, 401),
        (&nobody, "Bearer", &bound, 401),
        (&daemon, "mtls_pop", &unbound, 401),
        (&nobody, "Bearer", &unbound, 200),
    ] {
        let request = Request::get(format!("https://localhost:{port}/"));
        let request = request.header("authorization", format!("{scheme} {token}")).body(Bytes::new()).unwrap();
        assert_eq!(who.send(request, LIMITS).await.unwrap().status(), expected, "{scheme}");
    }
}
