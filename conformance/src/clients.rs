//! Running programs that somebody else wrote, from the environment that `cargo xtask environment` installs.
//!
//! A script of `clients/` gets one JSON object on standard input and answers in JSON lines; `clients/python/attempts.py`
//! tells their shape. It starts with an empty environment but for the trust in the authority's certificate, so that
//! nothing of the machine (a proxy, a bundle, a credential) can help or hinder it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::contoso::House;

/// What a test starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A script in `clients/python`.
    Python(&'static str),
    /// A script in `clients/node`.
    Node(&'static str),
    /// `clients/rust`, Microsoft's azure_identity.
    Rust,
    /// `clients/go`, one of the two libraries in it.
    Go(&'static str),
    /// `clients/java`, MSAL for Java.
    Java,
}

impl Program {
    /// Whether it can be run here. Go and a Java with Maven are not installed by `cargo xtask environment`, only used if
    /// they are there; what is skipped for want of them is said.
    #[must_use]
    pub fn is_here(self) -> bool {
        let (made, tool) = match self {
            Self::Go(_) => (".environment/go-clients", "Go"),
            Self::Java => (".environment/java", "Java or Maven"),
            _ => return true,
        };
        let here = crate_folder().join(made).exists();
        if !here {
            eprintln!("skipped: {tool} was not there when `cargo xtask environment` ran");
        }
        here
    }
}

/// What became of one attempt, as the library told it.
#[derive(Debug)]
pub struct Outcome {
    /// The attempt's name.
    pub name: String,
    /// The whole line.
    pub line: Value,
}

impl Outcome {
    /// The access token; anything else ends the test with what the library said.
    #[must_use]
    pub fn token(&self) -> &str {
        self.line["token"].as_str().unwrap_or_else(|| panic!("{}: no token but {:#}", self.name, self.line))
    }

    /// The AADSTS numbers that the library surfaces.
    #[must_use]
    pub fn codes(&self) -> Vec<u64> {
        self.numbers("codes")
    }

    /// The AADSTS numbers that are only in the causes of the exception.
    #[must_use]
    pub fn inner_codes(&self) -> Vec<u64> {
        self.numbers("inner_codes")
    }

    /// A member of the line, as text; empty when it is not there.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.line[member].as_str().unwrap_or_default()
    }

    fn numbers(&self, member: &str) -> Vec<u64> {
        self.line[member].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }
}

/// How long a client may take for all of its attempts; far more than it needs, so that a hang is a failure with a name.
const PATIENCE: Duration = Duration::from_secs(180);

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn installed(relative: &str) -> PathBuf {
    let path = crate_folder().join(relative);
    assert!(path.exists(), "{} is not there: run `cargo xtask environment` first", path.display());
    path
}

/// Runs the client with what `config` says beside `authority` and `ca`, and reads its lines.
pub async fn run(program: Program, house: &House, config: Value) -> Vec<Outcome> {
    run_in(program, house, config, &[]).await
}

/// The same, with more variables in its environment.
pub async fn run_in(program: Program, house: &House, config: Value, environment: &[(&str, String)]) -> Vec<Outcome> {
    let tools = crate_folder().join(".environment/python/bin");
    let mut command = match program {
        Program::Python(script) => {
            let mut command = Command::new(installed(".environment/python/bin/python"));
            command.arg(crate_folder().join("clients/python").join(script));
            command
        }
        Program::Node(script) => {
            installed("clients/node/node_modules");
            let mut command = Command::new(installed(".environment/python/bin/node"));
            command.arg(crate_folder().join("clients/node").join(script));
            command
        }
        Program::Rust => Command::new(installed(".environment/rust/debug/azure-identity-client")),
        Program::Go(library) => {
            let mut command = Command::new(installed(".environment/go-clients"));
            command.arg(library);
            command
        }
        Program::Java => {
            let mut command = Command::new("java");
            // A client's life is short: the quick compiler alone starts it in half the time.
            command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp"]);
            command.arg(installed(".environment/java").join("*"));
            command.arg(crate_folder().join("clients/java/Client.java"));
            command
        }
    };
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display()))
        .env("HOME", house.folder())
        .env("NODE_EXTRA_CA_CERTS", house.ca())
        .env("SSL_CERT_FILE", house.ca())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut input = json!({"authority": house.origin(), "ca": house.ca()});
    for (name, value) in config.as_object().unwrap() {
        input[name] = value.clone();
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{program:?} was not done after {PATIENCE:?}"))
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program:?} ended with {}\n{stdout}\n{stderr}", output.status);
    stdout
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}\n{stderr}"));
            Outcome { name: line["name"].as_str().unwrap_or_default().to_owned(), line }
        })
        .collect()
}

/// Runs the attempts; there is one outcome for each, in order.
pub async fn attempt(program: Program, house: &House, attempts: Vec<Value>) -> Vec<Outcome> {
    attempt_with(program, house, json!({"attempts": attempts}), &[]).await
}

/// The same for a whole input, which has `attempts` and what else the program wants.
pub async fn attempt_with(
    program: Program,
    house: &House,
    config: Value,
    environment: &[(&str, String)],
) -> Vec<Outcome> {
    let attempts = config["attempts"].as_array().unwrap();
    let names: Vec<String> = attempts.iter().map(|attempt| attempt["name"].as_str().unwrap().to_owned()).collect();
    let outcomes = run_in(program, house, config, environment).await;
    let answered: Vec<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(answered, names);
    outcomes
}
