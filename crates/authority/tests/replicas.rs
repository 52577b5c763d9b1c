//! Several authorities on one PostgreSQL.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../directory/tests/postgres_server/mod.rs"]
mod postgres_server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_authority::{Authority, AuthorityBuilder, StartError, Storage};
use countersign_directory::DirectoryFile;
use countersign_discovery::{HttpsTransport, Limits, Transport};
use countersign_protocol::AuthorityHost;
use countersign_token::{FakeClock, KeySet, Policy, Timestamp, verify};
use postgres_server::{Server, shared};
use secrecy::SecretString;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
const SECRET: &str = "only-for-this-test-0123456789";
/// Where clients would reach all replicas, through a load balancer.
const ORIGIN: &str = "https://login.contoso.internal";

fn directory() -> DirectoryFile {
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.com]
  applications:
  - appId: {API}
    displayName: Orders
    api: {{requestedAccessTokenVersion: 2}}
    appRoles: [{{id: f8d39977-e31e-460b-b92c-9cef51d14f97, value: Orders.Read, allowedMemberTypes: [Application], displayName: r, isEnabled: true}}]
  - {{appId: {CLIENT}, displayName: Daemon, passwordCredentials: [{{displayName: t, secretText: "{SECRET}"}}]}}
  appRoleAssignments: [{{client: Daemon, resource: Orders, role: Orders.Read}}]
"#
    );
    DirectoryFile::parse("test.yaml", &text).unwrap().file
}

fn builder(url: &SecretString, data: &Path) -> AuthorityBuilder {
    Authority::builder()
        .clock(Arc::new(FakeClock::at(NOW)))
        .origin(AuthorityHost::parse(ORIGIN).unwrap())
        .storage(Storage::Postgres { url: url.clone(), data: data.to_owned() })
}

/// A data directory with this root key.
fn data(folder: &tempfile::TempDir, name: &str, root_key: [u8; 32]) -> PathBuf {
    let data = folder.path().join(name);
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("root.key"), root_key).unwrap();
    data
}

/// A client of one replica.
struct Replica {
    authority: Authority,
    transport: HttpsTransport,
}

impl Replica {
    async fn start(builder: AuthorityBuilder) -> Self {
        let authority = builder.start().await.unwrap();
        let transport =
            HttpsTransport::builder().only_roots_pem(authority.ca_pem().as_bytes()).unwrap().build().unwrap();
        Self { authority, transport }
    }

    async fn send(&self, request: http::request::Builder, body: String) -> (u16, Value) {
        let limits = Limits { timeout: Duration::from_secs(30), max_body_bytes: 1 << 20 };
        let response = self.transport.send(request.body(Bytes::from(body)).unwrap(), limits).await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.authority.address().port())
    }

    async fn ask(&self) -> (u16, Value) {
        let form =
            format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
        let request = http::Request::post(self.url(&format!("{TENANT}/oauth2/v2.0/token")))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request, form).await
    }

    async fn token(&self) -> String {
        let (status, body) = self.ask().await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn keys(&self) -> KeySet {
        let (status, body) = self.send(http::Request::get(self.url("common/discovery/v2.0/keys")), String::new()).await;
        assert_eq!(status, 200, "{body}");
        KeySet::parse(body.to_string().as_bytes()).unwrap()
    }
}

/// The `kid` of the key under which a token passes an API's whole check.
fn verified(token: &str, keys: &KeySet) -> String {
    let policy = json!({
        "tenants": [TENANT], "issuers": [format!("{ORIGIN}/{{tenantid}}/v2.0")], "audiences": [API],
        "versions": ["2.0"], "algorithms": ["RS256"], "clock_skew_seconds": 60,
        "kinds": ["app"], "app_roles": ["Orders.Read"], "scopes": [], "clients": [CLIENT],
    });
    let validator = serde_json::from_value::<Policy>(policy).unwrap().compile().unwrap();
    verify(token, keys, &validator, NOW).unwrap().key_id().to_owned()
}

/// Until `done`; nobody tells a test what another replica has learnt. Far longer than it takes.
async fn until<T>(mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(value) = done().await {
                return value;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replicas_tokens_pass_with_anothers_keys_and_a_rollover_reaches_all() {
    let folder = tempfile::tempdir().unwrap();
    let url = shared().url(&shared().database());
    let first = Replica::start(builder(&url, &folder.path().join("first")).directory(directory())).await;
    // What the operator does before the second is started: one root key, one CA.
    let second = folder.path().join("second");
    std::fs::create_dir(&second).unwrap();
    for name in ["root.key", "ca.key.sealed", "ca.pem"] {
        std::fs::copy(folder.path().join("first").join(name), second.join(name)).unwrap();
    }
    let second = Replica::start(builder(&url, &second)).await;
    assert_eq!(first.authority.ca_pem(), second.authority.ca_pem());
    assert!(!folder.path().join("first/countersign.db").exists());

    let before = verified(&first.token().await, &second.keys().await);
    assert_eq!(verified(&second.token().await, &first.keys().await), before);

    // Rolled on one, signed with on both, and still verified with what was published on both before.
    let rolled = until(async || first.authority.roll_signing_key().await.ok().filter(|key| *key != before)).await;
    assert_eq!(verified(&first.token().await, &second.keys().await), rolled);
    until(async || Some(verified(&second.token().await, &first.keys().await)).filter(|key| *key == rolled)).await;
    assert!(second.keys().await.find(&before).is_some(), "tokens under the old key are still out there");
    first.authority.shutdown().await;
    second.authority.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_agree_on_tenants_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let database = shared().database();
    let url = shared().url(&database);
    let mut starting = tokio::task::JoinSet::new();
    for number in 0..3 {
        let data = data(&folder, &number.to_string(), [7; 32]);
        starting.spawn(Replica::start(builder(&url, &data).directory(directory())));
    }
    let replicas = starting.join_all().await;
    let mut signing = Vec::new();
    for replica in &replicas {
        for publisher in &replicas {
            signing.push(verified(&replica.token().await, &publisher.keys().await));
        }
    }
    signing.dedup();
    assert_eq!(signing.len(), 1, "{signing:?}");
    assert_eq!(shared().run(&database, "SELECT count(*) FROM tenants"), "1");
    assert_eq!(shared().run(&database, "SELECT count(*) FROM signing_keys WHERE generation = 1"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_need_a_tenants_first_key_at_once_make_one() {
    const LATER: &str = "0a1b2c3d-0000-4000-8000-00000000fab0";
    let folder = tempfile::tempdir().unwrap();
    let database = shared().database();
    let url = shared().url(&database);
    let more = format!("tenants: [{{tenantId: {LATER}, displayName: Fabrikam, ownSigningKeys: true}}]");
    let more = DirectoryFile::parse("more.yaml", &more).unwrap().file;
    let mut replicas = Vec::new();
    for number in 0..3 {
        let data = data(&folder, &number.to_string(), [7; 32]);
        replicas.push(Replica::start(builder(&url, &data).directory(directory()).directory(more.clone())).await);
    }
    let mut asking = tokio::task::JoinSet::new();
    for replica in replicas {
        asking.spawn(async move {
            let request = http::Request::get(replica.url(&format!("{LATER}/discovery/v2.0/keys")));
            let (status, body) = replica.send(request, String::new()).await;
            assert_eq!(status, 200, "{body}");
            body["keys"][0]["kid"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
        });
    }
    let mut first = asking.join_all().await;
    first.dedup();
    assert_eq!(first.len(), 1, "{first:?}");
    let of_it = format!("SELECT count(*) FROM signing_keys WHERE generation = 1 AND owner LIKE '%{LATER}%'");
    assert_eq!(shared().run(&database, &of_it), "1");
}

#[tokio::test]
async fn another_root_key_is_refused_before_anything_is_written_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = shared().database();
    let url = shared().url(&database);
    let first = Replica::start(builder(&url, &data(&folder, "first", [1; 32])).directory(directory())).await;
    first.authority.shutdown().await;
    let written =
        || shared().run(&database, "SELECT (SELECT count(*) FROM applications), (SELECT count(*) FROM client_secrets)");
    let before = written();
    for second in [data(&folder, "second", [2; 32]), folder.path().join("third")] {
        let error = builder(&url, &second).directory(directory()).start().await.unwrap_err();
        assert!(matches!(&error, StartError::Damaged { path, .. } if path.ends_with("root.key")), "{error:?}");
        assert!(!second.join("admin.json").exists() && !second.join("ca.pem").exists());
    }
    assert_eq!(written(), before);
}

/// Without its database an authority answers 503 in Entra's form; when the database is back, it serves again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_database_is_503_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let url = server.url(&server.database());
    let replica = Replica::start(builder(&url, &folder.path().join("data")).directory(directory())).await;
    let before = verified(&replica.token().await, &replica.keys().await);
    server.crash();
    let (status, body) = until(async || Some(replica.ask().await).filter(|(status, _)| *status != 200)).await;
    assert_eq!((status, body["error"].as_str()), (503, Some("temporarily_unavailable")), "{body}");
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS"), "{body}");
    assert!(body["trace_id"].is_string() && body["correlation_id"].is_string(), "{body}");
    assert!(!body.to_string().to_lowercase().contains("postgres"), "{body}");
    server.start_again();
    let (_, body) = until(async || Some(replica.ask().await).filter(|(status, _)| *status == 200)).await;
    assert_eq!(verified(body["access_token"].as_str().unwrap(), &replica.keys().await), before);
}
