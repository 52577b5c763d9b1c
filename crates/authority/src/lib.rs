//! The local issuer: an authority that answers as Entra does, on this machine, without the network.
//!
//! [`Authority::builder`] starts one inside a program or a test; the command line starts one as a process. It listens on
//! loopback unless told otherwise, over TLS with a certificate of its own local CA, and keeps what it knows in a
//! [`countersign_directory`] store.
//!
//! What it refuses: plain HTTP (managed identities are lent in the clear, on loopback and on request only), bodies over
//! 64 kB, headers over 16 kB, and senders that take their time. A `Host` header never reaches an answer: issuers and
//! endpoints name the configured origin. Errors are Entra's, JSON and never HTML.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use countersign_authority::Authority;
//! use countersign_directory::DirectoryFile;
//!
//! let directory = DirectoryFile::parse("contoso.yaml", r#"
//! tenants:
//! - tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
//!   displayName: Contoso
//!   applications:
//!   - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
//!     displayName: DemoClientApp
//!     passwordCredentials: [{displayName: test, secretText: only-for-this-test-0123456789}]
//! "#)?;
//! let authority = Authority::builder().directory(directory.file).start().await?;
//! assert!(authority.host().origin().starts_with("https://localhost:"));
//! authority.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Inside: `endpoints` are the routes, `client_authentication` says who calls, `grants` what a request may have,
//! `issue` writes tokens, `interaction` is everything in which a person takes part, `graph` the part of Microsoft Graph that
//! belongs to that, `registry` remembers what the directory said, `key_ring` holds the signing keys.

mod administrator;
mod again;
mod authority;
mod builder;
mod call;
mod client_authentication;
mod core;
mod data_dir;
mod delegation;
mod endpoints;
mod error;
mod exchange;
mod federation;
mod grants;
mod graph;
mod interaction;
mod issue;
mod key_care;
mod key_ring;
mod lab;
mod local_ca;
mod managed_identity;
mod origin;
mod own_guard;
mod pages;
mod ready_file;
mod refused;
mod registry;
pub mod serve;
mod stand_in;
mod starting;
mod subject;

pub use administrator::Administrator;
pub use authority::Authority;
pub use builder::{AuthorityBuilder, Storage};
pub use error::StartError;
pub use managed_identity::{ManagedIdentity, ManagedIdentityEndpoint, ManagedIdentityEndpointError};
pub use ready_file::write_ready_file;
pub use stand_in::{StandInHost, StandInHostError};
