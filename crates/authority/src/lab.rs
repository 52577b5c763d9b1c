//! The lab: what a test wants to do to an authority and nobody else may. On only with `--lab`, and only for the
//! administrator, whose token is checked by our own guard.
//!
//! - `GET /lab/clock`; `POST /lab/clock` with `{"advance_seconds": 7200}` or `{"reset": true}`
//! - `POST /lab/keys/roll`: the next signing key signs from now on
//! - `POST /lab/tokens` with `{"claims": {…}, "version": "2.0"}`: any claims, signed with the key that signs now

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use countersign_directory::{Directory, MICROSOFT_GRAPH};
use countersign_discovery::{BoxFuture, KeySource, Limits, RefreshPolicy, RemoteKeys, Transport, TransportError};
use countersign_guard::{Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::EndpointVersion;
use countersign_token::{Algorithm, Clock, OffsetClock, TokenKind, TokenVersion};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::StartError;
use crate::administrator::Administrator;
use crate::core::Core;
use crate::endpoints::key_set;
use crate::key_care::{KeysInTheMaking, look, roll};

/// The authority's own published keys, for its own guard: no network, and never out of date.
struct OwnKeys<D: Directory>(Arc<Core<D>>);

impl<D: Directory> std::fmt::Debug for OwnKeys<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnKeys")
    }
}

impl<D: Directory> Transport for OwnKeys<D> {
    fn send(
        &self,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match key_set(&core, core.origins.own()).await {
                Ok(keys) => http::Response::new(keys.to_json(EndpointVersion::V2).into()),
                Err(_) => {
                    let mut response = http::Response::new(Bytes::new());
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    response
                }
            })
        })
    }
}

/// The lab's routes, each for the administrator only.
pub(crate) fn router<D: Directory>(
    core: &Arc<Core<D>>,
    administrator: &Administrator,
    clock: OffsetClock,
) -> Result<Router, StartError> {
    let misconfigured = |error: String| StartError::Lab(error);
    let policy = Policy {
        tenants: vec![administrator.tenant_id],
        issuers: vec![
            core.origins.own().cloud.issuer_v1("{tenantid}"),
            core.origins.own().host.issuer_v2("{tenantid}"),
        ],
        audiences: vec!["https://graph.microsoft.com".to_owned(), MICROSOFT_GRAPH.to_string()],
        versions: vec![TokenVersion::V1],
        algorithms: vec![Algorithm::Rs256],
        clock_skew_seconds: 60,
        kinds: vec![TokenKind::App],
        app_roles: Vec::new(),
        scopes: Vec::new(),
        clients: Some(vec![administrator.client_id]),
        allow_without_permission: false,
        ..Policy::default()
    };
    let jwks_uri = core.origins.own().host.jwks_uri("common", EndpointVersion::V2);
    let keys = RemoteKeys::from_jwks_uri(&jwks_uri, Arc::new(OwnKeys(Arc::clone(core))))
        .map_err(|error| misconfigured(error.to_string()))?
        .clock(Arc::clone(&core.clock))
        // These keys are a function call away: one rolled over a moment ago is asked for at once.
        .policy(RefreshPolicy { cooldown: Duration::ZERO, ..RefreshPolicy::default() })
        .build();
    let guard = Guard::builder(KeySource::from(keys), &policy)
        .map_err(|error| misconfigured(error.to_string()))?
        .clock(Arc::clone(&core.clock))
        .build();
    let administration = || Permission::any_app_role(["Directory.ReadWrite.All"]);
    let routes = GuardedRouter::new(guard)
        .route("/lab/clock", get(show_clock::<D>).post(move_clock::<D>))
        .requires(administration())
        .route("/lab/keys/roll", post(roll_keys::<D>))
        .requires(administration())
        .route("/lab/tokens", post(order_token::<D>))
        .requires(administration())
        .into_router()
        .map_err(|error| misconfigured(error.to_string()))?;
    Ok(routes.layer(Extension(clock)).with_state(Arc::clone(core)))
}

fn bad_request(what: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request", "error_description": what}))).into_response()
}

fn failed(error: &StartError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "a lab operation failed");
    let body = json!({"error": "temporarily_unavailable", "error_description": "the operation failed; see the log"});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn show_clock<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(clock): Extension<OffsetClock>,
) -> Response {
    Json(json!({"now": core.clock.now().as_unix_seconds(), "offset_seconds": clock.offset_seconds()})).into_response()
}

/// How far the clock may be moved: beyond, dates stop fitting their formats.
const FARTHEST_SECONDS: i64 = 20 * 366 * 86_400;

/// What to do to the clock.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOrder {
    advance_seconds: Option<i64>,
    #[serde(default)]
    reset: bool,
}

async fn move_clock<D: Directory>(
    core: State<Arc<Core<D>>>,
    Extension(clock): Extension<OffsetClock>,
    order: Result<Json<ClockOrder>, JsonRejection>,
) -> Response {
    match order {
        Ok(Json(ClockOrder { advance_seconds: Some(seconds), reset: false }))
            if clock.offset_seconds().checked_add(seconds).is_some_and(|offset| offset.abs() <= FARTHEST_SECONDS) =>
        {
            clock.advance_seconds(seconds);
        }
        Ok(Json(ClockOrder { advance_seconds: None, reset: true })) => clock.reset(),
        _ => return bad_request("send {\"advance_seconds\": N}, up to twenty years from now, or {\"reset\": true}"),
    }
    // What time brings about by itself has happened when this returns.
    if let Err(error) = look(&core, &mut KeysInTheMaking::none()).await {
        return failed(&error);
    }
    show_clock(core, Extension(clock)).await
}

async fn roll_keys<D: Directory>(State(core): State<Arc<Core<D>>>) -> Response {
    match roll(&core).await {
        Ok(key_id) => Json(json!({"key_id": key_id})).into_response(),
        Err(error) => failed(&error),
    }
}

/// A token to order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenOrder {
    claims: Map<String, Value>,
    version: Option<TokenVersion>,
}

async fn order_token<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    order: Result<Json<TokenOrder>, JsonRejection>,
) -> Response {
    let Ok(Json(order)) = order else {
        return bad_request("send {\"claims\": {…}, \"version\": \"1.0\" or \"2.0\"}");
    };
    let ring = match core.keys.ring().await {
        Ok(ring) => ring,
        Err(error) => return failed(&error),
    };
    let version = order.version.unwrap_or(TokenVersion::V2);
    let signed = match ring.signing(core.clock.now()) {
        Some(key) => key.signer(version).sign(&order.claims).map_err(StartError::from),
        None => Err(StartError::Lab("no signing key is active".to_owned())),
    };
    match signed {
        Ok(token) => Json(json!({"access_token": token})).into_response(),
        Err(error) => failed(&error),
    }
}
