//! Every recorded exchange with the real service is parsed with the type of its topic, and the relations that hold
//! between catalogue, encoders and recordings are asserted.
//!
//! The recordings are shared material outside this project, found through `COUNTERSIGN_SHARED` (default: `../shared` beside
//! the workspace). Where they are absent the tests say so and pass. Their README says what each member means and which
//! traces of the recorders to overlook.

#![expect(clippy::unwrap_used, reason = "tests")]

mod challenge;
mod discovery;
mod line;
mod managed_identity;
mod token;
