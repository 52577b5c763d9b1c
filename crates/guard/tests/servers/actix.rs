//! actix-web 4: middleware, extractor, and what refused callers are told.

use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use countersign_guard::{CertificateForm, DevelopmentBypass, Guard, GuardMiddleware, TrustedProxy, VerifiedCaller};
use countersign_token::{base64_encode_standard, base64url_encode, sha256};
use serde_json::json;

use crate::{cut_off, guarded, policy, read};

async fn who(caller: VerifiedCaller) -> String {
    caller.client().to_string()
}

/// Status, challenge and body of a request with these `Authorization` headers.
async fn ask(guard: &Guard, prepare: impl FnOnce(TestRequest) -> TestRequest) -> (u16, String, String) {
    let middleware = GuardMiddleware::new(guard.clone(), read()).unwrap();
    let app = init_service(App::new().wrap(middleware).route("/orders", web::get().to(who))).await;
    let request = prepare(TestRequest::get().uri("/orders")).to_request();
    let response = call_service(&app, request).await;
    let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, challenge) =
        (response.status().as_u16(), header("www-authenticate") + &header("x-countersign-bypass"));
    (status, challenge, String::from_utf8(actix_web::test::read_body(response).await.to_vec()).unwrap())
}

fn run<F: Future>(future: F) -> F::Output {
    actix_web::rt::System::new().block_on(future)
}

#[test]
fn the_middleware_decides_and_the_handler_gets_the_caller() {
    run(async {
        let (guard, authority) = guarded();
        let with = |token: String| {
            move |request: TestRequest| request.append_header((AUTHORIZATION, format!("Bearer {token}")))
        };
        let (status, _, body) = ask(&guard, with(authority.app(["Orders.Read"]).token())).await;
        assert_eq!((status, body.as_str()), (200, "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55"));
        let (status, challenge, body) = ask(&guard, with(authority.app(["Other"]).token())).await;
        assert_eq!((status, body.as_str()), (403, ""));
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        let (status, challenge, _) = ask(&guard, with(authority.app(["Orders.Read"]).forged())).await;
        assert_eq!(status, 401);
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert_eq!(ask(&guard, |request| request).await, (401, "Bearer".to_owned(), String::new()));
        // A100: two headers stay two on their way.
        let token = authority.app(["Orders.Read"]).token();
        let twice = |request: TestRequest| with(token.clone())(with(token.clone())(request));
        assert_eq!(ask(&guard, twice).await.0, 400);
        let odd = |request: TestRequest| {
            let odd = actix_web::http::header::HeaderValue::from_bytes(b"Bearer \xff").unwrap();
            request.append_header((AUTHORIZATION, odd))
        };
        assert_eq!(ask(&guard, odd).await.0, 400);
    });
}

#[test]
fn without_keys_it_is_unavailable_and_says_when_to_come_back() {
    run(async {
        let (_, authority) = guarded();
        let middleware = GuardMiddleware::new(cut_off(), read()).unwrap();
        let app = init_service(App::new().wrap(middleware).route("/orders", web::get().to(who))).await;
        let bearer = format!("Bearer {}", authority.app(["Orders.Read"]).token());
        let request = TestRequest::get().uri("/orders").append_header((AUTHORIZATION, bearer)).to_request();
        let response = call_service(&app, request).await;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), header("retry-after")), (503, Some("5")));
        assert_eq!(header("www-authenticate"), None);
    });
}

#[test]
fn without_the_middleware_the_extractor_is_a_fault_of_the_service() {
    run(async {
        let app = init_service(App::new().route("/orders", web::get().to(who))).await;
        let response = call_service(&app, TestRequest::get().uri("/orders").to_request()).await;
        assert_eq!(response.status().as_u16(), 500);
    });
}

#[test]
fn bound_tokens_and_bypasses_are_what_they_are_elsewhere() {
    run(async {
        let (guard, authority) = guarded();
        let der = [&[0x30, 0x82, 1, 40], [7; 200].as_slice()].concat();
        let cnf = json!({"x5t#S256": base64url_encode(&sha256(&der))});
        let token = authority.app(["Orders.Read"]).claim("cnf", cnf).token();
        let bound = |request: TestRequest| request.append_header((AUTHORIZATION, format!("Bearer {token}")));
        assert_eq!(ask(&guard, bound).await.0, 401);
        let from_here = |extensions: &http::Extensions| {
            extensions.get::<std::net::SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
        };
        let header = http::HeaderName::from_static("x-arr-clientcert");
        let proxy = TrustedProxy::new(header, CertificateForm::Base64, from_here);
        let behind = Guard::builder(authority.keys(), &policy()).unwrap().trusted_proxy(proxy).build();
        let from = |peer: &'static str| {
            let (bound, base64) = (&bound, base64_encode_standard(&der));
            move |request: TestRequest| {
                bound(request).peer_addr(peer.parse().unwrap()).append_header(("x-arr-clientcert", base64))
            }
        };
        assert_eq!(ask(&behind, from("127.0.0.1:1")).await.0, 200);
        assert_eq!(ask(&behind, from("192.0.2.1:1")).await.0, 401);
        let bypassed = DevelopmentBypass::as_application(&["Orders.Read"]).build(&policy()).unwrap();
        let (status, mark, _) = ask(&bypassed, |request| request).await;
        assert_eq!((status, mark.as_str()), (200, "development: no caller was authenticated"));
    });
}
