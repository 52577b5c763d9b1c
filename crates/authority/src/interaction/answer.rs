//! The answer of an authorization endpoint on its way to the redirect URI: by a redirect, or by a form that posts itself.

use axum::response::Response;
use countersign_protocol::authorize::Delivery;
use http::StatusCode;

use super::fault::Names;
use super::visit::see_other;
use crate::pages::{FormPostView, Policy, form_post, send};

/// Sends the browser to the client with its answer.
pub(super) fn deliver(delivery: &Delivery, names: Names<'_>) -> Response {
    let (to, fields): (&str, Vec<(&str, &str)>) = match delivery {
        Delivery::Location(to) => match see_other(to) {
            Some(response) => return response,
            // No registered URI comes here: the page says that there is no way on.
            None => ("", Vec::new()),
        },
        Delivery::FormPost { action, fields } => {
            (action, fields.iter().map(|(name, value)| (*name, value.as_str())).collect())
        }
    };
    let view = FormPostView { tenant: names.tenant, application: names.application, redirect_uri: to, fields: &fields };
    send(StatusCode::OK, &form_post(&view), Policy::Post { to })
}
