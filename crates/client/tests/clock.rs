//! `pitfalls` E15: the machine's clock is wrong and is put right while tokens are at hand. What has passed since a token was
//! asked for is then known by monotonic time alone; tokio's stands for it here, which tests advance beside the wall's.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use countersign_client::AcquireError;
use countersign_token::{FakeClock, Timestamp};
use support::{Endpoint, START, client, clock, refused, scopes, settle};

const MINUTE: Duration = Duration::from_secs(60);

async fn pass(clock: &FakeClock, time: Duration) {
    clock.advance(time);
    tokio::time::advance(time).await;
}

fn set(clock: &FakeClock, minutes: i64) {
    clock.set(Timestamp::from_unix_seconds(START + minutes * 60));
}

#[tokio::test(start_paused = true)]
async fn e15_a_clock_that_is_set_back_costs_one_request_in_the_background() {
    for minutes_back in [1, 4, 60, 1440] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = client(&endpoint, &clock);
        let orders = scopes("api://orders");
        client.acquire_token_for_client(&orders).await.unwrap();
        set(&clock, -minutes_back);
        for _ in 0..10 {
            assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-1", "nobody waits");
        }
        settle().await;
        for _ in 0..10 {
            assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-2", "{minutes_back}");
            settle().await;
        }
        assert_eq!(endpoint.count(), 2, "once, {minutes_back}");
    }
}

#[tokio::test(start_paused = true)]
async fn e15_a_token_is_never_served_past_its_real_end_however_its_renewal_fails() {
    // The clock is an hour fast when the token is asked for, and is put right at some time of its life.
    for after in [0, 10, 40, 55] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        set(&clock, 60);
        let client = client(&endpoint, &clock);
        let orders = scopes("api://orders");
        client.acquire_token_for_client(&orders).await.unwrap();
        endpoint.answers(|_| refused(503, "temporarily_unavailable", 90_033, "A transient error."));
        pass(&clock, MINUTE * after).await;
        set(&clock, i64::from(after));
        for _ in after..59 {
            let token = client.acquire_token_for_client(&orders).await;
            assert_eq!(token.unwrap().secret(), "token-1", "{after}: valid for the API, and so for its callers");
            settle().await;
            pass(&clock, MINUTE).await;
        }
        pass(&clock, MINUTE).await;
        for _ in 0..3 {
            assert!(client.acquire_token_for_client(&orders).await.is_err(), "{after}: an API would refuse it now");
            pass(&clock, MINUTE).await;
        }
        endpoint.issues();
        pass(&clock, MINUTE).await;
        assert!(client.acquire_token_for_client(&orders).await.is_ok(), "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn e15_failing_renewals_after_a_step_back_are_as_far_apart_as_ever() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    client.acquire_token_for_client(&orders).await.unwrap();
    endpoint.answers(|_| refused(400, "invalid_request", 900_144, "No."));
    set(&clock, -120);
    // Ten minutes, asked every second: at 0 s, then after some 30, 60, 120, 240, 300 s.
    for _ in 0..600 {
        client.acquire_token_for_client(&orders).await.unwrap();
        settle().await;
        pass(&clock, Duration::from_secs(1)).await;
    }
    assert!((4..=7).contains(&endpoint.count()), "{}", endpoint.count());
}

#[tokio::test(start_paused = true)]
async fn e15_a_clock_that_is_set_forward_ends_tokens_early_and_nothing_worse() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    client.acquire_token_for_client(&orders).await.unwrap();
    set(&clock, 1440);
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-2");
    // And back again: the second one serves on while its successor is fetched.
    set(&clock, 0);
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-2");
    settle().await;
    assert_eq!(client.acquire_token_for_client(&orders).await.unwrap().secret(), "token-3");
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn e15_a_wait_that_was_asked_for_ends_when_the_clock_is_set_back() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint
        .answers(|_| Ok(http::Response::builder().status(429).header("retry-after", "60").body("".into()).unwrap()));
    let error = client.acquire_token_for_client(&scopes("api://a")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Throttled { .. }));
    set(&clock, -60);
    endpoint.issues();
    assert!(client.acquire_token_for_client(&scopes("api://a")).await.is_ok());
}
