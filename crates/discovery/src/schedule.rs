//! When a fetch may start. Pure: time is an argument, nothing here sends anything.
//!
//! Three needs have three budgets (`pitfalls` 10 and 11): having nothing, having something old, and being asked for a key
//! that the newest set does not hold. The last is what strangers can provoke at will, so its cooldown counts from the last
//! fetch whatever came of it; and no budget ever gates a *lookup*.

use std::time::Duration;

use countersign_token::{Randomness, Timestamp};

/// How keys are kept fresh. The defaults are what the module documentation of [`crate::RemoteKeys`] promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// Age from which keys are renewed in the background while the old ones serve on (12 h).
    pub refresh_after: Duration,
    /// Each renewal is moved by a random part of this, earlier or later, so that a fleet does not ask in step (1 h).
    pub jitter: Duration,
    /// Least distance between a fetch and the next one that an unknown `kid` may start (30 s). Also the first pause after
    /// which a `kid` that was proved absent is asked for again; further ones double, up to 10 minutes.
    pub cooldown: Duration,
    /// Age from which keys are no longer used at all (7 days).
    pub max_age: Duration,
    /// Limit for each of the two requests, metadata and keys (5 s).
    pub timeout: Duration,
    /// Largest response accepted, in bytes (512 KiB; Entra's key set has about 10).
    pub max_body_bytes: usize,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(12 * 3600),
            jitter: Duration::from_secs(3600),
            cooldown: Duration::from_secs(30),
            max_age: Duration::from_secs(7 * 24 * 3600),
            timeout: Duration::from_secs(5),
            max_body_bytes: 512 * 1024,
        }
    }
}

impl RefreshPolicy {
    /// When keys fetched at `now` become due: `refresh_after`, give or take the jitter.
    pub(crate) fn next_renewal(&self, now: Timestamp, randomness: &dyn Randomness) -> Timestamp {
        let mut bytes = [0; 4];
        randomness.fill(&mut bytes);
        let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        now.plus(self.refresh_after.saturating_sub(self.jitter)).plus((self.jitter * 2).mul_f64(part))
    }

    /// After this long a fetch is taken for lost, whatever became of its task: two requests and a little.
    pub(crate) fn overdue_after(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(1)
    }
}

/// Why somebody wants a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// No usable keys at all: callers wait.
    Keys,
    /// Usable keys that are due for renewal: nobody waits.
    Renewal,
    /// Usable keys without the one asked for.
    UnknownKey,
}

/// Longest time for which an endpoint's `Retry-After` is obeyed here. Longer, and a mistaken header would keep a rolled
/// signing key out for hours.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(300);

/// When fetches started and how they ended.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    last_started: Option<Timestamp>,
    failures: u32,
    pause: Option<(Timestamp, Duration)>,
    throttle: Option<(Timestamp, Duration)>,
}

/// Whether `duration` has passed since `since`. A clock that was set back makes it so: better one fetch too many.
fn passed(now: Timestamp, since: Timestamp, duration: Duration) -> bool {
    now < since || now.saturating_duration_since(since) >= duration
}

impl Schedule {
    /// Whether a fetch may start at `now`.
    pub(crate) fn allows(&self, need: Need, now: Timestamp, policy: &RefreshPolicy) -> bool {
        if self.throttle.is_some_and(|(since, duration)| !passed(now, since, duration)) {
            return false;
        }
        match need {
            Need::Keys | Need::Renewal => self.pause.is_none_or(|(since, duration)| passed(now, since, duration)),
            Need::UnknownKey => self.last_started.is_none_or(|since| passed(now, since, policy.cooldown)),
        }
    }

    /// Notes that a fetch starts.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.last_started = Some(now);
    }

    /// Notes that the fetch that started last was never carried out.
    pub(crate) fn forget_start(&mut self) {
        self.last_started = None;
    }

    /// Notes that a fetch brought keys.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.pause = None;
        self.throttle = None;
    }

    /// Notes that a fetch failed; returns how long renewals pause. With keys at hand there is no hurry.
    pub(crate) fn failed(&mut self, now: Timestamp, keys_at_hand: bool, retry_after: Option<Duration>) -> Duration {
        let (first, cap) = if keys_at_hand { (30, 300) } else { (1, 30) };
        let pause = Duration::from_secs((first << self.failures.min(10)).min(cap));
        self.failures = self.failures.saturating_add(1);
        self.pause = Some((now, pause));
        self.throttle = retry_after.map(|duration| (now, duration.min(RETRY_AFTER_CAP)));
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn renewals_are_spread_over_the_jitter() {
        let policy = RefreshPolicy::default();
        let times: Vec<i64> =
            (0..200).map(|_| policy.next_renewal(at(0), &SystemRandomness).as_unix_seconds()).collect();
        assert!(times.iter().all(|time| (11 * 3600..=13 * 3600).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time < 12 * 3600) && times.iter().any(|time| *time > 12 * 3600));
    }

    #[test]
    fn a10_the_cooldown_counts_from_the_last_fetch_whatever_came_of_it() {
        let policy = RefreshPolicy::default();
        for success in [true, false] {
            let mut schedule = Schedule::default();
            assert!(schedule.allows(Need::UnknownKey, at(0), &policy));
            schedule.started(at(0));
            if success {
                schedule.succeeded();
            } else {
                schedule.failed(at(0), true, None);
            }
            assert!(!schedule.allows(Need::UnknownKey, at(29), &policy), "success {success}");
            assert!(schedule.allows(Need::UnknownKey, at(30), &policy), "success {success}");
        }
    }

    #[test]
    fn pauses_grow_and_are_shorter_without_keys() {
        let mut schedule = Schedule::default();
        let pauses: Vec<u64> = (0..7).map(|_| schedule.failed(at(0), false, None).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        let mut schedule = Schedule::default();
        let pauses: Vec<u64> = (0..6).map(|_| schedule.failed(at(0), true, None).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        for _ in 0..100 {
            assert_eq!(schedule.failed(at(0), true, None).as_secs(), 300);
        }
    }

    #[test]
    fn e05_retry_after_is_obeyed_by_every_need_and_capped() {
        let policy = RefreshPolicy::default();
        let mut schedule = Schedule::default();
        schedule.started(at(0));
        schedule.failed(at(0), true, Some(Duration::from_secs(86_400)));
        for need in [Need::Keys, Need::Renewal, Need::UnknownKey] {
            assert!(!schedule.allows(need, at(299), &policy), "{need:?}");
            assert!(schedule.allows(need, at(300), &policy), "{need:?}");
        }
    }

    #[test]
    fn e15_a_clock_that_was_set_back_does_not_lock_anybody_out() {
        let policy = RefreshPolicy::default();
        let mut schedule = Schedule::default();
        schedule.started(at(1_000_000));
        schedule.failed(at(1_000_000), true, Some(Duration::from_secs(60)));
        for need in [Need::Keys, Need::Renewal, Need::UnknownKey] {
            assert!(schedule.allows(need, at(0), &policy), "{need:?}");
        }
    }
}
