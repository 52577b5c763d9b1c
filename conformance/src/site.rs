//! A web site of somebody else's on this machine, under a certificate of the authority's CA: files, served as they are.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::contoso::House;

/// An address, before there is anything behind it: an authority must know a page's redirect URIs when it starts.
pub struct Address(TcpListener);

/// The running site; it ends with this value.
pub struct Site(JoinHandle<()>);

/// A file: its path, its type, its bytes.
pub type File = (&'static str, &'static str, Vec<u8>);

impl Address {
    /// A free one.
    pub async fn reserve() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// `https://localhost:{port}`
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.socket().port())
    }

    /// `127.0.0.1:{port}`
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Serves these files under this name.
    #[must_use]
    pub fn serve(self, house: &House, name: &str, files: Vec<File>) -> Site {
        let mut tls = (*house.authority.server_tls(&[name]).unwrap()).clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (acceptor, files) = (TlsAcceptor::from(Arc::new(tls)), Arc::new(files));
        Site(tokio::spawn(async move {
            while let Ok((stream, _)) = self.0.accept().await {
                let (acceptor, files) = (acceptor.clone(), Arc::clone(&files));
                tokio::spawn(async move { answer(&acceptor, stream, &files).await });
            }
        }))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers one request and closes. A browser that goes away in between wants nothing more.
async fn answer(acceptor: &TlsAcceptor, stream: TcpStream, files: &[File]) -> Option<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await.ok()?);
    let (mut line, mut target) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if target.is_empty() {
            line.split(' ').nth(1)?.split('?').next()?.clone_into(&mut target);
        } else if line.trim().is_empty() {
            break;
        }
    }
    let found = files.iter().find(|(path, ..)| *path == target);
    let (status, kind, body) =
        found.map_or(("204 Nothing", "text/plain", &[][..]), |(_, kind, body)| ("200 OK", kind, body));
    let length = if status.starts_with("204") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\n{length}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    stream.shutdown().await.ok()
}
