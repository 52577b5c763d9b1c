//! What only a file on a disk can get wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_directory::{
    Application, Applications, ClientSecret, Commit, Credentials, Directory, Ledger, PasswordHash, Purpose,
    ServicePrincipalKind, ServicePrincipals, SqliteDirectory, StoreError, Tenant, Tenants, User, Users,
};
use countersign_token::{Randomness, RootKey, SystemRandomness, Timestamp, Vault};
use secrecy::ExposeSecret;
use serde_json::json;

const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const CLIENT: &str = "22222222-2222-4222-8222-222222222222";

fn contoso() -> Tenant {
    Tenant::new(CONTOSO.parse().unwrap(), "Contoso").with_domain("contoso.com")
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.db");
    (folder, path)
}

/// Every byte of the database: the file, its log, its index.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let (_folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    directory.close().await;
    let directory = SqliteDirectory::open(&path).await.unwrap();
    assert_eq!(directory.begin().await.unwrap().tenants().await.unwrap(), [contoso()]);
}

/// E21: what was committed is there although nobody closed the file; what was not, is not.
#[tokio::test]
async fn a_copy_taken_while_it_is_open_has_what_was_committed() {
    let (folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    let mut unfinished = directory.begin().await.unwrap();
    unfinished.update_tenant(&Tenant::new(contoso().id, "Half")).await.unwrap();

    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let copied = SqliteDirectory::open(copy.path().join("directory.db")).await.unwrap();
    assert_eq!(copied.begin().await.unwrap().tenants().await.unwrap(), [contoso()]);
}

/// A database of the first version, as an earlier program left it, is brought up to date and keeps what is in it.
#[tokio::test]
async fn a_database_of_the_first_version_is_migrated() {
    let (_folder, path) = folder();
    alter(&path, include_str!("../migrations/sqlite/0001_directory.sql")).await;
    alter(
        &path,
        "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (1); \
         INSERT INTO tenants VALUES ('6babcaad-604b-40ac-a9d7-9fd97c0b779f', 'Contoso', 'WW', FALSE); \
         INSERT INTO tenant_domains VALUES ('contoso.com', 'contoso.com', '6babcaad-604b-40ac-a9d7-9fd97c0b779f', 0); \
         INSERT INTO users VALUES ('22222222-2222-4222-8222-222222222222', '6babcaad-604b-40ac-a9d7-9fd97c0b779f', \
         'a@contoso.com', 'a@contoso.com', 'a@contoso.com', NULL, NULL, NULL, TRUE, NULL); \
         INSERT INTO service_principals VALUES ('22222222-2222-4222-8222-222222222223', \
         '6babcaad-604b-40ac-a9d7-9fd97c0b779f', '00000003-0000-0000-c000-000000000000', 'Graph', TRUE, FALSE);",
    )
    .await;
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenants().await.unwrap(), [contoso()]);
    let user = User::new(CLIENT.parse().unwrap(), contoso().id, "a@contoso.com");
    assert_eq!(tx.users_of(contoso().id).await.unwrap(), [user]);
    let graph = tx.service_principal(contoso().id, countersign_directory::MICROSOFT_GRAPH).await.unwrap().unwrap();
    assert!(graph.kind == ServicePrincipalKind::Application && !graph.own_signing_key);
}

/// B83, B84: a dump of the database gives nobody a credential.
#[tokio::test]
async fn no_secret_is_in_the_file_in_clear() {
    let (folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let vault = Vault::new(&RootKey::generate(&SystemRandomness)).unwrap();
    let app = CLIENT.parse().unwrap();
    let now = Timestamp::from_unix_seconds(0);
    let (generated, generated_text) = ClientSecret::generate(&vault, &SystemRandomness, None, now..now);
    let chosen_text = "chosen-by-somebody-else-0123456789".into();
    let chosen = ClientSecret::from_text(&vault, SystemRandomness.uuid_v4(), None, &chosen_text, now..now);
    let document = json!({
        "appId": CLIENT, "displayName": "visible-name", "notes": {"password": "in-a-wrong-place-1"},
        "passwordCredentials": [{"secretText": "in-the-document-2"}], "secretText": "at-the-top-3"
    });
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    let refused = Application::from_document(contoso().id, document.clone());
    assert!(refused.is_err(), "`notes` is a text");
    let mut document = document;
    document["newThing"] = document["notes"].take();
    tx.insert_application(&Application::from_document(contoso().id, document).unwrap()).await.unwrap();
    tx.add_secret(app, &generated).await.unwrap();
    tx.add_secret(app, &chosen).await.unwrap();
    tx.commit().await.unwrap();

    for look in ["open", "closed"] {
        let bytes = bytes(folder.path());
        assert!(contains(&bytes, b"visible-name"), "{look}: the test reads the right bytes");
        assert!(contains(&bytes, generated.hash.as_bytes()), "{look}: the hash is there");
        for secret in [
            generated_text.expose_secret(),
            &generated_text.expose_secret()[6..],
            "chosen-by-somebody-else",
            "in-a-wrong-place-1",
            "in-the-document-2",
            "at-the-top-3",
        ] {
            assert!(!contains(&bytes, secret.as_bytes()), "{look}: {secret}");
        }
        directory.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

async fn alter(path: &Path, statement: &'static str) {
    use sqlx::ConnectOptions;
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

/// E33: an older program refuses what a newer one wrote, and leaves it as it is.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_folder, path) = folder();
    SqliteDirectory::open(&path).await.unwrap().close().await;
    alter(&path, "UPDATE schema_version SET version = 4711").await;
    let error = SqliteDirectory::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 4711, .. }), "{error:?}");
    assert!(
        error.to_string().starts_with("the database has schema version 4711, and this program knows versions up to ")
    );
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let (_folder, path) = folder();
    alter(&path, "CREATE TABLE shopping (item TEXT)").await;
    let error = SqliteDirectory::open(&path).await.unwrap_err();
    let StoreError::Corrupt { what, .. } = &error else { panic!("{error:?}") };
    assert_eq!(what, "it is a database of another program: it has no table schema_version");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = folder();
    std::fs::write(&path, "tenants: []\n".repeat(1000)).unwrap();
    let error = SqliteDirectory::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_missing_folder_is_an_io_error() {
    let (folder, _) = folder();
    let error = SqliteDirectory::open(folder.path().join("no/such/directory.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
}

/// E34: a poisoned record fails alone.
#[tokio::test]
async fn a_damaged_record_fails_alone() {
    let (_folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    for app_id in [CLIENT, CONTOSO] {
        let document = json!({"appId": app_id, "displayName": app_id});
        tx.insert_application(&Application::from_document(contoso().id, document).unwrap()).await.unwrap();
    }
    tx.commit().await.unwrap();
    directory.close().await;
    alter(
        &path,
        "UPDATE applications SET document = '{\"appId\": 3}' WHERE app_id = '22222222-2222-4222-8222-222222222222'",
    )
    .await;
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    let error = tx.application(CLIENT.parse().unwrap()).await.unwrap_err();
    let StoreError::Corrupt { what, source } = &error else { panic!("{error:?}") };
    assert_eq!(what, "a stored application is not a Graph document");
    assert!(source.as_ref().unwrap().to_string().starts_with("appId: invalid type"));
    assert!(tx.application(CONTOSO.parse().unwrap()).await.unwrap().is_some());
}

/// E19: whoever holds the file too long makes others give up in a bounded time, and nothing breaks.
#[tokio::test]
async fn a_held_file_is_busy_and_then_free() {
    let (_folder, path) = folder();
    let holder = SqliteDirectory::open(&path).await.unwrap();
    let other = SqliteDirectory::open_with_patience(&path, Duration::from_millis(1)).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    held.insert_tenant(&contoso()).await.unwrap();
    let error = other.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    held.commit().await.unwrap();
    assert_eq!(patiently(&other).await.tenants().await.unwrap().len(), 1);
}

/// With a patience of a millisecond, a slow machine may need several tries for what nobody holds any more.
async fn patiently(directory: &SqliteDirectory) -> <SqliteDirectory as Directory>::Tx {
    loop {
        match directory.begin().await {
            Ok(tx) => return tx,
            Err(StoreError::Busy(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_held_transaction_is_busy_for_its_own_process_too() {
    let (_folder, path) = folder();
    let directory = SqliteDirectory::open_with_patience(&path, Duration::from_millis(1)).await.unwrap();
    let held = directory.begin().await.unwrap();
    let error = directory.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    drop(held);
    patiently(&directory).await;
}

/// Nobody begins anew in the process that dropped it, and still the file is free for others.
#[tokio::test]
async fn a_dropped_transaction_frees_the_file() {
    let (_folder, path) = folder();
    let one = SqliteDirectory::open(&path).await.unwrap();
    let other = SqliteDirectory::open(&path).await.unwrap();
    let mut tx = one.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    drop(tx);
    assert!(other.begin().await.unwrap().tenants().await.unwrap().is_empty());
}

/// E25: replicas of one machine that start at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_openings_of_a_new_file_succeed() {
    for _ in 0..10 {
        let (_folder, path) = folder();
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            opening.spawn(SqliteDirectory::open(path.clone()));
        }
        for opened in opening.join_all().await {
            opened.unwrap();
        }
    }
}

/// Tests above this room stop the clock; nothing here may take that for a long wait.
#[tokio::test(start_paused = true)]
async fn a_stopped_clock_is_no_hindrance() {
    let (_folder, path) = folder();
    for directory in [SqliteDirectory::in_memory().await.unwrap(), SqliteDirectory::open(&path).await.unwrap()] {
        for _ in 0..20 {
            drop(directory.begin().await.unwrap());
            let mut tx = directory.begin().await.unwrap();
            tx.tenants().await.unwrap();
            tx.commit().await.unwrap();
            directory.end_family(SystemRandomness.uuid_v4()).await.unwrap();
            let snapshot = directory.snapshot().await.unwrap();
            directory.restore(&snapshot).await.unwrap();
        }
    }
}

/// Whoever stops waiting for a transaction leaves nothing behind that the next one stumbles over.
#[tokio::test]
async fn a_cancelled_begin_leaves_nothing_open() {
    let (_folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let other = SqliteDirectory::open(&path).await.unwrap();
    for _ in 0..20 {
        let mut beginning = Box::pin(directory.begin());
        let polled_once = std::future::poll_fn(|context| std::task::Poll::Ready(beginning.as_mut().poll(context)));
        let _ = polled_once.await;
        drop(beginning);
        other.begin().await.unwrap().commit().await.unwrap();
        directory.begin().await.unwrap().commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_closed_directory_says_so() {
    let directory = SqliteDirectory::in_memory().await.unwrap();
    directory.close().await;
    let error = directory.clone().begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    let error = directory.is_spent(Purpose::Session, &[1; 32]).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    let error = directory.snapshot().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    directory.close().await;
}

/// A cancelled commit may still happen; caches must then be told.
#[tokio::test]
async fn a_cancelled_commit_changes_the_revision() {
    let directory = SqliteDirectory::in_memory().await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    let before = directory.revision();
    let mut committing = Box::pin(tx.commit());
    let polled_once = std::future::poll_fn(|context| std::task::Poll::Ready(committing.as_mut().poll(context)));
    let _ = polled_once.await;
    drop(committing);
    assert_ne!(directory.revision(), before);
}

/// Half a write cannot be committed by somebody who stopped waiting for it.
#[tokio::test]
async fn a_cancelled_write_spoils_the_transaction() {
    let directory = SqliteDirectory::in_memory().await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    let tenant = contoso();
    let mut writing = Box::pin(tx.insert_tenant(&tenant));
    let polled_once = std::future::poll_fn(|context| std::task::Poll::Ready(writing.as_mut().poll(context)));
    let _ = polled_once.await;
    drop(writing);
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
    assert!(directory.begin().await.unwrap().tenants().await.unwrap().is_empty());
}

#[tokio::test]
async fn debug_shows_no_hash() {
    let user = User {
        password_hash: Some(PasswordHash::from_phc("$argon2id$s3cret")),
        ..User::new(CLIENT.parse().unwrap(), contoso().id, "a@contoso.com")
    };
    let directory = SqliteDirectory::in_memory().await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.insert_user(&user).await.unwrap();
    let read = tx.user(contoso().id, user.object_id).await.unwrap();
    assert!(!format!("{user:?} {read:?} {tx:?} {directory:?}").contains("s3cret"));
}

/// Not a benchmark: far above what it takes, far below what a mistake (a scan, a sleep, a lock) would cost.
#[tokio::test]
async fn opening_in_memory_is_quick() {
    SqliteDirectory::in_memory().await.unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        SqliteDirectory::in_memory().await.unwrap();
    }
    let each = start.elapsed() / 10;
    eprintln!("opening in memory took {each:?}");
    assert!(each < Duration::from_millis(100), "{each:?}");
}
