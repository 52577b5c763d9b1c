//! `applications` entries: Graph objects, and the service principal that each of them has.

use std::collections::HashSet;

use countersign_protocol::graph;
use countersign_token::{ClientId, ObjectId, TenantId};
use serde_json::Value;

use super::credentials::{self, CredentialEntries};
use super::issue::{At, Issues};
use super::legacy;
use super::tenant::{FileWide, Unique};
use super::tree::{Tree, to_map};
use super::view::View;
use crate::model::read_registration;
use crate::{Application, MICROSOFT_GRAPH, ServicePrincipalKind, TOKEN_EXCHANGE};

/// One registration.
#[derive(Debug, Clone)]
pub(super) struct ApplicationEntry {
    pub(super) at: At,
    pub(super) application: Application,
    pub(super) credentials: CredentialEntries,
    /// `None` for `servicePrincipal: false`.
    pub(super) principal: Option<PrincipalEntry>,
}

/// What the file states of a service principal; the rest stays as it is or takes its default.
#[derive(Debug, Clone)]
pub(super) struct PrincipalEntry {
    pub(super) at: At,
    pub(super) app_id: ClientId,
    pub(super) object_id: Option<ObjectId>,
    pub(super) display_name: Option<String>,
    pub(super) account_enabled: Option<bool>,
    pub(super) app_role_assignment_required: Option<bool>,
    pub(super) names: Option<Vec<String>>,
    pub(super) own_signing_key: Option<bool>,
    pub(super) kind: Option<ServicePrincipalKind>,
}

/// Members of an entry that are read apart from the document.
const APART: [&str; 5] =
    ["passwordCredentials", "keyCredentials", "federatedIdentityCredentials", "servicePrincipal", "ownSigningKey"];

pub(super) fn read_all(
    views: &[View<'_>],
    tenant: TenantId,
    file_wide: &mut FileWide,
    issues: &mut Issues,
) -> Vec<ApplicationEntry> {
    let mut tenant_wide = TenantWide { uris: Unique::of("identifier URI"), ids: Unique::of("id") };
    views.iter().filter_map(|view| read(view, tenant, file_wide, &mut tenant_wide, issues)).collect()
}

/// What is unique in a tenant.
struct TenantWide {
    uris: Unique<String>,
    ids: Unique<ObjectId>,
}

fn read(
    view: &View<'_>,
    tenant: TenantId,
    file_wide: &mut FileWide,
    tenant_wide: &mut TenantWide,
    issues: &mut Issues,
) -> Option<ApplicationEntry> {
    let mut fields = view.object(issues)?;
    let app_id = fields.required("appId", issues).and_then(|view| {
        let app_id: ClientId = view.id(issues)?;
        if app_id == MICROSOFT_GRAPH {
            issues.error(&view.at, "this is Microsoft Graph, which every tenant has", "remove the entry");
        } else if app_id == TOKEN_EXCHANGE {
            issues.error(&view.at, "this is the token exchange, which every tenant has", "remove the entry");
        }
        file_wide.clients.note(app_id, &app_id.to_string(), &view.at, issues);
        Some(app_id)
    });
    let key = app_id.unwrap_or(ClientId::from_uuid(uuid::Uuid::nil()));
    let credentials = credentials::read(&mut fields, key, issues);
    let mut principal = read_own_principal(fields.get("servicePrincipal"), view, key, issues);
    if let Some(own) = fields.get("ownSigningKey")
        && let Some(stated) = own.flag(issues)
    {
        match &mut principal {
            Some(principal) => principal.own_signing_key = Some(stated),
            None => issues.error(&own.at, "a key of its own without a service principal", "remove one of the two"),
        }
    }

    let mut document = to_map(fields.members);
    for name in APART {
        document.remove(name);
    }
    let mut unknown = Vec::new();
    let registration = match read_registration(&document, &mut |path| unknown.push(path)) {
        Ok(registration) => Some(registration),
        Err(error) => {
            let at = below(view, &error.path);
            if error.path != "appId" {
                issues.error(&at, error.what.clone(), mend(&error.what));
            }
            None
        }
    };
    for path in unknown.iter().filter(|path| !legacy::is_graphs_own(path)) {
        let what = format!("unknown member `{}`", path.rsplit('.').next().unwrap_or(path));
        match legacy::graphs_name(path) {
            Some(name) => issues.warning(&below(view, path), what, format!("Microsoft Graph calls it `{name}`")),
            None => issues.warning(&below(view, path), what, "it is kept and has no effect; check its spelling"),
        }
    }
    let registration = registration?;
    check(&registration, view, issues);
    for (index, uri) in registration.identifier_uris.iter().enumerate() {
        tenant_wide.uris.note(uri.clone(), uri, &below(view, &format!("identifierUris[{index}]")), issues);
    }
    if let Some(id) = registration.id {
        tenant_wide.ids.note(id, &id.to_string(), &below(view, "id"), issues);
    }
    app_id?;
    match Application::from_document(tenant, Value::Object(document)) {
        Ok(application) => Some(ApplicationEntry { at: view.at.clone(), application, credentials, principal }),
        Err(error) => {
            issues.error(&below(view, &error.path), error.what.clone(), mend(&error.what));
            None
        }
    }
}

/// The place of a path below an entry, as precise as the tree knows it.
fn below(view: &View<'_>, path: &str) -> At {
    let line = view.node.line_at(path);
    if path.is_empty() { view.at.clone() } else { view.at.below(path, line) }
}

/// What to do about serde's words.
fn mend(what: &str) -> &'static str {
    if what.starts_with("missing field") {
        "add it"
    } else if what.starts_with("not a GUID") {
        "write 32 hexadecimal digits in five groups"
    } else if what.starts_with("not a time") {
        "write date, time and offset, such as 2026-01-31T10:00:00Z"
    } else {
        "write it as Microsoft Graph does"
    }
}

fn read_own_principal(
    stated: Option<View<'_>>,
    entry: &View<'_>,
    app_id: ClientId,
    issues: &mut Issues,
) -> Option<PrincipalEntry> {
    match stated {
        Some(view) => match &view.node.tree {
            Tree::Bool(false) => None,
            Tree::Bool(true) => Some(PrincipalEntry::of(view.at, app_id)),
            _ => read_principal(&view, app_id, issues),
        },
        None => Some(PrincipalEntry::of(entry.at.clone(), app_id)),
    }
}

impl PrincipalEntry {
    /// An instance of which nothing more is stated.
    pub(super) fn of(at: At, app_id: ClientId) -> Self {
        Self {
            at,
            app_id,
            object_id: None,
            display_name: None,
            account_enabled: None,
            app_role_assignment_required: None,
            names: None,
            own_signing_key: None,
            kind: None,
        }
    }
}

fn read_principal(view: &View<'_>, app_id: ClientId, issues: &mut Issues) -> Option<PrincipalEntry> {
    let mut fields = view.object(issues)?;
    let mut entry = PrincipalEntry::of(view.at.clone(), app_id);
    let _ = fields.get("appId");
    entry.object_id = fields.get("id").and_then(|view| view.id(issues));
    entry.display_name = fields.get("displayName").and_then(|view| view.name(issues)).map(str::to_owned);
    entry.account_enabled = fields.get("accountEnabled").and_then(|view| view.flag(issues));
    entry.app_role_assignment_required = fields.get("appRoleAssignmentRequired").and_then(|view| view.flag(issues));
    entry.own_signing_key = fields.get("ownSigningKey").and_then(|view| view.flag(issues));
    entry.names = fields.get("servicePrincipalNames").map(|view| {
        let names = view.items(issues);
        let names = names.iter().filter_map(|view| view.name(issues)).map(str::to_owned);
        // Graph lists the client id among the names; here it is one anyway.
        names.filter(|name| name.parse() != Ok(app_id)).collect()
    });
    fields.refuse_others(issues);
    Some(entry)
}

/// `servicePrincipals` of a tenant: instances of applications at home elsewhere.
pub(super) fn read_foreign_principal(
    view: &View<'_>,
    tenant: TenantId,
    own: &[ApplicationEntry],
    issues: &mut Issues,
) -> Option<PrincipalEntry> {
    let app_id = view.object(issues)?.required("appId", issues)?;
    let at = app_id.at.clone();
    let app_id: ClientId = app_id.id(issues)?;
    if own.iter().any(|entry| entry.application.app_id() == app_id) {
        let what = format!("{app_id} is at home in this tenant ({tenant})");
        issues.error(&at, what, "state its service principal at the application, as `servicePrincipal`");
        return None;
    }
    read_principal(view, app_id, issues)
}

/// What Graph would refuse of a well-formed document, as far as tokens depend on it.
fn check(registration: &graph::Application, view: &View<'_>, issues: &mut Issues) {
    for (index, uri) in registration.identifier_uris.iter().enumerate() {
        let at = below(view, &format!("identifierUris[{index}]"));
        if uri.len() > 255 || !uri.contains(':') || uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
            issues.error(&at, "not an identifier URI", "write a URI without blanks, such as api://{appId}");
        }
    }
    let roles = registration.app_roles.iter().map(|role| (role.id, role.value.as_deref()));
    check_values("appRoles", "app role", roles, view, issues);
    let scopes = registration.api.oauth2_permission_scopes.iter().map(|scope| (scope.id, scope.value.as_deref()));
    check_values("api.oauth2PermissionScopes", "scope", scopes, view, issues);
    for (index, role) in registration.app_roles.iter().enumerate() {
        if role.allowed_member_types.is_empty() {
            let at = below(view, &format!("appRoles[{index}]"));
            issues.error(&at, "`allowedMemberTypes` is missing or empty", "write [Application], [User] or both");
        }
    }
}

fn check_values<'a>(
    list: &str,
    what: &str,
    entries: impl Iterator<Item = (uuid::Uuid, Option<&'a str>)>,
    view: &View<'_>,
    issues: &mut Issues,
) {
    let (mut ids, mut values) = (HashSet::new(), HashSet::new());
    for (index, (id, value)) in entries.enumerate() {
        let at = |member: &str| below(view, &format!("{list}[{index}].{member}"));
        if !ids.insert(id) {
            issues.error(&at("id"), format!("another {what} has this id"), "give one of them another id");
        }
        let Some(value) = value else { continue };
        if !values.insert(value) {
            issues.error(
                &at("value"),
                format!("another {what} has the value `{value}`"),
                "give one of them another value",
            );
        }
        if value.contains(char::is_whitespace) {
            issues.error(
                &at("value"),
                format!("the value `{value}` has a blank"),
                "write it in one word, such as Orders.Read",
            );
        } else if !is_permission_value(value) {
            let what = format!("the value of the {what} has other characters than Entra allows");
            issues.error(&at("value"), what, "use letters, digits, dots and dashes, at most 120, not a dot first");
        }
    }
}

/// Source: Microsoft Graph resource type `appRole`, property `value`.
fn is_permission_value(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":!#$%&'()*+,-./;<=>?@[]^_{|}~".contains(&byte);
    value.len() <= 120 && !value.starts_with('.') && value.bytes().all(allowed)
}
