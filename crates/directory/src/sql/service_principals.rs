//! Applications' instances in tenants, and the names they answer to.

use countersign_token::{ClientId, ObjectId, TenantId};

use super::columns::{Cells, column, each, named, parsed};
use super::failure::writing;
use super::groups::forget_principal;
use super::{Query, Session};
use crate::well_known::{service, service_by_uri, well_known_by_uri};
use crate::{
    Applications, MICROSOFT_GRAPH, Record, ServicePrincipal, ServicePrincipalKind, ServicePrincipals, StoreError,
    TOKEN_EXCHANGE, token_exchange,
};

fn read(row: &impl Cells) -> Result<ServicePrincipal, StoreError> {
    Ok(ServicePrincipal {
        object_id: parsed(row, "object_id")?,
        tenant: parsed(row, "tenant_id")?,
        app_id: parsed(row, "app_id")?,
        display_name: column(row, "display_name")?,
        kind: named(row, "kind", ServicePrincipalKind::from_name)?,
        account_enabled: column(row, "account_enabled")?,
        app_role_assignment_required: column(row, "app_role_assignment_required")?,
        own_signing_key: column(row, "own_signing_key")?,
        names: Vec::new(),
    })
}

async fn insert_service_principal_rows<S: Session>(
    session: &mut S,
    principal: &ServicePrincipal,
) -> Result<(), StoreError> {
    if session.application(principal.app_id).await?.is_none() {
        return Err(StoreError::NotFound(Record::Application));
    }
    let query = Query::new(
        "INSERT INTO service_principals \
         (object_id, tenant_id, app_id, display_name, account_enabled, app_role_assignment_required, kind, own_signing_key) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(principal.object_id.to_string())
    .bind(principal.tenant.to_string())
    .bind(principal.app_id.to_string())
    .bind(principal.display_name.clone())
    .bind(principal.account_enabled)
    .bind(principal.app_role_assignment_required)
    .bind(principal.kind.as_str().to_owned())
    .bind(principal.own_signing_key);
    session.write(query).await.map_err(writing(Record::ServicePrincipal, Record::Tenant))?;
    insert_names(session, principal).await
}

async fn update_service_principal_rows<S: Session>(
    session: &mut S,
    principal: &ServicePrincipal,
) -> Result<(), StoreError> {
    let query = Query::new(
        "UPDATE service_principals SET display_name = $3, account_enabled = $4, app_role_assignment_required = $5, \
         kind = $6, own_signing_key = $7 \
         WHERE object_id = $1 AND tenant_id = $2",
    )
    .bind(principal.object_id.to_string())
    .bind(principal.tenant.to_string())
    .bind(principal.display_name.clone())
    .bind(principal.account_enabled)
    .bind(principal.app_role_assignment_required)
    .bind(principal.kind.as_str().to_owned())
    .bind(principal.own_signing_key);
    if session.write(query).await? == 0 {
        return Err(StoreError::NotFound(Record::ServicePrincipal));
    }
    let query = Query::new("DELETE FROM service_principal_names WHERE service_principal_id = $1")
        .bind(principal.object_id.to_string());
    session.write(query).await?;
    insert_names(session, principal).await
}

async fn insert_names<S: Session>(session: &mut S, principal: &ServicePrincipal) -> Result<(), StoreError> {
    for (position, name) in (0_i64..).zip(&principal.names) {
        let query = Query::new(
            "INSERT INTO service_principal_names (tenant_id, name, service_principal_id, position) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(principal.tenant.to_string())
        .bind(name.clone())
        .bind(principal.object_id.to_string())
        .bind(position);
        session.write(query).await.map_err(writing(Record::ServicePrincipal, Record::ServicePrincipal))?;
    }
    Ok(())
}

async fn with_names<S: Session>(session: &mut S, row: Option<S::Row>) -> Result<Option<ServicePrincipal>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let mut principal = read(&row)?;
    let rows = session
        .all(
            Query::new("SELECT name FROM service_principal_names WHERE service_principal_id = $1 ORDER BY position")
                .bind(principal.object_id.to_string()),
        )
        .await?;
    principal.names = each(&rows, |row| column(row, "name"))?;
    Ok(Some(principal))
}

async fn remove_service_principal_rows<S: Session>(
    session: &mut S,
    tenant: TenantId,
    id: ObjectId,
) -> Result<bool, StoreError> {
    let Some(principal) = session.service_principal_by_id(tenant, id).await? else { return Ok(false) };
    if principal.app_id == MICROSOFT_GRAPH {
        return Err(StoreError::Permanent(Record::ServicePrincipal));
    }
    // Its names, and what was granted to it and at it as a delegated permission, go with it.
    let query = Query::new("DELETE FROM service_principals WHERE object_id = $1").bind(id.to_string());
    session.write(query).await?;
    forget_principal(session, id).await?;
    Ok(true)
}

impl<S: Session> ServicePrincipals for S {
    async fn insert_service_principal(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = insert_service_principal_rows(self, principal).await;
        self.whole(outcome).await
    }

    async fn update_service_principal(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = update_service_principal_rows(self, principal).await;
        self.whole(outcome).await
    }

    async fn service_principal(
        &mut self,
        tenant: TenantId,
        app_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        let row = self
            .optional(
                Query::new("SELECT * FROM service_principals WHERE tenant_id = $1 AND app_id = $2")
                    .bind(tenant.to_string())
                    .bind(app_id.to_string()),
            )
            .await?;
        // These need no row: nothing is granted at them before somebody makes one.
        let unwritten = if app_id == TOKEN_EXCHANGE { Some(token_exchange()) } else { service(app_id) };
        match unwritten {
            Some(application) if row.is_none() => Ok(Some(ServicePrincipal::of(application, tenant))),
            _ => with_names(self, row).await,
        }
    }

    async fn service_principal_by_id(
        &mut self,
        tenant: TenantId,
        id: ObjectId,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        let row = self
            .optional(
                Query::new("SELECT * FROM service_principals WHERE tenant_id = $1 AND object_id = $2")
                    .bind(tenant.to_string())
                    .bind(id.to_string()),
            )
            .await?;
        with_names(self, row).await
    }

    async fn service_principal_by_name(
        &mut self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        if let Some(application) = well_known_by_uri(name) {
            return self.service_principal(tenant, application.app_id()).await;
        }
        // Own names first, then applications at home here, then the others, the smallest client id first.
        let row = self
            .optional(
                Query::new(
                    "SELECT s.* FROM service_principals s \
             LEFT JOIN service_principal_names n ON n.service_principal_id = s.object_id AND n.name = $2 \
             LEFT JOIN identifier_uris u ON u.app_id = s.app_id AND u.uri = $2 \
             WHERE s.tenant_id = $1 AND (n.name IS NOT NULL OR u.uri IS NOT NULL) \
             ORDER BY CASE WHEN n.name IS NOT NULL THEN 0 WHEN u.tenant_id = $1 THEN 1 ELSE 2 END, s.app_id LIMIT 1",
                )
                .bind(tenant.to_string())
                .bind(name.to_owned()),
            )
            .await?;
        match with_names(self, row).await? {
            Some(found) => Ok(Some(found)),
            // What somebody registered here under such a name comes first.
            None => match service_by_uri(name) {
                Some(application) => self.service_principal(tenant, application.app_id()).await,
                None => Ok(None),
            },
        }
    }

    async fn service_principals_of(&mut self, tenant: TenantId) -> Result<Vec<ServicePrincipal>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT * FROM service_principals WHERE tenant_id = $1 ORDER BY app_id")
                    .bind(tenant.to_string()),
            )
            .await?;
        let mut principals = each(&rows, read)?;
        let rows = self.all(Query::new(
            "SELECT service_principal_id, name FROM service_principal_names WHERE tenant_id = $1 ORDER BY position",
        )
        .bind(tenant.to_string())).await?;
        for row in &rows {
            let id: ObjectId = parsed(row, "service_principal_id")?;
            if let Some(principal) = principals.iter_mut().find(|principal| principal.object_id == id) {
                principal.names.push(column(row, "name")?);
            }
        }
        Ok(principals)
    }

    async fn remove_service_principal(&mut self, tenant: TenantId, id: ObjectId) -> Result<bool, StoreError> {
        self.begin_write().await?;
        let outcome = remove_service_principal_rows(self, tenant, id).await;
        self.whole(outcome).await
    }
}
