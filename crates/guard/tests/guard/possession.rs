//! Tokens that are bound to a key which is proven request by request: DPoP and signed HTTP requests.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::body::Body;
use axum::routing::get;
use countersign_guard::{Guard, GuardedRouter, Permission, ProofPolicy, RequestTarget};
use countersign_token::{FakeClock, ProofKey, base64url_encode, sha256};
use http::{Extensions, HeaderMap, Method, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::{NOW, Token};
use crate::kit::{builder, clock, header, policy};

const ORIGIN: &str = "https://orders.test";

/// A caller's key.
struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "x": base64url_encode(&point[1..33]), "y": base64url_encode(&point[33..])})
    }

    fn thumbprint(&self) -> String {
        ProofKey::from_jwk(self.jwk().as_object().unwrap()).unwrap().thumbprint()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let segment = |value: &Value| base64url_encode(value.to_string().as_bytes());
        let input = format!("{}.{}", segment(header), segment(claims));
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", base64url_encode(signature.as_ref()))
    }

    /// A token that is bound to it as DPoP binds.
    fn dpop_token(&self) -> String {
        Token::app().claim("cnf", json!({"jkt": self.thumbprint()})).sign()
    }

    /// A proof for `GET` of this address.
    fn proof(&self, token: &str, address: &str, id: &str) -> String {
        let claims = json!({
            "jti": id, "htm": "GET", "htu": address, "iat": NOW, "ath": base64url_encode(&sha256(token.as_bytes()))
        });
        self.sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()}), &claims)
    }

    /// A signed request around a token that names this key.
    fn signed_request(&self, token: &str, path: &str, nonce: &str) -> String {
        let claims = json!({
            "at": token, "ts": NOW, "m": "GET", "u": "orders.test", "p": path, "nonce": nonce, "cnf": {"jwk": self.jwk()}
        });
        self.sign(&json!({"typ": "pop", "alg": "ES256", "kid": self.thumbprint()}), &claims)
    }
}

static KEY: LazyLock<Key> = LazyLock::new(Key::new);

fn at() -> ProofPolicy {
    ProofPolicy::at(ORIGIN.parse().unwrap())
}

fn guard_at(clock: &FakeClock) -> Guard {
    builder(&policy(), clock).dpop(at()).signed_http_requests(at()).build()
}

fn guard() -> Guard {
    guard_at(&clock())
}

async fn ask(guard: &Guard, path: &str, headers: &[(&'static str, String)]) -> Response<String> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    guard.layer().layer(Inside::default()).oneshot(request).await.unwrap()
}

async fn dpop(guard: &Guard, path: &str, token: &str, proofs: &[String]) -> u16 {
    let mut headers = vec![("authorization", format!("DPoP {token}"))];
    headers.extend(proofs.iter().map(|proof| ("dpop", proof.clone())));
    ask(guard, path, &headers).await.status().as_u16()
}

#[tokio::test]
async fn a_dpop_bound_token_needs_a_proof_of_its_own_for_every_request() {
    let (guard, token) = (guard(), KEY.dpop_token());
    let proof = |id: &str| KEY.proof(&token, "https://orders.test/orders", id);
    for id in ["one", "two"] {
        assert_eq!(dpop(&guard, "/orders?page=2", &token, &[proof(id)]).await, 200, "{id}");
    }
    assert_eq!(dpop(&guard, "/orders", &token, &[proof("one")]).await, 401, "seen before, and signed anew");
    assert_eq!(dpop(&guard, "/orders", &token, &[]).await, 401);
    assert_eq!(dpop(&guard, "/orders", &token, &[proof("three"), proof("four")]).await, 401, "two of them");
    assert_eq!(dpop(&guard, "/others", &token, &[proof("five")]).await, 401, "for another address");
    let other = Key::new().proof(&token, "https://orders.test/orders", "six");
    assert_eq!(dpop(&guard, "/orders", &token, &[other]).await, 401, "by another key");
    let stolen = Token::app().claim("uti", "another").claim("cnf", json!({"jkt": KEY.thumbprint()})).sign();
    assert_eq!(dpop(&guard, "/orders", &stolen, &[proof("seven")]).await, 401, "for another token");
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_and_a_bearer_token_is_no_bound_one() {
    let (guard, bound, unbound) = (guard(), KEY.dpop_token(), Token::app().sign());
    let proof = |token: &str, id: &str| ("dpop", KEY.proof(token, "https://orders.test/orders", id));
    // Twice, since the second time the verdict is known.
    for round in ["a", "b"] {
        for (scheme, token, id, expected) in [
            ("Bearer", &bound, "1", 401),
            ("mtls_pop", &bound, "2", 401),
            ("DPoP", &unbound, "3", 401),
            ("mtls_pop", &unbound, "4", 401),
            ("Bearer", &unbound, "5", 200),
            ("dpop", &bound, "6", 200),
        ] {
            let headers = [("authorization", format!("{scheme} {token}")), proof(token, &format!("{round}{id}"))];
            assert_eq!(ask(&guard, "/orders", &headers).await.status().as_u16(), expected, "{scheme} {id}");
        }
    }
    // Where the API takes no proofs, the scheme is no attempt, and a bound token is refused as ever.
    let without = builder(&policy(), &clock()).build();
    assert_eq!(dpop(&without, "/orders", &bound, &[proof(&bound, "x").1]).await, 401);
    let headers = [("authorization", format!("Bearer {bound}")), proof(&bound, "y")];
    assert_eq!(ask(&without, "/orders", &headers).await.status(), 401);
}

#[tokio::test]
async fn a_signed_http_request_carries_its_token_inside() {
    let guard = guard();
    for confirmation in [
        json!({"kid": KEY.thumbprint()}),
        json!({"kid": KEY.thumbprint(), "xms_ksl": "sw"}),
        json!({"jwk": KEY.jwk()}),
        json!({"jkt": KEY.thumbprint()}),
    ] {
        let token = Token::app().claim("cnf", confirmation.clone()).sign();
        let once = format!("PoP {}", KEY.signed_request(&token, "/orders", "1"));
        assert_eq!(ask(&guard, "/orders", &[("authorization", once.clone())]).await.status(), 200, "{confirmation}");
        assert_eq!(ask(&guard, "/orders", &[("authorization", once)]).await.status(), 401, "again: {confirmation}");
        let elsewhere = format!("PoP {}", KEY.signed_request(&token, "/others", "2"));
        assert_eq!(ask(&guard, "/orders", &[("authorization", elsewhere)]).await.status(), 401, "{confirmation}");
        let thief = format!("PoP {}", Key::new().signed_request(&token, "/orders", "3"));
        assert_eq!(ask(&guard, "/orders", &[("authorization", thief)]).await.status(), 401, "{confirmation}");
        assert_eq!(ask(&guard, "/orders", &[("authorization", format!("Bearer {token}"))]).await.status(), 401);
        assert_eq!(ask(&guard, "/orders", &[("authorization", format!("PoP {token}"))]).await.status(), 401);
    }
    // What is inside is judged like every token, first: expired, without the role, unbound.
    for (token, expected) in [
        (Token::app().claim("exp", NOW - 61).sign(), 401),
        (Token::app().claim("roles", json!(["Other"])).claim("cnf", json!({"kid": KEY.thumbprint()})).sign(), 403),
        (Token::app().sign(), 401),
        (Token::app().claim("cnf", json!({"kid": KEY.thumbprint(), "x": 1})).sign(), 401),
        ("x".to_owned(), 401),
    ] {
        let request = format!("PoP {}", KEY.signed_request(&token, "/orders", "4"));
        assert_eq!(ask(&guard, "/orders", &[("authorization", request)]).await.status().as_u16(), expected);
    }
}

#[tokio::test]
async fn proofs_end_and_so_does_what_is_remembered_of_them() {
    let clock = clock();
    let guard = builder(&policy(), &clock).dpop(at().max_age_seconds(100).remembered(2)).build();
    let token = KEY.dpop_token();
    let proof = |id: &str| KEY.proof(&token, "https://orders.test/orders", id);
    assert_eq!(dpop(&guard, "/orders", &token, &[proof("1")]).await, 200);
    assert_eq!(dpop(&guard, "/orders", &token, &[proof("2")]).await, 200);
    let headers = [("authorization", format!("DPoP {token}")), ("dpop", proof("3"))];
    let full = ask(&guard, "/orders", &headers).await;
    assert_eq!((full.status().as_u16(), header(&full, "retry-after")), (503, Some("5")), "nobody can tell");
    assert_eq!(header(&full, "www-authenticate"), None);
    clock.advance(Duration::from_secs(101));
    assert_eq!(dpop(&guard, "/orders", &token, &[proof("4")]).await, 401, "older than a hundred seconds");
}

#[tokio::test]
async fn the_path_is_the_one_that_was_sent_also_where_a_router_strips_a_prefix() {
    let token = KEY.dpop_token();
    let orders = GuardedRouter::new(guard())
        .get("/orders", || async {})
        .requires(Permission::any_app_role(["Resource.Read"]))
        .into_router()
        .unwrap();
    let app = axum::Router::new().nest("/v1", orders).route("/open", get(|| async {}));
    let ask = async |address: &str, id: &str| {
        let request = Request::get("/v1/orders")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", KEY.proof(&token, address, id));
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("https://orders.test/v1/orders", "1").await, 200);
    assert_eq!(ask("https://orders.test/orders", "2").await, 401);
}

#[tokio::test]
async fn whoever_has_headers_alone_says_what_was_asked_for() {
    let (guard, token) = (guard(), KEY.dpop_token());
    let rule = guard.verifier().register(Permission::any_app_role(["Resource.Read"])).unwrap();
    let headers = |id: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
        headers.insert("dpop", KEY.proof(&token, "https://orders.test/orders", id).parse().unwrap());
        headers
    };
    let mut extensions = Extensions::new();
    assert_eq!(guard.check(&headers("1"), &extensions, &rule).await.unwrap_err().status, 401);
    extensions.insert(RequestTarget::new(Method::POST, "/orders"));
    assert_eq!(guard.check(&headers("2"), &extensions, &rule).await.unwrap_err().status, 401);
    extensions.insert(RequestTarget::new(Method::GET, "/orders"));
    assert!(guard.check(&headers("3"), &extensions, &rule).await.is_ok());
}

#[tokio::test]
async fn challenges_name_the_schemes_that_the_api_takes() {
    let only = builder(&policy(), &clock()).dpop(at()).build();
    let response = ask(&only, "/orders", &[]).await;
    let dpop = r#"DPoP algs="ES256 PS256 RS256""#;
    assert_eq!(header(&response, "www-authenticate"), Some(format!("Bearer, {dpop}").as_str()));
    let response = ask(&guard(), "/orders", &[("authorization", "DPoP x".to_owned())]).await;
    let expected = format!(
        "Bearer error=\"invalid_token\", error_description=\"The access token is not valid for this API.\", {dpop}, PoP"
    );
    assert_eq!(header(&response, "www-authenticate"), Some(expected.as_str()));
}
