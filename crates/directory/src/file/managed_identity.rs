//! `managedIdentities` of a tenant: what the platform lends to whatever runs on it.
//!
//! Each is an application without credentials and its service principal, as if it stood in `applications`; only the kind of
//! the service principal says what it is.

use countersign_token::{ClientId, TenantId};
use serde_json::json;

use super::application::{ApplicationEntry, PrincipalEntry};
use super::credentials::CredentialEntries;
use super::issue::Issues;
use super::tenant::FileWide;
use super::view::View;
use crate::model::derived_uuid;
use crate::{Application, ServicePrincipalKind};

pub(super) fn read_all(
    views: &[View<'_>],
    tenant: TenantId,
    file_wide: &mut FileWide,
    issues: &mut Issues,
) -> Vec<ApplicationEntry> {
    views.iter().filter_map(|view| read(view, tenant, file_wide, issues)).collect()
}

/// `{name, clientId, id}`; what is not stated is derived from the name. `displayName` will do for `name`.
fn read(view: &View<'_>, tenant: TenantId, file_wide: &mut FileWide, issues: &mut Issues) -> Option<ApplicationEntry> {
    let mut fields = view.object(issues)?;
    let display_name = fields.get("displayName");
    let name = match (fields.get("name"), display_name) {
        (Some(_), Some(twice)) => {
            issues.error(&twice.at, "both `name` and `displayName`", "remove one of them");
            None
        }
        (Some(name), None) | (None, Some(name)) => name.name(issues),
        (None, None) => {
            issues.error(&fields.at, "`name` is missing", "add it");
            None
        }
    };
    let stated = fields.get("clientId").map(|view| (view.id::<ClientId>(issues), view.at));
    let object_id = fields.get("id").and_then(|view| view.id(issues));
    fields.refuse_others(issues);
    let name = name?;
    let (app_id, at) = match stated {
        Some((id, at)) => (id?, at),
        None => (ClientId::from_uuid(derived_uuid(&tenant.as_uuid(), "managedIdentity", name)), view.at.clone()),
    };
    file_wide.clients.note(app_id, &app_id.to_string(), &at, issues);
    let document = json!({"appId": app_id.to_string(), "displayName": name});
    let application = Application::from_document(tenant, document)
        .map_err(|error| issues.error(&view.at, error.what, "write another name"))
        .ok()?;
    let mut principal = PrincipalEntry::of(view.at.clone(), app_id);
    principal.object_id = object_id;
    principal.kind = Some(ServicePrincipalKind::ManagedIdentity);
    Some(ApplicationEntry {
        at: view.at.clone(),
        application,
        credentials: CredentialEntries::default(),
        principal: Some(principal),
    })
}
