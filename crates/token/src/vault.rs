//! What a store may keep of a secret: a keyed hash of client secrets, and private keys encrypted.
//!
//! One 32-byte root key per deployment, kept outside the database; HKDF-SHA-256 (RFC 5869) derives a key per purpose, so
//! that a hash can never be replayed as a ciphertext. Client secrets are generated with 256 bits of entropy, so one
//! HMAC is as strong as a slow hash would be and costs a microsecond; passwords, which people choose, do not belong here.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Randomness;

/// A sealed value could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Another root key, another context, or altered bytes: the authentication tag does not fit.
    #[error("the sealed value does not open: it was altered, or sealed under another root key")]
    DoesNotOpen,
    /// The crypto library refused a key or nonce of fixed size; a fault of this program.
    #[error("the crypto library refused the key")]
    Key,
}

/// The deployment's root key: 32 random bytes, from a file of mode 0600 or an operator's secret store.
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Takes the 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh root key.
    #[must_use]
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        randomness.fill(bytes.as_mut());
        Self(bytes)
    }

    /// The bytes, for the one file that keeps them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey([redacted])")
    }
}

/// HMAC-SHA-256 of a client secret under a key derived from the root key.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// From stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// Hashes client secrets, names people and seals private keys.
pub struct Vault {
    secrets: hmac::Key,
    pseudonyms: hmac::Key,
    sealing: LessSafeKey,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

struct Len32;

impl KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(root: &RootKey, purpose: &'static [u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let pseudorandom_key = Salt::new(HKDF_SHA256, b"countersign root key v1").extract(root.expose());
    let mut key = Zeroizing::new([0; 32]);
    pseudorandom_key.expand(&[purpose], Len32).and_then(|okm| okm.fill(key.as_mut())).map_err(|_| VaultError::Key)?;
    Ok(key)
}

impl Vault {
    /// Derives the vault's keys.
    ///
    /// # Errors
    /// [`VaultError::Key`] if the crypto library refuses a key of the right size, which it does not.
    pub fn new(root: &RootKey) -> Result<Self, VaultError> {
        let secrets = derive(root, b"client secret hash")?;
        let pseudonyms = derive(root, b"pseudonym")?;
        let sealing = derive(root, b"sealed at rest")?;
        Ok(Self {
            secrets: hmac::Key::new(hmac::HMAC_SHA256, secrets.as_ref()),
            pseudonyms: hmac::Key::new(hmac::HMAC_SHA256, pseudonyms.as_ref()),
            sealing: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, sealing.as_ref()).map_err(|_| VaultError::Key)?),
        })
    }

    /// The keyed hash of a client secret.
    #[must_use]
    pub fn hash_secret(&self, secret: &str) -> SecretHash {
        let tag = hmac::sign(&self.secrets, secret.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        SecretHash(bytes)
    }

    /// A name for `identity` that only the holder of the root key can compute: the same for the same bytes, and nothing
    /// leads back from it.
    #[must_use]
    pub fn pseudonym(&self, identity: &[u8]) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(&self.pseudonyms, identity).as_ref());
        bytes
    }

    /// Encrypts with AES-256-GCM: nonce, ciphertext, tag. `context` names what is sealed and must be given to open it,
    /// so that two sealed columns cannot be exchanged.
    ///
    /// # Errors
    /// [`VaultError::Key`] if the crypto library refuses to encrypt.
    pub fn seal(&self, context: &str, plaintext: &[u8], randomness: &dyn Randomness) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        let mut sealed = plaintext.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context.as_bytes()), &mut sealed)
            .map_err(|_| VaultError::Key)?;
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// Opens what [`Vault::seal`] made under the same root key and context.
    ///
    /// # Errors
    /// [`VaultError::DoesNotOpen`] otherwise.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(VaultError::DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::DoesNotOpen)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .sealing
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| VaultError::DoesNotOpen)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    fn vault(byte: u8) -> Vault {
        Vault::new(&RootKey::from_bytes([byte; 32])).unwrap()
    }

    #[test]
    fn a_secret_matches_itself_only_and_only_under_its_root_key() {
        let hash = vault(1).hash_secret("s3cret");
        assert!(hash.matches(&vault(1).hash_secret("s3cret")));
        // B02: a suffix, a prefix and a NUL make another secret.
        for other in ["s3cret ", "s3cre", "s3cret\0", "", "S3cret"] {
            assert!(!hash.matches(&vault(1).hash_secret(other)), "{other:?}");
        }
        assert!(!hash.matches(&vault(2).hash_secret("s3cret")));
    }

    #[test]
    fn a_pseudonym_is_no_secrets_hash_and_depends_on_the_root_key() {
        assert_eq!(vault(1).pseudonym(b"alice"), vault(1).pseudonym(b"alice"));
        assert_ne!(vault(1).pseudonym(b"alice"), vault(1).pseudonym(b"bob"));
        assert_ne!(vault(1).pseudonym(b"alice"), vault(2).pseudonym(b"alice"));
        assert_ne!(&vault(1).pseudonym(b"alice"), vault(1).hash_secret("alice").as_bytes());
    }

    #[test]
    fn a_sealed_value_opens_under_its_key_and_context_only() {
        let sealed = vault(1).seal("signing key", b"pkcs8", &SystemRandomness).unwrap();
        assert_eq!(&**vault(1).open("signing key", &sealed).unwrap(), b"pkcs8");
        assert_eq!(vault(2).open("signing key", &sealed), Err(VaultError::DoesNotOpen));
        assert_eq!(vault(1).open("another", &sealed), Err(VaultError::DoesNotOpen));
        assert_eq!(vault(1).open("signing key", &sealed[..5]), Err(VaultError::DoesNotOpen));
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(vault(1).open("signing key", &altered), Err(VaultError::DoesNotOpen), "byte {index}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let text = format!("{:?} {:?} {:?}", RootKey::from_bytes([7; 32]), vault(7), vault(7).hash_secret("x"));
        assert_eq!(text, "RootKey([redacted]) Vault([redacted]) SecretHash([redacted])");
    }
}
