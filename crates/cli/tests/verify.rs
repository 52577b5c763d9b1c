//! `countersign verify` with keys and policy from files: single tokens, and streams that nothing may stop.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;
#[path = "support/tokens.rs"]
mod tokens;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Run, countersign, run, run_with_input};
use tokens::{Files, NOW, claims, token, token_with};

fn verify(files: &Files, more: &[&str], input: &[u8]) -> Run {
    let arguments = files.verify(more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run_with_input(&arguments, input)
}

/// The reasons of a stream, and that each line has its number.
fn reasons(run: &Run) -> Vec<String> {
    let lines = run.json_lines();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["line"], json!(index + 1), "{line}");
        assert_eq!(line["valid"], json!(line["reason"] == "ok"), "{line}");
    }
    lines.iter().map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_good_token_is_valid_and_its_caller_is_told() {
    let files = Files::new();
    let good = token(&claims());
    let run = verify(&files, &[], good.as_bytes());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.starts_with("valid: ") && run.stdout.contains("Resource.Read"), "{}", run.stdout);
    assert!(run.stdout.contains("until    2026-01-01 01:00:00 UTC"), "{}", run.stdout);

    let run = verify(&files, &["--json", &good], b"");
    let document = &run.json_lines()[0];
    assert_eq!(document["valid"], true);
    assert_eq!(document["client"], tokens::CLIENT);
    assert_eq!(document["tenant"], tokens::TENANT);
    assert_eq!(document["roles"], json!(["Resource.Read"]));
    assert_eq!(document["expires_at"], NOW + 3600);
    assert_eq!(document["key_id"], "key-1");
}

#[test]
fn a_refusal_names_the_rule_and_who_must_do_what() {
    let files = Files::new();
    let run = verify(&files, &[], token_with("roles", json!(["Other"])).as_bytes());
    assert_eq!(run.status, 1);
    assert!(run.stdout.starts_with("refused: role_missing\n"), "{}", run.stdout);
    assert!(run.stdout.contains("An administrator grants"), "{}", run.stdout);
    assert!(run.stdout.contains("answers 403"), "{}", run.stdout);

    let run = verify(&files, &["--json"], token_with("exp", Value::Null).as_bytes());
    let document = &run.json_lines()[0];
    assert_eq!(document["reason"], "claim_missing");
    assert_eq!(document["subject"], "exp");
    assert_eq!(document["status"], 401);
}

#[test]
fn a_stream_is_answered_line_by_line_in_order() {
    let files = Files::new();
    let good = token(&claims());
    let mut input = Vec::new();
    let mut expected = Vec::new();
    let mut line = |bytes: &[u8], reason: &'static str| {
        input.extend_from_slice(bytes);
        input.push(b'\n');
        expected.push(reason);
    };
    line(good.as_bytes(), "ok");
    line(format!("{good}\r").as_bytes(), "ok");
    line(json!({"token": good, "note": {"token": 1}}).to_string().as_bytes(), "ok");
    line(format!("  {}", json!({"token": good})).as_bytes(), "ok");
    line(b"", "line_empty");
    line(b"   ", "line_empty");
    line(b"\xff\xfe", "line_not_utf8");
    line(format!("{good}\0").as_bytes(), "base64");
    line(format!("{good} ").as_bytes(), "base64");
    line(b"garbage", "not_compact_jws");
    line(b"[]", "not_compact_jws");
    line(b"{\"token\":", "line_malformed");
    line(b"{\"token\":1}", "line_malformed");
    line(b"{\"tokens\":\"x\"}", "line_malformed");
    line(format!("{{\"token\":\"{good}\",\"token\":\"{good}\"}}").as_bytes(), "line_malformed");
    line(b"{\"token\":\"\"}", "not_compact_jws");
    line(&vec![b'x'; 20_000], "too_large");
    line(&vec![b'x'; 3_000_000], "too_large");
    line(token_with("aud", json!("api://other")).as_bytes(), "audience_mismatch");
    line(token_with("exp", json!(NOW - 3600)).as_bytes(), "expired");
    line(token_with("tid", json!("00000000-0000-4000-8000-000000000000")).as_bytes(), "tenant_not_allowed");
    line(format!("{}x", &good[..good.len() - 1]).as_bytes(), "signature_or_base64");
    // The last line has no line break.
    input.extend_from_slice(good.as_bytes());
    expected.push("ok");

    let run = verify(&files, &["--jsonl"], &input);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "all lines are answered");
    let mut reasons = reasons(&run);
    // The last character of a signature holds two or four bits: another one is either not canonical or a wrong signature.
    let changed = reasons.len() - 2;
    assert!(["base64", "signature_invalid"].contains(&reasons[changed].as_str()), "{}", reasons[changed]);
    "signature_or_base64".clone_into(&mut reasons[changed]);
    assert_eq!(reasons, expected);
}

#[test]
fn a_thousand_lines_keep_their_order() {
    let files = Files::new();
    let (good, expired) = (token(&claims()), token_with("exp", json!(NOW - 3600)));
    let mut input = String::new();
    let mut expected = Vec::new();
    for index in 0..1_000_u32 {
        // A pattern without a short period, so that exchanged chunks would show.
        let (line, reason) = match (index * index) % 7 {
            0 | 1 => (good.as_str(), "ok"),
            2 => (expired.as_str(), "expired"),
            _ => ("x.y", "not_compact_jws"),
        };
        input.push_str(line);
        input.push('\n');
        expected.push(reason);
    }
    let run = verify(&files, &["--jsonl"], input.as_bytes());
    assert_eq!(run.status, 0);
    assert_eq!(reasons(&run), expected);
}

#[test]
fn a_line_is_answered_before_the_next_one_is_written() {
    let files = Files::new();
    let arguments = files.verify(&["--jsonl"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = countersign(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        stdin.write_all(b"nonsense\n").unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert!(answer.contains("not_compact_jws"), "{answer}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let files = Files::new();
    let arguments = files.verify(&["--jsonl"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = countersign(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(b"x\n");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let files = Files::new();
    let (keys, policy) = (files.path("keys.json"), files.path("policy.json"));
    let (keys, policy) = (keys.to_str().unwrap(), policy.to_str().unwrap());
    let missing = files.path("missing.json");
    let missing = missing.to_str().unwrap();

    let failure = run(&["verify", "--jwks", missing, "--policy", policy, "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.starts_with(&format!("error: {missing} cannot be read\n")), "{}", failure.stderr);

    let failure = run(&["verify", "--jwks", policy, "--policy", policy, "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.contains(&format!("{policy} is not a JWK set")), "{}", failure.stderr);

    std::fs::write(policy, r#"{"tenants":[],"issuers":[],"audiences":[],"audience":"x"}"#).unwrap();
    let failure = run(&["verify", "--jwks", keys, "--policy", policy, "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.contains(&format!("{policy} is not a policy")), "{}", failure.stderr);
    assert!(failure.stderr.contains("unknown field `audience`"), "{}", failure.stderr);

    std::fs::write(policy, r#"{"tenants":[],"issuers":["http://x/"],"audiences":[]}"#).unwrap();
    let failure = run(&["verify", "--jwks", keys, "--policy", policy, "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.contains("names no tenant") && failure.stderr.contains("hint: "), "{}", failure.stderr);
}

#[test]
fn without_keys_or_rules_nothing_is_decided() {
    let failure = run(&["verify", "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.starts_with("error: where the keys come from is missing\nhint: "), "{}", failure.stderr);
    let failure = run(&["verify", "--tenant", tokens::TENANT, "x"]);
    assert_eq!(failure.status, 2);
    assert!(failure.stderr.starts_with("error: --audience is missing\n"), "{}", failure.stderr);
    assert_eq!(run(&["verify", "--jwks", "keys.json", "x"]).status, 2, "keys without a policy");
}

/// Every member of the policy that is about the caller, by a file and a token that lacks it.
#[test]
fn the_whole_shape_of_a_policy_is_kept() {
    let files = Files::new();
    let policy = |members: Value| {
        let mut policy: Value = serde_json::from_slice(&std::fs::read(files.path("policy.json")).unwrap()).unwrap();
        policy.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        std::fs::write(files.path("policy.json"), policy.to_string()).unwrap();
    };
    let good = token(&claims());
    let reason = |token: &str| verify(&files, &["--json", token], b"").json_lines()[0]["reason"].clone();
    let original = std::fs::read(files.path("policy.json")).unwrap();
    let user = {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("roles");
        claims["scp"] = json!("access_as_user");
        claims["idtyp"] = json!("user");
        claims
    };
    let users = json!({"scopes": ["access_as_user"]});
    let cases = [
        (json!({"all_app_roles": ["Resource.Read", "Resource.Write"]}), token(&claims()), "role_missing"),
        (json!({"clients": ["00000000-0000-4000-8000-000000000000"]}), good.clone(), "client_not_allowed"),
        (json!({"client_authentication": ["certificate"]}), good.clone(), "client_authentication_not_allowed"),
        (json!({"kinds": ["user"]}), good.clone(), "kind_not_allowed"),
        (json!({"all_scopes": ["access_as_user", "more"]}), token(&user), "scope_missing"),
        (json!({"groups": ["44444444-4444-4444-8444-444444444444"]}), token(&user), "group_missing"),
        (json!({"acrs": ["c1"]}), token(&user), "authentication_context_missing"),
        (
            json!({"guests": "refuse"}),
            token(&{
                let mut guest = user.clone();
                guest["acct"] = json!(1);
                guest
            }),
            "guest_not_allowed",
        ),
        (json!({}), token(&user), "ok"),
    ];
    for (members, token, expected) in cases {
        std::fs::write(files.path("policy.json"), &original).unwrap();
        policy(users.clone());
        policy(members.clone());
        assert_eq!(reason(&token), expected, "{members}");
    }
}

#[test]
fn a_named_permission_is_asked_for_as_a_route_asks() {
    let files = Files::new();
    let mut policy: Value = serde_json::from_slice(&std::fs::read(files.path("policy.json")).unwrap()).unwrap();
    policy["permissions"] =
        json!({"write": {"app_roles": ["Resource.Write"]}, "read": {"app_roles": ["Resource.Read"]}});
    std::fs::write(files.path("policy.json"), policy.to_string()).unwrap();
    let good = token(&claims());
    let refused = verify(&files, &["--json", "--permission", "write", &good], b"");
    assert_eq!((refused.status, &refused.json_lines()[0]["reason"]), (1, &json!("role_missing")));
    assert_eq!(verify(&files, &["--json", "--permission", "read", &good], b"").status, 0);
    let writer = token_with("roles", json!(["Resource.Write"]));
    assert_eq!(verify(&files, &["--json", "--permission", "write", &writer], b"").status, 0, "on top of who may call");
    let unknown = verify(&files, &["--permission", "delete", &good], b"");
    assert_eq!((unknown.status, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("hint: --permission names a member"), "{}", unknown.stderr);
}

/// With an authority the same rules are flags.
#[test]
fn flags_are_the_policys_members() {
    use support::town::{DAEMON, MIDDLE, TENANT, TOOL, Town, document};
    let town = Town::start();
    let scope = ["--scope", "api://middle/access_as_user"];
    let got = document(&support::run_command(&mut town.alices(&scope)));
    let token = got["access_token"].as_str().unwrap();
    let reason = |more: &[&str]| {
        let mut command = town.command(TOOL, &["verify", "--json", "--tenant", TENANT, "--audience", MIDDLE]);
        let run = support::run_command(command.args(more).arg(token));
        (run.status, run.json_lines()[0]["reason"].as_str().unwrap().to_owned())
    };
    let with = |more: &[&'static str]| reason(&[&["--scope", "access_as_user"], more].concat());
    let refused = |reason: &str| (1, reason.to_owned());
    assert_eq!(with(&[]), (0, "ok".to_owned()));
    assert_eq!(with(&["--client", TOOL, "--client-authentication", "none", "--no-guests"]), (0, "ok".to_owned()));
    assert_eq!(with(&["--client", DAEMON]), refused("client_not_allowed"));
    assert_eq!(with(&["--client-authentication", "secret"]), refused("client_authentication_not_allowed"));
    assert_eq!(with(&["--all-scope", "more"]), refused("scope_missing"));
    assert_eq!(with(&["--group", DAEMON]), refused("group_missing"));
    assert_eq!(with(&["--acr", "c1"]), refused("authentication_context_missing"));
    assert_eq!(reason(&["--all-role", "Orders.All"]), refused("scope_missing"));
}
