//! `GuardedRouter`: what does not start, what is listed, and what strangers learn about routes.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{any, get, post};
use countersign_guard::{Caller, Guard, GuardedRouter, Permission, StartError, TokenKind};
use countersign_token::ClientId;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::json;
use tower::ServiceExt;

use crate::kit::token::{CLIENT, OTHER_CLIENT, Token};
use crate::kit::{builder, clock, guard, header, policy_with};

fn client(text: &str) -> ClientId {
    text.parse().unwrap()
}

fn read() -> Permission {
    Permission::any_app_role(["Resource.Read"])
}

fn write() -> Permission {
    Permission::any_app_role(["Resource.Write"])
}

async fn handler() -> &'static str {
    "inside"
}

/// Two methods of one path with different permissions, one path of any method, and an open one.
fn orders(guard: Guard) -> Router {
    GuardedRouter::new(guard)
        .route("/orders", get(handler))
        .requires(read().or(Permission::any_scope(["access_as_user"])))
        .route("/orders", post(handler))
        .requires(write())
        .route("/any/{*rest}", any(handler))
        .requires(read())
        .open("/health", "the load balancer has no token", get(handler))
        .into_router()
        .unwrap()
}

async fn ask(app: &Router, method: &str, path: &str, token: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn status(app: &Router, method: &str, path: &str, token: Option<&str>) -> u16 {
    ask(app, method, path, token).await.status().as_u16()
}

#[test]
fn routes_without_a_permission_do_not_start_and_all_are_named() {
    let error = GuardedRouter::<()>::new(guard())
        .route("/a", get(handler))
        .route("/b/{id}", post(handler))
        .route("/c", get(handler))
        .requires(read())
        .route("/d", get(handler))
        .into_router()
        .unwrap_err();
    assert_eq!(error, StartError::NoPermission(["/a", "/b/{id}", "/d"].map(String::from).to_vec()));
    assert_eq!(error.to_string(), "routes without a permission: /a, /b/{id}, /d");
}

#[test]
fn routes_that_nobody_can_enter_do_not_start_and_all_are_named() {
    let nobody = Vec::<String>::new;
    let error = GuardedRouter::<()>::new(guard())
        .route("/no-role", get(handler))
        .requires(Permission::any_app_role(nobody()))
        .route("/no-scope", get(handler))
        .requires(Permission::any_scope(nobody()))
        .route("/no-client", get(handler))
        .requires(read().only_clients([]))
        .route("/no-kind", get(handler))
        .requires(Permission { kinds: Vec::new(), ..read() })
        .route("/fine", get(handler))
        .requires(read())
        .into_router()
        .unwrap_err();
    let names = ["/no-role", "/no-scope", "/no-client", "/no-kind"];
    assert_eq!(error, StartError::NobodyGetsIn(names.map(String::from).to_vec()));
    assert_eq!(error.to_string(), "routes whose permission lets nobody in: /no-role, /no-scope, /no-client, /no-kind");
}

#[test]
fn a_route_whose_callers_the_policy_shuts_out_does_not_start() {
    let start = |policy: serde_json::Value, permission: Permission| {
        let policy: Vec<_> =
            policy.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let guard = builder(&policy_with(&policy), &clock()).build();
        GuardedRouter::<()>::new(guard).route("/orders", get(handler)).requires(permission).into_router().map(|_| ())
    };
    let shut = Err(StartError::NobodyGetsIn(vec!["/orders".to_owned()]));
    let bare = Permission { kinds: vec![TokenKind::App], allow_without_permission: true, ..Permission::default() };
    let one = json!({"clients": [CLIENT]});
    assert_eq!(start(json!({"kinds": ["user"]}), read()), shut);
    assert_eq!(start(json!({"kinds": ["user"]}), Permission::any_scope(["access_as_user"])), Ok(()));
    assert_eq!(start(json!({"kinds": []}), read()), shut);
    assert_eq!(start(one.clone(), read().only_clients([client(OTHER_CLIENT)])), shut);
    assert_eq!(start(one.clone(), read().only_clients([client(OTHER_CLIENT), client(CLIENT)])), Ok(()));
    assert_eq!(start(one.clone(), read()), Ok(()));
    assert_eq!(start(json!({"clients": []}), read()), shut);
    // Whom the policy names is not whom the route lets in without a permission.
    assert_eq!(start(one.clone(), bare.clone()), shut);
    assert_eq!(start(one, bare.only_clients([client(CLIENT)])), Ok(()));
}

#[test]
fn an_open_route_says_why() {
    for reason in ["", "  \t"] {
        let router = GuardedRouter::<()>::new(guard())
            .open("/health", reason, get(handler))
            .open("/ready", "the load balancer has no token", get(handler))
            .open("/metrics", reason, get(handler));
        let error = router.into_router().unwrap_err();
        assert_eq!(error.to_string(), "open routes without a reason: /health, /metrics");
    }
}

#[test]
fn the_listing_can_be_diffed() {
    let router = GuardedRouter::<()>::new(guard())
        .route("/orders", get(handler))
        .requires(read().or(Permission::any_scope(["access_as_user"])))
        .route("/orders/{id}", post(handler))
        .requires(write().only_clients([client(CLIENT), client(OTHER_CLIENT)]))
        .route("/bare", get(handler))
        .requires(Permission {
            allow_without_permission: true,
            ..Permission::any_app_role(Vec::<String>::new()).only_clients([client(CLIENT)])
        })
        .open("/health", "the load balancer has no token", get(handler));
    let expected = [
        r#"/orders: {"kinds":["app","user"],"app_roles":["Resource.Read"],"scopes":["access_as_user"]}"#,
        r#"/orders/{id}: {"kinds":["app"],"app_roles":["Resource.Write"],"clients":["8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55","f3b1c0de-5a77-4d0e-8b1c-9d2e4f60a713"]}"#,
        r#"/bare: {"kinds":["app"],"clients":["8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55"],"allow_without_permission":true}"#,
        "/health: open (the load balancer has no token)",
    ];
    assert_eq!(router.listing(), expected);
    assert!(format!("{router:?}").contains("/health: open"));
}

#[test]
fn the_listing_tells_methods_apart_so_that_a_swap_shows() {
    let listing = |first: Permission, second: Permission| {
        let router = GuardedRouter::<()>::new(guard()).get("/orders", handler).requires(first);
        let router = router.post("/orders", handler).requires(second).delete("/orders/{id}", handler).requires(write());
        router.listing().to_vec()
    };
    let (good, swapped) = (listing(read(), write()), listing(write(), read()));
    assert_eq!(good[0], r#"GET /orders: {"kinds":["app"],"app_roles":["Resource.Read"]}"#);
    assert_eq!(good[1], r#"POST /orders: {"kinds":["app"],"app_roles":["Resource.Write"]}"#);
    assert!(good[2].starts_with("DELETE /orders/{id}: "));
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_ne!(sorted(good), sorted(swapped));
}

#[tokio::test]
async fn each_method_has_the_permission_it_was_given() {
    let app = orders(guard());
    let reader = Token::app().sign();
    let writer = Token::app().claim("roles", json!(["Resource.Write"])).sign();
    let user = Token::user().sign();
    for (method, path, reads, writes, uses) in [
        ("GET", "/orders", 200, 403, 200),
        ("HEAD", "/orders", 200, 403, 200),
        ("POST", "/orders", 403, 200, 403),
        ("DELETE", "/any/thing", 200, 403, 403),
        ("PROPFIND", "/any/thing/else", 200, 403, 403),
        ("OPTIONS", "/any/thing", 200, 403, 403),
    ] {
        for (token, expected) in [(&reader, reads), (&writer, writes), (&user, uses)] {
            assert_eq!(status(&app, method, path, Some(token)).await, expected, "{method} {path}");
        }
        assert_eq!(status(&app, method, path, None).await, 401, "{method} {path}");
    }
    assert_eq!(status(&app, "GET", "/health", None).await, 200);
    assert_eq!(status(&app, "GET", "/health", Some("bad")).await, 200);
}

#[tokio::test]
async fn strangers_do_not_learn_which_methods_a_route_has() {
    let app = orders(guard());
    for (token, expected) in [
        (None, 401),
        (Some(Token::app().unsigned()), 401),
        (Some("a,b".to_owned()), 400),
        (Some(Token::app().claim("roles", json!(["Other"])).sign()), 403),
    ] {
        for path in ["/orders", "/any/thing"] {
            let mut answers = Vec::new();
            for method in ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "PROPFIND"] {
                let response = ask(&app, method, path, token.as_deref()).await;
                assert_eq!(response.status(), expected, "{method} {path}");
                let mut headers = response.headers().clone();
                // What is missing may differ from method to method; that it is said must not.
                if expected == 403 {
                    assert!(headers.remove("www-authenticate").is_some());
                }
                answers.push(headers);
            }
            assert_eq!(answers[0]["allow"], "");
            assert!(answers.iter().all(|headers| *headers == answers[0]), "{answers:#?}");
        }
    }
}

#[tokio::test]
async fn admitted_callers_are_told_405_and_404_as_usual() {
    let app = orders(guard());
    let both = Token::app().claim("roles", json!(["Resource.Read", "Resource.Write"])).sign();
    let response = ask(&app, "DELETE", "/orders", Some(&both)).await;
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, Some("GET,HEAD,POST")));
    let response = ask(&app, "GET", "/orders", Some(&both)).await;
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (200, None));
    // A path that does not exist is no secret: it has no rule that could be asked.
    for token in [None, Some(both.as_str())] {
        assert_eq!(status(&app, "GET", "/nowhere", token).await, 404);
        assert_eq!(status(&app, "GET", "/orders/", token).await, 404);
        assert_eq!(status(&app, "GET", "/ORDERS", token).await, 404);
        assert_eq!(status(&app, "DELETE", "/health", token).await, 405);
    }
}

#[tokio::test]
async fn the_policys_clients_and_kinds_bind_on_every_route() {
    let (mine, other) = (Token::app().sign(), Token::app().claim("azp", OTHER_CLIENT).sign());
    let user = Token::user().sign();
    let named = builder(&policy_with(&[("clients", json!([CLIENT])), ("kinds", json!(["app"]))]), &clock()).build();
    let app = orders(named.clone());
    assert_eq!(status(&app, "GET", "/orders", Some(&mine)).await, 200);
    assert_eq!(status(&app, "GET", "/orders", Some(&other)).await, 403);
    assert_eq!(status(&app, "GET", "/orders", Some(&user)).await, 403);

    // A route may ask for less than the policy's own roles, but not let in whom the policy shuts out; nor the other way.
    let narrow = GuardedRouter::new(named.clone())
        .route("/orders", get(handler))
        .requires(read().only_clients([client(CLIENT), client(OTHER_CLIENT)]))
        .into_router()
        .unwrap();
    assert_eq!(status(&narrow, "GET", "/orders", Some(&mine)).await, 200);
    assert_eq!(status(&narrow, "GET", "/orders", Some(&other)).await, 403);

    // A replaced policy binds routes that are being served.
    named.verifier().replace_policy(&policy_with(&[("clients", json!([OTHER_CLIENT]))])).unwrap();
    assert_eq!(status(&app, "GET", "/orders", Some(&mine)).await, 403);
    assert_eq!(status(&app, "GET", "/orders", Some(&other)).await, 200);
    assert_eq!(status(&app, "GET", "/orders", Some(&user)).await, 403);
}

#[tokio::test]
async fn handlers_have_their_state_and_their_caller() {
    async fn greet(State(greeting): State<String>, caller: Caller) -> String {
        format!("{greeting}, {}", caller.client())
    }
    let app = GuardedRouter::<String>::new(guard())
        .route("/greet", get(greet))
        .requires(read())
        .into_router()
        .unwrap()
        .with_state("hello".to_owned());
    let response = ask(&app, "GET", "/greet", Some(&Token::app().sign())).await;
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, format!("hello, {CLIENT}"));
}
