//! `countersign authority` as a process, and `token` against it: ready file, exit statuses, and secrets that stay secret.
#![expect(clippy::unwrap_used, reason = "tests")]

#[cfg(unix)]
#[path = "../../directory/tests/postgres_server/mod.rs"]
mod postgres_server;
mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Run, Running, countersign, run, run_command, write_private};
use tempfile::TempDir;

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "0f1e2d3c-4b5a-4968-8776-655443322110";
const SECRET: &str = "Zm9yLXRoaXMtdGVzdC1hbG9uZQ~correct.horse";

fn directory() -> String {
    format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.com]
  applications:
  - appId: {API}
    displayName: Orders
    identifierUris: ["api://orders"]
    api: {{requestedAccessTokenVersion: 2}}
    appRoles: [{{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Orders.Read, displayName: Read, allowedMemberTypes: [Application], isEnabled: true}}]
  - appId: {CLIENT}
    displayName: Daemon
    passwordCredentials: [{{displayName: test, secretText: "{SECRET}"}}]
  appRoleAssignments: [{{client: Daemon, resource: Orders, role: Orders.Read}}]
"#
    )
}

/// An authority of its own for each test, on a free port, with its files in one folder.
struct Stage {
    folder: TempDir,
    authority: Running,
    ready: Value,
}

impl Stage {
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("contoso.yaml"), directory()).unwrap();
        write_private(&folder.path().join("secret.txt"), &format!("{SECRET}\n"));
        write_private(&folder.path().join("wrong.txt"), "not-the-right-one-0123456789");
        // A stale file must not be taken for this run's.
        std::fs::write(path("ready.json"), "{}").unwrap();
        let (file, ready) = (path("contoso.yaml"), path("ready.json"));
        let mut arguments = vec!["authority", "--listen", "127.0.0.1:0", "--directory", &file, "--ready-file", &ready];
        arguments.extend(more);
        let authority = Running::until(&mut countersign(&arguments), "ready;");
        let ready = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        Self { folder, authority, ready }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// A command that knows authority, CA, tenant and client from its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = countersign(arguments);
        command
            .env("AZURE_AUTHORITY_HOST", self.text("authority"))
            .env("COUNTERSIGN_CA", self.text("ca"))
            .env("AZURE_TENANT_ID", "contoso.com")
            .env("AZURE_CLIENT_ID", CLIENT);
        command
    }

    fn token(&self, secret_file: &str, more: &[&str]) -> Run {
        let secret = self.path(secret_file).display().to_string();
        let mut arguments = vec!["token", "--secret-file", &secret];
        arguments.extend(more);
        run_command(&mut self.command(&arguments))
    }
}

#[test]
fn the_ready_file_says_where_everything_is_and_goes_when_the_authority_goes() {
    let mut stage = Stage::start(&["--ephemeral"]);
    let origin = stage.text("authority").to_owned();
    assert!(origin.starts_with("https://localhost:"), "{origin}");
    assert_eq!(stage.ready["graph"], format!("{origin}/v1.0"));
    assert_eq!(stage.ready["portal"], format!("{origin}/portal"));
    assert_eq!(stage.ready["pid"], stage.authority.0.id());
    assert!(std::fs::read_to_string(stage.text("ca")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(std::fs::metadata(stage.text("admin")).unwrap().is_file());
    assert_eq!(stage.authority.terminate(), Some(0));
    assert!(!stage.path("ready.json").exists());
}

#[test]
fn a_token_is_printed_in_three_ways() {
    let stage = Stage::start(&["--ephemeral"]);
    let scope = ["--scope", "api://orders/.default"];
    let bare = stage.token("secret.txt", &scope);
    assert_eq!((bare.status, bare.stderr.as_str()), (0, ""), "{bare:?}");
    assert_eq!((bare.stdout.lines().count(), bare.stdout.trim().split('.').count()), (1, 3));
    let header = stage.token("secret.txt", &[&scope[..], &["--header"]].concat());
    assert!(header.stdout.starts_with("Authorization: Bearer eyJ"), "{header:?}");
    let json = stage.token("secret.txt", &["--json", "--resource", "api://orders"]);
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["token_type"], "Bearer");
    assert!(document["expires_on"].as_i64() > document["refresh_on"].as_i64());

    // What was acquired is valid by the authority's own keys.
    let arguments = ["verify", "--json", "--tenant", TENANT, "--audience", API, "--role", "Orders.Read"];
    let verified = run_command(stage.command(&arguments).arg(bare.stdout.trim()));
    assert_eq!((verified.status, verified.stderr.as_str()), (0, ""), "{verified:?}");
    let verdict = &verified.json_lines()[0];
    assert_eq!((&verdict["valid"], &verdict["client"]), (&Value::from(true), &Value::from(CLIENT)));
}

#[test]
fn a_secret_from_the_environment_is_as_good() {
    let stage = Stage::start(&["--ephemeral"]);
    let mut command = stage.command(&["token", "--scope", "api://orders/.default"]);
    assert_eq!(run_command(command.env("AZURE_CLIENT_SECRET", SECRET)).status, 0);
}

#[test]
fn a_refusal_is_status_1_with_code_and_remedy() {
    let stage = Stage::start(&["--ephemeral"]);
    let refused = stage.token("wrong.txt", &["--scope", "api://orders/.default"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.starts_with("error: the authority refused"), "{}", refused.stderr);
    assert!(refused.stderr.contains("AADSTS7000215") && refused.stderr.contains("\nhint: "), "{}", refused.stderr);
    let refused = stage.token("secret.txt", &["--scope", "api://nothing/.default"]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("AADSTS500011"), "{}", refused.stderr);
}

#[test]
fn no_secret_is_ever_printed() {
    let stage = Stage::start(&["--ephemeral"]);
    let wrong = "not-the-right-one-0123456789";
    let attempts = [
        stage.command(&["token", "--scope", "api://orders/.default", "--client-secret", SECRET]),
        stage.command(&["token", "--scope", "api://orders/.default", "--secret", SECRET]),
        stage.command(&["token", "--scope", "nonsense"]),
        stage.command(&["token", "--scope", "api://nothing/.default"]),
        stage.command(&["token", "--scope", "api://orders/.default", "--authority", "https://localhost:1"]),
        stage.command(&["call", "https://localhost:1/", "--scope", "api://orders/.default"]),
    ];
    for mut command in attempts {
        for secret in [SECRET, wrong] {
            command.env("AZURE_CLIENT_SECRET", secret).env("COUNTERSIGN_LOG", "trace");
            let run = run_command(&mut command);
            assert_ne!(run.status, 0, "{run:?}");
            for secret in [SECRET, wrong] {
                assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
            }
        }
    }
    let refused = run_command(&mut stage.command(&["token", "--scope", "a", "--client-secret", SECRET]));
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("process") && refused.stderr.contains("--secret-file"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_reached_is_status_3() {
    let stage = Stage::start(&["--ephemeral"]);
    // Nobody listens on a port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("https://localhost:{port}");
    let failure = stage.token("secret.txt", &["--scope", "api://orders/.default", "--authority", &nowhere]);
    assert_eq!((failure.status, failure.stdout.as_str()), (3, ""));
    assert!(failure.stderr.contains("is anybody listening there?"), "{}", failure.stderr);
    let arguments =
        ["verify", "--authority", &nowhere, "--tenant", TENANT, "--audience", API, "--role", "Orders.Read", "x"];
    let failure = run_command(&mut stage.command(&arguments));
    assert_eq!((failure.status, failure.stdout.as_str()), (3, ""));
    assert!(failure.stderr.contains("is anybody listening there?"), "{}", failure.stderr);

    // Without the CA the certificate is a stranger's.
    let secret = stage.path("secret.txt").display().to_string();
    let mut command = stage.command(&["token", "--scope", "api://orders/.default", "--secret-file", &secret]);
    let failure = run_command(command.env_remove("COUNTERSIGN_CA"));
    assert_eq!(failure.status, 3);
    assert!(failure.stderr.contains("--ca FILE"), "{}", failure.stderr);
}

#[test]
fn a_secret_that_others_may_read_is_warned_about() {
    let stage = Stage::start(&["--ephemeral"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = stage.path("secret.txt");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let run = stage.token("secret.txt", &["--scope", "api://orders/.default"]);
        assert_eq!(run.status, 0);
        assert!(run.stderr.starts_with("warning: ") && run.stderr.contains("chmod 600 "), "{}", run.stderr);
    }
}

#[test]
fn data_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let mut first = Stage::start(&["--data", &data]);
    let key_of = |stage: &Stage| {
        let token = stage.token("secret.txt", &["--scope", "api://orders/.default"]);
        assert_eq!(token.status, 0, "{token:?}");
        let inspected = run(&["inspect", "--json", token.stdout.trim()]);
        serde_json::from_str::<Value>(&inspected.stdout).unwrap()["header"]["kid"].take()
    };
    let before = key_of(&first);
    assert_eq!(first.authority.terminate(), Some(0));
    let second = Stage::start(&["--data", &data]);
    assert_eq!(before, key_of(&second), "the signing key is another one after a restart");
}

#[test]
fn a_directory_file_that_is_not_sound_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contoso.yaml");
    std::fs::write(&file, directory().replace("role: Orders.Read", "role: Orders.Rede")).unwrap();
    let file = file.display().to_string();
    let failure = run(&["authority", "--ephemeral", "--listen", "127.0.0.1:0", "--directory", &file]);
    assert_eq!((failure.status, failure.stdout.as_str()), (2, ""));
    assert!(
        failure.stderr.contains(&file) && failure.stderr.contains("did you mean `Orders.Read`?"),
        "{}",
        failure.stderr
    );
}

#[test]
fn a_port_in_use_is_status_4() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failure = run(&["authority", "--ephemeral", "--listen", &address]);
    assert_eq!(failure.status, 4);
    assert!(failure.stderr.contains("--listen 127.0.0.1:0"), "{}", failure.stderr);
}

const DATABASE_PASSWORD: &str = "pw-for-this-test-alone";

/// Whatever is wrong with a database's address, no password is shown, and one on the command line is warned about.
#[test]
fn a_database_that_cannot_be_used_is_said_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let file = folder.path().join("url.txt");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("postgres://u:{DATABASE_PASSWORD}@127.0.0.1:{port}/d");
    write_private(&file, &format!("{nobody}\n"));
    let file = file.display().to_string();
    let listen = ["authority", "--listen", "127.0.0.1:0"];
    let with = |more: &[&str]| countersign(&[&listen[..], more].concat());
    let from_environment = |url: &str, more: &[&str]| {
        let mut command = with(more);
        command.env("COUNTERSIGN_DATABASE_URL", url).env("COUNTERSIGN_LOG", "trace");
        command
    };
    let wrong = format!("mysql://u:{DATABASE_PASSWORD}@h/d");
    let parameter = format!("postgres://h/d?pasword={DATABASE_PASSWORD}");
    let cases = [
        (with(&["--database", &nobody]), 2, "--data DIR"),
        (with(&["--database", &nobody, "--data", &data]), 4, "warning: the database's password is on the command line"),
        (with(&["--database", &nobody, "--ephemeral"]), 2, "--ephemeral"),
        (with(&["--database-file", &file, "--data", &data]), 4, "is the database running"),
        (from_environment(&nobody, &["--data", &data]), 4, "is the database running"),
        (from_environment(&wrong, &["--data", &data]), 2, "it begins with postgres://"),
        (from_environment(&parameter, &["--data", &data]), 2, "a parameter is not known"),
    ];
    for (mut command, status, said) in cases {
        let failure = run_command(&mut command);
        assert_eq!((failure.status, failure.stdout.as_str()), (status, ""), "{failure:?}");
        assert!(failure.stderr.contains(said), "{said}: {}", failure.stderr);
        assert!(!failure.stderr.contains(DATABASE_PASSWORD), "{}", failure.stderr);
    }
    let failure = run_command(&mut with(&["--database-file", &file, "--data", &data]));
    assert!(!failure.stderr.contains("warning"), "{}", failure.stderr);
}

/// What is in PostgreSQL outlives the process, and the data directory has no database of its own.
#[cfg(unix)]
#[test]
fn a_directory_in_postgresql_outlives_the_process() {
    use secrecy::ExposeSecret;
    let server = postgres_server::Server::start();
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url.txt");
    write_private(&url, server.url(&server.database()).expose_secret());
    let (url, data) = (url.display().to_string(), folder.path().join("data").display().to_string());
    let arguments = ["--database-file", &url, "--data", &data];
    let mut first = Stage::start(&arguments);
    assert_eq!(first.token("secret.txt", &["--scope", "api://orders/.default"]).status, 0);
    assert_eq!(first.authority.terminate(), Some(0));
    assert!(!folder.path().join("data/countersign.db").exists());
    let second = Stage::start(&arguments);
    assert_eq!(second.token("secret.txt", &["--scope", "api://orders/.default"]).status, 0);
}

#[test]
fn entras_own_names_lead_here_through_the_proxy_and_no_others() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let stage = Stage::start(&["--stand-in", "login.microsoftonline.com", "--stand-in", "graph.microsoft.com"]);
    let proxy = stage.text("proxy").strip_prefix("http://").unwrap().to_owned();
    let connect = |target: &str| {
        let mut stream = TcpStream::connect(&proxy).unwrap();
        write!(stream, "CONNECT {target}:443 HTTP/1.1\r\nHost: {target}:443\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(connect("login.microsoftonline.com"), "HTTP/1.1 200");
    assert_eq!(connect("graph.microsoft.com"), "HTTP/1.1 200");
    assert_eq!(connect("example.com"), "HTTP/1.1 403");
    let elsewhere = run(&["authority", "--stand-in", "example.com"]);
    assert_eq!(elsewhere.status, 2);
    assert!(elsewhere.stderr.contains("not a host that can be stood in for"), "{}", elsewhere.stderr);
    // For loopback only.
    let everywhere =
        run(&["authority", "--listen", "0.0.0.0:0", "--ephemeral", "--stand-in", "login.microsoftonline.com"]);
    assert_ne!(everywhere.status, 0);
    assert!(everywhere.stderr.contains("not on loopback"), "{}", everywhere.stderr);
}
