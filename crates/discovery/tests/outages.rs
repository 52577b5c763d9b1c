//! How [`RemoteKeys`] bears an endpoint that is down, slow, throttling, late or broken.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{FetchError, KeysUnavailable, RefreshPolicy, RemoteKeys, TransportError};
use countersign_token::FakeClock;
use support::endpoint::{Endpoint, HOUR, KEYS_URL, METADATA_URL, clock, clock_now, raw, remote, settle};

#[tokio::test(start_paused = true)]
async fn e02_an_outage_of_a_day_is_felt_by_nobody_and_ends_by_itself() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.goes_down();
    clock.advance(HOUR * 12);
    endpoint.forget_calls();
    for _ in 0..24 * 60 {
        clock.advance(Duration::from_secs(60));
        assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
        settle().await;
    }
    let attempts = endpoint.calls().len();
    assert!((200..=300).contains(&attempts), "{attempts} attempts in a day: one per five minutes");

    endpoint.publish(&["good", "new"]);
    clock.advance(Duration::from_secs(300));
    keys.keys_for("good").await.unwrap();
    settle().await;
    assert!(keys.current().unwrap().find("new").is_some(), "renewed without an unknown kid");
}

#[tokio::test(start_paused = true)]
async fn e03_keys_older_than_the_limit_are_not_used_until_the_endpoint_is_back() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.goes_down();
    clock.advance(HOUR * 24 * 7 - Duration::from_secs(1));
    assert!(keys.keys_for("good").await.is_ok());
    settle().await;
    clock.advance(Duration::from_secs(400));
    assert!(keys.current().is_none());
    assert_eq!((keys.generation(), keys.generation_at(clock_now(&clock))), (1, None));
    let error = keys.keys_for("good").await.unwrap_err();
    let KeysUnavailable::TooOld(cause) = error else { panic!("{error:?}") };
    assert!(matches!(&*cause, FetchError::Transport(TransportError::Connect(_))), "{cause:?}");

    endpoint.publish(&["good"]);
    clock.advance(Duration::from_secs(301));
    assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
}

#[tokio::test(start_paused = true)]
async fn e01_a_start_without_the_endpoint_fails_plainly_and_recovers_within_seconds() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    endpoint.goes_down();
    for _ in 0..100 {
        let error = keys.keys_for("good").await.unwrap_err();
        assert!(matches!(error, KeysUnavailable::NeverFetched(_)), "{error:?}");
    }
    assert_eq!(endpoint.calls().len(), 1, "attempts are spaced even when nothing is at hand");
    endpoint.publish(&["good"]);
    clock.advance(Duration::from_secs(1));
    assert!(keys.keys_for("good").await.is_ok());
}

/// The seconds, out of `seconds` from now on, at which the endpoint is asked while somebody wants a key in each.
async fn asked_at(endpoint: &Endpoint, clock: &FakeClock, keys: &RemoteKeys, seconds: u64) -> Vec<u64> {
    let mut times = Vec::new();
    for second in 0..seconds {
        endpoint.forget_calls();
        let _ = keys.keys_for("good").await;
        settle().await;
        times.extend(endpoint.calls().iter().map(|_| second));
        clock.advance(Duration::from_secs(1));
    }
    times
}

/// Nothing is sent a second time at once; the pauses between attempts grow, and they are what spares the endpoint.
#[tokio::test(start_paused = true)]
async fn e06_a_burst_of_server_errors_meets_growing_pauses_and_no_second_attempt() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    let burst = |endpoint: &Endpoint| endpoint.answers(|_| raw(503, "application/json", "{}"));
    burst(&endpoint);
    clock.advance(HOUR * 14);
    assert_eq!(asked_at(&endpoint, &clock, &keys, 800).await, [0, 30, 90, 210, 450, 750]);
    assert!(keys.keys_for("good").await.unwrap().find("good").is_some(), "nobody else noticed");

    let cold = remote(&endpoint, &clock);
    assert_eq!(asked_at(&endpoint, &clock, &cold, 100).await, [0, 1, 3, 7, 15, 31, 61, 91]);
    endpoint.publish(&["good"]);
    clock.advance(Duration::from_secs(21));
    assert!(cold.keys_for("good").await.is_ok());
    endpoint.forget_calls();
    burst(&endpoint);
    clock.advance(HOUR * 14);
    assert_eq!(asked_at(&endpoint, &clock, &cold, 60).await, [0, 30], "the next burst begins with the first pause");
}

#[tokio::test(start_paused = true)]
async fn e18_a_renewal_that_fails_leaves_the_usable_keys_in_use() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    endpoint.goes_down();
    clock.advance(HOUR * 14);
    for _ in 0..2 {
        assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
        assert_eq!((keys.generation_at(clock_now(&clock)), keys.ready().await.is_ok()), (Some(1), true));
        settle().await;
        assert_eq!(endpoint.calls(), [METADATA_URL], "one attempt");
    }
    endpoint.publish(&["good", "new"]);
    clock.advance(Duration::from_secs(30));
    assert!(keys.keys_for("good").await.unwrap().find("new").is_none(), "still nobody waits");
    settle().await;
    assert!(keys.keys_for("good").await.unwrap().find("new").is_some());
}

#[tokio::test(start_paused = true)]
async fn e17_a_caller_who_gives_up_does_not_end_the_fetch_of_the_others() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    let gate = endpoint.hold();
    let spawn = |keys: RemoteKeys| tokio::spawn(async move { keys.keys_for("good").await.is_ok() });
    let (first, second) = (spawn(keys.clone()), spawn(keys.clone()));
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.open();
    assert!(second.await.unwrap());
    assert_eq!(endpoint.calls(), [METADATA_URL, KEYS_URL]);
}

#[tokio::test(start_paused = true)]
async fn e04_an_endpoint_that_hangs_costs_the_cold_caller_five_seconds_and_the_others_nothing() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    let gate = endpoint.hold();
    let begun = tokio::time::Instant::now();
    let error = keys.keys_for("good").await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 5);
    let KeysUnavailable::NeverFetched(cause) = error else { panic!("{error:?}") };
    assert!(matches!(&*cause, FetchError::Transport(TransportError::Timeout { .. })), "{cause:?}");

    gate.open();
    clock.advance(Duration::from_secs(1));
    keys.ready().await.unwrap();
    let _gate = endpoint.hold();
    clock.advance(HOUR * 24);
    let begun = tokio::time::Instant::now();
    assert!(keys.keys_for("good").await.is_ok());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // Somebody with an unknown kid waits for the fetch under way, and learns that nobody could be asked.
    let error = keys.keys_for("stranger").await.unwrap_err();
    let KeysUnavailable::Unconfirmed(cause) = error else { panic!("{error:?}") };
    assert!(matches!(&*cause, FetchError::Transport(TransportError::Timeout { .. })), "{cause:?}");
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_never_replaces_a_newer_one() {
    let (endpoint, clock) = (Endpoint::publishing(&["old"]), clock());
    // A limit so long that the clock, not the timer, declares the first fetch lost.
    let policy = RefreshPolicy { timeout: HOUR, ..RefreshPolicy::default() };
    let keys = RemoteKeys::from_jwks_uri(KEYS_URL, Arc::new(endpoint.clone()))
        .unwrap()
        .clock(Arc::new(clock.clone()))
        .policy(policy)
        .build();
    let first_gate = endpoint.hold();
    let first = tokio::spawn({
        let keys = keys.clone();
        async move { keys.ready().await.is_ok() }
    });
    settle().await;
    clock.advance(HOUR * 3);
    let second_gate = endpoint.hold();
    endpoint.publish(&["old", "new"]);
    let second = tokio::spawn({
        let keys = keys.clone();
        async move { keys.ready().await.is_ok() }
    });
    settle().await;
    assert_eq!(endpoint.calls(), [KEYS_URL, KEYS_URL]);
    second_gate.open();
    assert!(second.await.unwrap());
    assert!(keys.current().unwrap().find("new").is_some());
    first_gate.open();
    assert!(first.await.unwrap());
    settle().await;
    assert!(keys.current().unwrap().find("new").is_some(), "the first answer came last and is older");
    assert_eq!(keys.generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn c28_a_panic_in_the_transport_is_one_failed_fetch() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    endpoint.answers(|_| std::panic::resume_unwind(Box::new("transport")));
    // The fake answers while it is called, inside the task, as a transport with a bug would.
    let error = keys.keys_for("good").await.unwrap_err();
    let KeysUnavailable::NeverFetched(cause) = error else { panic!("{error:?}") };
    assert!(matches!(&*cause, FetchError::Abandoned), "{cause:?}");
}

#[test]
fn a_runtime_that_ends_under_a_fetch_leaves_the_way_free_for_the_next() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gate = endpoint.hold();
    let short_lived = runtime();
    short_lived.block_on(async {
        let keys = keys.clone();
        tokio::spawn(async move { keys.ready().await.is_ok() });
        settle().await;
    });
    drop(short_lived);
    gate.open();
    assert!(runtime().block_on(keys.ready()).is_ok());
}

#[test]
fn without_a_runtime_the_keys_at_hand_are_still_served() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(keys.ready()).unwrap();
    clock.advance(HOUR * 24);
    assert!(keys.current().unwrap().find("good").is_some());
}

#[tokio::test(start_paused = true)]
async fn e05_a_throttling_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    endpoint.answers_keys(|| {
        Ok(http::Response::builder().status(429).header("retry-after", "120").body("busy".into()).unwrap())
    });
    clock.advance(HOUR);
    keys.keys_for("stranger").await.unwrap_err();
    clock.advance(Duration::from_secs(119));
    keys.keys_for("stranger").await.unwrap_err();
    assert_eq!(endpoint.calls().len(), 1);
    clock.advance(Duration::from_secs(1));
    keys.keys_for("stranger").await.unwrap_err();
    assert!(endpoint.calls().len() > 1);
}
