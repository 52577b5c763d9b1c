//! The user realm: how MSAL asks, before a password flow, who keeps the user's password.
//!
//! `GET /common/userrealm/{upn}?api-version=1.0`, path in any case. MSAL Go needs four members to be there and not empty.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::cloud::CloudProfile;
use crate::decode::{DecodeError, Members};
use crate::token_response::text;

/// Who keeps the password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountType {
    /// This directory.
    Managed,
    /// A federated identity provider.
    Federated,
    /// Nobody known here.
    Unknown,
    /// A word that nobody knew when this was written.
    Other(String),
}

impl AccountType {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Managed => "Managed",
            Self::Federated => "Federated",
            Self::Unknown => "Unknown",
            Self::Other(word) => word,
        }
    }
}

/// The user realm's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRealm {
    /// `account_type`
    pub account_type: AccountType,
    /// `domain_name`: what stands behind the user's `@`.
    pub domain_name: Option<String>,
    /// `cloud_instance_name`
    pub cloud_instance_name: Option<String>,
    /// `cloud_audience_urn`
    pub cloud_audience_urn: Option<String>,
    /// `federation_protocol`, `WSTrust` for federated domains.
    pub federation_protocol: Option<String>,
    /// `federation_metadata_url`
    pub federation_metadata_url: Option<String>,
    /// `federation_active_auth_url`
    pub federation_active_auth_url: Option<String>,
}

impl UserRealm {
    /// The answer for a user whose password this directory keeps.
    #[must_use]
    pub fn managed(domain_name: impl Into<String>, cloud: &CloudProfile) -> Self {
        Self {
            account_type: AccountType::Managed,
            domain_name: Some(domain_name.into()),
            cloud_instance_name: Some(cloud.cloud_instance_name.to_owned()),
            cloud_audience_urn: Some(cloud.cloud_audience_urn.to_owned()),
            federation_protocol: None,
            federation_metadata_url: None,
            federation_active_auth_url: None,
        }
    }

    /// The answer for a user of a domain that this directory does not have.
    #[must_use]
    pub fn unknown(domain_name: impl Into<String>, cloud: &CloudProfile) -> Self {
        Self { account_type: AccountType::Unknown, ..Self::managed(domain_name, cloud) }
    }

    /// The JSON body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`DecodeError`]; `account_type` must be there.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let account_type = match members.required("account_type")?.as_str() {
            "Managed" => AccountType::Managed,
            "Federated" => AccountType::Federated,
            "Unknown" => AccountType::Unknown,
            other => AccountType::Other(other.to_owned()),
        };
        Ok(Self {
            account_type,
            domain_name: members.string("domain_name")?,
            cloud_instance_name: members.string("cloud_instance_name")?,
            cloud_audience_urn: members.string("cloud_audience_urn")?,
            federation_protocol: members.string("federation_protocol")?,
            federation_metadata_url: members.string("federation_metadata_url")?,
            federation_active_auth_url: members.string("federation_active_auth_url")?,
        })
    }
}

impl Serialize for UserRealm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ver", "1.0")?;
        map.serialize_entry("account_type", self.account_type.as_str())?;
        text(&mut map, "domain_name", self.domain_name.as_deref())?;
        text(&mut map, "federation_protocol", self.federation_protocol.as_deref())?;
        text(&mut map, "federation_metadata_url", self.federation_metadata_url.as_deref())?;
        text(&mut map, "federation_active_auth_url", self.federation_active_auth_url.as_deref())?;
        text(&mut map, "cloud_instance_name", self.cloud_instance_name.as_deref())?;
        text(&mut map, "cloud_audience_urn", self.cloud_audience_urn.as_deref())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_account_is_required_and_may_be_new() {
        assert!(matches!(UserRealm::from_json(b"{}"), Err(DecodeError::MissingMember("account_type"))));
        let realm = UserRealm::from_json(br#"{"account_type":"Quantum"}"#).unwrap();
        assert_eq!(realm.account_type, AccountType::Other("Quantum".to_owned()));
    }

    #[test]
    fn every_kind_reads_as_it_was_written() {
        let cloud = CloudProfile::GLOBAL;
        let mut federated = UserRealm::managed("contoso.com", &cloud);
        federated.account_type = AccountType::Federated;
        federated.federation_protocol = Some("WSTrust".to_owned());
        for realm in [federated, UserRealm::managed("a.example", &cloud), UserRealm::unknown("b.example", &cloud)] {
            assert_eq!(UserRealm::from_json(&realm.to_json()).unwrap(), realm);
        }
    }
}
