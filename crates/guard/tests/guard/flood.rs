//! Strangers at a high rate: they cost the authority next to nothing, the guard no memory, and good callers nothing.

use countersign_token::{Randomness, SeededRandomness};
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::kit::endpoint::Endpoint;
use crate::kit::service::Inside;
use crate::kit::token::{Token, genuine};
use crate::kit::{HOUR, SECOND, bearer, clock, guard, remote_guard, status, verdict};

/// Well-formed tokens under keys that nobody has.
fn strangers() -> impl FnMut() -> String {
    let randomness = SeededRandomness::from_seed(7);
    move || Token::app().header("kid", randomness.base64url(20)).unsigned()
}

#[tokio::test(start_paused = true)]
async fn a32_e11_ten_thousand_random_kids_cost_at_most_one_fetch_in_a_window() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let good = Token::app().sign();
    assert_eq!(status(&guard, &good).await, 200);
    clock.advance(HOUR / 4);
    endpoint.calls();

    let mut stranger = strangers();
    for number in 0..10_000 {
        assert_eq!(verdict(&guard, &stranger()).await, "unknown_key");
        if number % 100 == 0 {
            assert_eq!(status(&guard, &good).await, 200);
            let unseen = Token::app().claim("uti", format!("unseen-{number}")).sign();
            assert_eq!(status(&guard, &unseen).await, 200);
        }
    }
    assert_eq!(endpoint.calls(), 1);
    assert_eq!(guard.verifier().cached().0, 101);

    // The next window has one fetch again, and no more.
    clock.advance(SECOND * 30);
    for _ in 0..100 {
        assert_eq!(verdict(&guard, &stranger()).await, "unknown_key");
    }
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a32_the_same_while_the_endpoint_is_down() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let good = Token::app().sign();
    assert_eq!(status(&guard, &good).await, 200);
    clock.advance(HOUR / 4);
    endpoint.goes_down();
    endpoint.calls();
    let mut stranger = strangers();
    for _ in 0..1_000 {
        assert_eq!(verdict(&guard, &stranger()).await, "key_unconfirmed");
        assert_eq!(status(&guard, &good).await, 200);
    }
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_no_key_could_save_start_no_fetch() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    guard.ready().await.unwrap();
    clock.advance(HOUR / 4);
    endpoint.calls();
    for (code, token) in crate::forged::bad_tokens() {
        if code != "unknown_key" {
            assert_ne!(status(&guard, &token).await, 200, "{code}");
            assert_eq!(endpoint.calls(), 0, "{code}");
        }
    }
    // A24, A25: an address in a token is never asked; the endpoint would panic at any address but its own.
    for (name, value) in [("jku", json!("https://attacker.example/")), ("x5u", json!("http://169.254.169.254/"))] {
        let token = Token::app().header("kid", "unknown").header(name, value).unsigned();
        assert_eq!(verdict(&guard, &token).await, "key_in_header");
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn e13_garbage_never_enters_the_cache() {
    let guard = guard();
    let good = Token::app().sign();
    assert_eq!(verdict(&guard, &good).await, "accepted");
    let before = guard.verifier().cached();
    let service = guard.layer().layer(Inside::default());
    let randomness = SeededRandomness::from_seed(13);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for number in 0..10_000_usize {
        let noise = randomness.base64url(24);
        // Garbage; genuine tokens altered; forgeries that end like the genuine one.
        let token = match number % 4 {
            0 => noise,
            1 => format!("{signed}.{}{}", noise, &signature[noise.len()..]),
            2 => format!("{noise}.{noise}.{signature}"),
            _ => format!("{noise}{good}"),
        };
        assert_eq!(service.clone().oneshot(bearer(&token)).await.unwrap().status(), 401);
    }
    assert_eq!(guard.verifier().cached(), before);
    assert_eq!(verdict(&guard, &good).await, "accepted");
}
