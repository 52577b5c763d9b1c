//! Tokens that were verified before.
//!
//! An entry is found by a keyed digest of the token's whole text (`text_digest.rs`), so two tokens are never taken for each
//! other and no token's text is kept. Nobody can get an entry in without a valid signature, so there is nothing to flood
//! the table with. An entry is a shortcut for the signature alone: expiry, key generation and policy are asked again at
//! every hit. What is asked at a hit stands in the entry itself, in one or two cache lines, so that a hit among a hundred
//! thousand tokens does not wait for memory.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use countersign_token::{Claims, SystemRandomness, Verified};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::text_digest::{TextDigest, TextDigester};
use crate::verifier::Facts;

/// A digest as key of the table: any part of it is as good a hash as the whole.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(TextDigest);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.bucket());
    }
}

/// A verdict and what it rests on.
#[derive(Clone)]
pub(crate) struct Verdict {
    pub(crate) caller: Arc<Verified<Claims>>,
    /// Which authority's keys and policy decided.
    pub(crate) authority: u32,
    /// The generation of the keys that verified it.
    pub(crate) keys: u64,
    /// The revision of the policies that accepted it.
    pub(crate) revision: u64,
    /// The second from which on the token counts, skew included.
    pub(crate) valid_from: i64,
    /// The second from which on it no longer does, skew included.
    pub(crate) valid_until: i64,
    /// The first 64 rules, a bit for each that the caller was found to meet under this revision.
    pub(crate) granted: u64,
    pub(crate) facts: Facts,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Verdict> for Bytes {
    fn weight(&self, _: &Key, verdict: &Verdict) -> u64 {
        // The entry, its share of the table, and the counters of the `Arc`.
        (size_of::<Key>() + size_of::<Verdict>() + 64 + verdict.caller.size()) as u64
    }
}

/// Verified tokens, bounded in bytes.
pub(crate) struct VerdictCache {
    /// Absent when nothing may be kept.
    kept: Option<Cache<Key, Verdict, Bytes, foldhash::fast::RandomState>>,
    digester: TextDigester,
}

impl VerdictCache {
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let expected_items = usize::try_from(capacity_bytes / 2_000).unwrap_or(usize::MAX).max(1);
        let table = || {
            let hasher = foldhash::fast::RandomState::default();
            Cache::with(expected_items, capacity_bytes, Bytes, hasher, DefaultLifecycle::default())
        };
        Self { kept: (capacity_bytes > 0).then(table), digester: TextDigester::new(&SystemRandomness) }
    }

    /// The digest to find a token by; none if nothing is kept, or the text is too long for a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<TextDigest> {
        self.kept.as_ref().and_then(|_| self.digester.digest(token))
    }

    pub(crate) fn find(&self, token: &TextDigest) -> Option<Verdict> {
        self.kept.as_ref()?.get(&Key(*token))
    }

    pub(crate) fn insert(&self, token: TextDigest, verdict: Verdict) {
        if let Some(kept) = &self.kept {
            kept.insert(Key(token), verdict);
        }
    }

    pub(crate) fn forget(&self, token: &TextDigest) {
        if let Some(kept) = &self.kept {
            kept.remove(&Key(*token));
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, Cache::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{Algorithm, KeySet, Policy, SigningKey, Timestamp, authenticate, base64url_encode};
    use serde_json::json;

    fn verdict() -> Verdict {
        let key = SigningKey::from_pkcs8_der("key-1", &SigningKey::generate_pkcs8().unwrap()).unwrap();
        let public = key.private_key().public_key();
        let keys = json!({"keys": [{
            "kty": "RSA", "kid": "key-1", "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())
        }]});
        let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
        let issuer = format!("https://sts.windows.net/{tenant}/");
        let claims = json!({
            "aud": "api://x", "iss": issuer, "tid": tenant, "ver": "1.0", "appid": tenant, "oid": tenant, "sub": tenant,
            "exp": 2_000_000_000
        });
        let signer = key.signer(Algorithm::Rs256, &json!({"alg": "RS256", "kid": "key-1"})).unwrap();
        let policy: Policy =
            serde_json::from_value(json!({"tenants": [tenant], "issuers": [issuer], "audiences": ["api://x"]}))
                .unwrap();
        let keys = KeySet::parse(keys.to_string().as_bytes()).unwrap();
        let now = Timestamp::from_unix_seconds(1_900_000_000);
        let caller = authenticate(&signer.sign(&claims).unwrap(), &keys, &policy.compile().unwrap(), now).unwrap();
        let (valid_from, valid_until) = (0, 2_000_000_060);
        let facts = Facts { bound: false, unlisted_tenant: false };
        Verdict {
            caller: Arc::new(caller),
            authority: 0,
            keys: 1,
            revision: 1,
            valid_from,
            valid_until,
            granted: 0,
            facts,
        }
    }

    /// No two signed tokens end alike, so this is tried here, where texts may be made up.
    #[test]
    fn a101_texts_that_look_alike_are_told_apart() {
        let verdict = verdict();
        let cache = VerdictCache::new(1 << 20);
        let tail = "x".repeat(64);
        let texts: Vec<String> = (0..100).map(|number| format!("{number:03}{tail}")).collect();
        for (number, text) in texts.iter().enumerate() {
            cache.insert(cache.digest(text.as_bytes()).unwrap(), Verdict { keys: number as u64, ..verdict.clone() });
        }
        assert_eq!(cache.len(), 100);
        let find = |text: &str| cache.find(&cache.digest(text.as_bytes()).unwrap());
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(find(text).unwrap().keys, number as u64);
        }
        for stranger in ["", &tail, &tail[1..], &format!("100{tail}"), &format!("000{tail}x"), &format!("00{tail}")] {
            assert!(find(stranger).is_none(), "{stranger}");
        }
        cache.forget(&cache.digest(texts[7].as_bytes()).unwrap());
        assert!(find(&texts[7]).is_none());
        assert_eq!((find(&texts[8]).unwrap().keys, cache.len()), (8, 99));
    }

    #[test]
    fn e13_the_bound_in_bytes_holds() {
        let verdict = verdict();
        let cache = VerdictCache::new(50_000);
        for number in 0..10_000 {
            cache.insert(cache.digest(format!("{number:05}").as_bytes()).unwrap(), verdict.clone());
            assert!(cache.bytes() <= 50_000);
        }
        assert!(cache.len() > 10);
        let none = VerdictCache::new(0);
        none.insert(cache.digest(b"text").unwrap(), verdict);
        assert_eq!((none.digest(b"text"), none.len(), none.bytes()), (None, 0, 0));
    }
}
