//! What every refusal has in common.

use countersign_conformance::contoso::{SECRET, WRONG_SECRET};
use countersign_conformance::wire::Answer;

/// That this is Entra's error, whole: status, code, body, headers, one line without escapes, nothing secret.
pub(crate) fn assert_refusal(what: &str, answer: &Answer, status: u16, code: u64) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{what}: {text}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let body = answer.json();
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    for member in members {
        let known =
            ["error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"];
        assert!(known.contains(&member), "{what}: {member}");
    }
    assert_eq!(body["error_codes"], serde_json::json!([code]), "{what}: {text}");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("AADSTS{code}: ")), "{what}: {description}");
    let labels = [" Trace ID: ", " Correlation ID: ", " Timestamp: "].map(|label| description.find(label).unwrap());
    assert!(labels.is_sorted(), "{what}: {description}");
    assert_eq!(body["trace_id"].as_str(), answer.header("x-ms-request-id"), "{what}");
    // Microsoft's Rust client borrows the description out of the body: an escape in it loses the code.
    assert!(!text.contains('\\'), "{what}: an escape in {text}");
    for secret in [SECRET, WRONG_SECRET] {
        assert!(!text.contains(secret), "{what}: the answer tells a secret");
    }
    assert!(answer.header("access-control-allow-credentials").is_none(), "{what}");
    assert!(answer.header("set-cookie").is_none(), "{what}");
}
