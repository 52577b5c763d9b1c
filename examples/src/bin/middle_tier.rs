//! The middle tier: an API that calls the next API in its caller's name.
//!
//!     AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=… \
//!         cargo run --bin middle_tier -- examples/middle-tier.json api://…/Orders.Read http://127.0.0.1:5001/orders
//!
//! It takes users' tokens alone, with the scope `access_as_user`. The guard lets the request in; only then is the token
//! exchanged on behalf of the user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use countersign_client::{ConfidentialClient, UserAssertion};
use countersign_discovery::RemoteKeys;
use countersign_examples::{ApiSettings, Failure, announce, authority, call, client, transport};
use countersign_guard::{Caller, Guard, GuardedRouter, PolicyFile, Rule};
use countersign_protocol::{EndpointVersion, ScopeSet, TenantSegment};
use http::Method;

struct Downstream {
    client: ConfidentialClient,
    scopes: ScopeSet,
    url: String,
}

/// What the next API says to the user who called us.
async fn summary(
    caller: Caller,
    State(downstream): State<Arc<Downstream>>,
    headers: HeaderMap,
) -> Result<String, (StatusCode, String)> {
    let failed = |status, error: &dyn std::fmt::Display| (status, error.to_string());
    // The guard let exactly one token in.
    let token = headers[header::AUTHORIZATION].to_str().unwrap_or_default().split(' ').next_back().unwrap_or_default();
    let assertion =
        UserAssertion::new(token.to_owned()).map_err(|fault| failed(StatusCode::BAD_REQUEST, &format!("{fault:?}")))?;
    let token = downstream.client.acquire_token_on_behalf_of(&assertion, &downstream.scopes).await;
    let token = token.map_err(|error| failed(StatusCode::BAD_GATEWAY, &error))?;
    let answer = call(Method::GET, &downstream.url, token.authorization()).await;
    let answer = answer.map_err(|error| failed(StatusCode::BAD_GATEWAY, &error))?;
    Ok(format!("on behalf of {}: {answer}", caller.object_id().map_or_else(String::new, |user| user.to_string())))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = ApiSettings::from_arguments()?;
    let mut arguments = std::env::args().skip(2);
    let scopes = ScopeSet::parse(&arguments.next().ok_or("the second argument is the scope of the next API")?)?;
    let url = arguments.next().ok_or("the third argument is the address of the next API")?;
    let downstream = Downstream { client: client()?, scopes, url };

    let tenant = TenantSegment::parse(&settings.tenant)?;
    let policy = PolicyFile::open(&settings.policy_file)?;
    let keys = RemoteKeys::from_authority(&authority()?, &tenant, EndpointVersion::V2, transport()?)?.build();
    let guard = Guard::builder(keys.into(), &policy.policy())?
        .authorization_uri(authority()?.authorization_endpoint(&tenant, EndpointVersion::V2))
        .build();
    let app = GuardedRouter::new(guard).get("/summary", summary).requires(Rule::own()).into_router()?;
    let listener = tokio::net::TcpListener::bind(settings.listen).await?;
    announce(&listener)?;
    Ok(axum::serve(listener, app.with_state(Arc::new(downstream))).await?)
}
