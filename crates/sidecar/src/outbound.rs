//! `/authorization-header/{api}`: the header of a call that the service is about to make.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use countersign_client::{AcquireError, ConfidentialClient};
use countersign_protocol::ScopeSet;
use http::header::{CACHE_CONTROL, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::REQUEST_HEADER;

/// The client and the APIs it may ask for.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) client: ConfidentialClient,
    pub(crate) apis: BTreeMap<String, ScopeSet>,
}

pub(crate) async fn authorization_header(
    State(outbound): State<Arc<Outbound>>,
    Path(api): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(reason) = comes_from_the_service(&headers) {
        return problem(StatusCode::FORBIDDEN, reason);
    }
    let Some(scopes) = outbound.apis.get(&api) else {
        return problem(StatusCode::NOT_FOUND, "the configuration lists no downstream API of this name");
    };
    match outbound.client.acquire_token_for_client(scopes).await {
        Ok(token) => {
            // The value was made from a token that came as ASCII.
            let header = token.authorization().to_str().unwrap_or_default();
            let mut response = Json(json!({ "authorizationHeader": header })).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => refuse(&api, &error),
    }
}

/// Whoever can reach the port may ask, so a browser on this machine must not be able to (pitfalls D15): the custom header
/// stops pages of other origins, the host check those that rebound a name to this machine, and a forwarded request was not
/// made by the service at all.
fn comes_from_the_service(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.get(REQUEST_HEADER).is_none_or(|value| value != "1") {
        return Err("send the header 'x-countersign-request: 1'");
    }
    if headers.keys().any(|name| name == "forwarded" || name.as_str().starts_with("x-forwarded-")) {
        return Err("a forwarded request is not answered");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    match name {
        Some("localhost" | "127.0.0.1" | "::1") => Ok(()),
        _ => Err("the Host is not this machine's"),
    }
}

fn refuse(api: &str, error: &AcquireError) -> Response {
    tracing::warn!(api, code = error.code(), correlation_id = error.correlation_id(), %error, "no token could be acquired");
    let status = if error.is_retryable() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
    let mut response = problem(status, "no token could be acquired; the sidecar's log says why");
    if let Some(after) = error.retry_after()
        && let Ok(value) = HeaderValue::try_from(after.as_secs().max(1).to_string())
    {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({"title": status.canonical_reason(), "status": status.as_u16(), "detail": detail});
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &'static str)]) -> Result<(), &'static str> {
        comes_from_the_service(
            &pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect(),
        )
    }

    #[test]
    fn d15_a_browser_cannot_ask() {
        for host in ["localhost:5178", "127.0.0.1", "[::1]:5178"] {
            assert!(asked(&[("host", host), (REQUEST_HEADER, "1")]).is_ok(), "{host}");
        }
        assert!(asked(&[("host", "localhost")]).is_err());
        assert!(asked(&[("host", "localhost"), (REQUEST_HEADER, "0")]).is_err());
        for host in ["rebound.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80", "[::1"] {
            let is_ok = asked(&[("host", host), (REQUEST_HEADER, "1")]).is_ok();
            assert_eq!(is_ok, host == "[::1", "{host}");
        }
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
            assert!(asked(&[("host", "localhost"), (REQUEST_HEADER, "1"), (name, "x")]).is_err(), "{name}");
        }
    }
}
