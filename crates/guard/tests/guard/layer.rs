//! What the layer does to requests: whom it lets through, what it never does to the others.

use axum::body::Body;
use countersign_guard::{Guard, GuardService, Permission, TokenKind, VerifiedCaller};
use countersign_token::TokenVersion;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::json;
use tower::{Layer, Service, ServiceExt};

use crate::kit::endpoint::Endpoint;
use crate::kit::service::{Inside, Unreadable};
use crate::kit::token::{CLIENT, OBJECT, TENANT, TOKEN_ID, Token, USER, genuine};
use crate::kit::{bearer, builder, clock, guard, policy_with, remote_guard, request, settle, status};

fn behind(guard: &Guard) -> (Inside, GuardService<Inside>) {
    let inside = Inside::default();
    (inside.clone(), guard.layer().layer(inside))
}

async fn ask(service: &GuardService<Inside>, request: Request<Body>) -> Response<String> {
    service.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn good_tokens_pass_and_the_service_sees_who_calls() {
    let (inside, service) = behind(&guard());
    for (token, kind, version, object) in [
        (Token::app(), TokenKind::App, TokenVersion::V2, OBJECT),
        (Token::v1_app(), TokenKind::App, TokenVersion::V1, OBJECT),
        (Token::user(), TokenKind::User, TokenVersion::V2, USER),
    ] {
        // The second time it is known.
        for _ in 0..2 {
            let response = ask(&service, bearer(&token.sign())).await;
            assert_eq!((response.status().as_u16(), response.body().as_str()), (200, "inside"));
            assert!(response.headers().is_empty());
            let caller = inside.caller().unwrap();
            assert_eq!((caller.kind(), caller.version()), (kind, version));
            assert_eq!((caller.tenant().to_string(), caller.client().to_string()), (TENANT.into(), CLIENT.into()));
            assert_eq!(caller.object_id().unwrap().to_string(), object);
            assert_eq!((caller.token_id(), caller.key_id()), (Some(TOKEN_ID), genuine().key_id()));
            assert_eq!(inside.calls(), 1);
        }
    }
}

#[tokio::test]
async fn d21_the_word_bearer_is_read_in_any_case() {
    let (_, service) = behind(&guard());
    let token = Token::app().sign();
    for word in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(ask(&service, request(&[&format!("{word} {token}")])).await.status(), 200, "{word}");
    }
}

#[tokio::test]
async fn refused_requests_never_reach_the_service() {
    let (inside, service) = behind(&guard());
    let good = Token::app().sign();
    for (what, values, expected) in [
        ("nothing", vec![], 401),
        ("another scheme", vec![format!("Basic {good}")], 401),
        ("two headers", vec![format!("Bearer {good}"); 2], 400),
        ("two tokens", vec![format!("Bearer {good},{good}")], 400),
        ("a bad token", vec![format!("Bearer {}", Token::app().unsigned())], 401),
        ("no permission", vec![format!("Bearer {}", Token::app().without("roles").sign())], 403),
    ] {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        // The same answer when the good token is known.
        for _ in 0..2 {
            let response = ask(&service, request(&values)).await;
            assert_eq!((response.status().as_u16(), response.body().as_str()), (expected, ""), "{what}");
            assert_eq!(inside.calls(), 0, "{what}");
            assert_eq!(ask(&service, bearer(&good)).await.status(), 200);
            assert_eq!(inside.calls(), 1, "{what}");
        }
    }
}

/// The guard asks nothing of a request's body, so it has no way to read one: this compiles because of that.
#[tokio::test]
async fn a_body_cannot_be_read_by_the_guard() {
    let guard = guard();
    let inside = Inside::default();
    let service = guard.layer().layer(inside.clone());
    let request = |token: &str| {
        Request::post("/orders").header(AUTHORIZATION, format!("Bearer {token}")).body(Unreadable(7)).unwrap()
    };
    assert_eq!(service.clone().oneshot(request("bad")).await.unwrap().status(), 401);
    assert_eq!(service.clone().oneshot(request(&Token::app().sign())).await.unwrap().status(), 200);
    assert_eq!(inside.calls(), 1);

    let handed_on = tower::service_fn(|request: Request<Unreadable>| async {
        assert_eq!(request.into_body(), Unreadable(7));
        Ok::<_, std::convert::Infallible>(Response::new(()))
    });
    assert_eq!(guard.layer().layer(handed_on).oneshot(request(&Token::app().sign())).await.unwrap().status(), 200);
}

#[tokio::test]
async fn no_method_is_a_way_round() {
    let (inside, service) = behind(&guard());
    for method in ["OPTIONS", "HEAD", "TRACE", "CONNECT", "GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        // What a browser's preflight looks like.
        request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
        request.headers_mut().insert("access-control-request-method", "GET".parse().unwrap());
        assert_eq!(ask(&service, request).await.status(), 401, "{method}");
    }
    assert_eq!(inside.calls(), 0);
}

#[tokio::test]
async fn a100_tokens_elsewhere_are_not_read() {
    let (inside, service) = behind(&guard());
    let token = Token::app().sign();
    let form = Request::post("/orders")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("access_token={token}")))
        .unwrap();
    let elsewhere = |name: &str| Request::get("/").header(name, format!("Bearer {token}")).body(Body::empty()).unwrap();
    for (what, request) in [
        ("query", Request::get(format!("/orders?access_token={token}")).body(Body::empty()).unwrap()),
        ("body", form),
        ("cookie", Request::get("/").header("cookie", format!("access_token={token}")).body(Body::empty()).unwrap()),
        ("proxy", elsewhere("proxy-authorization")),
        ("forwarded", elsewhere("x-forwarded-authorization")),
        ("underscore", elsewhere("x_authorization")),
    ] {
        assert_eq!(ask(&service, request).await.status(), 401, "{what}");
    }
    assert_eq!(inside.calls(), 0);
}

#[tokio::test]
async fn a_caller_that_stands_in_the_request_already_is_replaced() {
    // Some other guard of a process, which believes in another client, has left its caller in the request.
    let (elsewhere, service) = behind(&builder(&policy_with(&[("app_roles", json!(["Other"]))]), &clock()).build());
    ask(&service, bearer(&Token::app().claim("roles", json!(["Other"])).claim("uti", "forged").sign())).await;
    let forged: VerifiedCaller = elsewhere.caller().unwrap();

    for known in [false, true] {
        let (inside, service) = behind(&guard());
        let token = Token::app().sign();
        if known {
            ask(&service, bearer(&token)).await;
        }
        let mut request = bearer(&token);
        request.extensions_mut().insert(forged.clone());
        assert_eq!(ask(&service, request).await.status(), 200);
        assert_eq!(inside.caller().unwrap().token_id(), Some(TOKEN_ID));
    }
    let (inside, service) = behind(&guard());
    let mut request = request(&[]);
    request.extensions_mut().insert(forged);
    assert_eq!(ask(&service, request).await.status(), 401);
    assert_eq!(inside.calls(), 0);
}

#[tokio::test]
async fn the_inner_guard_of_two_decides_for_itself() {
    let guard = guard();
    let inside = Inside::default();
    let write = guard.layer_for(Permission::any_app_role(["Resource.Write"]));
    let service = guard.layer().layer(write.layer(inside.clone()));
    assert_eq!(service.clone().oneshot(bearer(&Token::app().sign())).await.unwrap().status(), 403);
    let both = Token::app().claim("roles", json!(["Resource.Read", "Resource.Write"])).sign();
    assert_eq!(service.oneshot(bearer(&both)).await.unwrap().status(), 200);
    assert_eq!(inside.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_service_that_said_it_is_ready_is_the_one_that_is_called() {
    let endpoint = Endpoint::publishing(&[genuine()]);
    let (inside, mut service) = behind(&remote_guard(&endpoint, &clock()));
    let token = Token::app().sign();
    // The first request waits for keys, the second finds them; `Inside` panics if a clone that never was ready is called.
    for _ in 0..2 {
        assert_eq!(
            ServiceExt::<Request<Body>>::ready(&mut service)
                .await
                .unwrap()
                .call(bearer(&token))
                .await
                .unwrap()
                .status(),
            200
        );
    }
    assert_eq!((inside.calls(), endpoint.calls()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn e17_a_caller_who_gives_up_disturbs_nobody() {
    let endpoint = Endpoint::publishing(&[genuine()]);
    let (inside, service) = behind(&remote_guard(&endpoint, &clock()));
    endpoint.hold();
    let [leaving, staying] = [(); 2].map(|()| {
        let service = service.clone();
        tokio::spawn(async move { ask(&service, bearer(&Token::app().sign())).await.status() })
    });
    settle().await;
    leaving.abort();
    settle().await;
    endpoint.release();
    assert_eq!(staying.await.unwrap(), 200);
    assert!(leaving.await.unwrap_err().is_cancelled());
    assert_eq!((inside.calls(), endpoint.calls()), (1, 1));
}

#[tokio::test]
async fn e36_a_service_that_panics_harms_no_other_request() {
    let guard = guard();
    let panics = tower::service_fn(|_: Request<Body>| async {
        if true {
            panic!("a fault in a handler");
        }
        Ok::<_, std::convert::Infallible>(Response::<String>::default())
    });
    let service = guard.layer().layer(panics);
    let token = Token::app().sign();
    let outcome = tokio::spawn(service.oneshot(bearer(&token))).await;
    assert!(outcome.unwrap_err().is_panic());
    let (inside, service) = behind(&guard);
    assert_eq!(ask(&service, bearer(&token)).await.status(), 200);
    assert_eq!(inside.calls(), 1);
}

#[tokio::test]
async fn the_services_own_error_passes_through() {
    let fails = tower::service_fn(|_: Request<Body>| async { Err::<Response<String>, _>("broken") });
    let service = guard().layer().layer(fails);
    assert_eq!(service.clone().oneshot(bearer(&Token::app().sign())).await.unwrap_err(), "broken");
    assert_eq!(service.oneshot(request(&[])).await.unwrap().status(), 401);
}

#[tokio::test]
async fn what_can_be_no_token_is_malformed_wherever_it_would_have_failed() {
    let (guard, token) = (guard(), Token::app().sign());
    let [header, payload, signature] = crate::kit::token::segments(&token);
    let unknown = Token::app().header("kid", "a-key-that-nobody-has").unsigned();
    for text in [
        format!("{header},.{payload}.{signature}"),
        format!("{header}.{payload};.{signature}"),
        format!("{header}.{payload}.{signature},"),
        format!("{token} {token}"),
        format!("{unknown},{unknown}"),
        format!("{unknown}\""),
    ] {
        assert_eq!(status(&guard, &text).await, 400, "{text:.80}");
    }
    assert_eq!(status(&guard, &token).await, 200);
}
