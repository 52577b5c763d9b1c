//! The resource API: two routes, two permissions, all of it in a file.
//!
//!     cargo run --bin orders_api -- examples/orders-api.json
//!
//! `GET /orders` wants the policy's permission `read`, `POST /orders` its `write`: an application brings the app role
//! `Resource.Read` or `Resource.Write`, a user's token the scope `Orders.Read`. A changed policy file is in force within a
//! minute; a broken one changes nothing.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

use std::time::Duration;

use axum::routing::get;
use countersign_discovery::RemoteKeys;
use countersign_examples::{ApiSettings, Failure, announce, authority, transport};
use countersign_guard::{Caller, Guard, GuardedRouter, PolicyFile, Reload, Rule};
use countersign_protocol::{EndpointVersion, TenantSegment};

async fn list(caller: Caller) -> String {
    format!("tea and ink, says the API to {:?} {}", caller.kind(), caller.client())
}

async fn order(caller: Caller) -> String {
    format!("ordered for {}", caller.client())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = ApiSettings::from_arguments()?;
    let tenant = TenantSegment::parse(&settings.tenant)?;
    let policy = PolicyFile::open(&settings.policy_file)?;

    let keys = RemoteKeys::from_authority(&authority()?, &tenant, EndpointVersion::V2, transport()?)?.build();
    let guard = Guard::builder(keys.into(), &policy.policy())?
        .authorization_uri(authority()?.authorization_endpoint(&tenant, EndpointVersion::V2))
        .build();
    // The API may start before the authority is there; requests are answered 503 until it is.
    if let Err(refusal) = guard.ready().await {
        eprintln!("not ready yet: {refusal}");
    }

    let routes = GuardedRouter::new(guard.clone())
        .get("/orders", list)
        .requires(Rule::named("read"))
        .post("/orders", order)
        .requires(Rule::named("write"))
        .open("/healthz", "the load balancer has no token", get(|| async { "ok" }));
    // To be diffed in review: every route and what it wants, and the policy.
    routes.listing().iter().for_each(|line| println!("{line}"));
    guard.verifier().listing().iter().for_each(|line| println!("{line}"));
    let app = routes.into_router()?;

    tokio::spawn(async move {
        let mut minute = tokio::time::interval(Duration::from_secs(60));
        loop {
            minute.tick().await;
            match policy.reload(guard.verifier()) {
                Ok(Reload::Replaced) => println!("a new policy is in force"),
                Ok(Reload::Unchanged) => {}
                Err(error) => eprintln!("the old policy stays: {error}"),
            }
        }
    });
    let listener = tokio::net::TcpListener::bind(settings.listen).await?;
    announce(&listener)?;
    Ok(axum::serve(listener, app).await?)
}
