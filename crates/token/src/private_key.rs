//! RSA private keys, parsed once.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::{Algorithm, PublicKey};

/// The private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// No PEM block with a private key in it.
    #[error("no PEM block PRIVATE KEY or RSA PRIVATE KEY found")]
    NoPem,
    /// The PEM block is encrypted.
    #[error("the private key is encrypted: decrypt it first, for example with openssl pkcs8")]
    Encrypted,
    /// Not an RSA key of 2048 to 8192 bits in PKCS#8 or PKCS#1, or its numbers do not fit together.
    #[error("not an RSA private key of 2048 to 8192 bits in PKCS#8 or PKCS#1")]
    NotRsa,
    /// The crypto library failed to make a key or a signature.
    #[error("the crypto library refused to work with the key")]
    Refused,
}

/// An RSA private key. Never printed; the crypto library wipes it when it is dropped.
pub struct PrivateKey {
    pair: KeyPair,
    public: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(RSA, {} bits, [redacted])", self.pair.public_modulus_len() * 8)
    }
}

impl PrivateKey {
    /// From PKCS#8 DER.
    ///
    /// # Errors
    /// [`PrivateKeyError::NotRsa`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, PrivateKeyError> {
        Self::from_pair(KeyPair::from_pkcs8(der).map_err(|_| PrivateKeyError::NotRsa)?)
    }

    /// From PEM text: the first block `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1); certificates beside it are
    /// passed over.
    ///
    /// # Errors
    /// [`PrivateKeyError::NoPem`], [`PrivateKeyError::Encrypted`], [`PrivateKeyError::NotRsa`].
    pub fn from_pem(pem: &str) -> Result<Self, PrivateKeyError> {
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => Self::from_pkcs8_der(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => {
                Self::from_pair(KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| PrivateKeyError::NotRsa)?)
            }
            Ok(_) => Err(PrivateKeyError::NotRsa),
            Err(_) if pem.contains("ENCRYPTED") => Err(PrivateKeyError::Encrypted),
            Err(_) => Err(PrivateKeyError::NoPem),
        }
    }

    /// Makes an RSA key of 2048 bits, as PKCS#8 DER. Takes 20 to 300 ms.
    ///
    /// # Errors
    /// [`PrivateKeyError::Refused`].
    pub fn generate_pkcs8() -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        use aws_lc_rs::encoding::AsDer;
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| PrivateKeyError::Refused)?;
        let der = pair.as_der().map_err(|_| PrivateKeyError::Refused)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    fn from_pair(pair: KeyPair) -> Result<Self, PrivateKeyError> {
        let key = pair.public_key();
        let public = PublicKey::from_components(
            key.modulus().big_endian_without_leading_zero(),
            key.exponent().big_endian_without_leading_zero(),
        )
        .map_err(|_| PrivateKeyError::NotRsa)?;
        Ok(Self { pair, public })
    }

    /// PKCS#8 DER, for the crypto library's other type of private key.
    #[cfg(feature = "token-decryption")]
    pub(crate) fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        use aws_lc_rs::encoding::AsDer;
        let der = self.pair.as_der().map_err(|_| PrivateKeyError::Refused)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`; the signature is as long as the modulus.
    ///
    /// # Errors
    /// [`PrivateKeyError::Refused`].
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(algorithm.encoding(), &SystemRandom::new(), message, &mut signature)
            .map_err(|_| PrivateKeyError::Refused)?;
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64_encode_standard;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64_encode_standard(der))
    }

    /// The PKCS#1 key inside a PKCS#8 one: the last octet string, which here begins after a fixed head.
    fn pkcs1(pkcs8: &[u8]) -> &[u8] {
        let head = pkcs8.windows(2).position(|window| window == [0x04, 0x82]).unwrap();
        &pkcs8[head + 4..]
    }

    #[test]
    fn both_forms_of_pem_are_the_same_key() {
        let der = PrivateKey::generate_pkcs8().unwrap();
        let key = PrivateKey::from_pkcs8_der(&der).unwrap();
        let certificate = pem("CERTIFICATE", b"not looked at");
        for text in [
            pem("PRIVATE KEY", &der),
            certificate + &pem("PRIVATE KEY", &der),
            pem("RSA PRIVATE KEY", pkcs1(&der)),
            pem("PRIVATE KEY", &der).replace('\n', "\r\n"),
        ] {
            assert!(PrivateKey::from_pem(&text).unwrap().public_key().same_key(key.public_key()));
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_by_name() {
        let refused = |text: &str| PrivateKey::from_pem(text).unwrap_err();
        assert_eq!(refused(""), PrivateKeyError::NoPem);
        assert_eq!(refused(&pem("CERTIFICATE", b"x")), PrivateKeyError::NoPem);
        assert_eq!(refused(&pem("ENCRYPTED PRIVATE KEY", b"x")), PrivateKeyError::Encrypted);
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n";
        assert_eq!(refused(&format!("{old}-----END RSA PRIVATE KEY-----\n")), PrivateKeyError::Encrypted);
        assert_eq!(refused(&pem("PRIVATE KEY", b"x")), PrivateKeyError::NotRsa);
        assert_eq!(refused(&pem("RSA PRIVATE KEY", b"x")), PrivateKeyError::NotRsa);
        assert_eq!(refused(&pem("EC PRIVATE KEY", b"x")), PrivateKeyError::NotRsa);
        let elliptic = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        assert_eq!(refused(&elliptic.serialize_pem()), PrivateKeyError::NotRsa);
        assert_eq!(PrivateKey::from_pkcs8_der(&[]).unwrap_err(), PrivateKeyError::NotRsa);
    }

    #[test]
    fn numbers_that_do_not_fit_together_are_refused() {
        let mut der = PrivateKey::generate_pkcs8().unwrap();
        let middle = der.len() / 2;
        der[middle] ^= 1;
        assert_eq!(PrivateKey::from_pkcs8_der(&der).unwrap_err(), PrivateKeyError::NotRsa);
    }

    #[test]
    fn debug_shows_nothing() {
        let key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(RSA, 2048 bits, [redacted])");
    }
}
