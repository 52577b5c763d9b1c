//! HTTP/1.1 written by hand over TLS, for requests that no client library would send.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::contoso::House;

/// A response as it arrived.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, freed of any chunk framing.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; anything else ends the test.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// `error_codes`, empty for a success.
    #[must_use]
    pub fn codes(&self) -> Vec<u64> {
        let body = self.json();
        body["error_codes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }
}

/// How long anything here may take; a server that never answers is a failure, not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// TLS that trusts nothing but the authority's own CA, and offers these protocols.
#[must_use]
pub fn tls(house: &House, protocols: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(house.authority.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// Opens a connection to the authority.
pub async fn connect(house: &House) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(house.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(tls(house, &[]))).connect(name, tcp).await.unwrap()
}

/// Sends these bytes and reads what comes until the server closes; `None` when it closes without a word.
pub async fn exchange(house: &House, request: &[u8]) -> Option<Answer> {
    let mut stream = connect(house).await;
    // A server that has had enough may close while we still write; what it said before counts.
    let _ = stream.write_all(request).await;
    let _ = stream.flush().await;
    read(&mut stream).await
}

/// Reads an answer until the server closes; `None` when it closes without a word.
pub async fn read(stream: &mut TlsStream<TcpStream>) -> Option<Answer> {
    let mut bytes = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the server neither answered nor closed");
    parse(&bytes)
}

/// Sends a request with these header lines (each ending in CRLF); `Host`, `Connection: close` and, if there is a body,
/// `Content-Length` are added.
pub async fn request(house: &House, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    if !body.is_empty() {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    let answer = exchange(house, &[head.as_bytes(), body].concat()).await;
    answer.unwrap_or_else(|| panic!("{method} {target}: closed without an answer"))
}

/// A GET in the clear, for what is served on loopback only.
pub async fn get_plain(address: SocketAddr, target: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    tokio::time::timeout(PATIENCE, reading).await.expect("the server neither answered nor closed").unwrap();
    parse(&bytes).unwrap_or_else(|| panic!("{target}: closed without an answer"))
}

/// A GET.
pub async fn get(house: &House, target: &str) -> Answer {
    request(house, "GET", target, "", b"").await
}

/// A POST of this text as a form.
pub async fn post(house: &House, target: &str, body: &str) -> Answer {
    request(house, "POST", target, "Content-Type: application/x-www-form-urlencoded\r\n", body.as_bytes()).await
}

/// A POST of these fields as a form.
pub async fn post_form(house: &House, target: &str, fields: &[(&str, &str)]) -> Answer {
    post(house, target, &form(fields)).await
}

/// `application/x-www-form-urlencoded`, everything escaped that may be.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

/// Percent-encoding of everything that is no letter and no digit.
#[must_use]
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        answer.body = unchunk(&answer.body);
    }
    Some(answer)
}

fn unchunk(mut framed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = framed.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&framed[..line]);
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let start = line + 2;
        if size == 0 {
            break;
        }
        body.extend_from_slice(&framed[start..start + size]);
        framed = &framed[start + size + 2..];
    }
    body
}
