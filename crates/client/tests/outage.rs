//! A token endpoint that is down, throttles or hangs: what callers feel, and how soon they feel that it is back.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use countersign_client::{AcquireError, ConfidentialClient};
use countersign_discovery::TransportError;
use support::{Endpoint, answer, client, clock, refused, scopes, settle};

const SECOND: Duration = Duration::from_secs(1);

fn refuses_connections(endpoint: &Endpoint) {
    endpoint.answers(|_| Err(TransportError::Connect("connection refused".into())));
}

/// Fails as often as it takes to open the circuit.
async fn opened(client: &ConfidentialClient) {
    for index in 0..5 {
        let error = client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap_err();
        assert!(!matches!(error, AcquireError::Unavailable { .. }), "{index}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn e06_after_five_failures_callers_are_told_at_once_and_one_probe_a_second_goes_out() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    refuses_connections(&endpoint);
    opened(&client).await;
    assert_eq!(endpoint.count(), 10, "two attempts each");
    let begun = tokio::time::Instant::now();
    for index in 0..100 {
        let error = client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap_err();
        let AcquireError::Unavailable { cause, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(**cause, AcquireError::Transport(_)) && error.is_retryable());
    }
    assert_eq!((endpoint.count(), begun.elapsed()), (10, Duration::ZERO));
    for second in 1..=30 {
        clock.advance(SECOND);
        for index in 0..10 {
            let _ = client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap_err();
        }
        assert_eq!(endpoint.count(), 10 + second, "a probe is sent once");
    }
}

#[tokio::test(start_paused = true)]
async fn e06_service_is_back_within_two_seconds_of_the_endpoints() {
    for hangs in [false, true] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = client(&endpoint, &clock);
        refuses_connections(&endpoint);
        opened(&client).await;
        // A caller comes every 100 ms for a minute of outage, which answers nothing at all in the second round.
        let gate = hangs.then(|| endpoint.hold());
        let mut waiting = Vec::new();
        let call = || {
            let client = client.clone();
            tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://orders")).await })
        };
        for _ in 0..600 {
            waiting.push(call());
            settle().await;
            clock.advance(Duration::from_millis(100));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        // It is back. What hangs goes on hanging; new requests are answered.
        endpoint.hold().open();
        endpoint.issues();
        let mut recovered = None;
        for tenth in 0..20 {
            let call = call();
            settle().await;
            if call.is_finished() && call.await.unwrap().is_ok() {
                recovered = Some(tenth);
                break;
            }
            clock.advance(Duration::from_millis(100));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(recovered.is_some(), "hangs: {hangs}");
        settle().await;
        // Whoever waited for a hanging request has the token of the one that was answered.
        let last = waiting.pop().unwrap();
        if hangs {
            assert!(last.is_finished() && last.await.unwrap().is_ok());
        }
        drop(gate);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_sign_of_life_and_never_opens_the_circuit() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| refused(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    for index in 0..20 {
        let error = client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap_err();
        assert!(matches!(error, AcquireError::Refused(_)));
    }
    assert_eq!(endpoint.count(), 20);
}

#[tokio::test(start_paused = true)]
async fn fifty_minutes_of_outage_cost_no_caller_an_error_while_a_token_is_valid() {
    type Fault = fn() -> support::Outcome;
    let faults: [(&str, Fault); 6] = [
        ("503", || answer(503, "busy")),
        ("429", || {
            let response = http::Response::builder().status(429).header("retry-after", "600");
            Ok(response.body("".into()).unwrap())
        }),
        ("hang-up", || Err(TransportError::Interrupted("connection reset".into()))),
        ("garbage", || answer(200, "\u{0}\u{1}garbage")),
        ("TLS failure", || Err(TransportError::Tls("certificate expired".into()))),
        ("time-out", || Err(TransportError::Timeout { after: SECOND * 10 })),
    ];
    for (what, fault) in faults {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = client(&endpoint, &clock);
        let keys: Vec<_> = (0..8).map(|index| scopes(&format!("api://{index}"))).collect();
        for scopes in &keys {
            client.acquire_token_for_client(scopes).await.unwrap();
        }
        clock.advance(SECOND * 300);
        endpoint.answers(move |_| fault());
        for second in 0..3000 {
            for scopes in &keys {
                assert!(client.acquire_token_for_client(scopes).await.is_ok(), "{what}, second {second}");
            }
            clock.advance(SECOND);
            tokio::time::advance(SECOND).await;
            settle().await;
        }
        let attempts = endpoint.count() - 8;
        assert!((1..=400).contains(&attempts), "{what}: {attempts} attempts of 8 keys in 50 minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn e05_a_wait_that_was_asked_of_one_question_holds_the_renewals_of_all() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let (a, b) = (scopes("api://a"), scopes("api://b"));
    let token = client.acquire_token_for_client(&a).await.unwrap();
    endpoint
        .answers(|_| Ok(http::Response::builder().status(429).header("retry-after", "60").body("".into()).unwrap()));
    clock.set(token.refresh_on());
    assert!(client.acquire_token_for_client(&b).await.is_err());
    let before = endpoint.count();
    for _ in 0..59 {
        assert_eq!(client.acquire_token_for_client(&a).await.unwrap().secret(), "token-1");
        settle().await;
        clock.advance(SECOND);
    }
    assert_eq!(endpoint.count(), before, "nothing is sent while the wait lasts");
    endpoint.issues();
    clock.advance(SECOND * 2);
    client.acquire_token_for_client(&a).await.unwrap();
    settle().await;
    assert_eq!(endpoint.count(), before + 1, "and the renewal comes by itself");
}

#[tokio::test(start_paused = true)]
async fn e16_ten_thousand_callers_of_an_expired_token_make_one_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    let token = client.acquire_token_for_client(&orders).await.unwrap();
    clock.set(token.expires_on());
    let gate = endpoint.hold();
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let (client, orders) = (client.clone(), orders.clone());
            tokio::spawn(async move { client.acquire_token_for_client(&orders).await.unwrap().secret().to_owned() })
        })
        .collect();
    settle().await;
    gate.open();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "token-2");
    }
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn e01_a_client_starts_while_the_authority_is_down_and_works_when_it_is_up() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    refuses_connections(&endpoint);
    let client = client(&endpoint, &clock);
    assert_eq!(endpoint.count(), 0, "c07, c08: nothing is asked before a token is, and nobody about the authority");
    let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Transport(_)) && error.is_retryable());
    endpoint.issues();
    assert!(client.acquire_token_for_client(&scopes("api://orders")).await.is_ok());
    let requests = endpoint.requests();
    assert!(
        requests.iter().all(|request| request.uri().path().ends_with("/oauth2/v2.0/token")),
        "one address, our own"
    );
}

#[tokio::test(start_paused = true)]
async fn c30_retries_do_not_multiply() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| answer(500, "<html>"));
    let callers = (0..100).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err() })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(endpoint.count(), 2, "one request and one second attempt for all of them");
}
