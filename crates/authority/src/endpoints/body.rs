//! Reading a request's body: a form, at most 64 kB, within a bounded time.

use std::time::Duration;

use axum::extract::Request;
use countersign_protocol::form::{MAX_FORM_BYTES, is_form_content_type};
use countersign_protocol::{AadSts, TokenRequest};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use crate::refused::Refused;

/// The token request in the body, for which its sender has this long. `first` is the parameter that a body of another
/// type is found to lack.
pub(super) async fn token_request(
    request: Request,
    patience: Duration,
    first: &'static str,
) -> Result<TokenRequest, Refused> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = is_form_content_type(content_type);
    let malformed = || Refused::new(AadSts::MALFORMED_REQUEST);
    let too_large = || {
        let status = StatusCode::PAYLOAD_TOO_LARGE.as_u16();
        malformed().because("the body is larger than 64 kB").status(status)
    };
    // Refused before the sender is told to go on (RFC 9110 §10.1.1).
    if request.body().size_hint().lower() > MAX_FORM_BYTES as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(patience, Limited::new(request.into_body(), MAX_FORM_BYTES).collect()).await;
    let body = match collected {
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT.as_u16();
            return Err(malformed().because("the body took too long").status(status));
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(malformed().because("the body broke off")),
        Ok(Ok(body)) => body.to_bytes(),
    };
    if !is_form {
        // A body of another type holds no form parameters, so the first one is missing.
        return Err(Refused::missing(first).because("the body is not application/x-www-form-urlencoded"));
    }
    TokenRequest::parse(&body).map_err(|error| Refused::new(error.aadsts()).because(error.to_string()))
}
