//! [`KeySource`]: where a verifier finds the keys it believes in, whether they were given or are fetched.

use std::sync::Arc;

use countersign_token::{KeySet, Timestamp};

use crate::error::KeysUnavailable;
use crate::published::PublishedKeys;
use crate::remote::RemoteKeys;

/// The keys of one issuer: fixed, or fetched and cached. Clones share everything.
///
/// ```
/// use countersign_discovery::KeySource;
/// use countersign_token::KeySet;
///
/// let source = KeySource::fixed(KeySet::parse(br#"{"keys":[]}"#)?);
/// assert_eq!(source.generation(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeySource(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(Arc<PublishedKeys>),
    Remote(RemoteKeys),
}

impl From<RemoteKeys> for KeySource {
    fn from(keys: RemoteKeys) -> Self {
        Self(Kind::Remote(keys))
    }
}

impl KeySource {
    /// Keys that are given once and never change. Right for tests and for `verify --jwks FILE`.
    #[must_use]
    pub fn fixed(keys: KeySet) -> Self {
        Self(Kind::Fixed(Arc::new(PublishedKeys::fixed(keys))))
    }

    /// The keys to verify a token with that names `key_id`; see [`RemoteKeys::keys_for`].
    ///
    /// The set returned need not hold the key: then nobody publishes it, and the token is refused.
    ///
    /// # Errors
    /// [`KeysUnavailable`] when no key set may be used now; answer 503.
    pub async fn keys_for(&self, key_id: &str) -> Result<Arc<PublishedKeys>, KeysUnavailable> {
        match &self.0 {
            Kind::Fixed(keys) => Ok(Arc::clone(keys)),
            Kind::Remote(remote) => remote.keys_for(key_id).await,
        }
    }

    /// Any usable keys, fetching the first ones if need be: for start-up and readiness checks.
    ///
    /// # Errors
    /// [`KeysUnavailable`] when there are none.
    pub async fn ready(&self) -> Result<Arc<PublishedKeys>, KeysUnavailable> {
        match &self.0 {
            Kind::Fixed(keys) => Ok(Arc::clone(keys)),
            Kind::Remote(remote) => remote.ready().await,
        }
    }

    /// The newest usable keys, without waiting and without a lock; none before the first fetch and beyond the maximum age.
    /// Starts a renewal in the background when one is due.
    #[must_use]
    pub fn current(&self) -> Option<Arc<PublishedKeys>> {
        match &self.0 {
            Kind::Fixed(keys) => Some(Arc::clone(keys)),
            Kind::Remote(remote) => remote.current(),
        }
    }

    /// The generation of the keys usable at `now`: what a cache of verdicts compares on each hit. No lock, no clock, no
    /// reference count. Starts a renewal in the background when one is due.
    #[must_use]
    pub fn generation_at(&self, now: Timestamp) -> Option<u64> {
        match &self.0 {
            Kind::Fixed(keys) => Some(keys.generation),
            Kind::Remote(remote) => remote.generation_at(now),
        }
    }

    /// The generation of the newest keys, usable or not; 0 before the first fetch. See [`PublishedKeys::generation`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        match &self.0 {
            Kind::Fixed(keys) => keys.generation,
            Kind::Remote(remote) => remote.generation(),
        }
    }
}
