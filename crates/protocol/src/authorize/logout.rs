//! The logout request: OpenID Connect RP-Initiated Logout §2, as Entra reads it.
//!
//! `post_logout_redirect_uri` is followed only if it is a registered redirect URI; else the user stays on a page (pitfall
//! B72). Nobody is redirected with an error, so a request that cannot be read is answered on a page too.

use std::fmt;

use secrecy::SecretString;
use uuid::Uuid;

use crate::form::{Form, FormError};

const PARAMETERS: &[&str] = &[
    "client-request-id",
    "client_id",
    "id_token_hint",
    "logout_hint",
    "mkt",
    "post_logout_redirect_uri",
    "state",
    "ui_locales",
];

/// A request to sign out. `Debug` shows neither the hints nor the state.
#[derive(Clone)]
#[non_exhaustive]
pub struct LogoutRequest {
    /// `post_logout_redirect_uri`: where to go afterwards, if it is registered.
    pub post_logout_redirect_uri: Option<String>,
    /// `logout_hint`: the value of the claim `login_hint`; the account to sign out without asking.
    pub logout_hint: Option<String>,
    /// `id_token_hint`: an id_token of the session; its signature is for the authority to check.
    pub id_token_hint: Option<SecretString>,
    /// `client_id`: whose redirect URIs count.
    pub client_id: Option<String>,
    /// `state`, to be sent back as it came.
    pub state: Option<String>,
    /// `client-request-id`. Only a GUID is taken.
    pub client_request_id: Option<Uuid>,
    /// `mkt`, else `ui_locales`: the languages to speak, best first.
    pub languages: Option<String>,
}

impl LogoutRequest {
    /// Reads a query, without its question mark, or a form's body.
    ///
    /// # Errors
    /// [`FormError`], also for a parameter that stands there twice.
    pub fn parse(query_or_form: &[u8]) -> Result<Self, FormError> {
        let form = Form::parse(query_or_form, PARAMETERS)?;
        let text = |name| form.get(name).map(str::to_owned);
        Ok(Self {
            post_logout_redirect_uri: text("post_logout_redirect_uri"),
            logout_hint: text("logout_hint"),
            id_token_hint: form.secret("id_token_hint").cloned(),
            client_id: text("client_id"),
            state: text("state"),
            client_request_id: form.get("client-request-id").and_then(|id| Uuid::try_parse(id).ok()),
            languages: text("mkt").or_else(|| text("ui_locales")),
        })
    }
}

impl fmt::Debug for LogoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutRequest")
            .field("post_logout_redirect_uri", &self.post_logout_redirect_uri)
            .field("logout_hint", &self.logout_hint.is_some())
            .field("id_token_hint", &self.id_token_hint.is_some())
            .field("client_id", &self.client_id)
            .field("state", &self.state.is_some())
            .field("client_request_id", &self.client_request_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_read_and_hidden() {
        let request = LogoutRequest::parse(
            b"post_logout_redirect_uri=https%3A%2F%2Fa.example&logout_hint=opaque&id_token_hint=hunter2&state=s&mkt=de",
        )
        .unwrap();
        assert_eq!(request.post_logout_redirect_uri.as_deref(), Some("https://a.example"));
        assert_eq!((request.logout_hint.as_deref(), request.languages.as_deref()), (Some("opaque"), Some("de")));
        let shown = format!("{request:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("opaque"), "{shown}");
    }

    #[test]
    fn b72_two_addresses_are_none() {
        let body = b"post_logout_redirect_uri=https://a.example&post_logout_redirect_uri=https://b.example";
        assert_eq!(LogoutRequest::parse(body).unwrap_err(), FormError::Duplicate("post_logout_redirect_uri"));
    }
}
