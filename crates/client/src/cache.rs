//! [`TokenCache`]: the tokens at hand, bounded by their number.
//!
//! Reading takes no lock, neither against other readers nor against writers. Writing happens once per fetched token and
//! is serialised by whoever fetches. Nothing is written to disk.

use std::fmt;

use countersign_token::Timestamp;
use foldhash::fast::RandomState;

use crate::access_token::AccessToken;
use crate::key::{Key, Lookup};

/// As many tokens as a cache holds unless it is told otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 10_000;

pub(crate) struct Tokens {
    map: papaya::HashMap<Key, AccessToken, RandomState>,
    capacity: usize,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("len", &self.map.len()).field("capacity", &self.capacity).finish()
    }
}

impl Tokens {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { map: papaya::HashMap::with_hasher(RandomState::default()), capacity: capacity.max(1) }
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The token for this question, if it may still be handed out.
    #[inline]
    pub(crate) fn find(&self, lookup: &Lookup<'_>, now: Timestamp) -> Option<AccessToken> {
        self.map.pin().get(lookup).filter(|token| token.usable_at(now)).cloned()
    }

    /// Keeps `token` unless the one at hand lives longer, and makes room for it. To be called by one writer at a time.
    pub(crate) fn keep(&self, key: Key, token: AccessToken, now: Timestamp) {
        let map = self.map.pin();
        if map.get(&key).is_some_and(|old| old.expires_on() > token.expires_on()) {
            return;
        }
        map.insert(key, token);
        if map.len() <= self.capacity {
            return;
        }
        map.retain(|_, token| token.usable_at(now));
        let Some(excess) = map.len().checked_sub(self.capacity).filter(|excess| *excess > 0) else { return };
        // Of those that all live, the ones that expire soonest go, a few more than needed: the scan is not for one only.
        let mut by_end: Vec<(Timestamp, Key)> =
            map.iter().map(|(key, token)| (token.expires_on(), key.clone())).collect();
        let count = (excess + self.capacity / 64).min(by_end.len().saturating_sub(1));
        if count < by_end.len() {
            by_end.select_nth_unstable_by_key(count, |(end, _)| *end);
        }
        for (_, key) in &by_end[..count] {
            map.remove(key);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.map.pin().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Identity;
    use crate::lifetime::Lifetime;
    use countersign_protocol::{AuthorityHost, EndpointVersion, ScopeSet, TenantSegment};
    use countersign_token::ClientId;
    use std::sync::Arc;

    struct Questions {
        identity: Arc<Identity>,
        tenant: TenantSegment,
        scopes: Vec<ScopeSet>,
    }

    impl Questions {
        fn new(count: usize) -> Self {
            let authority = AuthorityHost::parse("https://a.test").unwrap();
            let client = ClientId::from_uuid(uuid::Uuid::nil());
            Self {
                identity: Arc::new(Identity::new(authority, client, EndpointVersion::V2)),
                tenant: TenantSegment::parse("contoso.com").unwrap(),
                scopes: (0..count).map(|i| ScopeSet::parse(&format!("api://{i}/.default")).unwrap()).collect(),
            }
        }

        fn lookup(&self, index: usize) -> Lookup<'_> {
            Lookup { identity: &self.identity, tenant: &self.tenant, scopes: &self.scopes[index] }
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn token(end: i64) -> AccessToken {
        let lifetime = Lifetime { expires_on: at(end), usable_until: at(end - 5), refresh_on: at(end / 2) };
        AccessToken::new(&"t".to_owned().into(), lifetime).unwrap()
    }

    #[test]
    fn c22_a_token_is_found_until_shortly_before_its_end() {
        let (tokens, questions) = (Tokens::new(10), Questions::new(2));
        tokens.keep(questions.lookup(0).to_key(), token(100), at(0));
        assert_eq!(tokens.find(&questions.lookup(0), at(94)).unwrap().expires_on(), at(100));
        assert!(tokens.find(&questions.lookup(0), at(95)).is_none());
        assert!(tokens.find(&questions.lookup(1), at(0)).is_none());
    }

    #[test]
    fn an_older_token_does_not_replace_a_newer_one() {
        let (tokens, questions) = (Tokens::new(10), Questions::new(1));
        tokens.keep(questions.lookup(0).to_key(), token(200), at(0));
        tokens.keep(questions.lookup(0).to_key(), token(100), at(0));
        assert_eq!(tokens.find(&questions.lookup(0), at(0)).unwrap().expires_on(), at(200));
    }

    #[test]
    fn expired_tokens_go_first_then_those_that_expire_soonest() {
        let (tokens, questions) = (Tokens::new(3), Questions::new(5));
        for (index, end) in [(0, 50), (1, 300), (2, 200)] {
            tokens.keep(questions.lookup(index).to_key(), token(end), at(0));
        }
        tokens.keep(questions.lookup(3).to_key(), token(400), at(60));
        assert_eq!(tokens.len(), 3);
        assert!((1..=3).all(|index| tokens.find(&questions.lookup(index), at(60)).is_some()), "the expired one went");
        tokens.keep(questions.lookup(4).to_key(), token(500), at(60));
        assert_eq!(tokens.len(), 3);
        assert!(tokens.find(&questions.lookup(2), at(60)).is_none(), "the one that expires soonest went");
    }

    #[test]
    fn the_number_never_exceeds_the_bound() {
        let (tokens, questions) = (Tokens::new(1000), Questions::new(5000));
        for index in 0..5000 {
            tokens.keep(questions.lookup(index).to_key(), token(10_000 + i64::try_from(index).unwrap()), at(0));
            assert!(tokens.len() <= 1000);
        }
        assert!(tokens.len() > 900);
        assert!(tokens.find(&questions.lookup(4999), at(0)).is_some());
    }
}
