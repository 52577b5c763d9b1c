//! A key set as it was published at one moment, with what a verdict cache has to know of it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

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

/// The generation of the newest keys and their times, in a few words of memory that change with them: what every request
/// whose token was seen before asks about, without touching the keys.
#[derive(Debug)]
pub(crate) struct Standing {
    generation: AtomicU64,
    fetched_at: AtomicI64,
    renew_at: AtomicI64,
    unusable_at: AtomicI64,
}

impl Default for Standing {
    /// No keys.
    fn default() -> Self {
        let never = || AtomicI64::new(i64::MIN);
        Self { generation: AtomicU64::new(0), fetched_at: never(), renew_at: never(), unusable_at: never() }
    }
}

impl Standing {
    /// Notes that these keys are the newest. To be called by one writer at a time.
    pub(crate) fn note(&self, keys: &PublishedKeys) {
        // The generation first: whoever sees the new times sees it too, and no verdict of old keys lives on by them.
        self.generation.store(keys.generation, Ordering::Release);
        self.fetched_at.store(keys.fetched_at.as_nanos(), Ordering::Release);
        self.renew_at.store(keys.renew_at.as_nanos(), Ordering::Release);
        self.unusable_at.store(keys.unusable_at.as_nanos(), Ordering::Release);
    }

    /// The generation of the keys that are usable at `now`, and whether they are due for renewal.
    pub(crate) fn at(&self, now: Timestamp) -> Option<(u64, bool)> {
        let now = now.as_nanos();
        if now >= self.unusable_at.load(Ordering::Acquire) {
            return None;
        }
        let is_due = now >= self.renew_at.load(Ordering::Acquire) || now < self.fetched_at.load(Ordering::Acquire);
        Some((self.generation.load(Ordering::Acquire), is_due))
    }
}

impl Deref for PublishedKeys {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        &self.keys
    }
}
