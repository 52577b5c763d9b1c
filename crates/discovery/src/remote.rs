//! [`RemoteKeys`]: an issuer's keys, fetched when needed and kept.
//!
//! What it promises, each with a test in `tests/remote_keys.rs` or `tests/outages.rs`:
//! - a lookup of a key that is at hand never waits and takes no lock, whatever the network does;
//! - keys older than 12 h (give or take one) are renewed in the background while the old ones serve on;
//! - an unknown `kid` starts at most one fetch per 30 s, whatever came of the last, and its callers share it; whether
//!   nobody publishes it or nobody could be asked are two answers;
//! - a `kid` that a fetch proved absent is not asked for again for 30 s, then 60 s, doubled up to 10 minutes; at most 1,024
//!   are remembered, and a look-up that finds its key never asks that memory (`tests/unknown_keys.rs`);
//! - at most 4,096 callers wait for a fetch at a time; one more is told so at once (`tests/unknown_keys.rs`);
//! - one fetch is in flight; it belongs to its own task, so that a caller who gives up disturbs nobody;
//! - a bad answer (an error, a redirect, HTML, an empty or oversized set) leaves the old keys in place, until they are
//!   7 days old; from then on lookups say [`KeysUnavailable`];
//! - a late answer never replaces a newer one;
//! - keys from a file or embedded in the program serve until the first fetch, by their own age (`tests/snapshots.rs`).
//!
//! Nothing is retried at once: the next attempt follows from the schedule, so that attempts cannot multiply through
//! layers (`pitfalls` C30). What fetches look at is in `document.rs`, when they may start in `schedule.rs`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::{ClientId, Clock, Randomness, SystemClock, SystemRandomness, Timestamp};
use url::Url;

use crate::document::is_plain_https;
use crate::error::{FetchError, KeysUnavailable, SourceError};
use crate::fetching::{Fetching, Origin, Waited};
use crate::published::PublishedKeys;
use crate::schedule::{Need, RefreshPolicy};
use crate::snapshot::KeySnapshot;
use crate::transport::Transport;

/// Configures [`RemoteKeys`].
#[derive(Debug)]
#[must_use]
pub struct RemoteKeysBuilder {
    origin: Origin,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    policy: RefreshPolicy,
    seed: Option<KeySnapshot>,
    snapshot_file: Option<PathBuf>,
}

impl RemoteKeysBuilder {
    fn new(origin: Origin, transport: Arc<dyn Transport>) -> Self {
        Self {
            origin,
            transport,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            policy: RefreshPolicy::default(),
            seed: None,
            snapshot_file: None,
        }
    }

    /// Asks for the keys of this application: those of APIs that have signing keys of their own, as claims mapping needs.
    /// Entra then answers with them alone.
    ///
    /// Source: Microsoft identity platform, "Access tokens", on `appid` in the metadata's address.
    pub fn application(mut self, application: ClientId) -> Self {
        self.origin.for_application(application);
        self
    }

    /// Starts with keys that were fetched earlier, until the first fetch of our own. They count by the time at which they
    /// were fetched: past [`RefreshPolicy::max_age`] they are not used at all, so that no key lives on in a program after
    /// its issuer has withdrawn it (`pitfalls` 24). A time up to 5 minutes ahead of the clock is taken for now; give
    /// another [clock](Self::clock) first, if at all, because by a later one a seed from the future is only left aside.
    ///
    /// # Errors
    /// [`SourceError::Snapshot`] for a snapshot that does not parse, was taken at another address, or bears a time more than
    /// 5 minutes ahead.
    pub fn seed(mut self, snapshot: &[u8]) -> Result<Self, SourceError> {
        let seed = KeySnapshot::from_json(snapshot).map_err(SourceError::Snapshot)?;
        seed.belongs_to(self.origin.url()).map_err(SourceError::Snapshot)?;
        seed.is_of_the_past(self.clock.now()).map_err(SourceError::Snapshot)?;
        self.seed = Some(seed);
        Ok(self)
    }

    /// Keeps the keys in this file too, and starts with what it holds. Every fetch replaces the file whole; it is a trust
    /// anchor, so keep it where nobody else may write. A file that is broken, of another address, of a time more than 5
    /// minutes ahead, or (Unix) writable by others or owned by somebody who is neither this process's user nor root is left
    /// aside with a warning. Where the process cannot tell its own user (there is no `/proc`), the owner is not looked at.
    pub fn snapshot_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot_file = Some(path.into());
        self
    }

    /// Takes the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes the jitter from `randomness` instead of the system's.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Keeps keys fresh by `policy` instead of the defaults.
    pub fn policy(mut self, policy: RefreshPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Builds the source. Nothing is fetched before somebody asks, see [`RemoteKeys::ready`].
    #[must_use]
    pub fn build(self) -> RemoteKeys {
        let url = self.origin.url().clone();
        let now = self.clock.now();
        let fetching = Fetching::new(self.origin, self.transport, self.clock, self.randomness, self.policy);
        let kept = self.snapshot_file.as_deref().and_then(|path| KeySnapshot::load(path, &url, now));
        let seed = self.seed.filter(|seed| match seed.is_of_the_past(now) {
            Ok(()) => true,
            Err(reason) => {
                tracing::warn!(reason, "the embedded snapshot of the issuer's keys is left aside");
                false
            }
        });
        // Whichever was fetched later; both are older than anything fetched from now on.
        let newest = seed.into_iter().chain(kept).max_by_key(|snapshot| snapshot.fetched_at);
        if let Some(snapshot) = newest {
            fetching.start_with(snapshot);
        }
        RemoteKeys(Arc::new(fetching.keeping(self.snapshot_file)))
    }
}

/// An issuer's keys, fetched and cached. Clones share everything.
///
/// Needs a tokio runtime with time (and, for [`crate::HttpsTransport`], I/O) wherever its methods are called.
///
/// ```
/// use std::sync::Arc;
/// use countersign_discovery::{HttpsTransport, KeySource, RemoteKeys};
/// use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
///
/// let authority = AuthorityHost::parse("https://login.microsoftonline.com")?;
/// let tenant = TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?;
/// let transport = Arc::new(HttpsTransport::new()?);
/// let keys: KeySource = RemoteKeys::from_authority(&authority, &tenant, EndpointVersion::V2, transport)?.build().into();
/// assert!(keys.current().is_none(), "nothing is fetched before somebody asks");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RemoteKeys(Arc<Fetching>);

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("origin", self.0.origin())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl RemoteKeys {
    /// Keys found through the metadata that `authority` publishes for `tenant`.
    ///
    /// One version's metadata is enough for tokens of both: Entra signs v1.0 and v2.0 tokens with the same keys. V2 is the
    /// better choice, because only its keys say which issuer they belong to.
    ///
    /// # Errors
    /// [`SourceError`] for an address that no metadata can be fetched from.
    pub fn from_authority(
        authority: &AuthorityHost,
        tenant: &TenantSegment,
        version: EndpointVersion,
        transport: Arc<dyn Transport>,
    ) -> Result<RemoteKeysBuilder, SourceError> {
        let url = address(&authority.metadata_url(tenant, version))?;
        Ok(RemoteKeysBuilder::new(Origin::Metadata(url), transport))
    }

    /// Keys at a known address, without metadata. The keys' own `cloud_instance_name` is then not compared with anything.
    ///
    /// # Errors
    /// [`SourceError`] for an address that is no absolute https URL, or has a user name, a password or a fragment.
    pub fn from_jwks_uri(jwks_uri: &str, transport: Arc<dyn Transport>) -> Result<RemoteKeysBuilder, SourceError> {
        Ok(RemoteKeysBuilder::new(Origin::Keys(address(jwks_uri)?), transport))
    }

    /// The keys to verify a token with that names `key_id`.
    ///
    /// With the key at hand this returns at once. Otherwise it waits for one fetch at most, if one may start or is under
    /// way. A set without the key means that nobody publishes it: it was fetched for this question, or within the cooldown
    /// before it, or an earlier one was and it is too early to ask again. Of keys that do not exist, 1,024 are remembered, by
    /// a hash: a million made-up names need no more memory. `key_id` is only ever compared; it comes from strangers.
    ///
    /// # Errors
    /// [`KeysUnavailable::NeverFetched`], [`KeysUnavailable::TooOld`]; and [`KeysUnavailable::Unconfirmed`] when others than
    /// the one asked for are at hand and asking for it failed. Each at once, with [`FetchError::TooManyWaiting`] as the
    /// cause, while 4,096 callers wait.
    pub async fn keys_for(&self, key_id: &str) -> Result<Arc<PublishedKeys>, KeysUnavailable> {
        let now = self.0.now();
        let Some(keys) = self.0.usable(now) else {
            let keys = self.ready().await?;
            // Another task may have fetched these; a snapshot may have brought them. Only a fetch proves anything.
            return if keys.find(key_id).is_some() { Ok(keys) } else { self.without(key_id, keys, now) };
        };
        if keys.find(key_id).is_some() || self.0.is_absent(key_id, now) {
            self.0.renew_if_due(&keys, now);
            return Ok(keys);
        }
        let Some(done) = self.0.start(Need::UnknownKey, now) else { return self.without(key_id, keys, now) };
        let waited = self.0.wait(done).await;
        let now = self.0.now();
        match self.0.usable(now) {
            Some(newer) if newer.find(key_id).is_some() => Ok(newer),
            Some(newer) if newer.fetch > keys.fetch => {
                self.0.note_absent(key_id, &newer, now);
                Ok(newer)
            }
            _ => Err(match waited {
                Waited::TooLong => KeysUnavailable::Unconfirmed(Arc::new(FetchError::Overdue)),
                Waited::NoRoom => KeysUnavailable::Unconfirmed(Arc::new(FetchError::TooManyWaiting)),
                Waited::Landed | Waited::Lost => self.0.unconfirmed(),
            }),
        }
    }

    /// The answer from `keys`, which lack the key, when no fetch may start for it.
    fn without(
        &self,
        key_id: &str,
        keys: Arc<PublishedKeys>,
        now: Timestamp,
    ) -> Result<Arc<PublishedKeys>, KeysUnavailable> {
        if !self.0.proves_absence(&keys, now) {
            return Err(self.0.unconfirmed());
        }
        self.0.note_absent(key_id, &keys, now);
        Ok(keys)
    }

    /// Any usable keys: those at hand, or else the first ones, fetched now.
    ///
    /// # Errors
    /// [`KeysUnavailable::NeverFetched`], [`KeysUnavailable::TooOld`]; at once, with [`FetchError::TooManyWaiting`] as the
    /// cause, while 4,096 callers wait.
    pub async fn ready(&self) -> Result<Arc<PublishedKeys>, KeysUnavailable> {
        // Twice, because the first wait may be for a fetch whose runtime was shut down under it.
        for _ in 0..2 {
            let now = self.0.now();
            if let Some(keys) = self.0.usable(now) {
                self.0.renew_if_due(&keys, now);
                return Ok(keys);
            }
            let Some(done) = self.0.start(Need::Keys, now) else { break };
            match self.0.wait(done).await {
                Waited::Landed => break,
                Waited::NoRoom => {
                    let refused = || self.0.unavailable_because(Arc::new(FetchError::TooManyWaiting));
                    return self.0.usable(self.0.now()).ok_or_else(refused);
                }
                Waited::Lost | Waited::TooLong => {}
            }
        }
        self.0.usable(self.0.now()).ok_or_else(|| self.0.unavailable())
    }

    /// The newest usable keys, without waiting and without a lock. Starts a renewal in the background when one is due.
    #[must_use]
    pub fn current(&self) -> Option<Arc<PublishedKeys>> {
        let now = self.0.now();
        let keys = self.0.usable(now)?;
        self.0.renew_if_due(&keys, now);
        Some(keys)
    }

    /// The generation of the keys usable at `now`; see [`crate::KeySource::generation_at`].
    #[must_use]
    pub fn generation_at(&self, now: Timestamp) -> Option<u64> {
        self.0.generation_at(now)
    }

    /// The keys at hand as [`RemoteKeysBuilder::seed`] takes them: to embed in a program that must start without network.
    #[must_use]
    pub fn snapshot(&self) -> Option<String> {
        self.0.published().as_ref().map(|keys| KeySnapshot::of(keys, self.0.origin().url()).to_json())
    }

    /// The generation of the newest keys, usable or not; 0 before the first fetch.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.published().as_ref().map_or(0, |keys| keys.generation)
    }
}

fn address(text: &str) -> Result<Url, SourceError> {
    let url = Url::parse(text).map_err(|_| SourceError::Address)?;
    if is_plain_https(&url) { Ok(url) } else { Err(SourceError::NotHttps) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use bytes::Bytes;
    use countersign_token::{FakeClock, base64url_encode};

    use crate::absent_keys::ROOM;
    use crate::transport::{BoxFuture, Limits, TransportError};

    /// Publishes one key, `good`, and counts how often it is asked.
    #[derive(Debug, Default)]
    struct Endpoint(AtomicUsize);

    impl Transport for Endpoint {
        fn send(
            &self,
            _request: http::Request<Bytes>,
            _limits: Limits,
        ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let modulus = base64url_encode(&[0xff; 256]);
            let keys = format!(r#"{{"keys":[{{"kty":"RSA","use":"sig","kid":"good","n":"{modulus}","e":"AQAB"}}]}}"#);
            Box::pin(async { Ok(http::Response::new(keys.into())) })
        }
    }

    fn remote() -> (RemoteKeys, Arc<Endpoint>, FakeClock) {
        let (endpoint, clock) =
            (Arc::<Endpoint>::default(), FakeClock::at(Timestamp::from_unix_seconds(1_767_225_600)));
        let keys = RemoteKeys::from_jwks_uri("https://login.contoso.test/keys", Arc::clone(&endpoint) as _);
        (keys.unwrap().clock(Arc::new(clock.clone())).build(), endpoint, clock)
    }

    #[tokio::test(start_paused = true)]
    async fn a32_e11_a_hundred_thousand_random_kids_are_remembered_within_bounds() {
        let (keys, endpoint, clock) = remote();
        keys.ready().await.unwrap();
        let randomness = SystemRandomness;
        // 300 s: the fetch above and one for each 30 s that follow.
        for _ in 0..100_000 {
            clock.advance(Duration::from_millis(3));
            let stranger = randomness.base64url(20);
            assert!(keys.keys_for(&stranger).await.unwrap().find(&stranger).is_none());
            assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
            assert!(keys.0.absent().len() <= ROOM);
        }
        let asked = endpoint.0.load(Ordering::SeqCst);
        assert!((10..=11).contains(&asked), "{asked} fetches");
        assert!(keys.0.absent().len() > ROOM / 2, "{}", keys.0.absent().len());
    }

    #[tokio::test(start_paused = true)]
    async fn a11_a_key_at_hand_is_found_without_the_memory_of_absent_ones() {
        let (keys, ..) = remote();
        keys.ready().await.unwrap();
        let held = keys.0.absent();
        let (sender, found) = mpsc::channel();
        let looks_up = std::thread::spawn({
            let keys = keys.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let found = runtime.block_on(keys.keys_for("good")).unwrap().find("good").is_some();
                let _ = sender.send(found);
            }
        });
        // Who needed what is held here would still wait when a minute is over.
        assert_eq!(found.recv_timeout(Duration::from_secs(60)), Ok(true));
        drop(held);
        looks_up.join().unwrap();
    }
}
