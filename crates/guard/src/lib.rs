//! Lets a request in or turns it away.
//!
//! An API adds a [`Guard`] and forgets it: the guard reads the one `Authorization: Bearer` header, verifies the token with
//! the authority's keys, applies the [`Policy`], and hands a typed caller on. It answers 401 or 403 with a
//! `WWW-Authenticate` as RFC 6750 §3 wants it, and 503 when it has no keys to decide with.
//!
//! It has no switch that skips a check, takes no token from a query or a body, and lets nobody in where nothing was said:
//! a route without a permission keeps [`GuardedRouter`] from starting.
//!
//! - [`Verifier`] is the decision alone, for any transport.
//! - [`GuardLayer`] is the decision as a `tower` layer, for any server that speaks `http` types.
//! - [`GuardedRouter`] and [`Caller`] are the same for axum.
//! - [`GuardLayer::grpc`] is the same for gRPC; with the feature `tonic` there is `GuardInterceptor` besides.
//! - `GuardMiddleware` is the same for actix-web 4, with the feature `actix-web`.
//! - `GuardedHyperService` is the same for a plain hyper service, with the feature `hyper`.
//! - [`Guard::check`] is the decision by headers alone, for every other server.
//! - [`PolicyFile`] keeps a guard's policy in step with a file; [`DevelopmentBypass`] stands in for callers on a laptop.
//!
//! ```
//! use axum::routing::get;
//! use countersign_discovery::KeySource;
//! use countersign_guard::{AppRole, Caller, Guard, GuardedRouter, Permission, Policy};
//! use countersign_token::KeySet;
//!
//! struct OrdersRead;
//! impl AppRole for OrdersRead {
//!     const VALUE: &'static str = "Orders.Read";
//! }
//!
//! async fn list(caller: Caller<OrdersRead>) -> String {
//!     format!("hello, {}", caller.client())
//! }
//!
//! let policy: Policy = serde_json::from_str(r#"{
//!     "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
//!     "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
//!     "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"]
//! }"#)?;
//! let keys = KeySource::fixed(KeySet::parse(br#"{"keys":[]}"#)?);
//! let guard = Guard::builder(keys, &policy)?.build();
//!
//! let app = GuardedRouter::new(guard.clone())
//!     .route("/orders", get(list)).requires(Permission::any_app_role(["Orders.Read"]))
//!     .into_router()?;
//! # let _: axum::Router = app;
//!
//! // A route that nobody gave a permission does not start.
//! let forgotten = GuardedRouter::<()>::new(guard).route("/orders", get(list)).into_router();
//! assert_eq!(forgotten.unwrap_err().to_string(), "routes without a permission: /orders");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "actix-web")]
mod actix;
mod answer;
mod binding;
mod bypass;
#[cfg(feature = "axum")]
mod caller;
mod caller_rejection;
mod credential;
mod decision_log;
mod forge;
mod guard;
mod hooks;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tonic")]
mod interceptor;
mod layer;
mod metadata;
mod metrics;
mod policy_file;
mod refusal;
#[cfg(feature = "axum")]
mod router;
mod rule;
#[cfg(feature = "test-kit")]
pub mod test_kit;
mod text_digest;
mod verdict_cache;
mod verifier;

#[cfg(feature = "hyper")]
pub use self::hyper::GuardedHyperService;
#[cfg(feature = "actix-web")]
pub use actix::{GuardMiddleware, GuardedActixService};
pub use answer::Answer;
#[cfg(feature = "proof-of-possession")]
pub use binding::ProofPolicy;
pub use binding::{BindingError, CertificateForm, ClientCertificate, RequestTarget, TrustedProxy};
pub use bypass::{BypassError, DevelopmentBypass};
#[cfg(feature = "axum")]
pub use caller::{AppRole, ByScope, Caller, Requirement, Scope};
pub use caller_rejection::CallerRejection;
pub use countersign_token::policy::{ClientAuthentication, Guests, Permission};
pub use countersign_token::{Claims, Policy, PolicyError, Rejection, TokenKind, Verified};
pub use credential::CredentialError;
pub use forge::ForgeError;
pub use guard::{Guard, GuardBuilder};
pub use hooks::GroupResolver;
#[cfg(feature = "tonic")]
pub use interceptor::GuardInterceptor;
pub use layer::{GuardFuture, GuardLayer, GuardService, VerifiedCaller};
pub use metadata::ResourceMetadata;
pub use policy_file::{PolicyFile, PolicyFileError, Reload};
pub use refusal::Refusal;
#[cfg(feature = "axum")]
pub use router::{GuardedRouter, PendingRoute, StartError};
pub use rule::{Predicate, Rule};
pub use verifier::{RegisteredRule, Verifier, VerifierBuilder};
