//! How soon is the command there, and how big? Run with `cargo bench -p countersign-authority --bench start`.
//!
//! Builds and spawns the `countersign` binary itself, as a script would: time from the spawn to the ready file, time from
//! the spawn to the first token where there is data already, and memory when nothing goes on (Linux only).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::io::{Read, Write};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
const SECRET: &str = "only-for-this-benchmark-0123456789";
const ROUNDS: usize = 21;

fn main() {
    let binary = build();
    let folder = tempfile::tempdir().unwrap();
    println!("\nstart of the command, {ROUNDS} times; medians");
    ephemeral(&binary, folder.path());
    with_data(&binary, folder.path());
}

/// The binary as it is now, and where it is.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--release", "-p", "countersign-cli", "--bin", "countersign"]);
    assert!(cargo.status().unwrap().success());
    // This benchmark is target/release/deps/start-….
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("countersign")
}

struct Running(Child);

impl Running {
    fn start(binary: &Path, listen: SocketAddr, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(["authority", "--listen", &listen.to_string()]).args(arguments);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Resident memory, in MB of a million bytes; anonymous pages alone beside it.
    fn memory(&self) -> Option<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
        };
        Some((of("VmRSS:")?, of("RssAnon:")?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "what is waited for is another process")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Asks every quarter of a millisecond, so as not to take the processor from what is measured.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it does not start");
        pause(Duration::from_micros(250));
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn report(what: &str, mut values: Vec<f64>, unit: &str, target: f64) {
    values.sort_by(f64::total_cmp);
    let (middle, worst) = (values[values.len() / 2], values[values.len() - 1]);
    let verdict = if middle <= target { "within" } else { "OVER" };
    println!("  {what:<52} {middle:>7.1} {unit}   worst {worst:>7.1}   {verdict} {target} {unit}");
}

fn ephemeral(binary: &Path, folder: &Path) {
    let ready = folder.join("ready.json");
    let arguments = ["--ephemeral", "--ready-file", ready.to_str().unwrap()];
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let _ = std::fs::remove_file(&ready);
        let start = Instant::now();
        let running = Running::start(binary, (Ipv4Addr::LOCALHOST, 0).into(), &arguments);
        until(|| ready.exists().then_some(()));
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if sizes.len() < 3 {
            // Idle means: the key after the first one is made, and nobody has asked for anything.
            pause(Duration::from_secs(2));
            sizes.extend(running.memory().map(|(resident, _)| resident));
        }
    }
    report("--ephemeral: from the spawn to the ready file", times, "ms", 250.0);
    if !sizes.is_empty() {
        report("--ephemeral: resident when idle", sizes, "MB", 16.0);
    }
}

fn with_data(binary: &Path, folder: &Path) {
    let data = folder.join("data");
    let file = folder.join("directory.yaml");
    let directory = format!(
        "tenants:\n- tenantId: {TENANT}\n  displayName: Contoso\n  applications:\n  \
         - {{appId: {API}, displayName: DemoResourceApp}}\n  \
         - {{appId: {CLIENT}, displayName: DemoClientApp, passwordCredentials: [{{displayName: s, secretText: {SECRET}}}]}}\n"
    );
    std::fs::write(&file, directory).unwrap();
    let arguments = ["--data", data.to_str().unwrap()];
    let first = free_address();
    {
        let arguments = [&arguments[..], &["--directory", file.to_str().unwrap()]].concat();
        let _running = Running::start(binary, first, &arguments);
        until(|| data.join("admin.json").exists().then_some(()));
        let tls = tls(&data);
        until(|| token(first, &tls));
        pause(Duration::from_secs(2));
    }
    let tls = tls(&data);
    let (mut times, mut sizes, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let address = free_address();
        let start = Instant::now();
        let running = Running::start(binary, address, &arguments);
        until(|| token(address, &tls));
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if sizes.len() < 3 {
            pause(Duration::from_secs(2));
            sizes.extend(running.memory().map(|(resident, _)| resident));
            for _ in 0..1_000 {
                token(address, &tls).unwrap();
            }
            busy.extend(running.memory().map(|(resident, _)| resident));
        }
    }
    report("--data, existing: from the spawn to the first token", times, "ms", 40.0);
    if !sizes.is_empty() {
        report("--data: resident when idle, after one token", sizes, "MB", 16.0);
        report("--data: resident after 1,000 connections and tokens", busy, "MB", 16.0);
    }
}

fn tls(data: &Path) -> Arc<rustls::ClientConfig> {
    let pem = until(|| std::fs::read(data.join("ca.pem")).ok());
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = versions.with_root_certificates(store).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// One token over a connection of its own; nothing while nobody listens.
fn token(address: SocketAddr, tls: &Arc<rustls::ClientConfig>) -> Option<()> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_nodelay(true).unwrap();
    let session = ClientConnection::new(Arc::clone(tls), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}%2F.default");
    let request = format!(
        "POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    Some(())
}
