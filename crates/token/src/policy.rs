//! The policy: which tokens an API takes. One shape for code, files and tests.
//!
//! Everything fails closed. An empty list lets nobody in; an unknown member is an error, since an older program that
//! ignored a newer rule would let too many in. There is no member that skips issuer, audience or signature.

use serde::{Deserialize, Serialize};

use crate::claims::Fields;
use crate::issuer::IssuerTemplate;
use crate::{Algorithm, Claims, ClientId, NumericDate, Rejection, TenantId, TokenKind, TokenVersion};

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
    /// A user's token needs at least one of these in `scp`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Which applications may call (`azp`, `appid`); null for any.
    #[serde(default)]
    pub clients: Option<Vec<ClientId>>,
    /// Lets tokens with neither role nor scope pass, on the word of `clients`, which must then be a list. Entra issues
    /// such tokens to every application of the tenant.
    #[serde(default)]
    pub allow_without_permission: bool,
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
    /// An audience, role or scope that is empty or has blanks at its ends.
    #[error("{0} holds an entry that is empty or has blanks: no token can match it")]
    BlankEntry(&'static str),
    /// `allow_without_permission` without a list of clients.
    #[error("allow_without_permission needs a list of clients: Entra issues such tokens to every application")]
    NobodyNamed,
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
        for (name, entries) in
            [("audiences", &self.audiences), ("app_roles", &self.app_roles), ("scopes", &self.scopes)]
        {
            if entries.iter().any(|entry| entry.is_empty() || entry.trim() != entry.as_str()) {
                return Err(PolicyError::BlankEntry(name));
            }
        }
        if self.scopes.iter().any(|scope| scope.contains(' ')) {
            return Err(PolicyError::BlankEntry("scopes"));
        }
        let issuers = self
            .issuers
            .iter()
            .map(|issuer| IssuerTemplate::parse(issuer).ok_or_else(|| PolicyError::Issuer(issuer.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Validator {
            tenants: self.tenants.clone(),
            issuers,
            audiences: self.audiences.clone(),
            versions: self.versions.clone(),
            algorithms: self.algorithms.clone(),
            clock_skew_seconds: i64::from(self.clock_skew_seconds),
            permission: Permission {
                kinds: self.kinds.clone(),
                app_roles: self.app_roles.clone(),
                scopes: self.scopes.clone(),
                clients: self.clients.clone(),
                allow_without_permission: self.allow_without_permission,
            }
            .checked()?,
        })
    }
}

/// A checked policy, ready to be applied by [`crate::verify`].
#[derive(Debug, Clone)]
pub struct Validator {
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) issuers: Vec<IssuerTemplate>,
    pub(crate) audiences: Vec<String>,
    pub(crate) versions: Vec<TokenVersion>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) clock_skew_seconds: i64,
    permission: Permission,
}

impl Validator {
    /// The part about who may do something, as opposed to whose token is genuine.
    #[must_use]
    pub fn permission(&self) -> &Permission {
        &self.permission
    }

    /// How far clocks may differ, in seconds.
    #[must_use]
    pub fn clock_skew_seconds(&self) -> i64 {
        self.clock_skew_seconds
    }

    /// Whether the times of a token that was accepted before still hold.
    ///
    /// # Errors
    /// [`Rejection::Expired`] from `exp + clock_skew_seconds` on, [`Rejection::NotYetValid`] before
    /// `nbf - clock_skew_seconds`, [`Rejection::IssuedInFuture`] likewise for `iat`.
    ///
    /// Source: RFC 7519 §4.1.4 and §4.1.5.
    pub fn check_times(&self, claims: &Claims, now: NumericDate) -> Result<(), Rejection> {
        self.check_dates(&claims.raw().fields, now)
    }

    pub(crate) fn check_dates(&self, fields: &Fields, now: NumericDate) -> Result<(), Rejection> {
        let (now, skew) = (now.0, self.clock_skew_seconds);
        let expires = fields.expires.ok_or(Rejection::ClaimMissing("exp"))?;
        if now >= expires + skew {
            return Err(Rejection::Expired);
        }
        if fields.not_before.is_some_and(|not_before| now < not_before - skew) {
            return Err(Rejection::NotYetValid);
        }
        if fields.issued.is_some_and(|issued| issued - skew > now || issued > expires) {
            return Err(Rejection::IssuedInFuture);
        }
        Ok(())
    }
}

/// What a genuine caller must hold: the rule of an API, or of one of its routes.
///
/// Roles are only ever matched against applications' tokens and scopes only against users', so that an application
/// granted the role `X` never satisfies the scope `X`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Kinds of caller that may pass.
    pub kinds: Vec<TokenKind>,
    /// An application needs at least one of these.
    pub app_roles: Vec<String>,
    /// A user's token needs at least one of these.
    pub scopes: Vec<String>,
    /// The applications that may call; `None` for any.
    pub clients: Option<Vec<ClientId>>,
    /// Lets tokens with neither role nor scope pass; only together with `clients`.
    pub allow_without_permission: bool,
}

impl Permission {
    fn checked(self) -> Result<Self, PolicyError> {
        if self.allow_without_permission && self.clients.is_none() {
            return Err(PolicyError::NobodyNamed);
        }
        Ok(self)
    }

    /// Applications with at least one of these roles, nobody else.
    #[must_use]
    pub fn any_app_role<I: IntoIterator<Item = S>, S: Into<String>>(roles: I) -> Self {
        Self {
            kinds: vec![TokenKind::App],
            app_roles: roles.into_iter().map(Into::into).collect(),
            scopes: Vec::new(),
            clients: None,
            allow_without_permission: false,
        }
    }

    /// Users through applications with at least one of these scopes, nobody else.
    #[must_use]
    pub fn any_scope<I: IntoIterator<Item = S>, S: Into<String>>(scopes: I) -> Self {
        Self {
            kinds: vec![TokenKind::User],
            app_roles: Vec::new(),
            scopes: scopes.into_iter().map(Into::into).collect(),
            clients: None,
            allow_without_permission: false,
        }
    }

    /// Either of both. A list of clients on either side binds both, so that combining never lets more applications in.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.clients = match (self.clients, other.clients) {
            (Some(own), Some(others)) => Some(own.into_iter().filter(|client| others.contains(client)).collect()),
            (own, others) => own.or(others),
        };
        for kind in other.kinds {
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
        }
        self.app_roles.extend(other.app_roles);
        self.scopes.extend(other.scopes);
        self
    }

    /// Only for these applications.
    #[must_use]
    pub fn only_clients(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        self.clients = Some(clients.into_iter().collect());
        self
    }

    /// Whether the bearer of these claims may pass.
    ///
    /// # Errors
    /// [`Rejection::ClientNotAllowed`], [`Rejection::KindNotAllowed`], [`Rejection::NoPermission`],
    /// [`Rejection::RoleMissing`] or [`Rejection::ScopeMissing`]; all mean 403.
    pub fn check(&self, claims: &Claims) -> Result<(), Rejection> {
        self.check_caller(claims)?;
        let has_none = claims.roles().next().is_none() && claims.scopes().next().is_none();
        if has_none {
            // The members are public, so the rule that `compile` enforces is kept here too: somebody must be named.
            let named = self.allow_without_permission && self.clients.is_some();
            return if named { Ok(()) } else { Err(Rejection::NoPermission) };
        }
        match claims.identity.kind {
            TokenKind::App if claims.roles().any(|role| self.app_roles.iter().any(|wanted| wanted == role)) => Ok(()),
            TokenKind::User if claims.scopes().any(|scope| self.scopes.iter().any(|wanted| wanted == scope)) => Ok(()),
            TokenKind::App => Err(Rejection::RoleMissing),
            TokenKind::User => Err(Rejection::ScopeMissing),
        }
    }

    /// The part that asks who calls and not what they hold: `clients` and `kinds`. For an API whose routes have
    /// permissions of their own.
    ///
    /// # Errors
    /// [`Rejection::ClientNotAllowed`], [`Rejection::KindNotAllowed`].
    pub fn check_caller(&self, claims: &Claims) -> Result<(), Rejection> {
        let identity = &claims.identity;
        if self.clients.as_ref().is_some_and(|clients| !clients.contains(&identity.client)) {
            return Err(Rejection::ClientNotAllowed);
        }
        if !self.kinds.contains(&identity.kind) {
            return Err(Rejection::KindNotAllowed);
        }
        Ok(())
    }

    /// Whether no token at all can pass: nothing is listed that it could hold. A route with such a rule is a mistake.
    #[must_use]
    pub fn lets_nobody_in(&self) -> bool {
        let app = self.kinds.contains(&TokenKind::App) && !self.app_roles.is_empty();
        let user = self.kinds.contains(&TokenKind::User) && !self.scopes.is_empty();
        let on_its_word = self.allow_without_permission && self.clients.is_some() && !self.kinds.is_empty();
        self.clients.as_ref().is_some_and(Vec::is_empty) || !(app || user || on_its_word)
    }
}
