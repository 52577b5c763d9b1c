//! Guards what comes in and authenticates what goes out, for services in any language.
//!
//! A process beside the service, on loopback only. A proxy (nginx `auth_request`, Envoy `ext_authz` over HTTP) asks
//! `/validate` whether a request may pass and gets the verified caller in response headers. The service asks
//! `/authorization-header/{api}` for the header of a call it is about to make, to one of the APIs that the configuration
//! lists; it never names a resource itself.
//!
//! What it refuses: addresses other than loopback, callers who do not know its custom header (a browser that was led here),
//! `Host` names that are not this machine's (DNS rebinding), forwarded requests, and APIs that are not listed.
//!
//! Read on in [`Config`] for the file, in [`router`] for the routes.

mod app;
mod config;
mod outbound;
mod validate;

pub use app::{RunError, router, run};
pub use config::{ClientConfig, Config, ConfigError, DownstreamApi};

/// The header that a caller of `/authorization-header/{api}` must send, with the value `1`: no browser sends it across
/// origins without asking first, and nobody answers the asking.
pub const REQUEST_HEADER: &str = "x-countersign-request";
