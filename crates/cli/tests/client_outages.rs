//! The client against a real authority over real TLS, while the lab makes the token endpoint fail in each way it can: with
//! a token at hand no caller notices, and the renewal comes by itself when the endpoint is well again.
//!
//! This room alone may use both, the client and the authority. The client's clock is a fake one, so that a token's life
//! passes at once; nothing else is.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use countersign_authority::Authority;
use countersign_client::{AccessToken, AcquireError, ConfidentialClient};
use countersign_directory::DirectoryFile;
use countersign_discovery::{BoxFuture, HttpsTransport, Limits, Transport, TransportError};
use countersign_protocol::{ScopeSet, TenantSegment};
use countersign_token::{Clock as _, FakeClock, OffsetClock, SystemClock};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const CLIENT: &str = "0f1e2d3c-4b5a-4968-8776-655443322110";
const SECRET: &str = "Zm9yLXRoaXMtdGVzdC1hbG9uZQ~correct.horse";
const MINUTE: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1 << 20 };

fn directory() -> DirectoryFile {
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.com]
  applications:
  - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
    displayName: Orders
    identifierUris: ["api://orders"]
    api: {{requestedAccessTokenVersion: 2}}
    appRoles: [{{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Orders.Read, displayName: Read, allowedMemberTypes: [Application], isEnabled: true}}]
  - appId: {CLIENT}
    displayName: Daemon
    passwordCredentials: [{{displayName: test, secretText: "{SECRET}"}}]
  appRoleAssignments: [{{client: Daemon, resource: Orders, role: Orders.Read}}]
"#
    );
    DirectoryFile::parse("outages.yaml", &text).unwrap().file
}

/// A door that a test can exchange, and that knows how many requests are on their way.
#[derive(Debug, Clone)]
struct Door {
    transport: Arc<Mutex<HttpsTransport>>,
    under_way: Arc<()>,
}

impl Door {
    /// Waits until every request has its answer or its error.
    async fn is_quiet(&self) {
        // One count is this door's own, one that of its clone inside the client.
        while Arc::strong_count(&self.under_way) > 2 {
            tokio::task::yield_now().await;
        }
    }
}

impl Transport for Door {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let (sending, counted) = (self.transport.lock().unwrap().send(request, limits), self.under_way.clone());
        Box::pin(async move {
            let answer = sending.await;
            drop(counted);
            answer
        })
    }
}

fn trusting(pem: &str) -> HttpsTransport {
    HttpsTransport::builder().only_roots_pem(pem.as_bytes()).unwrap().build().unwrap()
}

struct Stage {
    authority: Authority,
    transport: HttpsTransport,
    /// The administrator's, from before any fault.
    token: String,
}

impl Stage {
    async fn start() -> Self {
        let builder = Authority::builder().lab(Some(OffsetClock::default()));
        let authority = builder.directory(directory()).start().await.unwrap();
        let transport = trusting(authority.ca_pem());
        let mut stage = Self { authority, transport, token: String::new() };
        let administrator = stage.authority.administrator();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://graph.microsoft.com/.default",
            administrator.client_id,
            administrator.client_secret.expose_secret().replace('~', "%7E")
        );
        let path = format!("/{}/oauth2/v2.0/token", administrator.tenant_id);
        let request = http::Request::post(format!("{}{path}", stage.authority.host().origin()))
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = stage.transport.send(request.body(form.into()).unwrap(), LIMITS).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        stage.token = answer["access_token"].as_str().unwrap().to_owned();
        stage
    }

    async fn lab(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/lab/{path}", self.authority.host().origin()))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        let request = request.body(body.to_string().into()).unwrap();
        let answer = self.transport.send(request, LIMITS).await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    /// How often the fault that is set has happened.
    async fn happened(&self) -> u64 {
        let listed = self.lab("GET", "faults", &json!({})).await;
        listed["faults"][0]["happened"].as_u64().unwrap()
    }

    fn client(&self) -> (ConfidentialClient, FakeClock, Door) {
        let clock = FakeClock::at(SystemClock.now());
        let transport = Arc::new(Mutex::new(self.transport.clone()));
        let door = Door { transport, under_way: Arc::default() };
        let client = ConfidentialClient::builder(
            self.authority.host().clone(),
            TenantSegment::parse(TENANT).unwrap(),
            CLIENT.parse().unwrap(),
        )
        .transport(Arc::new(door.clone()))
        .clock(Arc::new(clock.clone()))
        .timeout(Duration::from_secs(2))
        .secret(SECRET.to_owned())
        .build()
        .unwrap();
        (client, clock, door)
    }
}

fn orders() -> ScopeSet {
    ScopeSet::parse("api://orders/.default").unwrap()
}

/// Fifty callers at once, of whom none may notice anything.
async fn herd(client: &ConfidentialClient, what: &str) -> AccessToken {
    let calls = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.acquire_token_for_client(&orders()).await })
    });
    let mut last = None;
    for call in calls.collect::<Vec<_>>() {
        let token = call.await.unwrap();
        last = Some(token.unwrap_or_else(|error| panic!("{what}: {error:?}")));
    }
    last.unwrap()
}

/// Asks until another token than `old` is served. While no request is under way, the client's clock goes on by seconds, so
/// that the pause after a failed renewal ends: how long the machine takes for a request is no part of it.
async fn renewed(
    (client, clock, door): (&ConfidentialClient, &FakeClock, &Door),
    old: &AccessToken,
    what: &str,
) -> AccessToken {
    let asking = async {
        loop {
            let token = herd(client, what).await;
            if token.secret() != old.secret() {
                return token;
            }
            door.is_quiet().await;
            clock.advance(Duration::from_secs(5));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap_or_else(|_| panic!("{what}: never renewed"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_at_hand_no_fault_of_the_labs_is_any_callers_and_the_renewal_comes_by_itself() {
    let stage = Stage::start().await;
    let faults = [
        json!({"status": 503}),
        json!({"status": 503, "aadsts": 90033, "retry_after": "30"}),
        json!({"status": 429, "retry_after": "120"}),
        json!({"status": 500, "body": "html"}),
        json!({"delay_ms": 3000}),
        json!({"body": "garbage"}),
        json!({"body": "html"}),
        json!({"body": "empty"}),
        json!({"body": "truncated"}),
        json!({"body": "oversize"}),
        json!({"body": "never_ending"}),
        json!({"body": "hang_up"}),
    ];
    for mut fault in faults {
        let what = fault.to_string();
        let (client, clock, door) = stage.client();
        let old = herd(&client, &what).await;
        fault["endpoint"] = json!("token");
        fault["client_id"] = json!(CLIENT);
        stage.lab("POST", "faults", &fault).await;
        // From when its renewal is due until shortly before the token ends.
        clock.set(old.refresh_on());
        let met = async {
            while stage.happened().await == 0 {
                assert_eq!(herd(&client, &what).await.secret(), old.secret(), "{what}");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), met).await.unwrap_or_else(|_| panic!("{what}: never met"));
        let end = old.expires_on().minus(MINUTE * 10);
        while clock.now() < end {
            assert_eq!(herd(&client, &what).await.secret(), old.secret(), "{what}");
            // The attempt meets its fault to the end, and the callers after it meet what it left.
            door.is_quiet().await;
            clock.advance(MINUTE * 5);
        }
        stage.lab("DELETE", "faults", &json!({})).await;
        let new = renewed((&client, &clock, &door), &old, &what).await;
        assert!(clock.now() < old.expires_on(), "{what}: before the old one's end");
        assert!(new.expires_on() > old.expires_on(), "{what}");
    }
    drop(stage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_at_hand_a_certificate_that_is_not_trusted_is_no_callers_fault_either() {
    let (stage, other) = (Stage::start().await, Stage::start().await);
    let (client, clock, door) = stage.client();
    let old = herd(&client, "trusted").await;
    // As after a change of the CA: every handshake fails from now on.
    *door.transport.lock().unwrap() = other.transport.clone();
    clock.set(old.refresh_on());
    for _ in 0..10 {
        assert_eq!(herd(&client, "not trusted").await.secret(), old.secret());
        door.is_quiet().await;
        clock.advance(MINUTE);
    }
    let error = client.acquire_token_for_client(&ScopeSet::parse("api://another/.default").unwrap()).await.unwrap_err();
    let cause = match &error {
        AcquireError::Unavailable { cause, .. } => cause,
        other => other,
    };
    assert!(matches!(cause, AcquireError::Transport(cause) if matches!(***cause, TransportError::Tls(_))), "{error:?}");
    *door.transport.lock().unwrap() = stage.transport.clone();
    renewed((&client, &clock, &door), &old, "trusted again").await;
}
