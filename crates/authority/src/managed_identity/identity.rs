//! A managed identity that is lent: who it is, by which names requests may mean it, and where it is found.

use std::net::SocketAddr;

use countersign_directory::{Applications, Directory, ServicePrincipal, ServicePrincipals, Tenants};
use countersign_token::{ClientId, ObjectId, SecretHash, TenantId, Vault};
use secrecy::{ExposeSecret, SecretString};

use super::endpoint::ManagedIdentityEndpoint;
use super::request::{APP_SERVICE_PATH, Selector};
use crate::StartError;
use crate::core::Core;

/// A managed identity that is lent to this machine. `Debug` does not show its header.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    tenant: TenantId,
    client_id: ClientId,
    object_id: ObjectId,
    resource_id: String,
    address: SocketAddr,
    header: SecretString,
}

impl ManagedIdentity {
    /// Its tenant.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// Its client id: `appid` or `azp` of its tokens.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client_id
    }

    /// Its service principal: `oid` and `sub` of its tokens, and the subject of a federated credential that trusts it.
    #[must_use]
    pub fn object_id(&self) -> ObjectId {
        self.object_id
    }

    /// The Azure resource that it is, as requests name it in `msi_res_id` and `mi_res_id`.
    #[must_use]
    pub fn resource_id(&self) -> &str {
        &self.resource_id
    }

    /// The metadata service, for `AZURE_POD_IDENTITY_AUTHORITY_HOST`: `http://127.0.0.1:4000`.
    #[must_use]
    pub fn imds(&self) -> String {
        format!("http://{}", self.address)
    }

    /// App Service's endpoint, for `IDENTITY_ENDPOINT`: `http://127.0.0.1:4000/msi/token`.
    #[must_use]
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}{APP_SERVICE_PATH}", self.address)
    }

    /// What that endpoint wants to see in `X-IDENTITY-HEADER`, for `IDENTITY_HEADER`: another value at each start.
    #[must_use]
    pub fn identity_header(&self) -> &SecretString {
        &self.header
    }

    pub(super) fn header_hash(&self, vault: &Vault) -> SecretHash {
        vault.hash_secret(self.header.expose_secret())
    }

    /// Whether this identity is the one that a request names. Ids of Azure's resources know no case.
    pub(super) fn is(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Client(id) => id.parse() == Ok(self.client_id),
            Selector::Object(id) => id.parse() == Ok(self.object_id),
            Selector::Resource(id) => id.eq_ignore_ascii_case(&self.resource_id),
        }
    }
}

/// Finds the service principal that an endpoint names.
pub(super) async fn find<D: Directory>(
    core: &Core<D>,
    endpoint: &ManagedIdentityEndpoint,
    address: SocketAddr,
) -> Result<ManagedIdentity, StartError> {
    let refused = |what| StartError::ManagedIdentity { name: endpoint.name.clone(), what };
    let mut tx = core.registry.directory().begin().await?;
    let principal = if let Ok(id) = endpoint.name.parse::<ClientId>() {
        // A managed identity lives in one tenant, its application's.
        let application = tx.application(id).await?.ok_or_else(|| refused("no application has this client id"))?;
        let principal = tx.service_principal(application.tenant(), id).await?;
        principal.ok_or_else(|| refused("it has no service principal in its tenant"))?
    } else {
        let mut named: Vec<ServicePrincipal> = Vec::new();
        for tenant in tx.tenants().await? {
            let all = tx.service_principals_of(tenant.id).await?;
            named.extend(all.into_iter().filter(|principal| principal.display_name == endpoint.name));
        }
        match (named.pop(), named.is_empty()) {
            (Some(principal), true) => principal,
            (Some(_), false) => return Err(refused("several service principals have this name; state its client id")),
            (None, _) => return Err(refused("no service principal has this name")),
        }
    };
    let resource_id = endpoint.resource_id.clone().unwrap_or_else(|| made_up_resource_id(&principal));
    let header = SecretString::from(core.randomness.base64url(32));
    let ServicePrincipal { tenant, app_id: client_id, object_id, .. } = principal;
    Ok(ManagedIdentity { tenant, client_id, object_id, resource_id, address, header })
}

/// Of the form that Azure gives to user-assigned identities, with the tenant in the subscription's place.
fn made_up_resource_id(principal: &ServicePrincipal) -> String {
    let (tenant, name) = (principal.tenant, &principal.display_name);
    format!(
        "/subscriptions/{tenant}/resourcegroups/countersign/providers/Microsoft.ManagedIdentity/\
         userAssignedIdentities/{name}"
    )
}
