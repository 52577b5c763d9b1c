//! What is kept, shared, renewed and forgotten.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::{AcquireError, ConfidentialClient, ConfidentialClientBuilder, TokenCache};
use countersign_discovery::TransportError;
use countersign_protocol::{AuthorityHost, EndpointVersion, ScopeSet};
use countersign_token::Timestamp;
use futures_util::future::join_all;
use serde_json::json;
use support::{Endpoint, SECRET, START, answer, builder, client, clock, ok, refused, scopes, settle, tenant};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_carries_its_header() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let scopes = scopes("api://orders");
    for _ in 0..10 {
        let token = client.acquire_token_for_client(&scopes).await.unwrap();
        assert_eq!((token.secret(), token.authorization().to_str().unwrap()), ("token-1", "Bearer token-1"));
        assert_eq!(token.expires_on(), Timestamp::from_unix_seconds(START + 3600));
        assert!(!format!("{client:?} {token:?}").contains("token-1"));
    }
    assert_eq!((endpoint.count(), client.cached_tokens()), (1, 1));
    client.forget_tokens();
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_callers_make_one_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let gate = endpoint.hold();
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                client.acquire_token_for_client(&scopes("api://orders")).await.unwrap().secret().to_owned()
            })
        })
        .collect();
    settle().await;
    assert_eq!(endpoint.count(), 1);
    gate.open();
    assert!(join_all(callers).await.into_iter().all(|token| token.unwrap() == "token-1"));
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_another_questions_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    client.acquire_token_for_client(&scopes("api://cached")).await.unwrap();
    let slow = endpoint.hold();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.acquire_token_for_client(&scopes("api://slow")).await.unwrap() }
    });
    settle().await;
    let quick = endpoint.hold();
    quick.open();
    assert_eq!(client.acquire_token_for_client(&scopes("api://cached")).await.unwrap().secret(), "token-1");
    assert_eq!(client.acquire_token_for_client(&scopes("api://quick")).await.unwrap().secret(), "token-3");
    assert!(!waiting.is_finished());
    slow.open();
    assert_eq!(waiting.await.unwrap().secret(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn c04_each_part_of_a_question_has_its_own_token() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cache = TokenCache::default();
    let build =
        |builder: ConfidentialClientBuilder| builder.cache(cache.clone()).secret(SECRET.to_owned()).build().unwrap();
    let base = build(builder(&endpoint, &clock));
    let v1 = build(builder(&endpoint, &clock).endpoint_version(EndpointVersion::V1));
    let other = |host: &str, client: &str| {
        let host = AuthorityHost::parse(host).unwrap();
        ConfidentialClient::builder(host, tenant(support::TENANT), client.parse().unwrap())
            .transport(Arc::new(endpoint.clone()))
            .clock(Arc::new(clock.clone()))
    };
    let cloud = build(other("https://login.contoso.test", support::CLIENT));
    let application = build(other("https://login.contoso.test:8443", "11111111-0d2e-4c8a-9d43-0f0f2d4a5c11"));
    let (a, b) = (scopes("api://a"), scopes("api://b"));
    let fabrikam = tenant("fabrikam.com");
    for round in 0..2 {
        let tokens = [
            base.acquire_token_for_client(&a).await.unwrap(),
            base.acquire_token_for_client(&b).await.unwrap(),
            base.acquire_token_in_tenant(&fabrikam, &a).await.unwrap(),
            v1.acquire_token_for_client(&a).await.unwrap(),
            cloud.acquire_token_for_client(&a).await.unwrap(),
            application.acquire_token_for_client(&a).await.unwrap(),
        ];
        for (index, token) in tokens.iter().enumerate() {
            assert_eq!(token.secret(), format!("token-{}", index + 1), "round {round}");
        }
    }
    // The same application in another client object shares the token, and a tenant's GUID is the same in any case.
    let twin = build(builder(&endpoint, &clock));
    assert_eq!(twin.acquire_token_for_client(&a).await.unwrap().secret(), "token-1");
    let same = tenant(&support::TENANT.to_uppercase());
    assert_eq!(base.acquire_token_in_tenant(&same, &a).await.unwrap().secret(), "token-1");
    assert_eq!((endpoint.count(), base.cached_tokens()), (6, 6));
}

#[tokio::test(start_paused = true)]
async fn c06_order_case_and_repetition_of_scopes_ask_the_same_question() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    for text in ["api://Orders/.default openid", "openid api://orders/.default", "API://ORDERS/.default  openid openid"]
    {
        client.acquire_token_for_client(&ScopeSet::parse(text).unwrap()).await.unwrap();
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn c22_a_token_is_renewed_before_its_end_and_never_served_beyond_it() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let scopes = scopes("api://orders");
    let first = client.acquire_token_for_client(&scopes).await.unwrap();
    let half = first.refresh_on().saturating_duration_since(Timestamp::from_unix_seconds(START)).as_secs();
    assert!((1620..=1980).contains(&half), "{half}");

    // Past the refresh time every caller gets the old token at once, and one request is made.
    clock.set(first.refresh_on());
    let gate = endpoint.hold();
    for _ in 0..1000 {
        assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-1");
    }
    settle().await;
    assert_eq!(endpoint.count(), 2);
    gate.open();
    settle().await;
    let second = client.acquire_token_for_client(&scopes).await.unwrap();
    assert_eq!((second.secret(), endpoint.count()), ("token-2", 2));

    // Left alone until it is nearly dead, it is not served any more.
    clock.set(second.expires_on().minus(Duration::from_secs(5)));
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-3");
}

#[tokio::test(start_paused = true)]
async fn the_authoritys_refresh_in_is_respected() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.answers(|_| {
        ok(&json!({"token_type": "Bearer", "expires_in": 86_399, "refresh_in": 43_199, "access_token": "t"}))
    });
    let token = client(&endpoint, &clock).acquire_token_for_client(&scopes("api://a")).await.unwrap();
    let after = token.refresh_on().saturating_duration_since(Timestamp::from_unix_seconds(START)).as_secs();
    assert!((43_199..=43_500).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn e18_a_token_is_served_to_its_end_however_its_renewal_fails() {
    type Fault = fn() -> support::Outcome;
    let faults: [(&str, Fault); 7] = [
        ("timeout", || Err(TransportError::Timeout { after: MINUTE })),
        ("no connection", || Err(TransportError::Connect("refused".into()))),
        ("503", || answer(503, "busy")),
        ("500 HTML", || answer(500, "<html>")),
        ("429 for an hour", || {
            Ok(http::Response::builder().status(429).header("retry-after", "3600").body("".into()).unwrap())
        }),
        ("secret expired", || refused(401, "invalid_client", 7_000_222, "expired.")),
        ("garbage with 200", || answer(200, "}")),
    ];
    for (what, fault) in faults {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = client(&endpoint, &clock);
        let scopes = scopes("api://orders");
        client.acquire_token_for_client(&scopes).await.unwrap();
        endpoint.answers(move |_| fault());
        clock.advance(MINUTE * 33);
        for second in 0..(27 * 60 - 5) {
            let token = client.acquire_token_for_client(&scopes).await.unwrap();
            assert_eq!(token.secret(), "token-1", "{what}, second {second}");
            clock.advance(Duration::from_secs(1));
            if second % 10 == 0 {
                // Lets a pause between two attempts pass in the timer's time too.
                tokio::time::advance(Duration::from_secs(1)).await;
                settle().await;
            }
        }
        let tries = endpoint.count() - 1;
        assert!((1..=30).contains(&tries), "{what}: {tries} attempts in 27 minutes");
        assert!(client.acquire_token_for_client(&scopes).await.is_err(), "{what}: past its end it is not served");

        // The endpoint is mended, and the token comes with the next call or after the wait that was asked for.
        endpoint.issues();
        clock.advance(MINUTE * 60);
        assert!(client.acquire_token_for_client(&scopes).await.is_ok(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn renewal_after_a_failed_renewal_comes_by_itself() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let scopes = scopes("api://orders");
    client.acquire_token_for_client(&scopes).await.unwrap();
    endpoint.goes_down();
    clock.advance(MINUTE * 33);
    client.acquire_token_for_client(&scopes).await.unwrap();
    settle().await;
    assert_eq!(endpoint.count(), 2);
    endpoint.issues();
    client.acquire_token_for_client(&scopes).await.unwrap();
    settle().await;
    assert_eq!(endpoint.count(), 2, "not at once");
    clock.advance(Duration::from_secs(36));
    client.acquire_token_for_client(&scopes).await.unwrap();
    settle().await;
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-3");
}

#[tokio::test(start_paused = true)]
async fn c29_a_caller_who_gives_up_does_not_end_the_request_of_the_others() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let gate = endpoint.hold();
    let spawn = || {
        let client = client.clone();
        tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://a")).await.unwrap() })
    };
    let (first, second) = (spawn(), spawn());
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(second.await.unwrap().secret(), "token-1");

    // When all give up, the token is still kept for the next.
    let gate = endpoint.hold();
    let only = tokio::spawn({
        let client = client.clone();
        async move { client.acquire_token_for_client(&scopes("api://b")).await.unwrap() }
    });
    settle().await;
    only.abort();
    gate.open();
    settle().await;
    assert_eq!(client.acquire_token_for_client(&scopes("api://b")).await.unwrap().secret(), "token-2");
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_request_is_every_waiters_error_and_nobody_elses() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| refused(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    let scopes = scopes("api://orders");
    let errors = join_all((0..100).map(|_| client.acquire_token_for_client(&scopes))).await;
    for error in errors {
        assert!(matches!(error.unwrap_err(), AcquireError::Refused(_)));
    }
    assert_eq!(endpoint.count(), 1);
    endpoint.issues();
    assert!(client.acquire_token_for_client(&scopes).await.is_ok(), "what is mended works at once");
}

#[tokio::test(start_paused = true)]
async fn e05_retry_after_holds_back_every_question_of_the_client_for_as_long_as_it_says() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let throttled = |status: u16, seconds: &'static str| {
        move |_: &http::Request<_>| {
            Ok(http::Response::builder()
                .status(status)
                .header("retry-after", seconds)
                .body("slow down".into())
                .unwrap())
        }
    };
    let (a, b) = (scopes("api://a"), scopes("api://b"));
    let other = ConfidentialClient::builder(
        AuthorityHost::parse("https://login.contoso.test:8443").unwrap(),
        tenant(support::TENANT),
        "11111111-0d2e-4c8a-9d43-0f0f2d4a5c11".parse().unwrap(),
    )
    .transport(Arc::new(endpoint.clone()))
    .clock(Arc::new(clock.clone()))
    .secret(SECRET.to_owned())
    .build()
    .unwrap();
    for (status, asked, kept) in
        [(429, "60", 60), (503, "60", 60), (429, "999999", 3600), (500, "60", 60), (502, "60", 60), (504, "60", 60)]
    {
        endpoint.answers(throttled(status, asked));
        let before = endpoint.count();
        let error = client.acquire_token_for_client(&a).await.unwrap_err();
        assert!(matches!(error, AcquireError::Throttled { status: s, .. } if s == status), "{error:?}");
        assert!(error.is_retryable());
        clock.advance(Duration::from_secs(10));
        let error = client.acquire_token_for_client(&a).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(kept - 10)));
        assert_eq!(endpoint.count(), before + 1, "nothing is sent while the wait lasts");
        endpoint.issues();
        let error = client.acquire_token_for_client(&b).await.unwrap_err();
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(kept - 10)),
            "it is the application that is throttled"
        );
        assert!(other.acquire_token_for_client(&a).await.is_ok(), "another application is another matter");
        clock.advance(Duration::from_secs(kept - 10));
        assert!(client.acquire_token_for_client(&a).await.is_ok());
        assert!(client.acquire_token_for_client(&b).await.is_ok());
        client.forget_tokens();
        other.forget_tokens();
    }
    // Without Retry-After there is no gate.
    endpoint.answers(|_| answer(429, ""));
    assert!(matches!(client.acquire_token_for_client(&a).await.unwrap_err(), AcquireError::Unusable(_)));
    endpoint.issues();
    assert!(client.acquire_token_for_client(&a).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn e06_a_stumbling_server_gets_one_second_attempt_and_no_third() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    for fault in [
        || answer(500, "<html>"),
        || Err(TransportError::Connect("refused".into())),
        || refused(503, "temporarily_unavailable", 90_033, "A transient error."),
    ] {
        let before = endpoint.count();
        endpoint.answers(move |_| fault());
        assert!(client.acquire_token_for_client(&scopes("api://a")).await.is_err());
        assert_eq!(endpoint.count(), before + 2);
    }
    for fault in [|| Err(TransportError::Timeout { after: MINUTE }), || answer(429, "")] {
        let before = endpoint.count();
        endpoint.answers(move |_| fault());
        assert!(client.acquire_token_for_client(&scopes("api://a")).await.is_err());
        assert_eq!(endpoint.count(), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded_by_number() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cache = TokenCache::with_capacity(50);
    let client = builder(&endpoint, &clock).cache(cache).secret(SECRET.to_owned()).build().unwrap();
    for index in 0..300 {
        client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap();
        clock.advance(Duration::from_secs(1));
        assert!(client.cached_tokens() <= 50);
    }
    client.acquire_token_for_client(&scopes("api://299")).await.unwrap();
    assert_eq!(endpoint.count(), 300, "the newest is at hand");
    client.acquire_token_for_client(&scopes("api://0")).await.unwrap();
    assert_eq!(endpoint.count(), 301, "the oldest is not");
}

#[tokio::test(start_paused = true)]
async fn c28_a_panic_in_the_background_is_isolated_and_the_next_call_tries_again() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let scopes = scopes("api://orders");
    client.acquire_token_for_client(&scopes).await.unwrap();
    endpoint.answers(|_| std::panic::resume_unwind(Box::new("a bug")));
    clock.advance(MINUTE * 33);
    for _ in 0..10 {
        assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-1");
        settle().await;
    }
    assert_eq!(endpoint.count(), 2);
    clock.advance(MINUTE * 30);
    assert!(matches!(client.acquire_token_for_client(&scopes).await.unwrap_err(), AcquireError::Abandoned));
    endpoint.issues();
    assert!(client.acquire_token_for_client(&scopes).await.is_ok());
}

#[test]
fn a_runtime_that_ends_under_a_request_leaves_the_way_free_for_the_next() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gate = endpoint.hold();
    let short_lived = runtime();
    short_lived.block_on(async {
        let client = client.clone();
        tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://a")).await.is_ok() });
        settle().await;
    });
    drop(short_lived);
    gate.open();
    assert!(runtime().block_on(client.acquire_token_for_client(&scopes("api://a"))).is_ok());
    assert_eq!(endpoint.count(), 2);
}
