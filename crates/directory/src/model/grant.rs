//! What one principal may do at one resource.

use std::collections::BTreeSet;

use countersign_token::{ObjectId, TenantId, Timestamp};
use uuid::Uuid;

use super::derived_uuid;

/// The role id that assigns a principal to a resource without giving it a role.
pub const DEFAULT_ACCESS: Uuid = Uuid::nil();

/// Who holds an app role, or belongs to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// An application, by its service principal.
    ServicePrincipal(ObjectId),
    /// A user.
    User(ObjectId),
    /// A group: what it holds, its direct members hold.
    Group(ObjectId),
}

impl Principal {
    /// The principal's object id.
    #[must_use]
    pub const fn object_id(self) -> ObjectId {
        match self {
            Self::ServicePrincipal(id) | Self::User(id) | Self::Group(id) => id,
        }
    }
}

/// An app role of a resource, given to a principal of the same tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRoleAssignment {
    /// Its id.
    pub id: Uuid,
    /// The tenant in which it holds.
    pub tenant: TenantId,
    /// Who holds the role.
    pub principal: Principal,
    /// The resource's service principal.
    pub resource: ObjectId,
    /// The role, or [`DEFAULT_ACCESS`].
    pub app_role_id: Uuid,
    /// When it was assigned.
    pub created: Timestamp,
}

impl AppRoleAssignment {
    /// An assignment under an id derived from what it says: the same assignment made twice is one.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        principal: Principal,
        resource: ObjectId,
        app_role_id: Uuid,
        created: Timestamp,
    ) -> Self {
        let id =
            derived_uuid(&resource.as_uuid(), "appRoleAssignment", &format!("{}:{app_role_id}", principal.object_id()));
        Self { id, tenant, principal, resource, app_role_id, created }
    }
}

/// Delegated permissions of a client to a resource, for everybody in the tenant or for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionGrant {
    /// Its id.
    pub id: Uuid,
    /// The tenant in which it holds.
    pub tenant: TenantId,
    /// The client's service principal.
    pub client: ObjectId,
    /// The resource's service principal.
    pub resource: ObjectId,
    /// The user it holds for; `None` for everybody (`AllPrincipals`).
    pub user: Option<ObjectId>,
    /// Scope values.
    pub scopes: BTreeSet<String>,
}

impl PermissionGrant {
    /// A grant under an id derived from whom it concerns: there is one per client, resource and user.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        client: ObjectId,
        resource: ObjectId,
        user: Option<ObjectId>,
        scopes: impl IntoIterator<Item = String>,
    ) -> Self {
        let for_whom = user.map_or_else(|| "*".to_owned(), |user| user.to_string());
        let id = derived_uuid(&resource.as_uuid(), "oauth2PermissionGrant", &format!("{client}:{for_whom}"));
        Self { id, tenant, client, resource, user, scopes: scopes.into_iter().collect() }
    }
}
