//! Why an authority did not start, or could not do what its operator asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use countersign_directory::{LoadError, StoreError};
use countersign_token::{PrivateKeyError, SigningError, VaultError};

/// The authority cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the data directory cannot be read or written.
    #[error("use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the data directory holds something else.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// Another authority runs on this data directory.
    #[error("{path} is in use by another authority")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The store failed.
    #[error("use the directory's store")]
    Store(#[from] StoreError),
    /// A directory file contradicts what is stored already.
    #[error("load the directory file")]
    Load(#[from] LoadError),
    /// What is stored was sealed under another root key.
    #[error("open what is sealed under the root key")]
    Vault(#[from] VaultError),
    /// A key cannot be made or read.
    #[error("make or read a signing key")]
    Key(#[from] PrivateKeyError),
    /// A signer cannot be made.
    #[error("prepare a signing key")]
    Signing(#[from] SigningError),
    /// A certificate cannot be made.
    #[error("make a certificate: {0}")]
    Certificate(String),
    /// TLS cannot be set up.
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
    /// The origin is not one.
    #[error("the authority's origin")]
    Origin(#[from] countersign_protocol::AuthorityHostError),
    /// The lab cannot do its work.
    #[error("run the lab: {0}")]
    Lab(String),
    /// External issuers cannot be reached with these settings.
    #[error("prepare the way to external issuers")]
    Federation(#[from] countersign_discovery::HttpsTransportError),
    /// Standing in for Microsoft's names is for loopback only.
    #[error("stand in for Microsoft's names on {address}, which is not on loopback")]
    StandIn {
        /// The address.
        address: SocketAddr,
    },
    /// A managed identity cannot be lent.
    #[error("lend the managed identity {name}: {what}")]
    ManagedIdentity {
        /// What the operator called it.
        name: String,
        /// Why not.
        what: &'static str,
    },
    /// A background task died.
    #[error("a background task ended early")]
    Task,
}
