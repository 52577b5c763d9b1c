//! How a replica learns of the others' writes, and what it believes while it cannot.
//!
//! Every commit that wrote raises a counter in the database and notifies whoever listens. One connection of its own
//! listens, and reads the counter at each notification and each second, so that a lost notification costs a second at
//! most. What was read is believed for [`BELIEF`]; once that is over, because the connection hangs or is gone, no two
//! revisions are equal and nothing that was remembered is used, until the counter has been read again. What was remembered
//! before such a gap is not used after it either: the database behind the address may be another one by then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, timeout};

use crate::Revision;

/// How often the counter is read although nobody notified.
const POLL: Duration = Duration::from_secs(1);

/// How long the counter's reading is believed: the bound on how long this replica can miss what another committed.
pub(super) const BELIEF: Duration = Duration::from_secs(3);

/// How long the server may take for an answer. With [`POLL`] less than [`BELIEF`].
const ANSWER: Duration = Duration::from_millis(1500);

/// How long to wait before another attempt to connect.
const RETRY: Duration = Duration::from_millis(200);

const CHANNEL: &str = "countersign_directory";

/// Ends a write: the counter goes up, and the listeners are told at the commit.
pub(super) const BUMP: &str = "WITH bumped AS (UPDATE directory_revision SET value = value + 1 RETURNING value) \
     SELECT value, pg_notify('countersign_directory', '') FROM bumped";

/// The lower bits of a state are the counter, those above count how often nothing remembered was to be used any more.
const COUNTER_BITS: u32 = 40;
const COUNTER: u64 = (1 << COUNTER_BITS) - 1;
/// The highest bit marks revisions that are equal to none.
const UNIQUE: u64 = 1 << 63;

/// What this process knows of the database's counter. Reading it is a read of memory.
#[derive(Debug)]
pub(super) struct Known {
    state: AtomicU64,
    /// Milliseconds after `start`.
    believed_until: AtomicU64,
    given_out: AtomicU64,
    start: Instant,
}

impl Known {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
            believed_until: AtomicU64::new(0),
            given_out: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    /// Whether the last reading of the counter is recent enough.
    pub(super) fn is_current(&self) -> bool {
        self.start.elapsed().as_millis() < u128::from(self.believed_until.load(Ordering::Acquire))
    }

    pub(super) fn revision(&self) -> Revision {
        if self.is_current() {
            Revision(self.state.load(Ordering::Acquire))
        } else {
            Revision(UNIQUE | self.given_out.fetch_add(1, Ordering::AcqRel))
        }
    }

    /// The counter was this high. Another reading may have overtaken this one.
    pub(super) fn saw(&self, counter: i64) {
        let counter = counter.unsigned_abs() & COUNTER;
        self.change(|state| (state & !COUNTER) | (state & COUNTER).max(counter));
    }

    /// Nothing remembered is to be used any more.
    pub(super) fn forget(&self) {
        self.change(|state| state.wrapping_add(COUNTER + 1) & !UNIQUE);
    }

    /// A new connection found the counter here, which may be lower than the one before had it.
    fn begin_anew(&self, counter: i64, asked: Instant) {
        self.change(|state| {
            (state.wrapping_add(COUNTER + 1) & !UNIQUE & !COUNTER) | (counter.unsigned_abs() & COUNTER)
        });
        self.believe(asked);
    }

    fn believe(&self, asked: Instant) {
        let until = (asked + BELIEF).duration_since(self.start).as_millis();
        self.believed_until.fetch_max(u64::try_from(until).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    fn change(&self, next: impl Fn(u64) -> u64) {
        let mut state = self.state.load(Ordering::Acquire);
        while let Err(other) = self.state.compare_exchange(state, next(state), Ordering::AcqRel, Ordering::Acquire) {
            state = other;
        }
    }
}

/// A connection that listens; the counter has been read once.
pub(super) async fn listen(options: &PgConnectOptions, known: &Known) -> Result<PgListener, sqlx::Error> {
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ANSWER)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    in_time(listener.listen(CHANNEL)).await?;
    let asked = Instant::now();
    let counter = read(&mut listener).await?;
    known.begin_anew(counter, asked);
    Ok(listener)
}

/// Keeps `known` up to date until it is aborted.
pub(super) async fn watch(options: PgConnectOptions, known: std::sync::Arc<Known>, mut listener: PgListener) {
    loop {
        let error = follow(&mut listener, &known).await;
        tracing::warn!(%error, "changes of the directory are not seen any more; connecting again");
        drop(listener);
        listener = loop {
            match listen(&options, &known).await {
                Ok(listener) => break listener,
                Err(error) => tracing::debug!(%error, "the database cannot be listened to"),
            }
            tokio::time::sleep(RETRY).await;
        };
        tracing::info!("changes of the directory are seen again");
    }
}

/// Follows the counter until something goes wrong.
async fn follow(listener: &mut PgListener, known: &Known) -> sqlx::Error {
    loop {
        match timeout(POLL, listener.try_recv()).await {
            Ok(Ok(Some(_))) => while listener.next_buffered().is_some() {},
            Ok(Ok(None)) => return sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            Ok(Err(error)) => return error,
            Err(_nobody_wrote) => {}
        }
        let asked = Instant::now();
        match read(listener).await {
            Ok(counter) => {
                known.saw(counter);
                known.believe(asked);
            }
            Err(error) => return error,
        }
    }
}

async fn read(listener: &mut PgListener) -> Result<i64, sqlx::Error> {
    in_time(sqlx::query_scalar("SELECT value FROM directory_revision").fetch_one(listener)).await
}

async fn in_time<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match timeout(ANSWER, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_believed_for_a_while_and_never_after() {
        let known = Known::new();
        assert_ne!(known.revision(), known.revision(), "nothing was read yet");
        known.begin_anew(7, Instant::now());
        let first = known.revision();
        assert_eq!(known.revision(), first);
        tokio::time::advance(BELIEF - Duration::from_millis(1)).await;
        assert_eq!(known.revision(), first);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_ne!(known.revision(), known.revision(), "the reading is too old");
        known.begin_anew(7, Instant::now());
        assert_ne!(known.revision(), first, "a gap forgets, though the counter is the same");
        assert_eq!(known.revision(), known.revision());
    }

    #[tokio::test(start_paused = true)]
    async fn one_write_is_one_change_however_often_it_is_seen() {
        let known = Known::new();
        known.begin_anew(7, Instant::now());
        let before = known.revision();
        known.saw(8);
        let after = known.revision();
        assert_ne!(after, before);
        known.saw(8);
        known.saw(7);
        assert_eq!(known.revision(), after);
        known.forget();
        assert_ne!(known.revision(), after);
        known.begin_anew(3, Instant::now());
        let lower = known.revision();
        known.saw(4);
        assert_ne!(known.revision(), lower, "a counter that was set back is followed");
    }
}
