//! Tokens that were verified before.
//!
//! The key is the token's whole text, compared byte for byte, so two tokens can never be taken for each other
//! (GHSA-rp9m-7r4c-75qg). Only the last 64 bytes of the signature are hashed, with a key drawn at start: nobody can get an
//! entry in without a valid signature, so there is nothing to flood the table with. An entry is a shortcut for the
//! signature alone: expiry, key generation and policy are asked again at every hit.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use countersign_token::{Claims, Verified};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

/// A token's text as key.
#[derive(Clone)]
struct TokenText(Box<str>);

/// The same, borrowed from a request. It may be any bytes; only a verified token's text equals a key.
struct BorrowedToken<'a>(&'a [u8]);

fn hash_tail<H: Hasher>(token: &[u8], state: &mut H) {
    token[token.len().saturating_sub(64)..].hash(state);
}

impl Hash for TokenText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tail(self.0.as_bytes(), state);
    }
}

impl PartialEq for TokenText {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TokenText {}

impl Hash for BorrowedToken<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tail(self.0, state);
    }
}

impl Equivalent<TokenText> for BorrowedToken<'_> {
    fn equivalent(&self, key: &TokenText) -> bool {
        self.0 == key.0.as_bytes()
    }
}

/// A verdict and what it rests on.
#[derive(Clone)]
pub(crate) struct Verdict {
    pub(crate) caller: Arc<Verified<Claims>>,
    /// The generation of the keys that verified it.
    pub(crate) keys: u64,
    /// The revision of the policy that accepted it.
    pub(crate) policy: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<TokenText, Verdict> for Bytes {
    fn weight(&self, token: &TokenText, verdict: &Verdict) -> u64 {
        // Two allocations, the Arc's counters and the table's own share come to about 160 bytes.
        (token.0.len() + verdict.caller.size() + 160) as u64
    }
}

/// Verified tokens, bounded in bytes.
pub(crate) struct VerdictCache(Cache<TokenText, Verdict, Bytes, foldhash::quality::RandomState>);

impl VerdictCache {
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let expected_items = usize::try_from(capacity_bytes / 3_000).unwrap_or(usize::MAX).max(1);
        Self(Cache::with(
            expected_items,
            capacity_bytes,
            Bytes,
            foldhash::quality::RandomState::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        ))
    }

    pub(crate) fn find(&self, token: &[u8]) -> Option<Verdict> {
        self.0.get(&BorrowedToken(token))
    }

    pub(crate) fn insert(&self, token: &str, verdict: Verdict) {
        self.0.insert(TokenText(token.into()), verdict);
    }

    pub(crate) fn forget(&self, token: &[u8]) {
        self.0.remove(&BorrowedToken(token));
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{Algorithm, KeySet, Policy, SigningKey, Timestamp, authenticate, base64url_encode};
    use serde_json::json;

    fn caller() -> Arc<Verified<Claims>> {
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
        Arc::new(authenticate(&signer.sign(&claims).unwrap(), &keys, &policy.compile().unwrap(), now).unwrap())
    }

    /// No two signed tokens end alike, so this is tried here, where texts may be made up.
    #[test]
    fn a101_texts_that_hash_alike_are_told_apart() {
        let caller = caller();
        let cache = VerdictCache::new(1 << 20);
        let tail = "x".repeat(64);
        let texts: Vec<String> = (0..100).map(|number| format!("{number:03}{tail}")).collect();
        for (number, text) in texts.iter().enumerate() {
            cache.insert(text, Verdict { caller: Arc::clone(&caller), keys: number as u64, policy: 1 });
        }
        assert_eq!(cache.len(), 100);
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(cache.find(text.as_bytes()).unwrap().keys, number as u64);
        }
        for stranger in ["", &tail, &tail[1..], &format!("100{tail}"), &format!("000{tail}x"), &format!("00{tail}")] {
            assert!(cache.find(stranger.as_bytes()).is_none(), "{stranger}");
        }
        cache.forget(texts[7].as_bytes());
        assert!(cache.find(texts[7].as_bytes()).is_none());
        assert_eq!((cache.find(texts[8].as_bytes()).unwrap().keys, cache.len()), (8, 99));
    }

    #[test]
    fn e13_the_bound_holds_for_texts_that_hash_alike_too() {
        let caller = caller();
        let cache = VerdictCache::new(50_000);
        for number in 0..10_000 {
            let text = format!("{number:05}{}", "x".repeat(64));
            cache.insert(&text, Verdict { caller: Arc::clone(&caller), keys: 1, policy: 1 });
            assert!(cache.bytes() <= 50_000);
        }
        assert!(cache.len() > 10);
    }
}
