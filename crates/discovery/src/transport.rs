//! The one door through which HTTP leaves this process: a trait with one method.
//!
//! Everything above speaks `http` types and never learns which client carries them; a test puts a closure's worth of code
//! behind the same door. What passes it is bounded in time and in bytes by whoever asks, see [`Limits`]. Refused here by
//! contract: redirects (RFC 9700 §4.12 shows what a followed one gives away), plain http, and unbounded bodies. The
//! implementation for the real world is [`crate::HttpsTransport`].

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::client_identity::ClientIdentity;

/// A boxed future, as [`Transport::send`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The cause of a failure below this room: the HTTP client's or the TLS library's error.
pub type Cause = Box<dyn Error + Send + Sync>;

/// How long one exchange may take and how much may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the start of the connection to the last byte of the body.
    pub timeout: Duration,
    /// Bytes of response body; the first byte beyond ends the exchange.
    pub max_body_bytes: usize,
}

/// Carries one request out and its response back.
///
/// An implementation follows no redirect: it answers [`TransportError::Redirect`] or hands the 3xx response back, and
/// every caller in this project refuses both. It keeps both [`Limits`], sends only to `https`, and keeps no cookies.
/// `Retry-After` and the other headers arrive untouched. Dropping the future abandons the exchange.
///
/// ```
/// use std::sync::Arc;
/// use bytes::Bytes;
/// use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
///
/// /// Answers every request with an empty JSON object, for a test.
/// #[derive(Debug)]
/// struct Canned;
///
/// impl Transport for Canned {
///     fn send(
///         &self,
///         _request: http::Request<Bytes>,
///         _limits: Limits,
///     ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
///         Box::pin(async { Ok(http::Response::new(Bytes::from_static(b"{}"))) })
///     }
/// }
///
/// let transport: Arc<dyn Transport> = Arc::new(Canned);
/// # drop(transport);
/// ```
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Sends `request` and collects the whole response within `limits`.
    ///
    /// # Errors
    /// [`TransportError`], by what went wrong. A response with an error status is not an error here.
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>>;

    /// The certificate that servers which ask for one are shown, if there is one (RFC 8705 §2). Who depends on it, as
    /// certificate-bound tokens do, asks here first.
    fn client_identity(&self) -> Option<&ClientIdentity> {
        None
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        (**self).send(request, limits)
    }

    fn client_identity(&self) -> Option<&ClientIdentity> {
        (**self).client_identity()
    }
}

/// An exchange that brought no usable response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is not `https`. Secrets and trust anchors travel over nothing else.
    #[error("the address is not https")]
    NotHttps,
    /// The request could not be built: a malformed address or header.
    #[error("the request could not be built")]
    Request(#[source] Cause),
    /// No connection: name not found, refused, unreachable, or not established in time.
    #[error("no connection to the server")]
    Connect(#[source] Cause),
    /// The TLS handshake failed: an unknown issuer, a certificate for another name, an expired one, no common version.
    #[error("the TLS handshake failed")]
    Tls(#[source] Cause),
    /// The response was not complete in time.
    #[error("no complete response within {} ms", .after.as_millis())]
    Timeout {
        /// The limit that ran out.
        after: Duration,
    },
    /// The body is larger than the limit.
    #[error("the response body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server answered with a redirect, which is never followed.
    #[error("the server answered with a redirect (status {status}), which is not followed")]
    Redirect {
        /// The status code.
        status: u16,
    },
    /// The connection broke off, or the server did not speak HTTP.
    #[error("the exchange broke off")]
    Interrupted(#[source] Cause),
}

impl TransportError {
    /// Whether the same request may succeed a moment later with nothing changed at this end.
    ///
    /// A redirect, an oversized body and a certificate that does not fit stay as they are until somebody mends them.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Timeout { .. } | Self::Interrupted(_))
    }

    /// Turns a redirect into the error it is, and lets every other response pass.
    ///
    /// # Errors
    /// [`TransportError::Redirect`] for every status of the 3xx class.
    pub fn refuse_redirect<B>(response: http::Response<B>) -> Result<http::Response<B>, Self> {
        if response.status().is_redirection() {
            return Err(Self::Redirect { status: response.status().as_u16() });
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_3xx_class_is_refused() {
        for status in [300, 301, 302, 303, 304, 307, 308] {
            let response = http::Response::builder().status(status).body(()).unwrap();
            let error = TransportError::refuse_redirect(response).unwrap_err();
            assert!(matches!(error, TransportError::Redirect { status: s } if s == status), "{error:?}");
        }
        for status in [200, 204, 400, 401, 503] {
            let response = http::Response::builder().status(status).body(()).unwrap();
            assert!(TransportError::refuse_redirect(response).is_ok(), "{status}");
        }
    }

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        let cause = || Cause::from("x");
        let after = Duration::from_secs(1);
        assert!(TransportError::Connect(cause()).is_transient());
        assert!(TransportError::Timeout { after }.is_transient());
        assert!(TransportError::Interrupted(cause()).is_transient());
        assert!(!TransportError::Tls(cause()).is_transient());
        assert!(!TransportError::Redirect { status: 302 }.is_transient());
        assert!(!TransportError::TooLarge { limit: 1 }.is_transient());
        assert!(!TransportError::NotHttps.is_transient());
        assert!(!TransportError::Request(cause()).is_transient());
    }
}
