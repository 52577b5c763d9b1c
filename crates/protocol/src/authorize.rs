//! The authorization endpoint and its neighbours: what a browser brings, and what it is sent away with.
//!
//! A browser's request comes from anybody. So the one thing that must never happen is an answer, not even an error, sent to
//! a redirect URI that is not registered for the client: a refusal carries what would be needed to redirect it
//! ([`ReplyTo`]), and only of parameters that stood there once. The authority looks the client up, matches the URI
//! ([`crate::RedirectUris::find`]), and shows a page where either fails (pitfall B37).
//!
//! - [`AuthorizeRequest`], [`AuthorizeResponse`]: RFC 6749 §4.1 and §4.2, OpenID Connect Core §3, RFC 7636
//! - [`AdminConsentRequest`], [`AdminConsentResponse`]: Entra's consent of an administrator
//! - [`LogoutRequest`]: OpenID Connect RP-Initiated Logout

mod admin_consent;
mod logout;
mod refusal;
mod request;
mod response;
mod response_type;

pub use admin_consent::{AdminConsentRequest, AdminConsentResponse};
pub use logout::LogoutRequest;
pub use refusal::{AuthorizeError, AuthorizeRefusal, ReplyTo};
pub use request::{AuthorizeRequest, Prompt};
pub use response::{AuthorizeFailure, AuthorizeResponse, AuthorizeSuccess, Delivery};
pub use response_type::{ResponseMode, ResponseTypes};
