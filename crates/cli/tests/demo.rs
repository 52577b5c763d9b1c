//! `countersign demo`: the whole story, played by the real binary. That a wrong outcome fails is a unit test beside
//! `demo/step.rs`.

mod support;

use std::io::{BufRead, BufReader};

use serde_json::Value;
use support::{Running, countersign, run, run_command};

const STEPS: usize = 23;

#[test]
fn the_story_is_told_and_ends_in_a_table() {
    let run = run(&["demo"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let (story, table) = run.stdout.split_once(" #  step").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), STEPS);
    for (index, row) in rows.iter().enumerate() {
        assert!(row.trim_start().starts_with(&(index + 1).to_string()) && row.ends_with("  ok"), "{row}");
    }
    assert!(table.contains("All 23 steps came out as they should"), "{table}");
    for shown in [
        "/oauth2/v2.0/token",
        "/oauth2/token",
        "api://demo-resource/.default",
        "WWW-Authenticate",
        "error=\"insufficient_scope\"",
        "AADSTS7000215",
        "audience: the API this token is for",
        "x5t#S256",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "Permissions requested",
        "refresh_token",
        "error=\"insufficient_claims\"",
        "AADSTS50173",
    ] {
        assert!(story.contains(shown), "{shown} is not shown");
    }
    assert!(!run.stdout.contains('\u{1b}'), "colours in a pipe");
}

#[test]
fn programs_get_one_line_a_step_and_no_secret() {
    let run = run(&["demo", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let lines = run.json_lines();
    assert_eq!(lines.len(), STEPS + 1);
    for (index, line) in lines[..STEPS].iter().enumerate() {
        assert_eq!((&line["step"], &line["ok"]), (&Value::from(index + 1), &Value::from(true)), "{line}");
        assert_eq!(line["got"], line["expected"]);
    }
    assert_eq!((&lines[STEPS]["ok"], &lines[STEPS]["failed"]), (&Value::from(true), &Value::Array(vec![])));
    // Every token begins alike and is cut; no whole one, and no assertion, is in the output.
    for word in run.stdout.split(|character: char| !character.is_ascii_graphic() || "\",\\".contains(character)) {
        // The claims of a challenge are base64 too, and no secret: no dots.
        assert!(!(word.starts_with("eyJ") && word.len() > 20 && word.contains('.')), "{word}");
    }
    let sent = |name: &str| -> Vec<&str> {
        lines
            .iter()
            .flat_map(|line| line["exchanges"].as_array().into_iter().flatten())
            .flat_map(|exchange| exchange["sent"].as_array().unwrap())
            .filter(|field| field["name"] == name)
            .map(|field| field["value"].as_str().unwrap())
            .collect()
    };
    let secrets = sent("client_secret");
    assert!(!secrets.is_empty() && secrets.iter().all(|value| *value == "(40 characters, not shown)"), "{secrets:?}");
    for name in ["passwd", "flow", "code", "code_verifier", "refresh_token"] {
        let values = sent(name);
        assert!(
            !values.is_empty() && values.iter().all(|value| value.ends_with(" characters, not shown)")),
            "{values:?}"
        );
    }
    // What a person meets, by the names that programs hold on to.
    let names: Vec<&str> = lines[..STEPS].iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(
        names[14..],
        [
            "person",
            "sign_in",
            "token_handed_on",
            "on_behalf_of",
            "no_person",
            "silent_renewal",
            "sessions_revoked",
            "claims_challenge",
            "other_company",
        ]
    );
}

#[test]
fn plain_is_ascii() {
    let run = run(&["demo", "--plain"]);
    assert_eq!(run.status, 0);
    assert!(run.stdout.is_ascii());
}

#[test]
fn what_is_kept_works_until_it_is_told_to_stop() {
    let mut command = countersign(&["demo", "--keep", "--json"]);
    let mut running = Running(command.spawn().unwrap());
    let stdout = BufReader::new(running.0.stdout.take().unwrap());
    let kept = stdout.lines().map(Result::unwrap).find(|line| line.contains("\"kept\"")).unwrap();
    let kept: Value = serde_json::from_str::<Value>(&kept).unwrap()["kept"].take();
    let text = |name: &str| kept[name].as_str().unwrap().to_owned();
    let with_environment = |arguments: &[&str]| {
        let mut command = countersign(arguments);
        command
            .env("AZURE_AUTHORITY_HOST", text("authority"))
            .env("AZURE_TENANT_ID", text("tenant"))
            .env("AZURE_CLIENT_ID", text("client_id"))
            .env("COUNTERSIGN_CA", text("ca"));
        run_command(&mut command)
    };
    let (api, scope) = (text("api"), text("scope"));

    let call = with_environment(&["call", &api, "--scope", &scope, "--secret-file", &text("secret_file")]);
    assert_eq!(call.status, 0, "{call:?}");
    assert!(call.stdout.contains("\"orders\"") && call.stderr == "200 OK\n", "{call:?}");

    let refused = with_environment(&[
        "call",
        &api,
        "--fail",
        "-d",
        "{}",
        "--scope",
        &scope,
        "--certificate",
        &text("certificate"),
    ]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""), "{refused:?}");
    assert!(refused.stderr.starts_with("403 Forbidden\nWWW-Authenticate: Bearer "), "{refused:?}");
    assert!(refused.stderr.contains("\nhint: "), "{refused:?}");

    let token =
        with_environment(&["token", "--resource", "api://demo-resource", "--certificate", &text("certificate")]);
    assert_eq!((token.status, token.stdout.matches('.').count(), token.stdout.lines().count()), (0, 2, 1));

    // Alice, by her password and through the web app that she has consented to.
    let (my_orders, password, secret) = (text("middle_api"), text("password_file"), text("web_secret_file"));
    let (user, web, user_scope) = (text("user"), text("web_client_id"), text("middle_scope"));
    let called = with_environment(&[
        "call",
        &my_orders,
        "--username",
        &user,
        "--password-file",
        &password,
        "--client-id",
        &web,
        "--secret-file",
        &secret,
        "--scope",
        &user_scope,
    ]);
    assert!(called.status == 0 && called.stdout.contains("\"user\":\"Alice\""), "{called:?}");

    let elsewhere = text("ca");
    assert_eq!(running.terminate(), Some(0));
    assert!(!std::path::Path::new(&elsewhere).exists(), "the demo leaves files behind");
}
