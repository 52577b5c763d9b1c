//! One grant, one small file: what a client that proved itself may have, for itself or in a user's name.
//!
//! Those for users end in `user_grant`: `admission` says whether the user may be let in, `consent` what the client may do.

pub(crate) mod admission;
pub(crate) mod authorization_code;
pub(crate) mod client_credentials;
pub(crate) mod consent;
pub(crate) mod device_code;
mod device_message;
pub(crate) mod digest;
pub(crate) mod on_behalf_of;
pub(crate) mod password;
mod redemption;
pub(crate) mod refresh_token;
pub(crate) mod resource_owner_password;
mod user_grant;
