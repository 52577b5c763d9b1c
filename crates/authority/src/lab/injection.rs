//! Between the door and the routes: notes each call, and puts faults in the place of answers.
//!
//! The lab's own routes are left alone: whoever ordered a fault everywhere can still take it back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::form::{Form, MAX_FORM_BYTES};
use countersign_protocol::token_request::TOKEN_PARAMETERS;
use countersign_protocol::{AadSts, BasicCredentials};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Frame};
use serde_json::Value;

use super::Lab;
use super::calls::Call;
use super::endpoint::{Endpoint, tenant_of};
use super::faults::{BodyFault, Fault};
use crate::exchange::{AnswerKind, Exchange};
use crate::refused::Refused;
use crate::serve::HangUp;

/// How much of an answer is looked at; ours are far smaller.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Notes the call and lets it meet the faults that are set for it.
pub(crate) async fn inject<D: Directory>(State(lab): State<Arc<Lab<D>>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/lab" || path.starts_with("/lab/") {
        return next.run(request).await;
    }
    let endpoint = Endpoint::of(&path);
    let core = &lab.core;
    let origin = core.origins.of(&request);
    let kind = if endpoint == Endpoint::Token { AnswerKind::Token } else { AnswerKind::Discovery };
    let exchange = Exchange::begin(origin, &*core.clock, &*core.randomness, request.headers(), kind);
    let method = request.method().clone();
    let library = header(request.headers(), "x-client-sku");
    let (request, asked) = read(request, core.patience).await;
    let met = lab.faults.meet(endpoint, tenant_of(&path), asked.client_id.as_deref());
    let response = match &met {
        None => next.run(request).await,
        Some((_, fault)) => suffer(fault, &exchange, request, next).await,
    };
    let (response, code) = code_of(response).await;
    lab.calls.note(Call {
        number: 0,
        at: exchange.now.as_unix_seconds(),
        endpoint,
        method: method.to_string(),
        tenant: tenant_of(&path).map(str::to_owned),
        path,
        client_id: asked.client_id,
        grant_type: asked.grant_type,
        asked_for: asked.asked_for,
        library: library.or(asked.library),
        status: response.status().as_u16(),
        code,
        correlation_id: asked.correlation_id,
        fault: met.map(|(id, _)| id),
    });
    response
}

/// What a request says of itself, as far as it is no secret.
#[derive(Default)]
struct Asked {
    client_id: Option<String>,
    grant_type: Option<String>,
    asked_for: Option<String>,
    library: Option<String>,
    correlation_id: Option<String>,
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads a form, and gives the request back as it was. A body that is too large, too slow or no form is left to whoever
/// answers for it.
async fn read(request: Request, patience: Duration) -> (Request, Asked) {
    let mut asked = Asked { correlation_id: header(request.headers(), "client-request-id"), ..Asked::default() };
    let basic = header(request.headers(), AUTHORIZATION.as_str()).and_then(|text| BasicCredentials::parse(&text).ok());
    asked.client_id = basic.map(|basic| basic.client_id().to_owned());
    let query = request.uri().query().map(|query| Bytes::copy_from_slice(query.as_bytes()));
    let small = request.body().size_hint().upper().is_some_and(|bytes| bytes <= MAX_FORM_BYTES as u64);
    let (request, form) = if request.method() == Method::POST && small {
        let (parts, body) = request.into_parts();
        match tokio::time::timeout(patience, body.collect()).await {
            Ok(Ok(collected)) => {
                let bytes = collected.to_bytes();
                (Request::from_parts(parts, Body::from(bytes.clone())), Some(bytes))
            }
            _ => (Request::from_parts(parts, Body::new(BrokenOff(None))), None),
        }
    } else {
        (request, None)
    };
    if let Some(form) = form.or(query).and_then(|bytes| Form::parse(&bytes, TOKEN_PARAMETERS).ok()) {
        let text = |name| form.get(name).map(str::to_owned);
        asked.client_id = text("client_id").or(asked.client_id);
        asked.grant_type = text("grant_type");
        asked.asked_for = text("scope").or_else(|| text("resource"));
        asked.library = text("x-client-SKU");
        asked.correlation_id = asked.correlation_id.or_else(|| text("client-request-id"));
    }
    (request, asked)
}

/// The fault in the answer's place, or around it.
async fn suffer(fault: &Fault, exchange: &Exchange<'_>, request: Request, next: Next) -> Response {
    if let Some(delay) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let refusal = fault.aadsts.and_then(AadSts::lookup);
    let mut response = match (refusal, fault.status) {
        (Some(aadsts), _) => exchange.refuse(&Refused::new(aadsts).because("a fault of the lab")),
        // A body of its own comes with a status, the true answer's ones do not.
        (None, Some(_)) if !matches!(fault.body, Some(BodyFault::Truncated | BodyFault::WrongTypes)) => {
            Response::new(Body::empty())
        }
        (None, _) => next.run(request).await,
    };
    if let Some(status) = fault.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        *response.status_mut() = status;
    }
    if let Some(value) = fault.retry_after.as_deref().and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    match fault.body {
        Some(body) => spoiled(response, body).await,
        None => response,
    }
}

/// A body that yields this and then breaks off.
struct BrokenOff(Option<Bytes>);

impl hyper::body::Body for BrokenOff {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let broken = || Err(std::io::ErrorKind::ConnectionAborted.into());
        std::task::Poll::Ready(Some(self.0.take().map_or_else(broken, |bytes| Ok(Frame::data(bytes)))))
    }
}

/// A body that never ends, and is sent as fast as it is read.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'['; 16 * 1024])))))
    }
}

async fn spoiled(response: Response, fault: BodyFault) -> Response {
    let (mut parts, body) = response.into_parts();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    parts.headers.remove(CONTENT_LENGTH);
    let mut typed = |value| {
        parts.headers.insert(CONTENT_TYPE, value);
    };
    let body = match fault {
        BodyFault::Garbage => {
            typed(json);
            Body::from("\u{fffd}{\"access_token\": \"eyJ")
        }
        BodyFault::Html => {
            typed(HeaderValue::from_static("text/html"));
            Body::from("<!DOCTYPE html><title>502 Bad Gateway</title><h1>Our services aren't available right now</h1>")
        }
        BodyFault::Empty => Body::empty(),
        BodyFault::Truncated => {
            let whole = collected(body).await;
            if let Ok(length) = HeaderValue::try_from(whole.len().max(2).to_string()) {
                parts.headers.insert(CONTENT_LENGTH, length);
            }
            Body::new(BrokenOff(Some(whole.slice(..whole.len() / 2))))
        }
        BodyFault::WrongTypes => {
            let value = serde_json::from_slice(&collected(body).await).unwrap_or(Value::Null);
            Body::from(exchanged(value).to_string())
        }
        BodyFault::Oversize => {
            typed(json);
            Body::from(format!("{{\"access_token\": \"{}\"}}", "A".repeat(10_000_000)))
        }
        BodyFault::NeverEnding => {
            typed(json);
            Body::new(Endless)
        }
        BodyFault::HangUp => {
            parts.extensions.insert(HangUp);
            Body::empty()
        }
    };
    Response::from_parts(parts, body)
}

async fn collected(body: Body) -> Bytes {
    Limited::new(body, MAX_ANSWER_BYTES).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

/// Numbers as strings, strings as numbers, however deep.
fn exchanged(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => Value::from(text.len()),
        Value::Array(values) => Value::Array(values.into_iter().map(exchanged).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, exchanged(value))).collect())
        }
        other => other,
    }
}

/// The number in a refusal's body, which goes on as it was.
async fn code_of(response: Response) -> (Response, Option<u64>) {
    let is_json =
        response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let bounded = response.body().size_hint().upper().is_some_and(|bytes| bytes <= MAX_ANSWER_BYTES as u64);
    if !is_json || !bounded || response.status().is_success() || response.extensions().get::<HangUp>().is_some() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let bytes = collected(body).await;
    let code = serde_json::from_slice::<Value>(&bytes).ok().and_then(|body| body.pointer("/error_codes/0")?.as_u64());
    (Response::from_parts(parts, Body::from(bytes)), code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_is_exchanged() {
        assert_eq!(
            exchanged(json!({"expires_in": 3599, "access_token": "abc", "error_codes": [1], "x": null, "y": true})),
            json!({"expires_in": "3599", "access_token": 3, "error_codes": ["1"], "x": null, "y": true})
        );
    }
}
