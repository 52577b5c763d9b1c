//! What the benchmarks over the wire share: the authority in a process and on a processor of its own, its clients on the
//! other, and bare signatures by order.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses its own part of this")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use countersign_authority::{Authority, Storage};
use countersign_directory::DirectoryFile;
use countersign_token::{Algorithm, PrivateKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Keep-alive connections.
pub const CONNECTIONS: usize = 16;
/// Tokens, or signatures, in one batch.
pub const BATCH: usize = 1024;

pub type Connection = TlsStream<TcpStream>;

/// The program is three: whoever was called, the measuring one, and the server.
pub fn main(directory: fn(&Path) -> DirectoryFile, measure: fn()) {
    match std::env::args().nth(1).as_deref() {
        Some("--serve") => {
            let data = std::env::args().nth(2).unwrap();
            serve(&data, directory(Path::new(&data)));
        }
        Some("--measure") => measure(),
        _ => {
            let me = std::env::current_exe().unwrap();
            let mut command = pinned("1", &me).unwrap_or_else(|| {
                println!("not pinned: taskset or a second processor is missing");
                Command::new(&me)
            });
            assert!(command.arg("--measure").status().unwrap().success());
        }
    }
}

/// The program on one processor alone, if that can be had.
fn pinned(processor: &str, program: &Path) -> Option<Command> {
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", processor]);
    let mut trial = Command::new("taskset");
    trial.args(["-c", processor, "true"]).stderr(Stdio::null());
    trial.status().is_ok_and(|status| status.success()).then(|| {
        taskset.arg(program);
        taskset
    })
}

/// The server's process: one thread for everything, as on one processor.
fn serve(data: &str, directory: DirectoryFile) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let builder = Authority::builder().storage(Storage::Data(data.into())).directory(directory);
    let authority = runtime.block_on(builder.start()).unwrap();
    println!("ready {}", authority.address());
    let key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
    // About what stands before the second dot of a token.
    let input = vec![b'a'; 1100];
    let (orders, mut inbox) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if orders.blocking_send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    runtime.block_on(async {
        while let Some(order) = inbox.recv().await {
            assert_eq!(order, "sign");
            for _ in 0..BATCH {
                black_box(key.sign(Algorithm::Rs256, &input).unwrap());
            }
            println!("done");
        }
        authority.shutdown().await;
    });
}

pub struct Server {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub address: String,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        let me = std::env::current_exe().unwrap();
        let mut command = pinned("0", &me).unwrap_or_else(|| Command::new(&me));
        let mut child = command.arg("--serve").arg(data).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = answers.next().unwrap().unwrap();
        Self { child, orders, answers, address: ready.strip_prefix("ready ").unwrap().to_owned() }
    }

    pub fn sign(&mut self) {
        writeln!(self.orders, "sign").unwrap();
        assert_eq!(self.answers.next().unwrap().unwrap(), "done");
    }

    /// How long its thread has been on a processor, in nanoseconds: what others on this machine do is not in it.
    pub fn busy(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap_or_default();
        text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or_default()
    }

    pub fn stop(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        assert!(child.wait().unwrap().success());
    }
}

pub async fn connect(address: &str, roots: &[u8]) -> Connection {
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(roots).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

/// Posts a form and takes the body of the answer, which must be a good one.
pub async fn post(connection: &mut Connection, path: &str, form: &str) -> Vec<u8> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = ask(connection, request.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    answer[body..].to_vec()
}

/// How many keys are published.
pub fn published(runtime: &tokio::runtime::Runtime, connection: &mut Connection) -> usize {
    let request = b"GET /common/discovery/keys HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = runtime.block_on(ask(connection, request));
    String::from_utf8(answer).unwrap().matches("\"kid\"").count()
}

/// One request, one answer.
async fn ask(connection: &mut Connection, request: &[u8]) -> Vec<u8> {
    connection.write_all(request).await.unwrap();
    connection.flush().await.unwrap();
    let mut answer = Vec::with_capacity(4096);
    loop {
        assert!(connection.read_buf(&mut answer).await.unwrap() > 0, "the server hung up");
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end]).unwrap();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        if answer.len() == end + 4 + length {
            return answer;
        }
    }
}
