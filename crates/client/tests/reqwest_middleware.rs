//! `AuthorizeLayer` among reqwest's middlewares: whom it sends tokens to, and what it does with a claims challenge.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use countersign_client::{AcquireError, AuthorizeError, AuthorizeLayer};
use countersign_protocol::ScopeSet;
use http::StatusCode;
use reqwest_middleware::reqwest::{Body, Client, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next};
use support::{Endpoint, client, clock, field};

/// Stands for the API: takes every request, and wants claims with the first token.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<Vec<String>>>);

const CHALLENGE: &str = r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsieG1zX2NjIjpudWxsfX0=""#;

#[async_trait::async_trait]
impl Middleware for Api {
    async fn handle(
        &self,
        request: Request,
        _extensions: &mut http::Extensions,
        _next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        assert!(request.headers()["authorization"].is_sensitive());
        let is_first = header == "Bearer token-1";
        self.0.lock().unwrap().push(header);
        let response = http::Response::builder();
        let response = match is_first {
            true => response.status(401).header("www-authenticate", CHALLENGE),
            false => response,
        };
        Ok(Response::from(response.body("").unwrap()))
    }
}

fn calling(api: &Api, endpoint: &Endpoint) -> ClientWithMiddleware {
    let layer = AuthorizeLayer::new(
        client(endpoint, &clock()),
        ScopeSet::parse("api://orders/.default").unwrap(),
        "https://orders.contoso.test",
    );
    // No handshake takes place; reqwest wants a TLS configuration all the same.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let inner = Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    ClientBuilder::new(inner).with(layer.unwrap()).with(api.clone()).build()
}

#[tokio::test]
async fn c23_a_challenge_is_answered_once_with_its_claims() {
    let (endpoint, api) = (Endpoint::issuing(), Api::default());
    let calling = calling(&api, &endpoint);
    let post = || calling.post("https://orders.contoso.test/orders").header("authorization", "Basic eDp5");
    assert_eq!(post().body("x").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(*api.0.lock().unwrap(), ["Bearer token-1", "Bearer token-2"]);
    assert!(field(&endpoint.last_form(), "claims").unwrap().contains("xms_cc"));
    // The second token has taken the first one's place.
    assert_eq!(post().body("x").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!((api.0.lock().unwrap().len(), endpoint.count()), (3, 2));
}

#[tokio::test]
async fn a_challenge_that_cannot_be_answered_is_the_callers() {
    // A body that wraps another cannot be sent twice.
    let (endpoint, api) = (Endpoint::issuing(), Api::default());
    let body = Body::wrap(Body::from("x"));
    let response = calling(&api, &endpoint).post("https://orders.contoso.test/").body(body).send().await.unwrap();
    assert_eq!((response.status(), endpoint.count()), (StatusCode::UNAUTHORIZED, 1));

    // No token with those claims is to be had.
    let (endpoint, api) = (Endpoint::issuing(), Api::default());
    let calling = calling(&api, &endpoint);
    let counted = endpoint.clone();
    endpoint.answers(move |_| match counted.count() {
        1 => support::ok(&serde_json::json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "token-1"})),
        _ => support::refused(400, "invalid_grant", 53003, "Blocked by Conditional Access."),
    });
    let response = calling.get("https://orders.contoso.test/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], CHALLENGE);
}

#[tokio::test]
async fn d14_a_token_goes_to_its_own_origin_only() {
    let (endpoint, api) = (Endpoint::issuing(), Api::default());
    let calling = calling(&api, &endpoint);
    for elsewhere in [
        "https://evil.test/",
        "http://orders.contoso.test/",
        "https://orders.contoso.test:8443/",
        "https://orders.contoso.test.evil.test/",
        "https://orders.contoso.test@evil.test/",
    ] {
        let Error::Middleware(error) = calling.get(elsewhere).send().await.unwrap_err() else { panic!("{elsewhere}") };
        let error = error.downcast_ref::<AuthorizeError<AcquireError>>();
        assert!(matches!(error, Some(AuthorizeError::ForeignOrigin)), "{elsewhere}: {error:?}");
    }
    assert_eq!((endpoint.count(), api.0.lock().unwrap().len()), (0, 0));
}
