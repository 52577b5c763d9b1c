//! [`AccessToken`]: a token as a caller holds it, cheap to clone, ready to be sent, never printed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::ClientIdentity;
use countersign_token::Timestamp;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
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
    /// Until when it is handed out (nanoseconds); earlier than its lifetime says, once the clock was seen to step back.
    usable_until: AtomicI64,
    /// When it was asked for, by a clock that nobody sets.
    asked: Instant,
    /// Whose key it is bound to, if it is (RFC 8705).
    bound_to: Option<ClientIdentity>,
    /// When a refresh may next be tried (nanoseconds): at first the refresh time, later the end of a pause.
    next_refresh: AtomicI64,
    /// When that was decided (nanoseconds). Before it there was nothing to decide: a clock that shows less was set back.
    decided: AtomicI64,
    failed_refreshes: AtomicU32,
}

/// Threads read the clock some time before they come here, and time servers nudge it: less than this is no step back.
const NUDGE: Duration = Duration::from_secs(1);

fn decided_at(now: Timestamp) -> i64 {
    now.minus(NUDGE).as_nanos()
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
            usable_until: AtomicI64::new(lifetime.usable_until.as_nanos()),
            asked: Instant::now(),
            bound_to,
            next_refresh: AtomicI64::new(lifetime.refresh_on.as_nanos()),
            decided: AtomicI64::new(decided_at(lifetime.asked_at)),
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

    /// Whether a cache may still hand it out. Two comparisons on the way of every hit, unless the clock was set back.
    #[inline]
    pub(crate) fn usable_at(&self, now: Timestamp) -> bool {
        if now.as_nanos() < self.0.decided.load(Ordering::Relaxed) {
            self.end_by_monotonic_time(now);
        }
        now.as_nanos() < self.0.usable_until.load(Ordering::Relaxed)
    }

    /// The clock was set back, so its end is further off than it is (`pitfalls` E15): what has passed since it was asked
    /// for is told by a clock that nobody sets, and its end follows from that. Never later than it was.
    #[cold]
    fn end_by_monotonic_time(&self, now: Timestamp) {
        let Lifetime { asked_at, usable_until, .. } = self.0.lifetime;
        let left = usable_until.saturating_duration_since(asked_at).saturating_sub(self.0.asked.elapsed());
        self.0.usable_until.fetch_min(now.plus(left).as_nanos(), Ordering::Relaxed);
    }

    /// Whether it was asked for later than it is by a clock that was set back since; its times mean nothing beside
    /// another token's.
    pub(crate) fn is_ahead_of(&self, now: Timestamp) -> bool {
        now < self.0.lifetime.asked_at
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
    pub(crate) fn postpone_refresh(&self, now: Timestamp, pause: Duration) {
        self.decide_refresh(now, pause);
    }

    fn decide_refresh(&self, now: Timestamp, pause: Duration) {
        self.0.next_refresh.store(now.plus(pause).as_nanos(), Ordering::Relaxed);
        self.0.decided.store(decided_at(now), Ordering::Relaxed);
    }

    /// Whether a refresh is due: two comparisons, and nothing more, on the way of every hit. At once when the clock was
    /// set back, since nobody knows how old the token is; once, as each refresh is decided anew.
    #[inline]
    pub(crate) fn refresh_due(&self, now: Timestamp) -> bool {
        let now = now.as_nanos();
        now >= self.0.next_refresh.load(Ordering::Relaxed) || now < self.0.decided.load(Ordering::Relaxed)
    }

    /// Takes the right to refresh, for one caller, for so long.
    pub(crate) fn claim_refresh(&self, now: Timestamp, pause: Duration) -> bool {
        let next = self.0.next_refresh.load(Ordering::Relaxed);
        let again = now.plus(pause).as_nanos();
        let claimed = self.refresh_due(now)
            && self.0.next_refresh.compare_exchange(next, again, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if claimed {
            self.0.decided.store(decided_at(now), Ordering::Relaxed);
        }
        claimed
    }

    /// Notes that a refresh failed; `pause` says how long to wait, told how many have failed before.
    pub(crate) fn refresh_failed(&self, now: Timestamp, pause: impl FnOnce(u32) -> Duration) {
        let before = self.0.failed_refreshes.fetch_add(1, Ordering::Relaxed);
        self.decide_refresh(now, pause(before));
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
        let lifetime = Lifetime { asked_at: at(0), expires_on: at(100), usable_until: at(95), refresh_on: at(50) };
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
        let seconds = Duration::from_secs;
        assert!(!token.refresh_due(at(49)) && !token.claim_refresh(at(49), seconds(40)));
        assert!(token.refresh_due(at(50)) && token.claim_refresh(at(50), seconds(40)));
        assert!(!token.refresh_due(at(51)) && !token.claim_refresh(at(51), seconds(40)));
        token.refresh_failed(at(51), |failures| seconds(9 + u64::from(failures)));
        assert!(!token.refresh_due(at(59)) && token.refresh_due(at(60)));
        token.refresh_failed(at(51), |failures| seconds(9 + u64::from(failures)));
        assert!(!token.refresh_due(at(60)) && token.refresh_due(at(61)));
    }

    #[tokio::test(start_paused = true)]
    async fn e15_a_clock_that_is_set_back_makes_a_refresh_due_once_and_no_life_longer() {
        let token = token("a").unwrap();
        let (at, seconds) = (Timestamp::from_unix_seconds, Duration::from_secs);
        tokio::time::advance(seconds(60)).await;
        // Threads that read the clock a little earlier are no step back.
        assert!(token.usable_at(at(94)) && !token.refresh_due(Timestamp::from_nanos(-1)));
        // Sixty seconds after it was asked for, the clock says a thousand seconds before that.
        assert!(token.refresh_due(at(-1000)) && token.usable_at(at(-1000)));
        assert!(token.claim_refresh(at(-1000), seconds(20)));
        assert!(!token.refresh_due(at(-990)) && !token.claim_refresh(at(-990), seconds(20)), "once");
        assert!(token.usable_at(at(-966)) && !token.usable_at(at(-965)), "35 s were left, and no more are");
        token.refresh_failed(at(-970), |_| seconds(30));
        assert!(!token.refresh_due(at(-941)) && token.refresh_due(at(-940)));
        assert!(token.refresh_due(at(-2000)), "and when it is set back once more");
        // What is at its end does not come to life.
        tokio::time::advance(seconds(60)).await;
        assert!(!token.usable_at(at(-5000)));
    }
}
