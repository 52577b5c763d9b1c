//! Logs and errors tell nothing that opens anything (pitfalls B83, B93, B94).

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

use countersign_authority::Authority;
use countersign_token::base64_encode_standard;
use secrecy::ExposeSecret;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::forge::{Assertion, REGISTERED, form};
use crate::kit::{API, CLIENT, Kit, SECRET, TENANT, directory_with};

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Listens to everything that runs in the authority, at the finest level. The client of a test runs in the same thread,
/// hence no HTTP library.
pub(crate) fn listen() -> (Log, DefaultGuard) {
    let log = Log::default();
    let targets =
        ["countersign_authority", "countersign_directory", "countersign_guard", "sqlx", "axum", "tower", "rustls"];
    let targets = Targets::new().with_targets(targets.map(|target| (target, tracing::Level::TRACE)));
    let writing = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(targets).with(writing);
    (log, tracing::subscriber::set_default(subscriber))
}

/// In a process of its own: what is logged where depends on every subscriber of a process.
pub(crate) fn run_alone(name: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--ignored"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn b94_logs_are_clean() {
    run_alone("secrecy::b94_no_log_line_of_any_level_holds_a_secret_an_assertion_or_a_token");
}

#[tokio::test]
#[ignore = "run by b94_logs_are_clean"]
async fn b94_no_log_line_of_any_level_holds_a_secret_an_assertion_or_a_token() {
    let (log, _guard) = listen();

    let kit = Kit::with(directory_with(&REGISTERED.key_credentials(""))).await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let by_secret = kit.token(&format!("{API}/.default")).await;
    assert_eq!(by_secret.status, 200);
    let token = by_secret.body["access_token"].as_str().unwrap().to_owned();
    let assertion = Assertion::new(&kit).signed();
    let more = format!("&client_id={CLIENT}&scope={API}/.default");
    assert_eq!(kit.post(&path, &form(&assertion, &more)).await.status, 200);
    let basic = base64_encode_standard(format!("{CLIENT}:{SECRET}").as_bytes());
    let scope = format!("grant_type=client_credentials&scope={API}/.default");
    assert_eq!(kit.post_with(&path, &scope, &[("authorization", &format!("Basic {basic}"))]).await.status, 200);
    // Each way to fail, with the secret in the wrong place too.
    for form in [
        format!("grant_type={SECRET}"),
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&client_assertion={assertion}"),
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret=wrong-{SECRET}&scope={API}/.default"),
        format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&client_secret={SECRET}"),
        form(&assertion.replace('.', "x"), &more),
        form(&format!("{assertion}AA"), &more),
    ] {
        let answer = kit.post(&path, &form).await;
        assert!(answer.status >= 400);
        let text = answer.body.to_string();
        assert!(!text.contains(&assertion), "{text}");
        // Only what stands where a word of the protocol belongs is told back.
        assert!(!text.contains(SECRET) || form == format!("grant_type={SECRET}"), "{text}");
    }
    // What a stranger writes cannot make a line of its own.
    kit.post_with(&path, "grant_type=x%0d%0aINFO+forged", &[("client-request-id", "x\ty INFO forged")]).await;
    let administrator = kit.authority.administrator().client_secret.expose_secret().to_owned();
    let shown = format!("{:?} {:?} {:?}", kit.authority, kit.authority.administrator(), Authority::builder());
    kit.authority.shutdown().await;

    let log = log.text();
    assert!(log.contains("signed_in") && log.contains("refused"), "the log works: {log}");
    assert!(log.contains("code=7000215"), "{log}");
    let signature = |jws: &str| jws.rsplit('.').next().unwrap().to_owned();
    for text in [&log, &shown] {
        let needles =
            [SECRET.to_owned(), administrator.clone(), basic.clone(), signature(&token), signature(&assertion)];
        for needle in &needles {
            assert!(!text.contains(needle.as_str()), "{needle} in {text}");
        }
        assert!(!text.lines().any(|line| line.starts_with("INFO forged")), "{text}");
    }
}

#[tokio::test]
async fn b93_ids_are_guids_and_new_each_time() {
    let kit = Kit::start().await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let mut seen = std::collections::HashSet::new();
    for id in ["", "x", "0f0e0d0c-0b0a-4908-8706-05040302010", "<script>", "{\"a\":1}", "0f0e0d0c%0d%0aSet-Cookie"] {
        let headers = [("client-request-id", id), ("return-client-request-id", "true")];
        let answer = kit.post_with(&format!("{path}?client-request-id={CLIENT}x"), "", &headers).await;
        for member in ["trace_id", "correlation_id"] {
            let text = answer.body[member].as_str().unwrap();
            assert!(text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() && text != CLIENT, "{text}");
            assert!(seen.insert(text.to_owned()), "{member} {text} was used before");
        }
        assert_eq!(answer.header("client-request-id"), "", "nothing to echo");
        assert_eq!(answer.header("x-ms-request-id"), answer.body["trace_id"].as_str().unwrap());
    }
}
