//! The authority's keys cannot be had: 503, never a false 401; and with keys at hand nobody notices for a week.

use countersign_guard::Refusal;
use serde_json::json;

use crate::kit::endpoint::Endpoint;
use crate::kit::token::{NOW, Token, attacker, genuine, next};
use crate::kit::{HOUR, SECOND, answer, clock, header, remote_guard, settle, status, verdict};

#[tokio::test(start_paused = true)]
async fn d32_e01_without_keys_good_tokens_get_503_and_a_time_to_come_back() {
    let (endpoint, clock) = (Endpoint::down(), clock());
    let guard = remote_guard(&endpoint, &clock);
    assert!(matches!(guard.ready().await.unwrap_err(), Refusal::Keys(_)));
    for token in [Token::app(), Token::user(), Token::app().under(next()), Token::app().claim("exp", 1)] {
        let response = answer(&guard, &token.sign()).await;
        assert_eq!((response.status().as_u16(), response.headers().len()), (503, 1));
        assert_eq!(header(&response, "retry-after"), Some("5"));
        assert_eq!(verdict(&guard, &token.sign()).await, "keys_unavailable");
    }
    // One attempt, and then a pause: callers do not multiply what the endpoint must bear.
    assert_eq!(endpoint.calls(), 1);

    // It comes back, and so does the API, without a restart.
    endpoint.publish(&[genuine()]);
    clock.advance(SECOND);
    assert_eq!(status(&guard, &Token::app().sign()).await, 200);
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_key_could_save_is_refused_without_keys_too_and_asks_for_none() {
    let endpoint = Endpoint::down();
    let guard = remote_guard(&endpoint, &clock());
    let form_and_algorithm = [
        "algorithm_not_allowed",
        "base64",
        "critical_header",
        "graph_token",
        "header_duplicate",
        "header_malformed",
        "key_id_malformed",
        "key_in_header",
        "not_compact_jws",
        "too_large",
        "type",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for (code, token) in crate::forged::bad_tokens() {
        if form_and_algorithm.contains(&code) {
            assert_eq!((verdict(&guard, &token).await, status(&guard, &token).await), (code, 401));
            seen.insert(code);
        }
    }
    assert!(seen.into_iter().eq(form_and_algorithm));
    assert_eq!(endpoint.calls(), 0);
    let mut nameless = Token::app();
    nameless.header.as_object_mut().unwrap().remove("kid");
    assert_eq!(verdict(&guard, &nameless.sign()).await, "key_id_missing");
    assert_eq!(answer(&guard, "a,b").await.status(), 400);
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn e02_an_endpoint_that_is_down_for_a_day_is_not_noticed() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let lasting = Token::app().issued(NOW, 25 * 3600).sign();
    assert_eq!(status(&guard, &lasting).await, 200);
    endpoint.goes_down();
    endpoint.calls();
    for hour in 1..=24 {
        clock.advance(HOUR);
        let fresh = Token::app().issued(NOW + hour * 3600, 3600).sign();
        assert_eq!((status(&guard, &fresh).await, status(&guard, &lasting).await), (200, 200), "hour {hour}");
        settle().await;
    }
    assert!((1..=24).contains(&endpoint.calls()));
    // 401 is still 401: an outage is no reason to doubt what can be decided.
    assert_eq!(status(&guard, &Token::app().signed_by(attacker()).sign()).await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_asked_for_is_no_401_since_it_may_be_new() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let old = Token::app().sign();
    assert_eq!(status(&guard, &old).await, 200);

    // The key rolls over, and the endpoint cannot be reached.
    endpoint.goes_down();
    clock.advance(SECOND * 61);
    endpoint.calls();
    let new = Token::app().under(next()).sign();
    for _ in 0..2 {
        let response = answer(&guard, &new).await;
        assert_eq!((response.status().as_u16(), response.headers().len()), (503, 1));
        assert_eq!(header(&response, "retry-after"), Some("5"));
        assert_eq!(verdict(&guard, &new).await, "key_unconfirmed");
        assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "key_unconfirmed");
        // Whatever does not depend on the key is decided as ever.
        assert_eq!(status(&guard, &old).await, 200);
        assert_eq!(status(&guard, &Token::app().signed_by(attacker()).sign()).await, 401);
        assert_eq!(status(&guard, &Token::app().under(next()).header("crit", json!(["x"])).sign()).await, 401);
    }
    assert_eq!(endpoint.calls(), 1);

    endpoint.publish(&[genuine(), next()]);
    clock.advance(SECOND * 30);
    assert_eq!(status(&guard, &new).await, 200);
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "unknown_key");
    // For as long as no fetch may start, a set that was fetched is believed when it does not hold a key.
    endpoint.goes_down();
    clock.advance(SECOND * 29);
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "unknown_key");
    clock.advance(SECOND);
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "key_unconfirmed");
}

#[tokio::test]
async fn keys_that_were_given_hold_all_there_are() {
    let clock = clock();
    let guard = crate::kit::builder(&crate::kit::policy(), &clock).build();
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "unknown_key");
}

#[tokio::test(start_paused = true)]
async fn e03_beyond_the_stated_age_the_guard_closes_known_tokens_included() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let lasting = Token::app().issued(NOW, 30 * 86_400).sign();
    assert_eq!(status(&guard, &lasting).await, 200);
    endpoint.goes_down();
    let almost = HOUR * 24 * 7 - SECOND;
    clock.advance(almost);
    assert_eq!(status(&guard, &lasting).await, 200);
    settle().await;
    clock.advance(SECOND);
    let response = answer(&guard, &lasting).await;
    assert_eq!((response.status().as_u16(), header(&response, "www-authenticate")), (503, None));
    assert_eq!(verdict(&guard, &Token::user().issued(NOW + 7 * 86_400, 3600).sign()).await, "keys_unavailable");

    endpoint.publish(&[genuine()]);
    clock.advance(HOUR);
    assert_eq!(status(&guard, &lasting).await, 200);
}

#[tokio::test(start_paused = true)]
async fn e07_a_bad_answer_leaves_the_keys_in_place() {
    let html = ("text/html", "<html>sign in</html>".to_owned());
    let json = |body: String| ("application/json", body);
    let many: Vec<_> = (0..10_000).map(|number| json!({"kty": "RSA", "kid": number.to_string()})).collect();
    for (content_type, body) in [
        html,
        json("<html>".to_owned()),
        json(String::new()),
        json(r#"{"keys":[]}"#.to_owned()),
        json(r#"{"keys":"#.to_owned()),
        json(r#"{"keys":{}}"#.to_owned()),
        json(json!({ "keys": many }).to_string()),
        json(" ".repeat(50_000_000)),
        json(r#"{"error":"temporarily_unavailable"}"#.to_owned()),
    ] {
        let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
        let guard = remote_guard(&endpoint, &clock);
        let seen = Token::app().sign();
        assert_eq!(status(&guard, &seen).await, 200);
        endpoint.calls();
        clock.advance(SECOND * 30);
        let start: String = body.chars().take(40).collect();
        endpoint.answers(content_type, body);
        assert_eq!(verdict(&guard, &Token::app().under(attacker()).unsigned()).await, "key_unconfirmed", "{start}");
        assert_eq!(endpoint.calls(), 1);
        assert_eq!((status(&guard, &seen).await, status(&guard, &Token::user().sign()).await), (200, 200), "{start}");
    }
}

#[tokio::test(start_paused = true)]
async fn e15_a_clock_that_jumps_decides_by_the_time_it_shows() {
    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    let at = |seconds: i64| clock.set(countersign_token::Timestamp::from_unix_seconds(NOW + seconds));
    for (seconds, expected) in
        [(-3600, "not_yet_valid"), (0, "accepted"), (7200, "expired"), (60, "accepted"), (-361, "not_yet_valid")]
    {
        at(seconds);
        assert_eq!(verdict(&guard, &token).await, expected, "{seconds}");
        settle().await;
    }
}
