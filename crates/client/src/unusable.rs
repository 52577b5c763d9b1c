//! Exchanges that end without a token and without a refusal: [`NoResponse`] and [`UnusableAnswer`].

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use countersign_discovery::TransportError;
use countersign_protocol::DecodeError;

use crate::error::AcquireError;
use crate::sanitise::{Secrets, may_hold_token, sanitise};

/// What became of a request that brought no usable response; its cause, and the id that it was sent with. It is the
/// [`TransportError`] in every other respect.
#[derive(Debug)]
pub struct NoResponse {
    cause: TransportError,
    correlation_id: Option<Arc<str>>,
}

impl NoResponse {
    /// `sent` is the request's id, if it had one.
    pub(crate) fn because(cause: TransportError, sent: Option<&str>) -> AcquireError {
        AcquireError::Transport(Arc::new(Self { cause, correlation_id: sent.map(Into::into) }))
    }

    pub(crate) fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }
}

impl Deref for NoResponse {
    type Target = TransportError;

    fn deref(&self) -> &TransportError {
        &self.cause
    }
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for NoResponse {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// An answer that cannot be used. `Display` shows the status and the sanitised beginning of the body.
#[derive(Debug)]
pub struct UnusableAnswer {
    status: u16,
    excerpt: String,
    cause: Option<DecodeError>,
    correlation_id: Option<Arc<str>>,
}

impl From<UnusableAnswer> for AcquireError {
    fn from(answer: UnusableAnswer) -> Self {
        Self::Unusable(Arc::new(answer))
    }
}

impl UnusableAnswer {
    /// `sent` is the request's id.
    pub(crate) fn of_body(
        status: u16,
        body: &[u8],
        secrets: Secrets<'_>,
        cause: DecodeError,
        sent: Option<&str>,
    ) -> AcquireError {
        let shown = if may_hold_token(status, body) { &[][..] } else { body };
        let excerpt = sanitise(&String::from_utf8_lossy(shown), secrets);
        Self { status, excerpt, cause: Some(cause), correlation_id: sent.map(Into::into) }.into()
    }

    pub(crate) fn of_dead_token(status: u16, sent: Option<&str>) -> AcquireError {
        Self { status, excerpt: String::new(), cause: None, correlation_id: sent.map(Into::into) }.into()
    }

    pub(crate) fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The sanitised beginning of the body; empty where the body might hold a token: with every status of success, and
    /// wherever the members of a token answer are named.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl fmt::Display for UnusableAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, self.excerpt.as_str()) {
            (None, _) => write!(f, "status {}, with a token that has no lifetime left", self.status),
            (Some(_), "") => write!(f, "status {}", self.status),
            (Some(_), excerpt) => write!(f, "status {}, beginning with '{excerpt}'", self.status),
        }
    }
}

impl std::error::Error for UnusableAnswer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
