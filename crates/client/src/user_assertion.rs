//! [`UserAssertion`]: the token that the application was called with, to be exchanged on the user's behalf.

use std::fmt;
use std::sync::Arc;

use countersign_token::{TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::assertion::{self, AssertionFault, MAX_ASSERTION_BYTES};
use crate::digest::sha256_of;
use crate::key::Subject;
use crate::sessions::SessionKey;

/// A user's access token for *this* application, as it came in. Make it once per incoming request: its SHA-256, under
/// which the tokens got with it are kept, is computed here.
///
/// It is neither verified nor trusted here. Whoever exchanges a token must have let it through a guard before, or the
/// cache answers for a forgery of a token that is in the cache. Of its claims two are read: tokens got with it are not
/// handed out beyond its `exp`, and where an alias such as `organizations` would be asked, its `tid` is asked instead.
#[derive(Clone)]
pub struct UserAssertion(Arc<Inner>);

struct Inner {
    token: SecretString,
    subject: Subject,
    digest: [u8; 32],
    ends: Option<Timestamp>,
    tenant: Option<TenantId>,
}

impl UserAssertion {
    /// From a compact JWS, without `Bearer`.
    ///
    /// # Errors
    /// [`AssertionFault`]: empty, longer than 64 KiB, or no compact JWS.
    pub fn new(token: impl Into<SecretString>) -> Result<Self, AssertionFault> {
        let token = token.into();
        let text = token.expose_secret();
        if text.is_empty() {
            return Err(AssertionFault::Empty);
        }
        if text.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionFault::TooLarge);
        }
        let claims = assertion::read(text).ok_or(AssertionFault::NotCompactJws)?;
        let ends = claims.expires.map(Timestamp::from_unix_seconds);
        let digest = sha256_of(&[text.as_bytes()]);
        let subject = Subject::of("assertion", &digest);
        Ok(Self(Arc::new(Inner { token, subject, digest, ends, tenant: claims.tenant })))
    }

    /// A key for a long-running session of this assertion: the same for the same assertion, and no part of it.
    #[must_use]
    pub fn session_key(&self) -> SessionKey {
        SessionKey::new(countersign_token::base64url_encode(&self.0.digest))
    }

    pub(crate) fn secret(&self) -> &str {
        self.0.token.expose_secret()
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.0.subject
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.0.tenant
    }

    pub(crate) fn ends(&self) -> Option<Timestamp> {
        self.0.ends
    }
}

impl fmt::Debug for UserAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserAssertion([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::base64url_encode;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", base64url_encode(claims.as_bytes()))
    }

    #[test]
    fn equal_tokens_are_one_subject_and_different_ones_are_two() {
        let new = |claims| UserAssertion::new(token(claims)).unwrap();
        let (alice, again, bob) = (new("{\"exp\":100}"), new("{\"exp\":100}"), new("{}"));
        assert!(alice.subject() == again.subject() && alice.subject() != bob.subject());
        assert_eq!(alice.ends(), Some(Timestamp::from_unix_seconds(100)));
        assert_eq!(bob.ends(), None);
        assert!(alice.session_key() == again.session_key() && alice.session_key() != bob.session_key());
    }

    #[test]
    fn what_is_no_token_is_refused_and_none_is_shown() {
        let refused = |text: &str| UserAssertion::new(text.to_owned()).unwrap_err();
        assert_eq!(refused(""), AssertionFault::Empty);
        assert_eq!(refused("Bearer a.b.c"), AssertionFault::NotCompactJws);
        assert_eq!(refused(&"a".repeat(MAX_ASSERTION_BYTES + 1)), AssertionFault::TooLarge);
        let text = token("{}");
        assert!(!format!("{:?}", UserAssertion::new(text.clone()).unwrap()).contains(&text));
    }
}
