//! One request for permissions, compared with what was granted.

use std::sync::Arc;

use countersign_directory::{Directory, MICROSOFT_GRAPH, ServicePrincipal, Tenant};
use countersign_protocol::graph::{PermissionScope, RequiredResourceAccess, ResourceAccessType, ScopeType};
use countersign_protocol::scope::OIDC_SCOPES;
use countersign_protocol::{AadSts, UserScopes};
use countersign_token::{ClientId, ObjectId};

use super::{Extent, MissingConsent, MissingScope, consent_required};
use crate::delegation::Delegation;
use crate::refused::Refused;
use crate::registry::{Client, Registry, Resource};

/// The scopes of OpenID Connect that are asked for.
fn asked_oidc(wanted: &UserScopes) -> impl Iterator<Item = &'static str> + use<> {
    let flags = [wanted.oidc.openid, wanted.oidc.profile, wanted.oidc.email, wanted.oidc.offline_access];
    OIDC_SCOPES.into_iter().zip(flags).filter(|(_, asked)| *asked).map(|(name, _)| name)
}

/// Graph has several names, and is meant by bare scopes too.
fn resource_name(wanted: &UserScopes) -> &str {
    /// As `MICROSOFT_GRAPH` is written.
    const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
    wanted.resource.as_ref().map_or(GRAPH, |resource| resource.as_str())
}

/// The enabled permission of this name that a resource declares; Entra overlooks its case.
fn declared<'r>(resource: &'r Resource, name: &str) -> Option<&'r PermissionScope> {
    let is = |scope: &&PermissionScope| scope.value.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(name));
    resource.application.oauth2_permission_scopes().iter().filter(|scope| scope.is_enabled).find(is)
}

/// One request for permissions.
pub(super) struct Asking<'a, D: Directory> {
    pub(super) registry: &'a Registry<D>,
    pub(super) tenant: &'a Tenant,
    pub(super) client: &'a Client,
    pub(super) user: ObjectId,
}

impl<D: Directory> Asking<'_, D> {
    /// What would have to be consented to; see [`asked_consent`](super::asked_consent).
    pub(super) async fn list(
        &self,
        client_principal: &ServicePrincipal,
        wanted: &UserScopes,
        extent: Extent,
    ) -> Result<Vec<MissingConsent>, Refused> {
        let resource = self.resource(wanted).await?;
        let consented = self.consented(client_principal, &resource).await?;
        let enough = self.enough(wanted, &resource, &consented)?;
        if enough && extent == Extent::Missing {
            return Ok(Vec::new());
        }
        let mut list = Vec::new();
        if wanted.default {
            let required = &self.client.application.registration().required_resource_access;
            self.listed(client_principal, required, extent, &mut list).await?;
            let application = &resource.application;
            if application.registration().api.known_client_applications.contains(&self.client.application.app_id()) {
                let required = &application.registration().required_resource_access;
                self.listed(&resource.service_principal, required, extent, &mut list).await?;
            }
        } else if !wanted.names.is_empty() {
            let scopes = self.named(wanted, &resource)?;
            self.push(client_principal, &resource, scopes, &consented, extent, &mut list);
        }
        let graph = self.found(&MICROSOFT_GRAPH.to_string()).await?;
        let scopes = asked_oidc(wanted).filter_map(|name| declared(&graph, name)).collect();
        let consented = self.consented(client_principal, &graph).await?;
        self.push(client_principal, &graph, scopes, &consented, extent, &mut list);
        Ok(list)
    }

    /// What the client may do; see [`delegate`](super::delegate).
    pub(super) async fn delegation(
        &self,
        client_principal: &ServicePrincipal,
        wanted: &UserScopes,
    ) -> Result<Delegation, Refused> {
        let resource = self.resource(wanted).await?;
        let consented = self.consented(client_principal, &resource).await?;
        if !self.enough(wanted, &resource, &consented)? {
            return Err(consent_required(AadSts::CONSENT_REQUIRED, self.client));
        }
        let everything = wanted.default || !self.tenant.strict;
        let is_asked = |scope: &&str| everything || wanted.names.iter().any(|name| name.eq_ignore_ascii_case(scope));
        let mut scopes: Vec<&str> = consented.iter().map(String::as_str).filter(is_asked).collect();
        let for_graph = resource.application.app_id() == MICROSOFT_GRAPH;
        let response_scope = wanted.response_scope(scopes.iter().copied(), for_graph);
        if for_graph {
            // Those of OpenID Connect are Graph's permissions; a refresh token is nothing to show to a resource.
            for name in asked_oidc(wanted) {
                scopes.push(name);
            }
            scopes.sort_unstable();
            scopes.dedup();
            scopes.retain(|scope| *scope != "offline_access");
        }
        Ok(Delegation {
            resource_name: resource_name(wanted).to_owned(),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            oidc: wanted.oidc,
            response_scope,
            resource,
        })
    }

    /// The resource that the request names, which must be there, enabled, and of another name than the client's own.
    async fn resource(&self, wanted: &UserScopes) -> Result<Arc<Resource>, Refused> {
        let name =
            if wanted.is_microsoft_graph() { MICROSOFT_GRAPH.to_string() } else { resource_name(wanted).to_owned() };
        let resource = self.found(&name).await?;
        if !resource.service_principal.account_enabled || resource.application.is_disabled() {
            return Err(Refused::new(AadSts::RESOURCE_DISABLED)
                .with("resource", name)
                .with("tenant", self.tenant.display_name.clone()));
        }
        let client = &self.client.application;
        if resource.application.app_id() == client.app_id() && name.parse::<ClientId>().is_err() {
            return Err(Refused::new(AadSts::SELF_TOKEN_NEEDS_GUID)
                .with("app_id", client.app_id().to_string())
                .with("app_name", client.display_name().to_owned()));
        }
        Ok(resource)
    }

    async fn found(&self, name: &str) -> Result<Arc<Resource>, Refused> {
        let found = self.registry.resource(self.tenant.id, name).await?;
        found.ok_or_else(|| {
            Refused::new(AadSts::RESOURCE_NOT_FOUND)
                .with("resource", name.to_owned())
                .with("tenant", self.tenant.id.to_string())
        })
    }

    /// What a client has at a resource: granted or pre-authorised, declared, enabled, sorted.
    async fn consented(&self, client: &ServicePrincipal, resource: &Resource) -> Result<Vec<String>, Refused> {
        let granted = self
            .registry
            .granted_scopes(self.tenant.id, client.object_id, resource.service_principal.object_id, self.user)
            .await?;
        let api = &resource.application.registration().api;
        let preauthorized = api.pre_authorized_applications.iter().find(|entry| entry.app_id == client.app_id);
        let is_preauthorized = |scope: &PermissionScope| {
            preauthorized.is_some_and(|entry| entry.delegated_permission_ids.contains(&scope.id))
        };
        let mut values: Vec<String> = api
            .oauth2_permission_scopes
            .iter()
            .filter(|scope| scope.is_enabled)
            .filter_map(|scope| {
                let value = scope.value.as_ref().filter(|value| !value.is_empty())?;
                (granted.contains(value) || is_preauthorized(scope)).then(|| value.clone())
            })
            .collect();
        values.sort_unstable();
        Ok(values)
    }

    /// Whether the request can go on with what the client has.
    fn enough(&self, wanted: &UserScopes, resource: &Resource, consented: &[String]) -> Result<bool, Refused> {
        let named = self.named(wanted, resource)?;
        if !named.is_empty() {
            let has = |scope: &&PermissionScope| scope.value.as_ref().is_some_and(|value| consented.contains(value));
            return Ok(named.iter().all(has));
        }
        let client = &self.client.application;
        let required = &client.registration().required_resource_access;
        let app_id = resource.application.app_id();
        let is_listed = app_id == client.app_id() || required.iter().any(|entry| entry.resource_app_id == app_id);
        if wanted.default && consented.is_empty() && !is_listed {
            let listed: Vec<_> = required.iter().map(|entry| entry.resource_app_id.to_string()).collect();
            return Err(Refused::new(AadSts::RESOURCE_NOT_LISTED)
                .with("app_id", client.app_id().to_string())
                .with("resource", resource_name(wanted).to_owned())
                .with("resource_id", app_id.to_string())
                .with("resources", listed.join(", ")));
        }
        Ok(!consented.is_empty())
    }

    /// The permissions that are asked for by name.
    fn named<'r>(&self, wanted: &UserScopes, resource: &'r Resource) -> Result<Vec<&'r PermissionScope>, Refused> {
        let find = |name: &String| {
            declared(resource, name).ok_or_else(|| {
                Refused::new(AadSts::SCOPE_DOES_NOT_EXIST)
                    .with("app_name", self.client.application.display_name().to_owned())
                    .with("scope", name.clone())
                    .with("resource", resource_name(wanted).to_owned())
            })
        };
        wanted.names.iter().map(find).collect()
    }

    /// Adds what a registration lists.
    async fn listed(
        &self,
        client: &ServicePrincipal,
        required: &[RequiredResourceAccess],
        extent: Extent,
        list: &mut Vec<MissingConsent>,
    ) -> Result<(), Refused> {
        for entry in required {
            let id = entry.resource_app_id.to_string();
            let Some(resource) = self.registry.resource(self.tenant.id, &id).await? else {
                return Err(Refused::new(AadSts::SERVICE_PRINCIPAL_LACKING)
                    .with("resource_id", id.clone())
                    .with("resource_name", id)
                    .with("tenant", self.tenant.id.to_string()));
            };
            let is_asked = |scope: &&PermissionScope| {
                let of = |access_type, id| access_type == ResourceAccessType::Scope && id == scope.id;
                scope.is_enabled && entry.resource_access.iter().any(|access| of(access.access_type, access.id))
            };
            let scopes = resource.application.oauth2_permission_scopes().iter().filter(is_asked).collect();
            let consented = self.consented(client, &resource).await?;
            self.push(client, &resource, scopes, &consented, extent, list);
        }
        Ok(())
    }

    /// Adds permissions at a resource, but for those that are granted or stand in the list already.
    fn push(
        &self,
        client: &ServicePrincipal,
        resource: &Arc<Resource>,
        scopes: Vec<&PermissionScope>,
        consented: &[String],
        extent: Extent,
        list: &mut Vec<MissingConsent>,
    ) {
        let id = resource.service_principal.object_id;
        let known = list.iter().position(|entry| {
            entry.client.object_id == client.object_id && entry.resource.service_principal.object_id == id
        });
        let stands = |scope: &PermissionScope| {
            known.is_some_and(|at| {
                list.get(at).is_some_and(|entry| entry.scopes.iter().any(|other| other.scope.id == scope.id))
            })
        };
        let fresh: Vec<_> = scopes
            .into_iter()
            .filter(|scope| {
                let has = scope.value.as_ref().is_some_and(|value| consented.contains(value));
                (extent == Extent::Everything || !has) && !stands(scope)
            })
            .map(|scope| MissingScope {
                scope: scope.clone(),
                needs_administrator: scope.scope_type == ScopeType::Admin || !self.tenant.user_consent_allowed,
            })
            .collect();
        match known.and_then(|at| list.get_mut(at)) {
            Some(entry) => entry.scopes.extend(fresh),
            None if fresh.is_empty() => {}
            None => list.push(MissingConsent { client: client.clone(), resource: Arc::clone(resource), scopes: fresh }),
        }
    }
}
