//! `/{tenant}/oauth2[/v2.0]/devicecode`: the start of a device code flow.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{DeviceAuthorization, EndpointVersion};

use super::token::{Posted, id_in_query};
use super::{TenantPath, exchange, tenant_text};
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
    let query = request.uri().query().unwrap_or_default();
    let market = query.split('&').find_map(|pair| pair.strip_prefix("mkt=")).map(str::to_owned);
    let posted = Posted::read(core, tenant, request, exchange, "client_id").await?;
    device_code::start(core, &posted.call(version, exchange), market.as_deref()).await
}
