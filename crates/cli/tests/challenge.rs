//! `call` and claims challenges: answered once with a new token, and only once.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use countersign_authority::serve;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use support::town::{ALICE, DAEMON, SECRET, TOOL, Town};
use support::{Run, run_command, run_command_with_input};
use tokio::net::TcpListener;

/// `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`
const CHALLENGE: &str = "Bearer realm=\"\", error=\"insufficient_claims\", \
    claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ==\"";

/// An API that challenges the first `challenges` requests, and what it was sent.
struct Api {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Api {
    fn start(town: &Town, challenges: usize) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let handler = move |headers: HeaderMap, body: String| async move {
            let token = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
            let mut noted = noted.lock().unwrap();
            noted.push(format!("{token} {body}"));
            let challenged = noted.len() <= challenges;
            let status = if challenged { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
            let mut headers = HeaderMap::new();
            if challenged {
                headers.insert(WWW_AUTHENTICATE, CHALLENGE.parse().unwrap());
            }
            (status, headers, if challenged { "no" } else { "welcome" })
        };
        let tls = town.authority.server_tls(&["localhost"]).unwrap();
        let listener = town.runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let app = Router::new().fallback(any(handler));
        let limits = serve::ServeLimits::default();
        town.runtime.spawn(serve::https(listener, tls, app, limits, std::future::pending()));
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn call(town: &Town, api: &Api, more: &[&str]) -> Run {
    let mut command = town.command(DAEMON, &["call", &api.url, "--scope", "api://orders/.default"]);
    command.args(more).env("AZURE_CLIENT_SECRET", SECRET);
    run_command(&mut command)
}

#[test]
fn c23_a_claims_challenge_is_answered_with_another_token_and_the_same_body() {
    let town = Town::start();
    let api = Api::start(&town, 1);
    let run = call(&town, &api, &["-d", "tea", "--fail"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, "welcome"), "{run:?}");
    assert!(
        run.stderr.starts_with("401 with a claims challenge: acquiring") && run.stderr.ends_with("200 OK\n"),
        "{run:?}"
    );
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.starts_with("Bearer ") && request.ends_with(" tea")), "{seen:?}");
    assert_ne!(seen[0], seen[1], "the same token was sent again");
}

#[test]
fn c23_a_challenge_that_does_not_end_is_answered_once() {
    let town = Town::start();
    let api = Api::start(&town, usize::MAX);
    let run = call(&town, &api, &["--fail"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, "no"), "{run:?}");
    assert!(run.stderr.contains("hint: the API sent a claims challenge again"), "{run:?}");
    assert_eq!(api.seen().len(), 2);
}

#[test]
fn what_signed_in_a_user_answers_a_challenge_too() {
    let town = Town::start();
    let api = Api::start(&town, 1);
    let password = town.path("password.txt");
    let arguments =
        ["call", &api.url, "--username", ALICE, "--password-file", &password, "--scope", "api://middle/access_as_user"];
    let run = run_command(&mut town.command(TOOL, &arguments));
    assert_eq!((run.status, run.stdout.as_str()), (0, "welcome"), "{run:?}");
    assert_ne!(api.seen()[0], api.seen()[1]);
    // Without a challenge there is one request.
    let calm = Api::start(&town, 0);
    assert_eq!(call(&town, &calm, &[]).stdout, "welcome");
    assert_eq!(calm.seen().len(), 1);
}

#[test]
fn graph_lets_a_user_in_and_the_managed_identity_calls_like_everybody() {
    let town = Town::start();
    let password = town.path("password.txt");
    let me = format!("{}/v1.0/me", town.authority.host().origin());
    let scope = "https://graph.microsoft.com/User.Read";
    let arguments =
        ["call", &me, "--username", ALICE, "--password-file", &password, "--scope", scope, "--capability", "cp1"];
    let run = run_command(&mut town.command(TOOL, &arguments));
    assert!(run.status == 0 && run.stdout.contains("\"displayName\":\"Alice\""), "{run:?}");

    let api = Api::start(&town, 1);
    let mut command = support::countersign(&["call", &api.url, "--resource", "api://orders", "--managed-identity"]);
    command
        .env("COUNTERSIGN_CA", town.path("ca.pem"))
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", town.authority.managed_identities()[0].imds());
    let run = run_command(&mut command);
    assert_eq!((run.status, run.stdout.as_str()), (0, "welcome"), "{run:?}");
}

#[test]
fn a_body_and_a_secret_do_not_share_standard_input() {
    let town = Town::start();
    let api = Api::start(&town, 0);
    let arguments = ["call", &api.url, "-d", "@-", "--secret-file", "-", "--scope", "api://orders/.default"];
    let run = run_command_with_input(&mut town.command(DAEMON, &arguments), SECRET.as_bytes());
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(run.stderr.contains("two things are to be read from standard input"), "{run:?}");
    assert!(api.seen().is_empty());
}
