//! The lab: what a test wants to do to an authority and nobody else may. On only with `--lab`, and only for the
//! administrator, whose token is checked by our own guard.
//!
//! | route | does |
//! |---|---|
//! | `GET`, `POST /lab/clock` | shows and turns the clock: `{"advance_seconds": 7200}`, `{"freeze": true}`, `{"reset": true}` |
//! | `POST /lab/keys/roll` | the next signing key signs from now on |
//! | `POST /lab/tokens` | a token to order: any claims, any fault ([`tokens`]) |
//! | `GET`, `POST`, `DELETE /lab/faults`, `DELETE /lab/faults/{id}` | faults by endpoint and client ([`faults`]) |
//! | `GET`, `DELETE /lab/calls` | who called what, and what came of it ([`calls`]) |
//! | `PUT /lab/snapshots/{name}`, `POST /lab/reset` | keeps the state, and goes back to it ([`state`]) |
//! | `POST /lab/tenants`, `DELETE /lab/tenants/{id}` | a tenant for one test ([`tenants`]) |

mod calls;
mod clock;
mod endpoint;
mod faults;
mod injection;
mod state;
mod tenants;
mod tokens;

use std::sync::Arc;

use axum::extract::FromRequest;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use countersign_directory::{Directory, MICROSOFT_GRAPH};
use countersign_guard::{Guard, GuardedRouter, Permission, Policy};
use countersign_token::{Algorithm, OffsetClock, SigningKey, TokenKind, TokenVersion};
use http::StatusCode;
use serde_json::json;
use tokio::sync::OnceCell;

pub(crate) use injection::inject;

use crate::StartError;
use crate::administrator::Administrator;
use crate::core::Core;
use crate::own_guard::own_keys;

/// What the lab knows and what it has been told to do.
pub(crate) struct Lab<D: Directory> {
    core: Arc<Core<D>>,
    clock: OffsetClock,
    faults: faults::Faults,
    calls: calls::Calls,
    snapshots: state::Snapshots,
    /// A key that nobody publishes, made when the first token under a wrong key is ordered.
    foreign_key: OnceCell<Arc<SigningKey>>,
}

impl<D: Directory> Lab<D> {
    /// A lab over a running authority. What the directory holds now is what a reset goes back to.
    pub(crate) async fn new(core: Arc<Core<D>>, clock: OffsetClock) -> Result<Arc<Self>, StartError> {
        let snapshots = state::Snapshots::begin(core.registry.directory()).await?;
        let (faults, calls) = (faults::Faults::default(), calls::Calls::default());
        Ok(Arc::new(Self { core, clock, faults, calls, snapshots, foreign_key: OnceCell::new() }))
    }
}

/// The lab's routes, each for the administrator only.
pub(crate) fn router<D: Directory>(lab: &Arc<Lab<D>>, administrator: &Administrator) -> Result<Router, StartError> {
    let core = &lab.core;
    let misconfigured = |error: String| StartError::Lab(error);
    let mut policy = Policy {
        tenants: vec![administrator.tenant_id],
        issuers: core.origins.all().map(|origin| origin.cloud.issuer_v1("{tenantid}")).collect(),
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
    policy.issuers.sort_unstable();
    policy.issuers.dedup();
    let guard = Guard::builder(own_keys(core)?, &policy)
        .map_err(|error| misconfigured(error.to_string()))?
        .clock(Arc::clone(&core.clock))
        .build();
    let administration = || Permission::any_app_role(["Directory.ReadWrite.All"]);
    let routes = GuardedRouter::new(guard)
        .route("/lab/clock", get(clock::show::<D>).post(clock::turn::<D>))
        .requires(administration())
        .route("/lab/keys/roll", post(clock::roll_keys::<D>))
        .requires(administration())
        .route("/lab/tokens", post(tokens::order::<D>))
        .requires(administration())
        .route("/lab/faults", get(faults::list::<D>).post(faults::add::<D>).delete(faults::clear::<D>))
        .requires(administration())
        .route("/lab/faults/{id}", delete(faults::remove::<D>))
        .requires(administration())
        .route("/lab/calls", get(calls::list::<D>).delete(calls::clear::<D>))
        .requires(administration())
        .route("/lab/snapshots/{name}", put(state::keep::<D>).delete(state::forget::<D>))
        .requires(administration())
        .route("/lab/reset", post(state::reset::<D>))
        .requires(administration())
        .route("/lab/tenants", post(tenants::create::<D>))
        .requires(administration())
        .route("/lab/tenants/{id}", delete(tenants::remove::<D>))
        .requires(administration())
        .into_router()
        .map_err(|error| misconfigured(error.to_string()))?;
    Ok(routes.with_state(Arc::clone(lab)))
}

/// A JSON order. What is not of its form is refused with what is.
struct Order<T>(T);

impl<S: Send + Sync, T> FromRequest<S> for Order<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Response> {
        match Json::from_request(request, state).await {
            Ok(Json(order)) => Ok(Self(order)),
            Err(rejection) => Err(bad_request(&rejection.body_text())),
        }
    }
}

fn bad_request(what: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request", "error_description": what}))).into_response()
}

fn not_found(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": "not_found", "error_description": what}))).into_response()
}

fn failed(error: &StartError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "a lab operation failed");
    let body = json!({"error": "temporarily_unavailable", "error_description": "the operation failed; see the log"});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}
