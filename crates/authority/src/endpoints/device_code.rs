//! `/{tenant}/oauth2[/v2.0]/devicecode`: the start of a device code flow.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{AadSts, DeviceAuthorization, EndpointVersion};
use http::Method;

use super::token::{id_in_query, nothing_in_query};
use super::{TenantPath, body, exchange, place, tenant_text};
use crate::call::TokenCall;
use crate::core::Core;
use crate::exchange::{AnswerKind, Exchange};
use crate::grants::device_code;
use crate::refused::Refused;

pub(super) async fn start<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    let mut exchange = exchange(&core, &request, AnswerKind::Token);
    exchange.correlate(id_in_query(request.uri().query()));
    match steps(&core, tenant_text(&tenant), version, request, &mut exchange).await {
        Ok(answer) => exchange.answer(answer.to_json(version)),
        Err(refused) => exchange.refuse(&refused),
    }
}

async fn steps<D: Directory>(
    core: &Core<D>,
    tenant: &str,
    version: EndpointVersion,
    request: Request,
    exchange: &mut Exchange<'_>,
) -> Result<DeviceAuthorization, Refused> {
    if request.method() != Method::POST {
        return Err(Refused::new(AadSts::POST_REQUIRED).with("method", request.method().to_string()));
    }
    let place = place(core, tenant, false).await?;
    let (parts, body) = request.into_parts();
    nothing_in_query(parts.uri.query())?;
    let market = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("mkt="));
    let form = body::token_request(Request::from_parts(parts.clone(), body), core.patience, "client_id").await?;
    exchange.correlate(form.client_request_id);
    exchange.note_telemetry(form.telemetry);
    let call = TokenCall { place, version, form: &form, headers: &parts.headers, exchange };
    device_code::start(core, &call, market).await
}
