//! PKCS#12 containers (`.pfx`, `.p12`), read without openssl.
//!
//! Taken: one private key with its certificate, as Windows, Key Vault and openssl write them, in the modern (PBES2) and
//! the old (PBES1 with 3DES or RC2) encryption. The chain beside it is passed over. Source: RFC 7292.

use countersign_token::{Certificate, CertificateError, PrivateKey, PrivateKeyError};
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};

/// A PKCS#12 container cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PfxError {
    /// Not a PKCS#12 container, or the password is wrong: the format does not tell one from the other.
    #[error("it is no PKCS#12 container, or its password is wrong")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No private key in it.
    #[error("it holds no private key")]
    NoKey,
    /// More than one private key.
    #[error("it holds more than one private key; export the one that is meant")]
    SeveralKeys,
    /// The key has no certificate beside it.
    #[error("it holds no certificate for its private key")]
    NoCertificate,
    /// The key cannot be used.
    #[error("its private key cannot be used")]
    Key(#[source] PrivateKeyError),
    /// The certificate cannot be used.
    #[error("its certificate cannot be used")]
    Certificate(#[source] CertificateError),
}

/// The key and its certificate in a PKCS#12 container, DER. An empty password is none.
///
/// # Errors
/// [`PfxError`].
///
/// ```no_run
/// use countersign_client::read_pfx;
///
/// let (key, certificate) = read_pfx(&std::fs::read("client.pfx")?, "the container's password")?;
/// # drop((key, certificate));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_pfx(container: &[u8], password: &str) -> Result<(PrivateKey, Certificate), PfxError> {
    let store = KeyStore::from_pkcs12(container, password, Pkcs12ImportPolicy::Relaxed)
        .map_err(|error| PfxError::Unreadable(error.into()))?;
    let mut chains = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
        _ => None,
    });
    let chain = chains.next().ok_or(PfxError::NoKey)?;
    if chains.next().is_some() {
        return Err(PfxError::SeveralKeys);
    }
    let key = PrivateKey::from_pkcs8_der(chain.key().as_der()).map_err(PfxError::Key)?;
    // The leaf is the one for this key, wherever the exporter put it.
    for certificate in chain.certs() {
        let certificate = Certificate::from_der(certificate.as_der().to_vec());
        match certificate {
            Ok(certificate) if certificate.public_key().same_key(key.public_key()) => return Ok((key, certificate)),
            // An authority's certificate may be for a kind of key that is of no use here.
            Ok(_) | Err(CertificateError::NotRsa) => {}
            Err(error) => return Err(PfxError::Certificate(error)),
        }
    }
    Err(PfxError::NoCertificate)
}
