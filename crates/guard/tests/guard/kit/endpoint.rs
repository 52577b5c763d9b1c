//! The authority's key endpoint behind a fake [`Transport`]: counts, answers as told, and holds answers back on request.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
use countersign_token::SigningKey;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::token::jwk;

pub(crate) const KEYS_URL: &str = "https://login.contoso.test:8443/keys";

type Outcome = Result<http::Response<Bytes>, TransportError>;
type Answer = Box<dyn Fn() -> Outcome + Send>;

/// The fake endpoint. Clones share everything.
#[derive(Clone)]
pub(crate) struct Endpoint {
    calls: Arc<Mutex<usize>>,
    answer: Arc<Mutex<Answer>>,
    held: watch::Sender<bool>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    /// Publishes these keys.
    pub(crate) fn publishing(keys: &[&SigningKey]) -> Self {
        let endpoint = Self::down();
        endpoint.publish(keys);
        endpoint
    }

    /// Answers nobody.
    pub(crate) fn down() -> Self {
        let endpoint = Self {
            calls: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(refused))),
            held: watch::channel(false).0,
        };
        endpoint.goes_down();
        endpoint
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        self.publish_set(&json!({ "keys": keys.iter().map(|key| jwk(key)).collect::<Vec<_>>() }));
    }

    pub(crate) fn publish_set(&self, set: &Value) {
        self.answers("application/json", set.to_string());
    }

    pub(crate) fn answers(&self, content_type: &'static str, body: impl Into<Bytes>) {
        let body = body.into();
        *self.answer.lock().unwrap() = Box::new(move || {
            Ok(http::Response::builder().header("content-type", content_type).body(body.clone()).unwrap())
        });
    }

    pub(crate) fn goes_down(&self) {
        *self.answer.lock().unwrap() = Box::new(refused);
    }

    /// From now on answers are settled on arrival and delivered after [`Endpoint::release`].
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// How often it was asked since the last call of this.
    pub(crate) fn calls(&self) -> usize {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn refused() -> Outcome {
    Err(TransportError::Connect("refused".into()))
}

impl Transport for Endpoint {
    fn send(&self, request: http::Request<Bytes>, _: Limits) -> BoxFuture<'static, Outcome> {
        assert_eq!(request.uri().to_string(), KEYS_URL);
        *self.calls.lock().unwrap() += 1;
        let outcome = (self.answer.lock().unwrap())();
        let mut held = self.held.subscribe();
        Box::pin(async move {
            held.wait_for(|held| !held).await.unwrap();
            outcome
        })
    }
}
