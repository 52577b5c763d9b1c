//! The person at the front of the middle tier: signs in, and calls it.
//!
//!     AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_USERNAME=… AZURE_PASSWORD=… \
//!         cargo run --bin sign_in_and_call -- api://…/access_as_user http://127.0.0.1:5002/summary
//!
//! By name and password, so that nobody has to type anything into a browser: that is for tests on your own machine. Real
//! programs let people sign in in the browser, or with a device code.

#![expect(clippy::print_stdout, reason = "a program's own output")]

use countersign_client::RequestOptions;
use countersign_examples::{Failure, call, client, value};
use countersign_protocol::ScopeSet;
use http::Method;
use secrecy::SecretString;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let scopes = ScopeSet::parse(&arguments.next().ok_or("the first argument is the API's scope")?)?;
    let url = arguments.next().ok_or("the second argument is the address to call")?;
    let password = SecretString::from(value("AZURE_PASSWORD")?);
    let signed_in = client()?
        .acquire_token_by_password(&value("AZURE_USERNAME")?, password, &scopes, &RequestOptions::default())
        .await?;
    println!("GET {url}: {}", call(Method::GET, &url, signed_in.token().authorization()).await?);
    Ok(())
}
