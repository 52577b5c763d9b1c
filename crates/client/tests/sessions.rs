//! Sessions that are refused for another reason, ended while they are renewed, or begun anew for somebody else.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use countersign_client::{Account, AcquireError, ConfidentialClient, RequestOptions, SessionKey, UserAssertion};
use countersign_protocol::ScopeSet;
use serde_json::json;
use support::{Endpoint, START, answer, client, clock, field, jws, ok, refused, scopes, settle};

const HOUR: Duration = Duration::from_secs(3600);

fn read() -> ScopeSet {
    ScopeSet::parse("api://orders/read").unwrap()
}

fn assertion(user: &str) -> UserAssertion {
    UserAssertion::new(jws(&json!({"sub": user, "exp": START + 100_000}))).unwrap()
}

/// Tokens are numbered, and those that come by an assertion say whose it was.
fn issues_sessions(endpoint: &Endpoint) {
    let counted = endpoint.clone();
    endpoint.answers(move |request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let whose = [("alice", assertion("alice")), ("bob", assertion("bob"))]
            .into_iter()
            .find(|(_, user)| field(&form, "assertion").is_some_and(|sent| session_key(&sent) == user.session_key()))
            .map(|(name, _)| name.to_owned())
            .or_else(|| field(&form, "refresh_token"));
        let (number, whose) = (counted.count(), whose.unwrap_or_default());
        let name = whose.split('-').next().unwrap();
        ok(&json!({
            "token_type": "Bearer", "expires_in": 3600, "access_token": format!("{name}-{number}"),
            "refresh_token": format!("{name}-rt-{number}"),
            "client_info": countersign_token::base64url_encode(br#"{"uid":"u","utid":"t"}"#),
        }))
    });
}

fn session_key(assertion: &str) -> SessionKey {
    UserAssertion::new(assertion.to_owned()).unwrap().session_key()
}

async fn start(client: &ConfidentialClient, user: &str, key: &SessionKey) -> String {
    let token = client.start_long_running(&assertion(user), key, &read(), &RequestOptions::new()).await;
    token.unwrap().secret().to_owned()
}

async fn go_on(client: &ConfidentialClient, key: &SessionKey, scopes: &ScopeSet) -> Result<String, AcquireError> {
    let token = client.acquire_token_in_session(key, scopes, &RequestOptions::new()).await?;
    Ok(token.secret().to_owned())
}

#[tokio::test(start_paused = true)]
async fn only_what_says_that_the_refresh_token_is_dead_ends_a_session() {
    let with_suberror = |code: u32, suberror: &str| {
        let description = format!("AADSTS{code}: No.");
        let body = json!({"error": "invalid_grant", "error_description": description, "error_codes": [code], "suberror": suberror});
        move || answer(400, body.to_string())
    };
    let plain = |code: u32| move || refused(400, "invalid_grant", code, "No.");
    type Refusal = Box<dyn Fn() -> support::Outcome + Send>;
    let cases: Vec<(&str, Refusal, bool)> = vec![
        ("no consent", Box::new(plain(65_001)), false),
        ("multi-factor authentication", Box::new(plain(50_076)), false),
        ("enrolment", Box::new(plain(50_079)), false),
        ("Conditional Access", Box::new(plain(53_003)), false),
        ("consent, in words", Box::new(with_suberror(65_001, "consent_required")), false),
        ("an action, in words", Box::new(with_suberror(50_076, "basic_action")), false),
        ("inactive", Box::new(plain(700_082)), true),
        ("expired", Box::new(plain(70_008)), true),
        ("of a page", Box::new(plain(700_084)), true),
        ("revoked", Box::new(plain(50_173)), true),
        ("session not valid", Box::new(plain(50_132)), true),
        ("password changed", Box::new(plain(50_133)), true),
        ("sign-in frequency", Box::new(plain(70_043)), true),
        ("malformed", Box::new(plain(70_000)), true),
        ("bad, in words", Box::new(with_suberror(999_999_999, "bad_token")), true),
        ("another server's", Box::new(|| answer(400, r#"{"error":"invalid_grant"}"#)), true),
        ("another word", Box::new(|| refused(400, "interaction_required", 50_076, "No.")), false),
    ];
    for (what, refusal, ends) in cases {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        issues_sessions(&endpoint);
        let client = client(&endpoint, &clock);
        let key = SessionKey::new("job");
        start(&client, "alice", &key).await;
        endpoint.answers(move |_| refusal());
        let error = go_on(&client, &key, &scopes("api://other")).await.unwrap_err();
        assert!(matches!(error, AcquireError::Refused(_)), "{what}: {error:?}");
        issues_sessions(&endpoint);
        clock.advance(HOUR * 2);
        let after = go_on(&client, &key, &read()).await;
        assert_eq!(matches!(after, Err(AcquireError::NotSignedIn)), ends, "{what}: {after:?}");
        assert_eq!(after.is_ok(), !ends, "{what}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_under_way_brings_nothing_back_that_was_ended_meanwhile() {
    for how in ["sign out", "sign out and in again", "forget"] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        issues_sessions(&endpoint);
        let client = client(&endpoint, &clock);
        let sign_in = async || {
            let options = RequestOptions::new();
            client.acquire_token_by_password("alice", "pw".into(), &read(), &options).await.unwrap().account().clone()
        };
        let account: Account = sign_in().await;
        let silent =
            async |scopes: &ScopeSet| client.acquire_token_silent(&account, scopes, &RequestOptions::new()).await;
        let gate = endpoint.hold();
        let under_way = tokio::spawn({
            let (client, account) = (client.clone(), account.clone());
            async move { client.acquire_token_silent(&account, &scopes("api://other"), &RequestOptions::new()).await }
        });
        settle().await;
        match how {
            "forget" => client.forget_tokens(),
            _ => assert!(client.sign_out(&account).await),
        }
        endpoint.hold().open();
        if how == "sign out and in again" {
            sign_in().await;
        }
        gate.open();
        let late = under_way.await.unwrap().unwrap();
        settle().await;
        let before = endpoint.count();
        match silent(&scopes("api://other")).await {
            Ok(token) => {
                assert_eq!(how, "sign out and in again");
                assert!(token.secret() != late.secret() && endpoint.count() == before + 1, "not the late one");
            }
            Err(error) => assert!(matches!(error, AcquireError::NotSignedIn), "{how}: {error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_applications_token_under_way_is_not_kept_when_everything_is_forgotten_meanwhile() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let gate = endpoint.hold();
    let under_way = tokio::spawn({
        let client = client.clone();
        async move { client.acquire_token_for_client(&scopes("api://orders")).await }
    });
    settle().await;
    client.forget_tokens();
    // After a consent, say: who asks now does not get what was asked for before it.
    endpoint.hold().open();
    assert_eq!(client.acquire_token_for_client(&scopes("api://orders")).await.unwrap().secret(), "token-2");
    gate.open();
    assert_eq!(under_way.await.unwrap().unwrap().secret(), "token-1", "who asked before it is served");
    assert_eq!(client.acquire_token_for_client(&scopes("api://orders")).await.unwrap().secret(), "token-2");
    assert_eq!((endpoint.count(), client.cached_tokens()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_used_again_for_another_user_answers_with_nothing_of_the_first_ones() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    issues_sessions(&endpoint);
    let client = client(&endpoint, &clock);
    let key = SessionKey::new("a key that is used twice");
    assert_eq!(start(&client, "alice", &key).await, "alice-1");
    assert_eq!(start(&client, "alice", &key).await, "alice-1", "from memory: the assertion is the same");
    assert_eq!(go_on(&client, &key, &scopes("api://other")).await.unwrap(), "alice-2");
    assert_eq!(start(&client, "bob", &key).await, "bob-3");
    assert_eq!(go_on(&client, &key, &read()).await.unwrap(), "bob-3");
    assert_eq!(go_on(&client, &key, &scopes("api://other")).await.unwrap(), "bob-4", "not Alice's");
    clock.advance(HOUR * 2);
    assert_eq!(go_on(&client, &key, &read()).await.unwrap(), "bob-5");
    assert_eq!(start(&client, "alice", &key).await, "alice-6");
}

#[tokio::test(start_paused = true)]
async fn two_users_who_begin_under_one_key_at_once_do_not_share_an_answer() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    issues_sessions(&endpoint);
    let client = client(&endpoint, &clock);
    let key = SessionKey::new("job");
    let gate = endpoint.hold();
    let begin = |user: &'static str| {
        let (client, key) = (client.clone(), key.clone());
        tokio::spawn(async move { start(&client, user, &key).await })
    };
    let (alice, bob) = (begin("alice"), begin("bob"));
    settle().await;
    gate.open();
    assert!(alice.await.unwrap().starts_with("alice") && bob.await.unwrap().starts_with("bob"));
    settle().await;
    // Whoever came last has the session, with tokens of the same user's.
    let token = go_on(&client, &key, &read()).await.unwrap();
    let other = go_on(&client, &key, &scopes("api://other")).await.unwrap();
    assert_eq!(token.split('-').next(), other.split('-').next());
}
