//! The checklist of attacks on access tokens, line by line: `aNN_…` is line ANN, and every refusal is expected by name.
//!
//! Lines that need a request or a cache belong to the guard and are tested there: A32 (unknown `kid` at a high rate),
//! A99 in part (`Bearer Bearer`, oversized headers), A100 (two `Authorization` headers), A101 and A102 (cached
//! verdicts), A104 (claims challenges of continuous access evaluation).

#![expect(clippy::unwrap_used, reason = "tests")]

mod algorithms;
mod audiences;
mod form;
mod genuine;
mod issuers;
mod json;
mod key_choice;
mod keys;
mod kinds;
mod paddings;
mod permissions;
mod secrecy;
mod signatures;
mod times;

#[path = "../kit/mod.rs"]
mod kit;
