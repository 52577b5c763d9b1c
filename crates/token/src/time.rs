//! Time as an argument: the clock is a type, so that no test waits and `--lab` can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z, leap seconds ignored.
///
/// Source: RFC 7519 §2. Fractions are permitted there; Entra's tokens never carry them, and [`crate::verify`] refuses
/// them. Client assertions are read leniently, see [`crate::assertion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumericDate(pub i64);

/// A point in time with nanoseconds, valid from 1678 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

const NANOS: i64 = 1_000_000_000;

impl Timestamp {
    /// From whole seconds since the epoch; saturates at the range's ends.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_unix_seconds(self) -> i64 {
        self.0.div_euclid(NANOS)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The claim's form: whole seconds, rounded down.
    #[must_use]
    pub const fn numeric_date(self) -> NumericDate {
        NumericDate(self.as_unix_seconds())
    }

    /// Later by `duration`; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `duration`; saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long since `earlier`; zero when the clock was set back meanwhile.
    #[must_use]
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's clock, to within a few milliseconds.
///
/// On Linux it is read as of the kernel's last tick (`CLOCK_REALTIME_COARSE`, 1 to 10 ms old), because asking for more is
/// a third of what a token at hand costs in all, and nothing here counts in less than seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        machine_time()
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn machine_time() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    // A clock before 1970 is read as 1970: tokens are then not yet valid, which fails closed.
    Timestamp(time.tv_sec.max(0).saturating_mul(NANOS).saturating_add(time.tv_nsec))
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is the one door to the machine's clock")]
fn machine_time() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A clock that stands still until it is told otherwise. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use countersign_token::{Clock, FakeClock, Timestamp};
///
/// let clock = FakeClock::at(Timestamp::from_unix_seconds(1_767_225_600));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().as_unix_seconds(), 1_767_225_660);
/// ```
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// Sets the time, forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the time forward.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The machine's clock, moved by an offset that can be changed while it runs, or stopped: what `--lab` and the demo turn.
/// Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct OffsetClock(Arc<Turned>);

#[derive(Debug)]
struct Turned {
    offset: AtomicI64,
    /// Where it stands; [`RUNNING`] while it runs.
    stopped_at: AtomicI64,
}

/// No clock stands here: it is before everything.
const RUNNING: i64 = i64::MIN;

impl Default for Turned {
    fn default() -> Self {
        Self { offset: AtomicI64::new(0), stopped_at: AtomicI64::new(RUNNING) }
    }
}

impl OffsetClock {
    /// Moves the time forward by so many seconds, back if negative. A stopped clock stands there then.
    pub fn advance_seconds(&self, seconds: i64) {
        let nanos = seconds.saturating_mul(NANOS);
        self.0.offset.fetch_add(nanos, Ordering::SeqCst);
        if self.is_frozen() {
            self.0.stopped_at.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    /// Stops the clock at the time it shows.
    pub fn freeze(&self) {
        let now = self.now().0;
        self.0.stopped_at.store(now, Ordering::SeqCst);
    }

    /// Lets a stopped clock run on from where it stands.
    pub fn thaw(&self) {
        let stopped_at = self.0.stopped_at.swap(RUNNING, Ordering::SeqCst);
        if stopped_at != RUNNING {
            self.0.offset.store(stopped_at.saturating_sub(SystemClock.now().0), Ordering::SeqCst);
        }
    }

    /// Whether it stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.0.stopped_at.load(Ordering::SeqCst) != RUNNING
    }

    /// Shows the machine's time again, and runs.
    pub fn reset(&self) {
        self.0.stopped_at.store(RUNNING, Ordering::SeqCst);
        self.0.offset.store(0, Ordering::SeqCst);
    }

    /// By how many seconds the time is moved; of a stopped clock, when it stopped.
    #[must_use]
    pub fn offset_seconds(&self) -> i64 {
        self.0.offset.load(Ordering::SeqCst) / NANOS
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        match self.0.stopped_at.load(Ordering::SeqCst) {
            RUNNING => Timestamp(SystemClock.now().0.saturating_add(self.0.offset.load(Ordering::SeqCst))),
            stopped_at => Timestamp(stopped_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp::from_nanos(1_999_999_999).as_unix_seconds(), 1);
        assert_eq!(Timestamp::from_nanos(-1).as_unix_seconds(), -1);
    }

    #[test]
    fn a_stopped_clock_stands_moves_when_it_is_moved_and_runs_on_from_there() {
        let clock = OffsetClock::default();
        clock.freeze();
        let stopped = clock.now();
        assert_eq!(clock.now(), stopped);
        clock.advance_seconds(3600);
        assert_eq!(clock.now(), stopped.plus(Duration::from_secs(3600)));
        clock.thaw();
        assert!(!clock.is_frozen() && clock.now() >= stopped.plus(Duration::from_secs(3600)));
        clock.freeze();
        clock.reset();
        assert!(!clock.is_frozen() && clock.offset_seconds() == 0);
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_unix_seconds(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(u64::MAX)), end);
        assert_eq!(Timestamp::from_unix_seconds(1).saturating_duration_since(end), Duration::ZERO);
    }
}
