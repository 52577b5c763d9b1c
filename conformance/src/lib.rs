//! Tests of the whole house: what it says on the wire, and whether programs that somebody else wrote believe it.
//!
//! The rooms share their wire types, so they could drift away from Entra together and never notice. Here stand the
//! witnesses that share nothing with them: Microsoft's own clients and the token validators people use, unmodified, as
//! child processes ([`clients`]); requests written byte by byte ([`wire`]); recordings of the real service. This library
//! is what those tests have in common; the tests are in `tests/`.
//!
//! It refuses to skip in silence: without its environment (`cargo xtask environment`) a test fails and says so. Only what
//! lives outside the repository, the recordings, may be absent, and then the test says that it was skipped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "everything here is a test's scaffolding: a surprise ends it"
)]

pub mod clients;
pub mod concierge;
pub mod contoso;
pub mod credentials;
pub mod elsewhere;
pub mod person;
pub mod site;
pub mod tokens;
pub mod wire;
