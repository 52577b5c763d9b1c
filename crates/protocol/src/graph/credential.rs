//! How an application proves itself: `passwordCredential`, `keyCredential`, `federatedIdentityCredential`.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::DateTime;
use super::wire::{null_as_default, optional_guid};

/// A client secret.
///
/// `secret_text` travels in the answer to `addPassword` and nowhere else; writing this type **writes the secret**, so
/// leave it `None` in every other answer.
///
/// Source: Graph resource type `passwordCredential`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordCredential {
    /// Unused by Entra today.
    #[serde(default)]
    pub custom_key_identifier: Option<String>,
    /// The secret's name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// From here on the secret is refused (AADSTS7000222).
    #[serde(default)]
    pub end_date_time: Option<DateTime>,
    /// The secret's first three characters.
    #[serde(default)]
    pub hint: Option<String>,
    /// The secret's id, which people paste in place of its value.
    #[serde(default, with = "optional_guid")]
    pub key_id: Option<Uuid>,
    /// The secret itself, 16 to 64 characters.
    #[serde(default, with = "secret_text")]
    pub secret_text: Option<SecretString>,
    /// Before this the secret is refused.
    #[serde(default)]
    pub start_date_time: Option<DateTime>,
}

mod secret_text {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
    }

    pub(super) fn serialize<S: Serializer>(text: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => serializer.serialize_str(text.expose_secret()),
            None => serializer.serialize_none(),
        }
    }
}

/// A certificate that an application signs client assertions with.
///
/// Source: Graph resource type `keyCredential`; `type` and `usage` are `AsymmetricX509Cert` and `Verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCredential {
    /// SHA-1 thumbprint, upper-case hex or base64.
    #[serde(default)]
    pub custom_key_identifier: Option<String>,
    /// The certificate's name; often its subject.
    #[serde(default)]
    pub display_name: Option<String>,
    /// From here on the certificate is refused.
    #[serde(default)]
    pub end_date_time: Option<DateTime>,
    /// Base64 of the certificate's DER; `null` except where it was selected by name.
    #[serde(default)]
    pub key: Option<String>,
    /// The credential's id.
    #[serde(default, with = "optional_guid")]
    pub key_id: Option<Uuid>,
    /// Before this the certificate is refused.
    #[serde(default)]
    pub start_date_time: Option<DateTime>,
    /// `AsymmetricX509Cert`, `X509CertAndPassword` or `Symmetric`.
    #[serde(rename = "type", default)]
    pub key_type: Option<String>,
    /// `Verify` or `Sign`.
    #[serde(default)]
    pub usage: Option<String>,
}

/// Trust in another issuer's tokens as this application's client assertions.
///
/// Source: Graph resource type `federatedIdentityCredential`; issuer, subject and the one audience are compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FederatedIdentityCredential {
    /// The credential's id.
    #[serde(default, with = "optional_guid")]
    pub id: Option<Uuid>,
    /// Name, 3 to 120 characters, unchangeable.
    pub name: String,
    /// The other issuer's `iss`.
    pub issuer: String,
    /// The `sub` to expect.
    pub subject: String,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// Exactly one `aud`, by recommendation `api://AzureADTokenExchange`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub audiences: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_add_password_carries_the_secret_and_debug_does_not() {
        let json = r#"{"customKeyIdentifier":null,"displayName":"x","endDateTime":"2028-01-31T10:00:00Z","hint":"A1b","keyId":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","secretText":"A1b8Q~very-secret","startDateTime":"2026-01-31T10:00:00Z"}"#;
        let credential: PasswordCredential = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&credential).unwrap(), json);
        assert!(!format!("{credential:?}").contains("very-secret"));
    }

    #[test]
    fn a_key_credential_is_written_as_graph_writes_it() {
        let json = r#"{"customKeyIdentifier":"AF","displayName":"CN=x","endDateTime":"2027-01-31T10:00:00Z","key":null,"keyId":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","startDateTime":"2026-01-31T10:00:00Z","type":"AsymmetricX509Cert","usage":"Verify"}"#;
        let credential: KeyCredential = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&credential).unwrap(), json);
    }

    #[test]
    fn a_federated_credential_is_written_as_graph_writes_it() {
        let json = r#"{"id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","name":"gh-main","issuer":"https://token.actions.githubusercontent.com","subject":"repo:o/r:ref:refs/heads/main","description":null,"audiences":["api://AzureADTokenExchange"]}"#;
        let credential: FederatedIdentityCredential = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&credential).unwrap(), json);
    }
}
