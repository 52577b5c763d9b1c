//! What an issuer publishes: metadata and key sets, fixed or fetched and cached. Owns the door through which HTTP leaves.
//!
//! - [`Transport`] is that door; [`HttpsTransport`] is the real one, and [`LocalHttpTransport`] a small one that
//!   leads no further than this machine and its link. No other room but the sidecar has an HTTP client.
//! - [`KeySource`] answers "which keys do I believe in, now": [`KeySource::fixed`], or [`RemoteKeys`], which fetches an
//!   issuer's metadata and keys and keeps them through outages.
//!
//! It verifies nothing (that is `token`'s duty) and never lets a token decide what is fetched from where: addresses come
//! from configuration, and from metadata only for the same host. Read on in [`RemoteKeys`] for what is promised, and in
//! [`RefreshPolicy`] for the figures.

mod absent_keys;
mod client_identity;
mod document;
mod error;
mod external_issuers;
mod fetching;
mod https;
mod local_http;
mod pinned;
mod public_address;
mod published;
mod remote;
mod retry_after;
mod schedule;
mod snapshot;
mod source;
mod transport;

pub use client_identity::{ClientIdentity, ClientIdentityError};
pub use error::{FetchError, KeysUnavailable, SourceError};
pub use external_issuers::{ExternalIssuerError, ExternalIssuers};
pub use https::{HttpsTransport, HttpsTransportBuilder, HttpsTransportError};
pub use local_http::LocalHttpTransport;
pub use published::PublishedKeys;
pub use remote::{RemoteKeys, RemoteKeysBuilder};
pub use retry_after::retry_after;
pub use schedule::RefreshPolicy;
pub use source::KeySource;
pub use transport::{BoxFuture, Cause, Limits, Transport, TransportError};
