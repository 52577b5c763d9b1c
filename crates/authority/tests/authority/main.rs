//! The authority over real HTTPS: what goes in and what comes out.

#![expect(clippy::unwrap_used, reason = "tests")]

mod client_credentials;
mod kit;
