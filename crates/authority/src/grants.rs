//! One grant, one small file: what a client that proved itself may have.

pub(crate) mod client_credentials;
