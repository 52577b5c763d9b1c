//! The routes. Each handler reads a request, asks the rooms behind it, and answers; it has no rules of its own.

mod body;
mod device_code;
mod discovery;
mod path;
mod target;
mod token;
mod user_realm;

pub(crate) use discovery::key_set;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, get};
use countersign_directory::Directory;
use countersign_protocol::{AadSts, EndpointVersion, TenantSegment};
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use tower::util::MapRequest;
use uuid::Uuid;

use crate::call::Place;
use crate::core::Core;
use crate::exchange::{AnswerKind, Exchange};
use crate::refused::Refused;

/// All routes of the authority.
pub(crate) fn routes<D: Directory>(core: &Arc<Core<D>>, extra: Router) -> Router {
    let metadata = |version| {
        get(move |core, tenant, request| discovery::metadata(core, tenant, version, request))
            .options(discovery::preflight)
    };
    let keys = |version| {
        get(move |core, tenant, request| discovery::keys(core, tenant, version, request)).options(discovery::preflight)
    };
    let token = |version| any(move |core, tenant, request| token::token(core, tenant, version, request));
    let device_code = |version| any(move |core, tenant, request| device_code::start(core, tenant, version, request));
    let (v1, v2) = (EndpointVersion::V1, EndpointVersion::V2);
    Router::new()
        .route("/{tenant}/.well-known/openid-configuration", metadata(v1))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", metadata(v2))
        .route("/{tenant}/discovery/keys", keys(v1))
        .route("/{tenant}/discovery/v2.0/keys", keys(v2))
        .route("/{tenant}/discovery/instance", get(discovery::instance).options(discovery::preflight))
        .route("/{tenant}/oauth2/token", token(v1))
        .route("/{tenant}/oauth2/v2.0/token", token(v2))
        .route("/{tenant}/oauth2/devicecode", device_code(v1))
        .route("/{tenant}/oauth2/v2.0/devicecode", device_code(v2))
        .route("/{tenant}/userrealm/{name}", get(user_realm::user_realm))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::clone(core))
        .merge(crate::interaction::router(core))
        .merge(extra)
}

/// The routes behind the front door. Paths are matched without regard to case and to doubled slashes, as Entra does.
pub(crate) fn behind_the_door<D: Directory>(core: Arc<Core<D>>, routes: Router) -> Router {
    Router::new()
        .fallback_service(MapRequest::new(routes, path::canonical))
        .layer(from_fn_with_state(core, front_door::<D>))
}

/// Turns away what a proxy in front might have read otherwise than we do (RFC 9112 §3.2).
async fn front_door<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request, next: Next) -> Response {
    match target::fault(&request, &core.origins.of(&request).host) {
        None => next.run(request).await,
        Some(fault) => {
            let refused = Refused::new(AadSts::MALFORMED_REQUEST).because(fault);
            let mut response = exchange(&core, &request, AnswerKind::Token).refuse(&refused);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// The tenant's segment of a path. One whose escapes are no text must be refused in Entra's words, not in the router's.
pub(crate) type TenantPath = Result<Path<String>, PathRejection>;

fn tenant_text(path: &TenantPath) -> &str {
    path.as_ref().map_or("", |Path(text)| text)
}

/// Finds the tenant that a path names. `in_discovery` picks the words that metadata endpoints use.
pub(crate) async fn place<D: Directory>(core: &Core<D>, text: &str, in_discovery: bool) -> Result<Place, Refused> {
    let named = |aadsts| Refused::new(aadsts).with("tenant", text.to_owned());
    let segment = TenantSegment::parse(text).map_err(|error| named(error.aadsts()))?;
    if let Some(alias) = segment.alias() {
        return Ok(Place::Alias(alias));
    }
    if matches!(&segment, TenantSegment::Id(id) if id.as_uuid() == Uuid::nil()) {
        return Err(named(if in_discovery { AadSts::EMPTY_TENANT_ID_IN_DISCOVERY } else { AadSts::EMPTY_TENANT_ID }));
    }
    let tenant = core.registry.tenant(&segment).await?;
    let unknown = if in_discovery { AadSts::TENANT_NOT_FOUND_IN_DISCOVERY } else { AadSts::TENANT_NOT_FOUND };
    // One that is switched off is one without active subscription, of which the text speaks.
    tenant.filter(|tenant| tenant.enabled).map(Place::Tenant).ok_or_else(|| named(unknown))
}

/// An exchange over the core's clock, under the origin that was asked.
fn exchange<'a, D: Directory>(core: &'a Core<D>, request: &Request, kind: AnswerKind) -> Exchange<'a> {
    Exchange::begin(core.origins.of(request), &*core.clock, &*core.randomness, request.headers(), kind)
}

async fn not_found<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request) -> Response {
    let refused = Refused::new(AadSts::MALFORMED_REQUEST).status(StatusCode::NOT_FOUND.as_u16());
    exchange(&core, &request, AnswerKind::Token).refuse(&refused.because("no such route"))
}

pub(crate) async fn method_not_allowed<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request) -> Response {
    let refused = Refused::new(AadSts::MALFORMED_REQUEST).status(StatusCode::METHOD_NOT_ALLOWED.as_u16());
    exchange(&core, &request, AnswerKind::Token).refuse(&refused.because("no such method here"))
}
