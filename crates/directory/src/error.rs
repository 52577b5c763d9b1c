//! What can go wrong between a caller and the store.

use std::error::Error;
use std::fmt;

/// The cause below a [`StoreError`], without its type: nothing above this room sees the database driver.
type Cause = Box<dyn Error + Send + Sync>;

/// A failed operation of a store.
///
/// Texts name kinds of records and never their contents, so they may be logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else held the database for longer than we wait. Worth another try; answer 503 until then.
    #[error("the database is busy")]
    Busy(#[source] Cause),
    /// The file is not one of ours, or it is damaged: a record cannot be read as what it should be.
    #[error("the database is damaged or not a directory: {what}")]
    Corrupt {
        /// What could not be read.
        what: String,
        /// The driver's or parser's words, where there are any.
        #[source]
        source: Option<Cause>,
    },
    /// A later version of this program has written the database; this one would misread it.
    #[error("the database has schema version {found}, and this program knows versions up to {known}")]
    NewerSchema {
        /// The database's version.
        found: i64,
        /// This program's version.
        known: i64,
    },
    /// What should say where the database is does not, or asks for what is not offered. Nobody was asked yet.
    #[error("the database's address cannot be used: {0}")]
    Address(&'static str),
    /// A record with the same key exists already.
    #[error("{0} exists already")]
    AlreadyExists(Record),
    /// A record that this one needs, or that was to be changed, does not exist.
    #[error("there is no such {0}")]
    NotFound(Record),
    /// A record that belongs to the directory itself, as Microsoft Graph does, cannot be removed.
    #[error("this {0} cannot be removed")]
    Permanent(Record),
    /// This kind of database does not offer the operation.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The storage below the database failed: no space, no permission, no such folder, a broken disk.
    #[error("the storage failed")]
    Io(#[source] Cause),
    /// The database refused for a reason that none of the other variants names.
    #[error("the database refused the operation")]
    Database(#[source] Cause),
}

impl StoreError {
    /// A record that does not read back as what was stored.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), source: None }
    }
}

/// The kind of record that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Record {
    /// A tenant.
    Tenant,
    /// A domain name of a tenant.
    Domain,
    /// An application registration.
    Application,
    /// An identifier URI of an application in a tenant.
    IdentifierUri,
    /// A service principal, or its name.
    ServicePrincipal,
    /// A client secret.
    ClientSecret,
    /// A certificate.
    ClientCertificate,
    /// A federated credential.
    FederatedCredential,
    /// An app role of a resource.
    AppRole,
    /// The assignment of an app role.
    AppRoleAssignment,
    /// A delegated permission grant.
    PermissionGrant,
    /// A signing key.
    SigningKey,
    /// A user.
    User,
    /// A group.
    Group,
    /// A member of a group.
    GroupMember,
    /// A family of refresh tokens.
    RefreshFamily,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Domain => "domain",
            Self::Application => "application",
            Self::IdentifierUri => "identifier URI",
            Self::ServicePrincipal => "service principal",
            Self::ClientSecret => "client secret",
            Self::ClientCertificate => "certificate",
            Self::FederatedCredential => "federated credential",
            Self::AppRole => "app role",
            Self::AppRoleAssignment => "app role assignment",
            Self::PermissionGrant => "permission grant",
            Self::SigningKey => "signing key",
            Self::User => "user",
            Self::Group => "group",
            Self::GroupMember => "group member",
            Self::RefreshFamily => "family of refresh tokens",
        })
    }
}
