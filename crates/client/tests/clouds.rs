//! The hosts that one client may ask: another cloud's, a region's, the global one; and what one of them suffers.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::{
    AcquireError, CertificateOptions, ConfidentialClient, ConfidentialClientBuilder, UserAssertion,
};
use countersign_discovery::TransportError;
use countersign_protocol::AuthorityHost;
use countersign_token::{Certificate, FakeClock, PrivateKey, base64url_decode_strict};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, SECRET, START, TENANT, builder, clock, field, jws, scopes, tenant};

const REGIONAL: &str = "westeurope.login.contoso.test";
const GLOBAL: &str = "login.contoso.test";

fn at(host: &str, endpoint: &Endpoint, clock: &FakeClock) -> ConfidentialClientBuilder {
    ConfidentialClient::builder(AuthorityHost::parse(host).unwrap(), tenant(TENANT), CLIENT.parse().unwrap())
        .transport(Arc::new(endpoint.clone()))
        .clock(Arc::new(clock.clone()))
}

fn certified(builder: ConfidentialClientBuilder) -> ConfidentialClient {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
    let certificate = Certificate::from_pem(&params.self_signed(&pair).unwrap().pem()).unwrap();
    let key = PrivateKey::from_pem(&pair.serialize_pem()).unwrap();
    builder.certificate(key, certificate, CertificateOptions::default()).build().unwrap()
}

fn audience(endpoint: &Endpoint) -> Value {
    let assertion = field(&endpoint.last_form(), "client_assertion").unwrap();
    let claims = base64url_decode_strict(assertion.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["aud"].clone()
}

fn user() -> UserAssertion {
    UserAssertion::new(jws(&json!({"exp": START + 100_000}))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn c16_an_assertion_sent_to_a_region_is_still_for_the_global_endpoint() {
    let clouds = [
        ("https://login.microsoftonline.com", "westeurope.login.microsoft.com"),
        ("https://login.microsoftonline.us", "westeurope.login.microsoftonline.us"),
        ("https://login.contoso.test:8443", REGIONAL),
    ];
    for (host, regional) in clouds {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = certified(at(host, &endpoint, &clock).region("westeurope"));
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!(endpoint.requests()[0].uri().host(), Some(regional));
        assert_eq!(audience(&endpoint), format!("{host}/{TENANT}/oauth2/v2.0/token"));
        client.acquire_token_on_behalf_of(&user(), &scopes("api://orders")).await.unwrap();
        assert_eq!(audience(&endpoint), format!("{host}/{TENANT}/oauth2/v2.0/token"));
    }
}

#[tokio::test(start_paused = true)]
async fn c08_another_clouds_hosts_are_asked_themselves_and_nobody_is_asked_about_them() {
    for host in ["https://login.microsoftonline.us", "https://login.partner.microsoftonline.cn"] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = certified(at(host, &endpoint, &clock));
        let there = format!("{host}/{TENANT}/oauth2/v2.0/token");
        client.acquire_token_for_client(&scopes("https://graph.microsoft.us")).await.unwrap();
        assert_eq!((endpoint.requests()[0].uri().to_string(), audience(&endpoint)), (there.clone(), json!(there)));
        client.acquire_token_on_behalf_of(&user(), &scopes("https://graph.microsoft.us")).await.unwrap();
        assert_eq!(endpoint.requests()[1].uri().to_string(), there);
        assert_eq!(endpoint.count(), 2, "no discovery precedes a token");
    }
}

/// Does not answer for `dead`.
fn dies_at(endpoint: &Endpoint, dead: &'static str) {
    let counted = endpoint.clone();
    endpoint.answers(move |request| match request.uri().host() {
        Some(host) if host == dead => Err(TransportError::Timeout { after: Duration::from_secs(10) }),
        _ => support::ok(
            &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("t-{}", counted.count())}),
        ),
    });
}

#[tokio::test(start_paused = true)]
async fn e06_a_host_that_is_dead_closes_no_way_to_another() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let regional = builder(&endpoint, &clock).region("westeurope").secret(SECRET.to_owned()).build().unwrap();
    let user = user();
    let api = |index: usize| scopes(&format!("api://{index}"));
    // The region dies: on-behalf-of goes to the global endpoint as ever, and the other way round.
    dies_at(&endpoint, REGIONAL);
    for index in 0..5 {
        regional.acquire_token_for_client(&api(index)).await.unwrap_err();
    }
    let error = regional.acquire_token_for_client(&api(0)).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error:?}");
    for index in 0..5 {
        regional.acquire_token_on_behalf_of(&user, &api(index)).await.unwrap();
    }
    // What the global endpoint answers says nothing about the region.
    let error = regional.acquire_token_for_client(&api(0)).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error:?}");

    dies_at(&endpoint, GLOBAL);
    clock.advance(Duration::from_secs(2));
    regional.acquire_token_for_client(&api(0)).await.unwrap();
    for index in 5..10 {
        regional.acquire_token_on_behalf_of(&user, &api(index)).await.unwrap_err();
    }
    let error = regional.acquire_token_on_behalf_of(&user, &api(11)).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error:?}");
    regional.acquire_token_for_client(&api(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn e05_a_host_that_asks_to_wait_is_left_alone_and_others_are_not() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let regional = builder(&endpoint, &clock).region("westeurope").secret(SECRET.to_owned()).build().unwrap();
    endpoint
        .answers(|_| Ok(http::Response::builder().status(429).header("retry-after", "60").body("".into()).unwrap()));
    regional.acquire_token_for_client(&scopes("api://a")).await.unwrap_err();
    endpoint.issues();
    let error = regional.acquire_token_for_client(&scopes("api://b")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Throttled { .. }), "{error:?}");
    regional.acquire_token_on_behalf_of(&user(), &scopes("api://a")).await.unwrap();
    // A twin of the client on another cache knows nothing of it; one without a region asks another host.
    let global = builder(&endpoint, &clock).secret(SECRET.to_owned()).build().unwrap();
    global.acquire_token_for_client(&scopes("api://c")).await.unwrap();
}
