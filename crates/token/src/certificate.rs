//! X.509 certificates, as far as Entra uses them: a name for a public key, with dates. Chains are nobody's business here.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as X509PublicKey;

use crate::{KeyError, NumericDate, PublicKey, base64url_encode};

/// The bytes are not a certificate that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No PEM block `CERTIFICATE`.
    #[error("no PEM block CERTIFICATE found")]
    NoPem,
    /// Not DER of an X.509 certificate, or bytes follow it.
    #[error("not the DER of one X.509 certificate")]
    Malformed,
    /// The key in it is no RSA key.
    #[error("the certificate's key is not RSA")]
    NotRsa,
    /// The key in it is too weak.
    #[error("the certificate's key cannot be used")]
    Key(#[source] KeyError),
}

/// A certificate with an RSA key. Clones share it.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    sha1: [u8; 20],
    sha256: [u8; 32],
    not_before: NumericDate,
    not_after: NumericDate,
    subject: String,
    key: PublicKey,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint_hex())
    }
}

impl Certificate {
    /// From DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        let (rest, parsed) =
            x509_parser::certificate::X509Certificate::from_der(&der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        let Ok(X509PublicKey::RSA(rsa)) = parsed.public_key().parsed() else { return Err(CertificateError::NotRsa) };
        // DER integers are signed: a leading zero byte is not part of the number.
        let number = |bytes: &[u8]| bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec();
        let key =
            PublicKey::from_components(&number(rsa.modulus), &number(rsa.exponent)).map_err(CertificateError::Key)?;
        let validity = parsed.validity();
        let inner = Inner {
            sha1: sha1(&der),
            sha256: sha256(&der),
            not_before: NumericDate(validity.not_before.timestamp()),
            not_after: NumericDate(validity.not_after.timestamp()),
            subject: parsed.subject().to_string(),
            key,
            der: Vec::new(),
        };
        Ok(Self(Arc::new(Inner { der, ..inner })))
    }

    /// From PEM text: the first block `CERTIFICATE`; keys beside it are passed over.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateError::NoPem)?;
        Self::from_der(der.to_vec())
    }

    /// The DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-1 over the DER: `x5t` (RFC 7515 §4.1.7), and Entra's `kid`.
    #[must_use]
    pub fn sha1_thumbprint(&self) -> [u8; 20] {
        self.0.sha1
    }

    /// SHA-256 over the DER: `x5t#S256` (RFC 7515 §4.1.8).
    #[must_use]
    pub fn sha256_thumbprint(&self) -> [u8; 32] {
        self.0.sha256
    }

    /// The SHA-1 thumbprint as Entra's portal and error texts write it: 40 hexadecimal digits, upper case.
    #[must_use]
    pub fn thumbprint_hex(&self) -> String {
        self.0.sha1.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// `kid` as Entra makes it: base64url of the SHA-1 thumbprint, 27 characters.
    #[must_use]
    pub fn key_id(&self) -> String {
        base64url_encode(&self.0.sha1)
    }

    /// Valid from.
    #[must_use]
    pub fn not_before(&self) -> NumericDate {
        self.0.not_before
    }

    /// Valid until.
    #[must_use]
    pub fn not_after(&self) -> NumericDate {
        self.0.not_after
    }

    /// The subject's distinguished name.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.key
    }
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    out
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PrivateKey, base64_encode_standard};

    /// A self-signed certificate for a fresh key, and the key.
    fn made() -> (Vec<u8>, PrivateKey) {
        let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
        let der = rustls_pki_types::PrivatePkcs8KeyDer::from(pkcs8.as_slice());
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).unwrap();
        (certificate_for(&key), PrivateKey::from_pkcs8_der(&pkcs8).unwrap())
    }

    fn certificate_for(key: &rcgen::KeyPair) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "DemoClientApp");
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params.self_signed(key).unwrap().der().to_vec()
    }

    fn pem(der: &[u8]) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64_encode_standard(der))
    }

    #[test]
    fn a_certificate_names_its_key_and_dates() {
        let (der, key) = made();
        let certificate = Certificate::from_der(der.clone()).unwrap();
        assert_eq!(certificate.der(), der);
        assert!(certificate.public_key().same_key(key.public_key()));
        assert_eq!(certificate.not_before(), NumericDate(1_767_225_600));
        assert_eq!(certificate.not_after(), NumericDate(1_798_761_600));
        assert_eq!(certificate.subject(), "CN=DemoClientApp");
        assert_eq!(certificate.sha1_thumbprint(), sha1(&der));
        assert_eq!(certificate.sha256_thumbprint(), sha256(&der));
        assert_eq!(certificate.key_id(), base64url_encode(&sha1(&der)));
        assert_eq!(certificate.key_id().len(), 27);
        let hex = certificate.thumbprint_hex();
        assert_eq!((hex.len(), &hex[..2]), (40, format!("{:02X}", sha1(&der)[0]).as_str()));
        assert_eq!(format!("{certificate:?}"), format!("Certificate({hex})"));
    }

    #[test]
    fn thumbprints_are_sha1_and_sha256() {
        // FIPS 180-2, appendices A.1 and B.1.
        assert_eq!(base64url_encode(&sha1(b"abc")), "qZk-NkcGgWq6PiVxeFDCbJzQ2J0");
        assert_eq!(base64url_encode(&sha256(b"abc")), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }

    #[test]
    fn pem_beside_a_key_is_read() {
        let (der, _) = made();
        let text = format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{}", pem(&der));
        assert_eq!(Certificate::from_pem(&text).unwrap().der(), der);
        assert_eq!(Certificate::from_pem(&pem(&der).replace('\n', "\r\n")).unwrap().der(), der);
    }

    #[test]
    fn what_is_no_certificate_is_refused_by_name() {
        let (der, _) = made();
        assert_eq!(Certificate::from_pem("").unwrap_err(), CertificateError::NoPem);
        assert_eq!(Certificate::from_pem("-----BEGIN CERTIFICATE-----\n*\n").unwrap_err(), CertificateError::NoPem);
        assert_eq!(Certificate::from_pem(&pem(b"no DER")).unwrap_err(), CertificateError::Malformed);
        assert_eq!(Certificate::from_der(Vec::new()).unwrap_err(), CertificateError::Malformed);
        assert_eq!(Certificate::from_der(der[..der.len() - 1].to_vec()).unwrap_err(), CertificateError::Malformed);
        assert_eq!(Certificate::from_der([der, vec![0]].concat()).unwrap_err(), CertificateError::Malformed);
        let elliptic = certificate_for(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap());
        assert_eq!(Certificate::from_der(elliptic).unwrap_err(), CertificateError::NotRsa);
    }

    #[test]
    fn a_certificate_with_a_weak_key_is_refused() {
        let (mut der, _) = made();
        let exponent = der.windows(5).position(|window| window == [2, 3, 1, 0, 1]).unwrap();
        der[exponent + 4] = 0;
        assert_eq!(Certificate::from_der(der).unwrap_err(), CertificateError::Key(KeyError::Exponent));
    }
}
