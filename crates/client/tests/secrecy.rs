//! C01: whatever is asked, however it ends, nothing secret is in a log, a span, an error or a `Debug`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::{
    AcquireError, AuthorizationRequest, ConfidentialClient, GitHubActions, ManagedIdentityClient, RequestOptions,
    SessionKey, UserAssertion,
};
use countersign_protocol::{ResourceIdentifier, ScopeSet};
use serde_json::json;
use support::{
    CLIENT, Endpoint, SECRET, START, TENANT, answer, builder, clock, field, jws, ok, refused, scopes, settle,
};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn note(&self, text: &str) {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_request_names_the_id_that_was_sent_however_it_ends() {
    let log = Log::default();
    let _guard = log.collect();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = builder(&endpoint, &clock).secret(SECRET.to_owned()).build().unwrap();
    for fails in [false, true] {
        if fails {
            endpoint.goes_down();
        }
        let outcome = client.acquire_token_for_client(&scopes(&format!("api://{fails}"))).await;
        assert_eq!(outcome.is_err(), fails);
        let sent = endpoint.requests().pop().unwrap().headers()["client-request-id"].clone();
        assert!(log.text().contains(&format!("correlation_id={}", sent.to_str().unwrap())), "{}", log.text());
    }
}

fn everything(error: &AcquireError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

/// Every grant once, and what comes of it into the log.
async fn ask_everything(client: &ConfidentialClient, log: &Log, assertion: &str) {
    let (read, options) = (ScopeSet::parse("api://orders/read").unwrap(), RequestOptions::new());
    let user = UserAssertion::new(assertion.to_owned()).unwrap();
    let key = SessionKey::new("session~key~of~ours");
    let note = |outcome: Result<String, AcquireError>| match outcome {
        Ok(debug) => log.note(&debug),
        Err(error) => log.note(&everything(&error)),
    };
    let attempt =
        client.authorization_url(&AuthorizationRequest::new("https://app.contoso.com/cb", read.clone())).unwrap();
    let callback = format!("code=the~code~itself&state={}", attempt.state());
    log.note(&format!("{client:?} {user:?} {key:?} {attempt:?}"));
    note(client.acquire_token_for_client(&scopes("api://orders")).await.map(|token| format!("{token:?}")));
    note(client.acquire_token_on_behalf_of(&user, &read).await.map(|token| format!("{token:?}")));
    note(client.start_long_running(&user, &key, &read, &options).await.map(|token| format!("{token:?}")));
    let other = ScopeSet::parse("api://other/read").unwrap();
    note(client.acquire_token_in_session(&key, &other, &options).await.map(|token| format!("{token:?}")));
    note(client.redeem(attempt, &callback).await.map(|it| format!("{it:?}")));
    let password = "the~password~itself".into();
    note(client.acquire_token_by_password("alice", password, &read, &options).await.map(|it| format!("{it:?}")));
    match client.start_device_code(&read, &options).await {
        Ok(code) => {
            log.note(&format!("{code:?}"));
            note(client.acquire_token_by_device_code(&code).await.map(|it| format!("{it:?}")));
        }
        Err(error) => log.note(&everything(&error)),
    }
}

#[tokio::test(start_paused = true)]
async fn c01_c15_no_grant_shows_anything_however_it_ends() {
    let log = Log::default();
    let _guard = log.collect();
    let assertion = jws(&json!({"oid": "alice", "exp": START + 36_000}));
    let id_token = jws(&json!({
        "aud": CLIENT, "iss": format!("https://login.contoso.test:8443/{TENANT}/v2.0"), "tid": TENANT, "oid": "o",
        "exp": START + 3600,
    }));
    let issues = |endpoint: &Endpoint| {
        let id_token = id_token.clone();
        endpoint.answers(move |request| {
            if request.uri().path().ends_with("/devicecode") {
                return ok(
                    &json!({"user_code": "U", "device_code": "the~device~code", "verification_uri": "https://x",
                                  "expires_in": 900}),
                );
            }
            ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "the~access~token",
                       "refresh_token": "the~refresh~token", "id_token": id_token}))
        });
    };
    let build = |endpoint: &Endpoint, clock: &_| builder(endpoint, clock).secret(SECRET.to_owned()).build().unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = build(&endpoint, &clock);
    issues(&endpoint);
    ask_everything(&client, &log, &assertion).await;
    // Renewals that fail are logged, too.
    endpoint.answers(|request| answer(400, request.body().clone()));
    clock.advance(Duration::from_secs(2400));
    ask_everything(&client, &log, &assertion).await;
    settle().await;
    // Refusals that say back what was sent, in JSON and out of it, and garbage with the token in it.
    for fault in 0..3 {
        let (endpoint, clock) = (Endpoint::issuing(), support::clock());
        let client = build(&endpoint, &clock);
        issues(&endpoint);
        let key = SessionKey::new("session~key~of~ours");
        let user = UserAssertion::new(assertion.clone()).unwrap();
        client.start_long_running(&user, &key, &scopes("api://first"), &RequestOptions::new()).await.unwrap();
        endpoint.answers(move |request| {
            let form = String::from_utf8_lossy(request.body()).into_owned();
            let plain = ["client_secret", "assertion", "refresh_token", "code", "password", "device_code"];
            let said: Vec<String> = plain.iter().filter_map(|name| field(&form, name)).collect();
            match fault {
                0 => refused(400, "invalid_request", 9_002_313, &format!("{form} {}", said.join(" "))),
                1 => answer(500, format!("<html>{form} {}", said.join(" "))),
                _ => answer(200, r#"{"access_token":"the~access~token","expires_in":"x""#),
            }
        });
        ask_everything(&client, &log, &assertion).await;
    }
    let text = log.text();
    assert!(text.contains("acquire_token") && text.contains("on_behalf_of"), "the spans are there");
    assert!(text.contains("[redacted]"));
    let (_, signed) = assertion.split_once('.').unwrap();
    for secret in [
        SECRET,
        "s3cret.value",
        "the~access~token",
        "the~refresh~token",
        "the~code~itself",
        "the~password~itself",
        "the~device~code",
        "session~key~of~ours",
        "the%7E",
        signed,
        &assertion,
        &id_token,
    ] {
        if let Some(at) = text.find(secret) {
            panic!("{secret}: …{}…", &text[at.saturating_sub(300)..(at + 100).min(text.len())]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c01_managed_identities_and_workflows_show_nothing_either() {
    let log = Log::default();
    let _guard = log.collect();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let identity = ManagedIdentityClient::builder(|name| match name {
        "IDENTITY_ENDPOINT" => Some("http://127.0.0.1/msi".to_owned()),
        "IDENTITY_HEADER" => Some("identity~header".to_owned()),
        _ => None,
    });
    let identity = identity.transport(Arc::new(endpoint.clone())).clock(Arc::new(clock.clone()));
    log.note(&format!("{identity:?}"));
    let identity = identity.build().unwrap();
    endpoint
        .answers(|request| answer(400, format!("no: {}", request.headers()["x-identity-header"].to_str().unwrap())));
    let resource = ResourceIdentifier::parse("https://vault.azure.net").unwrap();
    log.note(&everything(&identity.acquire_token(&resource).await.unwrap_err()));

    let variable = |name: &str| match name {
        "ACTIONS_ID_TOKEN_REQUEST_URL" => Some("https://pipelines.contoso.test/token?api-version=2.0".to_owned()),
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN" => Some("workflow~bearer".to_owned()),
        _ => None,
    };
    let workflow = GitHubActions::from_environment(variable, Arc::new(endpoint.clone())).unwrap();
    log.note(&format!("{workflow:?}"));
    let authority = Endpoint::issuing();
    let client = builder(&authority, &clock).assertion(workflow).build().unwrap();
    let assertion = jws(&json!({"exp": START + 600}));
    let said = assertion.clone();
    endpoint.answers(move |_| ok(&json!({"value": said})));
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(field(&authority.last_form(), "client_assertion").unwrap(), assertion);
    let request = endpoint.requests().pop().unwrap();
    assert_eq!(request.uri().query(), Some("api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"));
    assert_eq!(request.headers()["authorization"], "Bearer workflow~bearer");
    for bad in [answer(403, "no"), ok(&json!({"values": 1})), answer(200, "<html>")] {
        let bad = Mutex::new(Some(bad));
        endpoint.answers(move |_| bad.lock().unwrap().take().unwrap());
        let error = client.acquire_token_for_client(&scopes("api://other")).await.unwrap_err();
        assert!(matches!(error, AcquireError::NoAssertion(_)));
        log.note(&everything(&error));
    }
    assert!(GitHubActions::from_environment(|_| None, Arc::new(endpoint.clone())).is_none());
    let text = log.text();
    for secret in ["identity~header", "workflow~bearer", &assertion] {
        assert!(!text.contains(secret), "{secret}");
    }
}
