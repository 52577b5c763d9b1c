//! One certificate and no other: how a server is known whose certificate nobody vouches for.
//!
//! Service Fabric's endpoint for managed identities has a certificate that the cluster made for itself, and tells its
//! SHA-1 thumbprint in an environment variable. The pin takes the place of a trust store, so what a chain would prove is
//! not looked at: **no issuer, no name, no revocation, no extension.** What is looked at: the thumbprint of the leaf, all
//! of it; that the leaf is valid today; and, as in every handshake, that the server has the leaf's private key. SHA-1 is
//! what the platform gives: collisions are known, but a pin falls only to a second preimage of one given certificate, and
//! that is out of reach. Refused: certificates that are not RSA, as Service Fabric's are not, and thumbprints cut short.

use std::fmt;
use std::sync::Arc;

use countersign_token::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The SHA-1 thumbprint of a certificate: 40 hexadecimal digits of either case, as Windows and Entra's portal show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha1Thumbprint([u8; 20]);

impl Sha1Thumbprint {
    /// None for anything but 40 hexadecimal digits, blanks around them aside.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut out = [0; 20];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(out))
    }
}

/// Accepts the one certificate of a thumbprint.
pub(crate) struct Pinned {
    thumbprint: Sha1Thumbprint,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    pub(crate) fn new(thumbprint: Sha1Thumbprint, provider: Arc<CryptoProvider>) -> Self {
        Self { thumbprint, provider }
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pinned").field(&self.thumbprint).finish()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = |error: CertificateError| Err(Error::InvalidCertificate(error));
        let Ok(leaf) = Certificate::from_der(end_entity.to_vec()) else {
            return refused(CertificateError::BadEncoding);
        };
        if leaf.sha1_thumbprint() != self.thumbprint.0 {
            return refused(CertificateError::ApplicationVerificationFailure);
        }
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > leaf.not_after().0 {
            return refused(CertificateError::Expired);
        }
        if now < leaf.not_before().0 {
            return refused(CertificateError::NotValidYet);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_forty_digits_and_nothing_less() {
        let text = "00FF0102030405060708090A0B0C0D0E0F101112";
        let parsed = Sha1Thumbprint::parse(text).unwrap();
        assert_eq!((parsed.0[0], parsed.0[1], parsed.0[19]), (0, 0xff, 0x12));
        assert_eq!(Sha1Thumbprint::parse(&format!(" {} ", text.to_lowercase())), Some(parsed));
        for wrong in ["", "AB", &text[..38], &format!("{text}00"), &text.replace("FF", "+F"), &text.replace("FF", "é")]
        {
            assert_eq!(Sha1Thumbprint::parse(wrong), None, "{wrong:?}");
        }
    }
}
