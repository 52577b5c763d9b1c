//! The token endpoints, v1.0 and v2.0: a list of named steps, in the order in which Entra finds fault.
//!
//! Parameters belong into the body; one in the query, which logs and histories keep, is refused (RFC 6749 §3.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::form::Form;
use countersign_protocol::token_request::TOKEN_PARAMETERS;
use countersign_protocol::{AadSts, EndpointVersion, GrantType, TokenRequest, TokenResponse};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderMap, HeaderValue, Method};
use uuid::Uuid;

use super::{TenantPath, body, exchange, place, tenant_text};
use crate::call::{Place, TokenCall};
use crate::core::Core;
use crate::exchange::{AnswerKind, Exchange};
use crate::grants::{
    authorization_code, client_credentials, device_code, on_behalf_of, refresh_token, resource_owner_password,
};
use crate::refused::Refused;

/// Handles every method, since Entra answers a GET with a code of its own.
pub(super) async fn token<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut exchange = exchange(&core, &request, AnswerKind::Token);
    exchange.correlate(id_in_query(request.uri().query()));
    match steps(&core, tenant_text(&tenant), version, request, &mut exchange).await {
        Ok(response) => exchange.answer(response.to_json(version)),
        Err(refused) => exchange.refuse(&refused),
    }
}

async fn steps<D: Directory>(
    core: &Core<D>,
    tenant: &str,
    version: EndpointVersion,
    request: Request,
    exchange: &mut Exchange<'_>,
) -> Result<TokenResponse, Refused> {
    let posted = Posted::read(core, tenant, request, exchange, "grant_type").await?;
    let text = posted.form.grant_type.as_deref().filter(|grant| !grant.is_empty());
    let text = text.ok_or_else(|| Refused::missing("grant_type"))?;
    let unsupported = || Refused::new(AadSts::UNSUPPORTED_GRANT_TYPE).with("grant_type", text.to_owned());
    let grant = GrantType::parse(text).ok_or_else(unsupported)?;
    let call = posted.call(version, exchange);
    match grant {
        GrantType::ClientCredentials => client_credentials::grant(core, &call).await,
        GrantType::AuthorizationCode => authorization_code::grant(core, &call).await,
        GrantType::RefreshToken => refresh_token::grant(core, &call).await,
        GrantType::JwtBearer => on_behalf_of::grant(core, &call).await,
        GrantType::Password => resource_owner_password::grant(core, &call).await,
        GrantType::DeviceCode => device_code::grant(core, &call).await,
        _ => Err(unsupported()),
    }
}

/// A token request that is read: posted to a place that exists, its parameters in the body.
pub(super) struct Posted {
    place: Place,
    form: TokenRequest,
    headers: HeaderMap,
}

impl Posted {
    /// Reads it. `first` is the parameter that a body of another type is found to lack.
    pub(super) async fn read<D: Directory>(
        core: &Core<D>,
        tenant: &str,
        request: Request,
        exchange: &mut Exchange<'_>,
        first: &'static str,
    ) -> Result<Self, Refused> {
        if request.method() != Method::POST {
            return Err(Refused::new(AadSts::POST_REQUIRED).with("method", request.method().to_string()));
        }
        let place = place(core, tenant, false).await?;
        nothing_in_query(request.uri().query())?;
        let headers = request.headers().clone();
        let form = body::token_request(request, core.patience, first).await?;
        exchange.correlate(form.client_request_id);
        exchange.note_telemetry(form.telemetry);
        Ok(Self { place, form, headers })
    }

    pub(super) fn call<'a>(&'a self, version: EndpointVersion, exchange: &'a Exchange<'a>) -> TokenCall<'a> {
        TokenCall { place: self.place.clone(), version, form: &self.form, headers: &self.headers, exchange }
    }
}

/// What a browser asks before a single-page application may post here. It tells nothing about anybody, so everybody is told.
fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses a parameter of the body that stands in the query (pitfalls B39). The id that msal-node puts there is none.
fn nothing_in_query(query: Option<&str>) -> Result<(), Refused> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(()) };
    let malformed = || Refused::new(AadSts::MALFORMED_REQUEST);
    let form =
        Form::parse(query.as_bytes(), TOKEN_PARAMETERS).map_err(|error| malformed().because(error.to_string()))?;
    match form.names().find(|name| *name != "client-request-id") {
        None => Ok(()),
        Some(name) => Err(malformed().because(format!("the parameter '{name}' stands in the query"))),
    }
}

/// `client-request-id` in the query, where msal-node puts it.
pub(super) fn id_in_query(query: Option<&str>) -> Option<Uuid> {
    query?.split('&').find_map(|pair| Uuid::try_parse(pair.strip_prefix("client-request-id=")?).ok())
}
