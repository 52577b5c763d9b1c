//! Passwords of people: a slow hash, since people choose them.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use countersign_token::Randomness;
use secrecy::{ExposeSecret, SecretString};

use crate::PasswordHash;

/// Hashes passwords and compares them. Both are slow on purpose: call them where blocking is allowed.
pub trait PasswordHasher: fmt::Debug + Send + Sync + 'static {
    /// Hashes a password under a fresh salt.
    ///
    /// # Errors
    /// [`PasswordError::TooLong`]; [`PasswordError::Failed`] if the hash function refuses.
    fn hash(&self, password: &SecretString) -> Result<PasswordHash, PasswordError>;

    /// Whether the password is the one that was hashed; `false` for a hash that cannot be read.
    fn verify(&self, password: &SecretString, hash: &PasswordHash) -> bool;
}

/// A password could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// More than [`Argon2id::MAX_BYTES`] bytes.
    #[error("the password is longer than {} bytes", Argon2id::MAX_BYTES)]
    TooLong,
    /// The hash function refused, for want of memory.
    #[error("the password could not be hashed")]
    Failed,
}

/// argon2id with 19 MiB, two passes and one lane.
///
/// The password's bytes are hashed as they came, none of them cut off: no Unicode normalisation, no limit of 72.
///
/// Source: RFC 9106; OWASP Password Storage Cheat Sheet, 2026.
///
/// ```
/// use countersign_directory::{Argon2id, PasswordHasher};
/// use countersign_token::SystemRandomness;
///
/// let hasher = Argon2id::new(SystemRandomness);
/// let hash = hasher.hash(&"correct horse".into())?;
/// assert!(hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// assert!(hasher.verify(&"correct horse".into(), &hash) && !hasher.verify(&"Correct horse".into(), &hash));
/// # Ok::<(), countersign_directory::PasswordError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Argon2id {
    randomness: Arc<dyn Randomness>,
}

impl Argon2id {
    /// The longest password, in bytes; Entra's limit is 256 characters.
    pub const MAX_BYTES: usize = 1024;

    /// Takes salts from `randomness`.
    #[must_use]
    pub fn new(randomness: impl Randomness) -> Self {
        Self { randomness: Arc::new(randomness) }
    }
}

impl PasswordHasher for Argon2id {
    fn hash(&self, password: &SecretString) -> Result<PasswordHash, PasswordError> {
        let password = password.expose_secret().as_bytes();
        if password.len() > Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let mut salt = [0; 16];
        self.randomness.fill(&mut salt);
        let hash: phc::PasswordHash =
            Argon2::default().hash_password_with_salt(password, &salt).map_err(|_| PasswordError::Failed)?;
        Ok(PasswordHash::from_phc(hash.to_string()))
    }

    fn verify(&self, password: &SecretString, hash: &PasswordHash) -> bool {
        let password = password.expose_secret().as_bytes();
        let Ok(hash) = phc::PasswordHash::new(hash.as_phc()) else { return false };
        password.len() <= Self::MAX_BYTES && Argon2::default().verify_password(password, &hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SeededRandomness;

    #[test]
    fn no_byte_is_cut_off_and_none_is_added() {
        let hasher = Argon2id::new(SeededRandomness::from_seed(1));
        let long = "x".repeat(100);
        let hash = hasher.hash(&long.as_str().into()).unwrap();
        assert!(hasher.verify(&long.as_str().into(), &hash));
        // B89: 72 bytes and a NUL are where bcrypt stops looking.
        for other in ["x".repeat(72), "x".repeat(99), format!("{long}\0"), format!("{long} ")] {
            assert!(!hasher.verify(&other.as_str().into(), &hash), "{}", other.len());
        }
    }

    #[test]
    fn a_salt_is_fresh_and_a_length_is_bounded() {
        let hasher = Argon2id::new(SeededRandomness::from_seed(1));
        assert_ne!(hasher.hash(&"a".into()).unwrap(), hasher.hash(&"a".into()).unwrap());
        assert_eq!(hasher.hash(&"x".repeat(1025).into()).unwrap_err(), PasswordError::TooLong);
    }

    #[test]
    fn what_is_no_hash_verifies_nothing() {
        let hasher = Argon2id::new(SeededRandomness::from_seed(1));
        for text in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ"] {
            assert!(!hasher.verify(&"".into(), &PasswordHash::from_phc(text)), "{text}");
        }
    }
}
