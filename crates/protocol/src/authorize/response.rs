//! The authorization response, in a query, in a fragment, or as the fields of a form.
//!
//! Parameters stand in Entra's order. `iss` (RFC 9207), which Entra does not send, is written only if it is set.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::ResponseMode;
use crate::error::TokenError;
use crate::form::FormEncoder;

/// What a client gets that is let in. `Debug` shows neither code nor token.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizeSuccess {
    /// `code`
    pub code: Option<SecretString>,
    /// `access_token`; `token_type` goes with it.
    pub access_token: Option<SecretString>,
    /// `expires_in` of the access token, in seconds.
    pub expires_in: Option<u64>,
    /// `scope` of the access token.
    pub scope: Option<String>,
    /// `id_token`
    pub id_token: Option<SecretString>,
    /// `state`, as it came.
    pub state: Option<String>,
    /// `session_state`: the browser's session at this authority (OpenID Connect Session Management §3).
    pub session_state: Option<Uuid>,
    /// `client_info`, if it was asked for; see [`crate::ClientInfo`].
    pub client_info: Option<String>,
    /// `iss` (RFC 9207 §2).
    pub iss: Option<String>,
}

/// What a client gets that is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizeFailure {
    /// `error`
    pub error: String,
    /// `error_subcode`: `cancel`, when the user pressed it.
    pub error_subcode: Option<String>,
    /// `error_description`
    pub error_description: Option<String>,
    /// `error_uri`
    pub error_uri: Option<String>,
    /// `suberror`
    pub suberror: Option<String>,
    /// `claims`: a claims challenge, JSON text.
    pub claims: Option<String>,
    /// `state`, as it came.
    pub state: Option<String>,
    /// `iss` (RFC 9207 §2).
    pub iss: Option<String>,
}

impl AuthorizeFailure {
    /// Says what an error body would say.
    #[must_use]
    pub fn new(error: &TokenError, state: Option<String>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            error: error.error().to_owned(),
            error_subcode: None,
            error_description: owned(error.description()),
            error_uri: owned(error.error_uri()),
            suberror: owned(error.suberror()),
            claims: owned(error.claims()),
            state,
            iss: None,
        }
    }

    /// Adds `error_subcode=cancel`: the user pressed it.
    #[must_use]
    pub fn cancelled(mut self) -> Self {
        self.error_subcode = Some("cancel".to_owned());
        self
    }
}

/// Either.
#[derive(Debug, Clone)]
pub enum AuthorizeResponse {
    /// Let in.
    Success(Box<AuthorizeSuccess>),
    /// Turned away.
    Failure(Box<AuthorizeFailure>),
}

impl From<AuthorizeSuccess> for AuthorizeResponse {
    fn from(success: AuthorizeSuccess) -> Self {
        Self::Success(Box::new(success))
    }
}

impl From<AuthorizeFailure> for AuthorizeResponse {
    fn from(failure: AuthorizeFailure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl AuthorizeResponse {
    /// The parameters in their order, for whoever writes them. They hold codes and tokens.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut out = Vec::with_capacity(8);
        let mut push = |name, value: Option<&str>| out.extend(value.map(|value| (name, value.to_owned())));
        match self {
            Self::Success(success) => {
                let secret = |text: &Option<SecretString>| text.as_ref().map(|text| text.expose_secret().to_owned());
                push("code", secret(&success.code).as_deref());
                push("access_token", secret(&success.access_token).as_deref());
                if success.access_token.is_some() {
                    push("token_type", Some("Bearer"));
                    push("expires_in", success.expires_in.map(|seconds| seconds.to_string()).as_deref());
                    push("scope", success.scope.as_deref());
                }
                push("id_token", secret(&success.id_token).as_deref());
                push("state", success.state.as_deref());
                push("session_state", success.session_state.map(|id| id.to_string()).as_deref());
                push("client_info", success.client_info.as_deref());
                push("iss", success.iss.as_deref());
            }
            Self::Failure(failure) => {
                push("error", Some(&failure.error));
                push("error_subcode", failure.error_subcode.as_deref());
                push("error_description", failure.error_description.as_deref());
                push("error_uri", failure.error_uri.as_deref());
                push("suberror", failure.suberror.as_deref());
                push("claims", failure.claims.as_deref());
                push("state", failure.state.as_deref());
                push("iss", failure.iss.as_deref());
            }
        }
        out
    }

    /// How the browser is to bring the answer to `redirect_uri`, which must have matched a registered one.
    #[must_use]
    pub fn deliver(&self, redirect_uri: &str, mode: ResponseMode) -> Delivery {
        deliver(redirect_uri, mode, self.parameters())
    }
}

/// An answer on its way through the browser. `Debug` shows no parameter of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A `Location` header, to be sent with 302 or 303.
    Location(String),
    /// A page with a form that posts itself.
    FormPost {
        /// Where to.
        action: String,
        /// Names and values of its hidden fields, not escaped.
        fields: Vec<(&'static str, String)>,
    },
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location(_) => f.write_str("Location([redacted])"),
            Self::FormPost { action, fields } => f
                .debug_struct("FormPost")
                .field("action", action)
                .field("fields", &fields.iter().map(|(name, _)| *name).collect::<Vec<_>>())
                .finish(),
        }
    }
}

pub(super) fn deliver(redirect_uri: &str, mode: ResponseMode, fields: Vec<(&'static str, String)>) -> Delivery {
    let separator = match mode {
        ResponseMode::FormPost => return Delivery::FormPost { action: redirect_uri.to_owned(), fields },
        ResponseMode::Fragment => "#",
        ResponseMode::Query if redirect_uri.ends_with(['?', '&']) => "",
        ResponseMode::Query if redirect_uri.contains('?') => "&",
        ResponseMode::Query => "?",
    };
    let encoded = fields.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value)).finish();
    // What the encoder writes is ASCII.
    let encoded = String::from_utf8(encoded).unwrap_or_default();
    Delivery::Location(format!("{redirect_uri}{separator}{encoded}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AadSts, AuthorityHost, ErrorContext};

    fn success() -> AuthorizeResponse {
        AuthorizeSuccess {
            code: Some(SecretString::from("1.AXoA+/=")),
            id_token: Some(SecretString::from("dddd.eeee.ffff")),
            state: Some("a b&c=d#é".to_owned()),
            session_state: Some(Uuid::from_u128(1)),
            ..AuthorizeSuccess::default()
        }
        .into()
    }

    #[test]
    fn the_answer_goes_where_the_mode_says() {
        let tail = "code=1.AXoA%2B%2F%3D&id_token=dddd.eeee.ffff&state=a+b%26c%3Dd%23%C3%A9\
            &session_state=00000000-0000-0000-0000-000000000001";
        for (uri, mode, expected) in [
            ("https://a.example/cb", ResponseMode::Query, format!("https://a.example/cb?{tail}")),
            ("https://a.example/cb?x=1", ResponseMode::Query, format!("https://a.example/cb?x=1&{tail}")),
            ("https://a.example/cb?", ResponseMode::Query, format!("https://a.example/cb?{tail}")),
            ("https://a.example/cb?x=1", ResponseMode::Fragment, format!("https://a.example/cb?x=1#{tail}")),
        ] {
            assert_eq!(success().deliver(uri, mode), Delivery::Location(expected), "{uri}");
        }
        let Delivery::FormPost { action, fields } = success().deliver("https://a.example/cb", ResponseMode::FormPost)
        else {
            panic!("form_post makes a form")
        };
        assert_eq!(action, "https://a.example/cb");
        assert_eq!(fields[2], ("state", "a b&c=d#é".to_owned()));
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn nothing_that_can_be_redeemed_is_shown() {
        let location = success().deliver("https://a.example/cb", ResponseMode::Query);
        let form = success().deliver("https://a.example/cb", ResponseMode::FormPost);
        for shown in [format!("{:?}", success()), format!("{location:?}"), format!("{form:?}")] {
            assert!(!shown.contains("AXoA") && !shown.contains("dddd"), "{shown}");
        }
    }

    #[test]
    fn an_access_token_brings_its_members_along() {
        let response = AuthorizeResponse::from(AuthorizeSuccess {
            access_token: Some(SecretString::from("aaaa.bbbb.cccc")),
            expires_in: Some(3599),
            scope: Some("openid User.Read".to_owned()),
            iss: Some("https://localhost:8443/x/v2.0".to_owned()),
            ..AuthorizeSuccess::default()
        });
        let names: Vec<&str> = response.parameters().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["access_token", "token_type", "expires_in", "scope", "iss"]);
    }

    #[test]
    fn a_refusal_says_what_a_body_would_say() {
        let authority = AuthorityHost::parse("https://localhost:8443").unwrap();
        let context = ErrorContext {
            trace_id: Uuid::from_u128(1),
            correlation_id: Uuid::from_u128(2),
            timestamp: countersign_token::Timestamp::from_unix_seconds(1_769_853_600),
            authority: &authority,
        };
        let error = TokenError::new(AadSts::CONSENT_DECLINED, &[], &context);
        let failure = AuthorizeFailure::new(&error, Some("s".to_owned())).cancelled();
        let response = AuthorizeResponse::from(failure);
        let parameters = response.parameters();
        let get = |name| parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(
            (get("error"), get("error_subcode"), get("state")),
            (Some("access_denied"), Some("cancel"), Some("s"))
        );
        assert!(get("error_description").unwrap().starts_with("AADSTS65004: User declined"));
        assert_eq!(get("error_uri"), Some("https://localhost:8443/error?code=65004"));
    }
}
