//! `countersign inspect` and `countersign explain`: what needs neither network nor keys.

mod support;
#[path = "support/tokens.rs"]
mod tokens;

use serde_json::Value;
use support::{run, run_with_input};
use tokens::{NOW, claims, token};

#[test]
fn inspect_says_loudly_that_nothing_was_verified() {
    let token = token(&claims());
    for run in [
        run(&["inspect", &token]),
        run_with_input(&["inspect"], token.as_bytes()),
        run(&["inspect", &format!("Bearer {token}")]),
    ] {
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
        assert!(run.stdout.starts_with("NOT VERIFIED: "), "{}", run.stdout);
        assert!(run.stdout.contains("valid until 2026-01-01 01:00:00 UTC ("), "{}", run.stdout);
        assert!(run.stdout.contains("it proved itself with a client secret"), "{}", run.stdout);
        assert!(!run.stdout.contains('\u{1b}'), "colours in a pipe");
        // The signature is what makes a token usable; it is not shown.
        assert!(!run.stdout.contains(token.rsplit('.').next().unwrap_or_default()));
    }
}

#[test]
fn inspect_for_programs_has_verified_false() {
    let run = run_with_input(&["inspect", "--json"], token(&claims()).as_bytes());
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["verified"], false);
    assert_eq!(document["claims"]["exp"], NOW + 3600);
    assert_eq!(document["header"]["kid"], "key-1");
    assert_eq!(document["objections"], serde_json::json!([]));
}

#[test]
fn inspect_refuses_what_is_no_token() {
    for input in ["", "x", "a.b.c", "{}"] {
        let run = run_with_input(&["inspect"], input.as_bytes());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{input:?}");
        assert!(run.stderr.starts_with("error: this is no token\n  because: "), "{}", run.stderr);
        assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
    }
}

#[test]
fn explain_tells_what_and_who() {
    for code in ["AADSTS700016", "aadsts700016", "700016"] {
        let run = run(&["explain", code]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{code}");
        assert!(run.stdout.starts_with("AADSTS700016  unauthorized_client, HTTP 400\n"), "{}", run.stdout);
        assert!(
            run.stdout.contains("was not found in the directory") && run.stdout.contains("to do"),
            "{}",
            run.stdout
        );
    }
    let run = run(&["explain", "--json", "AADSTS7000215: Invalid client secret provided.", "audience_mismatch"]);
    let answers = run.json_lines();
    assert_eq!(answers[0]["code"], "AADSTS7000215");
    assert_eq!(answers[0]["meanings"][0]["error"], "invalid_client");
    assert_eq!(answers[1]["known"], true);
}

#[test]
fn explain_does_not_guess() {
    let unknown = run(&["explain", "AADSTS1"]);
    assert_eq!(unknown.status, 1);
    assert!(unknown.stdout.contains("not in this program's catalogue"), "{}", unknown.stdout);
    assert!(unknown.stderr.starts_with("hint: "), "{}", unknown.stderr);
    let unknown = run(&["explain", "--json", "AADSTS1"]);
    assert_eq!(unknown.json_lines()[0], serde_json::json!({"code": "AADSTS1", "known": false}));
}
