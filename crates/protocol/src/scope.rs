//! Scopes and resources: what a token is asked for.
//!
//! Client credentials know one form only, `{resource}/.default`; what stands before the last slash is the resource's
//! App ID URI or client id, byte for byte. A resource that ends in a slash therefore has two in its scope
//! (`https://management.azure.com//.default`), and taking one away names another resource.
//! OIDC scopes beside it are tolerated, because MSAL Go, MSAL Java and older msal-node append them (recorded 2022).
//! Read on in [`crate::token_request`], and in [`crate::user_scopes`] for requests that act for a user.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use countersign_token::ClientId;

use crate::aadsts::AadSts;

/// The suffix that makes a resource a scope.
const DEFAULT_SUFFIX: &str = "/.default";

/// Scopes that belong to no resource. Tolerated in client credentials, where they grant nothing.
pub const OIDC_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The longest resource or scope taken, in characters. Graph allows App ID URIs of 255.
const MAX_LENGTH: usize = 400;

/// The characters of a scope token (RFC 6749 §3.3): visible ASCII without `"` and `\`.
fn is_scope_token(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// An API's App ID URI (`api://…`, `https://…`) or client id, exactly as it was written.
///
/// Equality is that of the text: a trailing slash counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceIdentifier(String);

/// The text cannot name a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceIdentifierError {
    /// There is no text.
    #[error("the resource is empty")]
    Empty,
    /// More than 400 characters.
    #[error("the resource is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// A blank, a control character, a quote, a backslash, or anything outside ASCII.
    #[error("the resource holds a character that no scope may hold")]
    ForbiddenCharacter,
}

impl ResourceIdentifier {
    /// Reads a resource, as v1.0's `resource` parameter has it.
    ///
    /// # Errors
    /// [`ResourceIdentifierError`].
    pub fn parse(text: &str) -> Result<Self, ResourceIdentifierError> {
        if text.is_empty() {
            return Err(ResourceIdentifierError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(ResourceIdentifierError::TooLong);
        }
        if !is_scope_token(text) {
            return Err(ResourceIdentifierError::ForbiddenCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client id, when the resource is named by it.
    #[must_use]
    pub fn as_client_id(&self) -> Option<ClientId> {
        self.0.parse().ok()
    }

    /// `{resource}/.default`; doubles a trailing slash, as it must.
    #[must_use]
    pub fn default_scope(&self) -> Scope {
        Scope(format!("{}{DEFAULT_SUFFIX}", self.0))
    }
}

impl fmt::Display for ResourceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ResourceIdentifier {
    type Err = ResourceIdentifierError;

    fn from_str(text: &str) -> Result<Self, ResourceIdentifierError> {
        Self::parse(text)
    }
}

impl From<ClientId> for ResourceIdentifier {
    fn from(id: ClientId) -> Self {
        Self(id.to_string())
    }
}

/// A `scope` that client credentials cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// The parameter is absent or holds only blanks.
    #[error("no scope was given")]
    Missing,
    /// A scope that is not `{resource}/.default`, or none beside the OIDC ones.
    #[error("client credentials need a scope of the form {{resource}}/.default")]
    NotDefault(String),
    /// More than one resource.
    #[error("the scope names more than one resource")]
    SeveralResources(String),
    /// Characters that no scope may hold, or too many of them.
    #[error("the scope is malformed")]
    Malformed(String),
}

impl ScopeError {
    /// What the authority answers.
    #[must_use]
    pub const fn aadsts(&self) -> &'static AadSts {
        match self {
            Self::Missing => AadSts::MISSING_PARAMETER,
            Self::NotDefault(_) => AadSts::SCOPE_NOT_DEFAULT,
            Self::SeveralResources(_) | Self::Malformed(_) => AadSts::INVALID_SCOPE,
        }
    }

    /// The insertion that goes with [`aadsts`](Self::aadsts).
    #[must_use]
    pub fn insertion(&self) -> (&'static str, &str) {
        match self {
            Self::Missing => ("name", "scope"),
            Self::NotDefault(scope) | Self::SeveralResources(scope) | Self::Malformed(scope) => ("scope", scope),
        }
    }
}

/// Reads the `scope` parameter of a client-credentials request at the v2.0 endpoint: the one resource it names.
///
/// # Errors
/// [`ScopeError`], whose [`aadsts`](ScopeError::aadsts) is Entra's answer.
///
/// Source: Microsoft identity platform and the OAuth 2.0 client credentials flow, "Request a token"; RFC 6749 §3.3.
///
/// ```
/// use countersign_protocol::scope::client_credentials_resource;
///
/// let resource = client_credentials_resource(Some("openid https://management.azure.com//.default"))?;
/// assert_eq!(resource.as_str(), "https://management.azure.com/");
/// # Ok::<(), countersign_protocol::ScopeError>(())
/// ```
pub fn client_credentials_resource(scope: Option<&str>) -> Result<ResourceIdentifier, ScopeError> {
    let text = scope.map(|text| text.trim_matches(' ')).filter(|text| !text.is_empty()).ok_or(ScopeError::Missing)?;
    let mut found: Option<&str> = None;
    for token in text.split(' ').filter(|token| !token.is_empty()) {
        if !is_scope_token(token) || token.len() > MAX_LENGTH + DEFAULT_SUFFIX.len() {
            return Err(ScopeError::Malformed(text.to_owned()));
        }
        if OIDC_SCOPES.contains(&token) {
            continue;
        }
        let resource = token
            .strip_suffix(DEFAULT_SUFFIX)
            .filter(|resource| !resource.is_empty())
            .ok_or_else(|| ScopeError::NotDefault(token.to_owned()))?;
        if found.is_some_and(|other| other != resource) {
            return Err(ScopeError::SeveralResources(text.to_owned()));
        }
        found = Some(resource);
    }
    let resource = found.ok_or_else(|| ScopeError::NotDefault(text.to_owned()))?;
    Ok(ResourceIdentifier(resource.to_owned()))
}

/// One scope, spelled as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// Reads one scope token.
    ///
    /// # Errors
    /// [`ScopeError::Missing`] without text, [`ScopeError::Malformed`] for a character outside RFC 6749 §3.3.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Missing);
        }
        if !is_scope_token(text) || text.len() > MAX_LENGTH + DEFAULT_SUFFIX.len() {
            return Err(ScopeError::Malformed(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource of a `{resource}/.default` scope.
    #[must_use]
    pub fn default_resource(&self) -> Option<ResourceIdentifier> {
        let resource = self.0.strip_suffix(DEFAULT_SUFFIX).filter(|resource| !resource.is_empty())?;
        Some(ResourceIdentifier(resource.to_owned()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a caller asks for, in a form in which equal questions are equal: sorted, without duplicates, without regard to
/// case. It can be a cache key (pitfall C06); the first spelling of each scope is the one that is sent.
#[derive(Debug, Clone)]
pub struct ScopeSet {
    scopes: Vec<Scope>,
    key: String,
}

impl ScopeSet {
    /// Reads scopes parted by blanks.
    ///
    /// # Errors
    /// [`ScopeError::Missing`] without any, [`ScopeError::Malformed`] for a character outside RFC 6749 §3.3.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let scopes: Result<Vec<Scope>, ScopeError> =
            text.split(' ').filter(|scope| !scope.is_empty()).map(Scope::parse).collect();
        Self::new(scopes?)
    }

    /// From scopes in any order.
    ///
    /// # Errors
    /// [`ScopeError::Missing`] when there are none.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, ScopeError> {
        let mut keyed: Vec<(String, Scope)> =
            scopes.into_iter().map(|scope| (scope.0.to_ascii_lowercase(), scope)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        keyed.dedup_by(|(a, _), (b, _)| a == b);
        if keyed.is_empty() {
            return Err(ScopeError::Missing);
        }
        let (keys, scopes): (Vec<String>, Vec<Scope>) = keyed.into_iter().unzip();
        Ok(Self { scopes, key: keys.join(" ") })
    }

    /// Everything that was granted at `resource`.
    #[must_use]
    pub fn default_of(resource: &ResourceIdentifier) -> Self {
        let scope = resource.default_scope();
        Self { key: scope.0.to_ascii_lowercase(), scopes: vec![scope] }
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter()
    }

    /// Sorted, lower case, parted by single blanks: equal for equal sets.
    #[must_use]
    pub fn as_key(&self) -> &str {
        &self.key
    }

    /// The one resource that client credentials can ask for with this set.
    ///
    /// # Errors
    /// As [`client_credentials_resource`].
    pub fn client_credentials_resource(&self) -> Result<ResourceIdentifier, ScopeError> {
        client_credentials_resource(Some(&self.to_string()))
    }
}

impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ScopeSet {}

impl Hash for ScopeSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.scopes.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&scope.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(scope: &str) -> Result<String, ScopeError> {
        client_credentials_resource(Some(scope)).map(|resource| resource.to_string())
    }

    #[test]
    fn the_resource_is_kept_byte_for_byte() {
        assert_eq!(resource("https://vault.azure.net/.default").unwrap(), "https://vault.azure.net");
        assert_eq!(resource("https://management.azure.com//.default").unwrap(), "https://management.azure.com/");
        assert_eq!(resource("api://Orders/Path/.default").unwrap(), "api://Orders/Path");
        let by_id = client_credentials_resource(Some("6BABCAAD-604b-40ac-a9d7-9fd97c0b779f/.default")).unwrap();
        assert!(by_id.as_client_id().is_some());
    }

    #[test]
    fn oidc_scopes_and_repetitions_are_tolerated() {
        let scope = " openid api://x/.default offline_access  profile email api://x/.default ";
        assert_eq!(resource(scope).unwrap(), "api://x");
    }

    #[test]
    fn each_fault_has_entras_code() {
        for (scope, code) in [
            ("", 900_144),
            ("   ", 900_144),
            ("openid profile", 1_002_012),
            ("User.Read", 1_002_012),
            ("api://x/Read", 1_002_012),
            ("/.default", 1_002_012),
            (".default", 1_002_012),
            ("api://x/.default User.Read", 1_002_012),
            ("api://x/.default api://y/.default", 70_011),
            ("api://x/.default api://x//.default", 70_011),
            ("api://x\r\n/.default", 70_011),
            ("api://\"/.default", 70_011),
            ("api://é/.default", 70_011),
        ] {
            assert_eq!(resource(scope).unwrap_err().aadsts().code, code, "{scope:?}");
        }
        assert_eq!(client_credentials_resource(None).unwrap_err().insertion(), ("name", "scope"));
        assert_eq!(resource("User.Read").unwrap_err().insertion(), ("scope", "User.Read"));
    }

    #[test]
    fn equal_questions_are_equal() {
        let a = ScopeSet::parse("b/.default  A/.default b/.default").unwrap();
        let b = ScopeSet::parse("a/.default B/.default").unwrap();
        assert_eq!(a, b);
        assert_eq!(a.as_key(), "a/.default b/.default");
        assert_eq!(a.to_string(), "A/.default b/.default");
        assert_ne!(a, ScopeSet::parse("a//.default b/.default").unwrap());
        assert_eq!(ScopeSet::parse(" "), Err(ScopeError::Missing));
        assert!(matches!(ScopeSet::parse("a\tb"), Err(ScopeError::Malformed(_))));
    }

    #[test]
    fn a_resource_and_its_scope_lead_to_each_other() {
        for text in ["https://management.azure.com/", "api://x", "6babcaad-604b-40ac-a9d7-9fd97c0b779f"] {
            let resource = ResourceIdentifier::parse(text).unwrap();
            assert_eq!(ScopeSet::default_of(&resource).client_credentials_resource().unwrap(), resource);
            assert_eq!(resource.default_scope().default_resource(), Some(resource));
        }
        assert_eq!(ResourceIdentifier::parse(""), Err(ResourceIdentifierError::Empty));
        assert_eq!(ResourceIdentifier::parse(&"x".repeat(401)), Err(ResourceIdentifierError::TooLong));
        assert_eq!(ResourceIdentifier::parse("a b"), Err(ResourceIdentifierError::ForbiddenCharacter));
    }
}
