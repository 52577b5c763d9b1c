//! Permissions that a resource declares (`appRole`, `permissionScope`) and that a client asks for
//! (`requiredResourceAccess`).

use countersign_token::ClientId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::{enabled, guid, null_as_default};

/// Who may hold an app role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AllowedMemberType {
    /// Users and groups; the role arrives in delegated tokens.
    User,
    /// Applications; the role arrives in app-only tokens.
    Application,
}

/// An application permission or user role that a resource declares: claim `roles` carries its `value`.
///
/// Source: Graph resource type `appRole`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRole {
    /// Who may hold it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub allowed_member_types: Vec<AllowedMemberType>,
    /// Text for the consent page.
    #[serde(default)]
    pub description: Option<String>,
    /// Name for the consent page.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The role's id, unique within the application; assignments name it.
    #[serde(with = "guid")]
    pub id: Uuid,
    /// A disabled role is neither assigned nor issued.
    #[serde(default = "enabled")]
    pub is_enabled: bool,
    /// Always `Application` where Graph writes it.
    #[serde(default)]
    pub origin: Option<String>,
    /// What the claim `roles` carries: at most 120 characters, no blanks.
    #[serde(default)]
    pub value: Option<String>,
}

/// Who may consent to a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScopeType {
    /// Any user, for themselves.
    #[default]
    User,
    /// Administrators only.
    Admin,
}

/// A delegated permission that a resource declares: claim `scp` carries its `value`.
///
/// Source: Graph resource type `permissionScope`; design documents also call it `oauth2PermissionScope`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionScope {
    /// Text for an administrator's consent page.
    #[serde(default)]
    pub admin_consent_description: Option<String>,
    /// Name for an administrator's consent page.
    #[serde(default)]
    pub admin_consent_display_name: Option<String>,
    /// The scope's id, unique within the application.
    #[serde(with = "guid")]
    pub id: Uuid,
    /// A disabled scope is neither granted nor issued.
    #[serde(default = "enabled")]
    pub is_enabled: bool,
    /// Who may consent.
    #[serde(rename = "type", default, deserialize_with = "null_as_default")]
    pub scope_type: ScopeType,
    /// Text for a user's consent page.
    #[serde(default)]
    pub user_consent_description: Option<String>,
    /// Name for a user's consent page.
    #[serde(default)]
    pub user_consent_display_name: Option<String>,
    /// What the claim `scp` carries.
    #[serde(default)]
    pub value: Option<String>,
}

/// Which kind of permission an entry of `requiredResourceAccess` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResourceAccessType {
    /// A delegated permission, by the id of a [`PermissionScope`].
    Scope,
    /// An application permission, by the id of an [`AppRole`].
    Role,
}

/// One permission that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceAccess {
    /// Id of the role or scope.
    #[serde(with = "guid")]
    pub id: Uuid,
    /// Which of the two it is.
    #[serde(rename = "type")]
    pub access_type: ResourceAccessType,
}

/// The permissions a client asks of one resource.
///
/// Source: Graph resource type `requiredResourceAccess` (at most 50 resources and 400 permissions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequiredResourceAccess {
    /// The resource.
    pub resource_app_id: ClientId,
    /// The permissions.
    #[serde(default, deserialize_with = "null_as_default")]
    pub resource_access: Vec<ResourceAccess>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_role_is_written_as_graph_writes_it() {
        let json = r#"{"allowedMemberTypes":["User","Application"],"description":"Reads.","displayName":"Read","id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","isEnabled":false,"origin":"Application","value":"Resource.Read"}"#;
        let role: AppRole = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), json);
    }

    #[test]
    fn a_scope_is_written_as_graph_writes_it() {
        let json = r#"{"adminConsentDescription":"d","adminConsentDisplayName":"n","id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","isEnabled":true,"type":"Admin","userConsentDescription":null,"userConsentDisplayName":null,"value":"access_as_user"}"#;
        let scope: PermissionScope = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&scope).unwrap(), json);
    }

    #[test]
    fn required_access_is_written_as_graph_writes_it() {
        let json = r#"{"resourceAppId":"00000003-0000-0000-c000-000000000000","resourceAccess":[{"id":"e1fe6dd8-ba31-4d61-89e7-88639da4683d","type":"Scope"},{"id":"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9","type":"Role"}]}"#;
        let access: RequiredResourceAccess = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&access).unwrap(), json);
    }

    #[test]
    fn what_is_left_out_has_graphs_default() {
        let role: AppRole = serde_json::from_str(r#"{"id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11"}"#).unwrap();
        assert!(role.is_enabled && role.allowed_member_types.is_empty());
        let scope: PermissionScope =
            serde_json::from_str(r#"{"id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","type":null}"#).unwrap();
        assert_eq!(scope.scope_type, ScopeType::User);
    }

    #[test]
    fn an_id_in_braces_is_refused() {
        let refused = serde_json::from_str::<AppRole>(r#"{"id":"{0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11}"}"#);
        assert!(refused.unwrap_err().to_string().starts_with("not a GUID"));
    }
}
