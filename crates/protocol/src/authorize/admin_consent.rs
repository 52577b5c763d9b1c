//! Consent of an administrator for a whole tenant: `/{tenant}/adminconsent` and `/{tenant}/v2.0/adminconsent`.
//!
//! v2.0 says which permissions (`scope`), v1.0 means those of the registration. The answers are Entra's own: `True` has a
//! capital letter, and v2.0 sends `admin_consent=True` even with an error.

use countersign_token::TenantId;
use uuid::Uuid;

use super::ResponseMode;
use super::refusal::{AuthorizeError, AuthorizeRefusal, ReplyTo};
use super::response::{Delivery, deliver};
use crate::form::Form;
use crate::version::EndpointVersion;

const PARAMETERS: &[&str] = &["client-request-id", "client_id", "mkt", "redirect_uri", "scope", "state"];

/// A request for the consent of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminConsentRequest {
    /// `client_id`
    pub client_id: String,
    /// `redirect_uri`; without one the only registered one is meant.
    pub redirect_uri: Option<String>,
    /// `scope` (v2.0): of one resource, `{resource}/.default` for those of the registration.
    pub scope: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `client-request-id`. Only a GUID is taken.
    pub client_request_id: Option<Uuid>,
    /// `mkt`: the language to speak.
    pub languages: Option<String>,
}

impl AdminConsentRequest {
    /// Reads a query, without its question mark.
    ///
    /// # Errors
    /// [`AuthorizeRefusal`], as [`AuthorizeRequest::parse`](super::AuthorizeRequest::parse). v2.0 without `scope` is
    /// [`AuthorizeError::Missing`].
    ///
    /// Source: Admin consent on the Microsoft identity platform.
    pub fn parse(query: &[u8], version: EndpointVersion) -> Result<Self, Box<AuthorizeRefusal>> {
        let (form, repeated) = Form::parse_noting(query, PARAMETERS).map_err(|fault| {
            let reply_to = ReplyTo::nowhere();
            Box::new(AuthorizeRefusal { error: AuthorizeError::Form(fault), reply_to })
        })?;
        let reply_to = ReplyTo::read(&form, &repeated);
        let text = |name| form.get(name).map(str::to_owned);
        let error = match (repeated.first(), &reply_to.client_id, form.get("scope")) {
            (Some(&name), _, _) => AuthorizeError::Duplicate(name),
            (None, None, _) => AuthorizeError::Missing("client_id"),
            (None, Some(_), None) if version == EndpointVersion::V2 => AuthorizeError::Missing("scope"),
            (None, Some(client_id), _) => {
                return Ok(Self {
                    client_id: client_id.clone(),
                    redirect_uri: text("redirect_uri"),
                    scope: text("scope"),
                    state: text("state"),
                    client_request_id: reply_to.client_request_id,
                    languages: text("mkt"),
                });
            }
        };
        Err(Box::new(AuthorizeRefusal { error, reply_to }))
    }
}

/// The answer to the client, always in the redirect URI's query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminConsentResponse {
    /// The administrator consented.
    Granted {
        /// The tenant for which.
        tenant: TenantId,
        /// What was granted, as full names parted by blanks (v2.0 only).
        scope: Option<String>,
        /// `state`, as it came.
        state: Option<String>,
    },
    /// The administrator declined.
    Declined {
        /// `state`, as it came.
        state: Option<String>,
    },
}

impl AdminConsentResponse {
    /// The `Location` that brings the answer to `redirect_uri`, which must have matched a registered one.
    #[must_use]
    pub fn deliver(&self, redirect_uri: &str, version: EndpointVersion) -> Delivery {
        let mut fields: Vec<(&'static str, String)> = Vec::with_capacity(4);
        let text = str::to_owned;
        let state = match self {
            Self::Granted { tenant, scope, state } => {
                match version {
                    EndpointVersion::V1 => {
                        fields.push(("tenant", tenant.to_string()));
                    }
                    EndpointVersion::V2 => {
                        fields.push(("admin_consent", text("True")));
                        fields.push(("tenant", tenant.to_string()));
                        fields.extend(scope.iter().map(|scope| ("scope", scope.clone())));
                    }
                }
                state
            }
            Self::Declined { state } => {
                match version {
                    EndpointVersion::V1 => {
                        fields.push(("error", text("permission_denied")));
                        fields.push(("error_description", text("The admin canceled the request")));
                    }
                    EndpointVersion::V2 => {
                        const DENIED: &str =
                            "AADSTS65004: The resource owner or authorization server denied the request.";
                        fields.push(("admin_consent", text("True")));
                        fields.push(("error", text("consent_required")));
                        fields.push(("error_description", text(DENIED)));
                    }
                }
                state
            }
        };
        fields.extend(state.iter().map(|state| ("state", state.clone())));
        if version == EndpointVersion::V1 && matches!(self, Self::Granted { .. }) {
            fields.push(("admin_consent", text("True")));
        }
        deliver(redirect_uri, ResponseMode::Query, fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: EndpointVersion = EndpointVersion::V1;
    const V2: EndpointVersion = EndpointVersion::V2;

    #[test]
    fn v2_needs_a_scope_and_v1_does_not() {
        let query = b"client_id=abc&state=12345&redirect_uri=https%3A%2F%2Fa.example%2Fp";
        let read = AdminConsentRequest::parse(query, V1).unwrap();
        assert_eq!((read.client_id.as_str(), read.state.as_deref()), ("abc", Some("12345")));
        let refusal = AdminConsentRequest::parse(query, V2).unwrap_err();
        assert_eq!(refusal.error, AuthorizeError::Missing("scope"));
        assert_eq!(refusal.reply_to.redirect_uri.as_deref(), Some("https://a.example/p"));
        let refusal = AdminConsentRequest::parse(b"state=1", V1).unwrap_err();
        assert_eq!(refusal.error, AuthorizeError::Missing("client_id"));
        let refusal = AdminConsentRequest::parse(b"client_id=%zz", V1).unwrap_err();
        assert!(matches!(refusal.error, AuthorizeError::Form(_)));
    }

    #[test]
    fn b38_a_repeated_parameter_is_refused() {
        let refusal = AdminConsentRequest::parse(b"client_id=a&redirect_uri=b&redirect_uri=c", V1).unwrap_err();
        assert_eq!(refusal.error, AuthorizeError::Duplicate("redirect_uri"));
        assert!(refusal.reply_to.is_ambiguous && refusal.reply_to.client_id.is_none());
    }

    #[test]
    fn the_answers_are_entras() {
        let tenant: TenantId = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap();
        let state = Some("1 2".to_owned());
        let granted = AdminConsentResponse::Granted {
            tenant,
            scope: Some("https://graph.microsoft.com/User.Read".to_owned()),
            state: state.clone(),
        };
        let declined = AdminConsentResponse::Declined { state };
        for (response, version, expected) in [
            (&granted, V1, "tenant=6babcaad-604b-40ac-a9d7-9fd97c0b779f&state=1+2&admin_consent=True"),
            (
                &granted,
                V2,
                "admin_consent=True&tenant=6babcaad-604b-40ac-a9d7-9fd97c0b779f\
                 &scope=https%3A%2F%2Fgraph.microsoft.com%2FUser.Read&state=1+2",
            ),
            (&declined, V1, "error=permission_denied&error_description=The+admin+canceled+the+request&state=1+2"),
            (
                &declined,
                V2,
                "admin_consent=True&error=consent_required&error_description=AADSTS65004%3A+The+resource+owner+or+\
                 authorization+server+denied+the+request.&state=1+2",
            ),
        ] {
            let location = response.deliver("https://a.example/p", version);
            assert_eq!(location, Delivery::Location(format!("https://a.example/p?{expected}")));
        }
    }
}
