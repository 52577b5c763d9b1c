//! What the authority publishes: metadata, key sets, instance discovery.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{
    AadSts, EndpointVersion, InstanceApiVersion, InstanceDiscovery, Metadata, PublishedKeySet, ServedTenant, headers,
};
use countersign_token::ClientId;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{TenantPath, exchange, place, tenant_text};
use crate::call::Place;
use crate::core::Core;
use crate::exchange::AnswerKind;
use crate::origin::Origin;
use crate::refused::Refused;

/// `/{tenant}[/v2.0]/.well-known/openid-configuration`
pub(super) async fn metadata<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    let exchange = exchange(&core, &request, AnswerKind::Discovery);
    let served = match place(&core, tenant_text(&tenant), true).await {
        Ok(Place::Alias(alias)) => Ok((alias, None)),
        Ok(Place::Tenant(tenant)) => Ok((ServedTenant::Tenant(tenant.id), Some(tenant.region_scope.clone()))),
        Err(refused) => Err(refused),
    };
    match served {
        Err(refused) => exchange.refuse(&refused),
        Ok((tenant, region)) => {
            let mut document = Metadata::new(&exchange.origin.host, &exchange.origin.cloud, tenant, version);
            document.tenant_region_scope = region;
            if let Some(app_id) = app_id(request.uri().query()) {
                document = document.for_application(&app_id);
            }
            exchange.answer(document.to_json())
        }
    }
}

/// `?appid=`, by which clients of an application with keys of its own ask for them. Here no application has any, so that
/// the answer is the authority's keys, as Entra's is for such an application.
fn app_id(query: Option<&str>) -> Option<ClientId> {
    query?.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("appid").then(|| value.parse().ok())?
    })
}

/// `/{tenant}/discovery[/v2.0]/keys`
pub(super) async fn keys<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    let exchange = exchange(&core, &request, AnswerKind::Discovery);
    if let Err(refused) = place(&core, tenant_text(&tenant), true).await {
        return exchange.refuse(&refused);
    }
    match key_set(&core, exchange.origin).await {
        Ok(set) => exchange.answer(set.to_json(version)),
        Err(refused) => exchange.refuse(&refused),
    }
}

/// The published keys, with the issuer that v2.0 documents name: the template, since they sign for every tenant here.
pub(crate) async fn key_set<D: Directory>(core: &Core<D>, origin: &Origin) -> Result<PublishedKeySet, Refused> {
    let ring = core
        .keys
        .ring()
        .await
        .map_err(|error| Refused::new(AadSts::TRANSIENT_ERROR).because(error.to_string()).status(503))?;
    let issuer = origin.host.issuer_v2("{tenantid}");
    let keys = ring
        .published(core.clock.now())
        .map(|key| key.clone().with_issuer(origin.cloud.cloud_instance_name, issuer.as_str()))
        .collect();
    Ok(PublishedKeySet { keys })
}

/// The question of instance discovery.
#[derive(Debug, Deserialize)]
pub(super) struct InstanceQuestion {
    authorization_endpoint: Option<String>,
    #[serde(rename = "api-version")]
    api_version: Option<String>,
}

/// `/common/discovery/instance`
pub(super) async fn instance<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    question: Result<Query<InstanceQuestion>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let exchange = exchange(&core, &request, AnswerKind::Discovery);
    let Ok(Query(question)) = question else {
        return exchange.refuse(&Refused::new(AadSts::MALFORMED_REQUEST));
    };
    let Some(endpoint) = question.authorization_endpoint else {
        return exchange.refuse(&Refused::missing("authorization_endpoint"));
    };
    let version = InstanceApiVersion::parse(question.api_version.as_deref());
    match InstanceDiscovery::new(&exchange.origin.host, &endpoint, version) {
        Ok(answer) => exchange.answer(answer.to_json()),
        Err(error) => exchange.refuse(&Refused::new(error.aadsts())),
    }
}

/// CORS preflight: discovery documents are public.
pub(super) async fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    for (name, value) in headers::DISCOVERY.iter().filter(|(name, _)| name.starts_with("access-control")) {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
