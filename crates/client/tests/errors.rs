//! What a caller learns when there is no token, and what it never learns.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error;

use countersign_client::{AcquireError, ConfidentialClient};
use countersign_discovery::TransportError;
use serde_json::json;
use support::{Endpoint, SECRET, answer, builder, client, clock, ok, refused, scopes};

/// Everything an error can say.
fn whole_text(error: &AcquireError) -> String {
    let mut text = format!("{error:?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(cause) = next {
        text.push('\n');
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

async fn error_of(client: &ConfidentialClient) -> AcquireError {
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_carries_code_meaning_remedy_and_ids() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.answers(|_| refused(400, "unauthorized_client", 700_016, "Application was not found in the directory."));
    let error = error_of(&client(&endpoint, &clock)).await;
    let AcquireError::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status(), refusal.error(), refusal.code()), (400, "unauthorized_client", Some(700_016)));
    assert_eq!(refusal.message(), Some("Application was not found in the directory."));
    assert_eq!((error.code(), error.trace_id(), error.correlation_id()), (Some(700_016), Some("t-1"), Some("c-1")));
    assert!(error.meaning().is_some() && error.remedy().is_some());
    assert!(!error.is_retryable());
    assert_eq!(
        error.to_string(),
        "the authority refused to issue a token: unauthorized_client, AADSTS700016: \
         Application was not found in the directory."
    );
    assert!(error.source().is_none(), "the refusal is told once");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_by_itself_is_retryable() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    type Fault = fn() -> support::Outcome;
    let cases: Vec<(&str, Fault, bool)> = vec![
        ("server error", || answer(502, "<html>"), true),
        ("unreadable 429", || answer(429, ""), true),
        ("timeout", || Err(TransportError::Timeout { after: std::time::Duration::from_secs(1) }), true),
        ("wrong certificate", || Err(TransportError::Tls("name".into())), false),
        ("unknown code", || refused(400, "invalid_request", 999_999_999, "New."), false),
        ("unknown code, temporary", || refused(400, "temporarily_unavailable", 999_999_999, "New."), true),
        ("a 404 page", || answer(404, "not here"), false),
    ];
    for (what, fault, retryable) in cases {
        endpoint.answers(move |_| fault());
        let error = error_of(&client).await;
        assert_eq!(error.is_retryable(), retryable, "{what}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_ids_of_secrets_are_recognised_when_they_are_sent_as_secrets() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.answers(|_| refused(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    let with = |secret: &str| builder(&endpoint, &clock).secret(secret.to_owned()).build().unwrap();
    let error = error_of(&with("0f0f2d4a-0d2e-4c8a-9d43-a5d8f9b05c11")).await;
    assert!(error.remedy().unwrap().contains("this looks like the secret's ID"), "{:?}", error.remedy());
    let error = error_of(&with(SECRET)).await;
    assert!(!error.remedy().unwrap().contains("looks like"), "{:?}", error.remedy());
    // Another refusal has another cause, whatever the secret looks like.
    endpoint.answers(|_| refused(400, "invalid_request", 900_144, "The request body must contain: 'x'."));
    let error = error_of(&with("0f0f2d4a-0d2e-4c8a-9d43-a5d8f9b05c11")).await;
    assert!(!error.remedy().is_some_and(|remedy| remedy.contains("looks like")));
}

#[tokio::test(start_paused = true)]
async fn c02_a_redirect_is_an_error_and_goes_nowhere() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    for status in [301, 302, 303, 307, 308] {
        let before = endpoint.count();
        endpoint.answers(move |_| {
            let response = http::Response::builder().status(status).header("location", "https://evil.test/token");
            Ok(response.body("".into()).unwrap())
        });
        let error = error_of(&client).await;
        let AcquireError::Transport(cause) = &error else { panic!("{error:?}") };
        assert!(matches!(***cause, TransportError::Redirect { status: s } if s == status));
        assert!(!error.is_retryable());
        assert_eq!(endpoint.count(), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn c12_odd_token_responses_are_errors_or_safe() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let bodies = [
        json!({"token_type": "Bearer", "expires_in": 3599}),
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": ""}),
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": null}),
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "sensitive-token\r\nX-Evil: 1"}),
        json!({"token_type": "Bearer", "access_token": "sensitive-token"}),
        json!({"token_type": "Bearer", "expires_in": 0, "access_token": "sensitive-token"}),
        json!({"token_type": "Bearer", "expires_in": -1, "access_token": "sensitive-token"}),
        json!({"token_type": "Bearer", "expires_in": 1e300, "access_token": "sensitive-token"}),
        json!({"token_type": "Bearer", "expires_in": "soon", "access_token": "sensitive-token"}),
        json!({"token_type": "pop", "expires_in": 3599, "access_token": "sensitive-token"}),
        json!({"expires_in": 3599, "access_token": "sensitive-token"}),
        json!(["sensitive-token"]),
    ];
    for body in bodies {
        let body_text = body.to_string();
        endpoint.answers(move |_| ok(&body));
        let error = error_of(&client).await;
        let AcquireError::Unusable(unusable) = &error else { panic!("{body_text}: {error:?}") };
        assert_eq!((unusable.status(), unusable.excerpt()), (200, ""), "{body_text}");
        assert!(!whole_text(&error).contains("sensitive"), "{body_text}: {}", whole_text(&error));
        assert!(!error.is_retryable());
    }
    // Strings for numbers (v1.0) and a life of months are taken, the latter cut to 28 hours.
    endpoint.answers(|_| ok(&json!({"token_type": "bearer", "expires_in": "7776000", "access_token": "t"})));
    let token = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(token.expires_on().as_unix_seconds(), support::START + 28 * 3600);
}

#[tokio::test(start_paused = true)]
async fn c01_a_token_that_comes_with_another_status_is_not_shown() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "sensitive-token"}).to_string();
    let refresh = json!({"refresh_token": "sensitive-token"}).to_string();
    let cut = body[..body.len() - 2].to_owned();
    for (status, body) in
        [(201, &body), (203, &body), (206, &cut), (400, &body), (500, &body), (502, &cut), (403, &refresh)]
    {
        let said = body.clone();
        endpoint.answers(move |_| answer(status, said.clone()));
        let error = error_of(&client).await;
        let AcquireError::Unusable(unusable) = &error else { panic!("{status}: {error:?}") };
        assert_eq!((unusable.status(), unusable.excerpt()), (status, ""), "{body}");
        assert!(!whole_text(&error).contains("sensitive"), "{status} {body}: {}", whole_text(&error));
    }
    endpoint.answers(|_| answer(502, "<html>Bad gateway"));
    let AcquireError::Unusable(unusable) = error_of(&client).await else { panic!() };
    assert_eq!(unusable.excerpt(), "<html>Bad gateway", "what holds no token is shown");
}

#[tokio::test(start_paused = true)]
async fn c13_a_compressed_answer_is_not_asked_for_and_not_taken() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    // The beginning of what gzip makes of a token's answer.
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56, 0x4a, 0x4c, 0x4e, 0x4e, 0x2d, 0x2e, 0x8e, 0x2f];
    endpoint.answers(move |_| {
        let response = http::Response::builder().status(200).header("content-encoding", "gzip");
        Ok(response.body(gzip.to_vec().into()).unwrap())
    });
    let error = error_of(&client).await;
    assert!(matches!(&error, AcquireError::Unusable(answer) if answer.excerpt().is_empty()), "{error:?}");
    assert!(endpoint.requests()[0].headers().get("accept-encoding").is_none());
}

#[tokio::test(start_paused = true)]
async fn every_error_of_a_request_names_the_id_that_was_sent() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let throttled = || Ok(http::Response::builder().status(429).header("retry-after", "1").body("".into()).unwrap());
    type Fault = fn() -> support::Outcome;
    let cases: [(&str, Fault); 6] = [
        ("no connection", || Err(TransportError::Connect("refused".into()))),
        ("redirect", || answer(302, "")),
        ("page", || answer(502, "<html>")),
        ("dead token", || ok(&json!({"token_type": "Bearer", "expires_in": 0, "access_token": "t"}))),
        ("refusal without ids", || answer(400, r#"{"error":"invalid_request"}"#)),
        ("too large", || answer(200, vec![b' '; 256 * 1024 + 1])),
    ];
    for (what, fault) in cases.into_iter().chain([("throttled", throttled as Fault)]) {
        endpoint.answers(move |_| fault());
        let error = error_of(&client).await;
        let sent = endpoint.requests().last().unwrap().headers()["client-request-id"].clone();
        assert_eq!(error.correlation_id(), sent.to_str().ok(), "{what}: {error:?}");
        let id = uuid::Uuid::from_u128(7);
        let options = countersign_client::RequestOptions::new().correlation_id(id);
        let error = client.acquire_token_for_client_with(&scopes("api://orders"), &options).await.unwrap_err();
        let id = id.to_string();
        // While the wait lasts, it is the id of the request that was told to wait.
        let expected = if what == "throttled" { sent.to_str().unwrap() } else { &id };
        assert_eq!(error.correlation_id(), Some(expected), "{what}: {error:?}");
    }
    // An open circuit names the last request that failed.
    clock.advance(std::time::Duration::from_secs(2));
    endpoint.goes_down();
    for _ in 0..5 {
        error_of(&client).await;
    }
    let last = endpoint.requests().last().unwrap().headers()["client-request-id"].clone();
    let error = error_of(&client).await;
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.correlation_id(), last.to_str().ok());
}

#[tokio::test(start_paused = true)]
async fn c13_an_oversized_or_endless_answer_is_cut_off() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| answer(200, vec![b' '; 256 * 1024 + 1]));
    let AcquireError::Transport(cause) = error_of(&client).await else { panic!() };
    assert!(matches!(**cause, TransportError::TooLarge { limit: 262_144 }));

    endpoint.issues();
    let _gate = endpoint.hold();
    let begun = tokio::time::Instant::now();
    let AcquireError::Transport(cause) = error_of(&client).await else { panic!() };
    assert!(matches!(**cause, TransportError::Timeout { .. }));
    assert_eq!(begun.elapsed().as_secs(), 10, "the default limit, once");
}

#[tokio::test(start_paused = true)]
async fn c14_foreign_text_is_escaped_and_cut() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|_| answer(403, format!("<html>\r\n\u{1b}[31mBlocked\u{202e}\0{}", "x".repeat(100_000))));
    let error = error_of(&client).await;
    let AcquireError::Unusable(unusable) = &error else { panic!("{error:?}") };
    assert!(unusable.excerpt().starts_with("<html> \\u{1b}[31mBlocked\\u{202e}\\u{0}xxx"), "{}", unusable.excerpt());
    let text = whole_text(&error);
    assert!(text.len() < 3000 && !text.contains('\u{1b}') && !text.contains('\r'), "{text}");

    endpoint.answers(|_| refused(400, "invalid\u{1b}_grant", 50_000, "a\r\nSet-Cookie: b\u{7}"));
    let error = error_of(&client).await;
    assert!(!error.to_string().contains(['\r', '\n', '\u{1b}', '\u{7}']), "{error}");
}

#[tokio::test(start_paused = true)]
async fn c15_a_credential_that_comes_back_is_not_shown() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    endpoint.answers(|request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        refused(401, "invalid_client", 7_000_215, &format!("Secret '{SECRET}' of {form} is wrong."))
    });
    let text = whole_text(&error_of(&client).await);
    assert!(text.contains("[redacted]") && !text.contains("s3cret.value"), "{text}");
    endpoint.answers(|request| answer(400, request.body().clone()));
    let text = whole_text(&error_of(&client).await);
    assert!(text.contains("[redacted]") && !text.contains("s3cret.value"), "{text}");
}
