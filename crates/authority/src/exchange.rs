//! One request and its answer: ids, times and headers that every answer carries, good or bad.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::response::Response;
use countersign_protocol::headers::{
    CLIENT_REQUEST_ID, DISCOVERY, DISCOVERY_ERROR, RETURN_CLIENT_REQUEST_ID, TOKEN, X_MS_CLITELEM, X_MS_ESTS_SERVER,
    X_MS_REQUEST_ID, clitelem,
};
use countersign_protocol::{ErrorContext, TokenError, form};
use countersign_token::{Clock, Randomness, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use crate::origin::Origin;
use crate::refused::Refused;

/// The kinds of answer, which differ in their headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// Of a token endpoint, and of everything that must not be cached.
    Token,
    /// Of metadata, key sets and instance discovery: public and cacheable.
    Discovery,
}

/// What is known of a request before it is understood.
pub(crate) struct Exchange<'a> {
    /// The origin that was asked: issuers and endpoints in the answer name it.
    pub(crate) origin: &'a Origin,
    kind: AnswerKind,
    pub(crate) now: Timestamp,
    trace_id: Uuid,
    correlation_id: Option<Uuid>,
    fallback_correlation_id: Uuid,
    echo: bool,
    telemetry: bool,
    /// Whether a script of another origin may read the answer.
    cross_origin: AtomicBool,
    /// When the refresh token of the request was issued.
    grant_issued: OnceLock<Timestamp>,
}

impl<'a> Exchange<'a> {
    /// Reads what the headers say about the request itself.
    pub(crate) fn begin(
        origin: &'a Origin,
        clock: &dyn Clock,
        randomness: &dyn Randomness,
        request: &HeaderMap,
        kind: AnswerKind,
    ) -> Self {
        let text = |name: &str| request.get(name).and_then(|value| value.to_str().ok());
        Self {
            origin,
            kind,
            now: clock.now(),
            trace_id: randomness.uuid_v4(),
            // Only a GUID is taken for an id, so that nothing else is echoed or logged as one (pitfalls B93).
            correlation_id: text(CLIENT_REQUEST_ID).and_then(|id| Uuid::try_parse(id).ok()),
            fallback_correlation_id: randomness.uuid_v4(),
            echo: text(RETURN_CLIENT_REQUEST_ID).is_some_and(|wish| wish.eq_ignore_ascii_case("true")),
            telemetry: request.keys().any(|name| form::is_telemetry(name.as_str())),
            cross_origin: AtomicBool::new(false),
            grant_issued: OnceLock::new(),
        }
    }

    /// Takes an id from the query or the body, where msal-node puts it; the header's has precedence.
    pub(crate) fn correlate(&mut self, id: Option<Uuid>) {
        self.correlation_id = self.correlation_id.or(id);
    }

    /// Notes that the body carries `x-client-*` telemetry.
    pub(crate) fn note_telemetry(&mut self, present: bool) {
        self.telemetry |= present;
    }

    /// Lets scripts of other origins read the answer, once it is known that the client is a single-page application.
    pub(crate) fn allow_cross_origin(&self) {
        self.cross_origin.store(true, Ordering::Relaxed);
    }

    /// Notes when the request's refresh token was issued: a refusal tells its age to a client that sent telemetry.
    pub(crate) fn note_grant_issued(&self, issued: Timestamp) {
        // Once per request.
        let _ = self.grant_issued.set(issued);
    }

    pub(crate) fn correlation_id(&self) -> Uuid {
        self.correlation_id.unwrap_or(self.fallback_correlation_id)
    }

    pub(crate) fn trace_id(&self) -> Uuid {
        self.trace_id
    }

    /// A good answer.
    pub(crate) fn answer(&self, json: Vec<u8>) -> Response {
        self.respond(StatusCode::OK, json, None)
    }

    /// Entra's error body, with the operator's detail in the log under the same ids.
    pub(crate) fn refuse(&self, refused: &Refused) -> Response {
        let context = ErrorContext {
            trace_id: self.trace_id,
            correlation_id: self.correlation_id(),
            timestamp: self.now,
            authority: &self.origin.host,
        };
        let insertions: Vec<(&str, &str)> =
            refused.insertions.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        let mut error = TokenError::new(refused.aadsts, &insertions, &context);
        if let Some(claims) = &refused.claims {
            error = error.with_claims(claims.as_str());
        }
        tracing::info!(
            target: "countersign_authority::refused",
            code = refused.aadsts.code,
            trace_id = %self.trace_id,
            correlation_id = %self.correlation_id(),
            detail = refused.detail.as_deref(),
        );
        let status = refused.status.unwrap_or(refused.aadsts.status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = self.respond(status, error.to_json(), Some(refused.aadsts.code));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// The fourth field is the age of a refresh token that was refused, in milliseconds (recorded 2021).
    fn telemetry_answer(&self, code: Option<u32>) -> String {
        match (code, self.grant_issued.get()) {
            (Some(code), Some(issued)) => {
                let age = self.now.saturating_duration_since(*issued).as_nanos() / 100;
                format!("1,{code},0,{}.{:04},", age / 10_000, age % 10_000)
            }
            _ => clitelem(code),
        }
    }

    fn respond(&self, status: StatusCode, json: Vec<u8>, code: Option<u32>) -> Response {
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let fixed = match self.kind {
            AnswerKind::Token => TOKEN,
            AnswerKind::Discovery if status == StatusCode::OK => DISCOVERY,
            // A refusal must not be remembered for a day (recorded: Cache-Control private).
            AnswerKind::Discovery => DISCOVERY_ERROR,
        };
        headers.reserve(fixed.len() + 6);
        for (name, value) in fixed {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if self.cross_origin.load(Ordering::Relaxed) {
            // Everybody may read what nobody's cookies have paid for; an origin is never reflected (pitfalls B75).
            headers.insert(http::header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(
                http::header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("content-length, x-ms-request-id, client-request-id, x-ms-clitelem"),
            );
        }
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put(X_MS_REQUEST_ID, self.trace_id.to_string());
        put(X_MS_ESTS_SERVER, concat!("countersign ", env!("CARGO_PKG_VERSION")).to_owned());
        if let Some(id) = self.correlation_id.filter(|_| self.echo) {
            put(CLIENT_REQUEST_ID, id.to_string());
        }
        // Only token answers have it, and only where the request brought telemetry along (recorded).
        if self.telemetry && self.kind == AnswerKind::Token {
            put(X_MS_CLITELEM, self.telemetry_answer(code));
        }
        response
    }
}
