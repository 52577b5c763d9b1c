//! The JSON shapes of Microsoft Graph v1.0 that describe applications: what travels on the Graph routes, and what an
//! exported tenant is made of.
//!
//! Types here read leniently, as exports are written by many hands: a missing member and `null` mean the same, unknown
//! members are passed over (RFC 6749 §5.1 asks the same of responses; [`Application`] is the typed view of a document
//! that its owner keeps whole). They write strictly: every member that Graph writes, in Graph's order, with `null` for
//! what is not set. They hold no rules about what may be created or changed: those belong to the store and its callers.
//!
//! A secret's text is a [`SecretString`](secrecy::SecretString) and is written out by [`PasswordCredential`] only, which
//! Graph sends exactly once, in the answer to `addPassword`.
//!
//! Source: Microsoft Graph v1.0 resource types `application`, `servicePrincipal`, `appRole`, `permissionScope`,
//! `passwordCredential`, `keyCredential`, `federatedIdentityCredential`, `requiredResourceAccess`, `appRoleAssignment`,
//! `oAuth2PermissionGrant`, `user`.
//!
//! ```
//! use countersign_protocol::graph::Application;
//!
//! let application: Application = serde_json::from_str(
//!     r#"{"appId": "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11", "displayName": "DemoResourceApp",
//!         "appRoles": [{"id": "f8d39977-e31e-460b-b92c-9cef51d14f98", "value": "Resource.Write",
//!                       "allowedMemberTypes": ["Application"], "isEnabled": true}]}"#,
//! )?;
//! assert_eq!(application.app_roles[0].value.as_deref(), Some("Resource.Write"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod application;
mod credential;
mod date_time;
mod grant;
mod permission;
mod principal;
mod wire;

pub use application::{
    Api, Application, ImplicitGrantSettings, InformationalUrl, OptionalClaim, OptionalClaims, PreAuthorizedApplication,
    RedirectUris, SignInAudience, Web,
};
pub use credential::{FederatedIdentityCredential, KeyCredential, PasswordCredential};
pub use date_time::{DateTime, DateTimeError};
pub use grant::{AppRoleAssignment, ConsentType, OAuth2PermissionGrant, PrincipalType};
pub use permission::{
    AllowedMemberType, AppRole, PermissionScope, RequiredResourceAccess, ResourceAccess, ResourceAccessType, ScopeType,
};
pub use principal::{ServicePrincipal, ServicePrincipalType, User};
