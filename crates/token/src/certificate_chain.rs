//! Whether a chain of certificates leads to a root that somebody registered (RFC 5280 §6), for clients that are known by
//! the subject of their certificate and its issuer instead of its thumbprint.
//!
//! The certificates come from the header of an assertion, so whoever sent it chose them; only the roots and the moment are
//! ours. Refused: a chain that leads elsewhere, that is not valid at the moment, or whose first certificate is not for
//! clients.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{Certificate, CertificateError, Timestamp};

/// A chain means nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no certificate in it.
    #[error("there is no certificate")]
    Empty,
    /// The first certificate cannot be read, or holds another key than RSA.
    #[error("the first certificate cannot be used")]
    Certificate(#[source] CertificateError),
    /// No root leads to it, or a certificate on the way is not valid now or not for this.
    #[error("the chain does not lead to a registered root")]
    Untrusted(#[source] webpki::Error),
}

/// The first certificate of `chain` (DER), if the others lead from one of `roots` (DER) to it at `now`. Roots that cannot
/// be read lead nowhere.
///
/// # Errors
/// [`ChainError`]; without roots always [`ChainError::Untrusted`].
pub fn verify_certificate_chain(
    chain: &[Vec<u8>],
    roots: &[Vec<u8>],
    now: Timestamp,
) -> Result<Certificate, ChainError> {
    let der = |bytes: &Vec<u8>| CertificateDer::from(bytes.clone());
    let (leaf, others) = chain.split_first().ok_or(ChainError::Empty)?;
    let certificate = Certificate::from_der(leaf.clone()).map_err(ChainError::Certificate)?;
    let leaf = der(leaf);
    let roots: Vec<_> = roots.iter().map(der).collect();
    let anchors: Vec<_> = roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    let others: Vec<_> = others.iter().map(der).collect();
    let seconds = u64::try_from(now.as_unix_seconds()).unwrap_or(0);
    let entity = EndEntityCert::try_from(&leaf).map_err(ChainError::Untrusted)?;
    entity
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &others,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(ChainError::Untrusted)?;
    Ok(certificate)
}
