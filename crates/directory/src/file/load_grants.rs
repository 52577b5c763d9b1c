//! The second half of loading: who belongs to what and may do what, once everybody is there who can be named.

use countersign_token::{ClientId, ObjectId, TenantId};

use super::grants::{AssignmentEntry, GrantEntry, Holder, Named, find_role, find_scope};
use super::groups::{GroupEntry, Member, MemberEntry};
use super::issue::At;
use super::load::{LoadError, Loading};
use super::tenant::TenantEntry;
use crate::{AppRoleAssignment, PermissionGrant, Principal, ServicePrincipal, StoreError, Transaction};

impl<T: Transaction> Loading<'_, T> {
    pub(super) async fn tenants_grants(&mut self, entry: &TenantEntry) -> Result<(), LoadError> {
        let tenant = entry.tenant.id;
        for principal in &entry.service_principals {
            self.principal(tenant, principal).await?;
        }
        if !self.issues.are_none() {
            // What is missing now would be named again by every grant that needs it.
            return Ok(());
        }
        for group in &entry.groups {
            self.group(group).await?;
        }
        // A group may be a member of one that comes before it.
        for group in &entry.groups {
            for member in &group.members {
                if let Some(who) = self.member(tenant, member).await? {
                    self.membership(tenant, group.group.object_id, who, &member.at).await?;
                }
            }
        }
        for membership in &entry.memberships {
            if let Some(group) = self.named_group(tenant, &membership.group).await? {
                self.membership(tenant, group, Principal::User(membership.user), &membership.at).await?;
            }
        }
        for assignment in &entry.assignments {
            self.assignment(tenant, assignment).await?;
        }
        for grant in &entry.grants {
            self.grant(tenant, grant).await?;
        }
        Ok(())
    }

    async fn group(&mut self, entry: &GroupEntry) -> Result<(), LoadError> {
        let stored = self.tx.group(entry.group.tenant, entry.group.object_id).await?;
        let group = entry.over(stored.as_ref());
        let outcome = match &stored {
            None => self.tx.insert_group(&group).await,
            Some(stored) if *stored != group => self.tx.update_group(&group).await,
            Some(_) => Ok(()),
        };
        if self.settle(&entry.at, outcome)? {
            self.report.groups += 1;
        }
        Ok(())
    }

    async fn membership(
        &mut self,
        tenant: TenantId,
        group: ObjectId,
        member: Principal,
        at: &At,
    ) -> Result<(), LoadError> {
        if member == Principal::Group(group) {
            self.issues.error(at, "a group that is a member of itself", "remove it");
            return Ok(());
        }
        let groups = self.tx.memberships_of(tenant, member.object_id()).await?;
        // Of a group that could not be written there is an issue already.
        if groups.iter().all(|known| known.object_id != group) && self.tx.group(tenant, group).await?.is_some() {
            self.tx.add_member(tenant, group, member).await?;
        }
        Ok(())
    }

    async fn assignment(&mut self, tenant: TenantId, entry: &AssignmentEntry) -> Result<(), LoadError> {
        let principal = match &entry.holder {
            Holder::Client(named) => self
                .service_principal(tenant, named, &entry.at)
                .await?
                .map(|client| Principal::ServicePrincipal(client.object_id)),
            Holder::User(named) => self.person(tenant, named).await?.map(Principal::User),
            Holder::Group(named) => self.named_group(tenant, named).await?.map(Principal::Group),
        };
        let resource = self.service_principal(tenant, &entry.resource, &entry.at).await?;
        let (Some(principal), Some(resource)) = (principal, resource) else { return Ok(()) };
        let Some(application) = self.tx.application(resource.app_id).await? else { return Ok(()) };
        let (at, role) = &entry.role;
        let Some(role) = find_role(&application, role, &entry.holder, at, &mut self.issues) else { return Ok(()) };
        let held = self.tx.app_role_assignments_of(tenant, principal.object_id()).await?;
        if !held.iter().any(|held| held.resource == resource.object_id && held.app_role_id == role) {
            let assignment = AppRoleAssignment::new(tenant, principal, resource.object_id, role, self.context.now);
            self.tx.assign_app_role(&assignment).await?;
        }
        self.report.app_role_assignments += 1;
        Ok(())
    }

    async fn grant(&mut self, tenant: TenantId, entry: &GrantEntry) -> Result<(), LoadError> {
        let client = self.service_principal(tenant, &entry.client, &entry.at).await?;
        let resource = self.service_principal(tenant, &entry.resource, &entry.at).await?;
        let user = match &entry.user {
            Some(named) => match self.person(tenant, named).await? {
                Some(user) => Some(user),
                None => return Ok(()),
            },
            None => None,
        };
        let (Some(client), Some(resource)) = (client, resource) else { return Ok(()) };
        let Some(application) = self.tx.application(resource.app_id).await? else { return Ok(()) };
        let mut declared = true;
        for (at, scope) in &entry.scopes {
            declared &= find_scope(&application, scope, at, &mut self.issues);
        }
        if !declared {
            return Ok(());
        }
        let scopes = entry.scopes.iter().map(|(_, scope)| scope.clone());
        let grant = PermissionGrant::new(tenant, client.object_id, resource.object_id, user, scopes);
        let known = self.tx.permission_grants_of(tenant, client.object_id).await?;
        let same = |known: &PermissionGrant| {
            known.resource == grant.resource && known.user == grant.user && known.scopes == grant.scopes
        };
        if !known.iter().any(same) {
            self.tx.put_permission_grant(&grant).await?;
        }
        self.report.permission_grants += 1;
        Ok(())
    }

    /// The service principal of an application, by client id, identifier URI or name.
    async fn service_principal(
        &mut self,
        tenant: TenantId,
        named: &Named<ClientId>,
        at: &At,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        let (at, text) = match named {
            Named::Here(id) => (at, id.to_string()),
            Named::Elsewhere(at, text) => (at, text.clone()),
        };
        if let Some(principal) = self.tx.resource(tenant, &text).await? {
            return Ok(Some(principal));
        }
        let mut all = self.tx.service_principals_of(tenant).await?;
        let names: Vec<_> = all.iter().map(|principal| principal.display_name.clone()).collect();
        all.retain(|principal| principal.display_name == text);
        if all.len() > 1 {
            let ids: Vec<_> = all.iter().map(|principal| principal.app_id.to_string()).collect();
            let what = format!("`{text}` is the name of {} applications", all.len());
            self.issues.error(at, what, format!("write the appId: {}", ids.join(" or ")));
            return Ok(None);
        }
        if all.is_empty() {
            let otherwise = "add it to `applications`, or write its appId or its displayName exactly";
            let mend = super::issue::did_you_mean(&text, names.iter().map(String::as_str), otherwise);
            self.issues.error(at, format!("no application `{text}` in this tenant"), mend);
        }
        Ok(all.pop())
    }

    async fn person(&mut self, tenant: TenantId, named: &Named<ObjectId>) -> Result<Option<ObjectId>, StoreError> {
        let (at, text) = match named {
            Named::Here(id) => return Ok(Some(*id)),
            Named::Elsewhere(at, text) => (at, text),
        };
        let found = match text.parse() {
            Ok(id) => self.tx.user(tenant, id).await?,
            Err(_) => self.tx.user_by_principal_name(tenant, text).await?,
        };
        if found.is_none() {
            let mend = "add it to `users`, or write its userPrincipalName exactly";
            self.issues.error(at, format!("no user `{text}` in this tenant"), mend);
        }
        Ok(found.map(|user| user.object_id))
    }

    /// A group, by id or name.
    async fn named_group(&mut self, tenant: TenantId, named: &Named<ObjectId>) -> Result<Option<ObjectId>, StoreError> {
        let (at, text) = match named {
            Named::Here(id) => return Ok(Some(*id)),
            Named::Elsewhere(at, text) => (at, text),
        };
        match self.groups_called(tenant, text).await?.as_slice() {
            [one] => return Ok(Some(*one)),
            [] => {
                let mend = "add it to `groups`, or write its id or its displayName exactly";
                self.issues.error(at, format!("no group `{text}` in this tenant"), mend);
            }
            several => self.ambiguous(at, text, several),
        }
        Ok(None)
    }

    async fn groups_called(&mut self, tenant: TenantId, text: &str) -> Result<Vec<ObjectId>, StoreError> {
        if let Ok(id) = text.parse() {
            return Ok(self.tx.group(tenant, id).await?.into_iter().map(|group| group.object_id).collect());
        }
        let all = self.tx.groups_of(tenant).await?.into_iter();
        Ok(all.filter(|group| group.display_name == text).map(|group| group.object_id).collect())
    }

    fn ambiguous(&mut self, at: &At, text: &str, ids: &[ObjectId]) {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let what = format!("`{text}` is the name of {} groups", ids.len());
        self.issues.error(at, what, format!("write the id: {}", ids.join(" or ")));
    }

    /// A member of a group, whatever it is.
    async fn member(&mut self, tenant: TenantId, entry: &MemberEntry) -> Result<Option<Principal>, StoreError> {
        let text = match &entry.who {
            Member::User(id) => return Ok(Some(Principal::User(*id))),
            Member::Group(id) => return Ok(Some(Principal::Group(*id))),
            Member::Client(id) => {
                let client = self.service_principal(tenant, &Named::Here(*id), &entry.at).await?;
                return Ok(client.map(|client| Principal::ServicePrincipal(client.object_id)));
            }
            Member::Elsewhere(text) => text,
        };
        let user = match text.parse() {
            Ok(id) => self.tx.user(tenant, id).await?,
            Err(_) => self.tx.user_by_principal_name(tenant, text).await?,
        };
        if let Some(user) = user {
            return Ok(Some(Principal::User(user.object_id)));
        }
        match self.groups_called(tenant, text).await?.as_slice() {
            [] => {}
            [one] => return Ok(Some(Principal::Group(*one))),
            several => {
                self.ambiguous(&entry.at, text, several);
                return Ok(None);
            }
        }
        if let Ok(id) = text.parse()
            && let Some(principal) = self.tx.service_principal_by_id(tenant, id).await?
        {
            return Ok(Some(Principal::ServicePrincipal(principal.object_id)));
        }
        let all = self.tx.service_principals_of(tenant).await?;
        let client = match self.tx.resource(tenant, text).await? {
            Some(client) => Some(client),
            None => {
                let mut called = all.into_iter().filter(|principal| principal.display_name == *text);
                called.next().filter(|_| called.next().is_none())
            }
        };
        if client.is_none() {
            let mend = "write the userPrincipalName of a user, the displayName of one group or application, or an id";
            self.issues.error(&entry.at, format!("no user, group or application `{text}` in this tenant"), mend);
        }
        Ok(client.map(|client| Principal::ServicePrincipal(client.object_id)))
    }
}
