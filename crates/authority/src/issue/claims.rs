//! The claim set of every token that speaks of a user: access tokens and id_tokens, v1.0 and v2.0.
//!
//! One shape for all four, because Entra has one order for all: `aud, iss, iat, nbf, exp`, then by name (recorded
//! 2020–2023). What a token does not carry is `None`, and not written.

use countersign_directory::{User, UserType};
use countersign_token::{ClientId, ObjectId, TenantId};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use uuid::Uuid;

use super::optional_claims::OptionalClaims;

/// Members in Entra's order.
#[derive(Debug, Serialize)]
pub(super) struct UserClaims<'a> {
    pub(super) aud: &'a str,
    pub(super) iss: &'a str,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    #[serde(rename = "_claim_names", skip_serializing_if = "Option::is_none")]
    pub(super) claim_names: Option<ClaimNames>,
    #[serde(rename = "_claim_sources", skip_serializing_if = "Option::is_none")]
    pub(super) claim_sources: Option<ClaimSources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acct: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acr: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) acrs: &'a [String],
    pub(super) aio: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_displayname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) appid: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) appidacr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) azp: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) azpacr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) c_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[ObjectId]>::is_empty")]
    pub(super) groups: &'a [ObjectId],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hasgroups: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idtyp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) login_hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oid: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preferred_username: Option<&'a str>,
    pub(super) rh: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) roles: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) scp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<Uuid>,
    pub(super) sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant_region_scope: Option<&'a str>,
    pub(super) tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unique_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upn: Option<&'a str>,
    pub(super) uti: String,
    pub(super) ver: &'static str,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    pub(super) wids: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) xms_cc: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) xms_ftd: Option<String>,
}

/// `_claim_names` of the groups overage: the claim `groups` is to be fetched from the source `src1`.
#[derive(Debug, Serialize)]
pub(super) struct ClaimNames {
    groups: &'static str,
}

impl ClaimNames {
    pub(super) const GROUPS: Self = Self { groups: "src1" };
}

/// `_claim_sources` of the groups overage (OpenID Connect Core §5.6.2), with the address that answers.
#[derive(Debug)]
pub(super) struct ClaimSources {
    pub(super) endpoint: String,
}

impl Serialize for ClaimSources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Source<'a> {
            endpoint: &'a str,
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("src1", &Source { endpoint: &self.endpoint })?;
        map.end()
    }
}

/// The name a user goes by: `preferred_username` and `unique_name`. A guest's is the address that was invited.
pub(super) fn sign_in_name(user: &User) -> &str {
    match (&user.mail, user.user_type) {
        (Some(mail), UserType::Guest) => mail,
        _ => &user.user_principal_name,
    }
}

/// `upn`: in v1.0 always, in v2.0 on request; of a guest only where the registration takes names from elsewhere.
pub(super) fn principal_name<'a>(user: &'a User, is_v1: bool, optional: OptionalClaims<'_>) -> Option<&'a str> {
    let carried = match user.user_type {
        UserType::Member => is_v1 || optional.has("upn"),
        UserType::Guest => {
            optional.has_with("upn", "include_externally_authenticated_upn")
                || optional.has_with("upn", "include_externally_authenticated_upn_without_hash")
        }
    };
    carried.then_some(user.user_principal_name.as_str())
}
