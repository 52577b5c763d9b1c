//! Tenants and their domains.

use countersign_token::TenantId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteTx;
use super::columns::{column, each, parsed};
use super::failure::{general, writing};
use crate::{Record, ServicePrincipals, StoreError, Tenant, Tenants, well_known};

/// Domains are compared as the DNS does: without regard to ASCII case. Other alphabets arrive as punycode.
fn folded(domain: &str) -> String {
    domain.to_ascii_lowercase()
}

impl SqliteTx {
    async fn insert_tenant_rows(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        let query =
            sqlx::query("INSERT INTO tenants (tenant_id, display_name, region_scope, strict) VALUES ($1, $2, $3, $4)")
                .bind(tenant.id.to_string())
                .bind(tenant.display_name.clone())
                .bind(tenant.region_scope.clone())
                .bind(tenant.strict);
        self.write(query).await.map_err(writing(Record::Tenant, Record::Tenant))?;
        self.insert_domains(tenant).await?;
        self.insert_service_principal(&well_known::microsoft_graph_in(tenant.id)).await
    }

    async fn update_tenant_rows(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE tenants SET display_name = $2, region_scope = $3, strict = $4 WHERE tenant_id = $1")
                .bind(tenant.id.to_string())
                .bind(tenant.display_name.clone())
                .bind(tenant.region_scope.clone())
                .bind(tenant.strict);
        if self.write(query).await.map_err(general)? == 0 {
            return Err(StoreError::NotFound(Record::Tenant));
        }
        let query = sqlx::query("DELETE FROM tenant_domains WHERE tenant_id = $1").bind(tenant.id.to_string());
        self.write(query).await.map_err(general)?;
        self.insert_domains(tenant).await
    }

    async fn insert_domains(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        for (position, domain) in (0_i64..).zip(&tenant.domains) {
            let query = sqlx::query(
                "INSERT INTO tenant_domains (domain_folded, domain, tenant_id, position) VALUES ($1, $2, $3, $4)",
            )
            .bind(folded(domain))
            .bind(domain.clone())
            .bind(tenant.id.to_string())
            .bind(position);
            self.write(query).await.map_err(writing(Record::Domain, Record::Tenant))?;
        }
        Ok(())
    }

    async fn with_domains(&mut self, row: Option<SqliteRow>) -> Result<Option<Tenant>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let mut tenant = read(&row)?;
        let rows = sqlx::query("SELECT domain FROM tenant_domains WHERE tenant_id = $1 ORDER BY position")
            .bind(tenant.id.to_string())
            .fetch_all(&mut *self.tx)
            .await
            .map_err(general)?;
        tenant.domains = each(&rows, |row| column(row, "domain"))?;
        Ok(Some(tenant))
    }
}

fn read(row: &SqliteRow) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: parsed(row, "tenant_id")?,
        display_name: column(row, "display_name")?,
        domains: Vec::new(),
        region_scope: column(row, "region_scope")?,
        strict: column(row, "strict")?,
    })
}

impl Tenants for SqliteTx {
    async fn insert_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = self.insert_tenant_rows(tenant).await;
        self.whole(outcome).await
    }

    async fn update_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = self.update_tenant_rows(tenant).await;
        self.whole(outcome).await
    }

    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        let row = sqlx::query("SELECT * FROM tenants WHERE tenant_id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(general)?;
        self.with_domains(row).await
    }

    async fn tenant_by_domain(&mut self, domain: &str) -> Result<Option<Tenant>, StoreError> {
        let row = sqlx::query(
            "SELECT t.* FROM tenants t JOIN tenant_domains d ON d.tenant_id = t.tenant_id WHERE d.domain_folded = $1",
        )
        .bind(folded(domain))
        .fetch_optional(&mut *self.tx)
        .await
        .map_err(general)?;
        self.with_domains(row).await
    }

    async fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM tenants ORDER BY tenant_id").fetch_all(&mut *self.tx).await.map_err(general)?;
        let mut tenants = each(&rows, read)?;
        let rows = sqlx::query("SELECT tenant_id, domain FROM tenant_domains ORDER BY tenant_id, position")
            .fetch_all(&mut *self.tx)
            .await
            .map_err(general)?;
        for row in &rows {
            let id: TenantId = parsed(row, "tenant_id")?;
            if let Ok(index) = tenants.binary_search_by_key(&id, |tenant| tenant.id) {
                tenants[index].domains.push(row.try_get("domain").map_err(general)?);
            }
        }
        Ok(tenants)
    }
}
