//! What is kept: tenants, applications, service principals, users, grants and keys.
//!
//! This room owns the SQL and lets none of it out: what is above sees [`Directory`], a [`Transaction`] with small traits
//! named for what is kept, and plain values. It stores no secret in clear: of a client secret a keyed hash, of a signing
//! key the sealed private part, of a password whatever hash the caller made. It decides what may exist together (unique
//! names, roles that are declared, everything within one tenant) and nothing about who may ask for it.
//!
//! - [`SqliteDirectory`] keeps it in a file or in memory, [`PostgresDirectory`] in a database that replicas share.
//! - [`Ledger`] settles once what several replicas are asked: codes, replays, refresh families, device codes.
//! - [`DirectoryFile`] reads a tenant from JSON or YAML and [loads](DirectoryFile::load) it in one transaction.
//! - [`Revision`] tells caches above when to look again.
//!
//! ```
//! use countersign_directory::{Applications, Commit, Directory, Grants, ServicePrincipals, SqliteDirectory, Tenant, Tenants};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let directory = SqliteDirectory::in_memory().await?;
//! let tenant = Tenant::new("6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?, "Contoso").with_domain("contoso.com");
//!
//! let mut tx = directory.begin().await?;
//! tx.insert_tenant(&tenant).await?;
//! tx.commit().await?;
//!
//! let mut tx = directory.begin().await?;
//! let found = tx.tenant_by_domain("CONTOSO.com").await?.map(|tenant| tenant.id);
//! assert_eq!(found, Some(tenant.id));
//! let graph = tx.resource(tenant.id, "https://graph.microsoft.com").await?.expect("Microsoft Graph is everywhere");
//! assert_eq!(graph.display_name, "Microsoft Graph");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod ledger;
mod model;
mod password;
mod postgres;
mod secret_text;
mod snapshot;
mod sql;
mod sqlite;
mod store;
mod well_known;

pub use error::{Record, StoreError};
pub use file::{DirectoryFile, DirectoryFileError, Issue, LoadContext, LoadError, LoadReport, Parsed};
pub use ledger::{
    DeviceCodeRow, DeviceCodeState, DeviceDecision, DevicePoll, DeviceStatus, FamilyRow, Ledger, Lockout, Purpose,
    Rotation, SignInStanding,
};
pub use model::{
    AppRoleAssignment, Application, ClientCertificate, ClientSecret, DEFAULT_ACCESS, DocumentError,
    FederatedCredential, Group, KeyOwner, KeySchedule, PasswordHash, PermissionGrant, Principal, ServicePrincipal,
    ServicePrincipalKind, StoredSigningKey, Tenant, User, UserType, derived_object_id,
};
pub use password::{Argon2id, PasswordError, PasswordHasher};
pub use postgres::{PostgresDirectory, PostgresTx};
pub use snapshot::Snapshot;
pub use sqlite::{SqliteDirectory, SqliteTx};
pub use store::{
    Applications, Commit, Credentials, Directory, Grants, Groups, Revision, ServicePrincipals, SigningKeys, Tenants,
    Transaction, Users,
};
pub use well_known::{MICROSOFT_GRAPH, MICROSOFT_SERVICES, TOKEN_EXCHANGE, microsoft_graph, token_exchange};
