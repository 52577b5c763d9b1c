//! gRPC: the layer that waits, and tonic's interceptor, which cannot.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use countersign_discovery::BoxFuture;
use countersign_guard::test_kit::TestAuthority;
use countersign_guard::{Claims, GroupResolver, Guard, GuardInterceptor, Permission, Verified, VerifiedCaller};
use countersign_token::ObjectId;
use http::{Request, Response};
use http_body_util::Empty;
use tonic::Code;
use tonic::service::Interceptor;
use tower::{Layer, ServiceExt, service_fn};

use crate::{cut_off, guarded, read};

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

#[tokio::test]
async fn without_keys_both_are_unavailable_and_say_so_in_their_own_words() {
    let (_, authority) = guarded();
    let token = authority.app(["Orders.Read"]).token();
    let response = ask(&cut_off(), Some(format!("Bearer {token}"))).await;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("grpc-status"), header("retry-after")), (Some("14"), Some("5")));
    assert_eq!(header("www-authenticate"), None);

    let mut interceptor = GuardInterceptor::new(cut_off(), read()).unwrap();
    let mut request = tonic::Request::new(());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(interceptor.call(request).unwrap_err().code(), Code::Unavailable);
}

/// Always knows, if somebody waits for it.
#[derive(Debug)]
struct Graph(std::sync::atomic::AtomicUsize);

impl GroupResolver for Graph {
    fn groups<'a>(&'a self, _: &'a Verified<Claims>) -> BoxFuture<'a, Option<Vec<ObjectId>>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async { Some(vec![GROUP.parse().unwrap()]) })
    }
}

const GROUP: &str = "55555555-0d2e-4c8a-9d43-0f0f2d4a5c11";

/// An interceptor cannot wait for somebody's groups, and does not send for what nobody would wait for.
#[tokio::test]
async fn an_interceptor_refuses_users_whose_groups_are_elsewhere_and_asks_nobody() {
    let mut policy = crate::policy();
    policy.groups = Some(vec![GROUP.parse().unwrap()]);
    let authority = TestAuthority::of(&policy);
    let graph = Arc::new(Graph(0.into()));
    let guard = Guard::builder(authority.keys(), &policy).unwrap();
    let guard = guard.groups(Arc::clone(&graph) as Arc<dyn GroupResolver>).build();
    let mut interceptor = GuardInterceptor::new(guard, Permission::any_scope(["access_as_user"])).unwrap();
    let overage = authority.user(["access_as_user"]).claim("_claim_names", serde_json::json!({"groups": "src1"}));
    let listed = authority.user(["access_as_user"]).claim("groups", serde_json::json!([GROUP]));
    for (token, expected) in [(overage.token(), Some(Code::PermissionDenied)), (listed.token(), None)] {
        for _ in 0..2 {
            let mut request = tonic::Request::new(());
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            assert_eq!(interceptor.call(request).err().map(|status| status.code()), expected);
        }
    }
    assert_eq!(graph.0.load(std::sync::atomic::Ordering::SeqCst), 0);
}
