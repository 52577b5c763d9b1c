//! What travels, written down as it passes: a transport around the real one.
//!
//! Secrets, assertions and tokens are masked when they are written down, so that nothing kept here could give them away.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
use countersign_protocol::Challenge;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::browser;
use crate::decode;

/// One request and its response.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) url: String,
    /// The headers that matter, and the form's fields or the body, by name.
    pub(crate) sent: Vec<Field>,
    #[serde(serialize_with = "number")]
    pub(crate) status: StatusCode,
    /// The challenge, and the body's members, by name.
    pub(crate) received: Vec<Field>,
}

/// A name and a value fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Field {
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// Sends through another transport and remembers what passed.
pub(crate) struct Recorder {
    inner: Arc<dyn Transport>,
    /// In the order in which they began; none where no response has come.
    exchanges: Arc<Mutex<Vec<Option<Exchange>>>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    pub(crate) fn around(inner: Arc<dyn Transport>) -> Self {
        Self { inner, exchanges: Arc::default() }
    }

    /// What passed since the last call.
    pub(crate) fn take(&self) -> Vec<Exchange> {
        let passed = std::mem::take(&mut *self.exchanges.lock().unwrap_or_else(PoisonError::into_inner));
        passed.into_iter().flatten().collect()
    }
}

impl Transport for Recorder {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>> {
        let method = request.method().to_string();
        let url = request.uri().to_string();
        let url = url.split_once('?').map_or(url.as_str(), |(address, _)| address).to_owned();
        let sent = sent_fields(&request);
        let exchanges = Arc::clone(&self.exchanges);
        let place = {
            let mut exchanges = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
            exchanges.push(None);
            exchanges.len() - 1
        };
        let response = self.inner.send(request, limits);
        Box::pin(async move {
            let response = response.await?;
            let received = received_fields(&response);
            let exchange = Exchange { method, url, sent, status: response.status(), received };
            // The place is gone if somebody has taken what passed meanwhile.
            if let Some(place) = exchanges.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                *place = Some(exchange);
            }
            Ok(response)
        })
    }
}

fn sent_fields(request: &Request<Bytes>) -> Vec<Field> {
    let mut fields = form_fields(request.uri().query().unwrap_or_default().as_bytes());
    if let Some(value) = text(request.headers(), AUTHORIZATION) {
        fields.push(Field::new("Authorization", masked_header(value)));
    }
    let form = text(request.headers(), CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/x-www-form"));
    if form {
        fields.extend(form_fields(request.body()));
    } else if !request.body().is_empty() {
        fields.push(Field::new("body", String::from_utf8_lossy(request.body())));
    }
    fields
}

fn received_fields(response: &Response<Bytes>) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(value) = text(response.headers(), WWW_AUTHENTICATE) {
        fields.push(Field::new("WWW-Authenticate", value));
        let claims = Challenge::bearer(value).and_then(|challenge| challenge.claims());
        fields.extend(claims.map(|claims| Field::new("  its claims", claims)));
    }
    if text(response.headers(), CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
        let html = String::from_utf8_lossy(response.body());
        fields.push(Field::new("page", browser::heading(&html)));
        return fields;
    }
    match serde_json::from_slice::<Value>(response.body()) {
        Ok(Value::Object(members)) => fields.extend(members.iter().map(|(name, value)| member(name, value))),
        Ok(other) => fields.push(Field::new("body", other.to_string())),
        Err(_) if response.body().is_empty() => {}
        Err(_) => fields.push(Field::new("body", String::from_utf8_lossy(response.body()))),
    }
    fields
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn member(name: &str, value: &Value) -> Field {
    let shown = match value {
        Value::String(text) if name.ends_with("token") => masked_token(text),
        // Who signed in, in base64url; the id_token says it too.
        Value::String(text) if name == "client_info" => format!("({} characters)", text.len()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Field::new(name, shown)
}

/// Fields whose value proves something, or lets somebody go on in another's place.
const SECRETS: [&str; 8] =
    ["client_secret", "password", "passwd", "code", "code_verifier", "refresh_token", "device_code", "flow"];

/// The form's fields, decoded; what proves the client is masked.
fn form_fields(body: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, value) in String::from_utf8_lossy(body).split('&').filter_map(|pair| pair.split_once('=')) {
        let value = percent_decoded(value);
        match name {
            "assertion" => fields.push(Field::new(name, masked_token(&value))),
            _ if SECRETS.contains(&name) => {
                fields.push(Field::new(name, format!("({} characters, not shown)", value.chars().count())));
            }
            "client_assertion" => fields.extend(assertion_fields(&value)),
            _ => fields.push(Field::new(name, value)),
        }
    }
    fields
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let code = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.extend(code);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the assertion says; its signature is what makes it worth something and stays hidden.
fn assertion_fields(assertion: &str) -> Vec<Field> {
    let mut fields = vec![Field::new("client_assertion", format!("({} characters; it says:)", assertion.len()))];
    if let Ok(decoded) = decode::decode(assertion) {
        fields.extend(decoded.header.iter().chain(&decoded.claims).map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Field::new(format!("  {name}"), value)
        }));
    }
    fields
}

/// The first characters, which are the same in every token, and the length. Of what is no token, as a refresh token is
/// none to us, the length alone.
fn masked_token(token: &str) -> String {
    if !token.starts_with("eyJ") {
        return format!("({} characters, not shown)", token.len());
    }
    format!("{}… ({} characters)", token.chars().take(10).collect::<String>(), token.len())
}

fn masked_header(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, token)) => format!("{scheme} {}", masked_token(token)),
        None => "(not shown)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use countersign_token::base64url_encode;

    use super::*;

    /// Answers with a token.
    #[derive(Debug)]
    struct Canned;

    impl Transport for Canned {
        fn send(&self, _: Request<Bytes>, _: Limits) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>> {
            let body = br#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJhbGciOisecretsecret"}"#;
            Box::pin(async { Ok(Response::new(Bytes::from_static(body))) })
        }
    }

    async fn record(request: Request<Bytes>) -> Exchange {
        let recorder = Recorder::around(Arc::new(Canned));
        let limits = Limits { timeout: std::time::Duration::from_secs(1), max_body_bytes: 1_000 };
        recorder.send(request, limits).await.unwrap();
        recorder.take().remove(0)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn what_a_person_types_and_what_a_browser_carries_is_not_written_down() {
        let body = "flow=sealed&login=alice&passwd=hunter2&assertion=eyJhbGciOiusers&refresh_token=0.AXrt&code_verifier=verify";
        let request = Request::post("https://localhost/login?code=topsecret&state=s")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("cookie", "session=cookiecookie")
            .body(body.into())
            .unwrap();
        let exchange = block_on(record(request));
        assert_eq!(exchange.url, "https://localhost/login");
        let text = serde_json::to_string(&exchange).unwrap();
        for secret in ["sealed", "hunter2", "users", "AXrt", "verify\"", "topsecret", "cookiecookie"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(exchange.sent.contains(&Field::new("login", "alice")));
        assert!(exchange.sent.contains(&Field::new("code", "(9 characters, not shown)")));
    }

    #[test]
    fn what_proves_somebody_is_not_written_down() {
        let assertion = format!(
            "{}.{}.c2lnbmF0dXJl",
            base64url_encode(br#"{"alg":"PS256"}"#),
            base64url_encode(br#"{"sub":"me"}"#)
        );
        let body = format!(
            "client_id=me&client_secret=hunter%2B2&client_assertion={assertion}&scope=api%3A%2F%2Fx%2F.default"
        );
        let request = Request::post("https://localhost/token")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, "Bearer eyJhbGciOiverysecret")
            .body(body.into())
            .unwrap();
        let exchange = block_on(record(request));
        let text = serde_json::to_string(&exchange).unwrap();
        for secret in ["hunter", "c2lnbmF0dXJl", "verysecret", "secretsecret"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(exchange.sent[0], Field::new("Authorization", "Bearer eyJhbGciOi… (20 characters)"));
        assert!(exchange.sent.contains(&Field::new("scope", "api://x/.default")));
        assert!(exchange.sent.contains(&Field::new("client_secret", "(8 characters, not shown)")));
        assert!(exchange.received.contains(&Field::new("expires_in", "3599")));
        assert!(text.contains(r#""status":200"#) && text.contains("PS256"), "{text}");
    }
}
