//! C11: a proxy on the way to the token endpoint, which is asked for nothing but the way.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use countersign_client::{AcquireError, ConfidentialClient};
use countersign_discovery::{HttpsTransport, TransportError};
use countersign_protocol::AuthorityHost;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{CLIENT, SECRET, TENANT, scopes, tenant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A token endpoint over TLS; its port, and the root that vouches for it.
async fn endpoint() -> (u16, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["login.contoso.test".to_owned()]).unwrap().signed_by(&key, &root);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap().der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let body = r#"{"access_token":"through-the-proxy","expires_in":3600,"token_type":"Bearer"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, root.pem())
}

/// A proxy that connects to `port`, whatever name it is asked for, or says no; and everything that was said to it.
async fn proxy(port: Option<u16>) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let said = Arc::clone(&said);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                said.lock().unwrap().extend_from_slice(&head);
                let Some(port) = port else {
                    let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                };
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut beyond = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let (mut from, mut to) = stream.split();
                let (mut back, mut forth) = beyond.split();
                let listening = async {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes).await {
                        said.lock().unwrap().extend_from_slice(&bytes[..read]);
                        if forth.write_all(&bytes[..read]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::join!(listening, async { drop(tokio::io::copy(&mut back, &mut to).await) });
            });
        }
    });
    (address, heard)
}

fn client(proxy: &str, root: &str) -> ConfidentialClient {
    let transport = HttpsTransport::builder().only_roots_pem(root.as_bytes()).unwrap().proxy(proxy).build().unwrap();
    ConfidentialClient::builder(
        AuthorityHost::parse("https://login.contoso.test").unwrap(),
        tenant(TENANT),
        CLIENT.parse().unwrap(),
    )
    .transport(Arc::new(transport))
    .secret(SECRET.to_owned())
    .build()
    .unwrap()
}

#[tokio::test]
async fn c11_a_configured_proxy_is_asked_for_the_way_and_sees_nothing_else() {
    let (port, root) = endpoint().await;
    let (address, heard) = proxy(Some(port)).await;
    let token = client(&address, &root).acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(token.secret(), "through-the-proxy");
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(heard.starts_with("CONNECT login.contoso.test:443 HTTP/1.1\r\n"), "{heard}");
    assert!(!heard.contains("s3cret") && !heard.contains("client_secret") && !heard.contains(TENANT), "{heard}");
}

#[tokio::test]
async fn c11_a_proxy_that_says_no_is_no_connection_and_nothing_goes_past_it() {
    let (port, root) = endpoint().await;
    let (address, heard) = proxy(None).await;
    let error = client(&address, &root).acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
    let AcquireError::Transport(cause) = &error else { panic!("{error:?}") };
    assert!(matches!(***cause, TransportError::Connect(_)), "{error:?}");
    assert!(heard.lock().unwrap().starts_with(b"CONNECT ") && port != 0);
}
