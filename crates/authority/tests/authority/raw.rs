//! A client that writes bytes: for what no HTTP library would send.

use std::sync::Arc;
use std::time::Duration;

use countersign_authority::Authority;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A test that waits longer than this for the server has found a fault in it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Raw(pub(crate) TlsStream<TcpStream>);

/// What came back on a connection until the server closed it, or until one answer was complete.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) text: String,
}

impl RawAnswer {
    pub(crate) fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// How many answers there are in it.
    pub(crate) fn count(&self) -> usize {
        self.text.matches("HTTP/1.1 ").count()
    }

    pub(crate) fn json(&self) -> Value {
        let body = self.text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).unwrap_or(Value::Null)
    }
}

pub(crate) fn tls_client(authority: &Authority, alpn: &[&str]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) async fn connect(authority: &Authority, alpn: &[&str]) -> TlsStream<TcpStream> {
    let connector = TlsConnector::from(Arc::new(tls_client(authority, alpn)));
    let stream = TcpStream::connect(authority.address()).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

impl Raw {
    pub(crate) async fn connect(authority: &Authority) -> Self {
        Self(connect(authority, &["http/1.1"]).await)
    }

    /// Writes what the server takes; it may hang up in the middle.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// Reads until the server hangs up, however it does so.
    pub(crate) async fn until_closed(&mut self) -> RawAnswer {
        let mut bytes = Vec::new();
        let reading = async {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = self.0.read(&mut buffer).await {
                bytes.extend_from_slice(&buffer[..count]);
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        RawAnswer { text: String::from_utf8(bytes).unwrap() }
    }

    /// Reads one answer, by its Content-Length.
    pub(crate) async fn answer(&mut self) -> RawAnswer {
        let mut bytes = Vec::new();
        let reading = async {
            loop {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .filter_map(|line| line.split_once(": "))
                        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                        .and_then(|(_, length)| length.parse().ok())
                        .unwrap_or(0_usize);
                    if body.len() >= length {
                        return;
                    }
                }
                let mut buffer = [0; 4096];
                match self.0.read(&mut buffer).await {
                    Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
                    _ => return,
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        RawAnswer { text: String::from_utf8(bytes).unwrap() }
    }
}
