//! How a host of the authority's fares, as all questions see it that one client asks there: the wait it asked for, and a
//! circuit breaker. A client may have three hosts (a regional one, one for certificates, the global one), and what one of
//! them suffers says nothing about the others.
//!
//! - `Retry-After` (with 429 or any 5xx) holds back every question of the same client at that host, as Entra means it
//!   (`pitfalls` E05): it throttles applications, not scopes.
//! - After five exchanges in a row that met a dead or stumbling server, the circuit is open (E06): callers without a token
//!   get the last error at once instead of a time-out each, and one probe a second goes out. The first answer of any kind
//!   closes it, so that service is back within two seconds of the endpoint's.
//!
//! A token at hand asks nothing here. What an authority *answers*, a refusal included, is a sign of life.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use countersign_protocol::AuthorityHost;
use countersign_token::{Randomness, Timestamp};

use crate::authority::Authority;
use crate::error::AcquireError;
use crate::lifetime::fraction;

/// The longest `Retry-After` that is obeyed.
pub(crate) const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// So many exchanges in a row open the circuit.
const FAILURES_TO_OPEN: u32 = 5;

/// While it is open, the longest pause between two probes.
pub(crate) const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// The host's state, shared by the clones of a client and by its twins on the same cache.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The wait that was asked for.
    gate: Option<(Timestamp, Duration, AcquireError)>,
    failures: u32,
    /// The open circuit: since when, how long until the next probe, and why.
    pause: Option<(Timestamp, Duration, Arc<AcquireError>)>,
}

/// Whether a request may go out.
#[derive(Debug)]
pub(crate) enum Admission {
    Go,
    /// Go, but only to see whether the endpoint lives.
    Probe,
}

/// Whether `duration` has passed since `since`. A clock that was set back makes it so.
pub(crate) fn passed(now: Timestamp, since: Timestamp, duration: Duration) -> bool {
    now < since || now.saturating_duration_since(since) >= duration
}

fn left(now: Timestamp, since: Timestamp, duration: Duration) -> Duration {
    duration.saturating_sub(now.saturating_duration_since(since))
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whether a request may go out now.
    ///
    /// # Errors
    /// What the caller gets instead.
    pub(crate) fn admit(&self, now: Timestamp, randomness: &dyn Randomness) -> Result<Admission, AcquireError> {
        let mut state = self.lock();
        if let Some((since, duration, error)) = &state.gate {
            if !passed(now, *since, *duration) {
                return Err(error.clone().with_retry_after(left(now, *since, *duration)));
            }
            state.gate = None;
        }
        let Some((since, duration, cause)) = &mut state.pause else { return Ok(Admission::Go) };
        if !passed(now, *since, *duration) {
            let retry_after = left(now, *since, *duration);
            return Err(AcquireError::Unavailable { retry_after, cause: Arc::clone(cause) });
        }
        *since = now;
        *duration = PROBE_PAUSE.mul_f64(0.5 + fraction(randomness) / 2.0);
        Ok(Admission::Probe)
    }

    /// Notes what became of an exchange.
    pub(crate) fn note(&self, outcome: Result<(), &AcquireError>, now: Timestamp) {
        let mut state = self.lock();
        let Err(error) = outcome else {
            // A late success of an exchange that began before a wait was asked for does not end the wait.
            state.failures = 0;
            state.pause = None;
            return;
        };
        if let Some(asked) = error.retry_after().filter(|asked| !asked.is_zero()) {
            state.gate = Some((now, asked.min(RETRY_AFTER_CAP), error.clone()));
        }
        if !error.is_outage() {
            if error.is_answer() {
                state.failures = 0;
                state.pause = None;
            }
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_TO_OPEN && state.pause.is_none() {
            tracing::warn!(%error, "the token endpoint does not answer; one request a second tries whether it does again");
            state.pause = Some((now, PROBE_PAUSE, Arc::new(error.clone())));
        }
    }

    /// Whether the circuit is open.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().pause.is_some()
    }
}

/// The states that a store knows, by host and client. A state lives as long as a client holds it.
#[derive(Debug, Default)]
pub(crate) struct HealthByEndpoint(Mutex<HashMap<String, Weak<Health>>>);

impl HealthByEndpoint {
    pub(crate) fn of(&self, endpoint: String) -> Arc<Health> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = states.get(&endpoint).and_then(Weak::upgrade) {
            return health;
        }
        states.retain(|_, health| health.strong_count() > 0);
        let health = Arc::new(Health::default());
        states.insert(endpoint, Arc::downgrade(&health));
        health
    }
}

/// The states of the hosts that one client asks.
#[derive(Debug)]
pub(crate) struct Hosts {
    global: Arc<Health>,
    others: Vec<(AuthorityHost, Arc<Health>)>,
}

impl Hosts {
    /// Those of `authority`, as its client finds them.
    pub(crate) fn new(states: &HealthByEndpoint, authority: &Authority) -> Self {
        let state = |host: &AuthorityHost| states.of(format!("{host} {}", authority.client_id));
        let others = authority.other_hosts().map(|host| (host.clone(), state(host))).collect();
        Self { global: state(&authority.host), others }
    }

    /// The state of one of them.
    pub(crate) fn at(&self, host: &AuthorityHost) -> &Health {
        self.others.iter().find(|(known, _)| known == host).map_or(&self.global, |(_, health)| health)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unusable::NoResponse;
    use countersign_discovery::TransportError;
    use countersign_token::SeededRandomness;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn dead() -> AcquireError {
        NoResponse::because(TransportError::Connect("refused".into()), None)
    }

    #[test]
    fn e06_five_failures_open_the_circuit_and_one_answer_closes_it() {
        let (health, random) = (Health::default(), SeededRandomness::from_seed(1));
        for _ in 0..FAILURES_TO_OPEN {
            assert!(matches!(health.admit(at(0), &random), Ok(Admission::Go)));
            health.note(Err(&dead()), at(0));
        }
        let refused = health.admit(at(10), &random).unwrap_err();
        assert!(matches!(refused, AcquireError::Unavailable { .. }) && refused.is_retryable());
        assert!(matches!(health.admit(at(1000), &random), Ok(Admission::Probe)));
        assert!(health.admit(at(1001), &random).is_err(), "one probe at a time");
        assert!(matches!(health.admit(at(2001), &random), Ok(Admission::Probe)), "however the first fares");
        // A refusal is an answer.
        health.note(Err(&AcquireError::TenantAlias), at(2002));
        assert!(health.is_open(), "a fault of this end says nothing");
        health.note(Ok(()), at(2003));
        assert!(matches!(health.admit(at(2004), &random), Ok(Admission::Go)));
    }

    #[test]
    fn e15_a_clock_that_is_set_back_opens_gates() {
        let (health, random) = (Health::default(), SeededRandomness::from_seed(1));
        let wait = AcquireError::Throttled {
            status: 429,
            retry_after: Duration::from_secs(60),
            refusal: None,
            correlation_id: None,
        };
        health.note(Err(&wait), at(100_000));
        assert!(health.admit(at(100_000), &random).is_err());
        assert!(health.admit(at(0), &random).is_ok());
    }

    #[test]
    fn clients_of_one_endpoint_share_its_state_while_one_of_them_lives() {
        let states = HealthByEndpoint::default();
        let (one, two, other) = (states.of("a".into()), states.of("a".into()), states.of("b".into()));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        drop((one, two));
        let _third = states.of("c".into());
        assert_eq!(states.0.lock().unwrap().len(), 2, "the dead one was swept");
    }
}
