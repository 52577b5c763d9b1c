//! The top of the file: tenants, their users, and what must be unique among all of it.

use std::collections::HashMap;
use std::hash::Hash;

use countersign_token::{ObjectId, TenantId};
use secrecy::SecretString;

use super::application::{self, ApplicationEntry, PrincipalEntry};
use super::grants::{self, AssignmentEntry, GrantEntry};
use super::issue::{At, Issues};
use super::view::{Fields, View};
use crate::{Argon2id, Tenant, User, derived_object_id};

/// One tenant and everything the file says about it.
#[derive(Debug, Clone)]
pub(super) struct TenantEntry {
    pub(super) at: At,
    pub(super) tenant: Tenant,
    pub(super) users: Vec<UserEntry>,
    pub(super) applications: Vec<ApplicationEntry>,
    /// Instances of applications that are at home elsewhere.
    pub(super) service_principals: Vec<PrincipalEntry>,
    pub(super) assignments: Vec<AssignmentEntry>,
    pub(super) grants: Vec<GrantEntry>,
}

/// A user; the hash in `user` is `None`, the password is beside it.
#[derive(Debug, Clone)]
pub(super) struct UserEntry {
    pub(super) at: At,
    pub(super) user: User,
    pub(super) password: Option<SecretString>,
}

/// Remembers where something that must be unique was first seen.
pub(super) struct Unique<K> {
    what: &'static str,
    seen: HashMap<K, At>,
}

impl<K: Hash + Eq> Unique<K> {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, seen: HashMap::new() }
    }

    /// An issue if the key was seen before.
    pub(super) fn note(&mut self, key: K, shown: &str, at: &At, issues: &mut Issues) {
        if let Some(first) = self.seen.get(&key) {
            let line = first.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            let what = format!("the {} {shown} is also at {}{line}", self.what, first.path);
            issues.error(at, what, format!("give one of them another {}, or remove it", self.what));
        } else {
            self.seen.insert(key, at.clone());
        }
    }
}

/// What is unique in the whole file.
pub(super) struct FileWide {
    tenants: Unique<TenantId>,
    domains: Unique<String>,
    pub(super) clients: Unique<countersign_token::ClientId>,
}

/// Reads the whole document.
pub(super) fn read_all(root: &View<'_>, issues: &mut Issues) -> Vec<TenantEntry> {
    if matches!(root.node.tree, super::tree::Tree::Null) {
        issues.error(&root.at, "the file is empty", "begin with `tenants:` and a list");
        return Vec::new();
    }
    let Some(mut fields) = root.object(issues) else { return Vec::new() };
    let mut file_wide =
        FileWide { tenants: Unique::of("tenantId"), domains: Unique::of("domain"), clients: Unique::of("appId") };
    let views = fields.required("tenants", issues).map(|view| view.items(issues)).unwrap_or_default();
    let tenants = views.iter().filter_map(|view| read(view, &mut file_wide, issues)).collect();
    fields.refuse_others(issues);
    tenants
}

fn read(view: &View<'_>, file_wide: &mut FileWide, issues: &mut Issues) -> Option<TenantEntry> {
    let mut fields = view.object(issues)?;
    let id = fields.required("tenantId", issues).and_then(|view| {
        let id: TenantId = view.id(issues)?;
        file_wide.tenants.note(id, &id.to_string(), &view.at, issues);
        Some(id)
    });
    let display_name = fields.get("displayName").and_then(|view| view.name(issues));
    let domains = domains(&mut fields, file_wide, issues);
    let region_scope = fields.get("tenantRegionScope").and_then(|view| view.name(issues));
    let strict = fields.get("strict").and_then(|view| view.flag(issues));

    let users = fields.items("users", issues);
    let applications = fields.items("applications", issues);
    let service_principals = fields.items("servicePrincipals", issues);
    let assignments = fields.items("appRoleAssignments", issues);
    let grants = fields.items("oauth2PermissionGrants", issues);
    fields.refuse_others(issues);

    // Ids of everything below are derived from the tenant's: without it the rest is read for its issues only.
    let tenant = id.unwrap_or(TenantId::from_uuid(uuid::Uuid::nil()));
    let users = read_users(&users, tenant, &domains, issues);
    let applications = application::read_all(&applications, tenant, file_wide, issues);
    let service_principals: Vec<_> = service_principals
        .iter()
        .filter_map(|view| application::read_foreign_principal(view, tenant, &applications, issues))
        .collect();
    let names = grants::Names::of(&applications, &service_principals, &users);
    let assignments = grants::read_assignments(&assignments, &names, issues);
    let grants = grants::read_grants(&grants, &names, issues);
    let display_name = display_name.or(domains.first().map(String::as_str)).map(str::to_owned);
    let tenant = Tenant {
        id: id?,
        display_name: display_name.unwrap_or_else(|| tenant.to_string()),
        domains,
        region_scope: region_scope.unwrap_or(Tenant::DEFAULT_REGION_SCOPE).to_owned(),
        strict: strict.unwrap_or(false),
    };
    Some(TenantEntry { at: view.at.clone(), tenant, users, applications, service_principals, assignments, grants })
}

fn domains(fields: &mut Fields<'_>, file_wide: &mut FileWide, issues: &mut Issues) -> Vec<String> {
    let mut domains = Vec::new();
    for view in fields.items("domains", issues) {
        let Some(domain) = view.name(issues) else { continue };
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if !domain.contains('.') || !domain.split('.').all(label) {
            issues.error(
                &view.at,
                format!("`{domain}` is not a domain"),
                "write a name such as contoso.onmicrosoft.com",
            );
            continue;
        }
        file_wide.domains.note(domain.to_ascii_lowercase(), domain, &view.at, issues);
        domains.push(domain.to_owned());
    }
    domains
}

/// Members that Graph sends for every user and that users here do not have.
const NOT_KEPT: [&str; 5] = ["businessPhones", "jobTitle", "mobilePhone", "officeLocation", "preferredLanguage"];

fn read_users(views: &[View<'_>], tenant: TenantId, domains: &[String], issues: &mut Issues) -> Vec<UserEntry> {
    let mut names = Unique::of("userPrincipalName");
    let mut ids = Unique::of("id");
    let mut users = Vec::new();
    for view in views {
        let Some(mut fields) = view.object(issues) else { continue };
        let stated: Option<(ObjectId, At)> = fields.get("id").and_then(|view| Some((view.id(issues)?, view.at)));
        let name = fields.required("userPrincipalName", issues).and_then(|view| Some((view.name(issues)?, view.at)));
        let mut text = |name| fields.get(name).and_then(|view| view.name(issues)).map(str::to_owned);
        let (display_name, given_name) = (text("displayName"), text("givenName"));
        let (surname, mail) = (text("surname"), text("mail"));
        let account_enabled = fields.get("accountEnabled").and_then(|view| view.flag(issues)).unwrap_or(true);
        let password = fields.get("password").and_then(|view| password(&view, issues));
        if NOT_KEPT.into_iter().filter(|name| fields.get(name).is_some()).count() > 0 {
            let what = format!("users here have none of {}", NOT_KEPT.join(", "));
            issues.warning(&fields.at, what, "they are left out");
        }
        fields.refuse_others(issues);

        let Some((user_principal_name, at)) = name else { continue };
        let domain = user_principal_name.rsplit_once('@').map(|(_, domain)| domain);
        match domain {
            None | Some("") => {
                let what = format!("`{user_principal_name}` has no domain");
                issues.error(&at, what, "write a name such as alice@contoso.com");
            }
            Some(domain) if !domains.iter().any(|known| known.eq_ignore_ascii_case(domain)) => {
                let what = format!("`{domain}` is not among the tenant's domains");
                issues.warning(&at, what, "add it to `domains`, or nobody finds the user's tenant by this name");
            }
            Some(_) => {}
        }
        names.note(user_principal_name.to_lowercase(), user_principal_name, &at, issues);
        if let Some((id, at)) = &stated {
            ids.note(*id, &id.to_string(), at, issues);
        }
        let object_id =
            stated.map_or_else(|| derived_object_id(tenant, "user", &user_principal_name.to_lowercase()), |(id, _)| id);
        let user = User {
            object_id,
            tenant,
            user_principal_name: user_principal_name.to_owned(),
            display_name: display_name.unwrap_or_else(|| user_principal_name.to_owned()),
            given_name,
            surname,
            mail,
            account_enabled,
            password_hash: None,
        };
        users.push(UserEntry { at: view.at.clone(), user, password });
    }
    users
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
