//! The policy: which tokens an API takes. One shape for code, files and tests.
//!
//! Everything fails closed. An empty list lets nobody in; an unknown member is an error, since an older program that
//! ignored a newer rule would let too many in. There is no member that skips issuer, audience or signature.
//!
//! [`Policy`] is the shape, [`Permission`] the part of it that each route may have its own of, [`Validator`] the policy
//! once it was checked.

mod permission;
mod validator;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::permission::{Guests, Permission};
pub use self::validator::Validator;
pub use crate::claims::ClientAuthentication;
use crate::issuer::IssuerTemplate;
use crate::{Algorithm, ClientId, ObjectId, TenantId, TokenKind, TokenVersion};

/// Which tokens an API takes.
///
/// ```
/// use countersign_token::{Policy, PolicyError};
///
/// // A policy that forgets its audiences does not parse; one that forgets its roles lets no application in.
/// assert!(serde_json::from_str::<Policy>(r#"{"tenants":[],"issuers":[]}"#).is_err());
/// let policy: Policy = serde_json::from_str(r#"{"tenants":[],"issuers":["https://example.com/"],"audiences":[]}"#)?;
/// assert_eq!(policy.compile().unwrap_err(), PolicyError::Issuer("https://example.com/".to_owned()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The tenants whose tokens are taken (`tid`).
    pub tenants: Vec<TenantId>,
    /// Takes tokens of every other organisation's tenant too; the guard asks its tenant hook about each. Personal
    /// Microsoft accounts stay out unless their tenant is listed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_tenant: bool,
    /// Exact issuers, with the tenant's GUID or `{tenantid}` in its place; those that end in `/v2.0` are for v2.0 tokens.
    pub issuers: Vec<String>,
    /// Exact audiences: the API's client id for v2.0 tokens, its App ID URIs for v1.0 tokens.
    pub audiences: Vec<String>,
    /// Token versions taken; both by default.
    #[serde(default = "both_versions")]
    pub versions: Vec<TokenVersion>,
    /// Signature algorithms taken, RS256 by default; PS256 may be added.
    #[serde(default = "rs256")]
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ, in seconds: 0 to 300, by default 60.
    #[serde(default = "sixty")]
    pub clock_skew_seconds: u32,
    /// Kinds of caller taken; both by default, each still needing its permission.
    #[serde(default = "both_kinds")]
    pub kinds: Vec<TokenKind>,
    /// An application's token needs at least one of these in `roles`.
    #[serde(default)]
    pub app_roles: Vec<String>,
    /// An application's token needs every one of these in `roles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_app_roles: Vec<String>,
    /// A user's token needs at least one of these in `scp`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A user's token needs every one of these in `scp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_scopes: Vec<String>,
    /// Which applications may call (`azp`, `appid`); null for any.
    #[serde(default)]
    pub clients: Option<Vec<ClientId>>,
    /// How the calling application must have proved itself (`azpacr`, `appidacr`); null for anyhow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication: Option<Vec<ClientAuthentication>>,
    /// Whether guests of the tenant may pass; they may by default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guests: Guests,
    /// A user must be in at least one of these groups (`groups`, object ids); null where groups do not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<ObjectId>>,
    /// A user's sign-in must have satisfied every one of these authentication contexts (`acrs`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acrs: Vec<String>,
    /// Lets tokens with neither role nor scope pass, on the word of `clients`, which must then be a list. Entra issues
    /// such tokens to every application of the tenant.
    #[serde(default)]
    pub allow_without_permission: bool,
    /// Permissions by name, for routes that ask for them by name. They come on top of who may call at all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, Permission>,
}

/// The defaults of the file, and nobody let in: for `..Policy::default()`.
impl Default for Policy {
    fn default() -> Self {
        Self {
            tenants: Vec::new(),
            any_tenant: false,
            issuers: Vec::new(),
            audiences: Vec::new(),
            versions: both_versions(),
            algorithms: rs256(),
            clock_skew_seconds: sixty(),
            kinds: both_kinds(),
            app_roles: Vec::new(),
            all_app_roles: Vec::new(),
            scopes: Vec::new(),
            all_scopes: Vec::new(),
            clients: None,
            client_authentication: None,
            guests: Guests::Admit,
            groups: None,
            acrs: Vec::new(),
            allow_without_permission: false,
            permissions: BTreeMap::new(),
        }
    }
}

fn both_versions() -> Vec<TokenVersion> {
    vec![TokenVersion::V1, TokenVersion::V2]
}

fn both_kinds() -> Vec<TokenKind> {
    vec![TokenKind::App, TokenKind::User]
}

fn rs256() -> Vec<Algorithm> {
    vec![Algorithm::Rs256]
}

fn sixty() -> u32 {
    60
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A policy that contradicts itself or cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// An issuer that is not https, or names no tenant: neither a GUID in lower case nor `{tenantid}` as first segment.
    #[error(
        "the issuer {0:?} names no tenant: write https://host/{{tenantid}}/v2.0, or the tenant's GUID in its place"
    )]
    Issuer(String),
    /// An algorithm that access tokens are not signed with.
    #[error("{0} is not for access tokens: take RS256, or PS256")]
    Algorithm(Algorithm),
    /// More than 300 seconds.
    #[error("clock_skew_seconds is {0}, and more than 300 is not a skew")]
    ClockSkew(u32),
    /// An audience, role, scope or context that is empty or has blanks at its ends.
    #[error("{0} holds an entry that is empty or has blanks: no token can match it")]
    BlankEntry(&'static str),
    /// Groups or authentication contexts in a permission that takes applications alone: they restrict users, so that this
    /// would restrict nobody.
    #[error("{0} restricts users, and only applications are taken: no token can meet both")]
    ForUsersOnly(&'static str),
    /// `allow_without_permission` without a list of clients.
    #[error("allow_without_permission needs a list of clients: Entra issues such tokens to every application")]
    NobodyNamed,
    /// A named permission that no token can meet.
    #[error("the permission {0:?} lets nobody in: name a role or a scope")]
    NobodyGetsIn(String),
    /// A route asks for a permission by a name that the policy does not have.
    #[error("the policy has no permission {0:?}, and a route asks for it")]
    UnknownPermission(String),
    /// The policies that replace others are not as many.
    #[error("there are {wanted} authorities, and {given} policies were given")]
    Count {
        /// How many authorities there are.
        wanted: usize,
        /// How many policies were given.
        given: usize,
    },
    /// A named permission cannot be kept.
    #[error("the permission {name:?} cannot be kept")]
    Permission {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: Box<PolicyError>,
    },
}

impl Policy {
    /// Checks the policy and prepares it for use.
    ///
    /// # Errors
    /// [`PolicyError`] names the first member that cannot be kept.
    pub fn compile(&self) -> Result<Validator, PolicyError> {
        if self.clock_skew_seconds > 300 {
            return Err(PolicyError::ClockSkew(self.clock_skew_seconds));
        }
        if let Some(&algorithm) =
            self.algorithms.iter().find(|algorithm| !matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256))
        {
            return Err(PolicyError::Algorithm(algorithm));
        }
        if self.audiences.iter().any(|entry| entry.is_empty() || entry.trim() != entry.as_str()) {
            return Err(PolicyError::BlankEntry("audiences"));
        }
        let issuers = self
            .issuers
            .iter()
            .map(|issuer| IssuerTemplate::parse(issuer).ok_or_else(|| PolicyError::Issuer(issuer.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Validator {
            tenants: self.tenants.clone(),
            any_tenant: self.any_tenant,
            issuers,
            audiences: self.audiences.clone(),
            versions: self.versions.clone(),
            algorithms: self.algorithms.clone(),
            clock_skew_seconds: i64::from(self.clock_skew_seconds),
            permission: self.permission().checked()?,
            permissions: self.named_permissions()?,
            source: Arc::new(self.clone()),
        })
    }

    /// The policy's own permission, unchecked.
    fn permission(&self) -> Permission {
        Permission {
            kinds: self.kinds.clone(),
            app_roles: self.app_roles.clone(),
            all_app_roles: self.all_app_roles.clone(),
            scopes: self.scopes.clone(),
            all_scopes: self.all_scopes.clone(),
            clients: self.clients.clone(),
            client_authentication: self.client_authentication.clone(),
            guests: self.guests,
            groups: self.groups.clone(),
            acrs: self.acrs.clone(),
            allow_without_permission: self.allow_without_permission,
        }
    }

    fn named_permissions(&self) -> Result<BTreeMap<String, Permission>, PolicyError> {
        let checked = |(name, permission): (&String, &Permission)| {
            let source = |error| PolicyError::Permission { name: name.clone(), source: Box::new(error) };
            if permission.lets_nobody_in() && !permission.allow_without_permission {
                return Err(PolicyError::NobodyGetsIn(name.clone()));
            }
            Ok((name.clone(), permission.clone().checked().map_err(source)?))
        };
        self.permissions.iter().map(checked).collect()
    }
}
