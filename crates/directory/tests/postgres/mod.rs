//! What only a server that is shared can get wrong.

mod tls;

use std::error::Error;
use std::time::Duration;

use crate::postgres_server::{PASSWORD, Server, shared};
use crate::suite::keys_and_users::signing_key;
use crate::suite::{self, NOW, application, contoso, fabrikam, id};
use countersign_directory::{
    Applications, Commit, Directory, KeyOwner, KeySchedule, Ledger, PostgresDirectory, Purpose, Record, Revision,
    ServicePrincipals, SigningKeys, StoreError, Tenants, User, Users,
};
use secrecy::{ExposeSecret, SecretString};

async fn fresh() -> (PostgresDirectory, String) {
    let database = shared().database();
    (PostgresDirectory::open(&shared().url(&database)).await.unwrap(), database)
}

async fn also(database: &str) -> PostgresDirectory {
    PostgresDirectory::open(&shared().url(database)).await.unwrap()
}

/// Until `done`, which no notification to this test announces. Far longer than it takes.
async fn until<T>(mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = done().await {
                return value;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap()
}

async fn changed(directory: &PostgresDirectory, from: Revision) -> Revision {
    until(async || Some(directory.revision()).filter(|now| *now != from)).await
}

/// The causes too, and what `Debug` shows.
fn everything_said(error: &StoreError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said} {cause} {cause:?}");
        source = cause.source();
    }
    said
}

#[tokio::test]
async fn replicas_see_each_others_writes_and_their_revisions_say_so() {
    let (one, database) = fresh().await;
    let other = also(&database).await;
    let (ones, others) = (one.revision(), other.revision());
    assert_eq!((ones, others), (one.revision(), other.revision()), "nothing happened");
    let mut tx = one.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(one.revision(), ones, "one's own writes count at once");
    let others = changed(&other, others).await;
    assert_eq!(other.begin().await.unwrap().tenants().await.unwrap(), [contoso()]);

    let ones = one.revision();
    let mut tx = other.begin().await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    drop(tx);
    let mut tx = other.begin().await.unwrap();
    tx.update_tenant(&countersign_directory::Tenant { strict: true, ..contoso() }).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(other.revision(), others);
    changed(&one, ones).await;
    let seen = one.begin().await.unwrap().tenants().await.unwrap();
    assert!(seen.len() == 1 && seen[0].strict, "{seen:?}");
}

/// E24: whatever two replicas decide at the same moment, one of them decides it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_settle_a_race() {
    let (one, database) = fresh().await;
    let other = also(&database).await;
    suite::transactions::of_many_at_once_one_wins(one.clone(), other.clone()).await;
    suite::ledger::of_eight_at_once_one_wins(one, other).await;
}

/// Compare-and-set with a schedule that another replica has changed since it was read.
#[tokio::test]
async fn a_schedule_read_before_another_replica_changed_it_is_not_written_over() {
    let (one, database) = fresh().await;
    let other = also(&database).await;
    let mut tx = one.begin().await.unwrap();
    assert!(tx.insert_signing_key(&signing_key("first", KeyOwner::Everybody, 1)).await.unwrap());
    tx.commit().await.unwrap();
    let read = one.begin().await.unwrap().signing_keys().await.unwrap()[0].schedule;
    let ends = |seconds: u64| KeySchedule { retires_at: Some(NOW.plus(Duration::from_secs(seconds))), ..read };
    let mut tx = other.begin().await.unwrap();
    assert!(tx.reschedule_signing_key("first", read, ends(1)).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = one.begin().await.unwrap();
    assert!(!tx.reschedule_signing_key("first", read, ends(2)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(one.begin().await.unwrap().signing_keys().await.unwrap()[0].schedule, ends(1));
}

/// Whoever writes upon what it has read does so only if it is still so.
#[tokio::test]
async fn what_was_read_before_another_wrote_is_not_acted_upon() {
    let (one, database) = fresh().await;
    let other = also(&database).await;
    let mut late = one.begin().await.unwrap();
    assert!(late.tenants().await.unwrap().is_empty());
    let mut tx = other.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    let error = late.insert_tenant(&fabrikam()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    assert!(late.tenants().await.unwrap().is_empty(), "the transaction goes on, and still reads what it read");
    late.commit().await.unwrap();
    let mut again = one.begin().await.unwrap();
    again.insert_tenant(&fabrikam()).await.unwrap();
    again.commit().await.unwrap();
}

/// E25: replicas that start at the same moment on an empty database.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_starters_one_migrates_and_one_makes_the_first_key() {
    let database = shared().database();
    let mut starting = tokio::task::JoinSet::new();
    for number in 0..6 {
        let url = shared().url(&database);
        starting.spawn(async move {
            let directory = PostgresDirectory::open(&url).await.unwrap();
            let mut tx = directory.begin().await.unwrap();
            let first =
                tx.insert_signing_key(&signing_key(&format!("by {number}"), KeyOwner::Everybody, 1)).await.unwrap();
            tx.commit().await.unwrap();
            (directory, first)
        });
    }
    let started = starting.join_all().await;
    assert_eq!(started.iter().filter(|(_, first)| *first).count(), 1);
    for (directory, _) in &started {
        assert_eq!(directory.begin().await.unwrap().signing_keys().await.unwrap().len(), 1);
    }
    assert_eq!(shared().run(&database, "SELECT version FROM schema_version"), "2");
}

/// A database of the first version, as an earlier program left it, is brought up to date and keeps what is in it.
#[tokio::test]
async fn a_database_of_the_first_version_is_migrated() {
    let database = shared().database();
    let first = include_str!("../../migrations/postgres/0001_directory.sql");
    shared().run(&database, first);
    shared().run(
        &database,
        "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (1); \
         INSERT INTO tenants VALUES ('7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e', 'Fabrikam', 'WW', FALSE); \
         INSERT INTO tenant_domains VALUES ('fabrikam.com', 'fabrikam.com', '7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e', 0); \
         INSERT INTO users VALUES ('22222222-2222-4222-8222-222222222222', '7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e', \
         'a@fabrikam.com', 'a@fabrikam.com', 'a@fabrikam.com', NULL, NULL, NULL, TRUE, NULL)",
    );
    let directory = also(&database).await;
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenants().await.unwrap(), [fabrikam()]);
    let user = User::new(id(suite::CLIENT), fabrikam().id, "a@fabrikam.com");
    assert_eq!(tx.users_of(fabrikam().id).await.unwrap(), [user]);
}

/// The ledger asks nobody for the right to write: it goes on while another transaction has it.
#[tokio::test]
async fn the_ledger_does_not_wait_for_the_right_to_write() {
    let (holder, database) = fresh().await;
    let url = shared().url(&database);
    let other = PostgresDirectory::open_with_patience(&url, Duration::from_secs(2)).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    held.insert_tenant(&contoso()).await.unwrap();
    assert!(other.spend(Purpose::Session, &[1; 32], NOW).await.unwrap());
    assert!(holder.is_spent(Purpose::Session, &[1; 32]).await.unwrap());
    held.commit().await.unwrap();
}

/// E33: an older program refuses what a newer one wrote.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (directory, database) = fresh().await;
    directory.close().await;
    shared().run(&database, "UPDATE schema_version SET version = 4711");
    let error = PostgresDirectory::open(&shared().url(&database)).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 4711, .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_a_schema_of_ones_own_is_not() {
    let database = shared().database();
    shared().run(&database, "CREATE TABLE shopping (item TEXT); CREATE SCHEMA ours");
    let url = shared().url(&database);
    let error = PostgresDirectory::open(&url).await.unwrap_err();
    let StoreError::Corrupt { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("no schema_version"), "{what}");
    let own = SecretString::from(format!("{}&options=-csearch_path%3Dours", url.expose_secret()));
    PostgresDirectory::open(&own).await.unwrap();
}

#[tokio::test]
async fn no_error_and_no_debug_shows_the_password() {
    let (directory, database) = fresh().await;
    let tx = directory.begin().await.unwrap();
    let mut said = format!("{directory:?} {tx:?}");
    let url = shared().url(&database).expose_secret().to_owned();
    for wrong in [
        url.replace("s3cret", "s3cret-and-more"),
        url.replace(&format!("/{database}?"), "/nowhere?"),
        url.replace("host=", "host=%2Fno"),
        url.replace("host=", "hots="),
        format!("{url}&sslmode=s3cret"),
        format!("{url}&sslmode=verify-full&sslrootcert=/s3cret"),
    ] {
        let opened = PostgresDirectory::open_with_patience(&wrong.into(), Duration::from_secs(2)).await;
        said = format!("{said} {}", everything_said(&opened.unwrap_err()));
    }
    assert!(!said.contains("s3cret-") && !said.contains(PASSWORD) && !said.contains("p%40ss"), "{said}");
}

#[tokio::test]
async fn a_held_right_to_write_is_busy_and_then_free() {
    let (holder, database) = fresh().await;
    let url = shared().url(&database);
    let other = PostgresDirectory::open_with_patience(&url, Duration::from_millis(200)).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    held.insert_tenant(&contoso()).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    let error = tx.insert_tenant(&fabrikam()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    assert!(tx.tenants().await.unwrap().is_empty(), "reading goes on meanwhile");
    held.commit().await.unwrap();
    let mut tx = other.begin().await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    tx.commit().await.unwrap();
}

/// The pool is bounded; whoever comes when it is empty waits as long as told and no longer.
#[tokio::test]
async fn too_many_transactions_are_busy() {
    let database = shared().database();
    let url = shared().url(&database);
    let directory = PostgresDirectory::open_with_patience(&url, Duration::from_millis(500)).await.unwrap();
    let mut open = Vec::new();
    let error = loop {
        match directory.begin().await {
            Ok(tx) => open.push(tx),
            Err(error) => break error,
        }
        assert!(open.len() < 100);
    };
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    open.clear();
    until(async || directory.begin().await.ok()).await;
}

/// A server that goes away fails what is under way in a bounded time, nothing remembered is believed meanwhile, and
/// everything works again when it is back, without anybody opening anything anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_is_used_again() {
    let server = Server::start();
    let database = server.database();
    let patience = Duration::from_millis(500);
    let directory = PostgresDirectory::open_with_patience(&server.url(&database), patience).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    let until_then = NOW.plus(Duration::from_secs(60));
    assert!(directory.spend(Purpose::AuthorizationCode, &[1; 32], until_then).await.unwrap());
    let before = directory.revision();

    let mut half = directory.begin().await.unwrap();
    half.insert_tenant(&fabrikam()).await.unwrap();
    server.crash();
    let error = half.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    let error = directory.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_) | StoreError::Busy(_)), "{error:?}");
    let error = directory.spend(Purpose::AuthorizationCode, &[2; 32], until_then).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_) | StoreError::Busy(_)), "{error:?}");
    until(async || (directory.revision() != directory.revision()).then_some(())).await;

    server.start_again();
    until(async || (directory.revision() == directory.revision()).then_some(())).await;
    assert_ne!(directory.revision(), before, "what was remembered before the gap is forgotten");
    let tenants = until(async || directory.begin().await.ok()?.tenants().await.ok()).await;
    assert_eq!(tenants, [contoso()]);
    let spent = until(async || directory.is_spent(Purpose::AuthorizationCode, &[1; 32]).await.ok()).await;
    assert!(spent, "E21: what was settled survives a crash");
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    tx.commit().await.unwrap();
}

/// The listening connection alone breaks, by an administrator or a firewall.
#[tokio::test]
async fn a_lost_listener_is_replaced_and_the_gap_forgotten() {
    let (directory, database) = fresh().await;
    let before = directory.revision();
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND query LIKE '%directory_revision%' \
         AND pid <> pg_backend_pid()"
    );
    shared().run(&database, &end);
    changed(&directory, before).await;
    until(async || (directory.revision() == directory.revision()).then_some(())).await;
    let seen = directory.revision();
    let other = also(&database).await;
    let mut tx = other.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    changed(&directory, seen).await;
}

/// A notification that never comes costs a second, not more.
#[tokio::test]
async fn a_write_without_notification_is_seen_by_polling() {
    let (directory, database) = fresh().await;
    let before = directory.revision();
    shared().run(&database, "UPDATE directory_revision SET value = value + 1");
    tokio::time::timeout(Duration::from_secs(10), changed(&directory, before)).await.unwrap();
}

/// A cancelled commit may still happen; caches must then be told.
#[tokio::test]
async fn a_cancelled_commit_changes_the_revision() {
    let (directory, _) = fresh().await;
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
///
/// A server on the same machine may answer a whole write within one poll; then nothing was cancelled, and it is tried
/// again.
#[tokio::test]
async fn a_cancelled_write_spoils_the_transaction() {
    let (directory, _) = fresh().await;
    let tenant = contoso();
    for _ in 0..200 {
        let mut tx = directory.begin().await.unwrap();
        tx.insert_tenant(&fabrikam()).await.unwrap();
        let mut writing = Box::pin(tx.insert_tenant(&tenant));
        let polled_once = std::future::poll_fn(|context| std::task::Poll::Ready(writing.as_mut().poll(context)));
        let caught_half_way = polled_once.await.is_pending();
        drop(writing);
        if caught_half_way {
            let error = tx.commit().await.unwrap_err();
            assert!(matches!(error, StoreError::Database(_)), "{error:?}");
            assert!(directory.begin().await.unwrap().tenants().await.unwrap().is_empty());
            return;
        }
    }
    panic!("no write was ever caught half-way");
}

#[tokio::test]
async fn a_closed_directory_says_so() {
    let (directory, _) = fresh().await;
    directory.close().await;
    let error = directory.clone().begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
}

/// PostgreSQL takes no NUL in a text: asked for, it is not found; to be kept, it is refused, and nothing else is lost.
#[tokio::test]
async fn a_nul_is_not_found_and_not_kept() {
    let (directory, _) = fresh().await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    assert_eq!(tx.tenant_by_domain("contoso.com\0").await.unwrap(), None);
    assert!(tx.resource(contoso().id, "api://\0").await.unwrap().is_none());
    let user = User::new(id(suite::CLIENT), contoso().id, "a\0@contoso.com");
    let error = tx.insert_user(&user).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
    let document = serde_json::json!({"appId": suite::CLIENT, "notes": "a\0b"});
    tx.insert_application(&application(suite::CONTOSO, document)).await.unwrap();
    tx.commit().await.unwrap();
    let kept = directory.begin().await.unwrap().application(id(suite::CLIENT)).await.unwrap().unwrap();
    assert_eq!(kept.document()["notes"], "a\0b");
}

/// A failed write leaves what the transaction has written before and after it.
#[tokio::test]
async fn a_failed_statement_of_its_own_undoes_only_itself() {
    let (directory, _) = fresh().await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    let error = tx.add_secret_for_nobody().await;
    assert!(matches!(error, StoreError::NotFound(Record::Application)), "{error:?}");
    tx.insert_tenant(&fabrikam()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(directory.begin().await.unwrap().tenants().await.unwrap().len(), 2);
}

/// A write of one statement that its foreign key refuses.
trait SecretForNobody {
    async fn add_secret_for_nobody(&mut self) -> StoreError;
}

impl<T: countersign_directory::Credentials + Send> SecretForNobody for T {
    async fn add_secret_for_nobody(&mut self) -> StoreError {
        use countersign_token::SystemRandomness;
        let vault = suite::vault();
        let (secret, _) = countersign_directory::ClientSecret::generate(&vault, &SystemRandomness, None, NOW..NOW);
        self.add_secret(id(suite::CLIENT), &secret).await.unwrap_err()
    }
}
