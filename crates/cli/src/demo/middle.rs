//! The API in the middle: guarded like the other, for users' tokens alone, and a client of the other in their names.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use countersign_authority::Authority;
use countersign_client::{ConfidentialClient, UserAssertion};
use countersign_discovery::{Limits, Transport};
use countersign_guard::{ByScope, Caller, Guard, GuardedRouter, Permission, Policy, Scope, TokenKind};
use countersign_protocol::{ScopeSet, TenantSegment};
use countersign_token::OffsetClock;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};

use super::api::{contosos_tokens, guard};
use super::cast::{ACCESS_AS_USER, Cast, ORDERS_READ, RESOURCE};
use super::error::DemoError;
use super::server::Server;

/// A running middle tier.
pub(crate) struct Middle {
    /// What it serves: `https://localhost:<port>/my-orders`.
    pub(crate) my_orders: String,
    /// What it lets in.
    pub(crate) guard: Guard,
    server: Server,
}

struct AccessAsUser;

impl Scope for AccessAsUser {
    const VALUE: &'static str = ACCESS_AS_USER;
}

/// What a request needs.
struct Tools {
    client: ConfidentialClient,
    scopes: ScopeSet,
    orders: String,
    transport: Arc<dyn Transport>,
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 64 * 1024 };

impl Middle {
    /// Starts it. What it asks and calls goes through `wire`; its keys come through `transport`.
    pub(crate) async fn start(
        authority: &Authority,
        cast: &Cast,
        clock: &OffsetClock,
        transport: Arc<dyn Transport>,
        wire: Arc<dyn Transport>,
        orders: String,
    ) -> Result<Self, DemoError> {
        let policy = Policy {
            kinds: vec![TokenKind::User],
            scopes: vec![ACCESS_AS_USER.to_owned()],
            ..contosos_tokens(authority, cast, cast.middle_app)
        };
        let (guard, _) = guard(authority, cast, &policy, clock, transport).await?;
        let client =
            ConfidentialClient::builder(authority.host().clone(), TenantSegment::from(cast.contoso), cast.middle_app)
                .secret(cast.middle_secret.clone())
                .transport(Arc::clone(&wire))
                .clock(Arc::new(clock.clone()))
                .build()?;
        let scopes = ScopeSet::parse(&format!("{RESOURCE}/{ORDERS_READ}")).map_err(|_| DemoError::NoToken)?;
        let tools = Arc::new(Tools { client, scopes, orders, transport: wire });
        let app = GuardedRouter::new(guard.clone())
            .get("/my-orders", my_orders)
            .requires(Permission::any_scope([ACCESS_AS_USER]))
            .into_router()?
            .with_state(tools);
        let server = Server::start(authority, app).await?;
        Ok(Self { my_orders: format!("{}/my-orders", server.origin), guard, server })
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// Asks the other API in the caller's name, and hands on what it says.
async fn my_orders(State(tools): State<Arc<Tools>>, _: Caller<ByScope<AccessAsUser>>, headers: HeaderMap) -> Response {
    match tools.orders_of(&headers).await {
        Ok(orders) => Json(json!({"through": "DemoMiddleApp", "orders": orders})).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({"error": error.in_one_line()}))).into_response(),
    }
}

impl Tools {
    async fn orders_of(&self, headers: &HeaderMap) -> Result<Value, DemoError> {
        // The guard has let exactly this token in.
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|it| it.split_once(' '));
        let (_, token) = token.ok_or(DemoError::NoToken)?;
        let assertion = UserAssertion::new(token.to_owned()).map_err(|_| DemoError::NoToken)?;
        let token = self.client.acquire_token_on_behalf_of(&assertion, &self.scopes).await?;
        let request =
            Request::get(&self.orders).header(AUTHORIZATION, token.authorization().clone()).body(Bytes::new())?;
        let response = self.transport.send(request, LIMITS).await?;
        Ok(serde_json::from_slice(response.body()).unwrap_or_default())
    }
}
