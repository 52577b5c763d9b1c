//! How an application proves itself: secrets, certificates, trust in another issuer.

use countersign_token::{Certificate, CertificateError, Randomness, SecretHash, Timestamp, Vault};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::derived_uuid;
use crate::secret_text;

/// A client secret as it is kept: its hash, and what lets a person tell it from others. The text is nowhere.
///
/// ```
/// use std::time::Duration;
/// use countersign_directory::ClientSecret;
/// use countersign_token::{RootKey, SystemRandomness, Timestamp, Vault};
/// use secrecy::ExposeSecret;
///
/// let vault = Vault::new(&RootKey::generate(&SystemRandomness))?;
/// let now = Timestamp::from_unix_seconds(1_767_225_600);
/// let valid = now..now.plus(Duration::from_secs(180 * 86_400));
/// let (secret, text) = ClientSecret::generate(&vault, &SystemRandomness, Some("demo".to_owned()), valid);
/// assert_eq!(text.expose_secret().len(), 40);
/// assert!(text.expose_secret().starts_with(&secret.hint));
/// assert!(secret.matches(&vault.hash_secret(text.expose_secret())));
/// # Ok::<(), countersign_token::VaultError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientSecret {
    /// The secret's id, which people paste in place of its value.
    pub key_id: Uuid,
    /// Name for people.
    pub display_name: Option<String>,
    /// The text's first three characters.
    pub hint: String,
    /// Before this it is refused.
    pub starts_at: Timestamp,
    /// From here on it is refused (AADSTS7000222).
    pub ends_at: Timestamp,
    /// Keyed hash of the text.
    pub hash: SecretHash,
}

impl ClientSecret {
    /// Makes a secret of 40 characters in Entra's style and returns its text, which cannot be had again.
    #[must_use]
    pub fn generate(
        vault: &Vault,
        randomness: &dyn Randomness,
        display_name: Option<String>,
        valid: std::ops::Range<Timestamp>,
    ) -> (Self, SecretString) {
        let text = secret_text::generate(randomness);
        (Self::from_text(vault, randomness.uuid_v4(), display_name, &text, valid), text)
    }

    /// Takes a text that somebody else chose. Weak texts stay weak: the hash is keyed, not slow.
    #[must_use]
    pub fn from_text(
        vault: &Vault,
        key_id: Uuid,
        display_name: Option<String>,
        text: &SecretString,
        valid: std::ops::Range<Timestamp>,
    ) -> Self {
        Self {
            key_id,
            display_name,
            hint: text.expose_secret().chars().take(3).collect(),
            starts_at: valid.start,
            ends_at: valid.end,
            hash: vault.hash_secret(text.expose_secret()),
        }
    }

    /// Compares with the hash of what was presented, in constant time. Says nothing about the validity's ends.
    #[must_use]
    pub fn matches(&self, presented: &SecretHash) -> bool {
        self.hash.matches(presented)
    }

    /// Whether `now` lies in its validity.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }
}

/// A certificate that client assertions are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The credential's id.
    pub key_id: Uuid,
    /// Name for people; often the certificate's subject.
    pub display_name: Option<String>,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Before this it is refused.
    pub starts_at: Timestamp,
    /// From here on it is refused.
    pub ends_at: Timestamp,
}

impl ClientCertificate {
    /// A credential as long as the certificate is valid, under an id derived from application and certificate.
    #[must_use]
    pub fn of(app_id: countersign_token::ClientId, certificate: &Certificate, display_name: Option<String>) -> Self {
        let thumbprint = countersign_token::base64url_encode(&certificate.sha256_thumbprint());
        Self {
            key_id: derived_uuid(&app_id.as_uuid(), "keyCredential", &thumbprint),
            display_name: display_name.or_else(|| Some(certificate.subject().to_owned())),
            certificate: certificate.der().to_vec(),
            starts_at: Timestamp::from_unix_seconds(certificate.not_before().0),
            ends_at: Timestamp::from_unix_seconds(certificate.not_after().0),
        }
    }

    /// Whether `now` lies in its validity.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// Parses the certificate.
    ///
    /// # Errors
    /// As [`Certificate::from_der`]; only if somebody stored what is none.
    pub fn parse(&self) -> Result<Certificate, CertificateError> {
        Certificate::from_der(self.certificate.clone())
    }
}

/// Trust in another issuer's tokens as this application's assertions. All three are compared exactly, case and trailing
/// slash included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCredential {
    /// The credential's id.
    pub id: Uuid,
    /// Name, unique in the application, unchangeable.
    pub name: String,
    /// `iss` to expect.
    pub issuer: String,
    /// `sub` to expect.
    pub subject: String,
    /// The one `aud` to expect.
    pub audience: String,
    /// Free text.
    pub description: Option<String>,
}
