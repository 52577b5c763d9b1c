//! [`Guard`]: a verifier together with what refused callers are told.

use std::fmt;
use std::sync::Arc;

use countersign_discovery::KeySource;
use countersign_protocol::BearerChallenge;
use countersign_token::policy::Permission;
use countersign_token::{Claims, Clock, NumericDate, Policy, PolicyError, TenantId, Verified};
use http::{Extensions, HeaderMap};

use crate::answer::{Answer, Challenges};
use crate::binding::{BindingError, Bindings, Sent, TrustedProxy};
use crate::credential::{Credential, CredentialError, Scheme, credential, is_clean, refused_as, token_text};
use crate::hooks::GroupResolver;
use crate::verifier::{Admitted, Decision, Denied, Known, Now, Pending, VerifierBuilder};
use crate::{GuardLayer, Refusal, RegisteredRule, Rule, Verifier, decision_log};

/// What an API adds to its routes. Clones share everything.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    challenges: Challenges,
    bindings: Bindings,
    bypass: Option<Bypass>,
}

/// The token that a development bypass puts in place of every request's own.
pub(crate) struct Bypass {
    pub(crate) token: String,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0.verifier).finish()
    }
}

/// Configures a [`Guard`].
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder {
    verifier: VerifierBuilder,
    authorization_uri: Option<String>,
    resource_metadata: Option<String>,
    realm: Option<String>,
    bindings: Bindings,
}

impl GuardBuilder {
    /// Takes the tokens of another authority too; see [`VerifierBuilder::also`].
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn also(mut self, keys: KeySource, policy: &Policy) -> Result<Self, PolicyError> {
        self.verifier = self.verifier.also(keys, policy)?;
        Ok(self)
    }

    /// Takes the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.verifier = self.verifier.clock(clock);
        self
    }

    /// Keeps at most this many bytes of verified tokens; 64 MiB unless told otherwise.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.verifier = self.verifier.cache_bytes(bytes);
        self
    }

    /// Decides about tenants that the policy does not list; see [`VerifierBuilder::tenants`].
    pub fn tenants(mut self, admits: impl Fn(TenantId) -> bool + Send + Sync + 'static) -> Self {
        self.verifier = self.verifier.tenants(admits);
        self
    }

    /// Asks about revocation on every request; see [`VerifierBuilder::revocation`].
    pub fn revocation(
        mut self,
        revoked_before: impl Fn(&Verified<Claims>) -> Option<NumericDate> + Send + Sync + 'static,
    ) -> Self {
        self.verifier = self.verifier.revocation(revoked_before);
        self
    }

    /// Asks this for the groups of users who have too many; see [`VerifierBuilder::groups`].
    pub fn groups(mut self, resolver: Arc<dyn GroupResolver>) -> Self {
        self.verifier = self.verifier.groups(resolver);
        self
    }

    /// Adds a condition that every caller must meet; see [`VerifierBuilder::predicate`].
    pub fn predicate(
        mut self,
        name: &'static str,
        check: impl Fn(&Verified<Claims>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.verifier = self.verifier.predicate(name, check);
        self
    }

    /// Names the authority's authorization endpoint in challenges, as Entra's own APIs do.
    pub fn authorization_uri(mut self, uri: impl Into<String>) -> Self {
        self.authorization_uri = Some(uri.into());
        self
    }

    /// Writes a `realm` into challenges; Entra's own APIs write an empty one.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Names the API's metadata document in challenges (RFC 9728 §5.1); [`crate::ResourceMetadata`] writes it.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// Takes the certificates of clients from a proxy's header, where tokens are bound to one. Without it they are those
    /// of the connection itself, see [`crate::ClientCertificate`].
    pub fn trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.bindings.proxy = Some(proxy);
        self
    }

    /// Takes tokens that are bound to a key which a DPoP proof proves, under the scheme `DPoP` (RFC 9449). An unbound token
    /// under that scheme is refused, as a bound one is under `Bearer`.
    #[cfg(feature = "proof-of-possession")]
    pub fn dpop(mut self, policy: crate::ProofPolicy) -> Self {
        self.bindings.dpop = Some(crate::binding::Proofs::new(policy));
        self
    }

    /// Takes signed HTTP requests under the scheme `PoP`, as Microsoft's libraries send them: the access token travels
    /// inside, and names the key that signed the request.
    #[cfg(feature = "proof-of-possession")]
    pub fn signed_http_requests(mut self, policy: crate::ProofPolicy) -> Self {
        self.bindings.pop = Some(crate::binding::Proofs::new(policy));
        self
    }

    /// Takes encrypted tokens too; see [`VerifierBuilder::token_decryption`].
    #[cfg(feature = "token-decryption")]
    pub fn token_decryption(mut self, keys: countersign_token::DecryptionKeys) -> Self {
        self.verifier = self.verifier.token_decryption(keys);
        self
    }

    /// Builds the guard. Nothing is fetched before the first token, see [`Guard::ready`].
    #[must_use]
    pub fn build(self) -> Guard {
        self.build_with(None)
    }

    pub(crate) fn build_with(self, bypass: Option<Bypass>) -> Guard {
        let mut opening = BearerChallenge::new();
        if let Some(realm) = &self.realm {
            opening = opening.realm(realm);
        }
        if let Some(uri) = &self.authorization_uri {
            opening = opening.authorization_uri(uri);
        }
        if let Some(url) = &self.resource_metadata {
            opening = opening.resource_metadata(url);
        }
        let challenges = Challenges::new(opening, self.bindings.other_challenges());
        Guard(Arc::new(Inner { verifier: self.verifier.build(), challenges, bindings: self.bindings, bypass }))
    }
}

/// What the headers of a request come to.
pub(crate) enum First {
    Decided(Decision),
    /// The token names a key that must be asked for, or somebody's groups must be.
    Ask(Waiting),
}

/// A token that waits.
pub(crate) struct Waiting {
    token: String,
    pending: Pending,
    scheme: Scheme,
}

impl Waiting {
    /// The decision for those who cannot wait for somebody's groups; none if it is a key that is waited for.
    #[cfg(feature = "tonic")]
    pub(crate) fn without_groups(&self) -> Option<Decision> {
        self.pending.without_groups().map(Err)
    }
}

/// Under a scheme for bound tokens no other token passes.
fn as_sent(scheme: Scheme, decision: Decision) -> Decision {
    match decision {
        Ok(Admitted { caller, bound: false }) if scheme != Scheme::Bearer => {
            Err(Denied { refusal: BindingError::NotBound.into(), caller: Some(caller), authority: 0 })
        }
        decision => decision,
    }
}

impl Guard {
    /// A guard of `policy` with the keys of `keys`.
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn builder(keys: KeySource, policy: &Policy) -> Result<GuardBuilder, PolicyError> {
        Ok(GuardBuilder {
            verifier: Verifier::builder(keys, policy)?,
            authorization_uri: None,
            resource_metadata: None,
            realm: None,
            bindings: Bindings::default(),
        })
    }

    /// The decision without HTTP.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Whether a [`crate::DevelopmentBypass`] made this guard.
    pub(crate) fn is_bypassed(&self) -> bool {
        self.0.bypass.is_some()
    }

    /// The header in which a trusted proxy hands certificates on.
    #[cfg(feature = "actix-web")]
    pub(crate) fn proxy_header(&self) -> Option<&http::HeaderName> {
        self.0.bindings.proxy.as_ref().map(TrustedProxy::header)
    }

    /// Fetches the first keys, so that start-up can wait for them or report that they cannot be had.
    ///
    /// # Errors
    /// [`Refusal::Keys`].
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.0.verifier.ready().await
    }

    /// A layer that applies the policy's own permission.
    #[must_use]
    pub fn layer(&self) -> GuardLayer {
        GuardLayer::new(self.clone(), self.0.verifier.own_rule().clone())
    }

    /// A layer that applies `permission` in place of the policy's roles and scopes. What the policy demands of who calls
    /// binds still.
    #[must_use]
    pub fn layer_for(&self, permission: Permission) -> GuardLayer {
        let rule = self.0.verifier.register_permission(permission);
        GuardLayer::new(self.clone(), rule)
    }

    /// A layer that applies a rule: a permission with conditions of the service's own, or one that the policy names.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPermission`] for a name that the policy does not have.
    pub fn layer_under(&self, rule: impl Into<Rule>) -> Result<GuardLayer, PolicyError> {
        Ok(GuardLayer::new(self.clone(), self.0.verifier.register(rule)?))
    }

    /// Decides about a request by its headers, for servers that are neither `tower` nor any that there is an adapter for.
    /// `extensions` may hold a [`crate::ClientCertificate`] and, where tokens are bound to keys that are proven request by
    /// request, a [`crate::RequestTarget`].
    ///
    /// # Errors
    /// The [`Answer`] that the request gets.
    pub async fn check(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        rule: &RegisteredRule,
    ) -> Result<Arc<Verified<Claims>>, Answer> {
        self.check_sent(Sent::headers(headers, extensions), rule).await
    }

    /// As [`Guard::check`], for whoever has the whole head of a request.
    ///
    /// # Errors
    /// As there.
    pub async fn check_parts(
        &self,
        parts: &http::request::Parts,
        rule: &RegisteredRule,
    ) -> Result<Arc<Verified<Claims>>, Answer> {
        let sent = Sent::parts(&parts.method, &parts.uri, &parts.headers, &parts.extensions);
        self.check_sent(sent, rule).await
    }

    async fn check_sent(&self, sent: Sent<'_>, rule: &RegisteredRule) -> Result<Arc<Verified<Claims>>, Answer> {
        let decision = match self.decide(sent.headers, rule) {
            First::Decided(decision) => decision,
            First::Ask(waiting) => self.decide_waiting(waiting, rule).await,
        };
        self.settle(decision, sent, rule)
    }

    /// Decides without waiting, if that can be.
    pub(crate) fn decide(&self, headers: &HeaderMap, rule: &RegisteredRule) -> First {
        if let Some(bypass) = &self.0.bypass {
            return self.decide_text(Scheme::Bearer, bypass.token.as_bytes(), rule);
        }
        match credential(headers, self.0.bindings.schemes()) {
            #[cfg(feature = "proof-of-possession")]
            Ok(Credential { scheme: Scheme::Pop, text }) => self.decide_inside(text, rule),
            Ok(Credential { scheme, text }) => self.decide_text(scheme, text, rule),
            Err(error) => First::Decided(Err(Refusal::from(error).into())),
        }
    }

    /// Decides about the token inside a signed request. The signature around it is for [`Guard::settle`].
    #[cfg(feature = "proof-of-possession")]
    fn decide_inside(&self, text: &[u8], rule: &RegisteredRule) -> First {
        use countersign_token::{MAX_SIGNED_HTTP_REQUEST_BYTES, SignedHttpRequest};
        let request = token_text(text, MAX_SIGNED_HTTP_REQUEST_BYTES).and_then(|text| {
            SignedHttpRequest::parse(text).map_err(|error| Refusal::Binding(BindingError::from(error)))
        });
        match request {
            Ok(request) => self.decide_text(Scheme::Pop, request.access_token().as_bytes(), rule),
            Err(refusal) => First::Decided(Err(refusal.into())),
        }
    }

    fn decide_text(&self, scheme: Scheme, text: &[u8], rule: &RegisteredRule) -> First {
        let verifier = &self.0.verifier;
        let digest = match verifier.decide_known(text, rule) {
            Known::Decided(decision) => return First::Decided(as_sent(scheme, decision)),
            Known::Overage(overage) => {
                // It was verified before, so it is text.
                let token = String::from_utf8_lossy(text).into_owned();
                return First::Ask(Waiting { token, pending: Pending::Groups(overage), scheme });
            }
            Known::Not(digest) => digest,
        };
        match token_text(text, verifier.max_token_bytes()) {
            Ok(token) => match verifier.decide_now(token, digest, rule) {
                Now::Decided(Err(Denied { refusal, caller: None, authority })) => {
                    let refusal = refused_as(token, refusal);
                    First::Decided(Err(Denied { refusal, caller: None, authority }))
                }
                Now::Decided(decision) => First::Decided(as_sent(scheme, decision)),
                // Nobody is asked for the key of what can be no token.
                Now::Pending(_) if !is_clean(token) => {
                    First::Decided(Err(Refusal::from(CredentialError::Malformed).into()))
                }
                Now::Pending(pending) => First::Ask(Waiting { token: token.to_owned(), pending, scheme }),
            },
            Err(refusal) => First::Decided(Err(refusal.into())),
        }
    }

    pub(crate) async fn decide_waiting(&self, waiting: Waiting, rule: &RegisteredRule) -> Decision {
        let Waiting { token, pending, scheme } = waiting;
        as_sent(scheme, self.0.verifier.decide_pending(&token, pending, rule).await)
    }

    /// The last step: the proof of a bound token's key, and the log.
    pub(crate) fn settle(
        &self,
        decision: Decision,
        sent: Sent<'_>,
        rule: &RegisteredRule,
    ) -> Result<Arc<Verified<Claims>>, Answer> {
        let decision = decision.and_then(|Admitted { caller, bound }| {
            if bound {
                let now = self.0.verifier.now().as_unix_seconds();
                if let Err(error) = self.0.bindings.check(&caller, sent, now) {
                    return Err(Denied { refusal: error.into(), caller: Some(caller), authority: 0 });
                }
            }
            Ok(caller)
        });
        match decision {
            Ok(caller) => {
                decision_log::admitted(&caller);
                Ok(caller)
            }
            Err(denied) => {
                decision_log::refused(&denied.refusal, denied.caller.as_deref());
                Err(self.0.challenges.answer(&self.0.verifier, &denied, rule))
            }
        }
    }
}
