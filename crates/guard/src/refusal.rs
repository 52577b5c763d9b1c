//! Why a request does not pass, for operators; what its sender sees is in `layer.rs`.

use countersign_discovery::KeysUnavailable;
use countersign_token::Rejection;

use crate::CredentialError;

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
    /// Nobody can tell, because the authority's keys cannot be had: 503.
    #[error("the authority's keys cannot be had")]
    Keys(#[from] KeysUnavailable),
    /// Nobody can tell, because the token names a key that is not at hand and the authority could not be asked for it: 503.
    /// The key may be forged, or new.
    #[error("the token names a key that is not at hand, and the authority could not be asked for it")]
    KeyUnconfirmed,
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
            Self::Keys(_) => "keys_unavailable",
            Self::KeyUnconfirmed => "key_unconfirmed",
        }
    }

    /// The HTTP status (RFC 6750 §3.1).
    #[must_use]
    pub const fn status(&self) -> http::StatusCode {
        match self {
            Self::Credential(CredentialError::Missing) => http::StatusCode::UNAUTHORIZED,
            Self::Credential(_) => http::StatusCode::BAD_REQUEST,
            Self::Token(rejection) if rejection.is_forbidden() => http::StatusCode::FORBIDDEN,
            Self::Token(_) => http::StatusCode::UNAUTHORIZED,
            Self::Keys(_) | Self::KeyUnconfirmed => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
