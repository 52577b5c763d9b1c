//! What [`RemoteKeys`] promises, against a fake endpoint and a clock that stands still until told otherwise. How it bears
//! outages is in `outages.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{FetchError, KeysUnavailable, RemoteKeys, SourceError, TransportError};
use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::{Randomness, SeededRandomness};
use futures_util::future::join_all;
use serde_json::json;
use support::endpoint::{
    Endpoint, HOST, HOUR, KEYS_URL, METADATA_URL, TENANT, clock, clock_now, key, key_set, metadata, ok, raw, remote,
    settle,
};

#[tokio::test(start_paused = true)]
async fn the_first_question_fetches_metadata_and_keys() {
    let (endpoint, clock) = (Endpoint::publishing(&["a", "b"]), clock());
    let keys = remote(&endpoint, &clock);
    assert!(keys.current().is_none());
    assert_eq!((keys.generation(), keys.generation_at(clock_now(&clock))), (0, None));
    assert!(endpoint.calls().is_empty());

    let published = keys.keys_for("a").await.unwrap();
    assert!(published.find("a").is_some() && published.find("b").is_some() && published.find("c").is_none());
    assert_eq!(published.issuer(), Some(format!("{HOST}/{TENANT}/v2.0").as_str()));
    assert_eq!((published.generation(), published.fetched_at()), (1, clock_now(&clock)));
    assert_eq!(endpoint.calls(), [METADATA_URL, KEYS_URL]);
    assert_eq!((keys.generation(), keys.generation_at(clock_now(&clock))), (1, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a32_e11_ten_thousand_random_kids_cost_one_fetch_per_window_and_no_good_key() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    let randomness = SeededRandomness::from_seed(7);
    for _ in 0..10_000 {
        clock.advance(Duration::from_millis(12));
        let stranger = randomness.base64url(20);
        assert!(keys.keys_for(&stranger).await.unwrap().find(&stranger).is_none());
        assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
    }
    // 120 s are four windows of 30 s; the metadata is not asked for again, and no stranger's text leaves the house.
    let calls = endpoint.calls();
    assert!((1..=4).contains(&calls.len()), "{} fetches", calls.len());
    assert!(calls.iter().all(|url| url == KEYS_URL), "{calls:?}");
    assert_eq!(keys.generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn a32_the_cooldown_holds_while_the_endpoint_fails_too() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    endpoint.goes_down();
    clock.advance(HOUR);
    for second in 0..60 {
        for _ in 0..50 {
            let error = keys.keys_for("stranger").await.unwrap_err();
            assert!(matches!(error, KeysUnavailable::Unconfirmed(_)), "{error:?}");
        }
        assert!(endpoint.calls().len() <= 1 + second / 30, "second {second}: {:?}", endpoint.calls());
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(endpoint.calls().len(), 2);
}

/// Ten minutes under a million made-up names: a fetch per 30 s, good keys untouched. What is remembered of them is counted
/// beside the code.
#[tokio::test(start_paused = true)]
async fn a32_e11_a_million_forged_kids_cost_a_fetch_per_window_and_good_keys_nothing() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    for number in 0..1_000_000_u32 {
        clock.advance(Duration::from_micros(600));
        let published = keys.keys_for(&format!("forged-{number}")).await.unwrap();
        assert!(published.find("good").is_some() && published.len() == 1);
        if number % 1_000 == 0 {
            assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
        }
    }
    let calls = endpoint.calls().len();
    assert!((19..=21).contains(&calls), "{calls} fetches in 20 windows");
    assert_eq!(keys.generation(), 1);
}

/// The two answers that a guard must tell apart: 401 for a key that nobody has, 503 for one that nobody could be asked for.
#[tokio::test(start_paused = true)]
async fn nobody_publishes_it_and_nobody_could_be_asked_are_two_answers() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    assert!(keys.keys_for("stranger").await.unwrap().find("stranger").is_none(), "fetched for this question");
    endpoint.goes_down();
    clock.advance(Duration::from_secs(29));
    assert!(keys.keys_for("stranger").await.is_ok(), "asked within the cooldown, and it was not there");
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let error = keys.keys_for("stranger").await.unwrap_err();
        let KeysUnavailable::Unconfirmed(cause) = error else { panic!("{error:?}") };
        assert!(matches!(&*cause, FetchError::Transport(TransportError::Connect(_))), "{cause:?}");
        assert!(keys.keys_for("good").await.is_ok());
        clock.advance(Duration::from_secs(10));
    }
    endpoint.publish(&["good", "stranger"]);
    clock.advance(Duration::from_secs(20));
    assert!(keys.keys_for("stranger").await.unwrap().find("stranger").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_application_with_keys_of_its_own_is_named_to_the_authority() {
    let application = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
    let endpoint = Endpoint::publishing(&[]);
    let own_keys = format!("{KEYS_URL}?appid={application}");
    let mut document = metadata();
    document["jwks_uri"] = json!(own_keys);
    endpoint.answers(move |url| if url == own_keys { ok(&key_set(&["own"])) } else { ok(&document) });
    let keys = RemoteKeys::from_authority(
        &AuthorityHost::parse(HOST).unwrap(),
        TenantSegment::parse(TENANT).as_ref().unwrap(),
        EndpointVersion::V2,
        Arc::new(endpoint.clone()),
    );
    let keys = keys.unwrap().application(application.parse().unwrap()).clock(Arc::new(clock())).build();
    assert!(keys.keys_for("own").await.unwrap().find("own").is_some());
    assert_eq!(
        endpoint.calls(),
        [format!("{METADATA_URL}?appid={application}"), format!("{KEYS_URL}?appid={application}")]
    );
}

#[tokio::test(start_paused = true)]
async fn e16_a_thousand_cold_callers_share_one_fetch() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    let gate = endpoint.hold();
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.keys_for("good").await.unwrap().find("good").is_some() })
        })
        .collect();
    settle().await;
    assert_eq!(endpoint.calls(), [METADATA_URL]);
    gate.open();
    assert!(join_all(callers).await.into_iter().all(|found| found.unwrap()));
    assert_eq!(endpoint.calls(), [METADATA_URL, KEYS_URL]);
}

#[tokio::test(start_paused = true)]
async fn e09_a_rolled_key_is_found_by_its_first_token_with_one_request() {
    let (endpoint, clock) = (Endpoint::publishing(&["old"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    endpoint.publish(&["old", "new"]);
    clock.advance(Duration::from_secs(30));
    let found = join_all((0..1000).map(|_| keys.keys_for("new"))).await;
    assert!(found.into_iter().all(|published| published.unwrap().find("new").is_some()));
    assert_eq!(endpoint.calls(), [KEYS_URL]);
    assert_eq!(keys.generation(), 2);

    // E08: a key that is no longer published is gone with the next fetch.
    endpoint.publish(&["new"]);
    clock.advance(Duration::from_secs(30));
    assert!(keys.keys_for("other").await.unwrap().find("old").is_none());
    assert_eq!(keys.generation(), 3);
}

#[tokio::test(start_paused = true)]
async fn renewal_happens_in_the_background_and_the_same_keys_keep_their_generation() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.forget_calls();
    let gate = endpoint.hold();
    clock.advance(HOUR * 11 - Duration::from_secs(1));
    keys.keys_for("good").await.unwrap();
    settle().await;
    assert!(endpoint.calls().is_empty(), "not due yet");

    clock.advance(HOUR * 2 + Duration::from_secs(1));
    // Nobody waits although the endpoint does not answer, and a thousand questions start one renewal.
    for _ in 0..1000 {
        assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
        assert!(keys.current().is_some());
        assert_eq!(keys.generation_at(clock_now(&clock)), Some(1));
    }
    settle().await;
    assert_eq!(endpoint.calls(), [METADATA_URL]);
    let before = keys.current().unwrap().fetched_at();
    gate.open();
    settle().await;
    assert_eq!(endpoint.calls(), [METADATA_URL, KEYS_URL]);
    let after = keys.current().unwrap();
    assert_eq!(after.generation(), 1, "the same keys");
    assert_eq!(after.fetched_at().saturating_duration_since(before), HOUR * 13);
}

#[tokio::test(start_paused = true)]
async fn the_verdict_caches_question_alone_starts_a_due_renewal() {
    let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
    let keys = remote(&endpoint, &clock);
    keys.ready().await.unwrap();
    endpoint.publish(&["next"]);
    clock.advance(HOUR * 14);
    assert_eq!(keys.generation_at(clock_now(&clock)), Some(1));
    settle().await;
    assert_eq!(keys.generation_at(clock_now(&clock)), Some(2));
}

#[tokio::test(start_paused = true)]
async fn e07_bad_answers_leave_the_old_keys_in_place() {
    type Check = fn(&FetchError) -> bool;
    let html = || raw(200, "text/html", "<html>Sign in</html>");
    let cases: Vec<(&str, Box<dyn Fn() -> _ + Send>, Check)> = vec![
        ("HTML", Box::new(html), |e| matches!(e, FetchError::NotJson)),
        ("HTML that calls itself JSON", Box::new(|| raw(200, "application/json", "<html>")), |e| {
            matches!(e, FetchError::KeySet(_))
        }),
        ("an empty set", Box::new(|| ok(&json!({"keys": []}))), |e| matches!(e, FetchError::NoUsableKey)),
        ("only useless keys", Box::new(|| ok(&json!({"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}))), |e| {
            matches!(e, FetchError::NoUsableKey)
        }),
        ("another type", Box::new(|| ok(&json!(["keys"]))), |e| matches!(e, FetchError::KeySet(_))),
        ("truncated", Box::new(|| raw(200, "application/json", &br#"{"keys":[{"kty""#[..])), |e| {
            matches!(e, FetchError::KeySet(_))
        }),
        ("nothing", Box::new(|| raw(200, "application/json", "")), |e| matches!(e, FetchError::KeySet(_))),
        ("oversize", Box::new(|| raw(200, "application/json", vec![b' '; 512 * 1024 + 1])), |e| {
            matches!(e, FetchError::Transport(TransportError::TooLarge { .. }))
        }),
        ("a redirect", Box::new(|| raw(302, "application/json", "")), |e| {
            matches!(e, FetchError::Transport(TransportError::Redirect { status: 302 }))
        }),
        ("a server error", Box::new(|| raw(500, "application/json", "{}")), |e| {
            matches!(e, FetchError::Status { status: 500 })
        }),
        ("not 200", Box::new(|| raw(204, "application/json", "")), |e| matches!(e, FetchError::Status { status: 204 })),
    ];
    for (what, answer, expected) in cases {
        // Without keys the cause is seen; with keys nobody sees anything but the old keys.
        let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
        let keys = remote(&endpoint, &clock);
        keys.ready().await.unwrap();
        endpoint.forget_calls();
        endpoint.answers_keys(answer);
        clock.advance(HOUR);
        let error = keys.keys_for("stranger").await.unwrap_err();
        let KeysUnavailable::Unconfirmed(cause) = error else { panic!("{what}: {error:?}") };
        assert!(expected(&cause), "{what}: {cause:?}");
        assert!(keys.keys_for("good").await.unwrap().find("good").is_some(), "{what}");
        assert_eq!((endpoint.calls().len(), keys.generation()), (1, 1), "{what}");

        let cold = remote(&endpoint, &clock);
        let KeysUnavailable::NeverFetched(cause) = cold.ready().await.unwrap_err() else { panic!("{what}") };
        assert!(expected(&cause), "{what}: {cause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn e34_one_bad_key_never_sinks_the_set() {
    let (endpoint, clock) = (Endpoint::publishing(&[]), clock());
    endpoint.answers_keys(|| {
        let (mut garbled, mut nameless, mut short) = (key("garbled"), key("nameless"), key("short"));
        garbled["n"] = json!("!!!");
        nameless["kid"] = json!(7);
        short["n"] = json!("AQAB");
        let symmetric = json!({"kty": "oct", "kid": "symmetric", "k": "AAAA"});
        ok(&json!({"keys": [garbled, nameless, {}, symmetric, key("good"), short, {"kty": "new"}, key("next")]}))
    });
    let published = remote(&endpoint, &clock).ready().await.unwrap();
    assert!(published.find("good").is_some() && published.find("next").is_some());
    assert_eq!(published.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn c07_metadata_cannot_send_anybody_to_another_place_for_keys() {
    let address = |to: &str| {
        let mut document = metadata();
        document["jwks_uri"] = json!(to);
        document
    };
    for foreign in [
        "https://evil.test/keys",
        "https://login.contoso.test/keys",
        "https://login.contoso.test:8444/keys",
        "http://login.contoso.test:8443/keys",
        "https://login.contoso.test.evil.test:8443/keys",
        "https://login.contoso.test:8443@evil.test/keys",
        "https://user@login.contoso.test:8443/keys",
        "https://login.contoso.test:8443/keys#fragment",
        "file:///etc/passwd",
        "/keys",
    ] {
        let (endpoint, clock) = (Endpoint::publishing(&["good"]), clock());
        let document = address(foreign);
        endpoint.answers(move |url| ok(&if url == METADATA_URL { document.clone() } else { key_set(&["evil"]) }));
        let error = remote(&endpoint, &clock).ready().await.unwrap_err();
        let KeysUnavailable::NeverFetched(cause) = error else { panic!("{error:?}") };
        assert!(matches!(&*cause, FetchError::ForeignKeyAddress), "{foreign}: {cause:?}");
        assert_eq!(endpoint.calls(), [METADATA_URL], "{foreign}");
    }
}

#[tokio::test(start_paused = true)]
async fn c07_keys_of_another_cloud_are_left_out() {
    let (endpoint, clock) = (Endpoint::publishing(&[]), clock());
    endpoint.answers_keys(|| {
        let (mut ours, mut theirs) = (key("ours"), key("theirs"));
        ours["cloud_instance_name"] = json!("microsoftonline.com");
        theirs["cloud_instance_name"] = json!("microsoftonline.us");
        ok(&json!({"keys": [ours, theirs, key("silent")]}))
    });
    let published = remote(&endpoint, &clock).ready().await.unwrap();
    assert!(published.find("ours").is_some() && published.find("silent").is_some());
    assert!(published.find("theirs").is_none());
}

#[test]
fn addresses_that_cannot_be_right_are_refused_when_configured() {
    let from = |uri: &str| RemoteKeys::from_jwks_uri(uri, Arc::new(Endpoint::publishing(&[]))).map(|_| ()).unwrap_err();
    assert_eq!(from("keys"), SourceError::Address);
    assert_eq!(from("http://login.contoso.test/keys"), SourceError::NotHttps);
    assert_eq!(from("https://u:p@login.contoso.test/keys"), SourceError::NotHttps);
    assert_eq!(from("https://login.contoso.test/keys#x"), SourceError::NotHttps);
}
