//! The directory file: tenants written down in JSON or YAML.
//!
//! `applications` entries are Microsoft Graph `application` objects, so that the export of a real tenant can be fed in;
//! what Graph hides (`secretText`, a certificate as PEM, a password), the file may state. Members of those objects that
//! Graph has are kept, members that nobody knows are kept too and named in a [warning](Parsed::warnings). `groups` entries
//! are Graph `group` objects, of which a few members are kept and the others named in a warning. Everywhere else the shape
//! is ours, and an unknown member is an error.
//!
//! ```yaml
//! tenants:
//! - tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f   # the one member that must be there
//!   displayName: Contoso
//!   domains: [contoso.onmicrosoft.com, contoso.com]
//!   tenantRegionScope: WW
//!   enabled: true                    # false: refused everywhere
//!   strict: false                    # true: refuse what Entra lets pass for compatibility's sake
//!   userConsentAllowed: true         # false: administrators consent
//!   ownSigningKeys: true             # false: the keys that everybody shares
//!   trustedCertificateAuthorities: [] # certificates in PEM, for clients known by subject name and issuer
//!   users:
//!   - userPrincipalName: alice@contoso.com
//!     id: 11111111-1111-4111-8111-111111111111
//!     displayName: Alice             # and givenName, surname, mail
//!     password: correct horse
//!     userType: Member               # or Guest
//!     accountEnabled: true
//!     administrator: false           # true: may consent for everybody
//!     passwordExpired: false
//!     mfaRequired: false
//!     blockedByPolicy: false
//!     groups: [Staff]                # by displayName or id
//!   groups:
//!   - displayName: Staff             # and id, description, securityEnabled
//!     members: [DemoClientApp]       # sign-in names of users, names of groups and applications, or ids
//!   applications:
//!   - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
//!     displayName: DemoResourceApp
//!     ownSigningKey: false           # true: tokens for it are signed with a key published at ?appid=
//!     servicePrincipal: {appRoleAssignmentRequired: false}
//!     appRoles: [{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Read, allowedMemberTypes: [Application, User]}]
//!   - {appId: 22222222-2222-4222-8222-222222222222, displayName: DemoClientApp}
//!   managedIdentities:
//!   - name: Crawler                  # and clientId, id: derived from the name where they are not stated
//!   servicePrincipals: []            # instances of applications that are at home elsewhere
//!   appRoleAssignments:              # `client`, `user` or `group`
//!   - {group: Staff, resource: DemoResourceApp, role: Read}
//!   - {client: Crawler, resource: DemoResourceApp, role: Read}
//!   oauth2PermissionGrants:
//!   - {client: DemoClientApp, resource: Microsoft Graph, scopes: [User.Read], consentType: AllPrincipals}
//! ```
//!
//! [`DirectoryFile::parse`] finds everything that can be found by looking at the file; [`DirectoryFile::load`] writes it
//! in one transaction, so that nothing is ever half there. Loading a file again changes nothing; loading an altered one
//! applies the difference by these rules:
//!
//! - What the file states wins. What it leaves out stays: registrations, secrets, members of groups and grants that are
//!   only in the directory are not removed by a file that does not name them, and a user whom somebody has disabled is not
//!   enabled by a file that says nothing of it. (Names, domains, region and `strict` take their defaults.)
//! - A registration's document is replaced as a whole.
//! - A secret is the same secret if it has the same `keyId` or, without one, the same `displayName` in its application; its
//!   text is then replaced. Without `startDateTime` and `endDateTime` it is valid from its first loading for two years.
//! - A certificate is the same if it is the same certificate; a federated credential, if it has the same name.
//! - A password is hashed again only if the stored hash is not its own.
//!
//! Object ids that the file does not state are derived (see [`derived_object_id`](crate::derived_object_id)).

mod application;
mod credentials;
mod grants;
mod groups;
mod issue;
mod legacy;
mod load;
mod load_grants;
mod managed_identity;
mod tenant;
mod tree;
mod users;
mod view;

use std::sync::Arc;

use countersign_token::TenantId;

pub use issue::{DirectoryFileError, Issue};
pub use load::{LoadContext, LoadError, LoadReport};

use issue::Issues;
use tenant::TenantEntry;
use view::View;

/// A directory file that was read and found sound.
///
/// ```
/// use countersign_directory::DirectoryFile;
///
/// let parsed = DirectoryFile::parse("contoso.yaml", r#"
/// tenants:
/// - tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
///   displayName: Contoso
///   domains: [contoso.onmicrosoft.com]
///   applications:
///   - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
///     displayName: DemoResourceApp
///     appRoles: [{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Resource.Read, allowedMemberTypes: [Application]}]
///   - {appId: 22222222-2222-4222-8222-222222222222, displayName: DemoClientApp}
///   appRoleAssignments: [{client: DemoClientApp, resource: DemoResourceApp, role: Resource.Rede}]
/// "#);
/// assert_eq!(
///     parsed.unwrap_err().to_string(),
///     "contoso.yaml:11: tenants[0].appRoleAssignments[0].role: \
///      `DemoResourceApp` declares no app role `Resource.Rede`; did you mean `Resource.Read`?"
/// );
/// ```
#[derive(Debug, Clone)]
pub struct DirectoryFile {
    name: Arc<str>,
    tenants: Vec<TenantEntry>,
}

/// A sound file and what is odd about it.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The file.
    pub file: DirectoryFile,
    /// What a reader should know and loading does not mind.
    pub warnings: Vec<Issue>,
}

impl DirectoryFile {
    /// Reads a file's text. JSON where `name` ends in `.json` or, of unknown endings, the text begins with a brace;
    /// otherwise YAML. `name` is what errors call the file.
    ///
    /// # Errors
    /// [`DirectoryFileError`] with everything that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Parsed, DirectoryFileError> {
        let name: Arc<str> = name.into();
        let mut issues = Issues::of(&name);
        let tree = tree::read(&name, text, &mut issues);
        let tenants = tree.map(|tree| tenant::read_all(&View::root(&tree), &mut issues)).unwrap_or_default();
        issues.finish().map(|warnings| Parsed { file: Self { name, tenants }, warnings })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tenants that it describes, in its order.
    pub fn tenants(&self) -> impl Iterator<Item = TenantId> {
        self.tenants.iter().map(|entry| entry.tenant.id)
    }
}
