//! Which `kid`s a fetch proved absent, and until when nobody asks for them again.
//!
//! Without this memory one client with an old token causes a fetch per cooldown for as long as it lives.
//! It gates fetches only: a key that is at hand is found before anybody looks here. It never grows beyond [`ROOM`], and
//! keeps no text of strangers: a `kid` is known by a 64-bit hash with a key that is drawn at random per source, so that
//! nobody can choose two that meet. Should two meet by chance, the one is not asked for while the other is not.
//!
//! Pure: time is an argument, nothing here sends anything. When fetches may start at all is in `schedule.rs`.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::time::Duration;

use countersign_token::Timestamp;

/// The longest time for which a key that was proved absent is not asked for.
///
/// Not longer, because a proof is only as good as the document it rests on: after a roll-over an edge of the CDN may serve
/// the old one for a while, and whoever asked that edge for the new key must find it soon after it arrives there.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How many are remembered: clients with an old token are few, and strangers' inventions are not worth more.
pub(crate) const ROOM: usize = 1_024;

/// How many make room in a full memory at a time: so many further ones are then noted before anybody searches again.
const FREED_AT_ONCE: usize = ROOM / 8;

/// What is remembered of a key that was proved absent.
#[derive(Debug, Clone, Copy)]
struct Absence {
    /// Until then it is not asked for.
    until: Timestamp,
    /// The pause that ends then; the next one is twice as long.
    pause: Duration,
    /// The fetch that proved it: each counts once, however many callers learned of it.
    fetch: u64,
}

impl Absence {
    /// Whether it was noted before the clock was set back, and counts for nothing. No pause ends so late.
    fn is_void(&self, now: Timestamp) -> bool {
        self.until.saturating_duration_since(now) > LONGEST_PAUSE
    }
}

/// The memory of keys that nobody publishes.
#[derive(Debug)]
pub(crate) struct AbsentKeys {
    by_hash: HashMap<u64, Absence>,
    /// No entry's pause ends before.
    soonest: Timestamp,
}

impl Default for AbsentKeys {
    /// An empty memory.
    fn default() -> Self {
        Self { by_hash: HashMap::new(), soonest: Timestamp::from_nanos(i64::MAX) }
    }
}

impl AbsentKeys {
    /// Whether `key_id` was proved absent so lately, or so often, that it is not asked for at `now`.
    pub(crate) fn pauses(&self, key_id: &str, now: Timestamp) -> bool {
        self.by_hash.get(&self.hash(key_id)).is_some_and(|absence| now < absence.until && !absence.is_void(now))
    }

    /// Notes that the fetch of this number, begun at `fetched_at`, brought keys without `key_id`. The first pause is
    /// `cooldown`, each further one twice the last.
    pub(crate) fn proved(
        &mut self,
        key_id: &str,
        fetch: u64,
        fetched_at: Timestamp,
        cooldown: Duration,
        now: Timestamp,
    ) {
        let hash = self.hash(key_id);
        let known = self.by_hash.get(&hash).copied();
        let counting = known.filter(|absence| !absence.is_void(now));
        if counting.is_some_and(|absence| absence.fetch >= fetch) {
            return;
        }
        let pause = counting.map_or(cooldown, |absence| absence.pause * 2).min(LONGEST_PAUSE);
        let absence = Absence { until: fetched_at.plus(pause), pause, fetch };
        if known.is_none() && self.by_hash.len() >= ROOM {
            // A flood of names is proved absent by one fetch and ends at one time: the first of them fill the memory, and
            // the others cost no more than this comparison.
            let soonest_counts = self.soonest.saturating_duration_since(now) <= LONGEST_PAUSE;
            if soonest_counts && absence.until <= self.soonest {
                return;
            }
            self.make_room(now);
        }
        self.soonest = self.soonest.min(absence.until);
        self.by_hash.insert(hash, absence);
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Lets go of what counts for nothing, and of those whose pause ends, or ended, soonest.
    fn make_room(&mut self, now: Timestamp) {
        self.by_hash.retain(|_, absence| !absence.is_void(now));
        if self.by_hash.len() > ROOM - FREED_AT_ONCE {
            let mut ends: Vec<_> = self.by_hash.iter().map(|(hash, absence)| (absence.until, *hash)).collect();
            let too_many = ends.len() - (ROOM - FREED_AT_ONCE);
            let (soonest, ..) = ends.select_nth_unstable(too_many);
            for (_, hash) in soonest {
                self.by_hash.remove(hash);
            }
        }
        let ends = self.by_hash.values().map(|absence| absence.until);
        self.soonest = ends.min().unwrap_or(Timestamp::from_nanos(i64::MAX));
    }

    /// The map's own hasher has a random key, and this is its one use for text.
    fn hash(&self, key_id: &str) -> u64 {
        self.by_hash.hasher().hash_one(key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    /// Notes that the fetch begun at `seconds` proved it; its number is its time.
    fn proved(absent: &mut AbsentKeys, key_id: &str, seconds: i64) {
        absent.proved(key_id, u64::try_from(seconds).unwrap(), at(seconds), COOLDOWN, at(seconds));
    }

    #[test]
    fn a10_each_further_proof_doubles_the_pause_up_to_ten_minutes() {
        let (mut absent, mut now) = (AbsentKeys::default(), 0);
        assert!(!absent.pauses("stale", at(now)));
        for pause in [30, 60, 120, 240, 480, 600, 600, 600] {
            proved(&mut absent, "stale", now);
            assert!(absent.pauses("stale", at(now)) && absent.pauses("stale", at(now + pause - 1)), "{pause}");
            now += pause;
            assert!(!absent.pauses("stale", at(now)), "{pause}");
        }
        assert!(!absent.pauses("other", at(0)));
    }

    #[test]
    fn one_fetch_proves_once_however_many_learned_of_it() {
        let mut absent = AbsentKeys::default();
        for _ in 0..1000 {
            proved(&mut absent, "stale", 0);
        }
        assert!(absent.pauses("stale", at(29)) && !absent.pauses("stale", at(30)));
        // Somebody who waited for an older fetch takes nothing back either.
        proved(&mut absent, "stale", 40);
        proved(&mut absent, "stale", 0);
        assert!(absent.pauses("stale", at(99)) && !absent.pauses("stale", at(100)));
    }

    #[test]
    fn a32_e11_a_flood_is_forgotten_before_what_was_proved_often() {
        let mut absent = AbsentKeys::default();
        for seconds in [0, 30, 90, 210] {
            proved(&mut absent, "stale", seconds);
        }
        for window in 7..14 {
            for number in 0..20_000 {
                proved(&mut absent, &format!("forged-{window}-{number}"), window * 30);
                assert!(absent.by_hash.len() <= ROOM);
            }
            assert!(absent.pauses("stale", at(window * 30)), "window {window}");
        }
        assert_eq!(absent.by_hash.len(), ROOM);
        assert!(absent.by_hash.capacity() < 4 * ROOM, "{}", absent.by_hash.capacity());
    }

    #[test]
    fn a_full_memory_makes_room_by_an_eighth_and_the_rest_stays() {
        let mut absent = AbsentKeys::default();
        let name = |number: i64| format!("stale-{number}");
        let full = i64::try_from(ROOM).unwrap();
        let eighth = i64::try_from(FREED_AT_ONCE).unwrap();
        for number in 0..full {
            proved(&mut absent, &name(number), number);
        }
        proved(&mut absent, "one more", full);
        assert_eq!(absent.by_hash.len(), ROOM - FREED_AT_ONCE + 1);
        let knows = |number: i64| absent.by_hash.contains_key(&absent.hash(&name(number)));
        assert!((0..eighth).all(|number| !knows(number)), "the soonest are gone");
        assert!((eighth..full).all(knows), "and no others");
    }

    #[test]
    fn e15_what_was_noted_before_the_clock_was_set_back_counts_for_nothing() {
        let mut absent = AbsentKeys::default();
        for number in 0..ROOM {
            proved(&mut absent, &format!("stale-{number}"), 1_000_000);
        }
        assert!(absent.pauses("stale-7", at(1_000_000)));
        assert!(!absent.pauses("stale-7", at(1_000)), "its time is far ahead");
        assert!(absent.pauses("stale-7", at(1_000_030 - 600)), "ten minutes ahead are in order");
        // Neither do they keep others out, nor is the first pause after that a second one.
        absent.proved("other", 1_000_001, at(1_000), COOLDOWN, at(1_000));
        assert!(absent.pauses("other", at(1_029)));
        absent.proved("stale-7", 1_000_001, at(1_000), COOLDOWN, at(1_000));
        assert!(absent.pauses("stale-7", at(1_029)) && !absent.pauses("stale-7", at(1_030)));
    }
}
