//! Why a browser's request is refused before anything is looked up, and where the refusal might go.

use std::fmt;

use uuid::Uuid;

use super::{ResponseMode, ResponseTypes};
use crate::aadsts::AadSts;
use crate::claims_request::ClaimsRequestError;
use crate::form::{Form, FormError};
use crate::pkce::PkceError;

/// What is wrong with an authorization request, as far as it tells by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The query or form cannot be read.
    #[error("the request cannot be read")]
    Form(#[source] FormError),
    /// A parameter stands there more than once.
    #[error("the parameter '{0}' stands there more than once")]
    Duplicate(&'static str),
    /// A parameter is absent: `client_id`, `response_type`, or `nonce` where an id_token is asked for.
    #[error("the parameter '{0}' is absent")]
    Missing(&'static str),
    /// `request` or `request_uri` (RFC 9101): not supported, never fetched.
    #[error("the parameter '{0}' is not supported")]
    NotSupported(&'static str),
    /// A `response_type` that Entra does not have.
    #[error("the response_type is not supported")]
    ResponseType(String),
    /// A `response_mode` that does not exist, or `query` for a token.
    #[error("the response_mode is not supported")]
    ResponseMode(String),
    /// A `prompt` that Entra does not have, or more than one.
    #[error("the prompt is not supported")]
    Prompt,
    /// A parameter's value cannot be used.
    #[error("the parameter '{0}' is not valid")]
    Invalid(&'static str),
    /// The code challenge is not one.
    #[error("the code challenge cannot be used")]
    Pkce(#[source] PkceError),
    /// The claims request is not one.
    #[error("the claims request cannot be used")]
    Claims(#[source] ClaimsRequestError),
}

impl AuthorizeError {
    /// What the authority answers.
    #[must_use]
    pub const fn aadsts(&self) -> &'static AadSts {
        match self {
            Self::Form(fault) => fault.aadsts(),
            Self::Duplicate(_) => AadSts::DUPLICATE_PARAMETER,
            Self::Missing(_) => AadSts::MISSING_PARAMETER,
            Self::NotSupported(_) => AadSts::PARAMETER_NOT_SUPPORTED,
            Self::ResponseType(_) => AadSts::UNSUPPORTED_RESPONSE_TYPE,
            Self::ResponseMode(_) => AadSts::UNSUPPORTED_RESPONSE_MODE,
            Self::Prompt => AadSts::UNSUPPORTED_PROMPT,
            Self::Invalid(_) => AadSts::INVALID_PARAMETER,
            Self::Pkce(fault) => fault.aadsts(),
            Self::Claims(fault) => fault.aadsts(),
        }
    }

    /// The insertion that goes with [`aadsts`](Self::aadsts), if its text has one.
    #[must_use]
    pub fn insertion(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Form(_) | Self::Prompt => None,
            Self::Duplicate(name) | Self::Missing(name) | Self::NotSupported(name) | Self::Invalid(name) => {
                Some(("name", name))
            }
            Self::ResponseType(text) => Some(("response_type", text)),
            Self::ResponseMode(text) => Some(("response_mode", text)),
            Self::Pkce(fault) => fault.insertion(),
            Self::Claims(fault) => Some(fault.insertion()),
        }
    }
}

/// Where an answer might go: what was said once, and nothing of what was said twice.
///
/// Not a permission to redirect. `client_id` must be known and `redirect_uri` registered for it first.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyTo {
    /// `client_id`
    pub client_id: Option<String>,
    /// `redirect_uri`
    pub redirect_uri: Option<String>,
    /// `state`, to be sent back as it came.
    pub state: Option<String>,
    /// How the answer is to travel: what was asked for, or the default where that is not allowed.
    pub response_mode: ResponseMode,
    /// `client-request-id`; becomes the correlation id.
    pub client_request_id: Option<Uuid>,
    /// Whether `client_id` or `redirect_uri` stood there more than once, so that no answer may be redirected at all.
    pub is_ambiguous: bool,
}

impl ReplyTo {
    /// Of a request that cannot be read at all.
    pub(super) const fn nowhere() -> Self {
        Self {
            client_id: None,
            redirect_uri: None,
            state: None,
            response_mode: ResponseMode::Query,
            client_request_id: None,
            is_ambiguous: true,
        }
    }

    pub(super) fn read(form: &Form, repeated: &[&'static str]) -> Self {
        let text = |name| form.get(name).map(str::to_owned);
        let types = form.get("response_type").and_then(ResponseTypes::parse).unwrap_or_default();
        let asked = form.get("response_mode").and_then(ResponseMode::parse);
        // No token is ever asked to travel in a query, so neither does the refusal of one.
        let asked = asked.filter(|&mode| mode != ResponseMode::Query || !types.has_token());
        let is_ambiguous = repeated.iter().any(|name| matches!(*name, "client_id" | "redirect_uri"));
        Self {
            client_id: text("client_id").filter(|_| !is_ambiguous),
            redirect_uri: text("redirect_uri").filter(|_| !is_ambiguous),
            state: text("state"),
            response_mode: asked.unwrap_or_else(|| types.default_mode()),
            client_request_id: request_id(form),
            is_ambiguous,
        }
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo")
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri)
            .field("state", &self.state.is_some())
            .field("response_mode", &self.response_mode)
            .field("is_ambiguous", &self.is_ambiguous)
            .finish_non_exhaustive()
    }
}

/// A request that is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct AuthorizeRefusal {
    /// Why.
    pub error: AuthorizeError,
    /// Where the refusal might go.
    pub reply_to: ReplyTo,
}

pub(super) fn request_id(form: &Form) -> Option<Uuid> {
    form.get("client-request-id").and_then(|id| Uuid::try_parse(id).ok())
}
