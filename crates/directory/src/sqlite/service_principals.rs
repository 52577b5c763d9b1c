//! Applications' instances in tenants, and the names they answer to.

use countersign_token::{ClientId, ObjectId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::SqliteTx;
use super::columns::{column, each, parsed};
use super::failure::{general, writing};
use crate::{Applications, MICROSOFT_GRAPH, Record, ServicePrincipal, ServicePrincipals, StoreError, microsoft_graph};

fn read(row: &SqliteRow) -> Result<ServicePrincipal, StoreError> {
    Ok(ServicePrincipal {
        object_id: parsed(row, "object_id")?,
        tenant: parsed(row, "tenant_id")?,
        app_id: parsed(row, "app_id")?,
        display_name: column(row, "display_name")?,
        account_enabled: column(row, "account_enabled")?,
        app_role_assignment_required: column(row, "app_role_assignment_required")?,
        names: Vec::new(),
    })
}

impl SqliteTx {
    async fn insert_service_principal_rows(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        if self.application(principal.app_id).await?.is_none() {
            return Err(StoreError::NotFound(Record::Application));
        }
        let query = sqlx::query(
            "INSERT INTO service_principals \
             (object_id, tenant_id, app_id, display_name, account_enabled, app_role_assignment_required) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(principal.object_id.to_string())
        .bind(principal.tenant.to_string())
        .bind(principal.app_id.to_string())
        .bind(principal.display_name.clone())
        .bind(principal.account_enabled)
        .bind(principal.app_role_assignment_required);
        self.write(query).await.map_err(writing(Record::ServicePrincipal, Record::Tenant))?;
        self.insert_names(principal).await
    }

    async fn update_service_principal_rows(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE service_principals SET display_name = $3, account_enabled = $4, app_role_assignment_required = $5 \
             WHERE object_id = $1 AND tenant_id = $2",
        )
        .bind(principal.object_id.to_string())
        .bind(principal.tenant.to_string())
        .bind(principal.display_name.clone())
        .bind(principal.account_enabled)
        .bind(principal.app_role_assignment_required);
        if self.write(query).await.map_err(general)? == 0 {
            return Err(StoreError::NotFound(Record::ServicePrincipal));
        }
        let query = sqlx::query("DELETE FROM service_principal_names WHERE service_principal_id = $1")
            .bind(principal.object_id.to_string());
        self.write(query).await.map_err(general)?;
        self.insert_names(principal).await
    }

    async fn insert_names(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        for (position, name) in (0_i64..).zip(&principal.names) {
            let query = sqlx::query(
                "INSERT INTO service_principal_names (tenant_id, name, service_principal_id, position) \
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(principal.tenant.to_string())
            .bind(name.clone())
            .bind(principal.object_id.to_string())
            .bind(position);
            self.write(query).await.map_err(writing(Record::ServicePrincipal, Record::ServicePrincipal))?;
        }
        Ok(())
    }

    async fn with_names(&mut self, row: Option<SqliteRow>) -> Result<Option<ServicePrincipal>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let mut principal = read(&row)?;
        let rows =
            sqlx::query("SELECT name FROM service_principal_names WHERE service_principal_id = $1 ORDER BY position")
                .bind(principal.object_id.to_string())
                .fetch_all(&mut *self.tx)
                .await
                .map_err(general)?;
        principal.names = each(&rows, |row| column(row, "name"))?;
        Ok(Some(principal))
    }
}

impl ServicePrincipals for SqliteTx {
    async fn insert_service_principal(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = self.insert_service_principal_rows(principal).await;
        self.whole(outcome).await
    }

    async fn update_service_principal(&mut self, principal: &ServicePrincipal) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = self.update_service_principal_rows(principal).await;
        self.whole(outcome).await
    }

    async fn service_principal(
        &mut self,
        tenant: TenantId,
        app_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        let row = sqlx::query("SELECT * FROM service_principals WHERE tenant_id = $1 AND app_id = $2")
            .bind(tenant.to_string())
            .bind(app_id.to_string())
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(general)?;
        self.with_names(row).await
    }

    async fn service_principal_by_id(
        &mut self,
        tenant: TenantId,
        id: ObjectId,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        let row = sqlx::query("SELECT * FROM service_principals WHERE tenant_id = $1 AND object_id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(general)?;
        self.with_names(row).await
    }

    async fn service_principal_by_name(
        &mut self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<ServicePrincipal>, StoreError> {
        if microsoft_graph().identifier_uris().iter().any(|uri| uri == name) {
            return self.service_principal(tenant, MICROSOFT_GRAPH).await;
        }
        // Own names first, then applications at home here, then the others, the smallest client id first.
        let row = sqlx::query(
            "SELECT s.* FROM service_principals s \
             LEFT JOIN service_principal_names n ON n.service_principal_id = s.object_id AND n.name = $2 \
             LEFT JOIN identifier_uris u ON u.app_id = s.app_id AND u.uri = $2 \
             WHERE s.tenant_id = $1 AND (n.name IS NOT NULL OR u.uri IS NOT NULL) \
             ORDER BY CASE WHEN n.name IS NOT NULL THEN 0 WHEN u.tenant_id = $1 THEN 1 ELSE 2 END, s.app_id LIMIT 1",
        )
        .bind(tenant.to_string())
        .bind(name.to_owned())
        .fetch_optional(&mut *self.tx)
        .await
        .map_err(general)?;
        self.with_names(row).await
    }

    async fn service_principals_of(&mut self, tenant: TenantId) -> Result<Vec<ServicePrincipal>, StoreError> {
        let rows = sqlx::query("SELECT * FROM service_principals WHERE tenant_id = $1 ORDER BY app_id")
            .bind(tenant.to_string())
            .fetch_all(&mut *self.tx)
            .await
            .map_err(general)?;
        let mut principals = each(&rows, read)?;
        let rows = sqlx::query(
            "SELECT service_principal_id, name FROM service_principal_names WHERE tenant_id = $1 ORDER BY position",
        )
        .bind(tenant.to_string())
        .fetch_all(&mut *self.tx)
        .await
        .map_err(general)?;
        for row in &rows {
            let id: ObjectId = parsed(row, "service_principal_id")?;
            if let Some(principal) = principals.iter_mut().find(|principal| principal.object_id == id) {
                principal.names.push(column(row, "name")?);
            }
        }
        Ok(principals)
    }
}
