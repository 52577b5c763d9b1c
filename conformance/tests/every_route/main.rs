//! All routes as nobody and as the wrong caller, and everything that a hostile or broken sender may do to them.
//!
//! Whatever arrives, the answer is Entra's JSON error with a status of the caller's fault: no 5xx, no HTML, nothing of
//! what was sent but what the error is about. What is not even HTTP, or never ends, is cut off.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bounds;
mod malformed;
mod refusal;
mod routes;
