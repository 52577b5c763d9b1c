//! The private keys that tokens are encrypted to, and the names by which a header may call them.

use std::fmt;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::header::{KeyEncryption, KeyNames};
use crate::jws::MAX_KEY_ID_BYTES;
use crate::{Certificate, PrivateKey, Randomness, SystemRandomness, base64url_encode};

/// The key, or the set of keys, cannot be used for decryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptionKeyError {
    /// The certificate holds another public key than the private key's.
    #[error("the certificate is for another key")]
    CertificateMismatch,
    /// The key id is empty, longer than 128 bytes, or not printable ASCII: no header could name it.
    #[error("the key id is not a name of 1 to 128 printable characters")]
    KeyIdMalformed,
    /// There is no key in the set.
    #[error("there is no decryption key")]
    NoKeys,
    /// There are more than [`MAX_DECRYPTION_KEYS`](crate::MAX_DECRYPTION_KEYS) in the set.
    #[error("there are more than 8 decryption keys")]
    TooManyKeys,
    /// The crypto library does not take the key.
    #[error("the crypto library refused the key")]
    Refused,
}

/// A private key of 2048 to 8192 bits that tokens may be encrypted to, under its names.
///
/// It should sign nothing: a key has one use. Never printed; the crypto library wipes it when it is dropped.
pub struct DecryptionKey {
    key: OaepPrivateDecryptingKey,
    certificate: Option<Thumbprints>,
    key_ids: Vec<Box<str>>,
}

/// What a header may call a certificate, as text, so that finding a key compares and nothing else.
struct Thumbprints {
    sha1: String,
    sha256: String,
    hex: String,
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.certificate.as_ref().map(|certificate| certificate.hex.as_str());
        let name = name.or(self.key_ids.first().map(|id| &**id)).unwrap_or_default();
        write!(f, "DecryptionKey(RSA, {} bits, {name:?}, [redacted])", self.key.key_size_bits())
    }
}

impl DecryptionKey {
    /// A key with the certificate whose public half Entra was given (`keyCredentials` with the usage `Encrypt`).
    ///
    /// A header may name it by `x5t` or `x5t#S256` (RFC 7516 §4.1.9 and §4.1.10), or by a `kid` that is one of the
    /// certificate's thumbprints: SHA-1 or SHA-256 in base64url, or SHA-1 as 40 hexadecimal digits in either case, as
    /// Microsoft's libraries write it. The certificate's dates are not looked at: a token encrypted yesterday is no
    /// less the owner's today.
    ///
    /// # Errors
    /// [`DecryptionKeyError::CertificateMismatch`], [`DecryptionKeyError::Refused`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use countersign_token::{Certificate, DecryptionKey, PrivateKey};
    ///
    /// let pem = std::fs::read_to_string("token-decryption.pem")?;
    /// let key = DecryptionKey::new(&PrivateKey::from_pem(&pem)?, &Certificate::from_pem(&pem)?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(private_key: &PrivateKey, certificate: &Certificate) -> Result<Self, DecryptionKeyError> {
        if !private_key.public_key().same_key(certificate.public_key()) {
            return Err(DecryptionKeyError::CertificateMismatch);
        }
        let thumbprints = Thumbprints {
            sha1: base64url_encode(&certificate.sha1_thumbprint()),
            sha256: base64url_encode(&certificate.sha256_thumbprint()),
            hex: certificate.thumbprint_hex(),
        };
        Ok(Self { key: decrypting(private_key)?, certificate: Some(thumbprints), key_ids: Vec::new() })
    }

    /// A key without a certificate, which a header may name by this `kid` only.
    ///
    /// # Errors
    /// [`DecryptionKeyError::KeyIdMalformed`], [`DecryptionKeyError::Refused`].
    ///
    /// ```
    /// use countersign_token::{DecryptionKey, PrivateKey};
    ///
    /// # let pkcs8 = PrivateKey::generate_pkcs8()?;
    /// let private_key = PrivateKey::from_pkcs8_der(&pkcs8)?;
    /// let key = DecryptionKey::without_certificate(&private_key, "tokens-2026")?;
    /// assert_eq!(format!("{key:?}"), "DecryptionKey(RSA, 2048 bits, \"tokens-2026\", [redacted])");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_certificate(private_key: &PrivateKey, key_id: &str) -> Result<Self, DecryptionKeyError> {
        Self { key: decrypting(private_key)?, certificate: None, key_ids: Vec::new() }.with_key_id(key_id)
    }

    /// The same key under one more `kid`: 1 to 128 printable ASCII characters, compared byte by byte. Entra's
    /// `tokenEncryptionKeyId` is such a name.
    ///
    /// # Errors
    /// [`DecryptionKeyError::KeyIdMalformed`].
    ///
    /// ```
    /// # use countersign_token::{DecryptionKey, DecryptionKeyError, PrivateKey};
    /// # let pkcs8 = PrivateKey::generate_pkcs8()?;
    /// # let private_key = PrivateKey::from_pkcs8_der(&pkcs8)?;
    /// let key = DecryptionKey::without_certificate(&private_key, "tokens-2026")?
    ///     .with_key_id("53095330-1680-4a8d-bf0d-8d0d042fe88b")?;
    /// assert_eq!(key.with_key_id("two words").unwrap_err(), DecryptionKeyError::KeyIdMalformed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_key_id(mut self, key_id: &str) -> Result<Self, DecryptionKeyError> {
        if !is_key_id(key_id) {
            return Err(DecryptionKeyError::KeyIdMalformed);
        }
        self.key_ids.push(key_id.into());
        Ok(self)
    }

    /// Of the modulus, in bytes.
    pub(super) fn modulus_length(&self) -> usize {
        self.key.key_size_bytes()
    }

    pub(super) fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Whether a header's `kid` means this key.
    pub(super) fn has_id(&self, key_id: &str) -> bool {
        self.key_ids.iter().any(|own| **own == *key_id)
            || self
                .certificate
                .as_ref()
                .is_some_and(|own| key_id == own.sha1 || key_id == own.sha256 || key_id.eq_ignore_ascii_case(&own.hex))
    }

    /// Whether every thumbprint of a header is this key's. A header without any contradicts no key.
    pub(super) fn has_thumbprints(&self, names: &KeyNames) -> bool {
        let own = self.certificate.as_ref();
        names.sha1_thumbprint.as_ref().is_none_or(|text| own.is_some_and(|own| *text == own.sha1))
            && names.sha256_thumbprint.as_ref().is_none_or(|text| own.is_some_and(|own| *text == own.sha256))
    }

    /// The content key of `length` bytes, or random bytes in its place (RFC 7516 §11.5).
    ///
    /// Whether OAEP's padding was sound must not be told apart from whether the tag fits (Manger 2001, after
    /// Bleichenbacher 1998). So the random key is made every time, an encrypted key that does not open or is of another
    /// length leaves it as it is, and the tag refuses. Inside, the library checks the padding in constant time.
    pub(super) fn unwrap_key(&self, algorithm: KeyEncryption, encrypted: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
        let mut content_key = Zeroizing::new(vec![0; length]);
        SystemRandomness.fill(&mut content_key);
        let mut room = Zeroizing::new(vec![0; self.key.min_output_size()]);
        if let Ok(opened) = self.key.decrypt(oaep(algorithm), encrypted, &mut room, None)
            && opened.len() == length
        {
            content_key.copy_from_slice(opened);
        }
        content_key
    }
}

/// The `kid` of a key as a header may write it; the same rule as for keys of signatures.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=MAX_KEY_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn oaep(algorithm: KeyEncryption) -> &'static OaepAlgorithm {
    match algorithm {
        KeyEncryption::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        KeyEncryption::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
    }
}

/// The library has one type for signing and one for decrypting; PKCS#8 leads from one to the other.
fn decrypting(private_key: &PrivateKey) -> Result<OaepPrivateDecryptingKey, DecryptionKeyError> {
    let pkcs8 = private_key.to_pkcs8_der().map_err(|_| DecryptionKeyError::Refused)?;
    let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| DecryptionKeyError::Refused)?;
    OaepPrivateDecryptingKey::new(key).map_err(|_| DecryptionKeyError::Refused)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::OaepPublicEncryptingKey;

    use super::*;

    #[test]
    fn a_key_that_does_not_open_is_replaced_by_another_each_time() {
        let private_key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
        let key = DecryptionKey::without_certificate(&private_key, "k").unwrap();
        let mut encrypted = vec![0; 256];
        for algorithm in [KeyEncryption::RsaOaep, KeyEncryption::RsaOaep256] {
            let first = key.unwrap_key(algorithm, &encrypted, 32);
            assert_eq!(first.len(), 32);
            assert_ne!(first, key.unwrap_key(algorithm, &encrypted, 32));
            assert_ne!(*first, vec![0; 32]);
        }
        // A real key of another length is not taken either.
        let pkcs8 = private_key.to_pkcs8_der().unwrap();
        let public = PrivateDecryptingKey::from_pkcs8(&pkcs8).unwrap().public_key();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        public.encrypt(&OAEP_SHA1_MGF1SHA1, &[7; 16], &mut encrypted, None).unwrap();
        assert_eq!(*key.unwrap_key(KeyEncryption::RsaOaep, &encrypted, 16), vec![7; 16]);
        assert_ne!(key.unwrap_key(KeyEncryption::RsaOaep, &encrypted, 32)[..16], [7; 16]);
        assert_ne!(*key.unwrap_key(KeyEncryption::RsaOaep256, &encrypted, 16), vec![7; 16]);
    }

    #[test]
    fn names_that_no_header_could_give_are_refused() {
        for (text, sound) in [("", false), ("a b", false), ("\u{e9}", false), ("a\n", false), ("~!", true)] {
            assert_eq!(is_key_id(text), sound, "{text:?}");
        }
        assert!(is_key_id(&"k".repeat(128)) && !is_key_id(&"k".repeat(129)));
    }
}
