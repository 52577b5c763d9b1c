//! `appRoleAssignments` and `oauth2PermissionGrants`: who may do what, by names that are resolved as far as the file goes.
//!
//! A name or client id that is not in the file may be in the directory already (files can be loaded one after another);
//! it is looked up when the file is loaded, and is an error there if it is unknown.

use countersign_protocol::graph::{AllowedMemberType, AppRole, PermissionScope};
use countersign_token::{ClientId, ObjectId};
use uuid::Uuid;

use super::application::{ApplicationEntry, PrincipalEntry};
use super::groups::{GroupEntry, Member, MemberEntry};
use super::issue::{At, Issues, did_you_mean};
use super::users::UserEntry;
use super::view::View;
use crate::{Application, DEFAULT_ACCESS, MICROSOFT_GRAPH, microsoft_graph};

/// An application, user or group, by whatever it was called.
#[derive(Debug, Clone)]
pub(super) enum Named<Id> {
    /// It is in the file (or is Microsoft Graph).
    Here(Id),
    /// It may be in the directory.
    Elsewhere(At, String),
}

/// Who holds an app role.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Client(Named<ClientId>),
    User(Named<ObjectId>),
    Group(Named<ObjectId>),
}

/// `{client, resource, role}`, or with `user` or `group` instead of `client`.
#[derive(Debug, Clone)]
pub(super) struct AssignmentEntry {
    pub(super) at: At,
    pub(super) holder: Holder,
    pub(super) resource: Named<ClientId>,
    pub(super) role: (At, String),
}

/// `{client, resource, scopes, consentType, user}`.
#[derive(Debug, Clone)]
pub(super) struct GrantEntry {
    pub(super) at: At,
    pub(super) client: Named<ClientId>,
    pub(super) resource: Named<ClientId>,
    pub(super) user: Option<Named<ObjectId>>,
    pub(super) scopes: Vec<(At, String)>,
}

/// Everything in a tenant's entry that a grant may name.
pub(super) struct Names<'a> {
    applications: &'a [ApplicationEntry],
    principals: &'a [PrincipalEntry],
    users: &'a [UserEntry],
    groups: &'a [GroupEntry],
}

impl<'a> Names<'a> {
    pub(super) fn of(
        applications: &'a [ApplicationEntry],
        principals: &'a [PrincipalEntry],
        users: &'a [UserEntry],
        groups: &'a [GroupEntry],
    ) -> Self {
        Self { applications, principals, users, groups }
    }

    fn declared(&self, named: &Named<ClientId>) -> Option<&Application> {
        match named {
            Named::Here(MICROSOFT_GRAPH) => Some(microsoft_graph()),
            Named::Here(id) => {
                self.applications.iter().map(|entry| &entry.application).find(|application| application.app_id() == *id)
            }
            Named::Elsewhere(..) => None,
        }
    }

    fn application(&self, view: &View<'_>, issues: &mut Issues) -> Option<Named<ClientId>> {
        let text = view.name(issues)?;
        let elsewhere = || Named::Elsewhere(view.at.clone(), text.to_owned());
        let graph = microsoft_graph();
        if text.parse() == Ok(MICROSOFT_GRAPH)
            || text == graph.display_name()
            || graph.identifier_uris().iter().any(|uri| uri == text)
        {
            return Some(Named::Here(MICROSOFT_GRAPH));
        }
        let id = text.parse().ok();
        let means = |entry: &&ApplicationEntry| match id {
            Some(id) => entry.application.app_id() == id,
            None => {
                entry.application.display_name() == text
                    || entry.application.identifier_uris().iter().any(|uri| uri == text)
            }
        };
        let meant: Vec<_> = self.applications.iter().filter(means).collect();
        match meant.as_slice() {
            [] => {
                let foreign = self
                    .principals
                    .iter()
                    .find(|entry| Some(entry.app_id) == id || entry.display_name.as_deref() == Some(text));
                Some(foreign.map_or_else(elsewhere, |entry| Named::Here(entry.app_id)))
            }
            [entry] if entry.principal.is_none() => {
                let what = format!("`{text}` has no service principal in this tenant");
                issues.error(&view.at, what, "remove `servicePrincipal: false` there, or this grant");
                None
            }
            [entry] => Some(Named::Here(entry.application.app_id())),
            several => {
                let ids: Vec<_> = several.iter().map(|entry| entry.application.app_id().to_string()).collect();
                let what = format!("`{text}` is the name of {} applications", several.len());
                issues.error(&view.at, what, format!("write the appId: {}", ids.join(" or ")));
                None
            }
        }
    }

    fn known_user(&self, text: &str) -> Option<ObjectId> {
        let id = text.parse().ok();
        let means = |entry: &&UserEntry| match id {
            Some(id) => entry.user.object_id == id,
            None => entry.user.user_principal_name.to_lowercase() == text.to_lowercase(),
        };
        self.users.iter().find(means).map(|entry| entry.user.object_id)
    }

    fn user(&self, view: &View<'_>, issues: &mut Issues) -> Option<Named<ObjectId>> {
        let text = view.name(issues)?;
        Some(match self.known_user(text) {
            Some(id) => Named::Here(id),
            None => Named::Elsewhere(view.at.clone(), text.to_owned()),
        })
    }

    fn known_group(&self, text: &str) -> Option<ObjectId> {
        let id = text.parse().ok();
        let means = |entry: &&GroupEntry| match id {
            Some(id) => entry.group.object_id == id,
            None => entry.group.display_name == text,
        };
        self.groups.iter().find(means).map(|entry| entry.group.object_id)
    }

    pub(super) fn group(&self, view: &View<'_>, issues: &mut Issues) -> Option<Named<ObjectId>> {
        let text = view.name(issues)?;
        Some(match self.known_group(text) {
            Some(id) => Named::Here(id),
            None => Named::Elsewhere(view.at.clone(), text.to_owned()),
        })
    }

    /// A member of a group: a user by sign-in name, a group or an application by name, or any of them by id.
    pub(super) fn member(&self, view: &View<'_>, issues: &mut Issues) -> Option<MemberEntry> {
        let text = view.name(issues)?;
        let who = match (self.known_user(text), self.known_group(text)) {
            (Some(user), _) => Member::User(user),
            (None, Some(group)) => {
                if self.applications.iter().any(|entry| entry.application.display_name() == text) {
                    let what = format!("`{text}` is the name of a group and of an application");
                    issues.error(&view.at, what, "write the group's id or the application's appId");
                }
                Member::Group(group)
            }
            (None, None) => match self.application(view, issues)? {
                Named::Here(client) => Member::Client(client),
                Named::Elsewhere(_, text) => Member::Elsewhere(text),
            },
        };
        Some(MemberEntry { at: view.at.clone(), who })
    }
}

pub(super) fn read_assignments(views: &[View<'_>], names: &Names<'_>, issues: &mut Issues) -> Vec<AssignmentEntry> {
    views.iter().filter_map(|view| read_assignment(view, names, issues)).collect()
}

fn read_assignment(view: &View<'_>, names: &Names<'_>, issues: &mut Issues) -> Option<AssignmentEntry> {
    let mut fields = view.object(issues)?;
    let holders = [fields.get("client"), fields.get("user"), fields.get("group")];
    let resource = fields.required("resource", issues).and_then(|view| names.application(&view, issues));
    let role = fields.required("role", issues).and_then(|view| Some((view.name(issues)?.to_owned(), view.at)));
    fields.refuse_others(issues);
    let holder = match holders {
        [Some(view), None, None] => names.application(&view, issues).map(Holder::Client),
        [None, Some(view), None] => names.user(&view, issues).map(Holder::User),
        [None, None, Some(view)] => names.group(&view, issues).map(Holder::Group),
        [None, None, None] => {
            let mend = "add it, or `user` or `group` for a role that a user or a group holds";
            issues.error(&fields.at, "`client` is missing", mend);
            None
        }
        [_, Some(view), _] | [_, _, Some(view)] => {
            issues.error(&view.at, "more than one of `client`, `user` and `group`", "write one entry for each");
            None
        }
    };
    let (resource, (role, at), holder) = (resource?, role?, holder?);
    if let Some(application) = names.declared(&resource) {
        find_role(application, &role, &holder, &at, issues)?;
    }
    Some(AssignmentEntry { at: view.at.clone(), holder, resource, role: (at, role) })
}

pub(super) fn read_grants(views: &[View<'_>], names: &Names<'_>, issues: &mut Issues) -> Vec<GrantEntry> {
    views.iter().filter_map(|view| read_grant(view, names, issues)).collect()
}

fn read_grant(view: &View<'_>, names: &Names<'_>, issues: &mut Issues) -> Option<GrantEntry> {
    let mut fields = view.object(issues)?;
    let client = fields.required("client", issues).and_then(|view| names.application(&view, issues));
    let resource = fields.required("resource", issues).and_then(|view| names.application(&view, issues));
    let scopes = fields.required("scopes", issues).map(|view| (view.items(issues), view.at));
    let consent = fields.get("consentType").and_then(|view| Some((view.name(issues)?, view.at)));
    let user = fields.get("user");
    fields.refuse_others(issues);
    match (consent, &user) {
        (Some(("Principal", at)), None) => issues.error(&at, "consent of a user without a `user`", "add `user`"),
        (Some(("AllPrincipals", _)), Some(user)) => {
            issues.error(&user.at, "a `user` in a consent for everybody", "remove it, or write consentType: Principal");
        }
        (Some((other, at)), _) if other != "Principal" && other != "AllPrincipals" => {
            let mend = did_you_mean(other, ["AllPrincipals", "Principal"], "write AllPrincipals or Principal");
            issues.error(&at, format!("unknown consentType `{other}`"), mend);
        }
        _ => {}
    }
    let user = user.map(|view| names.user(&view, issues));
    let (scopes, at) = scopes?;
    if scopes.is_empty() {
        issues.error(&at, "no scopes", "name at least one, or remove the grant");
    }
    let scopes: Vec<_> =
        scopes.iter().filter_map(|view| Some((view.at.clone(), view.name(issues)?.to_owned()))).collect();
    let (client, resource) = (client?, resource?);
    if let Some(application) = names.declared(&resource) {
        for (at, scope) in &scopes {
            find_scope(application, scope, at, issues);
        }
    }
    let user = match user {
        Some(user) => Some(user?),
        None => None,
    };
    Some(GrantEntry { at: view.at.clone(), client, resource, user, scopes })
}

/// The role of a resource by value or id, if the holder may hold it.
pub(super) fn find_role(
    application: &Application,
    text: &str,
    holder: &Holder,
    at: &At,
    issues: &mut Issues,
) -> Option<Uuid> {
    let id = text.parse::<ObjectId>().map(|id| id.as_uuid()).ok();
    if id == Some(DEFAULT_ACCESS) {
        return id;
    }
    let means = |role: &&AppRole| id.map_or(role.value.as_deref() == Some(text), |id| role.id == id);
    let resource = application.display_name();
    let Some(role) = application.app_roles().iter().find(means) else {
        let values: Vec<_> = application.app_roles().iter().filter_map(|role| role.value.as_deref()).collect();
        let otherwise = match values.as_slice() {
            [] => "add it to the resource's `appRoles`".to_owned(),
            values => format!("it declares {}", values.join(", ")),
        };
        let mend = did_you_mean(text, values.iter().copied(), &otherwise);
        issues.error(at, format!("`{resource}` declares no app role `{text}`"), mend);
        return None;
    };
    let kind = match holder {
        Holder::Client(_) => Some((AllowedMemberType::Application, "applications")),
        Holder::User(_) => Some((AllowedMemberType::User, "users")),
        // Either kind may be in a group; each member gets what its own kind may hold.
        Holder::Group(_) => None,
    };
    if let Some((kind, who)) = kind
        && !role.allowed_member_types.contains(&kind)
    {
        let what = format!("the app role `{text}` of `{resource}` is not for {who}");
        issues.error(at, what, format!("add {kind:?} to its `allowedMemberTypes`, or assign another role"));
        return None;
    }
    if !role.is_enabled {
        issues.warning(at, format!("the app role `{text}` of `{resource}` is disabled"), "tokens will not carry it");
    }
    Some(role.id)
}

/// The scope of a resource, by value.
pub(super) fn find_scope(application: &Application, text: &str, at: &At, issues: &mut Issues) -> bool {
    let scopes = application.oauth2_permission_scopes();
    let values = || scopes.iter().filter_map(|scope: &PermissionScope| scope.value.as_deref());
    if values().any(|value| value == text) {
        return true;
    }
    let all: Vec<_> = values().collect();
    let otherwise = match all.as_slice() {
        [] => "add it to the resource's `api.oauth2PermissionScopes`".to_owned(),
        all => format!("it declares {}", all.join(", ")),
    };
    let what = format!("`{}` declares no scope `{text}`", application.display_name());
    issues.error(at, what, did_you_mean(text, values(), &otherwise));
    false
}
