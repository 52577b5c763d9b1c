//! Which claims a registration asks for beyond the usual ones.
//!
//! Access tokens follow the registration of the *resource* (`optionalClaims.accessToken`), id_tokens that of the client
//! (`optionalClaims.idToken`). A name that means nothing here is passed over, as Entra does.
//!
//! Source: Microsoft identity platform, "Configure and customize optional claims"; "optional claims reference".

use countersign_directory::Application;
use countersign_protocol::graph::OptionalClaim;

/// The optional claims of one kind of token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionalClaims<'a>(&'a [OptionalClaim]);

impl<'a> OptionalClaims<'a> {
    /// Those of access tokens for this resource.
    pub(crate) fn of_access_token(resource: &'a Application) -> Self {
        Self(resource.registration().optional_claims.as_ref().map_or(&[], |claims| &claims.access_token))
    }

    /// Those of id_tokens for this client.
    pub(crate) fn of_id_token(client: &'a Application) -> Self {
        Self(client.registration().optional_claims.as_ref().map_or(&[], |claims| &claims.id_token))
    }

    /// Whether this claim is asked for.
    pub(crate) fn has(self, name: &str) -> bool {
        self.0.iter().any(|claim| claim.name == name)
    }

    /// Whether this claim is asked for with this additional property.
    pub(crate) fn has_with(self, name: &str, property: &str) -> bool {
        self.0.iter().any(|claim| claim.name == name && claim.additional_properties.iter().any(|own| own == property))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_asked_for_by_its_exact_name_and_in_its_own_list() {
        let document = json!({
            "appId": "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11",
            "optionalClaims": {
                "accessToken": [{"name": "idtyp", "additionalProperties": ["include_user_token"]}, {"name": "aud"}],
                "idToken": [{"name": "sid"}]
            }
        });
        let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap();
        let application = Application::from_document(tenant, document).unwrap();
        let access = OptionalClaims::of_access_token(&application);
        assert!(access.has("idtyp") && access.has_with("idtyp", "include_user_token") && access.has("aud"));
        assert!(!access.has("sid") && !access.has("IDTYP") && !access.has_with("aud", "use_guid"));
        let id = OptionalClaims::of_id_token(&application);
        assert!(id.has("sid") && !id.has("idtyp"));
    }
}
