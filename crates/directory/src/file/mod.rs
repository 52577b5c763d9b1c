//! The directory file: tenants written down in JSON or YAML.
//!
//! `applications` entries are Microsoft Graph `application` objects, so that the export of a real tenant can be fed in;
//! what Graph hides (`secretText`, a certificate as PEM, a password), the file may state. Members of those objects that
//! Graph has are kept, members that nobody knows are kept too and named in a [warning](Parsed::warnings). Everywhere else
//! the shape is ours, and an unknown member is an error.
//!
//! [`DirectoryFile::parse`] finds everything that can be found by looking at the file; [`DirectoryFile::load`] writes it
//! in one transaction, so that nothing is ever half there. Loading a file again changes nothing; loading an altered one
//! applies the difference by these rules:
//!
//! - What the file states wins. What it leaves out stays: registrations, secrets and grants that are only in the directory
//!   are not removed by a file that does not name them.
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
mod issue;
mod legacy;
mod load;
mod tenant;
mod tree;
mod view;

use std::sync::Arc;

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
}
