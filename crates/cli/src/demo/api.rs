//! The API: two routes behind the guard, over HTTPS, with keys fetched from the authority over HTTPS.

use std::sync::Arc;

use axum::Json;
use axum::routing::{get, post};
use countersign_authority::{Authority, serve};
use countersign_discovery::{RemoteKeys, Transport};
use countersign_guard::{AppRole, Caller, Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::{CloudProfile, EndpointVersion, TenantSegment};
use countersign_token::{Clock, OffsetClock, TokenKind, TokenVersion};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cast::{Cast, READ, WRITE};
use super::error::DemoError;

/// A running API.
pub(crate) struct Api {
    /// Its orders: `https://localhost:<port>/orders`.
    pub(crate) orders: String,
    /// What it lets in, to ask for the reason of a refusal as its log would have it.
    pub(crate) guard: Guard,
    /// The keys it believes in.
    pub(crate) keys: RemoteKeys,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct ReadRole;

impl AppRole for ReadRole {
    const VALUE: &'static str = READ;
}

struct WriteRole;

impl AppRole for WriteRole {
    const VALUE: &'static str = WRITE;
}

async fn list(caller: Caller<ReadRole>) -> Json<Value> {
    Json(json!({"orders": [{"id": 1, "item": "tea"}, {"id": 2, "item": "ink"}], "caller": caller.client()}))
}

async fn create(caller: Caller<WriteRole>) -> Json<Value> {
    Json(json!({"created": 3, "caller": caller.client()}))
}

impl Api {
    /// Starts it for tokens of Contoso.
    pub(crate) async fn start(
        authority: &Authority,
        cast: &Cast,
        clock: &OffsetClock,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, DemoError> {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let tenant = TenantSegment::from(cast.contoso);
        let keys = RemoteKeys::from_authority(authority.host(), &tenant, EndpointVersion::V2, transport)?
            .clock(Arc::clone(&clock))
            .build();
        let guard = Guard::builder(keys.clone().into(), &policy(authority, cast))?
            .clock(clock)
            .authorization_uri(authority.host().authorization_endpoint(cast.contoso, EndpointVersion::V2))
            .build();
        keys.ready().await?;
        let app = GuardedRouter::new(guard.clone())
            .route("/orders", get(list))
            .requires(Permission::any_app_role([READ]))
            .route("/orders", post(create))
            .requires(Permission::any_app_role([WRITE]))
            .into_router()?;
        let tls = authority.server_tls(&["localhost"])?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(DemoError::Listen)?;
        let port = listener.local_addr().map_err(DemoError::Listen)?.port();
        let (stop, mut stopping) = watch::channel(false);
        let shutdown = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let task = tokio::spawn(serve::https(listener, tls, app, serve::ServeLimits::default(), shutdown));
        Ok(Self { orders: format!("https://localhost:{port}/orders"), guard, keys, stop, task })
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Contoso's tokens for this API, and no others. What a caller may do is for each route to say.
fn policy(authority: &Authority, cast: &Cast) -> Policy {
    Policy {
        tenants: vec![cast.contoso],
        issuers: vec![authority.host().issuer_v2("{tenantid}"), CloudProfile::GLOBAL.issuer_v1("{tenantid}")],
        audiences: vec![cast.resource_app.to_string()],
        versions: vec![TokenVersion::V1, TokenVersion::V2],
        algorithms: vec![countersign_token::Algorithm::Rs256],
        clock_skew_seconds: 60,
        kinds: vec![TokenKind::App],
        app_roles: vec![READ.to_owned()],
        scopes: Vec::new(),
        clients: None,
        allow_without_permission: false,
        ..Policy::default()
    }
}
