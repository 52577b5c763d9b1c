//! The tokens at hand, bounded by their number and by their bytes.
//!
//! Reading takes no lock, neither against other readers nor against writers. Writing happens once per fetched token and
//! is serialised by whoever fetches. Nothing is written to disk.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_token::Timestamp;
use foldhash::fast::RandomState;

use crate::access_token::AccessToken;
use crate::key::{Key, Lookup, Subject};

/// As many tokens as a cache holds unless it is told otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 10_000;

/// For each token of the capacity, so many bytes unless the cache is told otherwise; a token of Entra has 1 to 3 kB.
const BYTES_PER_TOKEN: usize = 8 * 1024;

/// What the map and the allocator add to an entry, roughly.
const OVERHEAD: usize = 64;

pub(crate) struct Tokens {
    map: papaya::HashMap<Key, AccessToken, RandomState>,
    capacity: usize,
    max_bytes: usize,
    bytes: AtomicUsize,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("len", &self.map.len()).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

fn weight(key: &Key, token: &AccessToken) -> usize {
    key.weight() + token.weight() + OVERHEAD
}

impl Tokens {
    /// `max_bytes` defaults to what so many tokens reach at most in practice.
    pub(crate) fn new(capacity: usize, max_bytes: Option<usize>) -> Self {
        let capacity = capacity.max(1);
        Self {
            map: papaya::HashMap::with_hasher(RandomState::default()),
            capacity,
            max_bytes: max_bytes.unwrap_or_else(|| capacity.saturating_mul(BYTES_PER_TOKEN)),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of keys and tokens, roughly what they take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The token for this question, if it may still be handed out.
    #[inline]
    pub(crate) fn find(&self, lookup: &Lookup<'_>, now: Timestamp) -> Option<AccessToken> {
        self.map.pin().get(lookup).filter(|token| token.usable_at(now)).cloned()
    }

    /// The token for this question, alive or not.
    pub(crate) fn last(&self, key: &Key) -> Option<AccessToken> {
        self.map.pin().get(key).cloned()
    }

    /// Keeps `token`, and makes room for it; unless the one at hand lives longer and is not the one that was `refused`.
    /// A token that may not be handed out is not kept either. To be called by one writer at a time.
    pub(crate) fn keep(&self, key: Key, token: AccessToken, refused: Option<&AccessToken>, now: Timestamp) {
        if !token.usable_at(now) {
            return;
        }
        let map = self.map.pin();
        if let Some(old) = map.get(&key) {
            let unwanted = refused.is_some_and(|refused| refused.same_as(old));
            if !unwanted && old.usable_at(now) && !old.is_ahead_of(now) && old.expires_on() > token.expires_on() {
                return;
            }
            self.shrink(weight(&key, old));
        }
        self.bytes.fetch_add(weight(&key, &token), Ordering::Relaxed);
        map.insert(key, token);
        if !self.is_over() {
            return;
        }
        map.retain(|key, token| {
            let keep = token.usable_at(now);
            if !keep {
                self.shrink(weight(key, token));
            }
            keep
        });
        if !self.is_over() {
            return;
        }
        // Of those that all live, the ones that expire soonest go, a few more than needed: the scan is not for one only.
        let mut by_end: Vec<(Timestamp, Key)> =
            map.iter().map(|(key, token)| (token.expires_on(), key.clone())).collect();
        by_end.sort_unstable_by_key(|(end, _)| *end);
        let (mut spare, last) = (self.capacity / 64, by_end.len().saturating_sub(1));
        for (_, key) in &by_end[..last] {
            if !self.is_over() {
                if spare == 0 {
                    break;
                }
                spare -= 1;
            }
            self.remove(key);
        }
    }

    fn is_over(&self) -> bool {
        self.map.len() > self.capacity || self.bytes() > self.max_bytes
    }

    fn shrink(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn remove(&self, key: &Key) {
        if let Some(old) = self.map.pin().remove(key) {
            self.shrink(weight(key, old));
        }
    }

    /// Forgets everything of one subject, asked with whatever claims.
    pub(crate) fn forget(&self, subject: &Subject) {
        self.map.pin().retain(|key, token| {
            let keep = key.subject().owner() != subject.owner();
            if !keep {
                self.shrink(weight(key, token));
            }
            keep
        });
    }

    /// Forgets everything. To be called by one writer at a time.
    pub(crate) fn clear(&self) {
        self.map.pin().clear();
        self.bytes.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Identity;
    use crate::lifetime::Lifetime;
    use countersign_protocol::{ScopeSet, TenantSegment};
    use std::sync::Arc;

    struct Questions {
        identity: Arc<Identity>,
        tenant: TenantSegment,
        scopes: Vec<ScopeSet>,
    }

    impl Questions {
        fn new(count: usize) -> Self {
            Self {
                identity: Arc::new(Identity::new(&["https://a.test"])),
                tenant: TenantSegment::parse("contoso.com").unwrap(),
                scopes: (0..count).map(|i| ScopeSet::parse(&format!("api://{i}/.default")).unwrap()).collect(),
            }
        }

        fn lookup(&self, index: usize) -> Lookup<'_> {
            let scopes = &self.scopes[index];
            Lookup { identity: &self.identity, tenant: &self.tenant, scopes, subject: &Subject::APPLICATION }
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn token(end: i64) -> AccessToken {
        let (usable_until, refresh_on) = (at(end - 5), at(end / 2));
        let lifetime = Lifetime { asked_at: at(0), expires_on: at(end), usable_until, refresh_on };
        AccessToken::new(&"t".to_owned().into(), lifetime).unwrap()
    }

    #[test]
    fn c22_a_token_is_found_until_shortly_before_its_end() {
        let (tokens, questions) = (Tokens::new(10, None), Questions::new(2));
        tokens.keep(questions.lookup(0).to_key(), token(100), None, at(0));
        assert_eq!(tokens.find(&questions.lookup(0), at(94)).unwrap().expires_on(), at(100));
        assert!(tokens.find(&questions.lookup(0), at(95)).is_none());
        assert!(tokens.find(&questions.lookup(1), at(0)).is_none());
    }

    #[test]
    fn an_older_token_does_not_replace_a_newer_one() {
        let (tokens, questions) = (Tokens::new(10, None), Questions::new(1));
        tokens.keep(questions.lookup(0).to_key(), token(200), None, at(0));
        tokens.keep(questions.lookup(0).to_key(), token(100), None, at(0));
        assert_eq!(tokens.find(&questions.lookup(0), at(0)).unwrap().expires_on(), at(200));
    }

    #[test]
    fn e15_a_token_from_before_the_clock_was_set_back_does_not_outlive_its_successor() {
        let (tokens, questions) = (Tokens::new(10, None), Questions::new(1));
        tokens.keep(questions.lookup(0).to_key(), token(200), None, at(0));
        tokens.keep(questions.lookup(0).to_key(), token(150), None, at(-50));
        assert_eq!(tokens.find(&questions.lookup(0), at(0)).unwrap().expires_on(), at(150));
    }

    #[test]
    fn expired_tokens_go_first_then_those_that_expire_soonest() {
        let (tokens, questions) = (Tokens::new(3, None), Questions::new(5));
        for (index, end) in [(0, 50), (1, 300), (2, 200)] {
            tokens.keep(questions.lookup(index).to_key(), token(end), None, at(0));
        }
        tokens.keep(questions.lookup(3).to_key(), token(400), None, at(60));
        assert_eq!(tokens.len(), 3);
        assert!((1..=3).all(|index| tokens.find(&questions.lookup(index), at(60)).is_some()), "the expired one went");
        tokens.keep(questions.lookup(4).to_key(), token(500), None, at(60));
        assert_eq!(tokens.len(), 3);
        assert!(tokens.find(&questions.lookup(2), at(60)).is_none(), "the one that expires soonest went");
    }

    #[test]
    fn the_number_never_exceeds_the_bound() {
        let (tokens, questions) = (Tokens::new(1000, None), Questions::new(5000));
        for index in 0..5000 {
            tokens.keep(questions.lookup(index).to_key(), token(10_000 + i64::try_from(index).unwrap()), None, at(0));
            assert!(tokens.len() <= 1000);
        }
        assert!(tokens.len() > 900);
        assert!(tokens.find(&questions.lookup(4999), at(0)).is_some());
    }

    #[test]
    fn bytes_are_counted_and_bounded() {
        let (tokens, questions) = (Tokens::new(1000, Some(10_000)), Questions::new(200));
        for index in 0..200 {
            let end = 10_000 + i64::try_from(index).unwrap();
            tokens.keep(questions.lookup(index).to_key(), token(end), None, at(0));
            assert!(tokens.bytes() <= 10_000, "{}", tokens.bytes());
        }
        assert!(tokens.len() > 5 && tokens.find(&questions.lookup(199), at(0)).is_some());
        // The same token again weighs nothing more.
        let bytes = tokens.bytes();
        tokens.keep(questions.lookup(199).to_key(), token(20_000), None, at(0));
        assert_eq!(tokens.bytes(), bytes);
        tokens.forget(&Subject::APPLICATION);
        assert_eq!((tokens.len(), tokens.bytes()), (0, 0));
    }

    #[test]
    fn c23_a_refused_token_makes_room_for_one_that_ends_earlier() {
        let (tokens, questions) = (Tokens::new(10, None), Questions::new(1));
        let (old, new) = (token(300), token(200));
        let key = || questions.lookup(0).to_key();
        tokens.keep(key(), old.clone(), None, at(0));
        tokens.keep(key(), new.clone(), None, at(0));
        assert!(tokens.find(&questions.lookup(0), at(0)).unwrap().same_as(&old));
        tokens.keep(key(), new, Some(&old), at(0));
        assert_eq!(tokens.find(&questions.lookup(0), at(0)).unwrap().expires_on(), at(200));
    }
}
