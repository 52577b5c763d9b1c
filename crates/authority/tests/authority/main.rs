//! The authority over real HTTPS: what goes in and what comes out.

#![expect(clippy::unwrap_used, reason = "tests")]

mod assertion_dialects;
mod assertions;
mod bounds;
mod client_credentials;
mod discovery;
mod forge;
mod keys;
mod kit;
mod lab;
mod paths;
mod raw;
mod secrecy;
mod secrets;
mod storage;
mod verification;
