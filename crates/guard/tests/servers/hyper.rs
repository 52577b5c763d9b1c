//! Plain hyper: an adapter for its own services, and `TowerToHyperService` for layered ones.

use std::convert::Infallible;

use bytes::Bytes;
use countersign_guard::test_kit::TestAuthority;
use countersign_guard::{GuardedHyperService, VerifiedCaller};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::{ServiceBuilder, service_fn};

use crate::{guarded, read};

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let caller = request.extensions().get::<VerifiedCaller>().unwrap().client();
    Ok(Response::new(format!("hello, {caller}").into()))
}

#[tokio::test]
async fn a_hyper_server_behind_the_guard() {
    let (guard, authority) = guarded();
    let layered = ServiceBuilder::new().layer(guard.layer_for(read())).service(service_fn(hello));
    serve(&authority, TowerToHyperService::new(layered)).await;
    let plain = GuardedHyperService::new(hyper::service::service_fn(hello), guard, read()).unwrap();
    serve(&authority, plain.clone()).await;
    assert!(format!("{plain:?}").starts_with("GuardedHyperService"));
}

async fn serve<S>(authority: &TestAuthority, service: S)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let server = hyper::server::conn::http1::Builder::new();
    tokio::spawn(server.serve_connection(TokioIo::new(ours), service));
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(theirs)).await.unwrap();
    tokio::spawn(connection);
    for (token, status, body) in [
        (authority.app(["Orders.Read"]).token(), 200, "hello, 8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55"),
        (authority.app(["Other"]).token(), 403, ""),
        (authority.user(["access_as_user"]).token(), 403, ""),
        ("opaque".to_owned(), 401, ""),
    ] {
        let request = Request::get("/").header("host", "orders").header("authorization", format!("Bearer {token}"));
        let response = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
    }
}
