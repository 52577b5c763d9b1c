//! What the real service answered, played to this client: it yields what the SDK that recorded it yielded.
//!
//! The recordings are shared material outside this project, found through `COUNTERSIGN_SHARED` (default: `../shared` beside
//! the workspace). Where they are absent the tests say so and pass. Tokens in them are placeholders; an id_token, whose
//! claims are checked, is replaced by one for this test's own client.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "the shared material's place comes from the environment")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_client::{
    AccessToken, Account, AcquireError, AuthorizationRequest, ClaimsRequest, ConfidentialClient, ManagedIdentityClient,
    ManagedIdentityHost, RequestOptions, UserAssertion,
};
use countersign_protocol::{ResourceIdentifier, ScopeSet};
use countersign_token::Timestamp;
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, START, TENANT, answer, builder, clock, field, jws, scopes};

fn lines(topic: &str) -> Option<Vec<Value>> {
    let shared = match std::env::var_os("COUNTERSIGN_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let path = shared.join("recordings").join(format!("{topic}.jsonl"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no recordings at {}", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

const REDIRECT: &str = "https://app.contoso.com/callback";

/// Asks in the way of the recorded grant; `then` plays the recorded answer for the request that matters.
async fn ask(
    client: &ConfidentialClient,
    endpoint: &Endpoint,
    grant: &str,
    then: impl Fn(Option<&str>),
) -> Result<AccessToken, AcquireError> {
    let (read, options) = (ScopeSet::parse("https://vault.azure.net/.default").unwrap(), RequestOptions::new());
    let assertion = UserAssertion::new(jws(&json!({"exp": START + 100_000}))).unwrap();
    match grant {
        "on_behalf_of" => {
            then(None);
            client.acquire_token_on_behalf_of(&assertion, &read).await
        }
        "refresh_token" => {
            let key = assertion.session_key();
            endpoint.answers(|_| {
                support::ok(
                    &json!({"token_type": "Bearer", "expires_in": 1, "access_token": "a", "refresh_token": "r"}),
                )
            });
            client.start_long_running(&assertion, &key, &scopes("api://first"), &options).await?;
            then(None);
            client.acquire_token_in_session(&key, &read, &options).await
        }
        "password" => {
            then(None);
            let signed_in = client.acquire_token_by_password("alice", "pw".into(), &read, &options).await?;
            client.acquire_token_silent(signed_in.account(), &read, &options).await
        }
        "authorization_code" => {
            let attempt = client.authorization_url(&AuthorizationRequest::new(REDIRECT, read.clone()))?;
            then(field(attempt.url().split_once('?').unwrap().1, "nonce").as_deref());
            let callback = format!("code=c&state={}", attempt.state());
            let signed_in = client.redeem(attempt, &callback).await?;
            let account = Account::from_home_account_id(signed_in.account().home_account_id());
            client.acquire_token_silent(&account, &read, &options).await
        }
        "device_code_poll" => {
            endpoint.answers(|_| {
                support::ok(
                    &json!({"user_code": "U", "device_code": "D", "verification_uri": "https://x", "expires_in": 900}),
                )
            });
            let code = client.start_device_code(&read, &options).await?;
            then(None);
            Ok(client.acquire_token_by_device_code(&code).await?.token().clone())
        }
        _ => {
            then(None);
            client.acquire_token_for_client(&read).await
        }
    }
}

/// The recorded body with an id_token and a client_info that this client takes for its own.
fn played(body: &Value, nonce: Option<&str>) -> Value {
    let mut body = body.clone();
    if body.get("id_token").is_some() {
        let iss = format!("https://login.contoso.test:8443/{TENANT}/v2.0");
        body["id_token"] = json!(jws(
            &json!({"aud": CLIENT, "iss": iss, "tid": TENANT, "oid": "o", "nonce": nonce, "exp": START + 3600})
        ));
        body.as_object_mut().unwrap().remove("client_info");
    }
    body
}

#[tokio::test(start_paused = true)]
async fn token_answers_yield_what_they_yielded() {
    let Some(lines) = lines("token") else { return };
    let (mut granted, mut refused, mut pending) = (0, 0, 0);
    for line in &lines {
        let id = line["id"].as_str().unwrap();
        let body = &line["response"]["body"];
        let (Some(status), true) = (line["response"]["status"].as_u64(), body.is_object()) else { continue };
        let status = u16::try_from(status).unwrap();
        if body["expires_in"].as_str().is_some_and(|text| text.starts_with('{')) {
            continue;
        }
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = builder(&endpoint, &clock).secret("s3cret".to_owned()).build().unwrap();
        let then = |nonce: Option<&str>| {
            let body = played(body, nonce).to_string();
            endpoint.answers(move |_| answer(status, body.clone()));
        };
        let grant = line["grant"].as_str().unwrap_or_default();
        if body["error"] == "authorization_pending" {
            // A device code that stays pending ends with its life; the fake clock lets it.
            let ticking = clock.clone();
            let body = body.to_string();
            let count = endpoint.clone();
            let then = |_: Option<&str>| {
                let (ticking, body, count) = (ticking.clone(), body.clone(), count.clone());
                endpoint.answers(move |_| {
                    if count.count() > 3 {
                        ticking.advance(std::time::Duration::from_secs(1000));
                    }
                    answer(status, body.clone())
                });
            };
            let outcome = ask(&client, &endpoint, grant, then).await;
            assert!(matches!(outcome, Err(AcquireError::DeviceCodeExpired)), "{id}: {outcome:?}");
            assert!(endpoint.count() > 3, "{id}: polled on");
            pending += 1;
            continue;
        }
        let outcome = ask(&client, &endpoint, grant, then).await;
        if status == 200 {
            let token = outcome.unwrap_or_else(|error| panic!("{id}: {error:?}"));
            assert_eq!(token.secret(), body["access_token"].as_str().unwrap(), "{id}");
            let life = body["expires_in"].as_i64().unwrap();
            assert_eq!(token.expires_on(), Timestamp::from_unix_seconds(START + life), "{id}");
            if let Some(refresh_in) = body["refresh_in"].as_i64() {
                assert!(token.refresh_on() >= Timestamp::from_unix_seconds(START + refresh_in), "{id}");
            }
            granted += 1;
        } else {
            let error = outcome.unwrap_err();
            let AcquireError::Refused(refusal) = &error else { panic!("{id}: {error:?}") };
            assert_eq!((refusal.status(), refusal.error()), (status, body["error"].as_str().unwrap()), "{id}");
            assert_eq!(error.code().map(u64::from), body["error_codes"][0].as_u64(), "{id}");
            assert_eq!(error.trace_id(), body["trace_id"].as_str(), "{id}");
            assert_eq!(error.correlation_id(), body["correlation_id"].as_str(), "{id}");
            assert!(error.meaning().is_some() && error.remedy().is_some(), "{id}: in the catalogue");
            assert!(!error.to_string().contains(['\r', '\n']), "{id}");
            refused += 1;
        }
    }
    assert!(granted > 60 && refused > 10 && pending > 10, "{granted} {refused} {pending}");
}

#[tokio::test(start_paused = true)]
async fn device_codes_are_shown_as_they_were() {
    let Some(lines) = lines("devicecode") else { return };
    for line in &lines {
        let body = &line["response"]["body"];
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = builder(&endpoint, &clock).public_client().build().unwrap();
        let text = body.to_string();
        endpoint.answers(move |_| answer(200, text.clone()));
        let code = client.start_device_code(&scopes("https://vault.azure.net"), &RequestOptions::new()).await;
        let code = code.unwrap_or_else(|error| panic!("{}: {error:?}", line["id"]));
        assert_eq!(code.user_code(), body["user_code"].as_str().unwrap());
        assert_eq!(code.message(), body["message"].as_str().unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn managed_identities_answer_as_they_did() {
    for topic in ["imds", "appservice"] {
        let Some(lines) = lines(topic) else { return };
        for line in &lines {
            let (id, body) = (&line["id"], line["response"]["body"].clone());
            let status = u16::try_from(line["response"]["status"].as_u64().unwrap()).unwrap();
            let endpoint = Endpoint::issuing();
            let expires = ["expires_on"].iter().find_map(|name| {
                let value = &body[*name];
                value.as_i64().or_else(|| value.as_str()?.parse().ok())
            });
            // A while before the recorded token ended.
            let now = expires.map_or(1_621_700_000, |expires| expires - 1000);
            let clock = countersign_token::FakeClock::at(Timestamp::from_unix_seconds(now));
            let text = body.to_string();
            endpoint.answers(move |_| answer(status, text.clone()));
            let variable = |name: &str| match (topic, name) {
                ("appservice", "IDENTITY_ENDPOINT") => Some("http://127.0.0.1:41741/msi/token".to_owned()),
                ("appservice", "IDENTITY_HEADER") => Some("header".to_owned()),
                _ => None,
            };
            let identity = ManagedIdentityClient::builder(variable);
            let is_app_service = identity.host() == ManagedIdentityHost::AppService;
            assert_eq!(is_app_service, topic == "appservice", "each to the client that it was recorded for");
            let identity = identity.transport(Arc::new(endpoint.clone())).clock(Arc::new(clock)).build().unwrap();
            let resource = ResourceIdentifier::parse("https://management.core.windows.net/").unwrap();
            match identity.acquire_token(&resource).await {
                Ok(token) => {
                    assert_eq!((status, token.secret()), (200, body["access_token"].as_str().unwrap()), "{id}");
                    if let Some(expires) = expires {
                        assert_eq!(token.expires_on().as_unix_seconds(), expires, "{id}");
                    }
                }
                Err(AcquireError::ManagedIdentity(_)) => assert_eq!(status, 400, "{id}"),
                Err(error) => panic!("{id}: {error:?}"),
            }
        }
    }
}

#[test]
fn c23_recorded_challenges_are_understood() {
    let Some(lines) = lines("challenge") else { return };
    let mut claims = 0;
    for line in &lines {
        let header = line["response"]["headers"].as_object().unwrap().iter();
        let header = header
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .find_map(|(_, value)| value.as_str());
        let header = header.unwrap_or_default();
        let found = ClaimsRequest::from_challenge(header);
        assert_eq!(found.is_some(), header.contains("claims="), "{}", line["id"]);
        if let Some(found) = found {
            let json: Value = serde_json::from_str(found.as_json()).unwrap();
            assert!(json["access_token"].is_object(), "{}", line["id"]);
            claims += 1;
        }
    }
    assert!(claims >= 2, "{claims}");
}
