//! How long a token is handed out and when its successor is asked for. Pure.
//!
//! - It counts from *before* the request, so that the network's delay shortens a life and never lengthens it.
//! - It is handed out until 5 s before it expires (a tenth of its life, if that is less): time for one call to arrive.
//!   Whatever becomes of its renewal, it is handed out until then (`pitfalls` 40).
//! - Its successor is asked for when the authority says (`refresh_in`), otherwise at half its life, give or take a
//!   tenth of that, so that a fleet that started together does not ask together.

use std::time::Duration;

use countersign_token::{Randomness, Timestamp};

/// The times of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// When it was asked for, from which the others count.
    pub(crate) asked_at: Timestamp,
    pub(crate) expires_on: Timestamp,
    pub(crate) usable_until: Timestamp,
    pub(crate) refresh_on: Timestamp,
}

/// How long before its end a token is no longer handed out.
const MARGIN: Duration = Duration::from_secs(5);

/// Longer lives are cut to this: Entra's longest tokens (continuous access evaluation) live up to 28 hours, and a larger
/// number is more likely a mistake than a promise.
const LONGEST: Duration = Duration::from_secs(28 * 3600);

/// How far two machines' clocks may be apart.
const SKEW: Duration = Duration::from_secs(300);

/// Later than `refresh_in` by at most this.
const MAX_SPREAD: Duration = Duration::from_secs(300);

impl Lifetime {
    /// None for a token that is dead on arrival.
    pub(crate) fn new(
        asked_at: Timestamp,
        expires_in: u64,
        refresh_in: Option<u64>,
        randomness: &dyn Randomness,
    ) -> Option<Self> {
        if expires_in == 0 {
            return None;
        }
        let life = Duration::from_secs(expires_in).min(LONGEST);
        let part = fraction(randomness);
        let until_refresh = match refresh_in.map(Duration::from_secs) {
            // Not before the authority wants to be asked, and soon after.
            Some(wanted) if !wanted.is_zero() && wanted < life => {
                wanted + ((life - wanted) / 10).min(MAX_SPREAD).mul_f64(part)
            }
            _ => life.mul_f64(0.45 + part / 10.0),
        };
        Some(Self {
            asked_at,
            expires_on: asked_at.plus(life),
            usable_until: asked_at.plus(life - MARGIN.min(life / 10)),
            refresh_on: asked_at.plus(until_refresh),
        })
    }

    /// As this machine's clock sees it: the other machine's may be ahead, and then the token's whole life is. A difference
    /// of a few seconds is no step back of ours (`pitfalls` E15), or a fleet would renew what has just been renewed. None
    /// if one of the two clocks is plainly wrong: then nobody knows how old the token is.
    pub(crate) fn as_of_another_clock(self, now: Timestamp) -> Option<Self> {
        let ahead = self.asked_at.saturating_duration_since(now);
        (ahead <= SKEW).then(|| Self {
            asked_at: self.asked_at.minus(ahead),
            expires_on: self.expires_on.minus(ahead),
            usable_until: self.usable_until.minus(ahead),
            refresh_on: self.refresh_on.minus(ahead),
        })
    }

    /// Handed out no longer than until `end`, whatever its own life.
    pub(crate) fn ending(self, end: Option<Timestamp>) -> Self {
        Self { usable_until: end.map_or(self.usable_until, |end| self.usable_until.min(end)), ..self }
    }
}

/// From 0 to 1.
pub(crate) fn fraction(randomness: &dyn Randomness) -> f64 {
    let mut bytes = [0; 4];
    randomness.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;

    fn lives(expires_in: u64, refresh_in: Option<u64>) -> Vec<(i64, i64, i64)> {
        let start = Timestamp::from_unix_seconds(0);
        (0..200)
            .map(|_| Lifetime::new(start, expires_in, refresh_in, &SystemRandomness).unwrap())
            .map(|l| (l.expires_on.as_unix_seconds(), l.usable_until.as_unix_seconds(), l.refresh_on.as_unix_seconds()))
            .collect()
    }

    #[test]
    fn half_life_give_or_take_a_tenth_of_it() {
        let lives = lives(3599, None);
        assert!(lives.iter().all(|life| life.0 == 3599 && life.1 == 3594));
        assert!(lives.iter().all(|life| (1619..=1980).contains(&life.2)), "{lives:?}");
        assert!(lives.iter().any(|life| life.2 < 1790) && lives.iter().any(|life| life.2 > 1810));
    }

    #[test]
    fn refresh_in_is_a_lower_bound() {
        let lives = lives(86_399, Some(43_199));
        assert!(lives.iter().all(|life| (43_199..=43_500).contains(&life.2)), "{lives:?}");
    }

    #[test]
    fn e15_a_clock_that_is_ahead_lends_no_life() {
        let at = Timestamp::from_unix_seconds;
        let life = Lifetime { asked_at: at(300), expires_on: at(3900), usable_until: at(3895), refresh_on: at(2100) };
        let seen = Lifetime { asked_at: at(0), expires_on: at(3600), usable_until: at(3595), refresh_on: at(1800) };
        assert_eq!(life.as_of_another_clock(at(0)), Some(seen));
        assert_eq!(life.as_of_another_clock(at(3000)), Some(life));
        assert_eq!(life.as_of_another_clock(at(-1)), None);
    }

    #[test]
    fn c12_odd_lifetimes_give_safe_times() {
        assert!(Lifetime::new(Timestamp::from_unix_seconds(0), 0, None, &SystemRandomness).is_none());
        assert_eq!(lives(u64::MAX, None)[0].0, 28 * 3600);
        // A refresh time beyond the end, or at once, counts as none.
        for odd in [0, 3600, u64::MAX] {
            assert!(lives(3600, Some(odd)).iter().all(|life| (1600..2000).contains(&life.2)), "{odd}");
        }
        assert_eq!(lives(10, None)[0].1, 9);
        for seconds in 1..100 {
            let start = Timestamp::from_unix_seconds(0);
            let life = Lifetime::new(start, seconds, None, &SystemRandomness).unwrap();
            assert!(
                start < life.refresh_on && life.refresh_on < life.usable_until && life.usable_until < life.expires_on
            );
        }
    }
}
