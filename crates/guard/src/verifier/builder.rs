//! [`VerifierBuilder`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use countersign_discovery::KeySource;
use countersign_token::{Claims, Clock, NumericDate, Policy, PolicyError, SystemClock, TenantId, Validator, Verified};

use super::{Authority, Policies, RegisteredRule, Verifier};
use crate::hooks::{GroupResolver, Hooks};
use crate::verdict_cache::VerdictCache;
use crate::{Predicate, Rule};

/// How many bytes of verified tokens are kept unless told otherwise: about 40,000 tokens of 1.5 kB.
const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Configures a [`Verifier`].
#[derive(Debug)]
#[must_use]
pub struct VerifierBuilder {
    authorities: Vec<Authority>,
    validators: Vec<Validator>,
    cache_bytes: u64,
    hooks: Hooks,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "token-decryption")]
    decryption: Option<countersign_token::DecryptionKeys>,
}

/// The number of the next verifier.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl VerifierBuilder {
    pub(super) fn new(keys: KeySource, policy: &Policy) -> Result<Self, PolicyError> {
        Self {
            authorities: Vec::new(),
            validators: Vec::new(),
            cache_bytes: DEFAULT_CACHE_BYTES,
            hooks: Hooks::default(),
            clock: Arc::new(SystemClock),
            #[cfg(feature = "token-decryption")]
            decryption: None,
        }
        .also(keys, policy)
    }

    /// Takes the tokens of another authority too, by its own keys and its own policy: another cloud, a tenant for
    /// customers, a local authority. A token is one authority's or the other's; no key of one vouches for the other's
    /// issuers, since each policy names its own.
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn also(mut self, keys: KeySource, policy: &Policy) -> Result<Self, PolicyError> {
        self.validators.push(policy.compile()?);
        self.authorities.push(Authority { keys });
        Ok(self)
    }

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

    /// Decides about tenants that a policy with `any_tenant` does not list: whether this one is a customer. Without it
    /// such a policy lets in the tenants that it lists, and no other.
    pub fn tenants(mut self, admits: impl Fn(TenantId) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.tenant = Some(Arc::new(admits));
        self
    }

    /// Asks about revocation on every request: the answer is the moment before which no token of this caller counts any
    /// more, or none if nothing was revoked. Compare with [`Claims::issued_at`] before you answer.
    pub fn revocation(
        mut self,
        revoked_before: impl Fn(&Verified<Claims>) -> Option<NumericDate> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.revocation = Some(Arc::new(revoked_before));
        self
    }

    /// Asks this for the groups of users who are in more of them than a token holds. Without it they are refused wherever
    /// a group is wanted.
    pub fn groups(mut self, resolver: Arc<dyn GroupResolver>) -> Self {
        self.hooks.groups = Some(resolver);
        self
    }

    /// Adds a condition that every caller must meet, under every rule.
    pub fn predicate(
        mut self,
        name: &'static str,
        check: impl Fn(&Verified<Claims>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.hooks.predicates.push(Predicate::new(name, check));
        self
    }

    /// Takes tokens that are encrypted to one of these keys too, as Entra sends them to APIs whose registration has an
    /// encryption key (`tokenEncryptionKeyId`). What is inside is verified like every other token.
    ///
    /// Whoever knows the public key can make this process decrypt: each token that was not seen before costs about 0.6 ms,
    /// forged ones too, against 2 µs otherwise. Tokens that are not encrypted are taken as before.
    ///
    /// Source: RFC 7516; Microsoft identity platform, "Configurable token encryption".
    #[cfg(feature = "token-decryption")]
    pub fn token_decryption(mut self, keys: countersign_token::DecryptionKeys) -> Self {
        self.decryption = Some(keys);
        self
    }

    /// Builds the verifier. Nothing is fetched before the first token, see [`Verifier::ready`].
    #[must_use]
    pub fn build(self) -> Verifier {
        if self.hooks.tenant.is_none() && self.validators.iter().any(Validator::takes_any_tenant) {
            tracing::warn!("the policy takes any tenant, and nobody decides about them: only those it lists get in");
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let own = RegisteredRule { verifier: id, id: 0, rule: Arc::new(Rule::own()) };
        let policies = Policies::new(self.validators.into(), Arc::clone(&own.rule));
        Verifier {
            id,
            authorities: self.authorities.into(),
            revision: AtomicU64::new(policies.revision),
            policies: ArcSwap::from_pointee(policies),
            changing: Mutex::new(()),
            own,
            cache: VerdictCache::new(self.cache_bytes),
            hooks: self.hooks,
            clock: self.clock,
            #[cfg(feature = "token-decryption")]
            decryption: self.decryption,
        }
    }
}
