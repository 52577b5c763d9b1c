//! Keys that tokens are signed with.

use std::fmt;

use countersign_token::{ClientId, Randomness, TenantId, Timestamp, Vault, VaultError};
use zeroize::Zeroizing;

/// When a key signs and when it is no longer published.
///
/// Before `activates_at` a key is published and does not sign, so that verifiers have seen it before the first token
/// under it; from `retires_at` on it is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySchedule {
    /// From here on it signs.
    pub activates_at: Timestamp,
    /// From here on it is gone; `None` while nobody has decided.
    pub retires_at: Option<Timestamp>,
}

/// Whose tokens a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOwner {
    /// Those of every tenant and application that has no keys of its own.
    Everybody,
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those for one application, as the resource: its keys are published at `?appid=`.
    Application(ClientId),
}

/// A signing key as it is kept: the certificate in clear, the private key sealed.
#[derive(Clone)]
pub struct StoredSigningKey {
    /// `kid`; unique among all keys.
    pub key_id: String,
    /// Whose tokens it signs.
    pub owner: KeyOwner,
    /// 1 for an owner's first key, one more for each further. There is one key per owner and generation, which is how
    /// replicas that make a key at the same moment settle whose it is.
    pub generation: i64,
    /// The certificate published as `x5c`, DER.
    pub certificate: Vec<u8>,
    /// PKCS#8 of the private key, sealed by a [`Vault`]; see [`StoredSigningKey::seal`].
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// When it signs.
    pub schedule: KeySchedule,
}

impl StoredSigningKey {
    /// Seals a private key (PKCS#8 DER) for the row of this `kid` and no other.
    ///
    /// # Errors
    /// [`VaultError::Key`] if the crypto library refuses.
    pub fn seal(vault: &Vault, key_id: &str, pkcs8: &[u8], randomness: &dyn Randomness) -> Result<Vec<u8>, VaultError> {
        vault.seal(&Self::context(key_id), pkcs8, randomness)
    }

    /// Opens this row's private key (PKCS#8 DER), wiped when dropped.
    ///
    /// # Errors
    /// [`VaultError::DoesNotOpen`] under another root key, or if the row was altered or exchanged with another.
    pub fn open(&self, vault: &Vault) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        vault.open(&Self::context(&self.key_id), &self.sealed_private_key)
    }

    fn context(key_id: &str) -> String {
        format!("signing key {key_id}")
    }
}

impl fmt::Debug for StoredSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSigningKey")
            .field("key_id", &self.key_id)
            .field("owner", &self.owner)
            .field("generation", &self.generation)
            .field("created", &self.created)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{RootKey, SystemRandomness};

    #[test]
    fn a_sealed_key_opens_in_its_own_row_only() {
        let vault = Vault::new(&RootKey::from_bytes([7; 32])).unwrap();
        let row = |key_id: &str, sealed: &[u8]| StoredSigningKey {
            key_id: key_id.to_owned(),
            owner: KeyOwner::Everybody,
            generation: 1,
            certificate: Vec::new(),
            sealed_private_key: sealed.to_vec(),
            created: Timestamp::from_unix_seconds(0),
            schedule: KeySchedule { activates_at: Timestamp::from_unix_seconds(0), retires_at: None },
        };
        let sealed = StoredSigningKey::seal(&vault, "a", b"pkcs8", &SystemRandomness).unwrap();
        assert_eq!(&**row("a", &sealed).open(&vault).unwrap(), b"pkcs8");
        assert_eq!(row("b", &sealed).open(&vault).unwrap_err(), VaultError::DoesNotOpen);
        assert!(!format!("{:?}", row("a", b"pkcs8")).contains("sealed"));
    }
}
