//! [`AccessToken`]: a token as a caller holds it, cheap to clone, ready to be sent, never printed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use bytes::Bytes;
use countersign_discovery::ClientIdentity;
use countersign_token::Timestamp;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::lifetime::Lifetime;

const BEARER: &str = "Bearer";

/// An access token with its times and its `Authorization` header, ready made. Clones share one allocation.
///
/// `Debug` shows the times, and the thumbprint of the certificate that it may be bound to. The token's bytes are wiped when the last clone, and the last header made from it, are
/// dropped; what a connection has copied meanwhile is beyond reach.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    /// The whole header value; the token is what follows the scheme.
    header: HeaderValue,
    lifetime: Lifetime,
    /// Whose key it is bound to, if it is (RFC 8705).
    bound_to: Option<ClientIdentity>,
    /// When a refresh may next be tried (nanoseconds): at first the refresh time, later the end of a pause.
    next_refresh: AtomicI64,
    failed_refreshes: AtomicU32,
}

impl AccessToken {
    /// None if the token holds a character that no header may carry.
    pub(crate) fn new(secret: &SecretString, lifetime: Lifetime) -> Option<Self> {
        Self::with_scheme(BEARER, secret, lifetime, None)
    }

    /// A token that is sent under another scheme, or is bound to a certificate.
    pub(crate) fn with_scheme(
        scheme: &str,
        secret: &SecretString,
        lifetime: Lifetime,
        bound_to: Option<ClientIdentity>,
    ) -> Option<Self> {
        let token = secret.expose_secret();
        let mut bytes = Zeroizing::new(Vec::with_capacity(scheme.len() + 1 + token.len()));
        bytes.extend_from_slice(scheme.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(token.as_bytes());
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).ok()?;
        header.to_str().ok()?;
        header.set_sensitive(true);
        Some(Self(Arc::new(Inner {
            header,
            lifetime,
            bound_to,
            next_refresh: AtomicI64::new(lifetime.refresh_on.as_nanos()),
            failed_refreshes: AtomicU32::new(0),
        })))
    }

    /// The token itself, opaque to a client: a compact JWS in practice. Do not log it, do not look into it.
    #[must_use]
    pub fn secret(&self) -> &str {
        // Checked to be visible ASCII when it was made.
        self.0.header.to_str().ok().and_then(|header| header.split_once(' ')).map_or("", |(_, token)| token)
    }

    /// The certificate that the token is bound to, if it is: the API is called over TLS with this one, for example through
    /// `HttpsTransport::builder().client_identity(…)`, or it refuses the token (RFC 8705 §3).
    #[cfg(feature = "certificate-bound-tokens")]
    #[must_use]
    pub fn bound_to(&self) -> Option<&ClientIdentity> {
        self.0.bound_to.as_ref()
    }

    /// Whether it is of use without a certificate.
    #[cfg(feature = "azure-core")]
    pub(crate) fn is_bound(&self) -> bool {
        self.0.bound_to.is_some()
    }

    /// The value for the `Authorization` header, `Bearer …` (`mtls_pop …` for Entra's certificate-bound tokens), marked
    /// sensitive. Cloning it copies nothing.
    ///
    /// Source: RFC 6750 §2.1.
    #[must_use]
    pub fn authorization(&self) -> &HeaderValue {
        &self.0.header
    }

    /// When the token expires, by the authority's word, counted from before it was asked for.
    #[must_use]
    pub fn expires_on(&self) -> Timestamp {
        self.0.lifetime.expires_on
    }

    /// When the client starts to ask for its successor.
    #[must_use]
    pub fn refresh_on(&self) -> Timestamp {
        self.0.lifetime.refresh_on
    }

    /// Whether a cache may still hand it out.
    pub(crate) fn usable_at(&self, now: Timestamp) -> bool {
        now < self.0.lifetime.usable_until
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        self.0.lifetime
    }

    /// Whether it is the same token, perhaps in another allocation.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.header == other.0.header
    }

    /// Bytes that it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Inner>() + self.0.header.len()
    }

    /// Puts a refresh off that could not even be tried; it does not count as failed.
    pub(crate) fn postpone_refresh(&self, until: Timestamp) {
        self.0.next_refresh.store(until.as_nanos(), Ordering::Relaxed);
    }

    /// Whether a refresh is due: a comparison, and nothing more, on the way of every hit.
    pub(crate) fn refresh_due(&self, now: Timestamp) -> bool {
        now.as_nanos() >= self.0.next_refresh.load(Ordering::Relaxed)
    }

    /// Takes the right to refresh, for one caller, until `again`.
    pub(crate) fn claim_refresh(&self, now: Timestamp, again: Timestamp) -> bool {
        let next = self.0.next_refresh.load(Ordering::Relaxed);
        next <= now.as_nanos()
            && self
                .0
                .next_refresh
                .compare_exchange(next, again.as_nanos(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes that a refresh failed and when the next may be tried; returns how many have failed before.
    pub(crate) fn refresh_failed(&self, pause: impl FnOnce(u32) -> Timestamp) {
        let before = self.0.failed_refreshes.fetch_add(1, Ordering::Relaxed);
        self.0.next_refresh.store(pause(before).as_nanos(), Ordering::Relaxed);
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("secret", &"[redacted]")
            .field("expires_on", &self.expires_on().as_unix_seconds())
            .field("refresh_on", &self.refresh_on().as_unix_seconds())
            .field("bound_to", &self.0.bound_to)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Option<AccessToken> {
        let at = Timestamp::from_unix_seconds;
        let lifetime = Lifetime { expires_on: at(100), usable_until: at(95), refresh_on: at(50) };
        AccessToken::new(&SecretString::from(text), lifetime)
    }

    #[test]
    fn the_header_is_ready_and_the_secret_is_not_printed() {
        let token = token("aaa.bbb.ccc").unwrap();
        assert_eq!(token.secret(), "aaa.bbb.ccc");
        assert_eq!(token.authorization(), "Bearer aaa.bbb.ccc");
        assert!(token.authorization().is_sensitive());
        let debug = format!("{token:?} {:?}", token.authorization());
        assert!(!debug.contains("bbb"), "{debug}");
        assert!(debug.contains("expires_on: 100"), "{debug}");
    }

    #[test]
    fn a_token_that_would_break_a_header_is_none() {
        for text in ["a\r\nb", "a\0b", "a\u{e9}b", "a\u{7f}b"] {
            assert!(token(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_right_to_refresh_is_given_once() {
        let token = token("a").unwrap();
        let at = Timestamp::from_unix_seconds;
        assert!(!token.refresh_due(at(49)) && !token.claim_refresh(at(49), at(90)));
        assert!(token.refresh_due(at(50)) && token.claim_refresh(at(50), at(90)));
        assert!(!token.refresh_due(at(51)) && !token.claim_refresh(at(51), at(90)));
        token.refresh_failed(|failures| at(60 + i64::from(failures)));
        assert!(!token.refresh_due(at(59)) && token.refresh_due(at(60)));
        token.refresh_failed(|failures| at(60 + i64::from(failures)));
        assert!(!token.refresh_due(at(60)) && token.refresh_due(at(61)));
    }
}
