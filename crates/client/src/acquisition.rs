//! Getting a token that is not at hand: one request in flight per question, whoever asks.
//!
//! Each request runs in a task of its own that nobody's impatience can end; callers wait for its outcome, good or bad, and
//! share it. Nobody waits for another question's request. A failed refresh is nobody's error while the old token lives;
//! a failed first acquisition is everybody's who waited. What keeps the next caller from asking anew is in `health.rs`;
//! otherwise a mended cause takes effect at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_token::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::access_token::AccessToken;
use crate::cache::Tokens;
use crate::error::AcquireError;
use crate::exchange::Exchange;
use crate::health::{Admission, HealthByEndpoint, PROBE_PAUSE, RETRY_AFTER_CAP, passed};
use crate::key::{Key, Subject};
use crate::lifetime::fraction;
use crate::question::{Grant, Granted, Question};
use crate::renewal::{self, Begun};
use crate::sessions::{Held, SessionId, Sessions};
use crate::telemetry::{self, Reason};
use crate::turns::Turns;

type Outcome = Result<AccessToken, AcquireError>;
type Waiting = watch::Receiver<Option<Outcome>>;

/// Tokens at hand and requests under way; several clients may share one.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) turns: Turns,
    pub(crate) health: HealthByEndpoint,
    pending: Mutex<PendingByKey>,
    flights: AtomicU64,
    /// How often everything was forgotten. What was asked for before that is not kept when it comes.
    forgotten: AtomicU64,
}

type PendingByKey = HashMap<Key, Pending, foldhash::fast::RandomState>;

/// A request that is under way.
#[derive(Debug)]
struct Pending {
    number: u64,
    started: Timestamp,
    /// Shared with a second request for the same question, if one is sent while the circuit is open: whichever brings a
    /// token first, everybody has it.
    outcome: Arc<watch::Sender<Option<Outcome>>>,
}

/// What a caller without a token can do.
enum Next {
    Wait(Waiting),
    Done(Outcome),
}

impl Store {
    pub(crate) fn new(capacity: usize, max_bytes: Option<usize>) -> Self {
        Self {
            tokens: Tokens::new(capacity, max_bytes),
            sessions: Sessions::default(),
            turns: Turns::default(),
            health: HealthByEndpoint::default(),
            pending: Mutex::default(),
            flights: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PendingByKey> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets every token and every session. Who asks from now on does not wait for a request that is under way.
    pub(crate) fn clear(&self) {
        let mut pending = self.lock();
        pending.clear();
        self.forgotten.fetch_add(1, Ordering::Relaxed);
        self.tokens.clear();
        self.sessions.clear();
    }

    /// Ends a session, if `which` says that it is the one, and forgets its tokens; nobody waits for those under way.
    pub(crate) fn end(
        &self,
        session: &SessionId,
        subject: &Subject,
        which: impl FnOnce(&Held) -> bool,
    ) -> Option<Held> {
        let mut pending = self.lock();
        let ended = self.sessions.end(session, which);
        // Without a session there is nothing that the tokens could still belong to.
        if !self.sessions.is_alive(session) {
            self.tokens.forget(subject);
            pending.retain(|key, _| key.subject().owner() != subject.owner());
        }
        ended
    }

    /// Keeps what an answer brought that was not asked for by a flight.
    pub(crate) fn keep(&self, key: Key, token: AccessToken, now: Timestamp) {
        let _writer = self.lock();
        self.tokens.keep(key, token, None, now);
    }
}

/// Gets the token of a question that the cache could not answer.
pub(crate) async fn acquire(exchange: &Arc<Exchange>, question: Question) -> Outcome {
    // Twice, because the first wait may be for a request whose runtime was shut down under it.
    for _ in 0..2 {
        match join_or_start(exchange, &question) {
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
pub(crate) fn refresh(exchange: &Arc<Exchange>, question: Question, token: &AccessToken, now: Timestamp) {
    if !token.claim_refresh(now, exchange.overdue_after()) {
        return;
    }
    let key = question.lookup(&exchange.identity).to_key();
    let mut pending = exchange.store.lock();
    if pending.get(&key).is_some_and(|flight| !passed(now, flight.started, exchange.overdue_after())) {
        return;
    }
    match exchange.health(&question.grant).admit(now, &*exchange.randomness) {
        Err(refusal) => {
            token.postpone_refresh(now, refusal.retry_after().unwrap_or(PROBE_PAUSE).max(PROBE_PAUSE));
        }
        Ok(admission) => {
            // Without a runtime there is nobody to do it; the token serves on.
            let took_off = take_off(exchange, &mut pending, key, question, Some(token.clone()), &admission, now);
            drop(pending);
            if let Some((task, runtime)) = took_off {
                runtime.spawn(task.run());
            }
        }
    }
}

fn join_or_start(exchange: &Arc<Exchange>, question: &Question) -> Next {
    let now = exchange.clock.now();
    let pending = exchange.store.lock();
    // A request may have landed between the look into the cache and the lock.
    if let Some(token) = exchange.at_hand(question, now) {
        return Next::Done(Ok(token));
    }
    let kept_under = question.lookup(&exchange.identity).to_key();
    let key = match (&question.refused, &question.grant) {
        // Callers who answer the same challenge share a request; those who ask the plain question do not wait for it.
        (Some(_), _) => {
            let claims = question.claims.as_deref().unwrap_or_default();
            kept_under.with_subject(question.subject.asked_with(Some(claims), &question.query))
        }
        // A session is begun for one user, whoever else begins one of the same name meanwhile.
        (None, Grant::OnBehalfOf { assertion, session: Some(_) }) => {
            kept_under.with_subject(question.subject.begun_with(assertion.digest()))
        }
        (None, _) => kept_under,
    };
    let health = exchange.health(&question.grant);
    let under_way = pending.get(&key).filter(|it| !passed(now, it.started, exchange.overdue_after()));
    if let Some(flight) = under_way {
        // One that hangs on an endpoint which does not answer is not waited for alone: the endpoint may be back.
        let hangs = health.is_open() && passed(now, flight.started, PROBE_PAUSE);
        if !hangs || health.admit(now, &*exchange.randomness).is_err() {
            return Next::Wait(flight.outcome.subscribe());
        }
        return start(exchange, pending, key, question, &Admission::Probe, now);
    }
    match health.admit(now, &*exchange.randomness) {
        Ok(admission) => start(exchange, pending, key, question, &admission, now),
        Err(refusal) => Next::Done(Err(refusal)),
    }
}

fn start(
    exchange: &Arc<Exchange>,
    mut pending: MutexGuard<'_, PendingByKey>,
    key: Key,
    question: &Question,
    admission: &Admission,
    now: Timestamp,
) -> Next {
    let Some((task, runtime)) = take_off(exchange, &mut pending, key, question.clone(), None, admission, now) else {
        return Next::Done(Err(AcquireError::NoRuntime));
    };
    let waiting = task.outcome.subscribe();
    // A runtime that is shutting down drops the task at once, and the task takes the lock when it is dropped.
    drop(pending);
    runtime.spawn(task.run());
    Next::Wait(waiting)
}

fn take_off(
    exchange: &Arc<Exchange>,
    pending: &mut PendingByKey,
    key: Key,
    mut question: Question,
    old: Option<AccessToken>,
    admission: &Admission,
    now: Timestamp,
) -> Option<(Flight, Handle)> {
    let runtime = Handle::try_current().ok()?;
    question.correlation_id = question.correlation_id.or_else(|| exchange.request_id());
    let number = exchange.store.flights.fetch_add(1, Ordering::Relaxed);
    let outcome = match pending.get(&key) {
        Some(other) if !passed(now, other.started, exchange.overdue_after()) => Arc::clone(&other.outcome),
        _ => Arc::new(watch::channel(None).0),
    };
    pending.insert(key.clone(), Pending { number, started: now, outcome: Arc::clone(&outcome) });
    let probe = matches!(admission, Admission::Probe);
    let reason = if old.is_some() {
        Reason::ProactivelyRefreshed
    } else if question.refused.is_some() {
        Reason::ForceRefreshOrClaims
    } else if exchange.store.tokens.last(&key).is_some() {
        Reason::Expired
    } else {
        Reason::NoCachedAccessToken
    };
    let forgotten = exchange.store.forgotten.load(Ordering::Relaxed);
    let exchange = Arc::clone(exchange);
    let flight = Flight { exchange, key, question, old, number, forgotten, probe, reason, outcome, landed: false };
    Some((flight, runtime))
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
    /// The question's key; that of a challenge differs from the one its token is kept under.
    key: Key,
    question: Question,
    /// The token that is to be refreshed, if there is one.
    old: Option<AccessToken>,
    number: u64,
    /// [`Store::forgotten`] when it took off.
    forgotten: u64,
    probe: bool,
    reason: Reason,
    outcome: Arc<watch::Sender<Option<Outcome>>>,
    landed: bool,
}

impl Flight {
    async fn run(mut self) {
        let span = self.span();
        let begun = Instant::now();
        let outcome = self.ask().instrument(span.clone()).await;
        self.landed = true;
        self.report(&outcome, begun.elapsed(), &span);
        let current = self.land(&outcome);
        // A request that was overtaken tells its failure to nobody: its successor has the last word.
        if current || outcome.is_ok() {
            self.outcome.send_replace(Some(outcome.map(|granted| granted.token)));
        }
    }

    fn span(&self) -> tracing::Span {
        tracing::info_span!(
            "acquire_token",
            grant = self.question.grant.name(),
            tenant = %self.question.tenant,
            reason = self.reason.as_str(),
            source = tracing::field::Empty,
            herd = tracing::field::Empty,
            code = tracing::field::Empty,
            correlation_id = self.question.correlation_id.map(tracing::field::display),
        )
    }

    fn report(&self, outcome: &Result<Granted, AcquireError>, took: Duration, span: &tracing::Span) {
        let herd = self.outcome.receiver_count();
        span.record("herd", herd);
        match outcome {
            Ok(granted) => {
                span.record("source", granted.source.as_str());
            }
            Err(error) => {
                span.record("code", error.code());
                span.record("correlation_id", error.correlation_id());
            }
        }
        let now = self.exchange.clock.now();
        telemetry::fetched(self.question.grant.name(), self.reason, outcome, took, herd, now);
    }

    /// Asks the cache that processes share, if there is one, and the authority.
    async fn ask(&self) -> Result<Granted, AcquireError> {
        let (exchange, question) = (&*self.exchange, &self.question);
        let key = question.lookup(&exchange.identity).to_key();
        // What this process knows to be at its end is not taken from another cache either: another clock may say otherwise.
        let last = exchange.store.tokens.last(&key);
        let unwanted = question.refused.as_ref().or(self.old.as_ref()).or(last.as_ref());
        if let Grant::RefreshToken { session } = &question.grant {
            return renewal::renew(exchange, question, *session, unwanted, self.probe).await;
        }
        let request = |once: bool| exchange.request(question, None, self.probe || once);
        let (shared, session) = (exchange.shared(), question.grant.begins());
        match (shared, session) {
            (Some(shared), None) => shared.obtain(exchange, &key, unwanted, request).await,
            (None, None) => request(false).await,
            (_, Some((session, assertion))) => {
                let granted = request(false).await?;
                if let Some(refresh_token) = granted.refresh_token.clone() {
                    let begun = Begun { tenant: exchange.home_of(question, None), with: Some(*assertion.digest()) };
                    renewal::begin(exchange, session, begun, refresh_token, &key, &granted.token).await;
                } else if !exchange.store.sessions.began_with(&session, assertion.digest()) {
                    exchange.store.end(&session, &question.subject, |_| true);
                }
                Ok(granted)
            }
        }
    }

    fn is_current(&self, pending: &PendingByKey) -> bool {
        pending.get(&self.key).is_some_and(|flight| flight.number == self.number)
    }

    /// Whether somebody has signed out while the token was on its way, has begun another session of the same name, or has
    /// had everything forgotten: then it is not to be found at hand.
    fn is_out_of_date(&self, granted: &Granted) -> bool {
        let store = &self.exchange.store;
        let its_session_goes_on = match (&self.question.grant, granted.family) {
            (Grant::RefreshToken { session }, Some(family)) => store.sessions.is_of(session, family),
            (Grant::OnBehalfOf { assertion, session: Some(session) }, _) if granted.refresh_token.is_some() => {
                store.sessions.began_with(session, assertion.digest())
            }
            _ => true,
        };
        !its_session_goes_on || store.forgotten.load(Ordering::Relaxed) != self.forgotten
    }

    /// Writes down what came of it, and says whether it still was its question's request. One that was given up meanwhile
    /// may still bring a token, but clears no path.
    fn land(&self, outcome: &Result<Granted, AcquireError>) -> bool {
        let store = &self.exchange.store;
        let now = self.exchange.clock.now();
        let mut pending = store.lock();
        let current = self.is_current(&pending);
        if current {
            pending.remove(&self.key);
        }
        match outcome {
            Ok(granted) => {
                if !self.is_out_of_date(granted) {
                    let key = self.question.lookup(&self.exchange.identity).to_key();
                    store.tokens.keep(key, granted.token.clone(), self.question.refused.as_ref(), now);
                }
            }
            Err(error) => {
                drop(pending);
                if let Some(old) = &self.old {
                    self.refresh_failed(old, error, now);
                }
            }
        }
        current
    }

    fn refresh_failed(&self, old: &AccessToken, error: &AcquireError, now: Timestamp) {
        // With its causes: nobody else ever sees this error.
        let cause: &(dyn std::error::Error + 'static) = error;
        tracing::warn!(
            error = cause,
            code = error.code(),
            "renewing an access token failed; the one at hand serves on"
        );
        let asked = error.retry_after().map(|duration| duration.min(RETRY_AFTER_CAP));
        let spread = 0.8 + 0.4 * fraction(&*self.exchange.randomness);
        old.refresh_failed(now, |failures| {
            let pause = Duration::from_secs((30_u64 << failures.min(4)).min(300)).mul_f64(spread);
            asked.map_or(pause, |asked| asked.max(pause))
        });
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        // The task panicked or its runtime was shut down: the way is free for the next, and waiters see it go.
        let mut pending = self.exchange.store.lock();
        if self.is_current(&pending) {
            pending.remove(&self.key);
        }
        drop(pending);
        if let Some(old) = &self.old {
            old.refresh_failed(self.exchange.clock.now(), |_| Duration::from_secs(30));
        }
    }
}
