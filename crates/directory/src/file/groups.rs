//! `groups` of a tenant: Graph objects, and the names of their members.

use countersign_token::{ClientId, ObjectId, TenantId};

use super::issue::{At, Issues};
use super::tenant::Unique;
use super::view::View;
use crate::{Group, derived_object_id};

/// A group. Its members are found once everything that may be one is read.
#[derive(Debug, Clone)]
pub(super) struct GroupEntry {
    pub(super) at: At,
    pub(super) group: Group,
    pub(super) description: Option<String>,
    pub(super) security_enabled: Option<bool>,
    pub(super) members: Vec<MemberEntry>,
}

impl GroupEntry {
    /// The group that the file means, where the directory has it already.
    pub(super) fn over(&self, stored: Option<&Group>) -> Group {
        let known = stored.unwrap_or(&self.group);
        Group {
            description: self.description.as_ref().or(known.description.as_ref()).cloned(),
            security_enabled: self.security_enabled.unwrap_or(known.security_enabled),
            ..self.group.clone()
        }
    }
}

/// A member, and where it is named.
#[derive(Debug, Clone)]
pub(super) struct MemberEntry {
    pub(super) at: At,
    pub(super) who: Member,
}

/// A member by whatever it was called.
#[derive(Debug, Clone)]
pub(super) enum Member {
    User(ObjectId),
    Group(ObjectId),
    Client(ClientId),
    /// It may be in the directory.
    Elsewhere(String),
}

/// The groups, and for each the names of its members.
pub(super) fn read_all<'a>(
    views: &[View<'a>],
    tenant: TenantId,
    issues: &mut Issues,
) -> (Vec<GroupEntry>, Vec<Vec<View<'a>>>) {
    let mut names = Unique::of("displayName");
    let mut ids = Unique::of("id");
    let (mut groups, mut members) = (Vec::new(), Vec::new());
    for view in views {
        let Some(mut fields) = view.object(issues) else { continue };
        let stated: Option<(ObjectId, At)> = fields.get("id").and_then(|view| Some((view.id(issues)?, view.at)));
        let name = fields.required("displayName", issues).and_then(|view| Some((view.name(issues)?, view.at)));
        let description = fields.get("description").and_then(|view| view.text(issues)).map(str::to_owned);
        let security_enabled = fields.get("securityEnabled").and_then(|view| view.flag(issues));
        let named = fields.items("members", issues);
        // The shape is Graph's: what it sends besides is not kept.
        fields.warn_of_others(issues);
        let Some((display_name, at)) = name else { continue };
        names.note(display_name.to_owned(), display_name, &at, issues);
        if let Some((id, at)) = &stated {
            ids.note(*id, &id.to_string(), at, issues);
        }
        let object_id = stated.map_or_else(|| derived_object_id(tenant, "group", display_name), |(id, _)| id);
        let group = Group::new(object_id, tenant, display_name);
        let at = view.at.clone();
        groups.push(GroupEntry { at, group, description, security_enabled, members: Vec::new() });
        members.push(named);
    }
    (groups, members)
}
