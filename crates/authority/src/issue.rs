//! Writing tokens.

mod access_token;
mod opaque;
pub(crate) mod sealed;

pub(crate) use access_token::{AppOnlyToken, ClientProof, LIFETIME_SECONDS, app_only};
