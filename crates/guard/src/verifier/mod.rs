//! The decision alone: a token in, a verified caller or a refusal out. For any transport.
//!
//! `decision.rs` holds the way from a token to a decision, `policies.rs` what the policies say at one moment.

mod builder;
mod decision;
mod overage;
mod policies;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use countersign_discovery::KeySource;
use countersign_token::policy::Permission;
use countersign_token::{Claims, Clock, Policy, PolicyError, Timestamp, Validator, Verified};

pub use self::builder::VerifierBuilder;
pub(crate) use self::decision::{Admitted, Decision, Denied, Facts, Known, Now, Pending};
pub(crate) use self::policies::Policies;
use crate::binding::BindingError;
use crate::hooks::Hooks;
use crate::verdict_cache::VerdictCache;
use crate::{Refusal, Rule};

/// Verifies tokens against the keys and the policy of one authority, or of several side by side.
///
/// A token seen before costs a look-up; its expiry, its key and the policy are asked again each time. Keys that a token
/// names and nobody has are fetched at most once per cooldown, see [`countersign_discovery::RemoteKeys`].
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
///
/// A message queue has no `WWW-Authenticate`: who sends a message puts the token into a property of it, and who takes it
/// from the queue asks before it looks at the message. What is worth another attempt is told from what is not by the
/// status that a request would have got:
///
/// ```
/// use countersign_guard::{Permission, PolicyError, RegisteredRule, Verifier};
///
/// struct Message {
///     token: String,
///     body: Vec<u8>,
/// }
///
/// enum Outcome {
///     Done,
///     /// Put back into the queue: the authority could not be asked.
///     Later,
///     /// Moved to the dead letters, with the stable code as the reason.
///     Dead(&'static str),
/// }
///
/// struct Consumer {
///     verifier: Verifier,
///     may_order: RegisteredRule,
/// }
///
/// impl Consumer {
///     fn new(verifier: Verifier) -> Result<Self, PolicyError> {
///         let may_order = verifier.register(Permission::any_app_role(["Orders.Write"]))?;
///         Ok(Self { verifier, may_order })
///     }
///
///     async fn take(&self, message: Message) -> Outcome {
///         match self.verifier.verify_under(&message.token, &self.may_order).await {
///             Ok(caller) => {
///                 println!("{} ordered {} bytes", caller.client(), message.body.len());
///                 Outcome::Done
///             }
///             Err(refusal) if refusal.status().is_server_error() => Outcome::Later,
///             Err(refusal) => Outcome::Dead(refusal.code()),
///         }
///     }
/// }
/// ```
pub struct Verifier {
    /// Tells verifiers apart, so that a rule of one is not taken for the other's of the same number.
    id: u64,
    pub(crate) authorities: Box<[Authority]>,
    policies: ArcSwap<Policies>,
    /// The revision of `policies`, for hits, which need to know no more.
    revision: AtomicU64,
    /// Held while the policies are replaced or a rule is added, so that neither loses the other's work.
    changing: Mutex<()>,
    own: RegisteredRule,
    cache: VerdictCache,
    hooks: Hooks,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "token-decryption")]
    decryption: Option<countersign_token::DecryptionKeys>,
}

/// One issuer of tokens, with the keys it publishes. Its policy stands under the same number in [`Policies`].
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) keys: KeySource,
}

/// A rule that a verifier knows, made by [`Verifier::register`]. Under another verifier it lets nobody in
/// ([`Refusal::ForeignRule`]).
#[derive(Debug, Clone)]
pub struct RegisteredRule {
    verifier: u64,
    id: usize,
    rule: Arc<Rule>,
}

impl RegisteredRule {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier of `policy` with the keys of `keys`.
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn builder(keys: KeySource, policy: &Policy) -> Result<VerifierBuilder, PolicyError> {
        VerifierBuilder::new(keys, policy)
    }

    /// Fetches the first keys of every authority, so that start-up can wait for them or report that they cannot be had.
    ///
    /// # Errors
    /// [`Refusal::Keys`].
    pub async fn ready(&self) -> Result<(), Refusal> {
        for authority in &self.authorities {
            authority.keys.ready().await?;
        }
        Ok(())
    }

    /// Makes a rule known, to verify tokens under it with [`Verifier::verify_under`]. For start-up: after a rule that was
    /// not known yet, tokens that were verified before are verified anew once.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPermission`] for a name that a policy does not have.
    pub fn register(&self, rule: impl Into<Rule>) -> Result<RegisteredRule, PolicyError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = Arc::new(rule.into());
        if let Some((id, known)) = self.policies.load().known(&rule) {
            return Ok(RegisteredRule { verifier: self.id, id, rule: Arc::clone(known) });
        }
        let policies = self.policies.load().with_rule(Arc::clone(&rule))?;
        let id = policies.rules() - 1;
        self.put(policies);
        Ok(RegisteredRule { verifier: self.id, id, rule })
    }

    /// As [`Verifier::register`], for rules that name nothing and so always resolve.
    pub(crate) fn register_permission(&self, permission: Permission) -> RegisteredRule {
        self.register(permission).unwrap_or_else(|_| self.own.clone())
    }

    /// Replaces the policy for every later request, at once and whole. Verdicts of the old policy are not used again.
    ///
    /// # Errors
    /// [`PolicyError`]; the old policy then stays. [`PolicyError::UnknownPermission`] if a route asks for a permission by a
    /// name that the new policy does not have.
    pub fn replace_policy(&self, policy: &Policy) -> Result<(), PolicyError> {
        self.replace_policies(std::slice::from_ref(policy))
    }

    /// As [`Verifier::replace_policy`] for a verifier of several authorities: their policies, in the order in which they
    /// were given.
    ///
    /// # Errors
    /// As [`Verifier::replace_policy`], and [`PolicyError::Count`].
    pub fn replace_policies(&self, policies: &[Policy]) -> Result<(), PolicyError> {
        let validators = policies.iter().map(Policy::compile).collect::<Result<_, _>>()?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let policies = self.policies.load().with_validators(validators)?;
        self.put(policies);
        Ok(())
    }

    fn put(&self, policies: Policies) {
        let revision = policies.revision;
        self.policies.store(Arc::new(policies));
        self.revision.store(revision, Ordering::Release);
    }

    /// Verifies a token and applies the whole policy, permission included.
    ///
    /// # Errors
    /// [`Refusal::Token`] and the refusals of the service's own hooks; [`Refusal::Keys`] and [`Refusal::KeyUnconfirmed`] when
    /// nobody can tell. [`Refusal::Binding`] for a token that is bound to a key: without a request nothing proves that key.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified<Claims>>, Refusal> {
        self.verify_under(token, &self.own).await
    }

    /// Verifies a token and applies a rule in place of the policy's own roles and scopes.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn verify_under(&self, token: &str, rule: &RegisteredRule) -> Result<Arc<Verified<Claims>>, Refusal> {
        let decision = match self.decide_known(token.as_bytes(), rule) {
            Known::Decided(decision) => decision,
            Known::Overage(overage) => self.resolve(overage, rule).await,
            Known::Not(digest) => match self.decide_now(token, digest, rule) {
                Now::Decided(decision) => decision,
                Now::Pending(pending) => self.decide_pending(token, pending, rule).await,
            },
        };
        let admitted = decision.map_err(|denied| denied.refusal)?;
        if admitted.bound {
            return Err(BindingError::NoProof.into());
        }
        Ok(admitted.caller)
    }

    /// The policies in force, one line of JSON for each authority, to print at start and to diff in review.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        let policies = self.policies.load();
        let line = |validator: &Validator| serde_json::to_string(validator.policy()).unwrap_or_default();
        policies.validators().iter().map(line).collect()
    }

    /// How many verified tokens are kept, and how many bytes they occupy.
    #[must_use]
    pub fn cached(&self) -> (usize, u64) {
        (self.cache.len(), self.cache.bytes())
    }

    /// The time now, by the verifier's own clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The longest text that may be a token.
    pub(crate) fn max_token_bytes(&self) -> usize {
        #[cfg(feature = "token-decryption")]
        if self.decryption.is_some() {
            return countersign_token::MAX_ENCRYPTED_TOKEN_BYTES;
        }
        countersign_token::MAX_TOKEN_BYTES
    }

    /// The rule that stands for the policy's own permission.
    pub(crate) fn own_rule(&self) -> &RegisteredRule {
        &self.own
    }

    /// Reads the policies as they stand now.
    pub(crate) fn policies(&self) -> arc_swap::Guard<Arc<Policies>> {
        self.policies.load()
    }
}
