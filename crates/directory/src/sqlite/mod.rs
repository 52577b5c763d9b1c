//! The directory in one SQLite file, or in memory.
//!
//! One connection serves everybody in turn: SQLite has one writer at a time anyway, a fair queue before one connection
//! beats several that poll for its lock, and each further one would cost a thread and a page cache. Callers cache what
//! they read and compare [`Revision`]s, so the queue is short. The ledger's statements share transactions
//! ([`group_commit`]).
//!
//! Everything that only SQLite understands is here, in [`connection`] and in the migrations; the statements are in
//! [`crate::sql`].

mod connection;
mod failure;
mod group_commit;
mod schema;
mod snapshot;
mod transaction;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

pub(crate) use self::failure::failure;
use self::group_commit::GroupCommit;
use self::transaction::{Borrowed, Lender};
use crate::snapshot::Shelf;
use crate::sql::failure::{Failure, general};
use crate::sql::ledger::Once;
use crate::sql::{Query, Session};
use crate::{Commit, Directory, Revision, Snapshot, StoreError};

/// How long [`Directory::begin`] waits for others, in this process and in others, before it answers
/// [`StoreError::Busy`].
const PATIENCE: Duration = Duration::from_secs(5);

/// A directory kept by SQLite.
#[derive(Debug, Clone)]
pub struct SqliteDirectory {
    lender: Lender,
    patience: Duration,
    revision: Arc<AtomicU64>,
    ledger: GroupCommit,
    shelf: Shelf,
}

impl SqliteDirectory {
    /// Opens the directory in this file, or makes it. The file is for its owner's eyes only (mode 0600), and every commit
    /// is on the disk before it is acknowledged.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] if a later version wrote it; [`StoreError::Corrupt`] if it is something else;
    /// [`StoreError::Io`] if it cannot be made or opened; [`StoreError::Busy`] if another process is migrating it.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_patience(path, PATIENCE).await
    }

    /// As [`SqliteDirectory::open`]; [`Directory::begin`] waits no longer than `patience` for others in this process, and
    /// as long again for other processes.
    ///
    /// # Errors
    /// As [`SqliteDirectory::open`].
    pub async fn open_with_patience(path: impl AsRef<Path>, patience: Duration) -> Result<Self, StoreError> {
        Self::with(connection::open(path.as_ref(), patience).await?, patience).await
    }

    /// A fresh directory that is gone with its last clone.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there is no memory or thread for it.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Self::with(connection::in_memory().await?, PATIENCE).await
    }

    async fn with(mut connection: SqliteConnection, patience: Duration) -> Result<Self, StoreError> {
        schema::migrate(&mut connection).await?;
        Ok(Self {
            lender: Lender::of(connection),
            patience,
            revision: Arc::default(),
            ledger: GroupCommit::default(),
            shelf: Shelf::default(),
        })
    }

    /// Waits for the running transaction and closes the file; [`Directory::begin`] answers [`StoreError::Io`] from then
    /// on. Without it, the file is closed in the background when the last clone is dropped.
    pub async fn close(&self) {
        if let Err(error) = self.lender.close().await {
            tracing::warn!(%error, "the directory was not closed as it should be");
        }
    }
}

impl Directory for SqliteDirectory {
    type Tx = SqliteTx;

    async fn begin(&self) -> Result<SqliteTx, StoreError> {
        let tx = self.lender.begin(self.patience).await?;
        Ok(SqliteTx { tx, revision: Arc::clone(&self.revision), wrote: false, unfinished: 0 })
    }

    fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let snapshot = self.shelf.place();
        snapshot::take(&self.lender, self.patience, &snapshot, &self.shelf.given_up()).await?;
        Ok(snapshot)
    }

    async fn restore(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let number = self.shelf.number(snapshot)?;
        let _changed = Changed(Arc::clone(&self.revision));
        snapshot::put_back(&self.lender, self.patience, number).await
    }
}

impl Once for SqliteDirectory {
    type Row = SqliteRow;

    async fn once(&self, query: Query) -> Result<Vec<SqliteRow>, StoreError> {
        self.ledger.run(query, &self.lender, self.patience).await
    }
}

/// One transaction of a [`SqliteDirectory`].
#[derive(Debug)]
pub struct SqliteTx {
    tx: Borrowed,
    revision: Arc<AtomicU64>,
    wrote: bool,
    /// Writes of several statements that have begun and not ended; more than none at a commit means that one was cancelled.
    unfinished: u32,
}

impl SqliteTx {
    async fn savepoint(&mut self, statement: &'static str) -> Result<(), StoreError> {
        sqlx::query(statement).execute(&mut *self.tx).await.map(drop).map_err(general)
    }
}

/// A transaction has the write lock from its beginning, and a statement that fails leaves nothing behind and the rest as
/// it was; savepoints are for writes of several statements only.
impl Session for SqliteTx {
    type Row = SqliteRow;

    async fn all(&mut self, query: Query) -> Result<Vec<SqliteRow>, StoreError> {
        query.of().fetch_all(&mut *self.tx).await.map_err(general)
    }

    async fn optional(&mut self, query: Query) -> Result<Option<SqliteRow>, StoreError> {
        query.of().fetch_optional(&mut *self.tx).await.map_err(general)
    }

    async fn write(&mut self, query: Query) -> Result<u64, Failure> {
        let rows = query.of().execute(&mut *self.tx).await?.rows_affected();
        self.wrote |= rows > 0;
        Ok(rows)
    }

    async fn begin_write(&mut self) -> Result<(), StoreError> {
        self.unfinished += 1;
        self.savepoint("SAVEPOINT one_write").await
    }

    async fn whole<V: Send>(&mut self, outcome: Result<V, StoreError>) -> Result<V, StoreError> {
        if outcome.is_err() {
            self.savepoint("ROLLBACK TO SAVEPOINT one_write").await?;
        }
        self.savepoint("RELEASE SAVEPOINT one_write").await?;
        self.unfinished -= 1;
        outcome
    }
}

impl Commit for SqliteTx {
    async fn commit(self) -> Result<(), StoreError> {
        if self.unfinished > 0 {
            return Err(StoreError::Database("a write was cancelled half-way".into()));
        }
        // A caller may go away while the commit is under way, which then happens all the same: the revision must change
        // even so, and changing it for nothing only costs a cache a look.
        let _changed = self.wrote.then(|| Changed(self.revision));
        self.tx.commit().await.map_err(general)
    }
}

/// Changes the revision when it goes, however it goes.
struct Changed(Arc<AtomicU64>);

impl Drop for Changed {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
