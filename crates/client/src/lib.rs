//! The confidential client: an application gets tokens, in its own name or in a user's, and keeps them.
//!
//! - [`ConfidentialClient`] acquires tokens by client credentials, on behalf of users, by authorization code, refresh
//!   token, device code and password, at the v2.0 or the v1.0 endpoint, and answers from its cache whenever it can.
//!   It proves itself with a secret, a certificate, an external signer or a federated credential.
//! - [`ManagedIdentityClient`] asks the platform that a service runs on; [`EnvironmentCredential`] reads which of the two
//!   the `AZURE_*` variables mean.
//! - [`AccessToken`] is what a caller holds: cheap to clone, ready to be sent, never printed.
//! - [`AcquireError`] says why there is none, who must do what, and whether trying again may help.
//! - [`AuthorizeLayer`] attaches tokens to requests and answers claims challenges.
//!
//! It reads no environment variable, follows no redirect, trusts no address that it was not configured with, and looks
//! into no access token: to a client a token is opaque. It opens the files that are its credentials and no others. Read on
//! in `lifetime.rs` for when a token is renewed, in `acquisition.rs` for how requests are shared, in `health.rs` for what
//! happens while the endpoint is down, and in `docs/` beside this crate for a guide per credential.

mod access_token;
mod account;
mod acquisition;
mod assertion;
mod authority;
mod authorization_code;
#[cfg(feature = "azure-core")]
mod azure_core_credential;
mod bound;
mod build_error;
mod builder;
mod cache;
mod claims;
mod client;
mod credential;
mod credential_file;
mod device_code;
mod digest;
mod environment;
mod error;
mod exchange;
mod federated_file;
#[cfg(unix)]
mod file_cache;
mod github_actions;
mod health;
mod id_token;
mod key;
mod lifetime;
mod managed_identity;
mod managed_identity_client;
mod on_behalf_of;
mod options;
mod pfx;
mod question;
#[cfg(feature = "redis")]
mod redis_cache;
mod refusal;
mod region;
mod renewal;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod sanitise;
mod service;
mod sessions;
mod shared;
mod shared_sessions;
mod signer;
mod silent;
mod telemetry;
mod token_cache;
mod token_form;
mod turns;
mod unusable;
mod user_assertion;

pub use access_token::AccessToken;
pub use account::{Account, SignedIn};
pub use assertion::{AssertionError, AssertionFault, AssertionProvider, AssertionRequest};
pub use authorization_code::{AuthorizationRequest, CallbackError, SignInAttempt};
#[cfg(feature = "azure-core")]
pub use azure_core_credential::AzureCoreCredential;
pub use build_error::BuildError;
pub use builder::ConfidentialClientBuilder;
pub use claims::{ClaimsError, ClaimsRequest};
pub use client::ConfidentialClient;
pub use countersign_discovery::{BoxFuture, Cause, ClientIdentity, LocalHttpTransport};
pub use credential::CertificateOptions;
pub use credential_file::CredentialFileError;
pub use device_code::DeviceCode;
pub use environment::{EnvironmentCredential, EnvironmentError};
pub use error::AcquireError;
#[cfg(unix)]
pub use file_cache::{FileCache, FileCacheError};
pub use github_actions::GitHubActions;
pub use id_token::IdTokenFault;
pub use managed_identity::{ManagedIdentityError, ManagedIdentityHost};
pub use managed_identity_client::{
    ManagedIdentityBuildError, ManagedIdentityBuilder, ManagedIdentityClient, UserAssigned,
};
pub use options::RequestOptions;
pub use pfx::{PfxError, read_pfx};
#[cfg(feature = "redis")]
pub use redis_cache::RedisCache;
pub use refusal::Refusal;
pub use service::{AuthorizeError, AuthorizeLayer, AuthorizeService};
pub use sessions::SessionKey;
pub use shared::{SharedCache, SharedTokens};
pub use signer::AssertionSigner;
pub use token_cache::TokenCache;
pub use unusable::{NoResponse, UnusableAnswer};
pub use user_assertion::UserAssertion;

/// The guides' examples, compiled.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../docs/certificate.md")]
    mod certificate {}
    #[cfg(feature = "certificate-bound-tokens")]
    #[doc = include_str!("../docs/certificate-bound-tokens.md")]
    mod certificate_bound_tokens {}
    #[doc = include_str!("../docs/environment.md")]
    mod environment {}
    #[doc = include_str!("../docs/external-signer.md")]
    mod external_signer {}
    #[doc = include_str!("../docs/federated-token.md")]
    mod federated_token {}
    #[doc = include_str!("../docs/managed-identity.md")]
    mod managed_identity {}
    #[doc = include_str!("../docs/secret.md")]
    mod secret {}
    #[doc = include_str!("../docs/users.md")]
    mod users {}
}
