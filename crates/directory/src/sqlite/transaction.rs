//! One connection, lent to one transaction at a time.
//!
//! `sqlx::Transaction` either borrows its connection or takes it from a pool, and the pool asks the clock and the runtime
//! for help when a connection comes and goes. Here a fair mutex is enough. What cancelling leaves behind is settled by one
//! rule: as long as a transaction may be open, the connection is marked so, and whoever has it next rolls back first.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::connection;
use crate::StoreError;
use crate::sql::failure::general;

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
        let mut borrowed = Borrowed(connection);
        match sqlx::query(connection::BEGIN).execute(&mut *borrowed).await {
            Ok(_) => Ok(borrowed),
            Err(error) => {
                borrowed.0.may_be_open = false;
                Err(general(error))
            }
        }
    }

    /// Waits for the running transaction, then closes.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.0.lock().await.take() {
            Some(connection) => connection.raw.close().await.map_err(general),
            None => Ok(()),
        }
    }
}

/// The connection, lent to a transaction. Dropping it rolls back.
#[derive(Debug)]
pub(super) struct Borrowed(OwnedMappedMutexGuard<Option<Connection>, Connection>);

impl Borrowed {
    /// Commits. After an error, dropping rolls back what is left.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut *self).await?;
        self.0.may_be_open = false;
        Ok(())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // The next owner rolls back in any case. Other processes wait for the write lock, though, so the driver is asked
        // already now: polling once hands it the statement, and nobody waits for the answer.
        if self.0.may_be_open {
            let asking = pin!(sqlx::query("ROLLBACK").execute(&mut self.0.raw));
            let _ = asking.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Deref for Borrowed {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0.raw
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0.raw
    }
}
