//! Federated credentials: assertions from a file that others renew, and from a callback.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_client::{
    AcquireError, AssertionError, AssertionFault, AssertionProvider, AssertionRequest, BuildError, Cause,
    ConfidentialClient,
};
use countersign_discovery::TransportError;
use countersign_protocol::{AadSts, EndpointVersion};
use countersign_token::{NumericDate, Randomness, SeededRandomness, base64url_encode};
use futures_util::future::join_all;
use secrecy::SecretString;
use support::{CLIENT, Endpoint, START, TENANT, builder, clock, refused, scopes, settle};
use tempfile::TempDir;
use tokio::sync::watch;

const ASSERTION_TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

/// A token as a federated issuer makes it, told apart by `name` in its signature.
fn jws(name: &str, expires: i64) -> String {
    let part = |json: String| base64url_encode(json.as_bytes());
    let claims = format!(r#"{{"iss":"https://issuer.test","sub":"system:serviceaccount:a:b","exp":{expires}}}"#);
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#.to_owned()), part(claims), part(format!("signature of {name}")))
}

fn fresh(name: &str) -> String {
    jws(name, START + 3600)
}

/// The form as a whole: nothing more is sent, and nothing less.
fn v2_form(assertion: &str) -> String {
    format!(
        "client_id={CLIENT}&scope=api%3A%2F%2Forders%2F.default&client_assertion_type={ASSERTION_TYPE}\
         &client_assertion={assertion}&grant_type=client_credentials"
    )
}

struct Stage {
    folder: TempDir,
    endpoint: Endpoint,
    clock: countersign_token::FakeClock,
}

impl Stage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), endpoint: Endpoint::issuing(), clock: clock() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(), content).unwrap();
    }

    fn of_file(&self) -> ConfidentialClient {
        builder(&self.endpoint, &self.clock).federated_token_file(self.path()).build().unwrap()
    }

    fn of_provider(&self, provider: impl AssertionProvider) -> ConfidentialClient {
        builder(&self.endpoint, &self.clock).assertion(provider).build().unwrap()
    }
}

async fn error_of(client: &ConfidentialClient) -> AcquireError {
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err()
}

/// Everything an error can say.
fn whole_text(error: &AcquireError) -> String {
    let mut text = format!("{error:?}\n{error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!("\n{cause}"));
        next = cause.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_v2_request_carries_the_files_token_and_no_blanks() {
    let stage = Stage::new();
    stage.write(format!("\n {}\r\n", fresh("a")));
    stage.of_file().acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let request = &stage.endpoint.requests()[0];
    assert_eq!(request.uri(), &*format!("https://login.contoso.test:8443/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(stage.endpoint.last_form(), v2_form(&fresh("a")));
    assert!(!request.headers().contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn the_v1_request_names_the_resource_and_the_callback_learns_the_endpoint() {
    let stage = Stage::new();
    let (asked, mut seen) = watch::channel(None);
    let provider = move |request: AssertionRequest| {
        asked.send_replace(Some(request));
        async { Ok(SecretString::from(fresh("a"))) }
    };
    let builder = builder(&stage.endpoint, &stage.clock).endpoint_version(EndpointVersion::V1);
    let client = builder.assertion(provider).build().unwrap();
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(
        stage.endpoint.last_form(),
        format!(
            "client_id={CLIENT}&resource=api%3A%2F%2Forders&client_assertion_type={ASSERTION_TYPE}&client_assertion={}\
             &grant_type=client_credentials",
            fresh("a")
        )
    );
    let request = seen.borrow_and_update().clone().unwrap();
    let endpoint = stage.endpoint.requests()[0].uri().to_string();
    assert_eq!(endpoint, format!("https://login.contoso.test:8443/{TENANT}/oauth2/token"));
    assert_eq!((request.token_endpoint, request.client_id), (endpoint, CLIENT.parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn c25_each_request_reads_the_file_anew() {
    let stage = Stage::new();
    let client = stage.of_file();
    for name in ["first", "second"] {
        stage.write(fresh(name));
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!(stage.endpoint.last_form(), v2_form(&fresh(name)));
        client.forget_tokens();
    }
    assert_eq!(stage.endpoint.count(), 2);
}

/// `token` → `..data/token`, `..data` → a folder: the kubelet turns the inner link over.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn c25_the_links_of_a_projected_volume_are_followed_each_time() {
    use std::os::unix::fs::symlink;

    let stage = Stage::new();
    let inside = |name: &str| stage.folder.path().join(name);
    symlink("..data/token", stage.path()).unwrap();
    let client = stage.of_file();
    let error = error_of(&client).await;
    let AcquireError::NoAssertion(error) = &error else { panic!("{error:?}") };
    assert!(matches!(&**error, AssertionError::FileMissing { path } if *path == stage.path()), "a dangling link");
    for name in ["..first", "..second"] {
        std::fs::create_dir(inside(name)).unwrap();
        std::fs::write(inside(name).join("token"), fresh(name)).unwrap();
        symlink(name, inside("..data_tmp")).unwrap();
        std::fs::rename(inside("..data_tmp"), inside("..data")).unwrap();
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!(stage.endpoint.last_form(), v2_form(&fresh(name)));
        client.forget_tokens();
    }
}

#[tokio::test(start_paused = true)]
async fn c25_content_that_would_be_refused_is_an_error_with_path_and_mend_and_nothing_is_sent() {
    let stage = Stage::new();
    let client = stage.of_file();
    let stale = AssertionFault::Expired { expired_at: NumericDate(START - 600), seconds_ago: 600 };
    let large = fresh(&"x".repeat(64 * 1024));
    let cases: [(&str, Vec<u8>, AssertionFault, &str); 7] = [
        ("nothing", Vec::new(), AssertionFault::Empty, "is empty"),
        ("blanks", b" \r\n\t".to_vec(), AssertionFault::Empty, "is empty"),
        ("too much", large.into_bytes(), AssertionFault::TooLarge, "is larger than 64 KiB"),
        ("another file", b"sensitive: no token".to_vec(), AssertionFault::NotCompactJws, "is not a token"),
        ("an issuer's answer", b"{\"value\":\"sensitive\"}".to_vec(), AssertionFault::NotCompactJws, "is not a token"),
        ("no text", vec![0xff, 0xfe, b'e', 0], AssertionFault::NotCompactJws, "is not a token"),
        ("yesterday's", jws("sensitive", START - 600).into_bytes(), stale, "600 s ago by this machine's clock"),
    ];
    for (what, content, expected, text) in cases {
        stage.write(&content);
        let error = error_of(&client).await;
        let AcquireError::NoAssertion(cause) = &error else { panic!("{what}: {error:?}") };
        let AssertionError::File { path, fault } = &**cause else { panic!("{what}: {cause:?}") };
        assert_eq!((path, fault), (&stage.path(), &expected), "{what}");
        let told = whole_text(&error);
        assert!(told.contains(text) && told.contains(&stage.path().display().to_string()), "{what}: {told}");
        assert!(!told.contains("sensitive") && !told.contains("eyJ"), "{what}: {told}");
        assert!(error.remedy().is_some(), "{what}");
        assert_eq!(error.is_retryable(), fault == &stale, "{what}: the platform renews what is out of date");
    }
    assert_eq!(stage.endpoint.count(), 0);
    // Mended, it works at once; and the bound is the stated one.
    stage.write(format!("{}{}", fresh("a"), "\n".repeat(64 * 1024 - fresh("a").len())));
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c25_a_file_that_cannot_be_read_is_named_with_its_mend() {
    let stage = Stage::new();
    stage.write(fresh("a"));
    let below_a_file = stage.path().join("token");
    let missing = stage.folder.path().join("elsewhere");
    let folder = stage.folder.path().to_owned();
    for (path, kind) in [(below_a_file, Some("")), (folder, Some("it is no regular file")), (missing, None)] {
        let client = builder(&stage.endpoint, &stage.clock).federated_token_file(&path).build().unwrap();
        let error = error_of(&client).await;
        let AcquireError::NoAssertion(cause) = &error else { panic!("{error:?}") };
        match (&**cause, kind) {
            (AssertionError::FileUnreadable { path: named, cause }, Some(text)) => {
                assert_eq!(*named, path);
                assert!(cause.to_string().contains(text), "{cause}");
                assert_eq!(error.source().map(ToString::to_string), Some(cause.to_string()), "the cause is kept");
            }
            (AssertionError::FileMissing { path: named }, None) => assert_eq!(*named, path),
            other => panic!("{path:?}: {other:?}"),
        }
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(error.remedy().unwrap().contains("operator"), "{:?}", error.remedy());
        assert!(!error.is_retryable());
    }
    assert_eq!(stage.endpoint.count(), 0);
}

/// Finishes the file whenever randomness is wanted: for the pause before the second attempt.
#[derive(Debug)]
struct WritesMeanwhile(PathBuf, SeededRandomness);

impl Randomness for WritesMeanwhile {
    fn fill(&self, bytes: &mut [u8]) {
        std::fs::write(&self.0, fresh("whole")).unwrap();
        self.1.fill(bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_read_while_it_was_written_is_read_once_more() {
    for half in ["", "eyJhbGciOiJSUzI1NiJ9.eyJ"] {
        let stage = Stage::new();
        stage.write(half);
        let randomness = WritesMeanwhile(stage.path(), SeededRandomness::from_seed(1));
        let builder = builder(&stage.endpoint, &stage.clock).randomness(Arc::new(randomness));
        let client = builder.federated_token_file(stage.path()).build().unwrap();
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!((stage.endpoint.count(), stage.endpoint.last_form()), (1, v2_form(&fresh("whole"))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_has_an_assertion_of_its_own() {
    let stage = Stage::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let client = stage.of_provider(move |_: AssertionRequest| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        async move { Ok(fresh(&number.to_string()).into()) }
    });
    stage.endpoint.answers(|_| Err(TransportError::Connect("refused".into())));
    assert!(matches!(error_of(&client).await, AcquireError::Transport(_)));
    let forms: Vec<_> =
        stage.endpoint.requests().iter().map(|request| String::from_utf8(request.body().to_vec()).unwrap()).collect();
    assert_eq!(forms, [v2_form(&fresh("0")), v2_form(&fresh("1"))]);
}

#[derive(Debug, thiserror::Error)]
#[error("the vault is sealed")]
struct VaultSealed(#[source] std::io::Error);

#[tokio::test(start_paused = true)]
async fn a_callbacks_error_is_kept_with_its_causes() {
    let stage = Stage::new();
    let client = stage.of_provider(async |_: AssertionRequest| {
        Err::<SecretString, Cause>(VaultSealed(std::io::Error::other("no quorum")).into())
    });
    let error = error_of(&client).await;
    assert!(matches!(&error, AcquireError::NoAssertion(cause) if matches!(**cause, AssertionError::Provider(_))));
    assert_eq!(error.to_string(), "the assertion provider failed");
    let sealed = error.source().unwrap();
    assert!(sealed.is::<VaultSealed>(), "{sealed:?}");
    assert_eq!(sealed.source().unwrap().to_string(), "no quorum");
    assert_eq!(stage.endpoint.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_callbacks_assertion_is_checked_like_a_files() {
    let stage = Stage::new();
    let stale = AssertionFault::Expired { expired_at: NumericDate(START - 300), seconds_ago: 300 };
    for (text, expected) in [
        (String::new(), AssertionFault::Empty),
        ("a sensitive thing".to_owned(), AssertionFault::NotCompactJws),
        (fresh(&"x".repeat(64 * 1024)), AssertionFault::TooLarge),
        (jws("sensitive", START - 300), stale),
    ] {
        let client = stage.of_provider(move |_: AssertionRequest| {
            let assertion = SecretString::from(text.clone());
            async move { Ok(assertion) }
        });
        let error = error_of(&client).await;
        let AcquireError::NoAssertion(cause) = &error else { panic!("{error:?}") };
        assert!(matches!(&**cause, AssertionError::Unusable(fault) if *fault == expected), "{cause:?}");
        assert!(!whole_text(&error).contains("sensitive") && error.remedy().is_some(), "{}", whole_text(&error));
        assert!(!error.is_retryable());
    }
    assert_eq!(stage.endpoint.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_assertion_is_part_of_the_requests_time() {
    let stage = Stage::new();
    let began = tokio::time::Instant::now();
    let never = stage.of_provider(|_: AssertionRequest| std::future::pending());
    let error = error_of(&never).await;
    let AcquireError::NoAssertion(cause) = &error else { panic!("{error:?}") };
    assert!(matches!(**cause, AssertionError::Timeout { after } if after == Duration::from_secs(10)));
    assert!(error.is_retryable());
    assert_eq!((began.elapsed().as_secs(), stage.endpoint.count()), (10, 0), "once");

    let began = tokio::time::Instant::now();
    let slow = stage.of_provider(async |_: AssertionRequest| {
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok(fresh("a").into())
    });
    let _gate = stage.endpoint.hold();
    assert!(matches!(error_of(&slow).await, AcquireError::Transport(_)));
    assert_eq!((began.elapsed().as_secs(), stage.endpoint.count()), (10, 1), "what is left of it");
}

/// A callback that waits until it is let go, and counts how often it was asked.
fn held() -> (impl AssertionProvider, watch::Sender<bool>, Arc<AtomicUsize>) {
    let (gate, waiting) = watch::channel(false);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let provider = move |_: AssertionRequest| {
        let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
        let mut waiting = waiting.clone();
        async move {
            waiting.wait_for(|open| *open).await?;
            Ok(SecretString::from(fresh(&number.to_string())))
        }
    };
    (provider, gate, asked)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_callers_need_one_assertion_and_one_request() {
    let stage = Stage::new();
    let (provider, gate, asked) = held();
    let client = stage.of_provider(Arc::new(provider) as Arc<dyn AssertionProvider>);
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://orders")).await.is_ok() })
        })
        .collect();
    settle().await;
    assert_eq!((asked.load(Ordering::Relaxed), stage.endpoint.count()), (1, 0));
    gate.send_replace(true);
    assert!(join_all(callers).await.into_iter().all(Result::unwrap));
    assert_eq!((asked.load(Ordering::Relaxed), stage.endpoint.count()), (1, 1));

    stage.write(fresh("a"));
    let client = stage.of_file();
    let scopes = scopes("api://orders");
    assert!(join_all((0..1000).map(|_| client.acquire_token_for_client(&scopes))).await.iter().all(Result::is_ok));
    assert_eq!(stage.endpoint.count(), 2, "from a file, too");
}

#[tokio::test(start_paused = true)]
async fn c29_a_caller_who_gives_up_while_the_assertion_is_made_ends_nothing() {
    let stage = Stage::new();
    let (provider, gate, asked) = held();
    let client = stage.of_provider(provider);
    let spawn = || {
        let client = client.clone();
        tokio::spawn(async move { client.acquire_token_for_client(&scopes("api://orders")).await.unwrap() })
    };
    let (first, second) = (spawn(), spawn());
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.send_replace(true);
    assert_eq!(second.await.unwrap().secret(), "token-1");
    assert_eq!((asked.load(Ordering::Relaxed), stage.endpoint.count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn c28_a_callback_that_panics_is_isolated() {
    let stage = Stage::new();
    let panicked = AtomicUsize::new(0);
    let client = stage.of_provider(move |_: AssertionRequest| {
        if panicked.fetch_add(1, Ordering::Relaxed) < 2 {
            std::panic::resume_unwind(Box::new("a bug"));
        }
        async { Ok(fresh("a").into()) }
    });
    assert!(matches!(error_of(&client).await, AcquireError::Abandoned));
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_authoritys_refusals_of_federated_credentials_come_with_the_catalogues_mend() {
    let stage = Stage::new();
    stage.write(fresh("a"));
    let client = stage.of_file();
    for entry in [
        &AadSts::NO_MATCHING_FEDERATED_CREDENTIAL,
        &AadSts::FEDERATED_ISSUER_MISMATCH,
        &AadSts::FEDERATED_AUDIENCE_MISMATCH,
        &AadSts::FEDERATED_SUBJECT_MISMATCH,
        &AadSts::NO_FEDERATED_CREDENTIAL,
        &AadSts::ASSERTION_TIME_RANGE,
    ] {
        stage.endpoint.answers(|_| refused(401, "invalid_client", entry.code, "No matching record for 'a'."));
        let error = error_of(&client).await;
        assert!(matches!(error, AcquireError::Refused(_)), "{error:?}");
        assert_eq!(
            (error.code(), error.meaning(), error.remedy()),
            (Some(entry.code), Some(entry.text), Some(entry.who))
        );
        assert!(!error.is_retryable(), "{}", entry.code);
    }
}

#[test]
fn the_builder_reads_no_file_and_refuses_no_path() {
    let stage = Stage::new();
    assert!(!stage.path().exists());
    stage.of_file();
    let error = builder(&stage.endpoint, &stage.clock).federated_token_file("").build().unwrap_err();
    assert!(matches!(error, BuildError::EmptyPath), "{error:?}");
}
