//! gRPC: the layer that waits, and tonic's interceptor, which cannot.

use std::convert::Infallible;

use bytes::Bytes;
use countersign_guard::{Guard, GuardInterceptor, VerifiedCaller};
use http::{Request, Response};
use http_body_util::Empty;
use tonic::Code;
use tonic::service::Interceptor;
use tower::{Layer, ServiceExt, service_fn};

use crate::{guarded, read};

/// What the layer says to a request with this header.
async fn ask(guard: &Guard, authorization: Option<String>) -> Response<Empty<Bytes>> {
    let service = service_fn(|request: Request<()>| async move {
        assert!(request.extensions().get::<VerifiedCaller>().is_some());
        Ok::<_, Infallible>(Response::new(Empty::new()))
    });
    let mut request = Request::post("/orders.v1.Orders/List");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    guard.layer_for(read()).grpc().layer(service).oneshot(request.body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn refusals_are_statuses_of_grpc() {
    let (guard, authority) = guarded();
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let response = ask(&guard, bearer(authority.app(["Orders.Read"]).token())).await;
    assert_eq!((response.status().as_u16(), response.headers().len()), (200, 0));
    for (authorization, code, challenge) in [
        (None, "16", "Bearer"),
        (bearer("opaque".to_owned()), "16", "invalid_token"),
        (bearer(authority.app(["Orders.Read"]).expired().token()), "16", "expired"),
        (bearer(authority.app(["Other"]).token()), "7", "insufficient_scope"),
        (bearer("a b".to_owned()), "3", "invalid_request"),
    ] {
        let response = ask(&guard, authorization).await;
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!((response.status().as_u16(), header("content-type")), (200, "application/grpc"));
        assert_eq!(header("grpc-status"), code);
        assert!(header("www-authenticate").contains(challenge), "{}", header("www-authenticate"));
    }
}

#[tokio::test]
async fn an_interceptor_says_the_same() {
    let (guard, authority) = guarded();
    let mut interceptor = GuardInterceptor::new(guard, read()).unwrap();
    let mut ask = |token: Option<String>| {
        let mut request = tonic::Request::new(());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        interceptor.call(request)
    };
    let admitted = ask(Some(authority.app(["Orders.Read"]).token())).unwrap();
    assert!(admitted.extensions().get::<VerifiedCaller>().is_some());
    let code = |token| ask(token).unwrap_err().code();
    let answers =
        [None, Some(authority.app(["Other"]).token()), Some(authority.app(["Orders.Read"]).forged())].map(code);
    assert_eq!(answers, [Code::Unauthenticated, Code::PermissionDenied, Code::Unauthenticated]);
    let status = ask(Some("opaque".to_owned())).unwrap_err();
    assert!(status.metadata().get("www-authenticate").unwrap().to_str().unwrap().contains("invalid_token"));
}
