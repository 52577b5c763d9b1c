//! A question to the token endpoint in full: whom, for what, by which grant, with which claims. And what an answer brings.

use std::fmt;
use std::sync::Arc;

use countersign_protocol::{ScopeSet, TenantSegment};
use countersign_token::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use crate::access_token::AccessToken;
use crate::key::{Identity, Lookup, Subject};
use crate::sessions::{Family, SessionId};
use crate::telemetry::TokenSource;
use crate::user_assertion::UserAssertion;

/// By which right a token is asked for. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// The application in its own name (RFC 6749 §4.4).
    ClientCredentials,
    /// In the name of the user whose token the application was called with (RFC 7523 §2.1).
    OnBehalfOf { assertion: UserAssertion, session: Option<SessionId> },
    /// With what an earlier answer left in a session (RFC 6749 §6).
    RefreshToken { session: SessionId },
    /// With the code that came back with the user's browser (RFC 6749 §4.1.3).
    AuthorizationCode { code: SecretString, redirect_uri: String, verifier: SecretString },
    /// With the code that a user types elsewhere (RFC 8628 §3.4).
    DeviceCode { code: SecretString },
    /// With a user's password (RFC 6749 §4.3).
    Password { username: String, password: SecretString },
}

impl Grant {
    /// The grant's name, for logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::OnBehalfOf { .. } => "on_behalf_of",
            Self::RefreshToken { .. } => "refresh_token",
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::DeviceCode { .. } => "device_code",
            Self::Password { .. } => "password",
        }
    }

    /// The session that begins with the answer, and the assertion that it begins with; None if the answer's account says
    /// it, or if none begins.
    pub(crate) fn begins(&self) -> Option<(SessionId, &UserAssertion)> {
        match self {
            Self::OnBehalfOf { session: Some(session), assertion } => Some((*session, assertion)),
            _ => None,
        }
    }

    /// When a token got by this grant ends for the cache, whatever its own life.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        match self {
            // A long-running process outlives the token it began with; that is what its session is for.
            Self::OnBehalfOf { assertion, session: None } => assertion.ends(),
            _ => None,
        }
    }
}

/// A question in full.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) tenant: TenantSegment,
    pub(crate) scopes: ScopeSet,
    pub(crate) grant: Grant,
    /// Under whose name the token is kept.
    pub(crate) subject: Subject,
    pub(crate) claims: Option<Arc<str>>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) correlation_id: Option<Uuid>,
    /// A token that an API has refused, or that the caller does not want: it is no answer.
    pub(crate) refused: Option<AccessToken>,
}

impl Question {
    pub(crate) fn lookup<'a>(&'a self, identity: &'a Arc<Identity>) -> Lookup<'a> {
        Lookup { identity, tenant: &self.tenant, scopes: &self.scopes, subject: &self.subject }
    }
}

/// What an answer brings.
pub(crate) struct Granted {
    pub(crate) token: AccessToken,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) id_token: Option<SecretString>,
    pub(crate) client_info: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) source: TokenSource,
    /// The session that it was got in, if one was used.
    pub(crate) family: Option<Family>,
}

impl Granted {
    /// An answer that brings a token and nothing else.
    pub(crate) fn token(token: AccessToken, source: TokenSource) -> Self {
        Self { token, refresh_token: None, id_token: None, client_info: None, scope: None, source, family: None }
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("token", &self.token).field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::Held;
    use zeroize::{ZeroizeOnDrop, Zeroizing};

    /// That the memory really is overwritten cannot be seen without `unsafe`; that each of these is of a type whose whole
    /// purpose it is can.
    #[test]
    fn c27_what_is_secret_is_of_types_that_are_wiped_when_they_are_dropped() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        fn secrets_of(grant: &Grant, granted: &Granted, held: &Held) {
            match grant {
                Grant::AuthorizationCode { code, verifier, .. } => (wiped(code), wiped(verifier)).0,
                Grant::DeviceCode { code } => wiped(code),
                Grant::Password { password, .. } => wiped(password),
                // An assertion shows what it has as text only.
                Grant::ClientCredentials | Grant::OnBehalfOf { .. } | Grant::RefreshToken { .. } => {}
            }
            granted.refresh_token.iter().chain(&granted.id_token).for_each(wiped);
            wiped(&held.refresh_token);
        }
        // Bodies, and the header of a token, are `Bytes` over this.
        wiped(&Zeroizing::new(Vec::<u8>::new()));
        let _: fn(&Grant, &Granted, &Held) = secrets_of;
    }
}
