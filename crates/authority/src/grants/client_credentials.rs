//! `client_credentials` (RFC 6749 §4.4): an application's token for a resource, as itself.
//!
//! The v2.0 endpoint takes `scope={resource}/.default`, the v1.0 endpoint `resource`. A token is issued even where nothing
//! was granted, then without `roles`, unless the resource requires an assignment; guards must refuse such tokens.

use std::borrow::Cow;
use std::sync::Arc;

use countersign_directory::{Application, Directory, ServicePrincipal, Tenant};
use countersign_protocol::scope::client_credentials_resource;
use countersign_protocol::{AadSts, EndpointVersion, ResourceIdentifier, TokenRequest, TokenResponse};

use super::admission::parsed_claims;
use crate::call::TokenCall;
use crate::client_authentication::authenticate;
use crate::core::Core;
use crate::issue::{AppOnlyToken, app_only};
use crate::refused::Refused;
use crate::registry::{Granted, Resource};

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    let (request, version, now) = (call.form, call.version, call.exchange.now);
    let tenant = &*call.directory()?;
    let client = &authenticate(core, tenant, request, call.headers, now).await?;
    let wanted = wanted_resource(request, version, tenant)?;
    let resource_name = wanted.as_str();
    let OpenResource { resource, granted } =
        open_resource(core, tenant, &client.record.application, &client.service_principal, resource_name).await?;
    let claims = request.claims.as_deref().map(parsed_claims).transpose()?;
    let token = app_only(
        core,
        AppOnlyToken {
            origin: call.exchange.origin,
            tenant,
            client: &client.service_principal,
            proof: client.proof,
            resource: &resource,
            resource_name,
            granted: &granted,
            claims: claims.as_ref(),
            now,
        },
    )
    .await?;
    call.signed_in(tenant, client.service_principal.app_id, None);
    let mut response = TokenResponse::new(token.token.into(), token.expires_in);
    response.refresh_in = token.refresh_in;
    let not_before = now.as_unix_seconds() - 300;
    Ok(match version {
        EndpointVersion::V1 => response.with_v1_members(resource_name, not_before, token.expires_on),
        EndpointVersion::V2 => response,
    })
}

/// A resource that an application may have a token for, and what was granted to it there.
pub(crate) struct OpenResource {
    pub(crate) resource: Arc<Resource>,
    pub(crate) granted: Arc<Granted>,
}

/// Finds a resource by one of its names, and refuses those that are closed to this client.
pub(crate) async fn open_resource<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Application,
    client_principal: &ServicePrincipal,
    resource_name: &str,
) -> Result<OpenResource, Refused> {
    // An application may ask for a token to itself, by any of its names (recorded 2026); AADSTS90009 is for users' flows.
    let found = core.registry.resource(tenant.id, resource_name).await?;
    let resource = found.ok_or_else(|| not_found(resource_name, tenant))?;
    if !resource.service_principal.account_enabled || resource.application.is_disabled() {
        return Err(Refused::new(AadSts::RESOURCE_DISABLED)
            .with("resource", resource_name.to_owned())
            .with("tenant", tenant.display_name.clone()));
    }
    let granted =
        core.registry.granted(tenant.id, client_principal.object_id, resource.service_principal.object_id).await?;
    if resource.service_principal.app_role_assignment_required && !granted.assigned {
        return Err(Refused::new(AadSts::CLIENT_NOT_ASSIGNED)
            .with("app_id", client.app_id().to_string())
            .with("app_name", client.display_name().to_owned())
            .with("resource_id", resource.application.app_id().to_string())
            .with("resource_name", resource.application.display_name().to_owned()));
    }
    Ok(OpenResource { resource, granted })
}

/// The text names the tenant by its id (recorded 2026).
fn not_found(resource: &str, tenant: &Tenant) -> Refused {
    Refused::new(AadSts::RESOURCE_NOT_FOUND).with("resource", resource.to_owned()).with("tenant", tenant.id.to_string())
}

/// The resource that the request asks for: `scope` at v2.0, `resource` at v1.0.
fn wanted_resource(
    request: &TokenRequest,
    version: EndpointVersion,
    tenant: &Tenant,
) -> Result<ResourceIdentifier, Refused> {
    match version {
        EndpointVersion::V2 => {
            if request.resource.is_some() {
                return Err(Refused::new(AadSts::RESOURCE_PARAMETER_NOT_SUPPORTED));
            }
            client_credentials_resource(request.scope.as_deref()).map_err(|error| {
                let (name, value) = error.insertion();
                Refused::new(error.aadsts()).with(name, Cow::Owned(value.to_owned()))
            })
        }
        EndpointVersion::V1 => {
            let text = request.resource.as_deref().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| Refused::missing("resource"))?;
            ResourceIdentifier::parse(text).map_err(|_| not_found(text, tenant))
        }
    }
}
