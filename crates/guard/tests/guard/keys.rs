//! Keys that change: the first token under a new key passes, tokens under a withdrawn key do not, and nobody waits without
//! need.

use serde_json::json;

use crate::kit::endpoint::Endpoint;
use crate::kit::token::{Token, attacker, genuine, jwk_named, next};
use crate::kit::{HOUR, SECOND, clock, remote_guard, settle, status, verdict};

#[tokio::test(start_paused = true)]
async fn the_first_token_fetches_the_keys_and_the_next_needs_none() {
    let endpoint = Endpoint::publishing(&[genuine()]);
    let guard = remote_guard(&endpoint, &clock());
    assert_eq!(endpoint.calls(), 0);
    assert_eq!(status(&guard, &Token::app().sign()).await, 200);
    assert_eq!(endpoint.calls(), 1);
    for token in [Token::app(), Token::user(), Token::v1_app()] {
        assert_eq!(status(&guard, &token.sign()).await, 200);
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn ready_fetches_before_the_first_token() {
    let endpoint = Endpoint::publishing(&[genuine()]);
    let guard = remote_guard(&endpoint, &clock());
    guard.ready().await.unwrap();
    assert_eq!(endpoint.calls(), 1);
    assert_eq!(status(&guard, &Token::app().sign()).await, 200);
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn e09_e10_the_first_token_under_a_new_key_passes_within_one_fetch() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let old = Token::app().sign();
    assert_eq!(status(&guard, &old).await, 200);
    clock.advance(HOUR / 2);
    endpoint.calls();

    endpoint.publish(&[genuine(), next()]);
    let new = Token::app().under(next()).sign();
    assert_eq!(status(&guard, &new).await, 200);
    assert_eq!(endpoint.calls(), 1);
    for token in [&old, &new] {
        assert_eq!(status(&guard, token).await, 200);
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_under_a_new_key_share_one_fetch_and_all_pass() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let good = Token::app().sign();
    assert_eq!(status(&guard, &good).await, 200);
    clock.advance(HOUR / 2);
    endpoint.calls();

    endpoint.publish(&[genuine(), next()]);
    endpoint.hold();
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let guard = guard.clone();
            let token = Token::app().claim("uti", format!("caller-{number}")).under(next()).sign();
            tokio::spawn(async move { status(&guard, &token).await })
        })
        .collect();
    settle().await;
    assert_eq!(endpoint.calls(), 1);
    assert!(waiting.iter().all(|request| !request.is_finished()));
    // Meanwhile tokens under known keys wait for nobody, whether they were seen before or not.
    assert_eq!(status(&guard, &good).await, 200);
    assert_eq!(status(&guard, &Token::user().sign()).await, 200);
    assert!(waiting.iter().all(|request| !request.is_finished()));

    endpoint.release();
    for request in waiting {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn cold_requests_of_every_kind_share_the_first_fetch() {
    let endpoint = Endpoint::publishing(&[genuine()]);
    let guard = remote_guard(&endpoint, &clock());
    endpoint.hold();
    let tokens = [Token::app(), Token::user(), Token::app().signed_by(attacker()), Token::app().under(next())];
    let waiting = tokens.map(|token| {
        let guard = guard.clone();
        tokio::spawn(async move { verdict(&guard, &token.sign()).await })
    });
    settle().await;
    endpoint.release();
    let mut verdicts = Vec::new();
    for request in waiting {
        verdicts.push(request.await.unwrap());
    }
    assert_eq!(verdicts, ["accepted", "accepted", "signature_invalid", "unknown_key"]);
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a102_e08_a_verdict_does_not_outlive_its_key() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let token = Token::app().sign();
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &token).await, "accepted");
    }
    endpoint.publish(&[next()]);
    clock.advance(SECOND * 30);
    assert_eq!(verdict(&guard, &Token::app().under(next()).sign()).await, "accepted");
    assert_eq!(verdict(&guard, &token).await, "unknown_key");
    assert_eq!(status(&guard, &token).await, 401);
}

#[tokio::test(start_paused = true)]
async fn a102_a_verdict_does_not_pass_to_another_key_of_the_same_name() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    endpoint.publish_set(&json!({"keys": [jwk_named(next(), genuine().key_id())]}));
    clock.advance(SECOND * 30);
    // Somebody's unknown kid brings the new set.
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).unsigned()).await, "unknown_key");
    assert_eq!(verdict(&guard, &token).await, "signature_invalid");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_brings_the_same_keys_costs_no_verdict() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let token = Token::app().issued(crate::kit::token::NOW, 86_400).sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    endpoint.calls();
    clock.advance(HOUR * 13);
    // The hit itself starts the renewal; it needs no new token to be noticed.
    assert_eq!(verdict(&guard, &token).await, "accepted");
    settle().await;
    assert_eq!(endpoint.calls(), 1);
    assert_eq!(verdict(&guard, &token).await, "accepted");
    assert_eq!(guard.verifier().cached().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_background_renewal_without_the_key_ends_its_verdicts() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let token = Token::app().issued(crate::kit::token::NOW, 86_400).sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    endpoint.publish(&[next()]);
    clock.advance(HOUR * 13);
    assert_eq!(verdict(&guard, &token).await, "accepted");
    settle().await;
    assert_eq!(verdict(&guard, &token).await, "unknown_key");
}
