//! The examples as their readers run them: every program a process of its own, against an authority in this one.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use countersign_authority::Authority;
use countersign_directory::DirectoryFile;
use tempfile::TempDir;

const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const FABRIKAM: &str = "0b1f5f0a-7b5d-4b43-9d0e-5f3b1f2a9c11";
const DAEMON: &str = "22222222-2222-4222-8222-222222222222";
const DAEMON_SECRET: &str = "kQ8~Q.example_Secret-0123456789abcdefghi";
const MIDDLE: &str = "33333333-3333-4333-8333-333333333333";
const MIDDLE_SECRET: &str = "kQ8~Q.example_Middle-0123456789abcdefghi";
const TOOL: &str = "44444444-4444-4444-8444-444444444444";
const ORDERS: &str = "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";

/// The authority, and the example's files with its address in the place of the one they come with.
struct Story {
    authority: Authority,
    folder: TempDir,
}

/// A program that ends with the test.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Story {
    async fn begin() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(here.join("directory.yaml")).unwrap();
        let parsed = DirectoryFile::parse("directory.yaml", &text).unwrap();
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        let authority = Authority::builder().directory(parsed.file).start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.ca_pem()).unwrap();
        for entry in std::fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.replace("https://localhost:8443", authority.host().origin());
                let text = ["5001", "5002", "5003", "5004"].iter().fold(text, |text, port| text.replace(port, "0"));
                std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
            }
        }
        Self { authority, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str], (tenant, client, secret): (&str, &str, &str)) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        command
            .env("AZURE_AUTHORITY_HOST", self.authority.host().origin())
            .env("AUTHORITY_CA_FILE", self.file("ca.pem"));
        command.env("AZURE_TENANT_ID", tenant).env("AZURE_CLIENT_ID", client);
        if !secret.is_empty() {
            command.env("AZURE_CLIENT_SECRET", secret);
        }
        command
    }

    /// Starts a server and waits until it says where it listens.
    async fn start(&self, program: &str, arguments: &[&str], who: (&str, &str, &str)) -> Running {
        let mut child = self.command(program, arguments, who).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = tokio::task::spawn_blocking(move || {
            lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap()
        });
        Running { child, url: url.await.unwrap() }
    }

    /// What a program prints; it must end well.
    async fn output(&self, program: &str, arguments: &[&str], who: (&str, &str, &str)) -> String {
        let mut command = self.command(program, arguments, who);
        command.env("AZURE_USERNAME", "alice@contoso.com").env("AZURE_PASSWORD", "correct horse battery staple");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

const NOBODY: (&str, &str, &str) = (CONTOSO, DAEMON, "");

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_reads_orders_and_writes_none() {
    let story = Story::begin().await;
    let settings = story.file("orders-api.json");
    let api = story.start(env!("CARGO_BIN_EXE_orders_api"), &[path(&settings)], NOBODY).await;
    let orders = format!("{}/orders", api.url);
    let said = story.output(env!("CARGO_BIN_EXE_daemon"), &[ORDERS, &orders], (CONTOSO, DAEMON, DAEMON_SECRET)).await;
    assert!(said.contains(&format!("GET {orders}: 200 tea and ink, says the API to App {DAEMON}")), "{said}");
    assert!(said.contains(&format!("POST {orders}: 403")) && said.contains("insufficient_scope"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_middle_tier_calls_on_behalf_of_its_caller() {
    let story = Story::begin().await;
    let settings = story.file("orders-api.json");
    let api = story.start(env!("CARGO_BIN_EXE_orders_api"), &[path(&settings)], NOBODY).await;
    let (orders, scope) = (format!("{}/orders", api.url), format!("{ORDERS}/Orders.Read"));
    let settings = story.file("middle-tier.json");
    let arguments = [path(&settings), scope.as_str(), orders.as_str()];
    let middle = story.start(env!("CARGO_BIN_EXE_middle_tier"), &arguments, (CONTOSO, MIDDLE, MIDDLE_SECRET)).await;
    let (summary, scope) = (format!("{}/summary", middle.url), format!("api://{MIDDLE}/access_as_user"));
    let said = story.output(env!("CARGO_BIN_EXE_sign_in_and_call"), &[&scope, &summary], (CONTOSO, TOOL, "")).await;
    let expected = format!(
        "200 on behalf of 11111111-1111-4111-8111-111111111111: 200 tea and ink, says the API to User {MIDDLE}"
    );
    assert!(said.contains(&expected), "{said}");
    // An application's own token has nobody on whose behalf anything could be done; this one is for another API besides.
    let said = story.output(env!("CARGO_BIN_EXE_daemon"), &[ORDERS, &summary], (CONTOSO, DAEMON, DAEMON_SECRET)).await;
    assert!(said.contains(&format!("GET {summary}: 401")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_tenant_gets_in_and_another_does_not() {
    let story = Story::begin().await;
    let settings = story.file("multi-tenant-api.json");
    let api = story.start(env!("CARGO_BIN_EXE_multi_tenant_api"), &[path(&settings)], NOBODY).await;
    let data = format!("{}/data", api.url);
    for (tenant, expected) in [(FABRIKAM, format!("200 the data of tenant {FABRIKAM}")), (CONTOSO, "401".to_owned())] {
        let said = story.output(env!("CARGO_BIN_EXE_daemon"), &[ORDERS, &data], (tenant, DAEMON, DAEMON_SECRET)).await;
        assert!(said.contains(&format!("GET {data}: {expected}")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grpc_service_answers_callers_with_a_token() {
    let story = Story::begin().await;
    let settings = story.file("grpc-service.json");
    let service = story.start(env!("CARGO_BIN_EXE_grpc_service"), &[path(&settings)], NOBODY).await;
    let arguments = [ORDERS, service.url.as_str()];
    let said = story.output(env!("CARGO_BIN_EXE_grpc_client"), &arguments, (CONTOSO, DAEMON, DAEMON_SECRET)).await;
    assert!(said.contains(&format!("with a token: tea and ink, says the service to {DAEMON}")), "{said}");
    assert!(said.contains("without a token: Unauthenticated"), "{said}");
}
