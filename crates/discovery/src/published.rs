//! A key set as it was published at one moment, with what a verdict cache has to know of it.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use countersign_token::{KeySet, Timestamp};

/// A key set, immutable, with the issuer that the metadata named and a number that changes when the keys do.
///
/// Dereferences to [`KeySet`], so that `published.find(kid)` reads as it should.
#[derive(Debug)]
pub struct PublishedKeys {
    pub(crate) keys: Arc<KeySet>,
    pub(crate) generation: u64,
    pub(crate) issuer: Option<Arc<str>>,
    pub(crate) cloud: Option<Arc<str>>,
    pub(crate) fetched_at: Timestamp,
    /// When a renewal becomes due; never, for keys that were given.
    pub(crate) renew_at: Timestamp,
    /// When the keys stop being usable; never, for keys that were given.
    pub(crate) unusable_at: Timestamp,
    /// Which fetch brought them: a late answer never replaces that of a later fetch.
    pub(crate) fetch: u64,
    /// What was read, to tell a renewal that changed something from one that did not.
    pub(crate) source: Bytes,
}

impl PublishedKeys {
    /// The keys alone.
    #[must_use]
    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
    }

    /// Which keys these are, counted from 1 within one source. A renewal that brings the same keys keeps the number.
    ///
    /// A verdict reached with keys of another generation must be reached anew: the key that proved it may be gone.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The `issuer` of the metadata document the keys were found through; none for fixed keys and direct addresses.
    ///
    /// For `common` and `organizations` it is Entra's template with the literal `{tenantid}`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// When the keys were fetched (or given).
    #[must_use]
    pub fn fetched_at(&self) -> Timestamp {
        self.fetched_at
    }

    pub(crate) fn fixed(keys: KeySet) -> Self {
        let end = Timestamp::from_unix_seconds(i64::MAX);
        Self {
            keys: Arc::new(keys),
            generation: 1,
            issuer: None,
            cloud: None,
            fetched_at: Timestamp::from_unix_seconds(0),
            renew_at: end,
            unusable_at: end,
            fetch: 0,
            source: Bytes::new(),
        }
    }

    pub(crate) fn usable_at(&self, now: Timestamp) -> bool {
        now < self.unusable_at
    }

    /// Due by age, or by a clock that now stands before the fetch, so that the age cannot be told.
    pub(crate) fn due_at(&self, now: Timestamp) -> bool {
        now >= self.renew_at || now < self.fetched_at
    }
}

impl Deref for PublishedKeys {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        &self.keys
    }
}
