//! What the directory said, remembered as long as the directory has not changed.
//!
//! Issuing a token asks a few questions (which client, which resource, which user, what was granted); all are answered from
//! memory, so that the token endpoint neither waits for the store nor writes to it. Each answer carries the directory's revision from
//! before it was read and is good while the revision is the same. "There is no such thing" is remembered too, in caches
//! with room for a fixed number of answers, so that made-up ids cost a bounded amount of memory.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use countersign_directory::{
    Application, Applications, ClientCertificate, ClientSecret, Credentials, Directory, FederatedCredential, Grants,
    Groups, Principal, Revision, ServicePrincipal, ServicePrincipals, StoreError, Tenant, Tenants, User, Users,
};
use countersign_protocol::TenantSegment;
use countersign_token::{Certificate, ClientId, ObjectId, TenantId};
use quick_cache::sync::Cache;

/// The longest sign-in name that is looked for, in bytes.
const MAX_NAME_BYTES: usize = 320;

/// How many answers of each kind are remembered.
const ROOM: usize = 10_000;

/// An application as a client of one tenant.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) application: Application,
    /// Its instance in the tenant; absent where the application is at home but was never instantiated.
    pub(crate) service_principal: Option<ServicePrincipal>,
    pub(crate) secrets: Vec<ClientSecret>,
    pub(crate) certificates: Vec<RegisteredCertificate>,
    pub(crate) federated: Vec<FederatedCredential>,
}

/// A registered certificate, parsed once.
#[derive(Debug)]
pub(crate) struct RegisteredCertificate {
    pub(crate) credential: ClientCertificate,
    pub(crate) certificate: Certificate,
}

/// An application as a resource of one tenant.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) application: Application,
    pub(crate) service_principal: ServicePrincipal,
}

/// What an application, or a user, was granted at a resource as itself.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    /// The values of its app roles, sorted; of a user also those that groups pass on.
    pub(crate) roles: Vec<String>,
    /// Whether it has any assignment, a role's or the default one.
    pub(crate) assigned: bool,
    /// The groups by which it has one, sorted: what `groupMembershipClaims: ApplicationGroup` shows.
    pub(crate) through: Vec<ObjectId>,
}

/// The groups that a principal is in, directly or by groups within groups, by object id.
#[derive(Debug, Default)]
pub(crate) struct Memberships {
    pub(crate) security: Vec<ObjectId>,
    pub(crate) all: Vec<ObjectId>,
}

type Answers<K, V> = Cache<K, (Revision, Option<Arc<V>>)>;

/// Remembers answers of a directory.
pub(crate) struct Registry<D> {
    directory: D,
    tenants: Answers<TenantSegment, Tenant>,
    clients: Answers<(TenantId, ClientId), Client>,
    resources: Answers<(TenantId, Box<str>), Resource>,
    grants: Answers<(TenantId, ObjectId, ObjectId), Granted>,
    memberships: Answers<(TenantId, ObjectId), Memberships>,
    users: Answers<(TenantId, ObjectId), User>,
    names: Answers<(TenantId, Box<str>), User>,
    applications: Answers<ClientId, Application>,
    scopes: Answers<(TenantId, ObjectId, ObjectId, ObjectId), Vec<String>>,
}

/// The answer from memory, or else from the store.
async fn recall<D, K, V, F>(
    directory: &D,
    answers: &Answers<K, V>,
    key: K,
    ask: impl FnOnce(D::Tx) -> F,
) -> Result<Option<Arc<V>>, StoreError>
where
    D: Directory,
    K: Eq + Hash + Clone,
    F: Future<Output = Result<Option<V>, StoreError>>,
{
    // The revision first: a write in between makes the answer look older than it is, never newer.
    let revision = directory.revision();
    if let Some((read_at, answer)) = answers.get(&key)
        && read_at == revision
    {
        return Ok(answer);
    }
    let answer = ask(directory.begin().await?).await?.map(Arc::new);
    answers.insert(key, (revision, answer.clone()));
    Ok(answer)
}

impl<D: Directory> Registry<D> {
    pub(crate) fn new(directory: D) -> Self {
        Self {
            directory,
            tenants: Cache::new(ROOM),
            clients: Cache::new(ROOM),
            resources: Cache::new(ROOM),
            grants: Cache::new(ROOM),
            memberships: Cache::new(ROOM),
            users: Cache::new(ROOM),
            names: Cache::new(ROOM),
            applications: Cache::new(ROOM),
            scopes: Cache::new(ROOM),
        }
    }

    /// The directory itself: for its ledger, whose answers are never remembered, and for those who write.
    pub(crate) fn directory(&self) -> &D {
        &self.directory
    }

    /// The tenant that a path segment names. Aliases name none.
    pub(crate) async fn tenant(&self, segment: &TenantSegment) -> Result<Option<Arc<Tenant>>, StoreError> {
        recall(&self.directory, &self.tenants, segment.clone(), |mut tx| async move {
            match segment {
                TenantSegment::Id(id) => tx.tenant(*id).await,
                TenantSegment::Domain(domain) => tx.tenant_by_domain(domain).await,
                _ => Ok(None),
            }
        })
        .await
    }

    /// The application that a tenant knows under this client id.
    pub(crate) async fn client(&self, tenant: TenantId, id: ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        recall(&self.directory, &self.clients, (tenant, id), |mut tx| async move {
            let Some(application) = tx.application(id).await? else { return Ok(None) };
            let service_principal = tx.service_principal(tenant, id).await?;
            if service_principal.is_none() && application.tenant() != tenant {
                return Ok(None);
            }
            let certificates = tx.certificates(id).await?;
            let certificates = certificates
                .into_iter()
                .filter_map(|credential| match credential.parse() {
                    Ok(certificate) => Some(RegisteredCertificate { credential, certificate }),
                    // One bad row must not keep the others from working.
                    Err(error) => {
                        tracing::error!(client = %id, key_id = %credential.key_id, %error, "a stored certificate is unusable");
                        None
                    }
                })
                .collect();
            let federated = tx.federated_credentials(id).await?;
            Ok(Some(Client { secrets: tx.secrets(id).await?, certificates, federated, application, service_principal }))
        })
        .await
    }

    /// The registration with this client id, wherever its home is: for requests that name no tenant.
    pub(crate) async fn application(&self, id: ClientId) -> Result<Option<Arc<Application>>, StoreError> {
        recall(&self.directory, &self.applications, id, |mut tx| async move { tx.application(id).await }).await
    }

    /// The resource that a request names by client id or identifier URI.
    pub(crate) async fn resource(&self, tenant: TenantId, name: &str) -> Result<Option<Arc<Resource>>, StoreError> {
        recall(&self.directory, &self.resources, (tenant, name.into()), |mut tx| async move {
            let Some(service_principal) = tx.resource(tenant, name).await? else { return Ok(None) };
            let application = tx.application(service_principal.app_id).await?;
            Ok(application.map(|application| Resource { application, service_principal }))
        })
        .await
    }

    /// What a service principal was granted at another.
    pub(crate) async fn granted(
        &self,
        tenant: TenantId,
        client: ObjectId,
        resource: ObjectId,
    ) -> Result<Arc<Granted>, StoreError> {
        let granted = recall(&self.directory, &self.grants, (tenant, client, resource), |mut tx| async move {
            let held = tx.app_role_assignments_reaching(tenant, client, resource).await?;
            let mut through: Vec<_> = held
                .iter()
                .filter(|assignment| matches!(assignment.principal, Principal::Group(_)))
                .map(|assignment| assignment.principal.object_id())
                .collect();
            through.sort_unstable_by_key(ObjectId::as_uuid);
            through.dedup();
            let roles = tx.app_role_values(tenant, client, resource).await?;
            Ok(Some(Granted { roles, assigned: !held.is_empty(), through }))
        })
        .await?;
        Ok(granted.unwrap_or_default())
    }

    /// The groups that a principal is in.
    pub(crate) async fn memberships(
        &self,
        tenant: TenantId,
        principal: ObjectId,
    ) -> Result<Arc<Memberships>, StoreError> {
        let memberships = recall(&self.directory, &self.memberships, (tenant, principal), |mut tx| async move {
            let groups = tx.groups_containing(tenant, principal).await?;
            let security = groups.iter().filter(|group| group.security_enabled).map(|group| group.object_id).collect();
            Ok(Some(Memberships { security, all: groups.iter().map(|group| group.object_id).collect() }))
        })
        .await?;
        Ok(memberships.unwrap_or_default())
    }

    /// The user with this object id.
    pub(crate) async fn user(&self, tenant: TenantId, id: ObjectId) -> Result<Option<Arc<User>>, StoreError> {
        recall(&self.directory, &self.users, (tenant, id), |mut tx| async move { tx.user(tenant, id).await }).await
    }

    /// The user with this sign-in name, whatever its case.
    pub(crate) async fn user_named(&self, tenant: TenantId, name: &str) -> Result<Option<Arc<User>>, StoreError> {
        // Longer names are nobody's (RFC 5321 §4.5.3.1), and would take the cache's room.
        if name.len() > MAX_NAME_BYTES {
            return Ok(None);
        }
        let key = (tenant, name.to_lowercase().into_boxed_str());
        recall(&self.directory, &self.names, key, |mut tx| async move { tx.user_by_principal_name(tenant, name).await })
            .await
    }

    /// The delegated permissions that a client was granted at a resource, for everybody or for this user, sorted.
    pub(crate) async fn granted_scopes(
        &self,
        tenant: TenantId,
        client: ObjectId,
        resource: ObjectId,
        user: ObjectId,
    ) -> Result<Arc<Vec<String>>, StoreError> {
        let scopes = recall(&self.directory, &self.scopes, (tenant, client, resource, user), |mut tx| async move {
            let scopes = tx.granted_scopes(tenant, client, resource, Some(user)).await?;
            Ok(Some(scopes.into_iter().collect::<Vec<_>>()))
        })
        .await?;
        Ok(scopes.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_directory::{Commit, SqliteDirectory};
    use serde_json::json;

    const TENANT: TenantId = TenantId::from_uuid(uuid::Uuid::from_u128(0x6bab));
    const CLIENT: ClientId = ClientId::from_uuid(uuid::Uuid::from_u128(0x8c0b));

    async fn directory() -> SqliteDirectory {
        let directory = SqliteDirectory::in_memory().await.unwrap();
        let mut tx = directory.begin().await.unwrap();
        tx.insert_tenant(&Tenant::new(TENANT, "Contoso")).await.unwrap();
        let document = json!({"appId": CLIENT.to_string(), "displayName": "Client"});
        let application = Application::from_document(TENANT, document).unwrap();
        tx.insert_application(&application).await.unwrap();
        tx.insert_service_principal(&ServicePrincipal::of(&application, TENANT)).await.unwrap();
        tx.commit().await.unwrap();
        directory
    }

    #[tokio::test]
    async fn an_answer_is_remembered_until_the_directory_changes_and_no_longer() {
        let directory = directory().await;
        let registry = Registry::new(directory.clone());
        let first = registry.client(TENANT, CLIENT).await.unwrap().unwrap();
        let again = registry.client(TENANT, CLIENT).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &again), "from memory");
        // B06: a service principal that was switched off is off for the very next request.
        let mut principal = first.service_principal.clone().unwrap();
        principal.account_enabled = false;
        let mut tx = directory.begin().await.unwrap();
        tx.update_service_principal(&principal).await.unwrap();
        tx.commit().await.unwrap();
        let now = registry.client(TENANT, CLIENT).await.unwrap().unwrap();
        assert!(!now.service_principal.as_ref().unwrap().account_enabled);
        // A change that is undone leaves what is remembered alone.
        let mut tx = directory.begin().await.unwrap();
        tx.update_service_principal(first.service_principal.as_ref().unwrap()).await.unwrap();
        drop(tx);
        assert!(Arc::ptr_eq(&now, &registry.client(TENANT, CLIENT).await.unwrap().unwrap()));
    }

    #[tokio::test]
    async fn made_up_names_cost_a_bounded_amount_of_memory_and_drive_nobody_out_for_good() {
        let registry = Registry::new(directory().await);
        for id in 0..(ROOM as u128 + 2_000) {
            let stranger = ClientId::from_uuid(uuid::Uuid::from_u128((1 << 64) | id));
            assert!(registry.client(TENANT, stranger).await.unwrap().is_none());
        }
        assert!(registry.clients.len() <= ROOM, "{}", registry.clients.len());
        assert!(registry.client(TENANT, CLIENT).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_name_that_could_be_nobodys_takes_no_room() {
        let registry = Registry::new(directory().await);
        assert!(registry.user_named(TENANT, &"a".repeat(MAX_NAME_BYTES + 1)).await.unwrap().is_none());
        assert_eq!(registry.names.len(), 0);
        assert!(registry.user_named(TENANT, &"a".repeat(MAX_NAME_BYTES)).await.unwrap().is_none());
        assert_eq!(registry.names.len(), 1);
    }

    #[tokio::test]
    async fn what_did_not_exist_is_found_once_it_does() {
        let directory = directory().await;
        let registry = Registry::new(directory.clone());
        assert!(registry.resource(TENANT, "api://new").await.unwrap().is_none());
        let segment = TenantSegment::parse("contoso.com").unwrap();
        assert!(registry.tenant(&segment).await.unwrap().is_none());
        let mut tx = directory.begin().await.unwrap();
        let mut tenant = Tenant::new(TENANT, "Contoso");
        tenant.domains = vec!["contoso.com".to_owned()];
        tx.update_tenant(&tenant).await.unwrap();
        let document = json!({"appId": CLIENT.to_string(), "displayName": "Client", "identifierUris": ["api://new"]});
        tx.update_application(&Application::from_document(TENANT, document).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(registry.resource(TENANT, "api://new").await.unwrap().is_some());
        assert_eq!(registry.tenant(&segment).await.unwrap().unwrap().id, TENANT);
    }
}
