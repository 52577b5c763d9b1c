//! The decision alone: a token in, a verified caller or a refusal out. For any transport.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_discovery::KeySource;
use countersign_token::policy::Permission;
use countersign_token::{
    Claims, Clock, KeySet, Policy, PolicyError, Rejection, SystemClock, Timestamp, UnverifiedJws, Validator, Verified,
    authenticate,
};

use crate::Refusal;
use crate::verdict_cache::{Verdict, VerdictCache};

/// How many bytes of verified tokens are kept unless told otherwise: about 20,000 tokens of 1.5 kB.
const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How old a fetched key set may be to prove that a key does not exist. An unknown key has the set fetched anew, every
/// 30 s at most; an older set means that this failed, and then nobody can tell a forged key from a new one.
const PROVES_ABSENCE_FOR: Duration = Duration::from_secs(60);

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
    /// Whether the keys are fetched, as opposed to given once for all.
    fetches: bool,
    policy: ArcSwap<RevisedPolicy>,
    revisions: AtomicU64,
    cache: VerdictCache,
    clock: Arc<dyn Clock>,
}

struct RevisedPolicy {
    validator: Validator,
    revision: u64,
}

/// What one token, one policy and one route's permission come to.
pub(crate) type Decision = Result<Arc<Verified<Claims>>, Denied>;

/// A refusal, and the caller, if it is known who was refused.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) refusal: Refusal,
    pub(crate) caller: Option<Arc<Verified<Claims>>>,
}

impl<R: Into<Refusal>> From<R> for Denied {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), caller: None }
    }
}

impl RevisedPolicy {
    /// Lets a genuine caller pass or not: by the route's permission, or without one by the policy's. The policy's clients
    /// and kinds bind in both cases.
    fn permit(&self, caller: Arc<Verified<Claims>>, route: Option<&Permission>) -> Decision {
        let own = self.validator.permission();
        let verdict = match route {
            None => own.check(&caller),
            Some(route) => own.check_caller(&caller).and_then(|()| route.check(&caller)),
        };
        match verdict {
            Ok(()) => Ok(caller),
            Err(rejection) => Err(Denied { refusal: rejection.into(), caller: Some(caller) }),
        }
    }
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
        // Keys that can be used until the end of time were given.
        let fetches = self.keys.generation_at(Timestamp::from_nanos(i64::MAX - 1)).is_none();
        Verifier {
            keys: self.keys,
            fetches,
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
    /// [`Refusal::Token`]; [`Refusal::Keys`] and [`Refusal::KeyUnconfirmed`] when nobody can tell.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified<Claims>>, Refusal> {
        let decision = match self.decide_known(token.as_bytes(), None).or_else(|| self.decide_now(token, None)) {
            Some(decision) => decision,
            None => self.decide_waiting(token, None).await,
        };
        decision.map_err(|denied| denied.refusal)
    }

    /// How many verified tokens are kept, and how many bytes they occupy.
    #[must_use]
    pub fn cached(&self) -> (usize, u64) {
        (self.cache.len(), self.cache.bytes())
    }

    /// Reads the permission of the policy as it stands now.
    pub(crate) fn own_permission<T>(&self, read: impl FnOnce(&Permission) -> T) -> T {
        read(self.policy.load().validator.permission())
    }

    /// Decides about a token that was verified before; `None` if it was not, or if its keys or its policy have changed
    /// since. Expiry and permission are asked anew.
    ///
    /// `token` may be any bytes: they only matter if they are a verified token's.
    pub(crate) fn decide_known(&self, token: &[u8], route: Option<&Permission>) -> Option<Decision> {
        let verdict = self.cache.find(token)?;
        let now = self.clock.now();
        let policy = self.policy.load();
        if self.keys.generation_at(now) != Some(verdict.keys) || policy.revision != verdict.policy {
            return None;
        }
        Some(match policy.validator.check_times(&verdict.caller, now.numeric_date()) {
            Ok(()) => policy.permit(verdict.caller, route),
            Err(rejection) => {
                self.cache.forget(token);
                Err(rejection.into())
            }
        })
    }

    /// Decides with the keys at hand; `None` if others would have to be fetched first.
    ///
    /// Without any keys a token that no key could save is still refused as what it is, and costs nobody a fetch.
    pub(crate) fn decide_now(&self, token: &str, route: Option<&Permission>) -> Option<Decision> {
        let now = self.clock.now();
        let decision = match self.keys.current() {
            Some(keys) => self.decide_with(token, &keys, keys.generation(), now, route),
            None => self.decide_with(token, &KeySet::default(), 0, now, route),
        };
        match decision {
            Err(Denied { refusal: Refusal::Token(Rejection::UnknownKey), .. }) => None,
            decision => Some(decision),
        }
    }

    /// Decides after asking the source for the key that the token names.
    pub(crate) async fn decide_waiting(&self, token: &str, route: Option<&Permission>) -> Decision {
        let key_id = UnverifiedJws::parse(token)?.key_id().ok_or(Rejection::KeyIdMissing)?.to_owned();
        let keys = self.keys.keys_for(&key_id).await.map_err(Refusal::from)?;
        let now = self.clock.now();
        match self.decide_with(token, &keys, keys.generation(), now, route) {
            Err(Denied { refusal: Refusal::Token(Rejection::UnknownKey), .. })
                if self.fetches && now.saturating_duration_since(keys.fetched_at()) > PROVES_ABSENCE_FOR =>
            {
                Err(Refusal::KeyUnconfirmed.into())
            }
            decision => decision,
        }
    }

    /// Decides from the signature up. The policy is loaded once: what it says about genuineness and what it says about
    /// permission are never taken from two revisions.
    fn decide_with(
        &self,
        token: &str,
        keys: &KeySet,
        generation: u64,
        now: Timestamp,
        route: Option<&Permission>,
    ) -> Decision {
        let policy = self.policy.load();
        let caller = Arc::new(authenticate(token, keys, &policy.validator, now)?);
        let verdict = Verdict { caller: Arc::clone(&caller), keys: generation, policy: policy.revision };
        self.cache.insert(token, verdict);
        policy.permit(caller, route)
    }
}
