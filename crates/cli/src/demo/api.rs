//! The API: two routes behind the guard, over HTTPS, with keys fetched from the authority over HTTPS.

use std::sync::Arc;

use axum::Json;
use countersign_authority::Authority;
use countersign_discovery::{RemoteKeys, Transport};
use countersign_guard::{AppRole, Caller, Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::{CloudProfile, EndpointVersion, TenantSegment};
use countersign_token::{ClientId, Clock, OffsetClock};
use serde_json::{Value, json};

use super::cast::{Cast, ORDERS_READ, READ, WRITE};
use super::error::DemoError;
use super::server::Server;

/// A running API.
pub(crate) struct Api {
    /// Its orders: `https://localhost:<port>/orders`.
    pub(crate) orders: String,
    /// What it lets in, to ask for the reason of a refusal as its log would have it.
    pub(crate) guard: Guard,
    /// The keys it believes in.
    pub(crate) keys: RemoteKeys,
    server: Server,
}

struct WriteRole;

impl AppRole for WriteRole {
    const VALUE: &'static str = WRITE;
}

/// For an application with the role and for a user with the scope alike; who it was is in the answer.
async fn list(caller: Caller) -> Json<Value> {
    let user = caller.claim("name");
    Json(
        json!({"orders": [{"id": 1, "item": "tea"}, {"id": 2, "item": "ink"}], "caller": caller.client(), "user": user}),
    )
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
        let policy = Policy {
            app_roles: vec![READ.to_owned()],
            scopes: vec![ORDERS_READ.to_owned()],
            ..contosos_tokens(authority, cast, cast.resource_app)
        };
        let (guard, keys) = guard(authority, cast, &policy, clock, transport).await?;
        let app = GuardedRouter::new(guard.clone())
            .get("/orders", list)
            .requires(Permission::any_app_role([READ]).or(Permission::any_scope([ORDERS_READ])))
            .post("/orders", create)
            .requires(Permission::any_app_role([WRITE]))
            .into_router()?;
        let server = Server::start(authority, app).await?;
        Ok(Self { orders: format!("{}/orders", server.origin), guard, keys, server })
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// A guard for Contoso, with keys from the authority at hand.
pub(super) async fn guard(
    authority: &Authority,
    cast: &Cast,
    policy: &Policy,
    clock: &OffsetClock,
    transport: Arc<dyn Transport>,
) -> Result<(Guard, RemoteKeys), DemoError> {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let tenant = TenantSegment::from(cast.contoso);
    let keys = RemoteKeys::from_authority(authority.host(), &tenant, EndpointVersion::V2, transport)?
        .clock(Arc::clone(&clock))
        .build();
    let guard = Guard::builder(keys.clone().into(), policy)?
        .clock(clock)
        .authorization_uri(authority.host().authorization_endpoint(cast.contoso, EndpointVersion::V2))
        .build();
    keys.ready().await?;
    Ok((guard, keys))
}

/// Contoso's tokens for one API, and no others. What a caller may do is for each route to say.
pub(super) fn contosos_tokens(authority: &Authority, cast: &Cast, api: ClientId) -> Policy {
    Policy {
        tenants: vec![cast.contoso],
        issuers: vec![authority.host().issuer_v2("{tenantid}"), CloudProfile::GLOBAL.issuer_v1("{tenantid}")],
        audiences: vec![api.to_string()],
        ..Policy::default()
    }
}
