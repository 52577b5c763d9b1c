//! A certification authority and an https server that says exactly what a test wants, for one test each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certification authority that lives as long as its test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a server's certificate is valid.
pub(crate) enum Valid {
    Now,
    LastYear,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, valid: &Valid, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if matches!(valid, Valid::LastYear) {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What a server says to a request.
type Answer = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// An https server on a free port of the loopback interface.
pub(crate) struct Server {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    /// Answers each request (its head and body as text) with the bytes that `answer` gives.
    pub(crate) async fn answering(
        authority: &Authority,
        valid: Valid,
        name: &str,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(authority.acceptor(&valid, name), Arc::new(answer), None).await
    }

    /// As [`Server::answering`], with a TLS configuration of the test's own.
    pub(crate) async fn accepting(
        acceptor: TlsAcceptor,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(acceptor, Arc::new(answer), None).await
    }

    /// Sends `head` and then `piece` for ever.
    pub(crate) async fn endless(authority: &Authority, head: &'static [u8], piece: &'static [u8]) -> Self {
        Self::start(authority.acceptor(&Valid::Now, "localhost"), Arc::new(|_: &str| head.to_vec()), Some(piece)).await
    }

    async fn start(acceptor: TlsAcceptor, answer: Arc<Answer>, endless: Option<&'static [u8]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, answer, seen) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&shared));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &*answer, endless, &seen).await;
                    }
                });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, answer: &Answer, endless: Option<&[u8]>, seen: &Seen) {
    while let Some(request) = read_request(&mut stream).await {
        let bytes = answer(&request);
        seen.requests.lock().unwrap().push(request);
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        if let Some(piece) = endless {
            while stream.write_all(piece).await.is_ok() {}
            return;
        }
        let _ = stream.flush().await;
    }
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ").and_then(|value| value.parse().ok()))
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}
