//! [`BuildError`]: everything that can be wrong with a client's configuration, said before the first call.

use std::path::PathBuf;

use countersign_discovery::HttpsTransportError;
use countersign_token::{NumericDate, SignerError};

use crate::credential_file::CredentialFileError;

/// A client cannot be built from this configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No credential was given.
    #[error("the client has no credential: give it a secret, a certificate or a federated credential")]
    NoCredential,
    /// The secret is empty, or nothing but blanks.
    #[error("the client secret is empty")]
    EmptySecret,
    /// The path of the federated token file is empty.
    #[error("the path of the federated token file is empty")]
    EmptyPath,
    /// The certificate has expired: the authority would refuse every assertion (AADSTS700027).
    #[error("the certificate expired at {} (seconds since 1970)", .not_after.0)]
    CertificateExpired {
        /// The end of its validity.
        not_after: NumericDate,
    },
    /// The certificate is not valid yet, by more than a clock may be wrong.
    #[error("the certificate is valid only from {} on (seconds since 1970)", .not_before.0)]
    CertificateNotYetValid {
        /// The beginning of its validity.
        not_before: NumericDate,
    },
    /// The certificate is for another key.
    #[error("the certificate and the private key do not belong together")]
    KeyMismatch,
    /// The assertion's header could not be made.
    #[error("assertions cannot be signed with this key and certificate")]
    Signer(#[source] SignerError),
    /// The file with the secret or certificate cannot be used.
    #[error("the credential's file {} cannot be used", .path.display())]
    CredentialFile {
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: CredentialFileError,
    },
    /// Certificate-bound tokens are wanted, and the transport shows no certificate.
    #[error("certificate-bound tokens need a transport with a client certificate")]
    NoClientCertificate,
    /// The region is no name: letters, digits and hyphens; or it is the word for finding it out, for which there is
    /// [`crate::ConfidentialClientBuilder::detect_region`].
    #[error("the region is not a name such as westeurope")]
    Region,
    /// The time limit for a request is zero or more than 30 s.
    #[error("the time limit for a request must be between 1 ms and 30 s")]
    Timeout,
    /// No HTTP transport was given, and the default one cannot be made.
    #[error("the default HTTP transport cannot be made")]
    Transport(#[source] HttpsTransportError),
}
