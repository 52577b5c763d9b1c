//! Codes and refresh tokens: opaque texts that only this authority, or a replica with its root key, can open.
//!
//! Issuing one writes nothing to the directory. What may be used once is settled when it is used, by a digest of its id.
//! Each kind is sealed for its own purpose, so that none passes for another (pitfalls B26, B50).

use countersign_token::{ClientId, ObjectId, Randomness, TenantId, Vault, base64url_decode_strict, base64url_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::subject::SessionFacts;

/// Longer texts are nobody's.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The first characters of every sealed text, as Entra's begin.
const PREFIX: &str = "1.A";

/// Something that is handed out sealed.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    /// What it is sealed for; texts of another purpose do not open.
    const PURPOSE: &'static str;

    /// The opaque text; `None` only if the crypto library fails.
    fn seal(&self, vault: &Vault, randomness: &dyn Randomness) -> Option<String> {
        let json = zeroize::Zeroizing::new(serde_json::to_vec(self).ok()?);
        let sealed = vault.seal(Self::PURPOSE, &json, randomness).ok()?;
        Some(format!("{PREFIX}{}", base64url_encode(&sealed)))
    }

    /// What the text says, if this authority sealed it for this purpose.
    fn open(text: &str, vault: &Vault) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let sealed = base64url_decode_strict(text.strip_prefix(PREFIX)?).ok()?;
        serde_json::from_slice(&vault.open(Self::PURPOSE, &sealed).ok()?).ok()
    }
}

/// The platform under which a redirect URI is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Platform {
    Web,
    Spa,
    PublicClient,
}

/// An authorization code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationCode {
    /// Spent once. It is also the family that the refresh tokens of its redemption belong to.
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) user: ObjectId,
    pub(crate) session: SessionFacts,
    pub(crate) redirect_uri: String,
    pub(crate) platform: Platform,
    /// `code_challenge_method` and `code_challenge` (RFC 7636 §4.3).
    pub(crate) challenge: Option<(String, String)>,
    /// `scope` of the request, as it was (v2.0).
    pub(crate) scope: Option<String>,
    /// `resource` of the request, as it was (v1.0).
    pub(crate) resource: Option<String>,
    pub(crate) nonce: Option<String>,
    /// `claims` of the request, as it was.
    pub(crate) claims: Option<String>,
    /// Seconds since the epoch.
    pub(crate) expires: i64,
}

impl Sealed for AuthorizationCode {
    const PURPOSE: &'static str = "authorization code";
}

/// A refresh token, bound to user and client; not to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    /// All tokens that descend from one sign-in.
    pub(crate) family: Uuid,
    /// Counts the rotations in a strict tenant.
    pub(crate) generation: i64,
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) user: ObjectId,
    pub(crate) session: SessionFacts,
    /// Scopes of the first request, as they were, for a refresh that asks for none.
    pub(crate) scope: Option<String>,
    /// The resource of the first request (v1.0), likewise.
    pub(crate) resource: Option<String>,
    /// Issued to a client that proved nothing, which it need not do at its redemption either.
    #[serde(default)]
    pub(crate) public: bool,
    /// Issued to a single-page application: its end does not move (24 h from the sign-in).
    pub(crate) spa: bool,
    /// When this one was issued, seconds since the epoch.
    pub(crate) issued: i64,
    /// Seconds since the epoch.
    pub(crate) expires: i64,
}

impl Sealed for RefreshToken {
    const PURPOSE: &'static str = "refresh token";
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{RootKey, SystemRandomness};

    fn code() -> AuthorizationCode {
        AuthorizationCode {
            id: Uuid::from_u128(1),
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            client: ClientId::from_uuid(Uuid::from_u128(3)),
            user: ObjectId::from_uuid(Uuid::from_u128(4)),
            session: SessionFacts::by_password(Uuid::from_u128(5), 1_767_225_600),
            redirect_uri: "https://localhost:3000/callback".to_owned(),
            platform: Platform::Web,
            challenge: Some(("S256".to_owned(), "c".repeat(43))),
            scope: Some("openid".to_owned()),
            resource: None,
            nonce: None,
            claims: None,
            expires: 1_767_226_200,
        }
    }

    #[test]
    fn b26_b50_a_sealed_text_opens_for_its_purpose_and_under_its_root_key_only() {
        let vault = Vault::new(&RootKey::from_bytes([7; 32])).unwrap();
        let text = code().seal(&vault, &SystemRandomness).unwrap();
        assert_eq!(AuthorizationCode::open(&text, &vault), Some(code()));
        assert_eq!(RefreshToken::open(&text, &vault), None);
        let other = Vault::new(&RootKey::from_bytes([8; 32])).unwrap();
        assert_eq!(AuthorizationCode::open(&text, &other), None);
        assert_eq!(AuthorizationCode::open(&format!("{text}A"), &vault), None);
        assert_eq!(AuthorizationCode::open(&text[3..], &vault), None);
        assert_eq!(AuthorizationCode::open(&"1.A".repeat(4_000), &vault), None);
        assert_eq!(AuthorizationCode::open("", &vault), None);
    }
}
