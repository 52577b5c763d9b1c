//! Graph's manner of answering: its headers, and its errors in place of the guard's bare ones.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use countersign_directory::{Directory, MICROSOFT_GRAPH};
use countersign_protocol::form::MAX_FORM_BYTES;
use countersign_protocol::headers::CLIENT_REQUEST_ID;
use countersign_protocol::{BearerChallenge, ClaimsChallenge};
use countersign_token::Timestamp;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::core::Core;
use crate::refused::Refused;

/// An error of Graph.
#[derive(Debug, Clone)]
pub(super) struct GraphError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// What a continuously evaluated token must be replaced for.
    challenge: Option<ClaimsChallenge>,
}

impl GraphError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), challenge: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(super) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    pub(super) fn denied() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    /// The text does not tell whether the object is somebody else's (pitfalls B80).
    pub(super) fn not_found(id: &str) -> Self {
        let shown: String = id.chars().filter(|c| !c.is_control()).take(100).collect();
        let message = format!(
            "Resource '{shown}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// A token from before a revocation (recorded 2021).
    pub(super) fn revoked(since: Timestamp) -> Self {
        let message = "Continuous access evaluation resulted in claims challenge with result: InteractionRequired and \
                       code: TokenIssuedBeforeRevocationTimestamp";
        Self { challenge: Some(ClaimsChallenge::not_before(since)), ..Self::unauthenticated(message) }
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "The service is temporarily unavailable.")
    }
}

impl From<Refused> for GraphError {
    fn from(refused: Refused) -> Self {
        tracing::warn!(code = refused.aadsts.code, detail = refused.detail.as_deref(), "a Graph request failed");
        Self::unavailable()
    }
}

impl From<countersign_directory::StoreError> for GraphError {
    fn from(error: countersign_directory::StoreError) -> Self {
        Refused::from(error).into()
    }
}

/// What an error leaves for [`dress`] to write: ids and times are the request's.
impl axum::response::IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// A good answer, with what it is an answer of. `base` is Graph's origin as it was asked.
pub(super) fn entity(base: &str, context: &str, body: Value) -> Response {
    let mut members = serde_json::Map::new();
    members.insert("@odata.context".to_owned(), Value::from(format!("{base}/v1.0/$metadata#{context}")));
    if let Value::Object(body) = body {
        members.extend(body);
    }
    json(&Value::Object(members))
}

pub(super) fn json(body: &impl Serialize) -> Response {
    const TYPE: &str =
        "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
    // Plain values always make JSON.
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
    response.headers_mut().insert(HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0"));
    response
}

/// A request's body: at most 64 kB, within the core's patience.
pub(super) async fn body<D: Directory>(core: &Core<D>, request: Request) -> Result<Bytes, GraphError> {
    let reading = Limited::new(request.into_body(), MAX_FORM_BYTES).collect();
    match tokio::time::timeout(core.patience, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        _ => Err(GraphError::bad_request("Unable to read JSON request payload.")),
    }
}

/// What is no route of Graph's here.
pub(super) async fn unknown_route<D: Directory>(State(_): State<Arc<Core<D>>>, request: Request) -> GraphError {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let shown: String =
        segment.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(60).collect();
    GraphError::new(StatusCode::NOT_FOUND, "ResourceNotFound", format!("Resource not found for the segment '{shown}'."))
}

/// Gives every answer Graph's headers, and the guard's refusals Graph's words.
pub(super) async fn dress<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request, next: Next) -> Response {
    let request_id = core.randomness.uuid_v4();
    let client_id = client_request_id(request.headers()).unwrap_or(request_id);
    let origin = core.origins.of(&request);
    // Under Graph's own name, tokens come from the authority of its cloud.
    let authority = if origin.host.host() == origin.cloud.msgraph_host {
        format!("https://{}", origin.cloud.authority_host)
    } else {
        origin.host.origin().to_owned()
    };
    let mut response = next.run(request).await;
    let error = match response.extensions_mut().remove::<GraphError>() {
        Some(error) => Some(error),
        None => guards(&response),
    };
    if let Some(error) = error {
        write(&mut response, &error, &authority, core.clock.now(), request_id, client_id);
    }
    let headers = response.headers_mut();
    for (name, id) in [("request-id", request_id), (CLIENT_REQUEST_ID, client_id)] {
        if let Ok(value) = HeaderValue::try_from(id.to_string()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    response
}

/// The guard's refusals say all they say in headers; nothing else answers without a type.
fn guards(response: &Response) -> Option<GraphError> {
    if response.status().is_success() || response.headers().contains_key(CONTENT_TYPE) {
        return None;
    }
    let said = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some(match response.status() {
        StatusCode::UNAUTHORIZED if said.contains("expired") => {
            GraphError::unauthenticated("Access token has expired or is not yet valid.")
        }
        StatusCode::UNAUTHORIZED if !said.contains("error=") => GraphError::unauthenticated("Access token is empty."),
        StatusCode::UNAUTHORIZED => GraphError::unauthenticated("Access token validation failure."),
        StatusCode::BAD_REQUEST => GraphError::bad_request("The Authorization header is not one bearer token."),
        StatusCode::FORBIDDEN => GraphError::denied(),
        StatusCode::SERVICE_UNAVAILABLE => GraphError::unavailable(),
        StatusCode::METHOD_NOT_ALLOWED => GraphError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ),
        _ => return None,
    })
}

fn write(
    response: &mut Response,
    error: &GraphError,
    authority: &str,
    now: Timestamp,
    request_id: Uuid,
    client_id: Uuid,
) {
    let date = jiff::Timestamp::from_second(now.as_unix_seconds()).unwrap_or_default();
    let body = json!({"error": {
        "code": error.code,
        "message": error.message,
        "innerError": {
            // Graph writes no zone.
            "date": date.to_string().trim_end_matches('Z'),
            "request-id": request_id.to_string(),
            "client-request-id": client_id.to_string(),
        },
    }});
    *response.status_mut() = error.status;
    *response.body_mut() = Body::from(body.to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(http::header::CONTENT_LENGTH);
    if error.status == StatusCode::UNAUTHORIZED {
        headers.remove(ALLOW);
        let (authorize, graph) = (format!("{authority}/common/oauth2/authorize"), MICROSOFT_GRAPH.to_string());
        let challenge = match &error.challenge {
            Some(claims) => claims.to_bearer_challenge(&authorize, Some(&graph)),
            None => BearerChallenge::new().realm("").authorization_uri(&authorize).client_id(&graph),
        };
        if let Ok(value) = HeaderValue::try_from(challenge.to_header_value()) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
    }
}

/// Only a GUID is taken for an id (pitfalls B93).
fn client_request_id(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(CLIENT_REQUEST_ID).and_then(|value| Uuid::try_parse(value.to_str().ok()?).ok())
}
