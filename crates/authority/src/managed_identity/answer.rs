//! The answers' forms: the metadata service's, App Service's and its older one's.
//!
//! Members, their order and their types are the recorded ones. The metadata service writes its own refusals and passes
//! Entra's on with Entra's word; App Service puts either into a message.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use countersign_protocol::ManagedIdentityToken;
use countersign_protocol::managed_identity::ManagedIdentitySource;
use countersign_token::Randomness;
use http::header::{ALLOW, CONTENT_TYPE, SERVER};
use http::{HeaderName, HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use uuid::Uuid;

/// In whose manner an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Imds,
    /// api-version 2019-08-01.
    AppService,
    /// api-version 2017-09-01, which writes the expiry as a date.
    AppService2017,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    /// The metadata service's `error`.
    error: Cow<'static, str>,
    message: Cow<'static, str>,
    /// What App Service says instead.
    message_of_app_service: Option<&'static str>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let error = Cow::Borrowed("invalid_request");
        Self { status, error, message: message.into(), message_of_app_service: None }
    }

    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// An error of Entra's, passed on.
    pub(super) fn of_entra(status: StatusCode, error: String, description: String) -> Self {
        Self { error: error.into(), ..Self::new(status, description) }
    }

    /// The request names an identity that is not lent here.
    pub(super) fn identity_not_found() -> Self {
        let message =
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.";
        Self { message_of_app_service: Some(message), ..Self::bad_request("Identity not found") }
    }
}

/// The metadata service's error body.
#[derive(Serialize)]
struct ImdsError<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// App Service's error body.
#[derive(Serialize)]
struct AppServiceError<'a> {
    #[serde(rename = "statusCode")]
    status_code: u16,
    message: &'a str,
    #[serde(rename = "correlationId")]
    correlation_id: Uuid,
}

/// The token as 2017-09-01 has it.
#[derive(Serialize)]
struct OlderToken<'a> {
    access_token: &'a str,
    expires_on: String,
    resource: Option<&'a str>,
    token_type: &'static str,
    client_id: Option<&'a str>,
}

/// An answer to one request, with the id that its header, its error and the log have in common.
pub(super) struct Answer {
    dialect: Dialect,
    pub(super) id: Uuid,
}

impl Answer {
    pub(super) fn to(dialect: Dialect, randomness: &dyn Randomness) -> Self {
        Self { dialect, id: randomness.uuid_v4() }
    }

    pub(super) fn token(&self, token: &ManagedIdentityToken) -> Response {
        let json = match self.dialect {
            Dialect::Imds => token.to_json(ManagedIdentitySource::Imds),
            Dialect::AppService => token.to_json(ManagedIdentitySource::AppService),
            Dialect::AppService2017 => {
                let older = OlderToken {
                    access_token: token.access_token.expose_secret(),
                    expires_on: date(token.expires_on.unwrap_or_default()),
                    resource: token.resource.as_deref(),
                    token_type: "Bearer",
                    client_id: token.client_id.as_deref(),
                };
                // Strings into memory cannot fail.
                serde_json::to_vec(&older).unwrap_or_default()
            }
        };
        self.respond(StatusCode::OK, json)
    }

    pub(super) fn fault(&self, fault: &Fault) -> Response {
        tracing::info!(
            target: "countersign_authority::refused",
            id = %self.id,
            status = fault.status.as_u16(),
            detail = %fault.message,
            "a managed identity's token"
        );
        let json = if self.dialect == Dialect::Imds {
            serde_json::to_vec(&ImdsError { error: &fault.error, error_description: &fault.message })
        } else {
            let message = fault.message_of_app_service.unwrap_or(&fault.message);
            let error = AppServiceError { status_code: fault.status.as_u16(), message, correlation_id: self.id };
            serde_json::to_vec(&error)
        };
        let mut response = self.respond(fault.status, json.unwrap_or_default());
        if fault.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }

    fn respond(&self, status: StatusCode, json: Vec<u8>) -> Response {
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if self.dialect == Dialect::Imds {
            headers.insert(SERVER, HeaderValue::from_static("IMDS/150.870.65.1475"));
            if let Ok(id) = HeaderValue::try_from(self.id.to_string()) {
                headers.insert(HeaderName::from_static("x-ms-request-id"), id);
            }
        } else {
            headers.insert(SERVER, HeaderValue::from_static("Kestrel"));
        }
        response
    }
}

/// `05/22/2021 17:14:33 +00:00`
fn date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%m/%d/%Y %H:%M:%S +00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_version_writes_dates_as_recorded() {
        assert_eq!(date(1_621_703_673), "05/22/2021 17:14:33 +00:00");
        assert_eq!(date(0), "01/01/1970 00:00:00 +00:00");
    }
}
