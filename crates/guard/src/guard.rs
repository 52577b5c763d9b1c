//! [`Guard`]: a verifier together with what refused callers are told.

use std::fmt;
use std::sync::Arc;

use countersign_discovery::KeySource;
use countersign_protocol::BearerChallenge;
use countersign_protocol::BearerError;
use countersign_token::policy::Permission;
use countersign_token::{Clock, Policy, PolicyError, Rejection};
use http::HeaderValue;

use crate::verifier::VerifierBuilder;
use crate::{GuardLayer, Refusal, Verifier};

/// What an API adds to its routes. Clones share everything.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    challenges: Challenges,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0.verifier).finish()
    }
}

/// The `WWW-Authenticate` values, written once. Their texts tell a caller what to do, not what the guard found.
struct Challenges {
    authorization_uri: Option<String>,
    missing: HeaderValue,
    malformed: HeaderValue,
    invalid: HeaderValue,
    expired: HeaderValue,
    stranger: HeaderValue,
}

/// Configures a [`Guard`].
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder {
    verifier: VerifierBuilder,
    authorization_uri: Option<String>,
}

impl GuardBuilder {
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

    /// Names the authority's authorization endpoint in challenges, as Entra's own APIs do.
    pub fn authorization_uri(mut self, uri: impl Into<String>) -> Self {
        self.authorization_uri = Some(uri.into());
        self
    }

    /// Builds the guard. Nothing is fetched before the first token, see [`Guard::ready`].
    #[must_use]
    pub fn build(self) -> Guard {
        let challenges = Challenges::new(self.authorization_uri);
        Guard(Arc::new(Inner { verifier: self.verifier.build(), challenges }))
    }
}

impl Guard {
    /// A guard of `policy` with the keys of `keys`.
    ///
    /// # Errors
    /// [`PolicyError`] if the policy cannot be kept.
    pub fn builder(keys: KeySource, policy: &Policy) -> Result<GuardBuilder, PolicyError> {
        Ok(GuardBuilder { verifier: Verifier::builder(keys, policy)?, authorization_uri: None })
    }

    /// The decision without HTTP.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
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
        GuardLayer::new(self.clone(), None)
    }

    /// A layer that applies `permission` in place of the policy's roles and scopes. The policy's clients and kinds bind
    /// still.
    #[must_use]
    pub fn layer_for(&self, permission: Permission) -> GuardLayer {
        GuardLayer::new(self.clone(), Some(permission))
    }

    /// The challenge for callers that lack `permission`.
    pub(crate) fn forbidden(&self, permission: &Permission) -> HeaderValue {
        let wanted: Vec<&str> = permission.scopes.iter().chain(&permission.app_roles).map(String::as_str).collect();
        if wanted.is_empty() {
            return self.0.challenges.stranger.clone();
        }
        let text = format!("The caller needs one of: {}.", wanted.join(", "));
        write(self.0.challenges.authorization_uri.as_deref(), Some(BearerError::InsufficientScope), &text)
    }

    /// The challenge for a refusal, `None` for those that have none (503). `lacking` is that of the route's permission.
    pub(crate) fn challenge(&self, refusal: &Refusal, lacking: Option<&HeaderValue>) -> Option<HeaderValue> {
        let challenges = &self.0.challenges;
        Some(match refusal {
            Refusal::Credential(crate::CredentialError::Missing) => challenges.missing.clone(),
            Refusal::Credential(_) => challenges.malformed.clone(),
            Refusal::Token(Rejection::Expired) => challenges.expired.clone(),
            Refusal::Token(Rejection::RoleMissing | Rejection::ScopeMissing | Rejection::NoPermission) => {
                lacking.cloned().unwrap_or_else(|| self.0.verifier.own_permission(|own| self.forbidden(own)))
            }
            // No permission would help these callers: it is they who are not wanted.
            Refusal::Token(rejection) if rejection.is_forbidden() => challenges.stranger.clone(),
            Refusal::Token(_) => challenges.invalid.clone(),
            Refusal::Keys(_) | Refusal::KeyUnconfirmed => return None,
        })
    }
}

impl Challenges {
    fn new(authorization_uri: Option<String>) -> Self {
        let bare = |error, text| write(authorization_uri.as_deref(), error, text);
        Self {
            missing: bare(None, ""),
            malformed: bare(
                Some(BearerError::InvalidRequest),
                "Send exactly one Authorization header: the word Bearer and one access token.",
            ),
            invalid: bare(Some(BearerError::InvalidToken), "The access token is not valid for this API."),
            expired: bare(Some(BearerError::InvalidToken), "The access token has expired."),
            stranger: bare(Some(BearerError::InsufficientScope), "The API does not admit this caller here."),
            authorization_uri,
        }
    }
}

fn write(authorization_uri: Option<&str>, error: Option<BearerError>, text: &str) -> HeaderValue {
    let mut challenge = BearerChallenge::new();
    if let Some(uri) = authorization_uri {
        challenge = challenge.authorization_uri(uri);
    }
    if let Some(error) = error {
        challenge = challenge.error(error).error_description(text);
    }
    // Challenges are written from our own texts; a role with letters that no header can carry loses the description.
    HeaderValue::try_from(challenge.to_header_value()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}
