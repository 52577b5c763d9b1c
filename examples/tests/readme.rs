//! What the README shows in Rust, compiled and run: its blocks are lines of this very file, in their order.

#![expect(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests; values as the README has them")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use countersign_authority::Authority;
use countersign_client::ConfidentialClient;
use countersign_directory::DirectoryFile;
use countersign_discovery::{HttpsTransport, RemoteKeys, Transport};
use countersign_examples::Failure;
use countersign_guard::{AppRole, Caller, Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::{AuthorityHost, EndpointVersion, ScopeSet, TenantSegment};
use countersign_token::ClientId;
use http::Request;
use http::header::AUTHORIZATION;
use tower::ServiceExt as _;

const SECRET: &str = "kQ8~Q.example_Secret-0123456789abcdefghi";
const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

struct OrdersRead;
impl AppRole for OrdersRead {
    const VALUE: &'static str = "Orders.Read";
}

async fn list(caller: Caller<OrdersRead>) -> String {
    format!("hello, {}", caller.client())
}

fn api(
    authority: AuthorityHost,
    tenant: TenantSegment,
    policy: Policy,
    transport: Arc<dyn Transport>,
) -> Result<Router, Failure> {
    let keys = RemoteKeys::from_authority(&authority, &tenant, EndpointVersion::V2, transport)?.build();
    let guard = Guard::builder(keys.into(), &policy)?.build();
    // A route without a permission is an error here, not a hole later.
    let app = GuardedRouter::new(guard)
        .get("/orders", list)
        .requires(Permission::any_app_role(["Orders.Read"]))
        .into_router()?;
    Ok(app)
}

async fn call(
    authority: AuthorityHost,
    tenant: TenantSegment,
    client_id: ClientId,
    transport: Arc<dyn Transport>,
    request: &mut Request<Body>,
) -> Result<(), Failure> {
    let secret = SECRET;
    let client =
        ConfidentialClient::builder(authority, tenant, client_id).secret(secret).transport(transport).build()?;
    let token = client.acquire_token_for_client(&ScopeSet::parse("api://orders/.default")?).await?;
    request.headers_mut().insert(AUTHORIZATION, token.authorization().clone());
    Ok(())
}

fn blocks(language: &str) -> Vec<&'static str> {
    let text = include_str!("../../README.md");
    let opening = format!("```{language}\n");
    text.split(opening.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn the_readmes_blocks_are_lines_of_this_file() {
    let mut here = include_str!("readme.rs").lines().map(str::trim);
    let blocks = blocks("rust");
    assert_eq!(blocks.len(), 2);
    for line in blocks.into_iter().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()) {
        assert!(here.any(|it| it == line), "the README says `{line}`, this file does not, or not there");
    }
}

#[tokio::test]
async fn what_the_readme_shows_works() {
    // The README's own policy and directory, for this authority.
    let directory = blocks("yaml")[0].replace("a-secret-only-for-this-machine", SECRET);
    let directory = directory
        .replace("identifierUris: [\"api://", "identifierUris: [\"api://orders\", \"api://")
        .replace("Resource.Write", "Orders.Read");
    let file = DirectoryFile::parse("directory.yaml", &directory).unwrap().file;
    let authority = Authority::builder().directory(file).start().await.unwrap();
    let transport = HttpsTransport::builder().only_roots_pem(authority.ca_pem().as_bytes()).unwrap().build().unwrap();
    let transport: Arc<dyn Transport> = Arc::new(transport);
    let host = authority.host().clone();
    let policy = blocks("json")[0]
        .replace("https://login.microsoftonline.com", host.origin())
        .replace("\"audiences\": [", "\"audiences\": [\"api://orders\", ");
    let policy: Policy = serde_json::from_str(&policy).unwrap();
    let tenant = TenantSegment::parse(TENANT).unwrap();

    let app = api(host.clone(), tenant.clone(), policy, transport.clone()).unwrap();
    let request = || Request::get("/orders").body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(request()).await.unwrap().status(), 401);

    let client_id = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55".parse().unwrap();
    let mut request = request();
    call(host, tenant, client_id, transport, &mut request).await.unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
}
