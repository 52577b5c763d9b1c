//! What [`ExternalIssuers`] promises, against a fake endpoint, and where its transport may lead, against a real one.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{
    ExternalIssuerError, ExternalIssuers, FetchError, HttpsTransport, Limits, Transport, TransportError,
};
use serde_json::json;
use support::endpoint::{Endpoint, clock, key_set, ok, raw};

const ISSUER: &str = "https://token.actions.example";

fn publishing(issuer: &'static str, key_ids: &'static [&'static str]) -> Endpoint {
    let endpoint = Endpoint::publishing(&[]);
    endpoint.answers(move |url| {
        if url.ends_with("/.well-known/openid-configuration") {
            ok(&json!({"issuer": issuer, "jwks_uri": "https://keys.example/jwks"}))
        } else {
            ok(&key_set(key_ids))
        }
    });
    endpoint
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_when_they_are_needed_and_once() {
    let (endpoint, clock) = (publishing(ISSUER, &["a"]), clock());
    let issuers = ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock.clone()));
    assert!(endpoint.calls().is_empty());
    assert_eq!(issuers.key(ISSUER, "a").await.unwrap().key_id(), "a");
    assert_eq!(issuers.key(ISSUER, "a").await.unwrap().key_id(), "a");
    assert_eq!(
        endpoint.calls(),
        [format!("{ISSUER}/.well-known/openid-configuration"), "https://keys.example/jwks".to_owned()]
    );
    clock.advance(Duration::from_secs(3601));
    issuers.key(ISSUER, "a").await.unwrap();
    assert_eq!(endpoint.calls().len(), 4, "an hour is over");
}

#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_belongs_to_the_issuer_and_is_not_doubled() {
    let endpoint = publishing("https://kubernetes.example/", &["a"]);
    let issuers = ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock()));
    assert!(issuers.key("https://kubernetes.example/", "a").await.is_ok());
    assert_eq!(endpoint.calls()[0], "https://kubernetes.example/.well-known/openid-configuration");
    let other = issuers.key("https://kubernetes.example", "a").await.unwrap_err();
    assert!(matches!(other, ExternalIssuerError::OtherIssuer), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn b20_metadata_of_another_issuer_is_refused() {
    let endpoint = publishing("https://evil.example", &["a"]);
    let issuers = ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock()));
    let refused = issuers.key(ISSUER, "a").await.unwrap_err();
    assert!(matches!(refused, ExternalIssuerError::OtherIssuer), "{refused:?}");
    assert_eq!(endpoint.calls().len(), 1, "its keys are not even asked for");
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_and_failures_lead_to_one_fetch_in_thirty_seconds() {
    let (endpoint, clock) = (publishing(ISSUER, &["a"]), clock());
    let issuers = ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock.clone()));
    for stranger in ["x", "y", "z"] {
        let unknown = issuers.key(ISSUER, stranger).await.unwrap_err();
        assert!(matches!(unknown, ExternalIssuerError::UnknownKey), "{unknown:?}");
    }
    assert_eq!(endpoint.calls().len(), 2);
    clock.advance(Duration::from_secs(31));
    endpoint.goes_down();
    for _ in 0..3 {
        let unknown = issuers.key(ISSUER, "x").await.unwrap_err();
        assert!(matches!(unknown, ExternalIssuerError::Fetch(_)), "{unknown:?}");
        assert!(issuers.key(ISSUER, "a").await.is_ok(), "what is known is good");
    }
    assert_eq!(endpoint.calls().len(), 3);
    clock.advance(Duration::from_secs(23 * 3600));
    assert!(issuers.key(ISSUER, "a").await.is_ok(), "while nobody answers");
    clock.advance(Duration::from_secs(2 * 3600));
    assert!(issuers.key(ISSUER, "a").await.is_err(), "and not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_questions_at_once_are_one_fetch() {
    let endpoint = publishing(ISSUER, &["a"]);
    let issuers = Arc::new(ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock())));
    let asking = (0..100).map(|_| {
        let issuers = Arc::clone(&issuers);
        async move { issuers.key(ISSUER, "a").await.is_ok() }
    });
    assert!(futures_util::future::join_all(asking).await.into_iter().all(|found| found));
    assert_eq!(endpoint.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_an_issuers_answer_is_refused_by_name() {
    let endpoint = Endpoint::publishing(&[]);
    let issuers = |endpoint: &Endpoint| ExternalIssuers::new(Arc::new(endpoint.clone()), Arc::new(clock()));
    for no_address in
        ["http://issuer.example", "issuer.example", "https://user@issuer.example", "file:///etc/passwd", ""]
    {
        let refused = issuers(&endpoint).key(no_address, "a").await.unwrap_err();
        assert!(matches!(refused, ExternalIssuerError::Address), "{no_address} {refused:?}");
    }
    for jwks_uri in ["http://keys.example/", "", "https://u:p@keys.example/"] {
        endpoint.answers(move |_| ok(&json!({"issuer": ISSUER, "jwks_uri": jwks_uri})));
        let refused = issuers(&endpoint).key(ISSUER, "a").await.unwrap_err();
        assert!(matches!(refused, ExternalIssuerError::Address), "{jwks_uri} {refused:?}");
    }
    for answer in [
        || raw(200, "text/html", "<html>"),
        || raw(500, "application/json", "{}"),
        || raw(200, "application/json", "[]"),
    ] {
        endpoint.answers(move |_| answer());
        let refused = issuers(&endpoint).key(ISSUER, "a").await.unwrap_err();
        assert!(matches!(refused, ExternalIssuerError::Fetch(_)), "{refused:?}");
    }
    endpoint.answers(|_| raw(302, "text/plain", ""));
    let refused = issuers(&endpoint).key(ISSUER, "a").await.unwrap_err();
    let ExternalIssuerError::Fetch(why) = refused else { panic!("{refused:?}") };
    assert!(matches!(*why, FetchError::Transport(TransportError::Redirect { status: 302 })), "{why:?}");
}

#[tokio::test]
async fn b19_the_transport_connects_to_nothing_at_home_unless_the_operator_allows_it() {
    let authority = support::tls::Authority::new();
    let server = support::tls::Server::answering(&authority, support::tls::Valid::Now, "localhost", |_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()
    })
    .await;
    let transport = |except: &[&str]| {
        HttpsTransport::builder()
            .only_roots_pem(authority.pem().as_bytes())
            .unwrap()
            .only_public_addresses(except.iter().map(|host| (*host).to_owned()))
            .build()
            .unwrap()
    };
    let limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 100 };
    let ask = async |transport: HttpsTransport, host: &str| {
        transport.send(http::Request::get(server.url(host)).body(Bytes::new()).unwrap(), limits).await
    };
    for host in ["localhost", "127.0.0.1"] {
        let refused = ask(transport(&[]), host).await.unwrap_err();
        assert!(matches!(refused, TransportError::Connect(_)), "{host} {refused:?}");
        assert_eq!(server.connections(), 0, "{host}");
    }
    assert_eq!(ask(transport(&["localhost"]), "localhost").await.unwrap().status(), 200);
    let both = HttpsTransport::builder().proxy("http://127.0.0.1:1").only_public_addresses([]);
    assert!(both.only_roots_pem(authority.pem().as_bytes()).unwrap().build().is_err());
}
