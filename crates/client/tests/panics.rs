//! C01: what a panic tells, and what it does not. A program of its own, since the panic hook is the process's.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use countersign_client::{AcquireError, AssertionRequest, Cause, UserAssertion};
use secrecy::SecretString;
use serde_json::json;
use support::{Endpoint, SECRET, START, builder, clock, jws, scopes};

#[tokio::test(start_paused = true)]
async fn c01_a_panic_with_secrets_in_scope_tells_none_of_them() {
    let told = Arc::new(Mutex::new(String::new()));
    let hook = Arc::clone(&told);
    std::panic::set_hook(Box::new(move |info| hook.lock().unwrap().push_str(&format!("{info}\n"))));

    // A provider that panics with everything it has at hand.
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let assertion = jws(&json!({"exp": START + 600}));
    let held = SecretString::from(assertion.clone());
    let client = builder(&endpoint, &clock).assertion(move |request: AssertionRequest| {
        let held = held.clone();
        async move {
            if request.client_id.to_string().is_empty() {
                return Ok::<_, Cause>(held);
            }
            panic!("a bug, with {held:?} and {request:?}")
        }
    });
    let client = client.build().unwrap();
    let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Abandoned), "{error:?}");
    // A transport that panics over a request, whose body is the secret; and everything of ours that has a `Debug`.
    let client = builder(&endpoint, &clock).secret(SECRET.to_owned()).build().unwrap();
    let user = UserAssertion::new(assertion.clone()).unwrap();
    endpoint.answers(|request| panic!("a bug at {} with {:?}", request.uri(), request.headers()));
    let error = client.acquire_token_on_behalf_of(&user, &scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Abandoned), "{error:?}");
    let _ = std::panic::take_hook();

    let told = told.lock().unwrap();
    assert_eq!(told.matches("a bug").count(), 4, "each twice, the second time for who waited: {told}");
    for secret in [assertion.as_str(), "c2lnbmF0dXJl", SECRET, "s3cret"] {
        assert!(!told.contains(secret), "{told}");
    }
}
