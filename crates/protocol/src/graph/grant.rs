//! What was granted: `appRoleAssignment` (application permissions) and `oauth2PermissionGrant` (delegated ones).

use countersign_token::ObjectId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DateTime;
use super::wire::guid;

/// Who holds an app role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrincipalType {
    /// A user.
    User,
    /// A group.
    Group,
    /// A service principal.
    ServicePrincipal,
}

/// An app role of a resource, assigned to a principal.
///
/// Source: Graph resource type `appRoleAssignment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRoleAssignment {
    /// The assignment's opaque id.
    #[serde(default)]
    pub id: Option<String>,
    /// Always `null`.
    #[serde(default)]
    pub deleted_date_time: Option<DateTime>,
    /// The role; all zeroes means the resource's default access without a role.
    #[serde(with = "guid")]
    pub app_role_id: Uuid,
    /// When it was assigned.
    #[serde(default)]
    pub created_date_time: Option<DateTime>,
    /// The principal's name.
    #[serde(default)]
    pub principal_display_name: Option<String>,
    /// The principal.
    pub principal_id: ObjectId,
    /// What the principal is.
    #[serde(default)]
    pub principal_type: Option<PrincipalType>,
    /// The resource's name.
    #[serde(default)]
    pub resource_display_name: Option<String>,
    /// The resource's service principal.
    pub resource_id: ObjectId,
}

/// For whom a delegated permission was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsentType {
    /// By an administrator, for every user of the tenant.
    AllPrincipals,
    /// For one user.
    Principal,
}

/// Delegated permissions of one client to one resource.
///
/// Source: Graph resource type `oAuth2PermissionGrant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2PermissionGrant {
    /// The client's service principal.
    pub client_id: ObjectId,
    /// For whom.
    pub consent_type: ConsentType,
    /// The grant's opaque id.
    #[serde(default)]
    pub id: Option<String>,
    /// The user, where consent is for one.
    #[serde(default)]
    pub principal_id: Option<ObjectId>,
    /// The resource's service principal.
    pub resource_id: ObjectId,
    /// Scope values, separated by blanks; Entra may write a leading blank.
    #[serde(default)]
    pub scope: Option<String>,
}

impl OAuth2PermissionGrant {
    /// The scope values one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.as_deref().unwrap_or_default().split_ascii_whitespace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_written_as_graph_writes_it() {
        let json = r#"{"id":"opaque","deletedDateTime":null,"appRoleId":"00000000-0000-0000-0000-000000000000","createdDateTime":"2026-01-31T10:00:00.1234567Z","principalDisplayName":"client","principalId":"33333333-3333-4333-8333-333333333333","principalType":"ServicePrincipal","resourceDisplayName":"orders-api","resourceId":"44444444-4444-4444-8444-444444444444"}"#;
        let assignment: AppRoleAssignment = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&assignment).unwrap(), json);
    }

    #[test]
    fn a_grant_is_written_as_graph_writes_it_and_a_leading_blank_is_no_scope() {
        let json = r#"{"clientId":"33333333-3333-4333-8333-333333333333","consentType":"AllPrincipals","id":"opaque","principalId":null,"resourceId":"44444444-4444-4444-8444-444444444444","scope":" User.Read Group.Read.All"}"#;
        let grant: OAuth2PermissionGrant = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&grant).unwrap(), json);
        assert_eq!(grant.scopes().collect::<Vec<_>>(), ["User.Read", "Group.Read.All"]);
    }
}
