//! The directory in PostgreSQL, for several authorities at once.
//!
//! Reading transactions run side by side, each on one state of the database. Whoever writes takes the right to write
//! first, for the whole database, and keeps it to the end of the transaction; if somebody else has written since this
//! transaction began to read, the write answers [`StoreError::Busy`] instead of acting on what is no longer so. Writes are
//! rare and short, so one at a time is enough, and no two replicas decide the same thing differently.
//!
//! The ledger's statements need no such right: each is a transaction of its own and decides within one row.
//!
//! [`watch`] tells how replicas learn of each other's writes; the statements are in [`crate::sql`].

mod connection;
mod failure;
mod schema;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub(crate) use self::failure::failure;
use self::watch::Known;
use crate::sql::failure::{Failure, general};
use crate::sql::ledger::Once;
use crate::sql::{Query, Session};
use crate::{Commit, Directory, Revision, Snapshot, StoreError};

/// How long an operation waits for a connection, for others or for the server before it answers [`StoreError::Busy`].
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a replica that starts waits for another's migration.
const PATIENCE_WITH_MIGRATIONS: Duration = Duration::from_secs(30);

/// How long [`Directory::begin`] waits while it is known that the server does not answer.
const PATIENCE_IN_AN_OUTAGE: Duration = Duration::from_millis(200);

/// A directory kept by PostgreSQL. It must be opened, used and dropped within one tokio runtime.
///
/// [`Directory::revision`] changes with this process's own commits at once and with those of others within milliseconds:
/// within a second if the notification is lost, within three seconds if the connection is. After three seconds without
/// word from the database every revision is a new one, so that nothing remembered is used, until there is word again.
#[derive(Clone)]
pub struct PostgresDirectory(Arc<Inner>);

struct Inner {
    pool: PgPool,
    patience: Duration,
    known: Arc<Known>,
    watching: AbortHandle,
}

impl fmt::Debug for PostgresDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDirectory").field("known", &self.0.known).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl PostgresDirectory {
    /// Opens the directory in this database, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, and makes its tables where
    /// there are none. `sslmode` is `prefer` (encrypted if the server can, its certificate not looked at), `disable`,
    /// `require`, `verify-ca` or `verify-full`; `sslrootcert` names a PEM file of roots to trust besides the public ones.
    /// `host` may be the folder of a Unix socket. The URL's password appears in no error and no log.
    ///
    /// # Errors
    /// [`StoreError::Address`] for a URL that is none; [`StoreError::NewerSchema`] if a later version wrote it;
    /// [`StoreError::Corrupt`] if the tables are another program's; [`StoreError::Busy`], [`StoreError::Io`] if the server
    /// cannot be reached in time; [`StoreError::Database`] if it refuses.
    pub async fn open(url: &SecretString) -> Result<Self, StoreError> {
        Self::open_with_patience(url, PATIENCE).await
    }

    /// As [`PostgresDirectory::open`]; no operation waits much longer than `patience` for others or for the server.
    ///
    /// # Errors
    /// As [`PostgresDirectory::open`].
    pub async fn open_with_patience(url: &SecretString, patience: Duration) -> Result<Self, StoreError> {
        let options = connection::options(url)?;
        // Whoever queues behind another's migration waits longer than for a write.
        let mut first = connection::connect(&options, patience.max(PATIENCE_WITH_MIGRATIONS)).await?;
        schema::migrate(&mut first).await?;
        let pool = connection::pool(options.clone(), patience);
        let known = Arc::new(Known::new());
        let listener = watch::listen(&options, &known).await.map_err(general)?;
        let watching = tokio::spawn(watch::watch(options, Arc::clone(&known), listener)).abort_handle();
        Ok(Self(Arc::new(Inner { pool, patience, known, watching })))
    }

    /// Waits for running transactions and closes the connections; [`Directory::begin`] answers [`StoreError::Io`] from
    /// then on. Without it, they are closed in the background when the last clone is dropped.
    pub async fn close(&self) {
        self.0.watching.abort();
        self.0.pool.close().await;
    }
}

impl Directory for PostgresDirectory {
    type Tx = PostgresTx;

    async fn begin(&self) -> Result<PostgresTx, StoreError> {
        let Inner { pool, patience, known, .. } = &*self.0;
        let outage = !known.is_current();
        let patience = if outage { (*patience).min(PATIENCE_IN_AN_OUTAGE) } else { *patience };
        match timeout(patience, pool.begin_with(connection::BEGIN)).await {
            Ok(tx) => Ok(PostgresTx {
                tx: tx.map_err(general)?,
                known: Arc::clone(known),
                patience: self.0.patience,
                may_write: false,
                wrote: false,
                unfinished: 0,
            }),
            Err(_) if outage => Err(no_answer()),
            Err(elapsed) => Err(StoreError::Busy(elapsed.into())),
        }
    }

    fn revision(&self) -> Revision {
        self.0.known.revision()
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Err(NO_SNAPSHOTS)
    }

    async fn restore(&self, _: &Snapshot) -> Result<(), StoreError> {
        Err(NO_SNAPSHOTS)
    }
}

/// Other replicas would see their directory jump.
const NO_SNAPSHOTS: StoreError =
    StoreError::Unsupported("snapshots are of a directory that one process has to itself; use SQLite");

/// A statement by itself is a transaction of its own. What it finds locked it waits for, as long as the server is told to.
impl Once for PostgresDirectory {
    type Row = PgRow;

    async fn once(&self, query: Query) -> Result<Vec<PgRow>, StoreError> {
        if query.has_nul() {
            return Ok(Vec::new());
        }
        let outage = !self.0.known.is_current();
        let patience = if outage { self.0.patience.min(PATIENCE_IN_AN_OUTAGE) } else { self.0.patience };
        let mut connection = match timeout(patience, self.0.pool.acquire()).await {
            Ok(connection) => connection.map_err(general)?,
            Err(_) if outage => return Err(no_answer()),
            Err(elapsed) => return Err(StoreError::Busy(elapsed.into())),
        };
        in_time(self.0.patience, query.of().fetch_all(&mut *connection)).await.map_err(general)
    }
}

fn no_answer() -> StoreError {
    StoreError::Io("the database does not answer".into())
}

/// One transaction of a [`PostgresDirectory`].
pub struct PostgresTx {
    tx: Transaction<'static, Postgres>,
    known: Arc<Known>,
    patience: Duration,
    may_write: bool,
    wrote: bool,
    /// Writes that have begun and not ended; more than none at a commit means that one was cancelled.
    unfinished: u32,
}

impl fmt::Debug for PostgresTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTx").field("wrote", &self.wrote).finish_non_exhaustive()
    }
}

/// The right to write. Migrations need the same lock. Taken before anything was read, it comes before the transaction's
/// state of the database, so that what others have just written is seen; later, `FOR UPDATE` refuses (40001) if the
/// counter has changed since that state.
const MAY_WRITE: &str = "SAVEPOINT may_write; LOCK TABLE schema_version IN EXCLUSIVE MODE; \
     SELECT value FROM directory_revision FOR UPDATE; RELEASE SAVEPOINT may_write";

impl PostgresTx {
    /// Statements that answer nothing, in one exchange with the server.
    async fn exchange(&mut self, statements: &'static str) -> Result<(), StoreError> {
        let doing = sqlx::raw_sql(statements).execute(&mut *self.tx);
        in_time(self.patience, doing).await.map(drop).map_err(general)
    }

    async fn take_right_to_write(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.exchange(MAY_WRITE).await {
            self.exchange("ROLLBACK TO SAVEPOINT may_write; RELEASE SAVEPOINT may_write").await?;
            return Err(error);
        }
        self.may_write = true;
        Ok(())
    }

    async fn end_write(&mut self, keep: bool) -> Result<(), StoreError> {
        self.exchange(match keep {
            true => "RELEASE SAVEPOINT one_write",
            false => "ROLLBACK TO SAVEPOINT one_write; RELEASE SAVEPOINT one_write",
        })
        .await?;
        self.unfinished -= 1;
        Ok(())
    }
}

impl Session for PostgresTx {
    type Row = PgRow;

    async fn all(&mut self, query: Query) -> Result<Vec<PgRow>, StoreError> {
        if query.has_nul() {
            return Ok(Vec::new()); // PostgreSQL keeps no such text, so there is nothing to find
        }
        in_time(self.patience, query.of().fetch_all(&mut *self.tx)).await.map_err(general)
    }

    async fn optional(&mut self, query: Query) -> Result<Option<PgRow>, StoreError> {
        if query.has_nul() {
            return Ok(None);
        }
        in_time(self.patience, query.of().fetch_optional(&mut *self.tx)).await.map_err(general)
    }

    /// PostgreSQL gives up the whole transaction at an error, hence the savepoint; within a larger write that has one.
    async fn write(&mut self, query: Query) -> Result<u64, Failure> {
        let alone = self.unfinished == 0;
        if alone {
            self.begin_write().await?;
        }
        let done = in_time(self.patience, query.of().execute(&mut *self.tx)).await;
        if alone {
            self.end_write(done.is_ok()).await?;
        }
        let rows = done?.rows_affected();
        self.wrote |= rows > 0;
        Ok(rows)
    }

    async fn begin_write(&mut self) -> Result<(), StoreError> {
        if !self.may_write {
            self.take_right_to_write().await?;
        }
        self.unfinished += 1;
        self.exchange("SAVEPOINT one_write").await
    }

    async fn whole<V: Send>(&mut self, outcome: Result<V, StoreError>) -> Result<V, StoreError> {
        self.end_write(outcome.is_ok()).await?;
        outcome
    }
}

impl Commit for PostgresTx {
    async fn commit(mut self) -> Result<(), StoreError> {
        if self.unfinished > 0 {
            return Err(StoreError::Database("a write was cancelled half-way".into()));
        }
        if !self.wrote {
            return in_time(self.patience, self.tx.commit()).await.map_err(general);
        }
        // A caller may go away while the commit is under way, or the connection may break, and it happens all the same.
        // Then nothing remembered is good: the counter may be what it was, or one higher for this write or for another's.
        let doubt = Doubt(Some(self.known));
        let bumping = sqlx::query_scalar(watch::BUMP).fetch_one(&mut *self.tx);
        let counter = in_time(self.patience, bumping).await.map_err(general)?;
        in_time(self.patience, self.tx.commit()).await.map_err(general)?;
        doubt.settled(counter);
        Ok(())
    }
}

/// Makes everything be forgotten when it goes, unless it is known what became of the commit.
struct Doubt(Option<Arc<Known>>);

impl Doubt {
    fn settled(mut self, counter: i64) {
        if let Some(known) = self.0.take() {
            known.saw(counter);
        }
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(known) = self.0.take() {
            known.forget();
        }
    }
}

/// The server's own limits come first; this one is for a server that has fallen silent.
async fn in_time<T>(
    patience: Duration,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match timeout(patience * 3, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}
