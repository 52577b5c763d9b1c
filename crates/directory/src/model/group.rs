//! A group of principals.

use countersign_token::{ObjectId, TenantId};

/// A group of a tenant: users, service principals and other groups. Its members are kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The object id: an element of the claim `groups`.
    pub object_id: ObjectId,
    /// The tenant it lives in.
    pub tenant: TenantId,
    /// Name for people; not unique.
    pub display_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is a security group.
    pub security_enabled: bool,
}

impl Group {
    /// A security group.
    #[must_use]
    pub fn new(object_id: ObjectId, tenant: TenantId, display_name: impl Into<String>) -> Self {
        Self { object_id, tenant, display_name: display_name.into(), description: None, security_enabled: true }
    }
}
