//! [`Permission`]: what a genuine caller must be and hold, for an API or for one of its routes.
//!
//! Roles are only ever matched against applications' tokens; scopes, groups, guests and authentication contexts only
//! against users'. There is no rule on `email`, `upn`, `preferred_username`, `unique_name` or `name`: their owners can
//! change them (`pitfalls` 15 and A98).

use serde::{Deserialize, Serialize};

use super::PolicyError;
use crate::claims::ClientAuthentication;
use crate::{Claims, ClientId, ObjectId, Rejection, TokenKind};

/// Whether users who are guests of the tenant may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guests {
    /// Like everybody else, as Entra has it.
    #[default]
    Admit,
    /// Not at all.
    Refuse,
}

/// What a genuine caller must hold: the rule of an API, or of one of its routes.
///
/// Roles are only ever matched against applications' tokens and scopes only against users', so that an application
/// granted the role `X` never satisfies the scope `X`. As JSON every member may be left out; what is then left lets
/// nobody in.
///
/// ```
/// use countersign_token::policy::{Guests, Permission};
///
/// let rule: Permission = serde_json::from_str(r#"{
///     "kinds": ["app", "user"], "app_roles": ["Orders.Read"], "all_scopes": ["orders.read", "profile"],
///     "client_authentication": ["certificate"], "guests": "refuse", "acrs": ["c1"]
/// }"#)?;
/// assert_eq!(rule.guests, Guests::Refuse);
/// assert!(!rule.lets_nobody_in());
/// assert!(Permission::default().lets_nobody_in());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permission {
    /// Kinds of caller that may pass; both by default.
    pub kinds: Vec<TokenKind>,
    /// An application needs at least one of these.
    #[serde(skip_serializing_if = "super::is_default")]
    pub app_roles: Vec<String>,
    /// An application needs every one of these.
    #[serde(skip_serializing_if = "super::is_default")]
    pub all_app_roles: Vec<String>,
    /// A user's token needs at least one of these.
    #[serde(skip_serializing_if = "super::is_default")]
    pub scopes: Vec<String>,
    /// A user's token needs every one of these.
    #[serde(skip_serializing_if = "super::is_default")]
    pub all_scopes: Vec<String>,
    /// The applications that may call; `None` for any.
    #[serde(skip_serializing_if = "super::is_default")]
    pub clients: Option<Vec<ClientId>>,
    /// How the calling application must have proved itself, one of these; `None` for anyhow.
    #[serde(skip_serializing_if = "super::is_default")]
    pub client_authentication: Option<Vec<ClientAuthentication>>,
    /// Whether guests of the tenant may pass.
    #[serde(skip_serializing_if = "super::is_default")]
    pub guests: Guests,
    /// A user must be in at least one of these groups; `None` where groups do not matter.
    #[serde(skip_serializing_if = "super::is_default")]
    pub groups: Option<Vec<ObjectId>>,
    /// A user's sign-in must have satisfied every one of these authentication contexts (`c1` to `c99`).
    #[serde(skip_serializing_if = "super::is_default")]
    pub acrs: Vec<String>,
    /// Lets tokens with neither role nor scope pass; only together with `clients`.
    #[serde(skip_serializing_if = "super::is_default")]
    pub allow_without_permission: bool,
}

impl Default for Permission {
    fn default() -> Self {
        Self {
            kinds: vec![TokenKind::App, TokenKind::User],
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
        }
    }
}

fn collect<I: IntoIterator<Item = S>, S: Into<String>>(texts: I) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

/// The members that both lists have; a list on one side only binds as it is.
fn both<T: PartialEq>(own: Option<Vec<T>>, others: Option<Vec<T>>) -> Option<Vec<T>> {
    match (own, others) {
        (Some(own), Some(others)) => Some(own.into_iter().filter(|entry| others.contains(entry)).collect()),
        (own, others) => own.or(others),
    }
}

impl Permission {
    /// Refuses what cannot be meant.
    pub(super) fn checked(self) -> Result<Self, PolicyError> {
        if self.allow_without_permission && self.clients.is_none() {
            return Err(PolicyError::NobodyNamed);
        }
        if let Some(name) = self.for_users_alone() {
            return Err(PolicyError::ForUsersOnly(name));
        }
        for (name, entries) in [
            ("app_roles", &self.app_roles),
            ("all_app_roles", &self.all_app_roles),
            ("scopes", &self.scopes),
            ("all_scopes", &self.all_scopes),
            ("acrs", &self.acrs),
        ] {
            let is_blank = |entry: &String| entry.is_empty() || entry.trim() != entry.as_str();
            let is_several = |entry: &String| name.ends_with("scopes") && entry.contains(' ');
            if entries.iter().any(|entry| is_blank(entry) || is_several(entry)) {
                return Err(PolicyError::BlankEntry(name));
            }
        }
        Ok(self)
    }

    /// The member that restricts users, in a permission that takes applications alone.
    fn for_users_alone(&self) -> Option<&'static str> {
        if self.kinds.contains(&TokenKind::User) {
            return None;
        }
        [("groups", self.groups.is_some()), ("acrs", !self.acrs.is_empty())]
            .into_iter()
            .find_map(|(name, is_there)| is_there.then_some(name))
    }

    /// Applications with at least one of these roles, nobody else.
    #[must_use]
    pub fn any_app_role<I: IntoIterator<Item = S>, S: Into<String>>(roles: I) -> Self {
        Self { kinds: vec![TokenKind::App], app_roles: collect(roles), ..Self::default() }
    }

    /// Applications with every one of these roles, nobody else.
    #[must_use]
    pub fn all_app_roles<I: IntoIterator<Item = S>, S: Into<String>>(roles: I) -> Self {
        Self { kinds: vec![TokenKind::App], all_app_roles: collect(roles), ..Self::default() }
    }

    /// Users through applications with at least one of these scopes, nobody else.
    #[must_use]
    pub fn any_scope<I: IntoIterator<Item = S>, S: Into<String>>(scopes: I) -> Self {
        Self { kinds: vec![TokenKind::User], scopes: collect(scopes), ..Self::default() }
    }

    /// Users through applications with every one of these scopes, nobody else.
    #[must_use]
    pub fn all_scopes<I: IntoIterator<Item = S>, S: Into<String>>(scopes: I) -> Self {
        Self { kinds: vec![TokenKind::User], all_scopes: collect(scopes), ..Self::default() }
    }

    /// Either of both. Every other restriction on either side binds both, so that combining never lets more callers in
    /// than one of the sides would: lists of clients, groups and ways of proof are cut down to what they share, all-of
    /// lists and authentication contexts add up, and guests stay out where one side refuses them.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.clients = both(self.clients, other.clients);
        self.client_authentication = both(self.client_authentication, other.client_authentication);
        self.groups = both(self.groups, other.groups);
        if other.guests == Guests::Refuse {
            self.guests = Guests::Refuse;
        }
        for kind in other.kinds {
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
        }
        self.app_roles.extend(other.app_roles);
        self.all_app_roles.extend(other.all_app_roles);
        self.scopes.extend(other.scopes);
        self.all_scopes.extend(other.all_scopes);
        self.acrs.extend(other.acrs);
        self.allow_without_permission &= other.allow_without_permission;
        self
    }

    /// Only for these applications.
    #[must_use]
    pub fn only_clients(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        self.clients = Some(clients.into_iter().collect());
        self
    }

    /// Only for applications that proved themselves in one of these ways.
    #[must_use]
    pub fn only_authenticated_by(mut self, ways: impl IntoIterator<Item = ClientAuthentication>) -> Self {
        self.client_authentication = Some(ways.into_iter().collect());
        self
    }

    /// Not for guests of the tenant.
    #[must_use]
    pub fn without_guests(mut self) -> Self {
        self.guests = Guests::Refuse;
        self
    }

    /// Only for users in at least one of these groups.
    #[must_use]
    pub fn in_any_group(mut self, groups: impl IntoIterator<Item = ObjectId>) -> Self {
        self.groups = Some(groups.into_iter().collect());
        self
    }

    /// Only for users whose sign-in satisfied this authentication context too.
    #[must_use]
    pub fn with_authentication_context(mut self, context: impl Into<String>) -> Self {
        self.acrs.push(context.into());
        self
    }

    /// Whether the bearer of these claims may pass.
    ///
    /// Asked in this order: who calls, what the caller holds, and last what a new sign-in could mend.
    ///
    /// # Errors
    /// Those of [`Permission::check_caller`], then [`Rejection::NoPermission`], [`Rejection::RoleMissing`] or
    /// [`Rejection::ScopeMissing`], all of which mean 403; and [`Rejection::AuthenticationContextMissing`].
    pub fn check(&self, claims: &Claims) -> Result<(), Rejection> {
        self.check_identity(claims)?;
        self.check_groups(claims, None)?;
        self.check_grants(claims)?;
        self.check_contexts(claims)
    }

    /// As [`Permission::check`], for a user whose token says that the groups are to be had elsewhere and whose groups were
    /// asked for there.
    ///
    /// # Errors
    /// Those of [`Permission::check`].
    pub fn check_with_groups(&self, claims: &Claims, groups: &[ObjectId]) -> Result<(), Rejection> {
        self.check_identity(claims)?;
        self.check_groups(claims, Some(groups))?;
        self.check_grants(claims)?;
        self.check_contexts(claims)
    }

    /// The part that asks who calls and not what they were granted: everything but roles and scopes. For an API whose
    /// routes have permissions of their own.
    ///
    /// # Errors
    /// [`Rejection::ClientNotAllowed`], [`Rejection::KindNotAllowed`], [`Rejection::ClientAuthenticationNotAllowed`],
    /// [`Rejection::GuestNotAllowed`], [`Rejection::GroupMissing`], [`Rejection::GroupOverage`] and
    /// [`Rejection::AuthenticationContextMissing`].
    pub fn check_caller(&self, claims: &Claims) -> Result<(), Rejection> {
        self.check_identity(claims)?;
        self.check_groups(claims, None)?;
        self.check_contexts(claims)
    }

    /// As [`Permission::check_caller`], with the groups that were asked for elsewhere.
    ///
    /// # Errors
    /// Those of [`Permission::check_caller`].
    pub fn check_caller_with_groups(&self, claims: &Claims, groups: &[ObjectId]) -> Result<(), Rejection> {
        self.check_identity(claims)?;
        self.check_groups(claims, Some(groups))?;
        self.check_contexts(claims)
    }

    fn check_identity(&self, claims: &Claims) -> Result<(), Rejection> {
        let identity = &claims.identity;
        if self.clients.as_ref().is_some_and(|clients| !clients.contains(&identity.client)) {
            return Err(Rejection::ClientNotAllowed);
        }
        if !self.kinds.contains(&identity.kind) {
            return Err(Rejection::KindNotAllowed);
        }
        if let Some(ways) = &self.client_authentication
            && !claims.client_authenticated_by().is_some_and(|way| ways.contains(&way))
        {
            return Err(Rejection::ClientAuthenticationNotAllowed);
        }
        if self.guests == Guests::Refuse && claims.is_guest() {
            return Err(Rejection::GuestNotAllowed);
        }
        Ok(())
    }

    fn check_groups(&self, claims: &Claims, elsewhere: Option<&[ObjectId]>) -> Result<(), Rejection> {
        let Some(wanted) = &self.groups else { return Ok(()) };
        if claims.identity.kind == TokenKind::App {
            // An application is in no group. Beside users it passes by its roles; where it alone may pass, whoever wrote
            // the rule meant to restrict it and cannot.
            return if self.kinds.contains(&TokenKind::User) { Ok(()) } else { Err(Rejection::GroupMissing) };
        }
        let is_wanted = |group: &str| group.parse().is_ok_and(|group: ObjectId| wanted.contains(&group));
        if claims.groups().any(is_wanted) {
            return Ok(());
        }
        match elsewhere {
            Some(groups) if groups.iter().any(|group| wanted.contains(group)) => Ok(()),
            None if claims.groups_are_elsewhere() => Err(Rejection::GroupOverage),
            _ => Err(Rejection::GroupMissing),
        }
    }

    fn check_grants(&self, claims: &Claims) -> Result<(), Rejection> {
        let has_none = claims.roles().next().is_none() && claims.scopes().next().is_none();
        if has_none {
            // The members are public, so the rule that `compile` enforces is kept here too: somebody must be named.
            let named = self.allow_without_permission && self.clients.is_some();
            return if named { Ok(()) } else { Err(Rejection::NoPermission) };
        }
        let (any, all) = self.grants_of(claims.identity.kind);
        let (holds, refusal) = match claims.identity.kind {
            TokenKind::App => (holds(any, all, || claims.roles()), Rejection::RoleMissing),
            TokenKind::User => (holds(any, all, || claims.scopes()), Rejection::ScopeMissing),
        };
        if holds { Ok(()) } else { Err(refusal) }
    }

    fn check_contexts(&self, claims: &Claims) -> Result<(), Rejection> {
        let has = |wanted: &String| claims.authentication_contexts().any(|context| context == wanted);
        // An application cannot sign in, and no sign-in stands behind its token: beside users it passes without.
        let is_spared = claims.identity.kind == TokenKind::App && self.kinds.contains(&TokenKind::User);
        if is_spared || self.acrs.iter().all(has) {
            return Ok(());
        }
        Err(Rejection::AuthenticationContextMissing)
    }

    /// The first authentication context that the bearer's sign-in lacks: what a claims challenge asks for.
    #[must_use]
    pub fn missing_context(&self, claims: &Claims) -> Option<&str> {
        if claims.identity.kind == TokenKind::App {
            return None;
        }
        let lacks = |wanted: &&String| !claims.authentication_contexts().any(|context| context == *wanted);
        self.acrs.iter().find(lacks).map(String::as_str)
    }

    fn grants_of(&self, kind: TokenKind) -> (&[String], &[String]) {
        match kind {
            TokenKind::App => (&self.app_roles, &self.all_app_roles),
            TokenKind::User => (&self.scopes, &self.all_scopes),
        }
    }

    /// Whether no token at all can pass: nothing is listed that it could hold. A route with such a rule is a mistake.
    #[must_use]
    pub fn lets_nobody_in(&self) -> bool {
        let admits = |kind| {
            let (any, all) = self.grants_of(kind);
            let in_groups = kind == TokenKind::App || self.groups.as_ref().is_none_or(|groups| !groups.is_empty());
            self.kinds.contains(&kind)
                && in_groups
                && (!any.is_empty() || !all.is_empty() || (self.allow_without_permission && self.clients.is_some()))
        };
        self.for_users_alone().is_some()
            || self.clients.as_ref().is_some_and(Vec::is_empty)
            || self.client_authentication.as_ref().is_some_and(Vec::is_empty)
            || !(admits(TokenKind::App) || admits(TokenKind::User))
    }
}

/// Whether what is held covers one of `any` and all of `all`. Two empty lists are covered by nothing.
fn holds<'a, I: Iterator<Item = &'a str>>(any: &[String], all: &[String], held: impl Fn() -> I) -> bool {
    let has = |wanted: &String| held().any(|value| value == wanted);
    match (any.is_empty(), all.is_empty()) {
        (true, true) => false,
        (true, false) => all.iter().all(has),
        (false, _) => any.iter().any(has) && all.iter().all(has),
    }
}
