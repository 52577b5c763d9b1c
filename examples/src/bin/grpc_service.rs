//! The gRPC service: `orders.v1.Orders/List`, with the guard as a layer.
//!
//!     cargo run --bin grpc_service -- examples/grpc-service.json
//!     AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=… \
//!         cargo run --bin grpc_client -- api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11 http://127.0.0.1:5004
//!
//! The service is written by hand, so that this example needs no `protoc`; yours comes from `tonic-prost-build`, and
//! `Server::builder().layer(…)` is the same.

use countersign_discovery::RemoteKeys;
use countersign_examples::orders_v1::{Orders, OrdersServer, Request, Response};
use countersign_examples::{ApiSettings, Failure, announce, authority, transport};
use countersign_guard::{Guard, PolicyFile, Rule, VerifiedCaller};
use countersign_protocol::{EndpointVersion, TenantSegment};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

struct Shop;

impl Orders for Shop {
    async fn list(&self, request: tonic::Request<Request>) -> Result<tonic::Response<Response>, tonic::Status> {
        let caller = request.extensions().get::<VerifiedCaller>().ok_or_else(|| tonic::Status::internal("no guard"))?;
        let text = format!("tea and ink, says the service to {}", caller.client());
        Ok(tonic::Response::new(Response { text }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = ApiSettings::from_arguments()?;
    let tenant = TenantSegment::parse(&settings.tenant)?;
    let policy = PolicyFile::open(&settings.policy_file)?;
    let keys = RemoteKeys::from_authority(&authority()?, &tenant, EndpointVersion::V2, transport()?)?.build();
    let guard = Guard::builder(keys.into(), &policy.policy())?.build();
    let layer = guard.layer_under(Rule::named("read"))?.grpc();
    let listener = tokio::net::TcpListener::bind(settings.listen).await?;
    announce(&listener)?;
    let incoming = TcpIncoming::from(listener);
    Ok(Server::builder().layer(layer).add_service(OrdersServer::new(Shop)).serve_with_incoming(incoming).await?)
}
