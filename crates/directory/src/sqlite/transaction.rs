//! One connection, lent to one transaction at a time.
//!
//! `sqlx::Transaction` either borrows its connection or takes it from a pool, and the pool asks the clock and the runtime
//! for help when a connection comes and goes. Here a fair mutex is enough. What cancelling leaves behind is settled by one
//! rule: as long as a transaction may be open, the connection is marked so, and whoever has it next rolls back first.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::{connection, failure};
use crate::StoreError;

/// The connection between transactions; `None` once it is closed.
#[derive(Debug, Clone)]
pub(super) struct Lender(Arc<Mutex<Option<Connection>>>);

#[derive(Debug)]
struct Connection {
    raw: SqliteConnection,
    may_be_open: bool,
}

impl Connection {
    /// Ends what an earlier owner may have left open.
    async fn roll_back(&mut self) {
        if self.may_be_open {
            // The one error there is says that no transaction was open, which is what is wanted.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.raw).await;
            self.may_be_open = false;
        }
    }
}

impl Lender {
    pub(super) fn of(raw: SqliteConnection) -> Self {
        Self(Arc::new(Mutex::new(Some(Connection { raw, may_be_open: false }))))
    }

    /// Begins a transaction as soon as nobody else has one; gives up after `patience`.
    pub(super) async fn begin(&self, patience: Duration) -> Result<Borrowed, StoreError> {
        let guard = match Arc::clone(&self.0).try_lock_owned() {
            Ok(free) => free,
            Err(_) => tokio::time::timeout(patience, Arc::clone(&self.0).lock_owned())
                .await
                .map_err(|elapsed| StoreError::Busy(elapsed.into()))?,
        };
        let mut connection = OwnedMutexGuard::try_map(guard, Option::as_mut)
            .map_err(|_| StoreError::Io("the directory is closed".into()))?;
        connection.roll_back().await;
        connection.may_be_open = true;
        let mut borrowed = Borrowed { connection: Some(connection), lender: self.clone() };
        match sqlx::query(connection::BEGIN).execute(&mut *borrowed).await {
            Ok(_) => Ok(borrowed),
            Err(error) => {
                borrowed.is_over();
                Err(failure::general(error))
            }
        }
    }

    /// Waits for the running transaction, then closes.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.0.lock().await.take() {
            Some(connection) => connection.raw.close().await.map_err(failure::general),
            None => Ok(()),
        }
    }
}

/// The connection, lent to a transaction. Dropping it rolls back.
#[derive(Debug)]
pub(super) struct Borrowed {
    connection: Option<OwnedMappedMutexGuard<Option<Connection>, Connection>>,
    lender: Lender,
}

impl Borrowed {
    /// Commits. After an error, dropping rolls back what is left.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut *self).await?;
        self.is_over();
        Ok(())
    }

    fn is_over(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.may_be_open = false;
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // The connection goes back at once; the next owner rolls back. Other processes wait for the write lock, though, so
        // if nobody comes, we do it, unless the program is ending anyway.
        let may_be_open = self.connection.take().is_some_and(|connection| connection.may_be_open);
        if may_be_open && let Ok(runtime) = Handle::try_current() {
            let lender = self.lender.clone();
            runtime.spawn(async move {
                if let Some(connection) = lender.0.lock().await.as_mut() {
                    connection.roll_back().await;
                }
            });
        }
    }
}

#[expect(clippy::expect_used, reason = "the guard is taken out by `drop` alone")]
impl Deref for Borrowed {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection.as_ref().expect("the connection is here until it is dropped").raw
    }
}

#[expect(clippy::expect_used, reason = "the guard is taken out by `drop` alone")]
impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection.as_mut().expect("the connection is here until it is dropped").raw
    }
}
