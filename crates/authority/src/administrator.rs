//! The administrator: an application made at the first start, whose secret opens the management routes.
//!
//! Its credential is an ordinary client secret of an ordinary registration, granted Graph's management roles; only the
//! file that holds it is special, and only its owner may read that. Lost, it is made anew by removing the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_directory::{
    AppRoleAssignment, Application, Applications, ClientSecret, Commit, Credentials, Directory, Grants,
    MICROSOFT_GRAPH, Principal, ServicePrincipal, ServicePrincipals, Tenant, Tenants, microsoft_graph,
};
use countersign_token::{ClientId, Clock, Randomness, TenantId, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::StartError;
use crate::data_dir::{read_if_there, replace_durably};

/// Graph's roles that the administrator holds.
const ROLES: [&str; 4] =
    ["Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Directory.ReadWrite.All", "User.ReadWrite.All"];

/// The administrator's credential. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The tenant it lives in.
    pub tenant_id: TenantId,
    /// Its client id.
    pub client_id: ClientId,
    /// Its secret.
    pub client_secret: SecretString,
    /// The file that holds it, mode 0600; none for an authority without a data directory.
    pub path: Option<PathBuf>,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct Stored {
    tenant_id: TenantId,
    client_id: ClientId,
    client_secret: String,
    scope: String,
}

impl Administrator {
    /// The credential's file, JSON. Whoever writes it sees to its mode.
    pub(crate) fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let stored = Stored {
            tenant_id: self.tenant_id,
            client_id: self.client_id,
            client_secret: self.client_secret.expose_secret().to_owned(),
            scope: "https://graph.microsoft.com/.default".to_owned(),
        };
        // Two identifiers and two texts always make JSON.
        zeroize::Zeroizing::new(serde_json::to_vec_pretty(&stored).unwrap_or_default())
    }

    /// The administrator of an earlier start, or a new one, whose credential is then in the file. A file whose
    /// registration is gone from the directory opens nothing and is replaced.
    pub(crate) async fn of<D: Directory>(
        path: Option<&Path>,
        home: Option<TenantId>,
        directory: &D,
        vault: &Vault,
        clock: &dyn Clock,
        randomness: &dyn Randomness,
    ) -> Result<Self, StartError> {
        if let Some(known) = path.map(Self::read).transpose()?.flatten() {
            let mut tx = directory.begin().await?;
            if tx.service_principal(known.tenant_id, known.client_id).await?.is_some() {
                return Ok(known);
            }
        }
        let mut made = Self::create(home, directory, vault, clock, randomness).await?;
        if let Some(path) = path {
            replace_durably(path, &made.to_json(), 0o600)?;
            made.path = Some(path.to_owned());
        }
        Ok(made)
    }

    /// Reads the credential of an earlier start.
    fn read(path: &Path) -> Result<Option<Self>, StartError> {
        let Some(bytes) = read_if_there(path)? else { return Ok(None) };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| StartError::Damaged {
            path: path.to_owned(),
            what: "JSON with tenant_id, client_id and client_secret was expected",
        })?;
        Ok(Some(Self {
            tenant_id: stored.tenant_id,
            client_id: stored.client_id,
            client_secret: stored.client_secret.into(),
            path: Some(path.to_owned()),
        }))
    }

    /// Makes the administrator at home, which is otherwise the directory's first tenant, and a tenant where there is none.
    async fn create<D: Directory>(
        home: Option<TenantId>,
        directory: &D,
        vault: &Vault,
        clock: &dyn Clock,
        randomness: &dyn Randomness,
    ) -> Result<Self, StartError> {
        let mut tx = directory.begin().await?;
        let tenants = tx.tenants().await?;
        let at_home = tenants.iter().position(|tenant| Some(tenant.id) == home).unwrap_or(0);
        let tenant = match tenants.into_iter().nth(at_home) {
            Some(tenant) => tenant,
            None => {
                let tenant = Tenant::new(TenantId::from_uuid(randomness.uuid_v4()), "Local directory");
                tx.insert_tenant(&tenant).await?;
                tenant
            }
        };
        let client_id = ClientId::from_uuid(randomness.uuid_v4());
        let document = json!({"appId": client_id.to_string(), "displayName": "Countersign administrator"});
        let application = Application::from_document(tenant.id, document)
            .map_err(|error| countersign_directory::StoreError::Database(error.to_string().into()))?;
        tx.insert_application(&application).await?;
        let principal = ServicePrincipal::of(&application, tenant.id);
        tx.insert_service_principal(&principal).await?;
        let now = clock.now();
        let valid = now..now.plus(Duration::from_secs(10 * 365 * 86_400));
        let (secret, client_secret) =
            ClientSecret::generate(vault, randomness, Some("made at the first start".to_owned()), valid);
        tx.add_secret(client_id, &secret).await?;
        if let Some(graph) = tx.service_principal(tenant.id, MICROSOFT_GRAPH).await? {
            let wanted = |value: Option<&str>| value.is_some_and(|value| ROLES.contains(&value));
            for role in microsoft_graph().app_roles().iter().filter(|role| wanted(role.value.as_deref())) {
                tx.assign_app_role(&AppRoleAssignment {
                    id: randomness.uuid_v4(),
                    tenant: tenant.id,
                    principal: Principal::ServicePrincipal(principal.object_id),
                    resource: graph.object_id,
                    app_role_id: role.id,
                    created: now,
                })
                .await?;
            }
        }
        tx.commit().await?;
        Ok(Self { tenant_id: tenant.id, client_id, client_secret, path: None })
    }
}
