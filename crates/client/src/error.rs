//! Why no token could be had, who must do what about it, and whether trying again may help.
//!
//! An error is data: the AADSTS number, its meaning and the mend come from `protocol`'s catalogue, never from a
//! description. Foreign text is shown escaped, cut, and without the credential. Every error can be cloned, because all
//! callers who waited for one request share its outcome.

use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::TransportError;
use countersign_protocol::ScopeError;
use countersign_token::SigningError;

use crate::assertion::AssertionError;
use crate::authorization_code::CallbackError;
use crate::claims::ClaimsRequest;
use crate::id_token::IdTokenFault;
use crate::managed_identity::ManagedIdentityError;
use crate::refusal::Refusal;
use crate::unusable::{NoResponse, UnusableAnswer};

/// No token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The authority answered with an error.
    #[error("the authority refused to issue a token: {0}")]
    Refused(Arc<Refusal>),
    /// The authority asked to be left alone for a while, now or a moment ago; nothing is sent until then.
    #[error("the authority asks to wait {} s before the next request (status {status})", .retry_after.as_secs())]
    Throttled {
        /// The HTTP status, 429 or 500 to 599.
        status: u16,
        /// How long from now on.
        retry_after: Duration,
        /// What else the authority said.
        refusal: Option<Arc<Refusal>>,
        /// The `client-request-id` of the request that it said so to.
        correlation_id: Option<Arc<str>>,
    },
    /// No usable response: no connection, no trust, no time, too many bytes, or a redirect.
    #[error("the token endpoint gave no usable response")]
    Transport(#[source] Arc<NoResponse>),
    /// A response that is neither a token nor an error of an authority: a proxy's page, a cut answer.
    #[error("the token endpoint's answer is not understood")]
    Unusable(#[source] Arc<UnusableAnswer>),
    /// The endpoint has not answered several times in a row; nothing was sent, one request a second tries it again.
    #[error("the token endpoint does not answer for now")]
    Unavailable {
        /// How long until the next request may go out.
        retry_after: Duration,
        /// Why the last one failed.
        #[source]
        cause: Arc<AcquireError>,
    },
    /// The scopes are not `{resource}/.default` of exactly one resource, as client credentials and the v1.0 endpoint need.
    #[error("these scopes cannot be asked for here")]
    Scopes(#[source] ScopeError),
    /// The tenant is `common`, `organizations` or `consumers`, where an application has no roles; nothing was sent. Another
    /// tenant may be named with the call.
    #[error("client credentials need one tenant: a GUID or a domain, not an alias such as common")]
    TenantAlias,
    /// The client is limited to some tenants, and this is none of them; nothing was sent.
    #[error("this client does not ask for tokens in this tenant")]
    TenantNotAllowed,
    /// The token that came is not bound to the client's certificate, and the client takes no other.
    #[error("the token is not bound to the client's certificate")]
    NotBound,
    /// The client assertion could not be signed.
    #[error("the client assertion could not be signed")]
    Assertion(#[source] Arc<SigningError>),
    /// The assertion that somebody else issues could not be had or would be refused; nothing was sent.
    #[error(transparent)]
    NoAssertion(Arc<AssertionError>),
    /// The client has no credential, and this grant needs one.
    #[error("a client without credential cannot ask for this")]
    NoCredential,
    /// There is no refresh token for this account or session: nobody has signed in, or the session has ended.
    #[error("nobody is signed in here; the user signs in again")]
    NotSignedIn,
    /// What came back with the user's browser is not the answer to this sign-in.
    #[error("the sign-in's callback is not accepted")]
    Callback(#[source] Arc<CallbackError>),
    /// The id_token that came with the answer is not for this client and sign-in.
    #[error("the id_token is not accepted: {0}")]
    IdToken(IdTokenFault),
    /// The user has not typed the code in time.
    #[error("the device code has expired")]
    DeviceCodeExpired,
    /// The managed identity's endpoint gave no token.
    #[error("the managed identity has no token")]
    ManagedIdentity(#[source] Arc<ManagedIdentityError>),
    /// The request that was waited for went away without an answer: its task panicked, or its runtime was shut down.
    #[error("the request for the token was abandoned")]
    Abandoned,
    /// Nothing was sent, because no tokio runtime is running here.
    #[error("no tokio runtime is running here")]
    NoRuntime,
}

impl AcquireError {
    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Throttled { refusal: Some(refusal), .. } => Some(refusal),
            _ => None,
        }
    }

    /// The AADSTS number, for example 7000215.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.refusal()?.code()
    }

    /// What the number means, in the catalogue's words; insertions stand in braces.
    #[must_use]
    pub fn meaning(&self) -> Option<&'static str> {
        self.refusal()?.meaning()
    }

    /// Who must do what.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoAssertion(error) => error.remedy(),
            Self::ManagedIdentity(error) => Some(error.remedy()),
            Self::NoCredential => {
                Some("The client's developer gives it a secret, a certificate or a federated credential.")
            }
            Self::NotSignedIn => Some("The user signs in again."),
            Self::TenantNotAllowed => {
                Some("The client's operator adds the tenant to AZURE_ADDITIONALLY_ALLOWED_TENANTS.")
            }
            Self::NotBound => {
                Some("The authority's operator lets the application and the resource have certificate-bound tokens.")
            }
            Self::Unavailable { cause, .. } => cause.remedy(),
            other => other.refusal()?.remedy(),
        }
    }

    /// The id under which the authority's log has the answer.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.refusal()?.trace_id()
    }

    /// The id that ties the answer to the request: the authority's word, or what was sent as `client-request-id` where it
    /// said none. Of a circuit that is open, that of the last request that failed.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        match self {
            Self::Throttled { refusal: None, correlation_id, .. } => correlation_id.as_deref(),
            Self::Transport(error) => error.correlation_id(),
            Self::Unusable(answer) => answer.correlation_id(),
            Self::Unavailable { cause, .. } => cause.correlation_id(),
            other => other.refusal()?.correlation_id(),
        }
    }

    /// How long the authority asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether the same call may succeed later with nothing changed at this end; see also [`AcquireError::retry_after`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_retryable(),
            Self::Unusable(answer) => is_servers_fault(answer.status()) || answer.status() == 429,
            Self::Transport(error) => error.is_transient(),
            Self::NoAssertion(error) => error.is_retryable(),
            Self::ManagedIdentity(error) => error.is_retryable(),
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::Abandoned => true,
            Self::Scopes(_)
            | Self::TenantAlias
            | Self::TenantNotAllowed
            | Self::NotBound
            | Self::Assertion(_)
            | Self::NoRuntime
            | Self::NoCredential
            | Self::NotSignedIn
            | Self::Callback(_)
            | Self::IdToken(_)
            | Self::DeviceCodeExpired => false,
        }
    }

    /// Whether only the user can help: by signing in, consenting, or passing what Conditional Access asks for. A web API
    /// hands [`AcquireError::claims`] on to its caller; a web app sends the user through the authorization page again.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        match self {
            Self::NotSignedIn => true,
            Self::Refused(refusal) => refusal.needs_user(),
            _ => false,
        }
    }

    /// The claims that the next token must carry, by the authority's word: what a web API puts into its own challenge.
    #[must_use]
    pub fn claims(&self) -> Option<&ClaimsRequest> {
        self.refusal()?.claims()
    }

    /// Whether the endpoint is dead or stumbles, rather than saying no.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Refused(refusal) => is_servers_fault(refusal.status()),
            Self::Unusable(answer) => is_servers_fault(answer.status()),
            Self::Transport(error) => error.is_transient() || matches!(***error, TransportError::Tls(_)),
            Self::ManagedIdentity(error) => error.is_outage(),
            _ => false,
        }
    }

    /// Whether somebody answered.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unusable(_) | Self::Throttled { .. } | Self::NotBound)
    }

    /// Whether one more attempt at once is worth it: the server stumbled, the connection broke off, or a token file
    /// was read while it was being written. Not after a timeout, which has cost its callers enough.
    pub(crate) fn deserves_second_attempt(&self) -> bool {
        match self {
            Self::Refused(refusal) => is_servers_fault(refusal.status()),
            Self::Unusable(answer) => is_servers_fault(answer.status()),
            Self::Transport(error) => {
                matches!(***error, TransportError::Connect(_) | TransportError::Interrupted(_))
            }
            Self::NoAssertion(error) => error.is_half_written(),
            _ => false,
        }
    }

    /// The same error with the time that is left of its wait.
    pub(crate) fn with_retry_after(self, left: Duration) -> Self {
        match self {
            Self::Throttled { status, refusal, correlation_id, .. } => {
                Self::Throttled { status, retry_after: left, refusal, correlation_id }
            }
            other => other,
        }
    }
}

pub(crate) fn is_servers_fault(status: u16) -> bool {
    (500..600).contains(&status)
}
