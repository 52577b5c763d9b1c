//! The API of many tenants: every organisation may have it, and those that bought it may call it.
//!
//!     cargo run --bin multi_tenant_api -- examples/multi-tenant-api.json
//!
//! The policy says `any_tenant`, which lets nobody in by itself: each tenant that it does not list is a customer or not, by
//! the service's own word. A customer is told apart by `tid`, and its data by `tid` too, never by an e-mail address.

use std::collections::HashSet;

use countersign_discovery::RemoteKeys;
use countersign_examples::{ApiSettings, Failure, announce, authority, transport};
use countersign_guard::{Caller, Guard, GuardedRouter, PolicyFile, Rule};
use countersign_protocol::{EndpointVersion, TenantSegment};
use countersign_token::TenantId;

async fn data(caller: Caller) -> String {
    format!("the data of tenant {}", caller.tenant())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = ApiSettings::from_arguments()?;
    // In a real service this is kept in step with the database; it is asked on every request, so it does not wait for it.
    let customers: HashSet<TenantId> = settings.customers.into_iter().collect();
    let policy = PolicyFile::open(&settings.policy_file)?;
    // `organizations`: the keys of all organisations' tenants, published with the template of their issuer.
    let tenant = TenantSegment::parse(&settings.tenant)?;
    let keys = RemoteKeys::from_authority(&authority()?, &tenant, EndpointVersion::V2, transport()?)?.build();
    let guard = Guard::builder(keys.into(), &policy.policy())?
        .tenants(move |tenant| customers.contains(&tenant))
        .authorization_uri(authority()?.authorization_endpoint(&tenant, EndpointVersion::V2))
        .build();
    let app = GuardedRouter::<()>::new(guard).get("/data", data).requires(Rule::own()).into_router()?;
    let listener = tokio::net::TcpListener::bind(settings.listen).await?;
    announce(&listener)?;
    Ok(axum::serve(listener, app).await?)
}
