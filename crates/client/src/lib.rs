//! The confidential client: an application gets tokens in its own name, and keeps them.
//!
//! - [`ConfidentialClient`] acquires tokens by client credentials, with a secret, a certificate or a federated
//!   credential, at the v2.0 or the v1.0 endpoint, and answers from its cache whenever it can.
//! - [`AccessToken`] is what a caller holds: cheap to clone, ready to be sent, never printed.
//! - [`AcquireError`] says why there is none, who must do what, and whether trying again may help.
//! - [`AssertionProvider`] hands out assertions that somebody else issues or signs.
//!
//! It reads no environment variable, no file but the federated token's (`federated_file.rs` says why), follows no redirect, trusts no address that it was not configured with,
//! and looks into no access token: to a client a token is opaque. Read on in `lifetime.rs` for when a token is renewed,
//! in `acquisition.rs` for how requests are shared.

mod access_token;
mod acquisition;
mod assertion;
mod builder;
mod cache;
mod client;
mod credential;
mod error;
mod exchange;
mod federated_file;
mod key;
mod lifetime;
mod sanitise;

pub use access_token::AccessToken;
pub use assertion::{AssertionError, AssertionFault, AssertionProvider, AssertionRequest};
pub use builder::{BuildError, ConfidentialClientBuilder, TokenCache};
pub use client::ConfidentialClient;
pub use countersign_discovery::{BoxFuture, Cause};
pub use credential::CertificateOptions;
pub use error::{AcquireError, Refusal, UnusableAnswer};
