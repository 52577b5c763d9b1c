//! A person who signed in, and what is known of how.

use std::sync::Arc;

use countersign_directory::User;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user of one tenant, with the session that the request goes back to.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) user: Arc<User>,
    pub(crate) session: SessionFacts,
}

/// What a sign-in established. It travels, sealed, in session cookies, codes and refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionFacts {
    /// Claim `sid`.
    pub(crate) id: Uuid,
    /// Claim `auth_time`, seconds since the epoch. What lies before the user's `tokens_valid_from` is revoked.
    pub(crate) auth_time: i64,
    /// Claim `amr` of v1.0 tokens.
    pub(crate) methods: Vec<String>,
    /// Claim `acrs`: the authentication contexts that were satisfied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) contexts: Vec<String>,
}

impl SessionFacts {
    /// A sign-in with a password, now.
    pub(crate) fn by_password(id: Uuid, auth_time: i64) -> Self {
        Self { id, auth_time, methods: vec!["pwd".to_owned()], contexts: Vec::new() }
    }
}
