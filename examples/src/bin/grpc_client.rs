//! A daemon that calls the gRPC service; see `grpc_service.rs`.

#![expect(clippy::print_stdout, reason = "a program's own output")]

use countersign_examples::orders_v1::{Request, list};
use countersign_examples::{Failure, client};
use countersign_protocol::{ResourceIdentifier, ScopeSet};
use tonic::transport::Endpoint;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let resource = ResourceIdentifier::parse(&arguments.next().ok_or("the first argument is the API's identifier")?)?;
    let endpoint = Endpoint::from_shared(arguments.next().ok_or("the second argument is the address to call")?)?;
    let token = client()?.acquire_token_for_client(&ScopeSet::default_of(&resource)).await?;
    let channel = endpoint.connect().await?;

    let mut with_token = tonic::Request::new(Request {});
    with_token.metadata_mut().insert("authorization", token.authorization().to_str()?.parse()?);
    println!("with a token: {}", list(channel.clone(), with_token).await?.into_inner().text);
    match list(channel, tonic::Request::new(Request {})).await {
        Ok(_) => println!("without a token: let in, which must not be"),
        Err(status) => println!("without a token: {:?}", status.code()),
    }
    Ok(())
}
