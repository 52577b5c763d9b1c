//! [`ClientIdentity`]: the certificate and private key that a client shows in the TLS handshake (RFC 8705 §2).
//!
//! Read from PEM: the chain with the leaf first, and its key in any of the forms rustls reads (PKCS#8, PKCS#1). Refused:
//! no certificate, no key, more than one key, a key of another certificate, and a leaf that is not RSA, which Entra does
//! not register. Nothing prints the key, and this copy of it is wiped when the last clone goes.

use std::fmt;
use std::sync::Arc;

use countersign_token::{Certificate, CertificateError};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::transport::Cause;

/// A client's certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdentityError {
    /// The text is not PEM.
    #[error("the PEM text of the client's certificate and key does not parse")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// There is no certificate in it.
    #[error("the PEM text holds no client certificate")]
    NoCertificate,
    /// There is no private key in it.
    #[error("the PEM text holds no private key")]
    NoKey,
    /// There are several private keys in it, and nobody says which is meant.
    #[error("the PEM text holds more than one private key")]
    SeveralKeys,
    /// The first certificate cannot be used.
    #[error("the client certificate cannot be used")]
    Certificate(#[source] CertificateError),
    /// The key cannot be used, or is not the first certificate's.
    #[error("the private key cannot be used with the client certificate")]
    Key(#[source] Cause),
}

/// A certificate chain with the leaf's private key. Clones share one copy; `Debug` shows the leaf's thumbprint alone.
///
/// ```no_run
/// use countersign_discovery::{ClientIdentity, HttpsTransport};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = ClientIdentity::from_pem(&std::fs::read("/run/secrets/client.pem")?)?;
/// let transport = HttpsTransport::builder().client_identity(identity).build()?;
/// # drop(transport); Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientIdentity(Arc<Inner>);

struct Inner {
    leaf: Certificate,
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<PrivateKeyDer<'static>>,
}

impl ClientIdentity {
    /// From PEM text with the certificates, the client's own first, and its private key, before or after them.
    ///
    /// # Errors
    /// [`ClientIdentityError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, ClientIdentityError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = chain.map_err(ClientIdentityError::Pem)?;
        let leaf = chain.first().ok_or(ClientIdentityError::NoCertificate)?;
        let leaf = Certificate::from_der(leaf.to_vec()).map_err(ClientIdentityError::Certificate)?;
        let mut keys = PrivateKeyDer::pem_slice_iter(pem);
        let key = keys.next().ok_or(ClientIdentityError::NoKey)?.map_err(ClientIdentityError::Pem)?;
        let key = Zeroizing::new(key);
        if let Some(second) = keys.next() {
            drop(second.map(Zeroizing::new));
            return Err(ClientIdentityError::SeveralKeys);
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)
            .map_err(|error| ClientIdentityError::Key(error.into()))?;
        Ok(Self(Arc::new(Inner { leaf, chain, key })))
    }

    /// The client's own certificate: what tokens are bound to.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.0.leaf
    }

    pub(crate) fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, rustls::Error> {
        CertifiedKey::from_der(self.0.chain.clone(), self.0.key.clone_key(), provider)
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientIdentity").field(&self.0.leaf).finish()
    }
}
