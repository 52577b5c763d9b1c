//! What the authority publishes: metadata, key sets, instance discovery.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use countersign_directory::{Directory, KeyOwner};
use countersign_protocol::{
    AadSts, EndpointVersion, InstanceApiVersion, InstanceDiscovery, Metadata, PublishedKey, PublishedKeySet,
    ServedTenant, headers,
};
use countersign_token::{ClientId, MAX_KEYS, Timestamp};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{TenantPath, exchange, place, tenant_text};
use crate::call::Place;
use crate::core::Core;
use crate::exchange::AnswerKind;
use crate::issue::owner_in;
use crate::key_ring::LoadedKey;
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

/// `?appid=`: the keys of one application are asked for, not the tenant's.
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
    let app_id = app_id(request.uri().query());
    let place = place(&core, tenant_text(&tenant), true).await;
    let set = match place {
        Ok(place) => published(&core, exchange.origin, place, app_id, exchange.now).await,
        Err(refused) => Err(refused),
    };
    match set {
        Ok(set) => exchange.answer(set.to_json(version)),
        Err(refused) => exchange.refuse(&refused),
    }
}

/// The keys that tokens of a place are verified with: those of the application that is asked for, if it has its own;
/// else the tenant's, if it has its own; else those that everybody shares. An alias stands for every tenant.
async fn published<D: Directory>(
    core: &Core<D>,
    origin: &Origin,
    place: Place,
    app_id: Option<ClientId>,
    now: Timestamp,
) -> Result<PublishedKeySet, Refused> {
    let Place::Tenant(tenant) = place else { return key_set(core, origin).await };
    let mut owner = owner_in(&tenant);
    if let Some(app_id) = app_id {
        let client = core.registry.client(tenant.id, app_id).await?;
        let principal = client.as_ref().and_then(|client| client.service_principal.as_ref());
        if principal.is_some_and(|principal| principal.own_signing_key) {
            owner = KeyOwner::Application(app_id);
        }
    }
    let ring = core.keys.ring_with(owner, now).await?;
    let keys = ring.published(owner, now).map(|key| named(key, origin, owner)).collect();
    Ok(PublishedKeySet { keys })
}

/// The keys of all tenants, those that they share first. Keys of applications are published at `?appid=` only. At most as
/// many as a validator takes: one that serves more tenants with keys of their own than that must ask by tenant.
pub(crate) async fn key_set<D: Directory>(core: &Core<D>, origin: &Origin) -> Result<PublishedKeySet, Refused> {
    let (ring, now) = (core.keys.ring().await?, core.clock.now());
    let shared = ring.published(KeyOwner::Everybody, now);
    let keys = shared.chain(ring.published_by_tenants(now)).take(MAX_KEYS);
    Ok(PublishedKeySet { keys: keys.map(|key| named(key, origin, key.owner())).collect() })
}

/// A key with the issuer that v2.0 documents name: the template where it signs for every tenant, and the tenant's own
/// issuer where it signs for one. A key of an application signs in every tenant that has an instance of it.
fn named(key: &LoadedKey, origin: &Origin, owner: KeyOwner) -> PublishedKey {
    let issuer = match owner {
        KeyOwner::Tenant(tenant) => origin.host.issuer_v2(tenant),
        KeyOwner::Everybody | KeyOwner::Application(_) => origin.host.issuer_v2("{tenantid}"),
    };
    key.published().clone().with_issuer(origin.cloud.cloud_instance_name, issuer)
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
