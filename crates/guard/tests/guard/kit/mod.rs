//! An API of Contoso: its guard, and callers with tokens good and bad.

pub(crate) mod endpoint;
pub(crate) mod log;
pub(crate) mod service;
pub(crate) mod token;

use std::time::Duration;

use axum::body::Body;
use countersign_discovery::{KeySource, RemoteKeys};
use countersign_guard::{Guard, GuardBuilder, Policy};
use countersign_token::{FakeClock, KeySet, SigningKey, Timestamp};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

use self::endpoint::Endpoint;
use self::token::{API, API_URI, NOW, TENANT, V1_TEMPLATE, V2_TEMPLATE, genuine, jwk, next};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A clock that shows [`NOW`].
pub(crate) fn clock() -> FakeClock {
    FakeClock::at(Timestamp::from_unix_seconds(NOW))
}

/// The API's policy, as JSON to be changed.
pub(crate) fn policy_json() -> Value {
    json!({
        "tenants": [TENANT], "issuers": [V2_TEMPLATE, V1_TEMPLATE], "audiences": [API, API_URI],
        "app_roles": ["Resource.Read"], "scopes": ["access_as_user"]
    })
}

/// The API's policy.
pub(crate) fn policy() -> Policy {
    policy_with(&[])
}

/// The API's policy with some members changed.
pub(crate) fn policy_with(changes: &[(&str, Value)]) -> Policy {
    let mut policy = policy_json();
    for (name, value) in changes {
        policy[*name] = value.clone();
    }
    serde_json::from_value(policy).unwrap()
}

pub(crate) fn fixed(keys: &[&SigningKey]) -> KeySource {
    let keys: Vec<Value> = keys.iter().map(|key| jwk(key)).collect();
    KeySource::fixed(KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
}

/// A guard of this policy with both published keys.
pub(crate) fn builder(policy: &Policy, clock: &FakeClock) -> GuardBuilder {
    Guard::builder(fixed(&[genuine(), next()]), policy).unwrap().clock(Arc::new(clock.clone()))
}

/// The guard that most tests stand before.
pub(crate) fn guard() -> Guard {
    builder(&policy(), &clock()).build()
}

/// A guard whose keys come from this endpoint.
pub(crate) fn remote_guard(endpoint: &Endpoint, clock: &FakeClock) -> Guard {
    let keys = RemoteKeys::from_jwks_uri(endpoint::KEYS_URL, Arc::new(endpoint.clone())).unwrap();
    let keys = keys.clock(Arc::new(clock.clone())).build();
    Guard::builder(keys.into(), &policy()).unwrap().clock(Arc::new(clock.clone())).build()
}

/// A request with these `Authorization` headers.
pub(crate) fn request(values: &[&str]) -> Request<Body> {
    let mut request = Request::get("/orders");
    for value in values {
        request = request.header(AUTHORIZATION, *value);
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) fn bearer(token: &str) -> Request<Body> {
    request(&[&format!("Bearer {token}")])
}

/// What the guard's own layer, in front of a service that answers 200, says to this token.
pub(crate) async fn answer(guard: &Guard, token: &str) -> Response<Body> {
    let service =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::default()) });
    tower::ServiceBuilder::new().layer(guard.layer()).service(service).oneshot(bearer(token)).await.unwrap()
}

/// The status of [`answer`].
pub(crate) async fn status(guard: &Guard, token: &str) -> u16 {
    answer(guard, token).await.status().as_u16()
}

/// The code of the guard's refusal of this token, or `accepted`.
pub(crate) async fn verdict(guard: &Guard, token: &str) -> &'static str {
    guard.verifier().verify(token).await.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

/// One header's value, which must not stand twice.
pub(crate) fn header<'a, B>(response: &'a Response<B>, name: &str) -> Option<&'a str> {
    let mut values = response.headers().get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert_eq!(values.next(), None, "{name} stands twice");
    value
}

/// Lets everything that can run without time passing run.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
