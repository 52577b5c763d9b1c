//! An issuer's endpoint behind a fake [`Transport`]: counts, answers as told, and holds answers back on request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{BoxFuture, Limits, RemoteKeys, Transport, TransportError};
use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::{FakeClock, Randomness, SeededRandomness, Timestamp, base64url_encode};
use serde_json::{Value, json};
use tokio::sync::watch;

/// What an endpoint says to a request.
pub(crate) type Outcome = Result<http::Response<Bytes>, TransportError>;
type Answer = Box<dyn Fn(&str) -> Outcome + Send>;

/// The host of every address here.
pub(crate) const HOST: &str = "https://login.contoso.test:8443";
/// The tenant of every address here.
pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

/// The fake endpoint. Clones share everything.
#[derive(Clone)]
pub(crate) struct Endpoint {
    calls: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
    gate: Arc<Mutex<watch::Sender<bool>>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    /// Publishes the keys of these names, the way Entra does.
    pub(crate) fn publishing(key_ids: &[&str]) -> Self {
        let endpoint = Self {
            calls: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(|_| unreachable!()))),
            gate: Arc::new(Mutex::new(watch::channel(false).0)),
        };
        endpoint.publish(key_ids);
        endpoint
    }

    pub(crate) fn publish(&self, key_ids: &[&str]) {
        let keys = key_set(key_ids);
        self.answers(move |url| if url.contains("openid-configuration") { ok(&metadata()) } else { ok(&keys) });
    }

    /// Answers metadata as usual, and the keys with `keys`.
    pub(crate) fn answers_keys(&self, keys: impl Fn() -> Outcome + Send + 'static) {
        self.answers(move |url| if url.contains("openid-configuration") { ok(&metadata()) } else { keys() });
    }

    pub(crate) fn answers(&self, answer: impl Fn(&str) -> Outcome + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn goes_down(&self) {
        self.answers(|_| Err(TransportError::Connect("refused".into())));
    }

    /// From now on answers are settled on arrival and delivered when the gate returned here is opened.
    pub(crate) fn hold(&self) -> Gate {
        let gate = watch::channel(true).0;
        *self.gate.lock().unwrap() = gate.clone();
        Gate(gate)
    }

    /// All addresses asked for so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn forget_calls(&self) {
        self.calls.lock().unwrap().clear();
    }
}

/// Holds back the answers to what was asked since [`Endpoint::hold`].
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.send_replace(false);
    }
}

impl Transport for Endpoint {
    fn send(&self, request: http::Request<Bytes>, _limits: Limits) -> BoxFuture<'static, Outcome> {
        let url = request.uri().to_string();
        self.calls.lock().unwrap().push(url.clone());
        let outcome = (self.answer.lock().unwrap())(&url);
        let mut held = self.gate.lock().unwrap().subscribe();
        Box::pin(async move {
            // A gate that is gone holds nobody.
            let _ = held.wait_for(|held| !held).await;
            outcome
        })
    }
}

pub(crate) fn ok(body: &Value) -> Outcome {
    raw(200, "application/json; charset=utf-8", body.to_string())
}

pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Outcome {
    Ok(http::Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap())
}

pub(crate) fn metadata() -> Value {
    json!({
        "token_endpoint": format!("{HOST}/{TENANT}/oauth2/v2.0/token"),
        "jwks_uri": format!("{HOST}/{TENANT}/discovery/v2.0/keys"),
        "issuer": format!("{HOST}/{TENANT}/v2.0"),
        "authorization_endpoint": format!("{HOST}/{TENANT}/oauth2/v2.0/authorize"),
        "cloud_instance_name": "microsoftonline.com",
    })
}

pub(crate) fn key_set(key_ids: &[&str]) -> Value {
    json!({ "keys": key_ids.iter().map(|id| key(id)).collect::<Vec<_>>() })
}

/// A public key with a modulus that nobody has the factors of; none of these tests verifies anything.
pub(crate) fn key(key_id: &str) -> Value {
    let mut modulus = [0; 256];
    SeededRandomness::from_seed(key_id.bytes().map(u64::from).sum()).fill(&mut modulus);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    json!({ "kty": "RSA", "use": "sig", "kid": key_id, "n": base64url_encode(&modulus), "e": "AQAB",
            "issuer": format!("{HOST}/{TENANT}/v2.0") })
}

pub(crate) const METADATA_URL: &str =
    "https://login.contoso.test:8443/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0/.well-known/openid-configuration";
pub(crate) const KEYS_URL: &str =
    "https://login.contoso.test:8443/6babcaad-604b-40ac-a9d7-9fd97c0b779f/discovery/v2.0/keys";

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A clock that stands at 2026-01-01T00:00:00Z.
pub(crate) fn clock() -> FakeClock {
    FakeClock::at(Timestamp::from_unix_seconds(1_767_225_600))
}

pub(crate) fn clock_now(clock: &FakeClock) -> Timestamp {
    countersign_token::Clock::now(clock)
}

/// The keys that `endpoint` publishes, found through its metadata.
pub(crate) fn remote(endpoint: &Endpoint, clock: &FakeClock) -> RemoteKeys {
    RemoteKeys::from_authority(
        &AuthorityHost::parse(HOST).unwrap(),
        TenantSegment::parse(TENANT).as_ref().unwrap(),
        EndpointVersion::V2,
        Arc::new(endpoint.clone()),
    )
    .unwrap()
    .clock(Arc::new(clock.clone()))
    .randomness(Arc::new(SeededRandomness::from_seed(1)))
    .build()
}

/// Lets spawned tasks run until none can go on by itself.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
