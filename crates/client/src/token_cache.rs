//! [`TokenCache`]: the tokens at hand, as several clients may share them.

use std::sync::Arc;

use crate::acquisition::Store;
use crate::cache::DEFAULT_CAPACITY;

/// Tokens that several clients keep together, bounded by their number and their bytes. Clones share the tokens.
///
/// The key of a token holds authority, client, credential, endpoint version, tenant, scopes, claims and the user in whose
/// name it was asked for, so that clients never see each other's tokens; two clients of the same application and
/// credential do. Share a cache only within one trust boundary.
#[derive(Debug, Clone)]
pub struct TokenCache(Arc<Store>);

impl TokenCache {
    /// Holds at most `capacity` tokens: of more, expired ones go first, then those that expire soonest.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Store::new(capacity, None)))
    }

    /// Holds at most `capacity` tokens, and no more than `max_bytes` of keys and tokens. The default for the latter is
    /// 8 KiB for each token of the capacity.
    #[must_use]
    pub fn with_limits(capacity: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Store::new(capacity, Some(max_bytes))))
    }

    /// Bytes of keys and tokens at hand, roughly what they take in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.tokens.bytes()
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.0)
    }
}

impl Default for TokenCache {
    /// 10,000 tokens.
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}
