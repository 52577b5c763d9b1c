//! `token` for a person: by password, by device code, on behalf of; at both endpoints, with claims and capabilities.
#![expect(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "the demo's own, of which a device code needs a part")]
#[path = "../src/demo/browser.rs"]
mod browser;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::Arc;

use browser::Browser;
use countersign_discovery::HttpsTransport;
use serde_json::Value;
use support::town::{ALICE, DAEMON, MIDDLE, PASSWORD, SECRET, TENANT, TOOL, Town, assert_refused, claims, document};
use support::{run_command, run_command_with_input};

const FOR_THE_MIDDLE: [&str; 2] = ["--scope", "api://middle/access_as_user"];

/// Alice's token for the API in the middle.
fn users_token(town: &Town) -> String {
    document(&run_command(&mut town.alices(&FOR_THE_MIDDLE)))["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn by_password_with_scopes_account_and_correlation_id() {
    let town = Town::start();
    let got =
        document(&run_command(&mut town.alices(&["--scope", "api://middle/access_as_user", "--scope", "openid"])));
    let token_claims = claims(got["access_token"].as_str().unwrap());
    assert_eq!((&token_claims["scp"], &token_claims["aud"]), (&"access_as_user".into(), &MIDDLE.into()));
    assert!(got["scopes"].as_array().unwrap().contains(&"api://middle/access_as_user".into()), "{got}");
    assert_eq!((&got["account"]["username"], &got["account"]["tenant_id"]), (&ALICE.into(), &TENANT.into()));
    assert_eq!(got["correlation_id"].as_str().unwrap().len(), 36);
    assert!(got["expires_on"].as_i64() > got["refresh_on"].as_i64());
    let members: Vec<&String> = got.as_object().unwrap().keys().collect();
    assert!(!members.iter().any(|name| name.contains("refresh_token") || name.contains("id_token")), "{members:?}");
    // v1.0 names a resource.
    let got = document(&run_command(&mut town.alices(&["--resource", "api://middle"])));
    assert_eq!(claims(got["access_token"].as_str().unwrap())["scp"], "access_as_user");
}

#[test]
fn a_wrong_password_is_refused_and_shown_nowhere() {
    let town = Town::start();
    let wrong = town.write("wrong.txt", "guess-me-not");
    let arguments = ["token", "--username", ALICE, "--password-file", &wrong, "--scope", "User.Read"];
    let run = run_command(town.command(TOOL, &arguments).env("COUNTERSIGN_LOG", "trace"));
    assert_refused(&run, 1, &["AADSTS50126", "hint: ", "correlation id "]);
    assert!(!run.stderr.contains("guess-me-not"), "{run:?}");
    let run = run_command(&mut town.command(TOOL, &["token", "--username", ALICE, "--scope", "User.Read"]));
    assert_refused(&run, 2, &["--password-file <FILE>"]);
    let run = run_command(&mut town.command(TOOL, &["token", "--password", PASSWORD, "--scope", "User.Read"]));
    assert_refused(&run, 2, &["a secret does not belong on the command line", "--password-file"]);
}

#[test]
fn a_secret_in_the_environment_is_not_sent_for_a_public_client() {
    let town = Town::start();
    document(&run_command(town.alices(&FOR_THE_MIDDLE).env("AZURE_CLIENT_SECRET", SECRET)));
    // By a flag it is, and refused: the one above was not sent.
    let run = run_command(town.alices(&FOR_THE_MIDDLE).args(["--secret-file", &town.path("secret.txt")]));
    assert_refused(&run, 1, &["invalid_client", "AADSTS700025"]);
}

#[test]
fn on_behalf_of_a_user_from_a_file_and_from_standard_input() {
    let town = Town::start();
    let (user, secret) = (users_token(&town), town.path("secret.txt"));
    let file = town.write("user.jwt", &format!("{user}\n"));
    let exchange = |file: &str, more: &[&str]| {
        let arguments = ["token", "--json", "--on-behalf-of", file, "--secret-file", &secret];
        town.command(MIDDLE, &[&arguments[..], more].concat())
    };
    let scope = ["--scope", "api://orders/Orders.Read"];
    let got = document(&run_command(&mut exchange(&file, &scope)));
    let (before, after) = (claims(&user), claims(got["access_token"].as_str().unwrap()));
    assert_eq!((&after["scp"], &after["azp"]), (&"Orders.Read".into(), &MIDDLE.into()));
    assert_eq!(before["oid"], after["oid"], "the same person");
    document(&run_command_with_input(&mut exchange("-", &scope), user.as_bytes()));
    let v1 = document(&run_command(&mut exchange(&file, &["--resource", "api://orders"])));
    assert_eq!(claims(v1["access_token"].as_str().unwrap())["scp"], "Orders.Read");

    // What is no user's token for this application.
    let nonsense = town.write("nonsense.txt", "Bearer not-a-token");
    let run = run_command(&mut exchange(&nonsense, &scope));
    assert_refused(
        &run,
        2,
        &["nonsense.txt is not the access token that a user called with", "because: is not a token"],
    );
    let daemons = town.command(DAEMON, &["token", "--secret-file", &secret, "--scope", "api://middle/.default"]);
    let own = town.write("own.jwt", &run_command(&mut { daemons }).stdout);
    assert_refused(&run_command(&mut exchange(&own, &scope)), 1, &["AADSTS", "hint: "]);
    // Two things from one standard input.
    let arguments = ["token", "--on-behalf-of", "-", "--secret-file", "-", "--scope", "api://orders/Orders.Read"];
    let run = run_command_with_input(&mut town.command(MIDDLE, &arguments), user.as_bytes());
    assert_refused(&run, 2, &["two things are to be read from standard input"]);
}

#[test]
fn claims_and_capabilities_are_asked_for() {
    let town = Town::start();
    let graph = ["--scope", "https://graph.microsoft.com/User.Read"];
    let plain = document(&run_command(&mut town.alices(&graph)));
    let capable = document(&run_command(town.alices(&graph).args(["--capability", "cp1"])));
    let asked = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;
    let by_claims = document(&run_command(town.alices(&graph).args(["--claims", asked])));
    let capability = |got: &Value| claims(got["access_token"].as_str().unwrap())["xms_cc"].clone();
    assert_eq!(capability(&plain), Value::Null);
    assert_eq!(capability(&capable), serde_json::json!(["cp1"]));
    assert_eq!(capability(&by_claims), serde_json::json!(["cp1"]));
    let lives = |got: &Value| got["expires_on"].as_i64().unwrap() - got["refresh_on"].as_i64().unwrap();
    assert!(lives(&capable) > 6 * 3600, "{capable}");
    let run = run_command(town.alices(&graph).args(["--claims", "[1]"]));
    assert_refused(&run, 2, &["the claims request is no JSON object"]);
    let run = run_command(town.alices(&graph).args(["--capability", "cp2"]));
    assert_refused(&run, 2, &["[possible values: cp1]"]);
}

/// A command that waits for its user, what it said, and the code in it.
fn waiting(town: &Town) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let arguments = ["token", "--json", "--device-code", "--scope", "api://middle/access_as_user"];
    let mut child = town.command(TOOL, &arguments).stdin(Stdio::null()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut message = String::new();
    stderr.read_line(&mut message).unwrap();
    assert!(message.contains("/devicelogin"), "{message}");
    let code = message
        .split_whitespace()
        .find(|word| word.len() == 9 && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
    let code = code.unwrap_or_else(|| panic!("{message}")).to_owned();
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("waiting until ") && line.contains("Ctrl-C"), "{line}");
    (child, stderr, code)
}

/// Enters the code as Alice and decides.
fn enter(town: &Town, code: &str, decision: &str) -> String {
    let transport =
        HttpsTransport::builder().only_roots_pem(town.authority.ca_pem().as_bytes()).unwrap().build().unwrap();
    let origin = town.authority.host().origin();
    let mut browser = Browser::new(Arc::new(transport), origin);
    town.runtime.block_on(async {
        let page = browser.open(&format!("{origin}/devicelogin")).await.unwrap();
        let page = browser.press(&page, &[("code", code), ("next", "yes")]).await.unwrap();
        let page = browser.press(&page, &[("passwd", PASSWORD), ("login", ALICE), ("signin", "yes")]).await.unwrap();
        let page = if page.asks_for("kmsi") { browser.press(&page, &[("kmsi", "no")]).await.unwrap() } else { page };
        let page = browser.press(&page, &[("decision", decision)]).await.unwrap();
        page.heading().to_owned()
    })
}

#[test]
fn by_device_code_a_person_says_yes_at_one_screen_and_no_at_another() {
    let town = Town::start();
    let (yes, _, code_of_yes) = waiting(&town);
    let (mut no, mut stderr, code_of_no) = waiting(&town);
    assert_eq!(enter(&town, &code_of_yes, "accept"), "Signed in");
    assert_eq!(enter(&town, &code_of_no, "decline"), "Not signed in");

    let output = yes.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let got: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(claims(got["access_token"].as_str().unwrap())["scp"], "access_as_user");
    assert_eq!(got["account"]["username"], ALICE);

    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(no.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("authorization_declined"), "{said}");
}
