//! A stored key, opened, parsed and ready.

use countersign_directory::{KeyOwner, StoredSigningKey};
use countersign_protocol::PublishedKey;
use countersign_token::{Algorithm, Certificate, JwsSigner, PublicKey, SigningKey, Timestamp, TokenVersion, Vault};
use serde_json::json;

use crate::StartError;

/// A key ready to sign.
pub(crate) struct LoadedKey {
    pub(super) stored: StoredSigningKey,
    published: PublishedKey,
    public: PublicKey,
    /// Headers differ: v1.0 tokens carry `x5t` beside `kid`.
    v1: JwsSigner,
    v2: JwsSigner,
}

impl LoadedKey {
    pub(crate) fn key_id(&self) -> &str {
        &self.stored.key_id
    }

    /// Whose tokens it signs, and nobody else's.
    pub(crate) fn owner(&self) -> KeyOwner {
        self.stored.owner
    }

    /// As it is published, without issuer.
    pub(crate) fn published(&self) -> &PublishedKey {
        &self.published
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn signer(&self, version: TokenVersion) -> &JwsSigner {
        match version {
            TokenVersion::V1 => &self.v1,
            TokenVersion::V2 => &self.v2,
        }
    }

    pub(super) fn is_for(&self, row: &StoredSigningKey) -> bool {
        self.stored.key_id == row.key_id && self.stored.schedule == row.schedule && self.stored.owner == row.owner
    }

    pub(super) fn is_retired(&self, now: Timestamp) -> bool {
        self.stored.schedule.retires_at.is_some_and(|retires_at| retires_at <= now)
    }

    pub(super) fn load(stored: StoredSigningKey, vault: &Vault) -> Result<Self, StartError> {
        let key = SigningKey::from_pkcs8_der(stored.key_id.as_str(), &stored.open(vault)?)?;
        let certificate = Certificate::from_der(stored.certificate.clone())
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let public = key.private_key().public_key().clone();
        let published =
            PublishedKey::new(&certificate.sha1_thumbprint(), public.modulus(), public.exponent(), certificate.der());
        let id = &stored.key_id;
        let v1 = key.signer(Algorithm::Rs256, &json!({"typ": "JWT", "alg": "RS256", "x5t": id, "kid": id}))?;
        let v2 = key.signer(Algorithm::Rs256, &json!({"typ": "JWT", "alg": "RS256", "kid": id}))?;
        Ok(Self { stored, published, public, v1, v2 })
    }
}
