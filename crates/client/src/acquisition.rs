//! Getting a token that is not at hand: one request in flight per question, whoever asks.
//!
//! Each request runs in a task of its own that nobody's impatience can end; callers wait for its outcome, good or bad, and
//! share it. Nobody waits for another question's request. A failed refresh is nobody's error while the old token lives;
//! a failed first acquisition is everybody's who waited. Only an answer that says so by `Retry-After` (429 or 503) keeps
//! the next caller from asking anew (`pitfalls` E05); without it a mended cause takes effect at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_protocol::ScopeSet;
use countersign_token::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::access_token::AccessToken;
use crate::cache::Tokens;
use crate::error::AcquireError;
use crate::exchange::Exchange;
use crate::key::{Key, Lookup};
use crate::lifetime::fraction;

type Outcome = Result<AccessToken, AcquireError>;
type Waiting = watch::Receiver<Option<Outcome>>;

/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// Tokens at hand and requests under way; several clients may share one.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) tokens: Tokens,
    pending: Mutex<PendingByKey>,
    flights: AtomicU64,
}

type PendingByKey = HashMap<Key, Pending, foldhash::fast::RandomState>;

#[derive(Debug)]
enum Pending {
    /// A request is under way.
    Flight { number: u64, started: Timestamp, outcome: Waiting },
    /// The authority asked to be left alone for a while.
    Gate { since: Timestamp, duration: Duration, error: AcquireError },
}

/// What a caller without a token can do.
enum Next {
    Wait(Waiting),
    Done(Outcome),
}

impl Store {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { tokens: Tokens::new(capacity), pending: Mutex::default(), flights: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, PendingByKey> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops gates that have opened, so that keys which fail once do not stay for ever.
    fn sweep(pending: &mut PendingByKey, now: Timestamp) {
        pending.retain(|_, entry| match entry {
            Pending::Flight { .. } => true,
            Pending::Gate { since, duration, .. } => !passed(now, *since, *duration),
        });
    }
}

/// Whether `duration` has passed since `since`. A clock that was set back makes it so.
fn passed(now: Timestamp, since: Timestamp, duration: Duration) -> bool {
    now < since || now.saturating_duration_since(since) >= duration
}

/// From so many entries on, opened gates are swept out first, and no further gate is set up: memory is bounded even
/// against an authority that throttles everything.
const MAX_GATES: usize = 10_000;

/// Gets the token of a question that the cache could not answer.
pub(crate) async fn acquire(exchange: &Arc<Exchange>, lookup: Lookup<'_>) -> Outcome {
    // Twice, because the first wait may be for a request whose runtime was shut down under it.
    for _ in 0..2 {
        match join_or_start(exchange, lookup) {
            Next::Done(outcome) => return outcome,
            Next::Wait(waiting) => {
                if let Some(outcome) = wait(exchange, waiting).await {
                    return outcome;
                }
            }
        }
    }
    Err(AcquireError::Abandoned)
}

/// Starts a refresh of `token` in the background, unless one is under way.
pub(crate) fn refresh(exchange: &Arc<Exchange>, lookup: Lookup<'_>, token: &AccessToken, now: Timestamp) {
    if !token.claim_refresh(now, now.plus(exchange.overdue_after())) {
        return;
    }
    let key = lookup.to_key();
    let mut pending = exchange.store.lock();
    match pending.get(&key) {
        Some(Pending::Flight { started, .. }) if !passed(now, *started, exchange.overdue_after()) => {}
        Some(Pending::Gate { since, duration, .. }) if !passed(now, *since, *duration) => {}
        _ => {
            // Without a runtime there is nobody to do it; the token serves on.
            if let Some((task, runtime)) =
                take_off(exchange, &mut pending, key, lookup.scopes, Some(token.clone()), now)
            {
                drop(pending);
                runtime.spawn(task.run());
            }
        }
    }
}

fn join_or_start(exchange: &Arc<Exchange>, lookup: Lookup<'_>) -> Next {
    let now = exchange.clock.now();
    let mut pending = exchange.store.lock();
    // A request may have landed between the look into the cache and the lock.
    if let Some(token) = exchange.store.tokens.find(&lookup, now) {
        return Next::Done(Ok(token));
    }
    let key = lookup.to_key();
    match pending.get(&key) {
        Some(Pending::Flight { started, outcome, .. }) if !passed(now, *started, exchange.overdue_after()) => {
            return Next::Wait(outcome.clone());
        }
        Some(Pending::Gate { since, duration, error }) if !passed(now, *since, *duration) => {
            let left = duration.saturating_sub(now.saturating_duration_since(*since));
            return Next::Done(Err(error.clone().with_retry_after(left)));
        }
        _ => {}
    }
    let Some((task, runtime)) = take_off(exchange, &mut pending, key, lookup.scopes, None, now) else {
        return Next::Done(Err(AcquireError::NoRuntime));
    };
    let waiting = task.sender.subscribe();
    // A runtime that is shutting down drops the task at once, and the task takes the lock when it is dropped.
    drop(pending);
    runtime.spawn(task.run());
    Next::Wait(waiting)
}

fn take_off(
    exchange: &Arc<Exchange>,
    pending: &mut PendingByKey,
    key: Key,
    scopes: &ScopeSet,
    old: Option<AccessToken>,
    now: Timestamp,
) -> Option<(Flight, Handle)> {
    let runtime = Handle::try_current().ok()?;
    if pending.len() >= MAX_GATES {
        Store::sweep(pending, now);
    }
    let (sender, outcome) = watch::channel(None);
    let number = exchange.store.flights.fetch_add(1, Ordering::Relaxed);
    pending.insert(key.clone(), Pending::Flight { number, started: now, outcome });
    Some((Flight { exchange: Arc::clone(exchange), key, scopes: scopes.clone(), old, number, sender }, runtime))
}

/// Waits no longer than a request may take: its runtime may have stopped turning. None if it went away without outcome.
async fn wait(exchange: &Exchange, mut waiting: Waiting) -> Option<Outcome> {
    match tokio::time::timeout(exchange.overdue_after(), waiting.wait_for(Option::is_some)).await {
        Ok(Ok(outcome)) => outcome.clone(),
        Ok(Err(_)) => None,
        Err(_) => Some(Err(AcquireError::Abandoned)),
    }
}

/// One request's task.
struct Flight {
    exchange: Arc<Exchange>,
    key: Key,
    scopes: ScopeSet,
    /// The token that is to be refreshed, if there is one.
    old: Option<AccessToken>,
    number: u64,
    sender: watch::Sender<Option<Outcome>>,
}

impl Flight {
    async fn run(self) {
        let outcome = self.exchange.request_token(&self.key.tenant, &self.scopes).await;
        self.land(&outcome);
        self.sender.send_replace(Some(outcome));
    }

    /// Writes down what came of it. A flight that was given up meanwhile may still bring a token, but clears no path.
    fn land(&self, outcome: &Outcome) {
        let store = &self.exchange.store;
        let now = self.exchange.clock.now();
        let mut pending = store.lock();
        let current = matches!(pending.get(&self.key), Some(Pending::Flight { number, .. }) if *number == self.number);
        if current {
            pending.remove(&self.key);
        }
        match outcome {
            Ok(token) => store.tokens.keep(self.key.clone(), token.clone(), now),
            Err(error) => {
                let asked = error.retry_after().map(|duration| duration.min(RETRY_AFTER_CAP));
                if let Some(duration) =
                    asked.filter(|duration| current && !duration.is_zero() && pending.len() < MAX_GATES)
                {
                    pending.insert(self.key.clone(), Pending::Gate { since: now, duration, error: error.clone() });
                }
                drop(pending);
                if let Some(old) = &self.old {
                    self.refresh_failed(old, error, asked, now);
                }
            }
        }
    }

    fn refresh_failed(&self, old: &AccessToken, error: &AcquireError, asked: Option<Duration>, now: Timestamp) {
        // With its causes: nobody else ever sees this error.
        let cause: &(dyn std::error::Error + 'static) = error;
        tracing::warn!(
            error = cause,
            code = error.code(),
            "renewing an access token failed; the one at hand serves on"
        );
        let spread = 0.8 + 0.4 * fraction(&*self.exchange.randomness);
        old.refresh_failed(|failures| {
            let pause = Duration::from_secs((30_u64 << failures.min(4)).min(300)).mul_f64(spread);
            now.plus(asked.map_or(pause, |asked| asked.max(pause)))
        });
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.sender.borrow().is_some() {
            return;
        }
        // The task panicked or its runtime was shut down: the way is free for the next, and waiters see it go.
        let mut pending = self.exchange.store.lock();
        if matches!(pending.get(&self.key), Some(Pending::Flight { number, .. }) if *number == self.number) {
            pending.remove(&self.key);
        }
        drop(pending);
        if let Some(old) = &self.old {
            let now = self.exchange.clock.now();
            old.refresh_failed(|_| now.plus(Duration::from_secs(30)));
        }
    }
}
