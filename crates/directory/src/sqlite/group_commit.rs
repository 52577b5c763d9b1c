//! Statements of the ledger, many to a commit.
//!
//! A lasting commit waits for the disk, and the disk does one such wait at a time. So whoever comes while a commit is
//! under way queues, and the next transaction runs all of them: the more there are, the less each waits.
//!
//! The transactions run in a task of their own, which lives as long as there is something queued. A caller who goes away
//! leaves his statement behind; it runs or does not, and the others notice nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use tokio::sync::oneshot;

use super::transaction::Lender;
use crate::StoreError;
use crate::sql::Query;
use crate::sql::failure::general;

/// So many statements share a transaction at most; others who want the connection wait as long.
const AT_MOST: usize = 256;

/// A statement and who waits for its rows.
struct Job {
    query: Query,
    caller: oneshot::Sender<Result<Vec<SqliteRow>, StoreError>>,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    /// Whether a task takes from here.
    served: bool,
}

/// The queue before the connection.
#[derive(Clone, Default)]
pub(super) struct GroupCommit(Arc<Mutex<Waiting>>);

impl std::fmt::Debug for GroupCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GroupCommit")
    }
}

impl GroupCommit {
    fn with<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a statement; its rows, once they are lasting.
    pub(super) async fn run(
        &self,
        query: Query,
        lender: &Lender,
        patience: Duration,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let (caller, rows) = oneshot::channel();
        let served = self.with(|waiting| {
            waiting.jobs.push(Job { query, caller });
            std::mem::replace(&mut waiting.served, true)
        });
        if !served {
            let serving = Serving { queue: self.clone(), ended: false };
            tokio::spawn(serve(serving, lender.clone(), patience));
        }
        rows.await.unwrap_or_else(|_| Err(StoreError::Io("the runtime that wrote has ended".into())))
    }
}

/// The task that takes from the queue. If it ends before the queue is empty, because its runtime does, those who wait are
/// told, and the next caller begins a new one.
struct Serving {
    queue: GroupCommit,
    ended: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let abandoned = self.queue.with(|waiting| {
            waiting.served = false;
            std::mem::take(&mut waiting.jobs)
        });
        drop(abandoned);
    }
}

async fn serve(mut serving: Serving, lender: Lender, patience: Duration) {
    loop {
        let jobs = serving.queue.with(|waiting| {
            if waiting.jobs.is_empty() {
                // In the same breath as the look: whoever comes now finds nobody serving and begins.
                waiting.served = false;
            }
            let some = waiting.jobs.len().min(AT_MOST);
            waiting.jobs.drain(..some).collect::<Vec<_>>()
        });
        if jobs.is_empty() {
            serving.ended = true;
            return;
        }
        let (queries, callers): (Vec<_>, Vec<_>) =
            jobs.into_iter().filter(|job| !job.caller.is_closed()).map(|job| (job.query, job.caller)).unzip();
        match together(queries, &lender, patience).await {
            Ok(answers) => {
                for (caller, rows) in callers.into_iter().zip(answers) {
                    let _gone = caller.send(Ok(rows));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for caller in callers {
                    let _gone = caller.send(Err(shared(&error)));
                }
            }
        }
    }
}

/// All of them in one transaction, or none: no statement of the ledger fails by itself.
async fn together(queries: Vec<Query>, lender: &Lender, patience: Duration) -> Result<Vec<Vec<SqliteRow>>, StoreError> {
    let mut tx = lender.begin(patience).await?;
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        answers.push(query.of().fetch_all(&mut *tx).await.map_err(general)?);
    }
    tx.commit().await.map_err(general)?;
    Ok(answers)
}

/// One failure, told to each who shared the transaction.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<StoreError>);

fn shared(error: &Arc<StoreError>) -> StoreError {
    let cause = Box::new(Shared(Arc::clone(error)));
    match &**error {
        StoreError::Busy(_) => StoreError::Busy(cause),
        StoreError::Io(_) => StoreError::Io(cause),
        StoreError::Corrupt { what, .. } => StoreError::Corrupt { what: what.clone(), source: Some(cause) },
        _ => StoreError::Database(cause),
    }
}
