//! The token endpoints, v1.0 and v2.0: a list of named steps, in the order in which Entra finds fault.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::{Directory, Tenant};
use countersign_protocol::{AadSts, EndpointVersion, GrantType, ServedTenant, TokenRequest, TokenResponse};
use http::{HeaderMap, Method};
use uuid::Uuid;

use super::{Place, TenantPath, body, exchange, place, tenant_text};
use crate::client_authentication::authenticate;
use crate::core::Core;
use crate::exchange::{AnswerKind, Exchange};
use crate::grants::client_credentials;
use crate::refused::Refused;

/// Handles every method, since Entra answers a GET with a code of its own.
pub(super) async fn token<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    let mut exchange = exchange(&core, request.headers(), AnswerKind::Token);
    exchange.correlate(id_in_query(request.uri().query()));
    match steps(&core, tenant_text(&tenant), version, request, &mut exchange).await {
        Ok(response) => exchange.answer(response.to_json(version)),
        Err(refused) => exchange.refuse(&refused),
    }
}

async fn steps<D: Directory>(
    core: &Core<D>,
    tenant: &str,
    version: EndpointVersion,
    request: Request,
    exchange: &mut Exchange<'_>,
) -> Result<TokenResponse, Refused> {
    if request.method() != Method::POST {
        return Err(Refused::new(AadSts::POST_REQUIRED).with("method", request.method().to_string()));
    }
    let place = place(core, tenant, false).await?;
    let caller_headers = request.headers().clone();
    let form = body::token_request(request, core.patience).await?;
    exchange.correlate(form.client_request_id);
    exchange.note_telemetry(form.telemetry);
    let grant = form.grant_type.as_deref().filter(|grant| !grant.is_empty());
    let grant = grant.ok_or_else(|| Refused::missing("grant_type"))?;
    match GrantType::parse(grant) {
        Some(GrantType::ClientCredentials) => {
            let tenant = directory_of(place)?;
            client_credentials(core, &tenant, version, &form, &caller_headers, exchange).await
        }
        _ => Err(Refused::new(AadSts::UNSUPPORTED_GRANT_TYPE).with("grant_type", grant.to_owned())),
    }
}

/// Client credentials belong to one directory: an alias names none (pitfalls B54).
fn directory_of(place: Place) -> Result<Arc<Tenant>, Refused> {
    match place {
        Place::Tenant(tenant) => Ok(tenant),
        Place::Alias(ServedTenant::Organizations) => Err(Refused::new(AadSts::NO_TENANT_IDENTIFYING_INFORMATION)),
        Place::Alias(_) => Err(Refused::new(AadSts::GRANT_TYPE_NOT_SUPPORTED_ON_ALIAS)),
    }
}

async fn client_credentials<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    version: EndpointVersion,
    form: &TokenRequest,
    caller_headers: &HeaderMap,
    exchange: &Exchange<'_>,
) -> Result<TokenResponse, Refused> {
    let client = authenticate(core, tenant, form, caller_headers, exchange.now).await?;
    let response = client_credentials::grant(core, tenant, &client, form, version, exchange.now).await?;
    tracing::info!(
        target: "countersign_authority::signed_in",
        tenant = %tenant.id,
        client = %client.service_principal.app_id,
        trace_id = %exchange.trace_id(),
        correlation_id = %exchange.correlation_id(),
    );
    Ok(response)
}

/// `client-request-id` in the query, where msal-node puts it.
fn id_in_query(query: Option<&str>) -> Option<Uuid> {
    query?.split('&').find_map(|pair| Uuid::try_parse(pair.strip_prefix("client-request-id=")?).ok())
}
