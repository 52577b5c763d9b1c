//! What goes wrong on the way, and who is told: the person on a page, or the client at its redirect URI.
//!
//! Nothing travels to a redirect URI before client and URI were checked (pitfalls B37).

use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{AadSts, ErrorContext, TokenError};
use http::StatusCode;

use super::visit::Visit;
use crate::pages::{self, ErrorView, Policy};
use crate::refused::Refused;

/// Names for the error page, as far as they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names<'a> {
    pub(super) tenant: Option<&'a str>,
    pub(super) application: Option<&'a str>,
}

/// The refusal as Entra's error, with this request's ids; noted in the log.
pub(super) fn wire_error<D: Directory>(visit: &Visit<'_, D>, refused: &Refused) -> TokenError {
    let exchange = &visit.exchange;
    let context = ErrorContext {
        trace_id: exchange.trace_id(),
        correlation_id: exchange.correlation_id(),
        timestamp: exchange.now,
        authority: &exchange.origin.host,
    };
    let insertions: Vec<(&str, &str)> =
        refused.insertions.iter().map(|(name, value)| (*name, value.as_ref())).collect();
    tracing::info!(
        target: "countersign_authority::refused",
        code = refused.aadsts.code,
        trace_id = %exchange.trace_id(),
        correlation_id = %exchange.correlation_id(),
        detail = refused.detail.as_deref(),
    );
    TokenError::new(refused.aadsts, &insertions, &context)
}

/// The error page.
pub(super) fn page<D: Directory>(visit: &Visit<'_, D>, refused: &Refused, names: Names<'_>) -> Response {
    let error = wire_error(visit, refused);
    let view = ErrorView {
        tenant: names.tenant,
        application: names.application,
        code: refused.aadsts.code,
        meaning: error.message().unwrap_or_default(),
        advice: refused.aadsts.who,
        correlation_id: error.correlation_id().unwrap_or_default(),
        trace_id: error.trace_id().unwrap_or_default(),
        time: error.timestamp().unwrap_or_default(),
    };
    // A status of the token endpoint, 401 say, would be a challenge to the browser.
    let status = match refused.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        Some(status) if status != StatusCode::UNAUTHORIZED => status,
        _ => StatusCode::BAD_REQUEST,
    };
    pages::send(status, &pages::error(&view), Policy::Read)
}

/// The error's word as an authorization endpoint may use it (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6): words of
/// the token endpoint mean nothing there.
pub(super) fn word(aadsts: &AadSts) -> &'static str {
    match aadsts.error {
        "invalid_grant" => "interaction_required",
        "invalid_client" => "unauthorized_client",
        "invalid_tenant" => "invalid_request",
        word => word,
    }
}
