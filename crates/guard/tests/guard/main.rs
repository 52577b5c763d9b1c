//! The guard from outside: what a request with this header gets, and what it costs the authority.
//!
//! `aNN_…`, `dNN_…` and `eNN_…` are the lines of the checklist of attacks and faults that belong to the guard; those on a
//! single token's form and claims are the token room's. No test leaves the process: the authority is a fake
//! [`kit::endpoint::Endpoint`], the time a clock that stands still until it is told otherwise.

#![expect(clippy::unwrap_used, reason = "tests")]

mod authorities;
mod bound;
mod bypass;
mod cache;
mod challenges;
mod claims_challenges;
mod codes;
mod decision_log;
mod encrypted;
mod extractors;
mod flood;
mod forged;
mod hooks;
mod keys;
mod kit;
mod layer;
mod outages;
mod policy_file;
mod possession;
mod router;
mod rules;
