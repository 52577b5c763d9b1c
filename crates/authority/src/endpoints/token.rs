//! The token endpoints, v1.0 and v2.0: a list of named steps, in the order in which Entra finds fault.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{AadSts, EndpointVersion, GrantType, TokenResponse};
use http::Method;
use uuid::Uuid;

use super::{TenantPath, body, exchange, place, tenant_text};
use crate::call::TokenCall;
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
    let mut exchange = exchange(&core, &request, AnswerKind::Token);
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
    let headers = request.headers().clone();
    let form = body::token_request(request, core.patience).await?;
    exchange.correlate(form.client_request_id);
    exchange.note_telemetry(form.telemetry);
    let text = form.grant_type.as_deref().filter(|grant| !grant.is_empty());
    let text = text.ok_or_else(|| Refused::missing("grant_type"))?;
    let unsupported = || Refused::new(AadSts::UNSUPPORTED_GRANT_TYPE).with("grant_type", text.to_owned());
    let grant = GrantType::parse(text).ok_or_else(unsupported)?;
    let call = TokenCall { place, version, form: &form, headers: &headers, exchange };
    match grant {
        GrantType::ClientCredentials => client_credentials::grant(core, &call).await,
        _ => Err(unsupported()),
    }
}

/// `client-request-id` in the query, where msal-node puts it.
fn id_in_query(query: Option<&str>) -> Option<Uuid> {
    query?.split('&').find_map(|pair| Uuid::try_parse(pair.strip_prefix("client-request-id=")?).ok())
}
