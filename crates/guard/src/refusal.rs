//! Why a request does not pass, for operators; what its sender sees is in `guard.rs`.

use countersign_discovery::KeysUnavailable;
use countersign_token::{NumericDate, Rejection};

use crate::CredentialError;
use crate::binding::BindingError;

/// Why a request was turned away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not carry one bearer token: 401, or 400 where it carries something else in its place.
    #[error("the request carries no usable credential")]
    Credential(#[from] CredentialError),
    /// The token was refused: 401, or 403 where the caller is genuine but may not do this.
    #[error("the token was refused")]
    Token(#[from] Rejection),
    /// The token is bound to a key, and the request does not prove that its sender has that key: 401.
    #[error("the token is bound to a key that the request does not prove")]
    Binding(#[from] BindingError),
    /// A condition of the service's own, by its name: 403.
    #[error("the service's own condition is not met: {0}")]
    Predicate(&'static str),
    /// The service says that tokens issued before this moment are revoked: 401, with a claims challenge for callers who
    /// understand one.
    #[error("the service has revoked tokens issued before {}", .0.0)]
    Revoked(NumericDate),
    /// The rule was registered with another verifier, where its number means something else: 500, a fault of the service.
    #[error("the rule was registered with another verifier")]
    ForeignRule,
    /// Nobody can tell, because the authority's keys cannot be had: 503.
    #[error("the authority's keys cannot be had")]
    Keys(#[source] KeysUnavailable),
    /// Nobody can tell, because the token names a key that is not at hand and the authority could not be asked for it: 503.
    /// The key may be forged, or new.
    #[error("the token names a key that is not at hand, and the authority could not be asked for it")]
    KeyUnconfirmed(#[source] KeysUnavailable),
    /// Nobody can tell, because the user's groups are elsewhere and whoever was asked for them did not say: 503.
    #[error("the user's groups are elsewhere and could not be had")]
    GroupsUnavailable,
}

impl From<KeysUnavailable> for Refusal {
    fn from(cause: KeysUnavailable) -> Self {
        match cause {
            KeysUnavailable::Unconfirmed(_) => Self::KeyUnconfirmed(cause),
            _ => Self::Keys(cause),
        }
    }
}

impl Refusal {
    /// The stable code, `snake_case`; that of the [`Rejection`] where there is one.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credential(CredentialError::Missing) => "credential_missing",
            Self::Credential(CredentialError::Several) => "several_credentials",
            Self::Credential(_) => "credential_malformed",
            Self::Token(rejection) => rejection.code(),
            Self::Binding(error) => error.code(),
            Self::Predicate(_) => "predicate_unmet",
            Self::Revoked(_) => "revoked",
            Self::ForeignRule => "foreign_rule",
            Self::Keys(_) => "keys_unavailable",
            Self::KeyUnconfirmed(_) => "key_unconfirmed",
            Self::GroupsUnavailable => "groups_unavailable",
        }
    }

    /// The HTTP status (RFC 6750 §3.1).
    ///
    /// A missing authentication context is 401 here; for a caller who cannot answer a claims challenge the guard makes it
    /// 403.
    #[must_use]
    pub const fn status(&self) -> http::StatusCode {
        match self {
            Self::Credential(CredentialError::Missing) => http::StatusCode::UNAUTHORIZED,
            Self::Credential(_) => http::StatusCode::BAD_REQUEST,
            Self::Token(rejection) if rejection.is_forbidden() => http::StatusCode::FORBIDDEN,
            Self::Binding(error) if error.is_ours() => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) | Self::Revoked(_) | Self::Binding(_) => http::StatusCode::UNAUTHORIZED,
            Self::ForeignRule => http::StatusCode::INTERNAL_SERVER_ERROR,
            Self::Predicate(_) => http::StatusCode::FORBIDDEN,
            Self::Keys(_) | Self::KeyUnconfirmed(_) | Self::GroupsUnavailable => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
