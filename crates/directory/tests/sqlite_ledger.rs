//! The ledger in a file: what a crash, a lock or a caller who goes away must not break.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use countersign_directory::{
    Commit, DeviceCodeRow, DeviceDecision, DevicePoll, Directory, FamilyRow, Ledger, Purpose, Rotation,
    SqliteDirectory, StoreError,
};
use countersign_token::{Randomness, SystemRandomness, Timestamp};

const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const CLIENT: &str = "22222222-2222-4222-8222-222222222222";

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.db");
    (folder, path)
}

/// E21: what the ledger settled is settled although nobody closed the file.
#[tokio::test]
async fn a_copy_taken_while_it_is_open_has_what_was_settled() {
    let (folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let until = Timestamp::from_unix_seconds(4_000_000_000);
    let family = FamilyRow { id: SystemRandomness.uuid_v4(), tenant: CONTOSO.parse().unwrap(), until };
    directory.start_family(family).await.unwrap();
    assert_eq!(directory.rotate_family(family.id, 0, until).await.unwrap(), Rotation::Rotated);
    assert!(directory.spend(Purpose::AuthorizationCode, &[1; 32], until).await.unwrap());

    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let copied = SqliteDirectory::open(copy.path().join("directory.db")).await.unwrap();
    assert!(!copied.spend(Purpose::AuthorizationCode, &[1; 32], until).await.unwrap());
    assert_eq!(copied.rotate_family(family.id, 0, until).await.unwrap(), Rotation::Replayed);
}

/// Whoever stops waiting for the ledger holds nobody up who does wait, and leaves nothing open.
#[tokio::test]
async fn cancelled_calls_of_the_ledger_hold_nobody_up() {
    let (_folder, path) = folder();
    let directory = SqliteDirectory::open(&path).await.unwrap();
    let until = Timestamp::from_unix_seconds(4_000_000_000);
    for round in 0..20_u8 {
        let (first, last) = ([round; 32], [round + 100; 32]);
        let mut spending = Box::pin(directory.spend(Purpose::Session, &first, until));
        let polled_once = std::future::poll_fn(|context| std::task::Poll::Ready(spending.as_mut().poll(context)));
        assert!(polled_once.await.is_pending());
        let other = directory.spend(Purpose::Session, &last, until);
        drop(spending);
        assert!(other.await.unwrap());
        directory.begin().await.unwrap().commit().await.unwrap();
        // Settled or not, it is settled now.
        directory.spend(Purpose::Session, &first, until).await.unwrap();
        assert!(!directory.spend(Purpose::Session, &first, until).await.unwrap());
    }
}

/// The task behind the ledger ends with its runtime; the directory does not.
#[test]
fn the_ledger_outlives_a_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let until = Timestamp::from_unix_seconds(4_000_000_000);
    let first = runtime();
    let directory = first.block_on(SqliteDirectory::in_memory()).unwrap();
    let mut waiting = Box::pin(directory.spend(Purpose::Session, &[1; 32], until));
    let abandoned = first
        .block_on(std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())));
    assert!(abandoned);
    drop(first);
    let second = runtime();
    let error = second.block_on(waiting).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    assert!(second.block_on(directory.spend(Purpose::Session, &[2; 32], until)).unwrap());
}

/// E19: a file that another process holds makes every caller give up in a bounded time, each with the cause.
#[tokio::test]
async fn a_held_file_is_busy_for_the_ledger_and_then_free() {
    let (_folder, path) = folder();
    let holder = SqliteDirectory::open(&path).await.unwrap();
    let other = SqliteDirectory::open_with_patience(&path, Duration::from_millis(1)).await.unwrap();
    let until = Timestamp::from_unix_seconds(4_000_000_000);
    let held = holder.begin().await.unwrap();
    let (one, two) =
        tokio::join!(other.spend(Purpose::Session, &[1; 32], until), other.spend(Purpose::Session, &[2; 32], until));
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        assert!(error.source().unwrap().source().is_some(), "{error:?}");
    }
    held.commit().await.unwrap();
    loop {
        match other.spend(Purpose::Session, &[1; 32], until).await {
            Ok(first) => break assert!(first),
            Err(StoreError::Busy(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn debug_shows_nothing_of_a_device_code() {
    let row = DeviceCodeRow {
        device_digest: [77; 32],
        user_code: "S3CRET".to_owned(),
        tenant: None,
        client_id: CLIENT.parse().unwrap(),
        request: vec![77],
        created: Timestamp::from_unix_seconds(0),
        expires_at: Timestamp::from_unix_seconds(0),
    };
    let decision = DeviceDecision::Approved(vec![77]);
    let poll = DevicePoll::Approved { decision: vec![77], request: vec![77] };
    let shown = format!("{row:?} {decision:?} {poll:?}");
    assert!(!shown.contains("S3CRET") && !shown.contains("77"), "{shown}");
}
