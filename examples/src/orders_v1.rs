//! `orders.v1`, as `tonic-prost-build` would generate it from this file, written by hand:
//!
//! ```proto
//! syntax = "proto3";
//! package orders.v1;
//! message Request {}
//! message Response { string text = 1; }
//! service Orders { rpc List(Request) returns (Response); }
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::client::Grpc as ClientGrpc;
use tonic::codegen::Service;
use tonic::server::{Grpc as ServerGrpc, NamedService, UnaryService};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

const LIST: &str = "/orders.v1.Orders/List";

/// Asks for the orders.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {}

/// What there is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// In words.
    #[prost(string, tag = "1")]
    pub text: String,
}

/// The service.
pub trait Orders: Send + Sync + 'static {
    /// Lists what there is.
    fn list(
        &self,
        request: tonic::Request<Request>,
    ) -> impl Future<Output = Result<tonic::Response<Response>, Status>> + Send;
}

/// The service as a server takes it.
#[derive(Debug)]
pub struct OrdersServer<T>(Arc<T>);

impl<T> OrdersServer<T> {
    /// Wraps the service.
    pub fn new(orders: T) -> Self {
        Self(Arc::new(orders))
    }
}

impl<T> Clone for OrdersServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for OrdersServer<T> {
    const NAME: &'static str = "orders.v1.Orders";
}

struct List<T>(Arc<T>);

impl<T: Orders> UnaryService<Request> for List<T> {
    type Response = Response;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let orders = Arc::clone(&self.0);
        Box::pin(async move { orders.list(request).await })
    }
}

impl<T: Orders> Service<http::Request<Body>> for OrdersServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let orders = Arc::clone(&self.0);
        Box::pin(async move {
            if request.uri().path() == LIST {
                Ok(ServerGrpc::new(ProstCodec::<Response, Request>::default()).unary(List(orders), request).await)
            } else {
                Ok(Status::new(Code::Unimplemented, "no such method").into_http())
            }
        })
    }
}

/// Calls `List`.
///
/// # Errors
/// What the service answers, and whatever keeps it from answering.
pub async fn list(channel: Channel, request: tonic::Request<Request>) -> Result<tonic::Response<Response>, Status> {
    let mut grpc = ClientGrpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    grpc.unary(request, http::uri::PathAndQuery::from_static(LIST), ProstCodec::default()).await
}
