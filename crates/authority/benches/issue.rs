//! How much of a token request is the signature? Run with `cargo bench -p countersign-authority --bench issue`.
//!
//! The authority runs in a process of its own, alone on the first processor, with its store on disk; the same process
//! makes the bare signatures it is compared with. The clients, 16 keep-alive connections over TLS, are on the second one.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
mod ratio;

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};

use countersign_directory::DirectoryFile;
use support::{BATCH, CONNECTIONS, Connection, Server, connect, post, published};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
const SECRET: &str = "only-for-this-benchmark-0123456789";

fn main() {
    support::main(directory, measure);
}

fn directory(_: &std::path::Path) -> DirectoryFile {
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
    let times = RefCell::new(Vec::new());
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
                Box::new(|| {
                    counted(&issuing, &mut || times.borrow_mut().extend(runtime.block_on(tokens(&mut connections))));
                }),
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
    let mut times = times.take();
    times.sort_by(f64::total_cmp);
    println!("  {:.1} ms in the middle, {:.1} ms for 99 of 100", times[times.len() / 2], times[times.len() * 99 / 100]);
    assert!(stored() == before, "the database or its log was written to");
    println!("  nothing was written to the database or its log meanwhile");
    drop(connections);
    server.into_inner().stop();
}

/// One batch, shared evenly. Answers how long each request took, in milliseconds.
async fn tokens(connections: &mut [Connection]) -> Vec<f64> {
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}%2F.default");
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let tasks = connections.iter_mut().map(|connection| async {
        let mut times = Vec::with_capacity(BATCH / CONNECTIONS);
        for _ in 0..BATCH / CONNECTIONS {
            let start = std::time::Instant::now();
            post(connection, &path, &form).await;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times
    });
    futures_util::future::join_all(tasks).await.into_iter().flatten().collect()
}
