//! A person.

use std::fmt;

use countersign_token::{ObjectId, TenantId, Timestamp};

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
    /// Whether the user belongs to the tenant or is invited into it.
    pub user_type: UserType,
    /// Whether the user may sign in (AADSTS50057).
    pub account_enabled: bool,
    /// Whether the user may consent for the whole organisation.
    pub is_administrator: bool,
    /// Whether the password must be changed before anything else (AADSTS50055).
    pub password_expired: bool,
    /// Whether a password alone is not enough (AADSTS50076, AADSTS50079).
    pub mfa_required: bool,
    /// Whether a policy of the tenant keeps the user from getting tokens (AADSTS53003).
    pub blocked_by_policy: bool,
    /// Sessions and refresh tokens from before this time are worth nothing (AADSTS50173). The epoch, unless somebody
    /// revoked them.
    pub tokens_valid_from: Timestamp,
    /// `None`: no password signs this user in.
    pub password_hash: Option<PasswordHash>,
}

impl User {
    /// An enabled member without password, about whom nothing special is known.
    ///
    /// ```
    /// use countersign_directory::User;
    ///
    /// let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?;
    /// let alice = User::new("11111111-1111-4111-8111-111111111111".parse()?, tenant, "alice@contoso.com");
    /// let alice = User { display_name: "Alice".to_owned(), is_administrator: true, ..alice };
    /// assert!(alice.account_enabled && !alice.mfa_required);
    /// # Ok::<(), countersign_token::IdError>(())
    /// ```
    #[must_use]
    pub fn new(object_id: ObjectId, tenant: TenantId, user_principal_name: impl Into<String>) -> Self {
        let user_principal_name = user_principal_name.into();
        Self {
            object_id,
            tenant,
            display_name: user_principal_name.clone(),
            user_principal_name,
            given_name: None,
            surname: None,
            mail: None,
            user_type: UserType::Member,
            account_enabled: true,
            is_administrator: false,
            password_expired: false,
            mfa_required: false,
            blocked_by_policy: false,
            tokens_valid_from: Timestamp::from_unix_seconds(0),
            password_hash: None,
        }
    }
}

/// How a user came into the tenant: Graph's `userType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UserType {
    /// One of its own.
    #[default]
    Member,
    /// Invited; claim `acct` is 1.
    Guest,
}

impl UserType {
    /// Graph's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::Guest => "Guest",
        }
    }

    /// Reads Graph's word, exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Guest].into_iter().find(|kind| kind.as_str() == name)
    }
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
