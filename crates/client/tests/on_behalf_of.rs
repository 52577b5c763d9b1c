//! Tokens in a user's name: whose they are, how long they live, and processes that outlive the request.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use countersign_client::{AcquireError, RequestOptions, SessionKey, UserAssertion};
use countersign_protocol::{EndpointVersion, ScopeSet};
use futures_util::future::join_all;
use serde_json::json;
use support::{CLIENT, Endpoint, SECRET, START, builder, client, clock, field, jws, ok, refused, settle, tenant};

const MINUTE: Duration = Duration::from_secs(60);

fn assertion(user: &str, life: i64) -> UserAssertion {
    UserAssertion::new(jws(&json!({"oid": user, "exp": START + life}))).unwrap()
}

fn read() -> ScopeSet {
    ScopeSet::parse("api://orders/read").unwrap()
}

/// Answers with a token and a refresh token that carry the request's number.
fn issues_sessions(endpoint: &Endpoint) {
    let counted = endpoint.clone();
    endpoint.answers(move |_| {
        let number = counted.count();
        ok(&json!({
            "token_type": "Bearer", "scope": "api://orders/read", "expires_in": 3600,
            "access_token": format!("token-{number}"), "refresh_token": format!("refresh-{number}"),
        }))
    });
}

#[tokio::test(start_paused = true)]
async fn the_v2_request() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let alice = jws(&json!({"exp": START + 3600}));
    let assertion = UserAssertion::new(alice.clone()).unwrap();
    client(&endpoint, &clock).acquire_token_on_behalf_of(&assertion, &read()).await.unwrap();
    assert_eq!(
        endpoint.last_form(),
        format!(
            "client_id={CLIENT}&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={alice}\
             &requested_token_use=on_behalf_of&scope=api%3A%2F%2Forders%2Fread\
             &client_secret=Xy8%7Es3cret.value%2F1%2B2&client_info=1"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn the_v1_request_names_the_resource() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let v1 = builder(&endpoint, &clock).endpoint_version(EndpointVersion::V1).secret("s3cret".to_owned()).build();
    let v1 = v1.unwrap();
    v1.acquire_token_on_behalf_of(&assertion("alice", 3600), &support::scopes("api://orders")).await.unwrap();
    let form = endpoint.last_form();
    assert_eq!((field(&form, "resource").unwrap(), field(&form, "scope")), ("api://orders".to_owned(), None));
    let error = v1.acquire_token_on_behalf_of(&assertion("alice", 3600), &read()).await.unwrap_err();
    assert!(matches!(error, AcquireError::Scopes(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn c05_each_users_tokens_are_kept_apart_and_from_the_applications() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let scopes = support::scopes("api://orders");
    let users = ["alice", "bob"].map(|user| assertion(user, 3600));
    for round in 0..2 {
        let alice = client.acquire_token_on_behalf_of(&users[0], &scopes).await.unwrap();
        let bob = client.acquire_token_on_behalf_of(&users[1], &scopes).await.unwrap();
        let own = client.acquire_token_for_client(&scopes).await.unwrap();
        assert_eq!([alice.secret(), bob.secret(), own.secret()], ["token-1", "token-2", "token-3"], "round {round}");
    }
    // The same user with a token of her own for another tenant's API: another assertion, another question.
    let elsewhere = RequestOptions::new().tenant(tenant("fabrikam.com"));
    let other = client.acquire_token_on_behalf_of_with(&users[0], &scopes, &elsewhere).await.unwrap();
    assert_eq!(other.secret(), "token-4");
    assert_eq!(endpoint.requests()[3].uri().path(), "/fabrikam.com/oauth2/v2.0/token");
}

#[tokio::test(start_paused = true)]
async fn an_entry_ends_with_its_assertion() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let assertion = assertion("alice", 600);
    client.acquire_token_on_behalf_of(&assertion, &read()).await.unwrap();
    clock.advance(Duration::from_secs(599));
    client.acquire_token_on_behalf_of(&assertion, &read()).await.unwrap();
    assert_eq!(endpoint.count(), 1);
    endpoint.answers(|_| refused(400, "invalid_grant", 500_133, "Assertion is not within its valid time range."));
    clock.advance(Duration::from_secs(1));
    let error = client.acquire_token_on_behalf_of(&assertion, &read()).await.unwrap_err();
    assert_eq!((error.code(), error.needs_user()), (Some(500_133), true));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_of_one_user_make_one_request_and_users_do_not_wait_for_each_other() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let slow = endpoint.hold();
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.acquire_token_on_behalf_of(&assertion("alice", 3600), &read()).await })
        })
        .collect();
    settle().await;
    endpoint.hold().open();
    client.acquire_token_on_behalf_of(&assertion("bob", 3600), &read()).await.unwrap();
    assert_eq!(endpoint.count(), 2);
    slow.open();
    assert!(join_all(callers).await.into_iter().all(|token| token.unwrap().unwrap().secret() == "token-1"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_the_user_carries_the_claims_for_the_apis_own_challenge() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let claims = r#"{"access_token":{"polids":{"essential":true,"values":["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"]}}}"#;
    endpoint.answers(move |_| {
        support::answer(
            400,
            json!({"error": "interaction_required", "error_description": "AADSTS50079: Enroll.", "error_codes": [50079],
                   "suberror": "basic_action", "claims": claims})
            .to_string(),
        )
    });
    let error = client.acquire_token_on_behalf_of(&assertion("alice", 3600), &read()).await.unwrap_err();
    assert!(error.needs_user() && !error.is_retryable());
    assert_eq!(error.claims().unwrap().as_json(), claims);
}

#[tokio::test(start_paused = true)]
async fn a_long_running_process_goes_on_when_its_assertion_has_ended() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    issues_sessions(&endpoint);
    let client = client(&endpoint, &clock);
    let (assertion, options) = (assertion("alice", 600), RequestOptions::new());
    let key = assertion.session_key();
    let first = client.start_long_running(&assertion, &key, &read(), &options).await.unwrap();
    assert_eq!(first.secret(), "token-1");
    assert_eq!(field(&endpoint.last_form(), "scope").unwrap(), "api://orders/read openid profile offline_access");

    // The token outlives the assertion.
    clock.advance(MINUTE * 20);
    assert_eq!(client.acquire_token_in_session(&key, &read(), &options).await.unwrap().secret(), "token-1");
    // Its successor, and other scopes, come by the refresh token, of which the newest is used.
    clock.advance(MINUTE * 60);
    assert_eq!(client.acquire_token_in_session(&key, &read(), &options).await.unwrap().secret(), "token-2");
    let form = endpoint.last_form();
    assert_eq!(field(&form, "grant_type").unwrap(), "refresh_token");
    assert_eq!(field(&form, "refresh_token").unwrap(), "refresh-1");
    let write = ScopeSet::parse("api://orders/write").unwrap();
    assert_eq!(client.acquire_token_in_session(&key, &write, &options).await.unwrap().secret(), "token-3");
    assert_eq!(field(&endpoint.last_form(), "refresh_token").unwrap(), "refresh-2");

    assert!(client.end_session(&key).await);
    let error = client.acquire_token_in_session(&key, &read(), &options).await.unwrap_err();
    assert!(matches!(error, AcquireError::NotSignedIn), "{error:?}");
    assert_eq!((endpoint.count(), client.end_session(&key).await), (3, false));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_in_the_background_and_ends_when_its_refresh_token_does() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    issues_sessions(&endpoint);
    let client = client(&endpoint, &clock);
    let (key, options) = (SessionKey::new("job 7"), RequestOptions::new());
    let first = client.start_long_running(&assertion("alice", 600), &key, &read(), &options).await.unwrap();
    clock.set(first.refresh_on());
    assert_eq!(client.acquire_token_in_session(&key, &read(), &options).await.unwrap().secret(), "token-1");
    settle().await;
    let second = client.acquire_token_in_session(&key, &read(), &options).await.unwrap();
    assert_eq!((second.secret(), endpoint.count()), ("token-2", 2));

    endpoint.answers(|_| refused(400, "invalid_grant", 700_082, "The refresh token has expired due to inactivity."));
    clock.advance(MINUTE * 120);
    let error = client.acquire_token_in_session(&key, &read(), &options).await.unwrap_err();
    assert!(matches!(&error, AcquireError::Refused(_)) && error.needs_user(), "{error:?}");
    let error = client.acquire_token_in_session(&key, &read(), &options).await.unwrap_err();
    assert!(matches!(error, AcquireError::NotSignedIn), "nothing more is sent: {error:?}");
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn c15_an_assertion_that_comes_back_is_not_shown() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = builder(&endpoint, &clock).secret(SECRET.to_owned()).build().unwrap();
    endpoint.answers(|request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        refused(400, "invalid_grant", 50_013, &format!("Assertion {form} failed."))
    });
    let alice = jws(&json!({"exp": START + 3600}));
    let assertion = UserAssertion::new(alice.clone()).unwrap();
    let error = client.acquire_token_on_behalf_of(&assertion, &read()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("[redacted]") && !text.contains(&alice) && !text.contains("s3cret.value"), "{text}");
}
