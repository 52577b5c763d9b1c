//! A person.

use std::fmt;

use countersign_token::{ObjectId, TenantId};

/// A user of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The object id: claim `oid` of delegated tokens.
    pub object_id: ObjectId,
    /// The home tenant.
    pub tenant: TenantId,
    /// The sign-in name; unique in the tenant without regard to case. It may change, so it identifies nobody.
    pub user_principal_name: String,
    /// Name for people.
    pub display_name: String,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub surname: Option<String>,
    /// Mail address; never an identity.
    pub mail: Option<String>,
    /// Whether the user may sign in (AADSTS50057).
    pub account_enabled: bool,
    /// `None`: no password signs this user in.
    pub password_hash: Option<PasswordHash>,
}

/// A password's hash as a PHC string. `Debug` shows none of it: a slow hash delays guessing, it does not prevent it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$…`.
    #[must_use]
    pub fn from_phc(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The PHC string.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}
