//! The door to what is kept: small traits named for it, one transaction that has them all.
//!
//! Handlers never hold a connection. They [`begin`](Directory::begin) a transaction, ask it, and
//! [`commit`](Commit::commit) it; dropping it undoes everything. A backend implements what touches storage; what can be
//! said in terms of that ([`ServicePrincipals::resource`], [`Grants::app_role_values`]) is written once, here.
//!
//! Lookups answer `None` for what does not exist; [`StoreError::NotFound`] is for writes that need it.

use std::collections::BTreeSet;
use std::future::Future;

use countersign_protocol::graph::AllowedMemberType;
use countersign_token::{ClientId, ObjectId, TenantId};
use uuid::Uuid;

use crate::{
    AppRoleAssignment, Application, ClientCertificate, ClientSecret, DEFAULT_ACCESS, FederatedCredential, Group,
    KeySchedule, Ledger, PermissionGrant, Principal, ServicePrincipal, Snapshot, StoreError, StoredSigningKey, Tenant,
    User,
};

/// A store of tenants and all that is in them. Clones share it.
pub trait Directory: Ledger + Clone + Send + Sync + 'static {
    /// One transaction.
    type Tx: Transaction;

    /// Opens a transaction that may read and write. Transactions that write are serialised.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if others hold the database for too long.
    fn begin(&self) -> impl Future<Output = Result<Self::Tx, StoreError>> + Send;

    /// Changes with every committed write; a read of memory.
    ///
    /// What was read in a transaction that began after the revision was taken is good while the revision is the same.
    /// Take it first, then begin: a write between the two makes the cached answer look older than it is, never newer.
    fn revision(&self) -> Revision;

    /// Keeps everything that is stored now, the ledger included, in memory.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] by a database that several processes share; otherwise as a transaction.
    fn snapshot(&self) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Makes everything as it was at a snapshot of this directory, at once. The revision changes.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] as for [`Directory::snapshot`], and for a snapshot of another directory; otherwise as a
    /// transaction, and nothing has changed then.
    fn restore(&self, snapshot: &Snapshot) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A state of the directory, good for comparing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub(crate) u64);

/// Everything one transaction can do.
///
/// A write that answers an error has written nothing, and the transaction goes on. (A backend whose database gives up the
/// whole transaction at an error, as PostgreSQL does, sets a savepoint before each write.)
pub trait Transaction:
    Tenants + Applications + ServicePrincipals + Credentials + Grants + SigningKeys + Users + Groups + Commit + Send
{
}

impl<T> Transaction for T where
    T: Tenants + Applications + ServicePrincipals + Credentials + Grants + SigningKeys + Users + Groups + Commit + Send
{
}

/// The result of an operation of a store, awaited.
macro_rules! stored {
    ($output:ty) => { impl Future<Output = Result<$output, StoreError>> + Send };
}

/// Tenants and their domains.
pub trait Tenants {
    /// Adds a tenant, and with it the service principal of Microsoft Graph, which every tenant has.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the tenant or for a domain that another tenant has.
    fn insert_tenant(&mut self, tenant: &Tenant) -> stored!(());

    /// Replaces a tenant's properties and domains.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without it; [`StoreError::AlreadyExists`] for a domain that another tenant has.
    fn update_tenant(&mut self, tenant: &Tenant) -> stored!(());

    /// The tenant with this id.
    fn tenant(&mut self, id: TenantId) -> stored!(Option<Tenant>);

    /// The tenant that has this domain, whatever its ASCII case.
    fn tenant_by_domain(&mut self, domain: &str) -> stored!(Option<Tenant>);

    /// All tenants, by id.
    fn tenants(&mut self) -> stored!(Vec<Tenant>);

    /// Removes a tenant and everything in it: applications that are at home here with their instances everywhere, users,
    /// groups, grants, keys of its own, and what the ledger remembers of it beside what was spent. Answers whether there
    /// was one.
    fn remove_tenant(&mut self, id: TenantId) -> stored!(bool);
}

/// Application registrations.
pub trait Applications {
    /// Adds a registration.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the client id, the object id or an identifier URI of the home tenant;
    /// [`StoreError::NotFound`] for the tenant.
    fn insert_application(&mut self, application: &Application) -> stored!(());

    /// Replaces a registration's document.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the home tenant has no registration with this client id;
    /// [`StoreError::AlreadyExists`] for an identifier URI.
    fn update_application(&mut self, application: &Application) -> stored!(());

    /// The registration with this client id, wherever its home is. Microsoft Graph is one.
    fn application(&mut self, id: ClientId) -> stored!(Option<Application>);

    /// The registrations at home in a tenant, by client id.
    fn applications_of(&mut self, tenant: TenantId) -> stored!(Vec<Application>);

    /// The registration at home in a tenant that has this identifier URI, compared exactly.
    fn application_by_identifier_uri(&mut self, tenant: TenantId, uri: &str) -> stored!(Option<Application>);

    /// Removes a registration that is at home in this tenant, with its credentials, its service principals in every tenant,
    /// what was granted to and at those, and keys of its own. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Permanent`] for Microsoft Graph.
    fn remove_application(&mut self, tenant: TenantId, app_id: ClientId) -> stored!(bool);
}

/// Applications' instances in tenants.
pub trait ServicePrincipals {
    /// Adds a service principal.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the object id, the application in this tenant or a name in it;
    /// [`StoreError::NotFound`] for the tenant or the application.
    fn insert_service_principal(&mut self, principal: &ServicePrincipal) -> stored!(());

    /// Replaces the properties of the service principal with this tenant and object id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without it; [`StoreError::AlreadyExists`] for a name.
    fn update_service_principal(&mut self, principal: &ServicePrincipal) -> stored!(());

    /// The instance of an application in a tenant.
    fn service_principal(&mut self, tenant: TenantId, app_id: ClientId) -> stored!(Option<ServicePrincipal>);

    /// The service principal with this object id in a tenant.
    fn service_principal_by_id(&mut self, tenant: TenantId, id: ObjectId) -> stored!(Option<ServicePrincipal>);

    /// The service principal that has this name, compared exactly: one of its own, or an identifier URI of its
    /// application. Where an application from elsewhere has the same URI as one at home here, the one at home is meant.
    fn service_principal_by_name(&mut self, tenant: TenantId, name: &str) -> stored!(Option<ServicePrincipal>);

    /// A tenant's service principals, by client id.
    fn service_principals_of(&mut self, tenant: TenantId) -> stored!(Vec<ServicePrincipal>);

    /// Removes a service principal, with what was granted to it and at it. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Permanent`] for Microsoft Graph's.
    fn remove_service_principal(&mut self, tenant: TenantId, id: ObjectId) -> stored!(bool);

    /// Resolves what a request calls the resource: a client id in any case, an identifier URI or another name exactly.
    fn resource(&mut self, tenant: TenantId, text: &str) -> stored!(Option<ServicePrincipal>)
    where
        Self: Send,
    {
        async move {
            if let Ok(app_id) = text.parse() {
                return self.service_principal(tenant, app_id).await;
            }
            self.service_principal_by_name(tenant, text).await
        }
    }
}

/// How applications prove themselves.
///
/// Adding answers [`StoreError::NotFound`] without the application and [`StoreError::AlreadyExists`] for a known id;
/// removing answers whether there was anything to remove.
pub trait Credentials {
    /// Adds a client secret; see [`ClientSecret::generate`].
    fn add_secret(&mut self, app: ClientId, secret: &ClientSecret) -> stored!(());

    /// An application's secrets, expired ones included, the newest last.
    fn secrets(&mut self, app: ClientId) -> stored!(Vec<ClientSecret>);

    /// Removes a secret.
    fn remove_secret(&mut self, app: ClientId, key_id: Uuid) -> stored!(bool);

    /// Adds a certificate.
    fn add_certificate(&mut self, app: ClientId, certificate: &ClientCertificate) -> stored!(());

    /// An application's certificates, expired ones included, the newest last.
    fn certificates(&mut self, app: ClientId) -> stored!(Vec<ClientCertificate>);

    /// Removes a certificate.
    fn remove_certificate(&mut self, app: ClientId, key_id: Uuid) -> stored!(bool);

    /// Adds a federated credential; its name, and its issuer with its subject, are unique in the application.
    fn add_federated_credential(&mut self, app: ClientId, credential: &FederatedCredential) -> stored!(());

    /// An application's federated credentials, by name.
    fn federated_credentials(&mut self, app: ClientId) -> stored!(Vec<FederatedCredential>);

    /// Removes a federated credential.
    fn remove_federated_credential(&mut self, app: ClientId, id: Uuid) -> stored!(bool);
}

/// What was granted.
pub trait Grants: Applications + ServicePrincipals + Groups {
    /// Assigns an app role.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] unless principal and resource live in the assignment's tenant and the resource declares
    /// the role (or it is [`DEFAULT_ACCESS`]); [`StoreError::AlreadyExists`] if the principal holds it already.
    fn assign_app_role(&mut self, assignment: &AppRoleAssignment) -> stored!(());

    /// What a principal holds, at every resource, the oldest first.
    fn app_role_assignments_of(&mut self, tenant: TenantId, principal: ObjectId) -> stored!(Vec<AppRoleAssignment>);

    /// Who holds something at a resource, the oldest first.
    fn app_role_assigned_to(&mut self, tenant: TenantId, resource: ObjectId) -> stored!(Vec<AppRoleAssignment>);

    /// Takes an assignment back; answers whether there was one.
    fn remove_app_role_assignment(&mut self, tenant: TenantId, id: Uuid) -> stored!(bool);

    /// Adds a delegated grant, or replaces the scopes of the one for the same client, resource and user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] unless client, resource and user live in the grant's tenant.
    fn put_permission_grant(&mut self, grant: &PermissionGrant) -> stored!(());

    /// Delegated grants of a client, at every resource.
    fn permission_grants_of(&mut self, tenant: TenantId, client: ObjectId) -> stored!(Vec<PermissionGrant>);

    /// Takes a delegated grant back; answers whether there was one.
    fn remove_permission_grant(&mut self, tenant: TenantId, id: Uuid) -> stored!(bool);

    /// The scopes a client may use at a resource: those granted for everybody, and with a user also that user's.
    fn granted_scopes(
        &mut self,
        tenant: TenantId,
        client: ObjectId,
        resource: ObjectId,
        user: Option<ObjectId>,
    ) -> stored!(BTreeSet<String>)
    where
        Self: Send,
    {
        async move {
            let grants = self.permission_grants_of(tenant, client).await?;
            let holds =
                |grant: &PermissionGrant| grant.resource == resource && (grant.user.is_none() || grant.user == user);
            Ok(grants.into_iter().filter(holds).flat_map(|grant| grant.scopes).collect())
        }
    }

    /// What a principal holds at a resource, itself or as a direct member of a group, the oldest first.
    ///
    /// Groups within groups pass nothing on: "Users and groups assigned to an application", Microsoft, 2026: nested
    /// memberships do not count.
    fn app_role_assignments_reaching(
        &mut self,
        tenant: TenantId,
        principal: ObjectId,
        resource: ObjectId,
    ) -> stored!(Vec<AppRoleAssignment>);

    /// Whether the principal, or a group it is a direct member of, has any assignment at the resource, [`DEFAULT_ACCESS`]
    /// included.
    fn is_assigned(&mut self, tenant: TenantId, principal: ObjectId, resource: ObjectId) -> stored!(bool)
    where
        Self: Send,
    {
        async move { Ok(!self.app_role_assignments_reaching(tenant, principal, resource).await?.is_empty()) }
    }

    /// The claim `roles`: values of the enabled roles that the principal holds at the resource, itself or as a direct
    /// member of a group, and that its kind may hold, sorted, each once.
    fn app_role_values(&mut self, tenant: TenantId, principal: ObjectId, resource: ObjectId) -> stored!(Vec<String>)
    where
        Self: Send,
    {
        async move {
            let mut held = self.app_role_assignments_reaching(tenant, principal, resource).await?;
            held.retain(|assignment| assignment.app_role_id != DEFAULT_ACCESS);
            if held.is_empty() {
                return Ok(Vec::new());
            }
            // Who holds a role by a group only does not show its own kind.
            let kind = match held.iter().find(|assignment| assignment.principal.object_id() == principal) {
                Some(AppRoleAssignment { principal: Principal::ServicePrincipal(_), .. }) => {
                    AllowedMemberType::Application
                }
                Some(_) => AllowedMemberType::User,
                None if self.service_principal_by_id(tenant, principal).await?.is_some() => {
                    AllowedMemberType::Application
                }
                None => AllowedMemberType::User,
            };
            let Some(resource) = self.service_principal_by_id(tenant, resource).await? else { return Ok(Vec::new()) };
            let Some(application) = self.application(resource.app_id).await? else { return Ok(Vec::new()) };
            let values: BTreeSet<_> = held
                .iter()
                .filter_map(|assignment| {
                    let role = application.app_role(assignment.app_role_id)?;
                    (role.is_enabled && role.allowed_member_types.contains(&kind)).then_some(role.value.as_ref()?)
                })
                .filter(|value| !value.is_empty())
                .collect();
            Ok(values.into_iter().cloned().collect())
        }
    }
}

/// Keys that tokens are signed with.
pub trait SigningKeys {
    /// Adds a key unless one with its `kid`, or its owner's key of the same generation, exists; answers whether it was
    /// added. Of several replicas that make a key at once, one wins and the others use the winner's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the tenant or the application that is to own it.
    fn insert_signing_key(&mut self, key: &StoredSigningKey) -> stored!(bool);

    /// All keys, by owner and generation.
    fn signing_keys(&mut self) -> stored!(Vec<StoredSigningKey>);

    /// Changes when a key signs, if nobody has changed it since `expected` was read; answers whether it was changed.
    fn reschedule_signing_key(&mut self, key_id: &str, expected: KeySchedule, new: KeySchedule) -> stored!(bool);

    /// Removes a key; answers whether there was one.
    fn remove_signing_key(&mut self, key_id: &str) -> stored!(bool);
}

/// People.
pub trait Users {
    /// Adds a user.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the object id or the sign-in name in this tenant; [`StoreError::NotFound`] for
    /// the tenant.
    fn insert_user(&mut self, user: &User) -> stored!(());

    /// Replaces a user's properties.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without it; [`StoreError::AlreadyExists`] for the sign-in name.
    fn update_user(&mut self, user: &User) -> stored!(());

    /// The user with this object id in a tenant.
    fn user(&mut self, tenant: TenantId, id: ObjectId) -> stored!(Option<User>);

    /// The user with this sign-in name in a tenant, whatever its case.
    fn user_by_principal_name(&mut self, tenant: TenantId, name: &str) -> stored!(Option<User>);

    /// A tenant's users, by sign-in name.
    fn users_of(&mut self, tenant: TenantId) -> stored!(Vec<User>);

    /// Removes a user, with what was granted to it and its memberships. Answers whether there was one.
    fn remove_user(&mut self, tenant: TenantId, id: ObjectId) -> stored!(bool);
}

/// Groups and who belongs to them.
pub trait Groups {
    /// Adds a group without members.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the object id; [`StoreError::NotFound`] for the tenant.
    fn insert_group(&mut self, group: &Group) -> stored!(());

    /// Replaces a group's properties; its members stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without it.
    fn update_group(&mut self, group: &Group) -> stored!(());

    /// Removes a group, with its memberships and the roles it holds. Answers whether there was one.
    fn remove_group(&mut self, tenant: TenantId, id: ObjectId) -> stored!(bool);

    /// The group with this object id in a tenant.
    fn group(&mut self, tenant: TenantId, id: ObjectId) -> stored!(Option<Group>);

    /// A tenant's groups, by object id.
    fn groups_of(&mut self, tenant: TenantId) -> stored!(Vec<Group>);

    /// Adds a member.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] unless group and member live in this tenant; [`StoreError::AlreadyExists`] if it is a
    /// member already, or the group itself.
    fn add_member(&mut self, tenant: TenantId, group: ObjectId, member: Principal) -> stored!(());

    /// Removes a direct member; answers whether it was one.
    fn remove_member(&mut self, tenant: TenantId, group: ObjectId, member: Principal) -> stored!(bool);

    /// A group's direct members, by object id.
    fn members_of(&mut self, tenant: TenantId, group: ObjectId) -> stored!(Vec<Principal>);

    /// The groups that a principal is a direct member of, by object id: Graph's `memberOf`.
    fn memberships_of(&mut self, tenant: TenantId, principal: ObjectId) -> stored!(Vec<Group>);

    /// The groups that a principal is in, directly or by groups within groups, each once, by object id: Graph's
    /// `transitiveMemberOf` and the claim `groups`.
    fn groups_containing(&mut self, tenant: TenantId, principal: ObjectId) -> stored!(Vec<Group>);
}

/// The end of a transaction.
pub trait Commit: Sized {
    /// Makes everything written in this transaction lasting, and seen by others. Dropping the transaction instead undoes
    /// all of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] and others; nothing was written then, except that a failure of the machine during the call
    /// leaves it open which of the two happened.
    fn commit(self) -> stored!(());
}
