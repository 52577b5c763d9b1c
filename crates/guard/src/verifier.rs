//! The decision alone: a token in, a verified caller or a refusal out. For any transport.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use countersign_discovery::{KeySource, PublishedKeys};
use countersign_token::policy::Permission;
use countersign_token::{
    Claims, Clock, Policy, PolicyError, Rejection, SystemClock, Timestamp, UnverifiedJws, Validator, Verified,
    authenticate,
};

use crate::Refusal;
use crate::verdict_cache::{Verdict, VerdictCache};

/// How many bytes of verified tokens are kept unless told otherwise: about 20,000 tokens of 1.5 kB.
const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Verifies tokens against one authority's keys and one policy.
///
/// A token seen before costs a look-up and a comparison of its text; its expiry, its key and the policy are asked again
/// each time. Keys that a token names and nobody has are fetched at most once per cooldown, see
/// [`countersign_discovery::RemoteKeys`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use countersign_discovery::KeySource;
/// use countersign_guard::{Policy, Verifier};
/// use countersign_token::KeySet;
///
/// let policy: Policy = serde_json::from_str(r#"{
///     "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
///     "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
///     "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
///     "app_roles": ["Orders.Read"]
/// }"#)?;
/// let keys = KeySource::fixed(KeySet::parse(br#"{"keys":[]}"#)?);
/// let verifier = Verifier::builder(keys, &policy)?.build();
/// let refusal = verifier.verify("not a token").await.unwrap_err();
/// assert_eq!(refusal.code(), "not_compact_jws");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Verifier {
    keys: KeySource,
    policy: ArcSwap<RevisedPolicy>,
    revisions: AtomicU64,
    cache: VerdictCache,
    clock: Arc<dyn Clock>,
}

struct RevisedPolicy {
    validator: Validator,
    revision: u64,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Configures a [`Verifier`].
#[derive(Debug)]
#[must_use]
pub struct VerifierBuilder {
    keys: KeySource,
    validator: Validator,
    cache_bytes: u64,
    clock: Arc<dyn Clock>,
}

impl VerifierBuilder {
    /// Takes the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps at most this many bytes of verified tokens; 0 keeps none. 64 MiB unless told otherwise.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Builds the verifier. Nothing is fetched before the first token, see [`Verifier::ready`].
    #[must_use]
    pub fn build(self) -> Verifier {
        Verifier {
            keys: self.keys,
            policy: ArcSwap::from_pointee(RevisedPolicy { validator: self.validator, revision: 1 }),
            revisions: AtomicU64::new(1),
            cache: VerdictCache::new(self.cache_bytes),
            clock: self.clock,
        }
    }
}

impl Verifier {
    /// A verifier of `policy` with the keys of `keys`.
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn builder(keys: KeySource, policy: &Policy) -> Result<VerifierBuilder, PolicyError> {
        Ok(VerifierBuilder {
            keys,
            validator: policy.compile()?,
            cache_bytes: DEFAULT_CACHE_BYTES,
            clock: Arc::new(SystemClock),
        })
    }

    /// Fetches the first keys, so that start-up can wait for them or report that they cannot be had.
    ///
    /// # Errors
    /// [`Refusal::Keys`].
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.keys.ready().await?;
        Ok(())
    }

    /// Replaces the policy for every later request, at once and whole. Verdicts of the old policy are not used again.
    ///
    /// # Errors
    /// [`PolicyError`]; the old policy then stays.
    pub fn replace_policy(&self, policy: &Policy) -> Result<(), PolicyError> {
        let validator = policy.compile()?;
        let revision = self.revisions.fetch_add(1, Ordering::Relaxed) + 1;
        self.policy.store(Arc::new(RevisedPolicy { validator, revision }));
        Ok(())
    }

    /// Verifies a token and applies the whole policy, permission included.
    ///
    /// # Errors
    /// [`Refusal::Token`] or [`Refusal::Keys`].
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified<Claims>>, Refusal> {
        let caller = match self.authenticate_now(token) {
            Some(done) => done?,
            None => self.authenticate_waiting(token).await?,
        };
        self.permit(&caller, None)?;
        Ok(caller)
    }

    /// How many verified tokens are kept, and how many bytes they occupy.
    #[must_use]
    pub fn cached(&self) -> (usize, u64) {
        (self.cache.len(), self.cache.bytes())
    }

    /// Checks what the caller may do: the route's permission, or without one the policy's. The policy's clients and kinds
    /// bind in both cases.
    pub(crate) fn permit(&self, caller: &Verified<Claims>, route: Option<&Permission>) -> Result<(), Rejection> {
        let policy = self.policy.load();
        match route {
            None => policy.validator.permission().check(caller),
            Some(permission) => {
                policy.validator.permission().check_caller(caller)?;
                permission.check(caller)
            }
        }
    }

    /// Decides without waiting, unless keys would have to be fetched first.
    pub(crate) fn authenticate_now(&self, token: &str) -> Option<Result<Arc<Verified<Claims>>, Refusal>> {
        let now = self.clock.now();
        if let Some(known) = self.recall(token, now) {
            return Some(known.map_err(Into::into));
        }
        // Without keys a malformed token is still refused as such, and costs nobody a fetch.
        let Some(keys) = self.keys.current() else {
            return UnverifiedJws::parse(token).err().map(|rejection| Err(rejection.into()));
        };
        match self.authenticate_with(token, &keys, now) {
            Err(Rejection::UnknownKey) => None,
            verdict => Some(verdict.map_err(Into::into)),
        }
    }

    /// Decides after asking the source for the key that the token names.
    pub(crate) async fn authenticate_waiting(&self, token: &str) -> Result<Arc<Verified<Claims>>, Refusal> {
        let key_id = UnverifiedJws::parse(token)?.key_id().ok_or(Rejection::KeyIdMissing)?.to_owned();
        let keys = self.keys.keys_for(&key_id).await?;
        Ok(self.authenticate_with(token, &keys, self.clock.now())?)
    }

    fn authenticate_with(
        &self,
        token: &str,
        keys: &PublishedKeys,
        now: Timestamp,
    ) -> Result<Arc<Verified<Claims>>, Rejection> {
        let policy = self.policy.load();
        let caller = Arc::new(authenticate(token, keys, &policy.validator, now)?);
        let verdict = Verdict { caller: Arc::clone(&caller), keys: keys.generation(), policy: policy.revision };
        self.cache.insert(token, verdict);
        Ok(caller)
    }

    /// What is known of a token from before, if its keys and its policy are still the same.
    fn recall(&self, token: &str, now: Timestamp) -> Option<Result<Arc<Verified<Claims>>, Rejection>> {
        let verdict = self.cache.find(token)?;
        let policy = self.policy.load();
        if self.keys.generation_at(now) != Some(verdict.keys) || policy.revision != verdict.policy {
            return None;
        }
        match policy.validator.check_times(&verdict.caller, now.numeric_date()) {
            Ok(()) => Some(Ok(verdict.caller)),
            Err(rejection) => {
                self.cache.forget(token);
                Some(Err(rejection))
            }
        }
    }
}
