//! What the integration tests share: a token endpoint behind a fake [`Transport`], and clients that talk to it.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of this")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use countersign_client::{
    ConfidentialClient, ConfidentialClientBuilder, ManagedIdentityBuilder, ManagedIdentityClient,
};
use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
use countersign_protocol::{AuthorityHost, ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::{FakeClock, SeededRandomness, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

/// What the endpoint says to a request.
pub(crate) type Outcome = Result<http::Response<Bytes>, TransportError>;
type Answer = Box<dyn Fn(&http::Request<Bytes>) -> Outcome + Send>;

pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const CLIENT: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const SECRET: &str = "Xy8~s3cret.value/1+2";
/// When the tests take place: 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600;

/// The fake endpoint. Clones share everything.
#[derive(Clone)]
pub(crate) struct Endpoint {
    requests: Arc<Mutex<Vec<http::Request<Bytes>>>>,
    answer: Arc<Mutex<Answer>>,
    gate: Arc<Mutex<watch::Sender<bool>>>,
    forgets: Arc<AtomicBool>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    /// Issues tokens that live an hour: `token-1`, `token-2`, …
    pub(crate) fn issuing() -> Self {
        let endpoint = Self {
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(|_| unreachable!()))),
            gate: Arc::new(Mutex::new(watch::channel(false).0)),
            forgets: Arc::default(),
        };
        endpoint.issues();
        endpoint
    }

    pub(crate) fn issues(&self) {
        let requests = Arc::clone(&self.requests);
        self.answers(move |_| {
            let number = requests.lock().unwrap().len();
            ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{number}")}))
        });
    }

    pub(crate) fn answers(&self, answer: impl Fn(&http::Request<Bytes>) -> Outcome + Send + 'static) {
        // A test may have made the last answer panic.
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// From now on requests are not remembered.
    pub(crate) fn forgets(&self) {
        self.forgets.store(true, Ordering::SeqCst);
    }

    pub(crate) fn goes_down(&self) {
        self.answers(|_| Err(TransportError::Timeout { after: std::time::Duration::from_secs(10) }));
    }

    /// From now on answers are settled on arrival and delivered when the gate returned here is opened.
    pub(crate) fn hold(&self) -> Gate {
        let gate = watch::channel(true).0;
        *self.gate.lock().unwrap() = gate.clone();
        Gate(gate)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> Vec<http::Request<Bytes>> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn last_form(&self) -> String {
        String::from_utf8(self.requests().last().unwrap().body().to_vec()).unwrap()
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
        if !self.forgets.load(Ordering::SeqCst) {
            self.requests.lock().unwrap().push(request.clone());
        }
        let outcome = (self.answer.lock().unwrap_or_else(PoisonError::into_inner))(&request);
        let mut held = self.gate.lock().unwrap().subscribe();
        Box::pin(async move {
            // A gate that is gone holds nobody.
            let _ = held.wait_for(|held| !held).await;
            outcome
        })
    }
}

pub(crate) fn ok(body: &Value) -> Outcome {
    answer(200, body.to_string())
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Outcome {
    Ok(http::Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap())
}

/// An error body as the authority writes it.
pub(crate) fn refused(status: u16, error: &str, code: u32, message: &str) -> Outcome {
    answer(
        status,
        json!({
            "error": error,
            "error_description": format!("AADSTS{code}: {message} Trace ID: t-1 Correlation ID: c-1 Timestamp: 2026-01-01 00:00:00Z"),
            "error_codes": [code], "trace_id": "t-1", "correlation_id": "c-1",
        })
        .to_string(),
    )
}

pub(crate) fn clock() -> FakeClock {
    FakeClock::at(Timestamp::from_unix_seconds(START))
}

pub(crate) fn tenant(text: &str) -> TenantSegment {
    TenantSegment::parse(text).unwrap()
}

pub(crate) fn scopes(resource: &str) -> ScopeSet {
    ScopeSet::parse(&format!("{resource}/.default")).unwrap()
}

/// A builder without credential that talks to `endpoint`.
pub(crate) fn builder(endpoint: &Endpoint, clock: &FakeClock) -> ConfidentialClientBuilder {
    ConfidentialClient::builder(
        AuthorityHost::parse("https://login.contoso.test:8443").unwrap(),
        tenant(TENANT),
        CLIENT.parse().unwrap(),
    )
    .transport(Arc::new(endpoint.clone()))
    .clock(Arc::new(clock.clone()))
    .randomness(Arc::new(SeededRandomness::from_seed(1)))
}

pub(crate) fn client(endpoint: &Endpoint, clock: &FakeClock) -> ConfidentialClient {
    builder(endpoint, clock).secret(SECRET.to_owned()).build().unwrap()
}

/// Lets spawned tasks run until none can go on by itself.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// An unsigned compact JWS with these claims: what a client may take for a token of somebody else's.
pub(crate) fn jws(claims: &Value) -> String {
    let part = |text: &str| countersign_token::base64url_encode(text.as_bytes());
    format!("{}.{}.c2lnbmF0dXJl", part("{}"), part(&claims.to_string()))
}

/// A field of a form, decoded.
pub(crate) fn field(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
    let value = value.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = value.as_str();
    while let Some(at) = rest.find('%') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(&rest[at + 1..at + 3], 16).unwrap());
        rest = &rest[at + 3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8(bytes).unwrap())
}

/// A client for the managed identity of the host that these variables describe.
pub(crate) fn managed_identity(
    endpoint: &Endpoint,
    clock: &FakeClock,
    variables: &[(&str, &str)],
) -> ManagedIdentityBuilder {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ManagedIdentityClient::builder(|name| variables.get(name).cloned())
        .transport(Arc::new(endpoint.clone()))
        .clock(Arc::new(clock.clone()))
}

/// What managed identities are asked for in these tests.
pub(crate) fn vault() -> ResourceIdentifier {
    ResourceIdentifier::parse("https://vault.azure.net").unwrap()
}
