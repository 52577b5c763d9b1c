//! Writing tokens, and reading back those that were written here.
//!
//! `access_token` is an application's, `user_access_token` a user's, `user_tokens` the whole answer to a user's grant. Each
//! token is one borrowed claim set, serialised once, under a key of the owner that `sign` names. Nothing here decides
//! whether somebody may have a token, and nothing writes to the directory, but for an owner's very first key.

mod access_token;
mod claims;
mod groups;
mod id_token;
mod lifetime;
mod opaque;
mod optional_claims;
mod own_token;
mod pairwise;
pub(crate) mod sealed;
mod sign;
mod user_access_token;
mod user_tokens;

#[cfg(test)]
mod tests;

pub(crate) use access_token::{AppOnlyToken, ClientProof, app_only};
pub(crate) use id_token::{IdToken, id_token};
pub(crate) use own_token::{OwnToken, OwnTokenFault, read_own_token};
pub(crate) use pairwise::pairwise_subject;
pub(crate) use sign::owner_in;
pub(crate) use user_access_token::{UserAccessToken, user_access_token};
pub(crate) use user_tokens::{UserTokens, user_tokens};
