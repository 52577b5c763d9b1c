//! How fast the ledger is: printed, never asserted. Run it by name:
//! `cargo test --release -p countersign-directory --test ledger_rate -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "what was measured is what this is for")]

#[cfg(unix)]
mod postgres_server;

use std::time::{Duration, Instant};

use countersign_directory::{
    Application, Applications, Commit, Directory, FamilyRow, Purpose, Rotation, ServicePrincipal, ServicePrincipals,
    SqliteDirectory, Tenant, Tenants,
};
use countersign_token::{TenantId, Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const ROTATIONS: i64 = 4096;

fn tenant() -> TenantId {
    "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap()
}

/// Rotations per second by so many callers, each with a family of its own, each waiting for its answer.
async fn rotations(directory: &impl Directory, callers: i64) -> f64 {
    let until = NOW.plus(Duration::from_secs(3600));
    let mut rotating = tokio::task::JoinSet::new();
    let start = Instant::now();
    for _ in 0..callers {
        let directory = directory.clone();
        rotating.spawn(async move {
            let id = Uuid::from_u128(u128::from(rand()));
            directory.start_family(FamilyRow { id, tenant: tenant(), until }).await.unwrap();
            for generation in 0..ROTATIONS / callers {
                assert_eq!(directory.rotate_family(id, generation, until).await.unwrap(), Rotation::Rotated);
            }
        });
    }
    rotating.join_all().await;
    ROTATIONS as f64 / start.elapsed().as_secs_f64()
}

fn rand() -> u64 {
    use countersign_token::{Randomness, SystemRandomness};
    let mut bytes = [0; 8];
    SystemRandomness.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

async fn report(name: &str, directory: &impl Directory) {
    for callers in [1, 8, 16, 64] {
        eprintln!("{name}: {callers:>3} callers, {:>8.0} rotations/s", rotations(directory, callers).await);
    }
    let start = Instant::now();
    for number in 0..500_u64 {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        assert!(directory.spend(Purpose::ClientAssertion, &digest, NOW).await.unwrap());
    }
    eprintln!("{name}: one caller, {:>8.0} spent/s", 500.0 / start.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    report("SQLite, file", &SqliteDirectory::open(folder.path().join("directory.db")).await.unwrap()).await;
    report("SQLite, memory", &SqliteDirectory::in_memory().await.unwrap()).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; the server of the tests does not wait for the disk"]
async fn postgresql() {
    let server = postgres_server::shared();
    let url = server.url(&server.database());
    report("PostgreSQL, fsync off", &countersign_directory::PostgresDirectory::open(&url).await.unwrap()).await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn restoring() {
    let folder = tempfile::tempdir().unwrap();
    let in_a_file = SqliteDirectory::open(folder.path().join("directory.db")).await.unwrap();
    for (name, directory) in [("memory", SqliteDirectory::in_memory().await.unwrap()), ("file", in_a_file)] {
        let mut tx = directory.begin().await.unwrap();
        tx.insert_tenant(&Tenant::new(tenant(), "Contoso")).await.unwrap();
        for number in 0..50 {
            let app_id = Uuid::from_u128(number + 1).to_string();
            let document = serde_json::json!({"appId": app_id, "identifierUris": [format!("api://{app_id}")]});
            let application = Application::from_document(tenant(), document).unwrap();
            tx.insert_application(&application).await.unwrap();
            tx.insert_service_principal(&ServicePrincipal::of(&application, tenant())).await.unwrap();
        }
        tx.commit().await.unwrap();
        let start = Instant::now();
        let snapshot = directory.snapshot().await.unwrap();
        let taken = start.elapsed();
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let start = Instant::now();
            directory.restore(&snapshot).await.unwrap();
            slowest = slowest.max(start.elapsed());
        }
        eprintln!("SQLite, {name}: 50 applications, snapshot {taken:?}, restored within {slowest:?}");
    }
}
