//! What can keep a step from being played at all, as opposed to coming out otherwise than expected.

use countersign_authority::StartError;
use countersign_client::{AcquireError, BuildError};
use countersign_directory::DirectoryFileError;
use countersign_discovery::{HttpsTransportError, KeysUnavailable, SourceError, TransportError};
use countersign_token::{CertificateError, PolicyError, PrivateKeyError};

/// A step could not be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DemoError {
    #[error("the directory file is not sound")]
    Directory(#[from] DirectoryFileError),
    #[error("the authority did not do it")]
    Authority(#[from] StartError),
    #[error("the API's routes cannot be served")]
    Routes(#[from] countersign_guard::StartError),
    #[error("the API's policy cannot be kept")]
    Policy(#[from] PolicyError),
    #[error("the API has no address for its keys")]
    KeyAddress(#[from] SourceError),
    #[error("the API cannot fetch the authority's keys")]
    Keys(#[from] KeysUnavailable),
    #[error("the API cannot listen")]
    Listen(#[source] std::io::Error),
    #[error("the HTTPS client cannot be made")]
    Transport(#[from] HttpsTransportError),
    #[error("the daemon's certificate cannot be made")]
    Certificate(#[from] CertificateError),
    #[error("the daemon's certificate cannot be signed")]
    Signing(#[from] rcgen::Error),
    #[error("the daemon's key cannot be made")]
    Key(#[from] PrivateKeyError),
    #[error("the daemon cannot be configured")]
    Client(#[from] BuildError),
    #[error("no token was acquired")]
    Acquire(#[from] AcquireError),
    #[error("a request brought no response")]
    Exchange(#[from] TransportError),
    #[error("a request cannot be written")]
    Request(#[from] http::Error),
    #[error("the token cannot be looked into")]
    Token(#[from] crate::decode::DecodeError),
    #[error("the browser could not go on")]
    Browser(#[from] super::browser::BrowserError),
    #[error("a page that was not expected: {0}")]
    Page(String),
    #[error("an earlier step left no token to go on with")]
    NoToken,
    #[error("a background task ended early")]
    Task,
}

impl DemoError {
    /// The whole chain on one line, for the table.
    pub(crate) fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
