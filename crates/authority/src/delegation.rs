//! What a client may do at one resource in a user's name, as the answer to one request.

use std::sync::Arc;

pub(crate) use countersign_protocol::OidcScopes;

use crate::registry::Resource;

/// A resource, and the delegated permissions at it that are consented to and asked for.
#[derive(Debug)]
pub(crate) struct Delegation {
    pub(crate) resource: Arc<Resource>,
    /// The resource as the request named it: `aud` of a v1.0 token, `resource` of a v1.0 answer.
    pub(crate) resource_name: String,
    /// Values for `scp`, sorted. Never empty, but where the client asks for nothing but an id_token.
    pub(crate) scopes: Vec<String>,
    pub(crate) oidc: OidcScopes,
    /// The answer's member `scope`.
    pub(crate) response_scope: String,
}
