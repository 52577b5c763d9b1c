//! `users` of a tenant.

use countersign_token::{ObjectId, TenantId};
use secrecy::SecretString;

use super::grants::{Named, Names};
use super::issue::{At, Issues};
use super::tenant::Unique;
use super::view::{Fields, View};
use crate::{Argon2id, User, UserType, derived_object_id};

/// A user; the hash in `user` is `None`, the password is beside it.
#[derive(Debug, Clone)]
pub(super) struct UserEntry {
    pub(super) at: At,
    pub(super) user: User,
    pub(super) stated: Stated,
    pub(super) password: Option<SecretString>,
}

/// A user and a group that the user names.
#[derive(Debug, Clone)]
pub(super) struct MembershipEntry {
    pub(super) at: At,
    pub(super) user: ObjectId,
    pub(super) group: Named<ObjectId>,
}

/// What the file states of a user; what it leaves out stays as it is.
#[derive(Debug, Clone)]
pub(super) struct Stated {
    user_type: Option<UserType>,
    account_enabled: Option<bool>,
    is_administrator: Option<bool>,
    password_expired: Option<bool>,
    mfa_required: Option<bool>,
    blocked_by_policy: Option<bool>,
}

impl Stated {
    fn read(fields: &mut Fields<'_>, issues: &mut Issues) -> Self {
        let user_type = fields.get("userType").and_then(|view| {
            let read = UserType::from_name(view.name(issues)?);
            if read.is_none() {
                issues.error(&view.at, "neither Member nor Guest", "write Member or Guest");
            }
            read
        });
        let mut flag = |name| fields.get(name).and_then(|view| view.flag(issues));
        Self {
            user_type,
            account_enabled: flag("accountEnabled"),
            is_administrator: flag("administrator"),
            password_expired: flag("passwordExpired"),
            mfa_required: flag("mfaRequired"),
            blocked_by_policy: flag("blockedByPolicy"),
        }
    }

    /// The user that the file means, where the directory has it already.
    pub(super) fn over(&self, user: &User, stored: Option<&User>) -> User {
        let known = stored.unwrap_or(user);
        User {
            user_type: self.user_type.unwrap_or(known.user_type),
            account_enabled: self.account_enabled.unwrap_or(known.account_enabled),
            is_administrator: self.is_administrator.unwrap_or(known.is_administrator),
            password_expired: self.password_expired.unwrap_or(known.password_expired),
            mfa_required: self.mfa_required.unwrap_or(known.mfa_required),
            blocked_by_policy: self.blocked_by_policy.unwrap_or(known.blocked_by_policy),
            // A revocation is no property that a file states.
            tokens_valid_from: known.tokens_valid_from,
            ..user.clone()
        }
    }
}

/// Members that Graph sends for every user and that users here do not have.
const NOT_KEPT: [&str; 5] = ["businessPhones", "jobTitle", "mobilePhone", "officeLocation", "preferredLanguage"];

/// A user, and the names of the groups that it says it is in.
pub(super) type Unresolved<'a> = (ObjectId, View<'a>);

/// The users, and what they say of their groups.
pub(super) fn read_all<'a>(
    views: &[View<'a>],
    tenant: TenantId,
    domains: &[String],
    issues: &mut Issues,
) -> (Vec<UserEntry>, Vec<Unresolved<'a>>) {
    let mut names = Unique::of("userPrincipalName");
    let mut ids = Unique::of("id");
    let (mut users, mut memberships) = (Vec::new(), Vec::new());
    for view in views {
        let Some(mut fields) = view.object(issues) else { continue };
        let stated_id: Option<(ObjectId, At)> = fields.get("id").and_then(|view| Some((view.id(issues)?, view.at)));
        let name = fields.required("userPrincipalName", issues).and_then(|view| Some((view.name(issues)?, view.at)));
        let mut text = |name| fields.get(name).and_then(|view| view.name(issues)).map(str::to_owned);
        let (display_name, given_name) = (text("displayName"), text("givenName"));
        let (surname, mail) = (text("surname"), text("mail"));
        let stated = Stated::read(&mut fields, issues);
        let password = fields.get("password").and_then(|view| password(&view, issues));
        let groups = fields.items("groups", issues);
        if NOT_KEPT.into_iter().filter(|name| fields.get(name).is_some()).count() > 0 {
            let what = format!("users here have none of {}", NOT_KEPT.join(", "));
            issues.warning(&fields.at, what, "they are left out");
        }
        fields.refuse_others(issues);

        let Some((user_principal_name, at)) = name else { continue };
        check_domain(user_principal_name, &at, domains, issues);
        names.note(user_principal_name.to_lowercase(), user_principal_name, &at, issues);
        if let Some((id, at)) = &stated_id {
            ids.note(*id, &id.to_string(), at, issues);
        }
        let object_id = stated_id
            .map_or_else(|| derived_object_id(tenant, "user", &user_principal_name.to_lowercase()), |(id, _)| id);
        let user = User::new(object_id, tenant, user_principal_name);
        let display_name = display_name.unwrap_or_else(|| user_principal_name.to_owned());
        let user = User { display_name, given_name, surname, mail, ..user };
        users.push(UserEntry { at: view.at.clone(), user, stated, password });
        memberships.extend(groups.into_iter().map(|group| (object_id, group)));
    }
    (users, memberships)
}

/// Finds the groups that users name.
pub(super) fn resolve(memberships: &[Unresolved<'_>], names: &Names<'_>, issues: &mut Issues) -> Vec<MembershipEntry> {
    let resolved = |(user, view): &Unresolved<'_>| {
        Some(MembershipEntry { at: view.at.clone(), user: *user, group: names.group(view, issues)? })
    };
    memberships.iter().filter_map(resolved).collect()
}

fn check_domain(name: &str, at: &At, domains: &[String], issues: &mut Issues) {
    match name.rsplit_once('@').map(|(_, domain)| domain) {
        None | Some("") => {
            issues.error(at, format!("`{name}` has no domain"), "write a name such as alice@contoso.com");
        }
        Some(domain) if !domains.iter().any(|known| known.eq_ignore_ascii_case(domain)) => {
            let what = format!("`{domain}` is not among the tenant's domains");
            issues.warning(at, what, "add it to `domains`, or nobody finds the user's tenant by this name");
        }
        Some(_) => {}
    }
}

/// The text is never shown, whatever is wrong with it.
fn password(view: &View<'_>, issues: &mut Issues) -> Option<SecretString> {
    let text = view.text(issues)?;
    if text.is_empty() || text.len() > Argon2id::MAX_BYTES {
        let what = if text.is_empty() { "an empty password" } else { "a password that is too long" };
        let mend = format!("write 1 to {} bytes, or leave it out: the user then has none", Argon2id::MAX_BYTES);
        issues.error(&view.at, what, mend);
        return None;
    }
    Some(SecretString::from(text))
}
