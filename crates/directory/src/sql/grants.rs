//! App-role assignments and delegated permission grants.

use countersign_token::{ObjectId, TenantId};
use uuid::Uuid;

use super::columns::{Cells, column, each, guid, parsed, time};
use super::failure::writing;
use super::groups::{kind_of, must_live_in, read_principal};
use super::{Query, Session};
use crate::{
    AppRoleAssignment, Applications, DEFAULT_ACCESS, Grants, PermissionGrant, Principal, Record, ServicePrincipals,
    StoreError,
};

fn read_assignment(row: &impl Cells) -> Result<AppRoleAssignment, StoreError> {
    Ok(AppRoleAssignment {
        id: guid(row, "assignment_id")?,
        tenant: parsed(row, "tenant_id")?,
        principal: read_principal(row, "principal_id", "principal_type")?,
        resource: parsed(row, "resource_id")?,
        app_role_id: guid(row, "app_role_id")?,
        created: time(row, "created_at")?,
    })
}

fn read_grant(row: &impl Cells) -> Result<PermissionGrant, StoreError> {
    let user = match column::<&str>(row, "user_id")? {
        "" => None,
        _ => Some(parsed(row, "user_id")?),
    };
    let scope: &str = column(row, "scope")?;
    Ok(PermissionGrant {
        id: guid(row, "grant_id")?,
        tenant: parsed(row, "tenant_id")?,
        client: parsed(row, "client_id")?,
        resource: parsed(row, "resource_id")?,
        user,
        scopes: scope.split_ascii_whitespace().map(str::to_owned).collect(),
    })
}

async fn assign_app_role_row<S: Session>(session: &mut S, assignment: &AppRoleAssignment) -> Result<(), StoreError> {
    must_live_in(session, assignment.tenant, assignment.principal).await?;
    let resource = session
        .service_principal_by_id(assignment.tenant, assignment.resource)
        .await?
        .ok_or(StoreError::NotFound(Record::ServicePrincipal))?;
    let application = session.application(resource.app_id).await?.ok_or(StoreError::NotFound(Record::Application))?;
    if assignment.app_role_id != DEFAULT_ACCESS && application.app_role(assignment.app_role_id).is_none() {
        return Err(StoreError::NotFound(Record::AppRole));
    }
    let query = Query::new(
        "INSERT INTO app_role_assignments \
         (assignment_id, tenant_id, principal_id, principal_type, resource_id, app_role_id, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(assignment.id.to_string())
    .bind(assignment.tenant.to_string())
    .bind(assignment.principal.object_id().to_string())
    .bind(kind_of(assignment.principal).to_owned())
    .bind(assignment.resource.to_string())
    .bind(assignment.app_role_id.to_string())
    .bind(assignment.created.as_nanos());
    session.write(query).await.map(drop).map_err(writing(Record::AppRoleAssignment, Record::ServicePrincipal))
}

async fn put_permission_grant_row<S: Session>(session: &mut S, grant: &PermissionGrant) -> Result<(), StoreError> {
    must_live_in(session, grant.tenant, Principal::ServicePrincipal(grant.client)).await?;
    must_live_in(session, grant.tenant, Principal::ServicePrincipal(grant.resource)).await?;
    if let Some(user) = grant.user {
        must_live_in(session, grant.tenant, Principal::User(user)).await?;
    }
    let scope: Vec<&str> = grant.scopes.iter().map(String::as_str).collect();
    let query = Query::new(
        "INSERT INTO permission_grants (grant_id, tenant_id, client_id, resource_id, user_id, scope) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (client_id, resource_id, user_id) DO UPDATE SET scope = excluded.scope",
    )
    .bind(grant.id.to_string())
    .bind(grant.tenant.to_string())
    .bind(grant.client.to_string())
    .bind(grant.resource.to_string())
    .bind(grant.user.map(|user| user.to_string()).unwrap_or_default())
    .bind(scope.join(" "));
    session.write(query).await.map(drop).map_err(writing(Record::PermissionGrant, Record::ServicePrincipal))
}

impl<S: Session> Grants for S {
    async fn assign_app_role(&mut self, assignment: &AppRoleAssignment) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = assign_app_role_row(self, assignment).await;
        self.whole(outcome).await
    }

    async fn app_role_assignments_of(
        &mut self,
        tenant: TenantId,
        principal: ObjectId,
    ) -> Result<Vec<AppRoleAssignment>, StoreError> {
        let rows = self
            .all(
                Query::new(
                    "SELECT * FROM app_role_assignments WHERE tenant_id = $1 AND principal_id = $2 \
             ORDER BY created_at, assignment_id",
                )
                .bind(tenant.to_string())
                .bind(principal.to_string()),
            )
            .await?;
        each(&rows, read_assignment)
    }

    async fn app_role_assigned_to(
        &mut self,
        tenant: TenantId,
        resource: ObjectId,
    ) -> Result<Vec<AppRoleAssignment>, StoreError> {
        let rows = self
            .all(
                Query::new(
                    "SELECT * FROM app_role_assignments WHERE tenant_id = $1 AND resource_id = $2 \
             ORDER BY created_at, assignment_id",
                )
                .bind(tenant.to_string())
                .bind(resource.to_string()),
            )
            .await?;
        each(&rows, read_assignment)
    }

    async fn app_role_assignments_reaching(
        &mut self,
        tenant: TenantId,
        principal: ObjectId,
        resource: ObjectId,
    ) -> Result<Vec<AppRoleAssignment>, StoreError> {
        let rows = self
            .all(
                Query::new(
                    "SELECT * FROM app_role_assignments WHERE tenant_id = $1 AND resource_id = $3 AND principal_id IN \
                     (SELECT $2 UNION ALL SELECT group_id FROM group_members WHERE member_id = $2) \
                     ORDER BY created_at, assignment_id",
                )
                .bind(tenant.to_string())
                .bind(principal.to_string())
                .bind(resource.to_string()),
            )
            .await?;
        each(&rows, read_assignment)
    }

    async fn remove_app_role_assignment(&mut self, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM app_role_assignments WHERE tenant_id = $1 AND assignment_id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string());
        Ok(self.write(query).await? > 0)
    }

    async fn put_permission_grant(&mut self, grant: &PermissionGrant) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = put_permission_grant_row(self, grant).await;
        self.whole(outcome).await
    }

    async fn permission_grants_of(
        &mut self,
        tenant: TenantId,
        client: ObjectId,
    ) -> Result<Vec<PermissionGrant>, StoreError> {
        let rows = self.all(Query::new(
            "SELECT * FROM permission_grants WHERE tenant_id = $1 AND client_id = $2 ORDER BY resource_id, user_id",
        )
        .bind(tenant.to_string())
        .bind(client.to_string())).await?;
        each(&rows, read_grant)
    }

    async fn remove_permission_grant(&mut self, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM permission_grants WHERE tenant_id = $1 AND grant_id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string());
        Ok(self.write(query).await? > 0)
    }
}
