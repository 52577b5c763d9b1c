//! What can go wrong between an issuer's published keys and whoever asks for one.
//!
//! A failed fetch costs nobody an error while usable keys are at hand; it becomes visible only as [`KeysUnavailable`],
//! which a guard answers with 503, never with 401: the caller's token may be perfectly good.

use std::sync::Arc;

use countersign_token::KeySetError;

use crate::transport::TransportError;

/// A fetch of metadata or keys that brought nothing usable. The keys at hand stay as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No usable response arrived.
    #[error("the endpoint gave no usable response")]
    Transport(#[source] TransportError),
    /// The endpoint answered with a status other than 200.
    #[error("the endpoint answered with status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// The response calls itself something other than JSON, an HTML page for instance.
    #[error("the response is not JSON by its content type")]
    NotJson,
    /// The metadata document does not parse.
    #[error("the metadata document does not parse")]
    Metadata(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The metadata's `jwks_uri` is no URL, not https, or not on the host that the metadata came from.
    #[error("the metadata's jwks_uri is not an https address on the authority's own host")]
    ForeignKeyAddress,
    /// The key set does not parse.
    #[error("the key set does not parse")]
    KeySet(#[source] KeySetError),
    /// The key set parses and holds no key that this cloud may sign with.
    #[error("the key set holds no usable key")]
    NoUsableKey,
    /// The task that fetched went away before it had an answer: it panicked, or its runtime was shut down.
    #[error("the fetch was abandoned before it had an answer")]
    Abandoned,
    /// The fetch had no outcome in the time that any fetch may take.
    #[error("the fetch took longer than any fetch may")]
    Overdue,
    /// Nobody waited for the fetch, because as many wait for it already as may (4,096). It may well succeed.
    #[error("too many callers are waiting for the fetch")]
    TooManyWaiting,
    /// Nothing was fetched, because no tokio runtime is running here.
    #[error("no tokio runtime is running here")]
    NoRuntime,
}

/// No key set may be used now: none was ever fetched, or the last good one is too old.
///
/// Answer 503 (and not 401) to whoever sent the token; a later attempt may well succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeysUnavailable {
    /// No key set has been fetched since the start.
    #[error("no key set has been fetched yet")]
    NeverFetched(#[source] Arc<FetchError>),
    /// The last good key set is older than the stated maximum, and renewing it failed.
    #[error("the last good key set is too old to be used")]
    TooOld(#[source] Arc<FetchError>),
    /// Keys are at hand, but not the one asked for, and the authority could not be asked for it: it may be forged, or new.
    #[error("the key is not at hand, and the authority could not be asked for it")]
    Unconfirmed(#[source] Arc<FetchError>),
}

/// A source of keys was configured with something that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The address of the keys or of the metadata does not parse as an absolute URL.
    #[error("the address of the keys is not an absolute URL")]
    Address,
    /// The address is not https, or carries a user name or a fragment.
    #[error("the address of the keys must be https, without user name and fragment")]
    NotHttps,
    /// A snapshot of keys does not parse, holds no usable key, is of another address, or bears a time to come.
    #[error("the snapshot of the keys cannot be used: {0}")]
    Snapshot(&'static str),
}
