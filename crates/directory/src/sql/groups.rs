//! Groups, who belongs to them, and principals of whatever kind.

use countersign_token::{ObjectId, TenantId};

use super::columns::{Cells, column, each, parsed};
use super::failure::writing;
use super::{Query, Session};
use crate::{Group, Groups, Principal, Record, ServicePrincipals, StoreError, Users};

const SERVICE_PRINCIPAL: &str = "ServicePrincipal";
const USER: &str = "User";
const GROUP: &str = "Group";

/// The column that says what a principal is.
pub(super) fn kind_of(principal: Principal) -> &'static str {
    match principal {
        Principal::ServicePrincipal(_) => SERVICE_PRINCIPAL,
        Principal::User(_) => USER,
        Principal::Group(_) => GROUP,
    }
}

/// The principal of two columns, its id and what it is.
pub(super) fn read_principal(row: &impl Cells, id: &str, kind: &str) -> Result<Principal, StoreError> {
    let id = parsed(row, id)?;
    match column::<&str>(row, kind)? {
        SERVICE_PRINCIPAL => Ok(Principal::ServicePrincipal(id)),
        USER => Ok(Principal::User(id)),
        GROUP => Ok(Principal::Group(id)),
        _ => Err(StoreError::corrupt(format!("column {kind} does not hold what it should"))),
    }
}

/// A grant or membership reaches nobody in another tenant, whatever ids it names.
pub(super) async fn must_live_in<S: Session>(
    session: &mut S,
    tenant: TenantId,
    principal: Principal,
) -> Result<(), StoreError> {
    let (lives, record) = match principal {
        Principal::ServicePrincipal(id) => {
            (session.service_principal_by_id(tenant, id).await?.is_some(), Record::ServicePrincipal)
        }
        Principal::User(id) => (session.user(tenant, id).await?.is_some(), Record::User),
        Principal::Group(id) => (session.group(tenant, id).await?.is_some(), Record::Group),
    };
    if lives { Ok(()) } else { Err(StoreError::NotFound(record)) }
}

/// Removes the roles and memberships of a principal that is no more: no reference leads from there to here.
pub(super) async fn forget_principal<S: Session>(session: &mut S, id: ObjectId) -> Result<(), StoreError> {
    for statement in
        ["DELETE FROM app_role_assignments WHERE principal_id = $1", "DELETE FROM group_members WHERE member_id = $1"]
    {
        session.write(Query::new(statement).bind(id.to_string())).await?;
    }
    Ok(())
}

fn read(row: &impl Cells) -> Result<Group, StoreError> {
    Ok(Group {
        object_id: parsed(row, "object_id")?,
        tenant: parsed(row, "tenant_id")?,
        display_name: column(row, "display_name")?,
        description: column(row, "description")?,
        security_enabled: column(row, "security_enabled")?,
    })
}

/// Binds the columns in the order in which both statements name them.
macro_rules! bound {
    ($sql:literal, $group:ident) => {
        Query::new($sql)
            .bind($group.object_id.to_string())
            .bind($group.tenant.to_string())
            .bind($group.display_name.clone())
            .bind($group.description.clone())
            .bind($group.security_enabled)
    };
}

async fn remove_group_rows<S: Session>(session: &mut S, tenant: TenantId, id: ObjectId) -> Result<bool, StoreError> {
    let query = Query::new("DELETE FROM directory_groups WHERE tenant_id = $1 AND object_id = $2")
        .bind(tenant.to_string())
        .bind(id.to_string());
    if session.write(query).await? == 0 {
        return Ok(false);
    }
    forget_principal(session, id).await?;
    Ok(true)
}

async fn add_member_row<S: Session>(
    session: &mut S,
    tenant: TenantId,
    group: ObjectId,
    member: Principal,
) -> Result<(), StoreError> {
    must_live_in(session, tenant, Principal::Group(group)).await?;
    must_live_in(session, tenant, member).await?;
    if member == Principal::Group(group) {
        return Err(StoreError::AlreadyExists(Record::GroupMember));
    }
    let query = Query::new("INSERT INTO group_members (group_id, member_id, member_type) VALUES ($1, $2, $3)")
        .bind(group.to_string())
        .bind(member.object_id().to_string())
        .bind(kind_of(member).to_owned());
    session.write(query).await.map(drop).map_err(writing(Record::GroupMember, Record::Group))
}

impl<S: Session> Groups for S {
    async fn insert_group(&mut self, group: &Group) -> Result<(), StoreError> {
        let query = bound!(
            "INSERT INTO directory_groups (object_id, tenant_id, display_name, description, security_enabled) \
             VALUES ($1, $2, $3, $4, $5)",
            group
        );
        self.write(query).await.map(drop).map_err(writing(Record::Group, Record::Tenant))
    }

    async fn update_group(&mut self, group: &Group) -> Result<(), StoreError> {
        let query = bound!(
            "UPDATE directory_groups SET display_name = $3, description = $4, security_enabled = $5 \
             WHERE object_id = $1 AND tenant_id = $2",
            group
        );
        match self.write(query).await? {
            0 => Err(StoreError::NotFound(Record::Group)),
            _ => Ok(()),
        }
    }

    async fn remove_group(&mut self, tenant: TenantId, id: ObjectId) -> Result<bool, StoreError> {
        self.begin_write().await?;
        let outcome = remove_group_rows(self, tenant, id).await;
        self.whole(outcome).await
    }

    async fn group(&mut self, tenant: TenantId, id: ObjectId) -> Result<Option<Group>, StoreError> {
        let query = Query::new("SELECT * FROM directory_groups WHERE tenant_id = $1 AND object_id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string());
        self.optional(query).await?.as_ref().map(read).transpose()
    }

    async fn groups_of(&mut self, tenant: TenantId) -> Result<Vec<Group>, StoreError> {
        let query = Query::new("SELECT * FROM directory_groups WHERE tenant_id = $1 ORDER BY object_id")
            .bind(tenant.to_string());
        each(&self.all(query).await?, read)
    }

    async fn add_member(&mut self, tenant: TenantId, group: ObjectId, member: Principal) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = add_member_row(self, tenant, group, member).await;
        self.whole(outcome).await
    }

    async fn remove_member(
        &mut self,
        tenant: TenantId,
        group: ObjectId,
        member: Principal,
    ) -> Result<bool, StoreError> {
        let query = Query::new(
            "DELETE FROM group_members WHERE member_id = $3 AND member_type = $4 AND group_id IN \
             (SELECT object_id FROM directory_groups WHERE tenant_id = $1 AND object_id = $2)",
        )
        .bind(tenant.to_string())
        .bind(group.to_string())
        .bind(member.object_id().to_string())
        .bind(kind_of(member).to_owned());
        Ok(self.write(query).await? > 0)
    }

    async fn members_of(&mut self, tenant: TenantId, group: ObjectId) -> Result<Vec<Principal>, StoreError> {
        let query = Query::new(
            "SELECT m.member_id, m.member_type FROM group_members m JOIN directory_groups g ON g.object_id = m.group_id \
             WHERE g.tenant_id = $1 AND g.object_id = $2 ORDER BY m.member_id",
        )
        .bind(tenant.to_string())
        .bind(group.to_string());
        each(&self.all(query).await?, |row| read_principal(row, "member_id", "member_type"))
    }

    async fn memberships_of(&mut self, tenant: TenantId, principal: ObjectId) -> Result<Vec<Group>, StoreError> {
        let query = Query::new(
            "SELECT g.* FROM directory_groups g JOIN group_members m ON m.group_id = g.object_id \
             WHERE g.tenant_id = $1 AND m.member_id = $2 ORDER BY g.object_id",
        )
        .bind(tenant.to_string())
        .bind(principal.to_string());
        each(&self.all(query).await?, read)
    }

    async fn groups_containing(&mut self, tenant: TenantId, principal: ObjectId) -> Result<Vec<Group>, StoreError> {
        // UNION takes each group once, so a circle of groups comes to an end.
        let query = Query::new(
            "WITH RECURSIVE containing (group_id) AS (SELECT group_id FROM group_members WHERE member_id = $2 \
             UNION SELECT m.group_id FROM group_members m JOIN containing c ON m.member_id = c.group_id) \
             SELECT g.* FROM directory_groups g JOIN containing c ON c.group_id = g.object_id \
             WHERE g.tenant_id = $1 ORDER BY g.object_id",
        )
        .bind(tenant.to_string())
        .bind(principal.to_string());
        each(&self.all(query).await?, read)
    }
}
