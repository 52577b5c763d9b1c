//! Consent that brings an API along: a client and the API it talks to, both from elsewhere, come into a tenant together.
//!
//! An API says which clients it trusts so far (`knownClientApplications`). A person who consents to such a client for
//! `{API}/.default` sees what the client asks for and what the API asks for in turn, and both get their service principals
//! with that consent. Nothing is installed before.
//!
//! Source: "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow", "/.default and combined consent", Microsoft.

use std::sync::Arc;

use countersign_directory::{Application, Applications, Directory, ServicePrincipal};
use countersign_protocol::AadSts;
use countersign_protocol::graph::{RequiredResourceAccess, ResourceAccessType, ScopeType};

use super::accounts::Account;
use super::authorize::Standing;
use crate::core::Core;
use crate::grants::consent::{MissingConsent, MissingScope};
use crate::refused::Refused;
use crate::registry::Resource;

/// What a client and an API that is not in the tenant yet ask for together; `None` unless the API knows the client.
pub(super) async fn combined<D: Directory>(
    core: &Core<D>,
    account: &Account,
    standing: &Standing,
    name: &str,
) -> Result<Option<Vec<MissingConsent>>, Refused> {
    let client = &standing.client.application;
    let Some(api) = known(core, client, account, name).await? else { return Ok(None) };
    let mut list = Vec::new();
    let asked = &client.registration().required_resource_access;
    listed(core, account, &api, &standing.principal, asked, &mut list).await?;
    let asked = &api.application.registration().required_resource_access;
    listed(core, account, &api, &api.service_principal, asked, &mut list).await?;
    Ok(Some(list))
}

/// The API as it would stand in the tenant.
async fn known<D: Directory>(
    core: &Core<D>,
    client: &Application,
    account: &Account,
    name: &str,
) -> Result<Option<Arc<Resource>>, Refused> {
    let tenant = account.tenant.id;
    let application = match name.parse() {
        Ok(id) => core.registry.application(id).await?.map(|application| Application::clone(&application)),
        Err(_) => {
            let mut tx = core.registry.directory().begin().await?;
            tx.application_by_identifier_uri(client.tenant(), name).await?
        }
    };
    let knows = |application: &Application| {
        let known = &application.registration().api.known_client_applications;
        application.is_available_in(tenant) && !application.is_disabled() && known.contains(&client.app_id())
    };
    Ok(application.filter(knows).map(|application| {
        let service_principal = ServicePrincipal::of(&application, tenant);
        Arc::new(Resource { application, service_principal })
    }))
}

/// What a registration lists of delegated permissions.
async fn listed<D: Directory>(
    core: &Core<D>,
    account: &Account,
    api: &Arc<Resource>,
    client: &ServicePrincipal,
    required: &[RequiredResourceAccess],
    list: &mut Vec<MissingConsent>,
) -> Result<(), Refused> {
    let tenant = &account.tenant;
    for entry in required {
        let resource = if entry.resource_app_id == api.application.app_id() {
            Arc::clone(api)
        } else {
            let id = entry.resource_app_id.to_string();
            core.registry.resource(tenant.id, &id).await?.ok_or_else(|| {
                Refused::new(AadSts::SERVICE_PRINCIPAL_LACKING)
                    .with("resource_id", id.clone())
                    .with("resource_name", id)
                    .with("tenant", tenant.id.to_string())
            })?
        };
        let lists = |id| {
            let of = |kind, listed| kind == ResourceAccessType::Scope && listed == id;
            entry.resource_access.iter().any(|access| of(access.access_type, access.id))
        };
        let scopes: Vec<MissingScope> = resource
            .application
            .oauth2_permission_scopes()
            .iter()
            .filter(|scope| scope.is_enabled && lists(scope.id))
            .map(|scope| MissingScope {
                scope: scope.clone(),
                needs_administrator: scope.scope_type == ScopeType::Admin || !tenant.user_consent_allowed,
            })
            .collect();
        if !scopes.is_empty() {
            list.push(MissingConsent { client: client.clone(), resource, scopes });
        }
    }
    Ok(())
}
