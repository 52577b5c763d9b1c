//! A federated assertion is shown to nobody: not in `Debug`, not in errors, not in logs; and a log line says enough.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::{AssertionRequest, ConfidentialClient};
use countersign_token::base64url_encode;
use secrecy::SecretString;
use support::{Endpoint, START, answer, builder, clock, refused, scopes, settle};

fn assertion() -> String {
    let claims = format!(r#"{{"sub":"a","exp":{}}}"#, START + 86_400);
    format!("eyJhbGciOiJSUzI1NiJ9.{}.{}", base64url_encode(claims.as_bytes()), base64url_encode(b"sensitive signature"))
}

/// What shows an assertion: all of it, or its last part.
fn shows(text: &str) -> bool {
    text.contains(&assertion()) || text.contains(&base64url_encode(b"sensitive signature"))
}

/// Where the log goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Collects everything that is logged on this thread, at every level.
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_default(subscriber.with_writer(move || log.clone()).finish())
    }
}

/// Lets tasks run until something has happened: the file is looked at on another thread, whose time is not ours.
async fn until(happened: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "it did not happen");
        tokio::task::yield_now().await;
    }
}

fn everything(error: &dyn Error) -> String {
    let mut text = format!("{error:?}\n{error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!("\n{cause:?}\n{cause}"));
        next = cause.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn c01_c15_an_assertion_is_never_shown_whoever_says_it() {
    let log = Log::default();
    let _guard = log.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, assertion()).unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let of_file = || builder(&endpoint, &clock).federated_token_file(&path);
    let of_provider =
        || builder(&endpoint, &clock).assertion(async |_: AssertionRequest| Ok(SecretString::from(assertion())));
    for build in [&of_file as &dyn Fn() -> _, &of_provider] {
        let client: ConfidentialClient = build().build().unwrap();
        endpoint.issues();
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert!(endpoint.last_form().contains(&assertion()), "it was sent");
        let debug = format!("{client:?} {:?} {:?}", build(), endpoint.requests()[0].headers());
        assert!(!shows(&debug), "{debug}");

        type Fault = fn(&str) -> support::Outcome;
        let faults: [Fault; 3] = [
            |form| refused(401, "invalid_client", 700_213, &format!("No record for {form}.")),
            |form| answer(502, format!("<html>blocked: {form}")),
            |form| Err(countersign_discovery::TransportError::Connect(form.len().to_string().into())),
        ];
        for fault in faults {
            endpoint.answers(move |request| fault(&String::from_utf8_lossy(request.body())));
            client.forget_tokens();
            let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
            assert!(!shows(&everything(&error)), "{}", everything(&error));
        }
    }
    assert!(log.text().contains("asking for a token once more"), "the log was listened to: {}", log.text());
    assert!(!shows(&log.text()), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_finds_no_file_leaves_the_token_and_says_why_in_the_log() {
    let log = Log::default();
    let _guard = log.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, assertion()).unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = builder(&endpoint, &clock).federated_token_file(&path).build().unwrap();
    let scopes = scopes("api://orders");
    client.acquire_token_for_client(&scopes).await.unwrap();

    // A folder stands in its place, as a volume that is not mounted does.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    clock.advance(Duration::from_secs(33 * 60));
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-1");
    until(|| log.text().contains("renewing an access token failed")).await;
    let text = log.text();
    assert!(text.contains(&path.display().to_string()) && text.contains("it is no regular file"), "{text}");
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-1");

    // Mounted again, the next attempt brings a new token.
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, assertion()).unwrap();
    clock.advance(Duration::from_secs(60));
    client.acquire_token_for_client(&scopes).await.unwrap();
    until(|| endpoint.count() == 2).await;
    settle().await;
    assert_eq!(client.acquire_token_for_client(&scopes).await.unwrap().secret(), "token-2");
}
