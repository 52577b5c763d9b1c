//! What is kept: plain values, no storage and no rules that need it.

mod application;
mod credential;
mod grant;
mod group;
mod service_principal;
mod signing_key;
mod tenant;
mod user;

pub(crate) use application::read_registration;
pub use application::{Application, DocumentError};
pub use credential::{ClientCertificate, ClientSecret, FederatedCredential};
pub use grant::{AppRoleAssignment, DEFAULT_ACCESS, PermissionGrant, Principal};
pub use group::Group;
pub use service_principal::{ServicePrincipal, ServicePrincipalKind};
pub use signing_key::{KeyOwner, KeySchedule, StoredSigningKey};
pub use tenant::Tenant;
pub use user::{PasswordHash, User, UserType};

use countersign_token::{ObjectId, TenantId};
use uuid::Uuid;

/// The object id that a record gets when nobody states one: UUID version 5 of the tenant, the kind and the record's own
/// key (RFC 9562 §5.5).
///
/// The same file gives the same ids on every machine and after every restart without a disk, so `oid` claims can be
/// written into policies and tests. Object ids are not secrets.
///
/// ```
/// use countersign_directory::derived_object_id;
///
/// let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?;
/// let id = derived_object_id(tenant, "servicePrincipal", "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11");
/// assert_eq!(id, derived_object_id(tenant, "servicePrincipal", "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"));
/// assert_ne!(id, derived_object_id(tenant, "application", "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"));
/// # Ok::<(), countersign_token::IdError>(())
/// ```
#[must_use]
pub fn derived_object_id(tenant: TenantId, kind: &str, key: &str) -> ObjectId {
    ObjectId::from_uuid(derived_uuid(&tenant.as_uuid(), kind, key))
}

/// As [`derived_object_id`], for records that hang below another one.
pub(crate) fn derived_uuid(parent: &Uuid, kind: &str, key: &str) -> Uuid {
    Uuid::new_v5(parent, format!("{kind}:{key}").as_bytes())
}
