//! What only SQLite needs: how its file is opened and tuned.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::StoreError;
use crate::sql::failure::general;

/// Takes the write lock at once: a transaction that reads first and writes later would be refused, without waiting, if
/// another process wrote between the two.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Pages the connection may keep, in KiB; negative is SQLite's way to say KiB. The whole directory is usually smaller.
const PAGE_CACHE: &str = "-256";

/// How long to wait before another attempt to open.
const RETRY: Duration = Duration::from_millis(5);

pub(super) async fn open(path: &Path, patience: Duration) -> Result<SqliteConnection, StoreError> {
    make_private(path).map_err(|cause| StoreError::Io(cause.into()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(patience)
        // Write-ahead log: readers in other processes do not stop writers. FULL: a commit survives the loss of power.
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    // Changing a new file to write-ahead logging is the one thing for which SQLite does not wait when another process is at
    // it: it says busy at once.
    let mut waited = Duration::ZERO;
    loop {
        match connect(options.clone()).await {
            Err(StoreError::Busy(_)) if waited < patience => {
                tokio::time::sleep(RETRY).await;
                waited += RETRY;
            }
            outcome => return outcome,
        }
    }
}

pub(super) async fn in_memory() -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(":memory:")
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off);
    connect(options).await
}

async fn connect(options: SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    options
        .foreign_keys(true)
        .pragma("cache_size", PAGE_CACHE)
        .pragma("trusted_schema", "OFF")
        // Snapshots are temporary tables, and nothing of them goes to a disk.
        .pragma("temp_store", "MEMORY")
        .statement_cache_capacity(48)
        .thread_name(|_| "directory".to_owned())
        .disable_statement_logging()
        .connect()
        .await
        .map_err(general)
}

/// Makes the file before SQLite does, readable by its owner only; SQLite gives its log the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
