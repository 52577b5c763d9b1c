//! How much of a token request is the signature? Run with `cargo bench -p countersign-authority --bench issue`.
//!
//! The authority runs in a process of its own, alone on the first processor, with its store on disk; the same process
//! makes the bare signatures it is compared with. The clients, 16 keep-alive connections over TLS, are on the second one.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
mod ratio;

use std::cell::{Cell, RefCell};
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

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
const SECRET: &str = "only-for-this-benchmark-0123456789";
const CONNECTIONS: usize = 16;
/// Tokens, or signatures, in one batch.
const BATCH: usize = 1024;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--serve") => serve(&std::env::args().nth(2).unwrap()),
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

fn directory() -> DirectoryFile {
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  applications:
  - appId: {API}
    displayName: DemoResourceApp
    api: {{requestedAccessTokenVersion: 2}}
    appRoles:
    - {{id: f8d39977-e31e-460b-b92c-9cef51d14f97, value: Resource.Read, allowedMemberTypes: [Application], displayName: r, description: r, isEnabled: true}}
  - {{appId: {CLIENT}, displayName: DemoClientApp, passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]}}
  appRoleAssignments: [{{client: DemoClientApp, resource: DemoResourceApp, role: Resource.Read}}]
"#
    );
    DirectoryFile::parse("bench.yaml", &text).unwrap().file
}

/// The server's process: one thread for everything, as on one processor.
fn serve(data: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let builder = Authority::builder().storage(Storage::Data(data.into())).directory(directory());
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

struct Server {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let me = std::env::current_exe().unwrap();
        let mut command = pinned("0", &me).unwrap_or_else(|| Command::new(&me));
        let mut child = command.arg("--serve").arg(data).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = answers.next().unwrap().unwrap();
        Self { child, orders, answers, address: ready.strip_prefix("ready ").unwrap().to_owned() }
    }

    fn sign(&mut self) {
        writeln!(self.orders, "sign").unwrap();
        assert_eq!(self.answers.next().unwrap().unwrap(), "done");
    }

    /// How long its thread has been on a processor, in nanoseconds: what others on this machine do is not in it.
    fn busy(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap_or_default();
        text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or_default()
    }

    fn stop(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        assert!(child.wait().unwrap().success());
    }
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roots = std::fs::read(data.join("ca.pem")).unwrap();
    let mut connections: Vec<_> =
        (0..CONNECTIONS).map(|_| runtime.block_on(connect(&server.address, &roots))).collect();
    let stored =
        || ["countersign.db", "countersign.db-wal"].map(|name| std::fs::read(data.join(name)).unwrap_or_default());
    // The key that follows is made in the background, and stored.
    while published(&runtime, &mut connections[0]) < 2 {}
    let before = stored();
    let server = RefCell::new(server);
    // Batches and processor time of each of the two.
    let (signing, issuing) = (Cell::new((0.0, 0.0)), Cell::new((0.0, 0.0)));
    let counted = |sum: &Cell<(f64, f64)>, work: &mut dyn FnMut()| {
        let before = server.borrow().busy();
        work();
        let (batches, busy) = sum.get();
        sum.set((batches + 1.0, busy + server.borrow().busy() - before));
    };
    let medians = ratio::compare(
        &format!("client credentials over HTTPS keep-alive, {CONNECTIONS} connections; {BATCH} tokens"),
        21,
        &mut [
            (
                "bare RSA-2048 signatures, the same process and processor",
                Box::new(|| counted(&signing, &mut || server.borrow_mut().sign())),
            ),
            (
                "tokens by secret, over the wire",
                Box::new(|| counted(&issuing, &mut || runtime.block_on(tokens(&mut connections)))),
            ),
        ],
    );
    let per_second = |nanoseconds: f64| BATCH as f64 / nanoseconds * 1e9;
    println!("  {:.0} signatures and {:.0} tokens a second", per_second(medians[0]), per_second(medians[1]));
    let each = |sum: &Cell<(f64, f64)>| sum.get().1 / sum.get().0 / BATCH as f64 / 1e3;
    println!(
        "  processor time of the server: {:.1} µs a signature, {:.1} µs a token, {:.3} x the first",
        each(&signing),
        each(&issuing),
        each(&signing) / each(&issuing)
    );
    assert!(stored() == before, "the database or its log was written to");
    println!("  nothing was written to the database or its log meanwhile");
    drop(connections);
    server.into_inner().stop();
}

async fn connect(address: &str, roots: &[u8]) -> TlsStream<TcpStream> {
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

/// One batch, shared evenly.
async fn tokens(connections: &mut [TlsStream<TcpStream>]) {
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}%2F.default");
    let request = format!(
        "POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let tasks = connections.iter_mut().map(|connection| async {
        for _ in 0..BATCH / CONNECTIONS {
            let answer = ask(connection, request.as_bytes()).await;
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        }
    });
    futures_util::future::join_all(tasks).await;
}

fn published(runtime: &tokio::runtime::Runtime, connection: &mut TlsStream<TcpStream>) -> usize {
    let request = b"GET /common/discovery/keys HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = runtime.block_on(ask(connection, request));
    String::from_utf8(answer).unwrap().matches("\"kid\"").count()
}

/// One request, one answer.
async fn ask(connection: &mut TlsStream<TcpStream>, request: &[u8]) -> Vec<u8> {
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
