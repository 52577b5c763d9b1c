//! The machinery behind [`crate::RemoteKeys`]: one published set, one fetch in flight, one schedule.
//!
//! Readers see only `published`, an atomic pointer. Two mutexes guard what belongs to fetching and what belongs to keys
//! that nobody publishes; neither is held for more than a few instructions, or across an await, or with the other.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use bytes::Bytes;
use countersign_token::{ClientId, Clock, KeySet, Randomness, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use url::Url;

use crate::absent_keys::AbsentKeys;
use crate::document::{Document, json_body, read_keys, read_metadata};
use crate::error::{FetchError, KeysUnavailable};
use crate::published::{PublishedKeys, Standing};
use crate::retry_after::retry_after;
use crate::schedule::{Need, RefreshPolicy, Schedule};
use crate::snapshot::KeySnapshot;
use crate::transport::{Limits, Transport, TransportError};

/// Where fetching begins.
#[derive(Debug)]
pub(crate) enum Origin {
    /// At a metadata document, which names the keys.
    Metadata(Url),
    /// At the keys themselves.
    Keys(Url),
}

impl Origin {
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::Metadata(url) | Self::Keys(url) => url,
        }
    }

    /// Adds `appid`, which metadata repeats in its `jwks_uri`.
    pub(crate) fn for_application(&mut self, application: ClientId) {
        let (Self::Metadata(url) | Self::Keys(url)) = self;
        url.query_pairs_mut().append_pair("appid", &application.to_string());
    }
}

/// How many callers may wait for a fetch at a time, per source.
///
/// Each holds its request, token included, for as long as a fetch may take. Without a bound, a flood against an endpoint
/// that hangs becomes memory: at 100,000 requests a second and 5 s, half a million of them. 4,096 is far more than a
/// healthy endpoint ever gathers, which answers within some tens of milliseconds.
const MAX_WAITING: usize = 4_096;

/// How a wait for a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The fetch has an outcome, good or bad.
    Landed,
    /// The fetch went away without one.
    Lost,
    /// The fetch took longer than any fetch may.
    TooLong,
    /// There was no wait: too many wait already.
    NoRoom,
}

pub(crate) struct Fetching {
    origin: Origin,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    policy: RefreshPolicy,
    published: ArcSwapOption<PublishedKeys>,
    /// What of them a verdict that was reached before is compared with.
    standing: Standing,
    /// Until then (nanoseconds) nobody needs to take the lock only to learn that no renewal may start.
    renewal_closed_until: AtomicI64,
    state: Mutex<State>,
    /// What nobody publishes. Not touched by a look-up that finds its key.
    absent: Mutex<AbsentKeys>,
    /// One permit per caller who may wait; it comes back when the wait ends, cancelled or not.
    waiting: Semaphore,
    /// Where every fetched set is kept besides.
    snapshot_file: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    flight: Option<Flight>,
    fetches: u64,
    document: Option<Arc<Document>>,
    last_failure: Option<Arc<FetchError>>,
}

struct Flight {
    number: u64,
    started: Timestamp,
    done: watch::Receiver<bool>,
}

struct Answer {
    document: Option<Arc<Document>>,
    keys: KeySet,
    body: Bytes,
}

struct Failure {
    error: FetchError,
    retry_after: Option<Duration>,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self { error, retry_after: None }
    }
}

impl Fetching {
    pub(crate) fn new(
        origin: Origin,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        policy: RefreshPolicy,
    ) -> Self {
        Self {
            origin,
            transport,
            clock,
            randomness,
            policy,
            published: ArcSwapOption::empty(),
            standing: Standing::default(),
            renewal_closed_until: AtomicI64::new(i64::MIN),
            state: Mutex::default(),
            absent: Mutex::default(),
            waiting: Semaphore::new(MAX_WAITING),
            snapshot_file: None,
        }
    }

    pub(crate) fn keeping(self, snapshot_file: Option<PathBuf>) -> Self {
        Self { snapshot_file, ..self }
    }

    /// Begins with keys of an earlier fetch. They are due at once, and they count by their own age.
    pub(crate) fn start_with(&self, snapshot: KeySnapshot) {
        let keys = snapshot.into_published(&self.policy, self.now());
        tracing::info!(keys = keys.len(), "starting with keys that were fetched earlier");
        self.put(Arc::new(keys));
    }

    fn put(&self, keys: Arc<PublishedKeys>) {
        self.standing.note(&keys);
        self.published.store(Some(keys));
    }

    /// The generation of the keys that are usable at `now`. Starts a renewal when one is due.
    pub(crate) fn generation_at(self: &Arc<Self>, now: Timestamp) -> Option<u64> {
        let (generation, is_due) = self.standing.at(now)?;
        if is_due && let Some(keys) = &*self.published() {
            self.renew_if_due(keys, now);
        }
        Some(generation)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn published(&self) -> Guard<Option<Arc<PublishedKeys>>> {
        self.published.load()
    }

    pub(crate) fn usable(&self, now: Timestamp) -> Option<Arc<PublishedKeys>> {
        self.published.load_full().filter(|keys| keys.usable_at(now))
    }

    pub(crate) fn unavailable(&self) -> KeysUnavailable {
        let cause = self.lock().last_failure.clone().unwrap_or_else(|| Arc::new(FetchError::Abandoned));
        self.unavailable_because(cause)
    }

    pub(crate) fn unavailable_because(&self, cause: Arc<FetchError>) -> KeysUnavailable {
        if self.published.load().is_some() {
            KeysUnavailable::TooOld(cause)
        } else {
            KeysUnavailable::NeverFetched(cause)
        }
    }

    /// Whether `keys` are so new that a key which they lack was published by nobody: no fetch for it may start so soon.
    pub(crate) fn proves_absence(&self, keys: &PublishedKeys, now: Timestamp) -> bool {
        keys.fetch > 0 && now.saturating_duration_since(keys.fetched_at) <= self.policy.cooldown
    }

    pub(crate) fn unconfirmed(&self) -> KeysUnavailable {
        let cause = self.lock().last_failure.clone();
        KeysUnavailable::Unconfirmed(cause.unwrap_or_else(|| Arc::new(FetchError::Abandoned)))
    }

    /// Whether `key_id` was proved absent, and it is too early to ask for it again.
    pub(crate) fn is_absent(&self, key_id: &str, now: Timestamp) -> bool {
        self.absent().pauses(key_id, now)
    }

    /// Notes that `keys`, which were fetched, lack `key_id`.
    pub(crate) fn note_absent(&self, key_id: &str, keys: &PublishedKeys, now: Timestamp) {
        self.absent().proved(key_id, keys.fetch, keys.fetched_at, self.policy.cooldown, now);
    }

    pub(crate) fn absent(&self) -> MutexGuard<'_, AbsentKeys> {
        // As for the state: whatever a panic leaves behind is a memory of fewer keys.
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a renewal if `keys` are due and one may start; never waits.
    pub(crate) fn renew_if_due(self: &Arc<Self>, keys: &PublishedKeys, now: Timestamp) {
        if !keys.due_at(now) {
            return;
        }
        let closed_for = self.renewal_closed_until.load(Ordering::Relaxed).saturating_sub(now.as_nanos());
        // A value far ahead was written before the clock was set back; it binds nobody.
        if closed_for > 0 && closed_for < 600 * 1_000_000_000 {
            return;
        }
        self.start(Need::Renewal, now);
    }

    /// Starts a fetch if `need` may have one now; returns the end of that fetch, or of the one under way.
    pub(crate) fn start(self: &Arc<Self>, need: Need, now: Timestamp) -> Option<watch::Receiver<bool>> {
        let mut state = self.lock();
        if let Some(flight) = &state.flight
            && now.saturating_duration_since(flight.started) < self.policy.overdue_after()
        {
            return Some(flight.done.clone());
        }
        if !state.schedule.allows(need, now, &self.policy) {
            return None;
        }
        let Ok(runtime) = Handle::try_current() else {
            state.last_failure = Some(Arc::new(FetchError::NoRuntime));
            return None;
        };
        state.schedule.started(now);
        state.fetches += 1;
        let (sender, done) = watch::channel(false);
        state.flight = Some(Flight { number: state.fetches, started: now, done: done.clone() });
        // An unknown key is looked for where the keys were last found: one request, not two.
        let known = state.document.clone().filter(|_| need == Need::UnknownKey);
        let landing =
            Landing { fetching: Arc::clone(self), number: state.fetches, started: now, sender, landed: false };
        self.close_renewal(now.plus(self.policy.overdue_after()));
        // A runtime that is shutting down drops the task at once, and with it the landing, which takes the lock.
        drop(state);
        runtime.spawn(landing.run(known));
        Some(done)
    }

    fn close_renewal(&self, until: Timestamp) {
        self.renewal_closed_until.store(until.as_nanos(), Ordering::Relaxed);
    }

    /// Waits for a fetch to end, but no longer than a fetch may take: its runtime may have stopped turning. With
    /// [`MAX_WAITING`] there already, does not wait.
    pub(crate) async fn wait(&self, mut done: watch::Receiver<bool>) -> Waited {
        let Ok(_place) = self.waiting.try_acquire() else { return Waited::NoRoom };
        match tokio::time::timeout(self.policy.overdue_after(), done.wait_for(|done| *done)).await {
            Ok(Ok(_)) => Waited::Landed,
            Ok(Err(_)) => Waited::Lost,
            Err(_) => Waited::TooLong,
        }
    }

    async fn fetch(&self, known: Option<Arc<Document>>) -> Result<Answer, Failure> {
        let document = match (&self.origin, known) {
            (Origin::Keys(_), _) => None,
            (Origin::Metadata(_), Some(known)) => Some(known),
            (Origin::Metadata(url), None) => Some(Arc::new(read_metadata(&self.get(url.as_str()).await?, url)?)),
        };
        let (url, cloud) = match (&self.origin, &document) {
            (_, Some(document)) => (document.jwks_uri.as_str(), document.cloud.as_deref()),
            (Origin::Keys(url) | Origin::Metadata(url), None) => (url.as_str(), None),
        };
        let body = self.get(url).await?;
        let keys = read_keys(&body, cloud)?;
        Ok(Answer { document, keys, body })
    }

    async fn get(&self, url: &str) -> Result<Bytes, Failure> {
        let request = http::Request::get(url)
            .header(http::header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|error| FetchError::Transport(TransportError::Request(error.into())))?;
        let limits = Limits { timeout: self.policy.timeout, max_body_bytes: self.policy.max_body_bytes };
        // The transport keeps both limits; whatever it is made of, this room holds it to them.
        let response = tokio::time::timeout(limits.timeout, self.transport.send(request, limits))
            .await
            .unwrap_or(Err(TransportError::Timeout { after: limits.timeout }))
            .map_err(FetchError::Transport)?;
        if response.body().len() > limits.max_body_bytes {
            let error = TransportError::TooLarge { limit: limits.max_body_bytes };
            return Err(FetchError::Transport(error).into());
        }
        let retry_after = retry_after(response.headers(), self.now());
        json_body(response).map_err(|error| Failure { error, retry_after })
    }

    fn land(&self, number: u64, started: Timestamp, outcome: Result<Answer, Failure>) {
        let now = self.now();
        let mut state = self.lock();
        if state.flight.as_ref().is_some_and(|flight| flight.number == number) {
            state.flight = None;
        }
        let old = self.published.load_full();
        if old.as_ref().is_some_and(|old| old.fetch > number) {
            return;
        }
        match outcome {
            Ok(answer) => {
                state.schedule.succeeded();
                state.last_failure = None;
                state.document.clone_from(&answer.document);
                self.publish(number, started, old.as_deref(), answer);
            }
            Err(failure) => {
                let at_hand = old.is_some_and(|old| old.usable_at(now));
                let pause = state.schedule.failed(now, at_hand, failure.retry_after);
                self.close_renewal(now.plus(pause));
                // Whatever was wrong may be wrong with the address: look it up anew next time.
                state.document = None;
                tracing::warn!(
                    error = %Chain(&failure.error),
                    keys_at_hand = at_hand,
                    "fetching the issuer's keys failed"
                );
                state.last_failure = Some(Arc::new(failure.error));
            }
        }
    }

    fn publish(&self, number: u64, started: Timestamp, old: Option<&PublishedKeys>, answer: Answer) {
        let document = answer.document.as_deref();
        let issuer: Option<Arc<str>> = document.and_then(|document| document.issuer.as_deref()).map(Arc::from);
        let cloud: Option<Arc<str>> = document.and_then(|document| document.cloud.as_deref()).map(Arc::from);
        let same = old.filter(|old| old.source == answer.body && old.issuer == issuer && old.cloud == cloud);
        let generation = same.map_or_else(|| old.map_or(0, |old| old.generation) + 1, |same| same.generation);
        if same.is_none() {
            tracing::info!(
                generation,
                keys = answer.keys.len(),
                skipped = answer.keys.skipped().len(),
                "the issuer's keys are new"
            );
        }
        let published = Arc::new(PublishedKeys {
            keys: same.map_or_else(|| Arc::new(answer.keys), |same| Arc::clone(&same.keys)),
            generation,
            issuer,
            cloud,
            fetched_at: started,
            renew_at: self.policy.next_renewal(started, &*self.randomness),
            unusable_at: started.plus(self.policy.max_age),
            fetch: number,
            source: answer.body,
        });
        if let Some(path) = self.snapshot_file.clone() {
            let snapshot = KeySnapshot::of(&published, self.origin.url());
            // A disk that is slow or full costs nobody keys that were just fetched.
            tokio::task::spawn_blocking(move || snapshot.keep(&path));
        }
        self.put(published);
    }
}

/// One fetch's task: it owns its lifetime, and whatever ends it, the way is free for the next.
struct Landing {
    fetching: Arc<Fetching>,
    number: u64,
    started: Timestamp,
    sender: watch::Sender<bool>,
    landed: bool,
}

impl Landing {
    async fn run(mut self, known: Option<Arc<Document>>) {
        let outcome = self.fetching.fetch(known).await;
        self.fetching.land(self.number, self.started, outcome);
        self.landed = true;
        self.sender.send_replace(true);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        if std::thread::panicking() {
            self.fetching.land(self.number, self.started, Err(FetchError::Abandoned.into()));
        } else {
            // Its runtime is shutting down, which says nothing about the endpoint: another runtime may try at once.
            let mut state = self.fetching.lock();
            if state.flight.as_ref().is_some_and(|flight| flight.number == self.number) {
                state.flight = None;
            }
            state.schedule.forget_start();
            self.fetching.close_renewal(self.started);
        }
    }
}

/// Prints an error with its causes, at the edge where it leaves the program.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
