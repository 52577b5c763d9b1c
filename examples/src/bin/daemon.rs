//! The daemon: an application that calls the API in its own name.
//!
//!     AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=… \
//!         cargo run --bin daemon -- api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11 http://127.0.0.1:5001/orders
//!
//! An administrator granted it `Resource.Read`, so it may list orders; it may not place any.

#![expect(clippy::print_stdout, reason = "a program's own output")]

use countersign_examples::{Failure, call, client};
use countersign_protocol::{ResourceIdentifier, ScopeSet};
use http::Method;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let resource = ResourceIdentifier::parse(&arguments.next().ok_or("the first argument is the API's identifier")?)?;
    let url = arguments.next().ok_or("the second argument is the address to call")?;
    // Keep the client for as long as the program runs: it keeps tokens, and renews them before they end.
    let client = client()?;
    let scopes = ScopeSet::default_of(&resource);
    for method in [Method::GET, Method::POST] {
        let token = client.acquire_token_for_client(&scopes).await?;
        println!("{method} {url}: {}", call(method.clone(), &url, token.authorization()).await?);
    }
    Ok(())
}
