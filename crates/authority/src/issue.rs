//! Writing tokens.

mod access_token;
mod opaque;

pub(crate) use access_token::{AppOnlyToken, ClientProof, LIFETIME_SECONDS, app_only};
