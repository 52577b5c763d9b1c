//! Claims challenges, capabilities, and what else one call may ask for.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign_client::{AcquireError, AuthorizeError, AuthorizeLayer, ClaimsRequest, RequestOptions, UserAssertion};
use countersign_protocol::EndpointVersion;
use futures_util::future::join_all;
use http::{Request, Response};
use serde_json::json;
use support::{Endpoint, SECRET, START, answer, builder, client, clock, field, jws, scopes, settle};
use tower_layer::Layer as _;
use tower_service::Service;
use uuid::Uuid;

const NBF: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;

fn nbf() -> ClaimsRequest {
    ClaimsRequest::from_json(NBF).unwrap()
}

#[tokio::test(start_paused = true)]
async fn c23_a_challenge_refreshes_only_the_token_that_was_refused() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let (orders, other) = (scopes("api://orders"), scopes("api://other"));
    let refused = client.acquire_token_for_client(&orders).await.unwrap();
    client.acquire_token_for_client(&other).await.unwrap();
    let challenge = RequestOptions::new().challenge(nbf(), &refused);

    // A hundred callers were challenged at once: one request, with the claims.
    let gate = endpoint.hold();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (client, orders, challenge) = (client.clone(), orders.clone(), challenge.clone());
            tokio::spawn(async move { client.acquire_token_for_client_with(&orders, &challenge).await.unwrap() })
        })
        .collect();
    settle().await;
    // Meanwhile who was not challenged is served.
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-1");
    gate.open();
    assert!(join_all(callers).await.into_iter().all(|token| token.unwrap().secret() == "token-3"));
    assert_eq!((endpoint.count(), field(&endpoint.last_form(), "claims").unwrap()), (3, NBF.to_owned()));

    // The new token has taken the old one's place, whoever comes late with the old one gets it, the other is untouched.
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-3");
    assert_eq!(client.acquire_token_for_client_with(&orders, &challenge).await.unwrap().secret(), "token-3");
    assert_eq!(client.acquire_token_for_client(&other).await.unwrap().secret(), "token-2");
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn c23_a_refused_token_gives_way_though_its_successor_ends_earlier() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    let refused = client.acquire_token_for_client(&orders).await.unwrap();
    endpoint.answers(|_| support::ok(&json!({"token_type": "Bearer", "expires_in": 600, "access_token": "short"})));
    let options = RequestOptions::new().instead_of(&refused);
    client.acquire_token_for_client_with(&orders, &options).await.unwrap();
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "short");
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_cannot_be_met_leaves_the_token_to_the_others() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    let refused = client.acquire_token_for_client(&orders).await.unwrap();
    endpoint.answers(|_| support::refused(400, "interaction_required", 50_076, "MFA."));
    let options = RequestOptions::new().challenge(nbf(), &refused);
    let error = client.acquire_token_for_client_with(&orders, &options).await.unwrap_err();
    assert!(matches!(error, AcquireError::Refused(_)));
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn c04_claims_part_tokens_and_are_asked_for_again_at_each_renewal() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    let with = RequestOptions::new().claims(nbf());
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-1");
    let token = client.acquire_token_for_client_with(&orders, &with).await.unwrap();
    assert_eq!(token.secret(), "token-2");
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-1");
    clock.set(token.refresh_on());
    assert_eq!(client.acquire_token_for_client_with(&orders, &with).await.unwrap().secret(), "token-2");
    settle().await;
    assert_eq!((endpoint.count(), field(&endpoint.last_form(), "claims").unwrap()), (3, NBF.to_owned()));
    assert_eq!(client.acquire_token_for_client_with(&orders, &with).await.unwrap().secret(), "token-3");
}

#[tokio::test(start_paused = true)]
async fn the_capability_goes_with_every_request_and_is_merged_with_claims() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let capable = builder(&endpoint, &clock).claims_challenges().secret(SECRET.to_owned()).build().unwrap();
    capable.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let capability = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;
    assert_eq!(field(&endpoint.last_form(), "claims").unwrap(), capability);
    let options = RequestOptions::new().claims(nbf());
    capable.acquire_token_for_client_with(&scopes("api://orders"), &options).await.unwrap();
    let claims: serde_json::Value = serde_json::from_str(&field(&endpoint.last_form(), "claims").unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["value"], "1604106651");
    assert_eq!(claims["access_token"]["xms_cc"]["values"], json!(["cp1"]));
    let assertion = UserAssertion::new(jws(&json!({"exp": START + 3600}))).unwrap();
    capable.acquire_token_on_behalf_of(&assertion, &scopes("api://orders")).await.unwrap();
    assert_eq!(field(&endpoint.last_form(), "claims").unwrap(), capability);
}

#[tokio::test(start_paused = true)]
async fn correlation_ids_and_extra_parameters_are_sent_and_only_the_latter_part_tokens() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = builder(&endpoint, &clock)
        .query_parameter("dc", "prod wst")
        .endpoint_version(EndpointVersion::V2)
        .secret(SECRET.to_owned())
        .build()
        .unwrap();
    let orders = scopes("api://orders");
    let id = Uuid::from_u128(7);
    let options = RequestOptions::new().correlation_id(id);
    client.acquire_token_for_client_with(&orders, &options).await.unwrap();
    let request = &endpoint.requests()[0];
    assert_eq!(request.headers()["client-request-id"], id.to_string());
    assert_eq!(request.uri().query(), Some("dc=prod+wst"));
    client.acquire_token_for_client(&orders).await.unwrap();
    assert_eq!(endpoint.count(), 1, "b37: a correlation id parts nothing");
    let options = RequestOptions::new().query_parameter("slice", "test");
    client.acquire_token_for_client_with(&orders, &options).await.unwrap();
    assert_eq!(endpoint.requests()[1].uri().query(), Some("dc=prod+wst&slice=test"));
    client.acquire_token_for_client(&orders).await.unwrap();
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn b36_a_region_moves_client_credentials_and_nothing_else() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let regional = builder(&endpoint, &clock).region("West Europe").secret(SECRET.to_owned()).build().unwrap();
    regional.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri().host(), Some("westeurope.login.contoso.test"));
    let assertion = UserAssertion::new(jws(&json!({"exp": START + 3600}))).unwrap();
    regional.acquire_token_on_behalf_of(&assertion, &scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[1].uri().host(), Some("login.contoso.test"));
    for evil in ["evil.com/", "a.b", ""] {
        let error = builder(&endpoint, &clock).region(evil).secret(SECRET.to_owned()).build().unwrap_err();
        assert!(matches!(error, countersign_client::BuildError::Region), "{evil:?}");
    }
}

/// An API that answers what it is told to, and remembers the credentials it saw.
#[derive(Clone, Default)]
struct Api {
    seen: Arc<Mutex<Vec<String>>>,
    challenges: Arc<Mutex<Vec<Option<&'static str>>>>,
}

impl Service<Request<Bytes>> for Api {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let credentials: Vec<_> = request.headers().get_all("authorization").iter().collect();
        assert_eq!(credentials.len(), 1);
        let text = format!("{} {}", credentials[0].to_str().unwrap(), String::from_utf8_lossy(request.body()));
        self.seen.lock().unwrap().push(text);
        let mut challenges = self.challenges.lock().unwrap();
        let response = match if challenges.is_empty() { None } else { challenges.remove(0) } {
            Some(challenge) => Response::builder().status(401).header("www-authenticate", challenge),
            None => Response::builder().status(200),
        };
        ready(Ok(response.body(Bytes::new()).unwrap()))
    }
}

fn post(uri: &str) -> Request<Bytes> {
    Request::post(uri).header("authorization", "Bearer left-over").body("body".into()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_layer_attaches_the_token_and_answers_one_challenge() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let api = Api::default();
    let layer = AuthorizeLayer::new(client(&endpoint, &clock), scopes("api://orders"), "https://orders.contoso.com");
    let mut service = layer.unwrap().layer(api.clone());
    let response = service.call(post("https://orders.contoso.com/1")).await.unwrap();
    assert_eq!((response.status().as_u16(), api.seen.lock().unwrap().remove(0)), (200, "Bearer token-1 body".into()));

    let claims = countersign_token::base64_encode_standard(NBF.as_bytes());
    let challenge: &'static str = format!("Bearer error=\"insufficient_claims\", claims=\"{claims}\"").leak();
    api.challenges.lock().unwrap().push(Some(challenge));
    let response = service.call(post("https://orders.contoso.com/2")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*api.seen.lock().unwrap(), ["Bearer token-1 body", "Bearer token-2 body"]);
    assert_eq!(field(&endpoint.last_form(), "claims").unwrap(), NBF);

    // Challenged twice, it gives up; a 401 without claims it does not touch at all.
    api.challenges.lock().unwrap().extend([Some(challenge), Some(challenge), Some("Bearer error=\"invalid_token\"")]);
    assert_eq!(service.call(post("https://orders.contoso.com/3")).await.unwrap().status(), 401);
    assert_eq!(endpoint.count(), 3);
    assert_eq!(service.call(post("https://orders.contoso.com/4")).await.unwrap().status(), 401);
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn d14_c03_the_layer_sends_tokens_to_no_other_origin() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let api = Api::default();
    let layer = AuthorizeLayer::new(client(&endpoint, &clock), scopes("api://orders"), "https://orders.contoso.com");
    let mut service = layer.unwrap().layer(api.clone());
    for uri in [
        "http://orders.contoso.com/",
        "https://orders.contoso.com:8443/",
        "https://evil.test/",
        "https://orders.contoso.com.evil.test/",
        "https://orders.contoso.com@evil.test/",
        "/relative",
    ] {
        let error = service.call(post(uri)).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::ForeignOrigin), "{uri}: {error:?}");
    }
    assert!(api.seen.lock().unwrap().is_empty() && endpoint.count() == 0);
    endpoint.answers(|_| answer(400, "{}"));
    let error = service.call(post("https://orders.contoso.com:443/")).await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Acquire(_)));
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn the_layer_acts_for_the_user_of_the_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let api = Api::default();
    let layer = AuthorizeLayer::new(client(&endpoint, &clock), scopes("api://orders"), "https://orders.contoso.com");
    let mut service = layer.unwrap().layer(api.clone());
    for (index, user) in ["alice", "bob"].into_iter().enumerate() {
        let token = jws(&json!({"oid": user, "exp": START + 3600}));
        let mut request = post("https://orders.contoso.com/1");
        request.extensions_mut().insert(UserAssertion::new(token.clone()).unwrap());
        service.call(request).await.unwrap();
        assert_eq!(field(&endpoint.last_form(), "assertion").unwrap(), token);
        assert_eq!(api.seen.lock().unwrap()[index], format!("Bearer token-{} body", index + 1));
    }
    service.call(post("https://orders.contoso.com/1")).await.unwrap();
    assert_eq!(field(&endpoint.last_form(), "grant_type").unwrap(), "client_credentials");
}
