//! What [`RemoteKeys`] does for tokens that name a key it does not have: how often it asks for one that nobody publishes,
//! and how many callers it lets wait for the answer.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use countersign_discovery::{FetchError, KeysUnavailable, PublishedKeys, RefreshPolicy, RemoteKeys};
use countersign_token::{FakeClock, Timestamp};
use futures_util::future::join_all;
use support::endpoint::{Endpoint, HOUR, KEYS_URL, clock, clock_now, remote, settle};

const SECOND: Duration = Duration::from_secs(1);

/// Keys that were fetched an hour ago.
async fn fetched(key_ids: &[&str]) -> (RemoteKeys, Endpoint, FakeClock) {
    let (endpoint, clock) = (Endpoint::publishing(key_ids), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    clock.advance(HOUR);
    (keys, endpoint, clock)
}

async fn has(keys: &RemoteKeys, key_id: &str) -> bool {
    keys.keys_for(key_id).await.unwrap().find(key_id).is_some()
}

#[tokio::test(start_paused = true)]
async fn a10_a_client_with_an_old_key_is_asked_for_less_and_less() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    let mut asked = Vec::new();
    for second in 0..3600 {
        endpoint.forget_calls();
        assert!(!has(&keys, "stale").await);
        assert!(has(&keys, "good").await);
        asked.extend(endpoint.calls().iter().map(|_| second));
        clock.advance(SECOND);
    }
    assert_eq!(asked, [0, 30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]);
}

/// A hundred of them, asking in turn: those who ask within 30 s of a fetch share what it proved. Without any memory they
/// cause 120 fetches an hour.
#[tokio::test(start_paused = true)]
async fn a10_many_clients_with_old_keys_are_asked_for_less_and_less_too() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    for second in 0..7200 {
        assert!(!has(&keys, &format!("stale-{}", second % 100)).await);
        clock.advance(SECOND);
        if second == 3600 {
            endpoint.forget_calls();
        }
    }
    let calls = endpoint.calls().len();
    assert!(calls <= 60, "{calls} fetches in an hour");
}

#[tokio::test(start_paused = true)]
async fn e10_a_key_published_meanwhile_is_accepted_with_whichever_fetch_brings_it() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    for pause in [30, 60, 120] {
        assert!(!has(&keys, "rolled").await);
        clock.advance(Duration::from_secs(pause));
    }
    assert!(!has(&keys, "rolled").await);
    // Not to be asked for in the next 240 s. 30 s later somebody asks for another one.
    endpoint.publish(&["good", "rolled"]);
    clock.advance(Duration::from_secs(30));
    assert!(!has(&keys, "rolled").await);
    assert!(!has(&keys, "stranger").await);
    endpoint.forget_calls();
    assert!(has(&keys, "rolled").await);
    assert!(endpoint.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn e10_a_key_published_meanwhile_is_accepted_within_its_pause_at_the_latest() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    for _ in 0..20 {
        assert!(!has(&keys, "rolled").await);
        clock.advance(Duration::from_secs(600));
    }
    assert!(!has(&keys, "rolled").await);
    endpoint.publish(&["good", "rolled"]);
    endpoint.forget_calls();
    for _ in 0..599 {
        clock.advance(SECOND);
        assert!(!has(&keys, "rolled").await);
    }
    assert!(endpoint.calls().is_empty());
    clock.advance(SECOND);
    assert!(has(&keys, "rolled").await);
    assert_eq!(endpoint.calls(), [KEYS_URL]);
}

/// A failure is no proof: with nothing proved, the cooldown alone counts.
#[tokio::test(start_paused = true)]
async fn a10_a_failed_fetch_proves_nothing() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    endpoint.goes_down();
    for _ in 0..10 {
        assert!(matches!(keys.keys_for("new").await, Err(KeysUnavailable::Unconfirmed(_))));
        clock.advance(Duration::from_secs(30));
    }
    endpoint.publish(&["good", "new"]);
    assert!(has(&keys, "new").await);
}

/// A pause puts off what a stranger asked for, and nothing else.
#[tokio::test(start_paused = true)]
async fn a11_a_pause_does_not_put_off_a_renewal() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let policy =
        RefreshPolicy { refresh_after: Duration::from_secs(100), jitter: Duration::ZERO, ..RefreshPolicy::default() };
    let keys = RemoteKeys::from_jwks_uri(KEYS_URL, Arc::new(endpoint.clone())).unwrap();
    let keys = keys.clock(Arc::new(clock.clone())).policy(policy).build();
    for pause in [30, 60, 120] {
        assert!(!has(&keys, "stale").await);
        clock.advance(Duration::from_secs(pause));
    }
    assert!(!has(&keys, "stale").await);
    settle().await;
    endpoint.forget_calls();
    endpoint.publish(&["good", "next"]);
    // Its pause is 240 s; the keys are due after 100.
    clock.advance(Duration::from_secs(101));
    assert!(keys.keys_for("stale").await.unwrap().find("next").is_none(), "it does not wait for the renewal either");
    settle().await;
    assert_eq!(endpoint.calls(), [KEYS_URL]);
    assert!(keys.keys_for("stale").await.unwrap().find("next").is_some());
}

#[tokio::test(start_paused = true)]
async fn e15_a_clock_that_was_set_back_ends_the_pauses() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    for _ in 0..10 {
        assert!(!has(&keys, "rolled").await);
        clock.advance(Duration::from_secs(600));
    }
    assert!(!has(&keys, "rolled").await);
    endpoint.publish(&["good", "rolled"]);
    let before = clock_now(&clock).as_unix_seconds();
    clock.set(Timestamp::from_unix_seconds(before - 3600));
    assert!(has(&keys, "good").await);
    assert!(has(&keys, "rolled").await);
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Arc<PublishedKeys>, KeysUnavailable>> + 'a>>;

/// How many callers may wait, as the documentation says.
const MAX_WAITING: usize = 4_096;

/// Lets it begin; says whether it waits.
async fn waits(caller: &mut Waiting<'_>) -> bool {
    poll_fn(|context| Poll::Ready(caller.as_mut().poll(context).is_pending())).await
}

/// As many callers as may wait, all waiting for `key_id`.
async fn crowd<'a>(keys: &'a RemoteKeys, key_id: &'a str) -> Vec<Waiting<'a>> {
    let mut callers: Vec<Waiting<'_>> = Vec::new();
    for _ in 0..MAX_WAITING {
        callers.push(Box::pin(keys.keys_for(key_id)));
        assert!(waits(callers.last_mut().unwrap()).await, "caller {}", callers.len());
    }
    callers
}

fn is_too_many(cause: &FetchError) -> bool {
    matches!(cause, FetchError::TooManyWaiting)
}

#[tokio::test(start_paused = true)]
async fn e11_no_more_than_4096_callers_wait_for_an_unknown_key() {
    let (keys, endpoint, clock) = fetched(&["good"]).await;
    let gate = endpoint.hold();
    let mut callers = crowd(&keys, "stranger").await;
    let begun = tokio::time::Instant::now();
    for _ in 0..10 {
        let error = keys.keys_for("stranger").await.unwrap_err();
        assert!(matches!(&error, KeysUnavailable::Unconfirmed(cause) if is_too_many(cause)), "{error:?}");
    }
    assert!(has(&keys, "good").await, "who finds his key is asked nothing");
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody waited");

    // The place of each who gives up is free at once, and only his.
    callers.truncate(MAX_WAITING - 3);
    for _ in 0..3 {
        callers.push(Box::pin(keys.keys_for("stranger")));
        assert!(waits(callers.last_mut().unwrap()).await);
    }
    assert!(keys.keys_for("stranger").await.is_err());

    gate.open();
    for answer in join_all(callers).await {
        assert!(answer.unwrap().find("stranger").is_none());
    }
    settle().await;
    assert_eq!(endpoint.calls(), [KEYS_URL], "one request for all of them");
    // Everybody is gone: there is room for as many again.
    let _gate = endpoint.hold();
    clock.advance(Duration::from_secs(30));
    let callers = crowd(&keys, "another").await;
    assert!(keys.keys_for("another").await.is_err());
    drop(callers);
    drop(crowd(&keys, "another").await);
}

#[tokio::test(start_paused = true)]
async fn e11_no_more_than_4096_callers_wait_for_the_first_keys() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    let gate = endpoint.hold();
    let callers = crowd(&keys, "good").await;
    let begun = tokio::time::Instant::now();
    for refused in [keys.keys_for("good").await, keys.ready().await] {
        let error = refused.unwrap_err();
        assert!(matches!(&error, KeysUnavailable::NeverFetched(cause) if is_too_many(cause)), "{error:?}");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // Those who waited in vain make room too.
    for answer in join_all(callers).await {
        assert!(matches!(answer.unwrap_err(), KeysUnavailable::NeverFetched(cause) if !is_too_many(&cause)));
    }
    assert_eq!(begun.elapsed().as_secs(), 5);
    clock.advance(SECOND);
    let callers = crowd(&keys, "good").await;
    gate.open();
    assert!(join_all(callers).await.into_iter().all(|answer| answer.is_ok()));
    assert!(has(&keys, "good").await);
}
