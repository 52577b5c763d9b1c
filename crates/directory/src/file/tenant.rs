//! The top of the file: tenants, and what must be unique among all of it.

use std::collections::HashMap;
use std::hash::Hash;

use countersign_token::TenantId;

use super::application::{self, ApplicationEntry, PrincipalEntry};
use super::credentials;
use super::grants::{self, AssignmentEntry, GrantEntry, Names};
use super::groups::{self, GroupEntry};
use super::issue::{At, Issues};
use super::managed_identity;
use super::users::{self, MembershipEntry, UserEntry};
use super::view::{Fields, View};
use crate::Tenant;

/// One tenant and everything the file says about it.
#[derive(Debug, Clone)]
pub(super) struct TenantEntry {
    pub(super) at: At,
    pub(super) tenant: Tenant,
    pub(super) stated: Stated,
    pub(super) users: Vec<UserEntry>,
    pub(super) applications: Vec<ApplicationEntry>,
    /// Instances of applications that are at home elsewhere.
    pub(super) service_principals: Vec<PrincipalEntry>,
    pub(super) groups: Vec<GroupEntry>,
    /// What users say of their groups.
    pub(super) memberships: Vec<MembershipEntry>,
    pub(super) assignments: Vec<AssignmentEntry>,
    pub(super) grants: Vec<GrantEntry>,
}

/// What the file states of a tenant; what it leaves out stays as it is.
#[derive(Debug, Clone)]
pub(super) struct Stated {
    enabled: Option<bool>,
    user_consent_allowed: Option<bool>,
    own_signing_keys: Option<bool>,
    trusted_certificate_authorities: Option<Vec<Vec<u8>>>,
}

impl Stated {
    fn read(fields: &mut Fields<'_>, issues: &mut Issues) -> Self {
        let mut flag = |name| fields.get(name).and_then(|view| view.flag(issues));
        Self {
            enabled: flag("enabled"),
            user_consent_allowed: flag("userConsentAllowed"),
            own_signing_keys: flag("ownSigningKeys"),
            trusted_certificate_authorities: fields.get("trustedCertificateAuthorities").map(|view| {
                let items = view.items(issues);
                items.iter().filter_map(|view| credentials::certificate_in_pem(view, issues)).collect()
            }),
        }
    }

    /// The tenant that the file means, where the directory has it already.
    pub(super) fn over(&self, tenant: &Tenant, stored: Option<&Tenant>) -> Tenant {
        let known = stored.unwrap_or(tenant);
        Tenant {
            enabled: self.enabled.unwrap_or(known.enabled),
            user_consent_allowed: self.user_consent_allowed.unwrap_or(known.user_consent_allowed),
            own_signing_keys: self.own_signing_keys.unwrap_or(known.own_signing_keys),
            trusted_certificate_authorities: self
                .trusted_certificate_authorities
                .as_ref()
                .unwrap_or(&known.trusted_certificate_authorities)
                .clone(),
            ..tenant.clone()
        }
    }
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
    let stated = Stated::read(&mut fields, issues);

    let users = fields.items("users", issues);
    let groups = fields.items("groups", issues);
    let applications = fields.items("applications", issues);
    let managed_identities = fields.items("managedIdentities", issues);
    let service_principals = fields.items("servicePrincipals", issues);
    let assignments = fields.items("appRoleAssignments", issues);
    let grants = fields.items("oauth2PermissionGrants", issues);
    fields.refuse_others(issues);

    // Ids of everything below are derived from the tenant's: without it the rest is read for its issues only.
    let tenant = id.unwrap_or(TenantId::from_uuid(uuid::Uuid::nil()));
    let (users, memberships) = users::read_all(&users, tenant, &domains, issues);
    let mut applications = application::read_all(&applications, tenant, file_wide, issues);
    applications.extend(managed_identity::read_all(&managed_identities, tenant, file_wide, issues));
    let service_principals: Vec<_> = service_principals
        .iter()
        .filter_map(|view| application::read_foreign_principal(view, tenant, &applications, issues))
        .collect();
    let (mut groups, members) = groups::read_all(&groups, tenant, issues);
    let names = Names::of(&applications, &service_principals, &users, &groups);
    let members: Vec<Vec<_>> =
        members.iter().map(|views| views.iter().filter_map(|view| names.member(view, issues)).collect()).collect();
    let memberships = users::resolve(&memberships, &names, issues);
    let assignments = grants::read_assignments(&assignments, &names, issues);
    let grants = grants::read_grants(&grants, &names, issues);
    for (group, members) in groups.iter_mut().zip(members) {
        group.members = members;
    }
    let display_name = display_name.or(domains.first().map(String::as_str)).map(str::to_owned);
    let tenant = Tenant {
        display_name: display_name.unwrap_or_else(|| tenant.to_string()),
        domains,
        region_scope: region_scope.unwrap_or(Tenant::DEFAULT_REGION_SCOPE).to_owned(),
        strict: strict.unwrap_or(false),
        own_signing_keys: true,
        ..Tenant::new(id?, "")
    };
    Some(TenantEntry {
        at: view.at.clone(),
        tenant,
        stated,
        users,
        applications,
        service_principals,
        groups,
        memberships,
        assignments,
        grants,
    })
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
