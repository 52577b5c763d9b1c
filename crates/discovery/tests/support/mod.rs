//! What the integration tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of this")]

pub(crate) mod endpoint;
pub(crate) mod tls;
