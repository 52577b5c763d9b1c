//! [`Rule`]: what one route demands, as the guard applies it.
//!
//! A rule is one of three: the policy's own permission, a permission written in code, or one that the policy names, which
//! is replaced together with the policy. Predicates may be added to each; they can only refuse, never admit.

use std::fmt;
use std::sync::Arc;

use countersign_token::policy::Permission;
use countersign_token::{Claims, Rejection, Validator, Verified};

type Check = Arc<dyn Fn(&Verified<Claims>) -> bool + Send + Sync>;

/// A condition of the service's own on a verified caller. Asked on every request, after everything else.
#[derive(Clone)]
pub struct Predicate {
    name: &'static str,
    check: Check,
}

impl Predicate {
    /// A condition with the name under which refusals are logged. Keep it quick: it runs on every request.
    pub fn new(name: &'static str, check: impl Fn(&Verified<Claims>) -> bool + Send + Sync + 'static) -> Self {
        Self { name, check: Arc::new(check) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn admits(&self, caller: &Verified<Claims>) -> bool {
        (self.check)(caller)
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Predicate").field(&self.name).finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Own,
    Permission(Box<Permission>),
    Named(Arc<str>),
}

/// What one route demands of its callers. A [`Permission`] is one by itself.
///
/// ```
/// use countersign_guard::{Permission, Rule};
///
/// let rule = Rule::from(Permission::any_app_role(["Orders.Read"]))
///     .and("not a preview application", |caller| caller.claim("xms_preview").is_none());
/// assert!(rule.to_string().ends_with(", and not a preview application"));
/// assert_eq!(Rule::named("orders.write").to_string(), "the policy's permission \"orders.write\"");
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) kind: Kind,
    pub(crate) predicates: Vec<Predicate>,
}

impl From<Permission> for Rule {
    fn from(permission: Permission) -> Self {
        Self { kind: Kind::Permission(Box::new(permission)), predicates: Vec::new() }
    }
}

impl Rule {
    /// The permission that the policy itself states.
    #[must_use]
    pub fn own() -> Self {
        Self { kind: Kind::Own, predicates: Vec::new() }
    }

    /// The permission that the policy has under this name in `permissions`; it changes when the policy is replaced.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { kind: Kind::Named(name.into()), predicates: Vec::new() }
    }

    /// With a condition more.
    #[must_use]
    pub fn and(
        mut self,
        name: &'static str,
        check: impl Fn(&Verified<Claims>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicates.push(Predicate::new(name, check));
        self
    }

    /// Whether both are sure to say the same: conditions of a service's own cannot be compared.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.predicates.is_empty() && other.predicates.is_empty()
    }

    /// The permission that this rule means under a policy; none for a name that the policy does not have.
    pub(crate) fn permission<'a>(&'a self, validator: &'a Validator) -> Option<&'a Permission> {
        match &self.kind {
            Kind::Own => Some(validator.permission()),
            Kind::Permission(permission) => Some(permission),
            Kind::Named(name) => validator.named(name),
        }
    }

    /// Whether a genuine caller passes. The policy's own demands on who calls bind under every rule.
    pub(crate) fn check(&self, validator: &Validator, caller: &Claims) -> Result<(), Rejection> {
        let own = validator.permission();
        match self.permission(validator) {
            Some(permission) if matches!(self.kind, Kind::Own) => permission.check(caller),
            Some(permission) => own.check_caller(caller).and_then(|()| permission.check(caller)),
            // Such a policy is never put in place; were it, it would let nobody in.
            None => Err(Rejection::NoPermission),
        }
    }

    /// As [`Rule::check`], with the groups that were asked for elsewhere.
    pub(crate) fn check_with_groups(
        &self,
        validator: &Validator,
        caller: &Claims,
        groups: &[countersign_token::ObjectId],
    ) -> Result<(), Rejection> {
        validator.permission().check_caller_with_groups(caller, groups)?;
        self.permission(validator).ok_or(Rejection::NoPermission)?.check_with_groups(caller, groups)
    }

    /// Whether no caller at all can pass: by the rule itself, or under the policy's clients, kinds and ways of proof.
    #[cfg(feature = "axum")]
    pub(crate) fn lets_nobody_in(&self, validator: &Validator) -> bool {
        let Some(permission) = self.permission(validator) else { return true };
        let policy = validator.permission();
        let mut both = permission.clone();
        both.kinds.retain(|kind| policy.kinds.contains(kind));
        if let Some(admitted) = &policy.clients {
            let clients = both.clients.get_or_insert_with(|| admitted.clone());
            clients.retain(|client| admitted.contains(client));
            // A route that names no clients of its own lets nobody pass without a permission, whatever the policy names.
            both.allow_without_permission &= permission.clients.is_some();
        }
        if let Some(admitted) = &policy.client_authentication {
            both.client_authentication.get_or_insert_with(|| admitted.clone()).retain(|way| admitted.contains(way));
        }
        both.lets_nobody_in()
    }
}

/// As a listing has it: every member, so that no change escapes a diff.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Own => f.write_str("the policy's own permission")?,
            Kind::Permission(permission) => {
                f.write_str(&serde_json::to_string(permission).map_err(|_| fmt::Error)?)?;
            }
            Kind::Named(name) => write!(f, "the policy's permission {name:?}")?,
        }
        self.predicates.iter().try_for_each(|predicate| write!(f, ", and {}", predicate.name))
    }
}
