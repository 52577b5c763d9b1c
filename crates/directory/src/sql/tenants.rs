//! Tenants and their domains.

use countersign_token::TenantId;

use super::columns::{Cells, column, each, parsed};
use super::failure::writing;
use super::{Query, Session};
use crate::{Record, ServicePrincipals, StoreError, Tenant, Tenants, well_known};

/// Domains are compared as the DNS does: without regard to ASCII case. Other alphabets arrive as punycode.
fn folded(domain: &str) -> String {
    domain.to_ascii_lowercase()
}

/// Binds the columns in the order in which both statements name them.
macro_rules! bound {
    ($sql:literal, $tenant:ident) => {
        Query::new($sql)
            .bind($tenant.id.to_string())
            .bind($tenant.display_name.clone())
            .bind($tenant.region_scope.clone())
            .bind($tenant.strict)
            .bind($tenant.enabled)
            .bind($tenant.user_consent_allowed)
            .bind($tenant.own_signing_keys)
    };
}

async fn insert_tenant_rows<S: Session>(session: &mut S, tenant: &Tenant) -> Result<(), StoreError> {
    let query = bound!(
        "INSERT INTO tenants (tenant_id, display_name, region_scope, strict, enabled, user_consent_allowed, \
         own_signing_keys) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant
    );
    session.write(query).await.map_err(writing(Record::Tenant, Record::Tenant))?;
    insert_domains(session, tenant).await?;
    insert_certificate_authorities(session, tenant).await?;
    session.insert_service_principal(&well_known::microsoft_graph_in(tenant.id)).await
}

async fn update_tenant_rows<S: Session>(session: &mut S, tenant: &Tenant) -> Result<(), StoreError> {
    let query = bound!(
        "UPDATE tenants SET display_name = $2, region_scope = $3, strict = $4, enabled = $5, \
         user_consent_allowed = $6, own_signing_keys = $7 WHERE tenant_id = $1",
        tenant
    );
    if session.write(query).await? == 0 {
        return Err(StoreError::NotFound(Record::Tenant));
    }
    let query = Query::new("DELETE FROM tenant_domains WHERE tenant_id = $1").bind(tenant.id.to_string());
    session.write(query).await?;
    insert_domains(session, tenant).await?;
    let query =
        Query::new("DELETE FROM tenant_certificate_authorities WHERE tenant_id = $1").bind(tenant.id.to_string());
    session.write(query).await?;
    insert_certificate_authorities(session, tenant).await
}

async fn insert_domains<S: Session>(session: &mut S, tenant: &Tenant) -> Result<(), StoreError> {
    for (position, domain) in (0_i64..).zip(&tenant.domains) {
        let query = Query::new(
            "INSERT INTO tenant_domains (domain_folded, domain, tenant_id, position) VALUES ($1, $2, $3, $4)",
        )
        .bind(folded(domain))
        .bind(domain.clone())
        .bind(tenant.id.to_string())
        .bind(position);
        session.write(query).await.map_err(writing(Record::Domain, Record::Tenant))?;
    }
    Ok(())
}

async fn insert_certificate_authorities<S: Session>(session: &mut S, tenant: &Tenant) -> Result<(), StoreError> {
    for (position, certificate) in (0_i64..).zip(&tenant.trusted_certificate_authorities) {
        let query = Query::new(
            "INSERT INTO tenant_certificate_authorities (tenant_id, position, certificate) VALUES ($1, $2, $3)",
        )
        .bind(tenant.id.to_string())
        .bind(position)
        .bind(certificate.clone());
        session.write(query).await.map_err(writing(Record::Tenant, Record::Tenant))?;
    }
    Ok(())
}

/// Everything that refers to the tenant goes with it; here goes what does not: instances elsewhere of applications that are
/// at home here, and what is named by text.
const REMOVE: [&str; 8] = [
    "DELETE FROM app_role_assignments WHERE principal_id IN (SELECT s.object_id FROM service_principals s \
     JOIN applications a ON a.app_id = s.app_id WHERE a.tenant_id = $1)",
    "DELETE FROM group_members WHERE member_id IN (SELECT s.object_id FROM service_principals s \
     JOIN applications a ON a.app_id = s.app_id WHERE a.tenant_id = $1)",
    "DELETE FROM service_principals WHERE app_id IN (SELECT app_id FROM applications WHERE tenant_id = $1)",
    "DELETE FROM signing_keys WHERE owner = $1 \
     OR owner IN (SELECT 'app:' || app_id FROM applications WHERE tenant_id = $1)",
    "DELETE FROM refresh_families WHERE tenant_id = $1",
    "DELETE FROM device_codes WHERE tenant_id = $1",
    "DELETE FROM sign_in_failures WHERE tenant_id = $1",
    "DELETE FROM tenants WHERE tenant_id = $1",
];

async fn remove_tenant_rows<S: Session>(session: &mut S, id: TenantId) -> Result<bool, StoreError> {
    let mut removed = 0;
    for statement in REMOVE {
        removed = session.write(Query::new(statement).bind(id.to_string())).await?;
    }
    Ok(removed > 0)
}

async fn with_lists<S: Session>(session: &mut S, row: Option<S::Row>) -> Result<Option<Tenant>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let mut tenant = read(&row)?;
    let rows = session
        .all(
            Query::new("SELECT domain FROM tenant_domains WHERE tenant_id = $1 ORDER BY position")
                .bind(tenant.id.to_string()),
        )
        .await?;
    tenant.domains = each(&rows, |row| column(row, "domain"))?;
    let rows = session
        .all(
            Query::new("SELECT certificate FROM tenant_certificate_authorities WHERE tenant_id = $1 ORDER BY position")
                .bind(tenant.id.to_string()),
        )
        .await?;
    tenant.trusted_certificate_authorities = each(&rows, |row| column(row, "certificate"))?;
    Ok(Some(tenant))
}

fn read(row: &impl Cells) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: parsed(row, "tenant_id")?,
        display_name: column(row, "display_name")?,
        domains: Vec::new(),
        region_scope: column(row, "region_scope")?,
        enabled: column(row, "enabled")?,
        user_consent_allowed: column(row, "user_consent_allowed")?,
        trusted_certificate_authorities: Vec::new(),
        own_signing_keys: column(row, "own_signing_keys")?,
        strict: column(row, "strict")?,
    })
}

impl<S: Session> Tenants for S {
    async fn insert_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = insert_tenant_rows(self, tenant).await;
        self.whole(outcome).await
    }

    async fn update_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = update_tenant_rows(self, tenant).await;
        self.whole(outcome).await
    }

    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        let row = self.optional(Query::new("SELECT * FROM tenants WHERE tenant_id = $1").bind(id.to_string())).await?;
        with_lists(self, row).await
    }

    async fn tenant_by_domain(&mut self, domain: &str) -> Result<Option<Tenant>, StoreError> {
        let row = self.optional(Query::new(
            "SELECT t.* FROM tenants t JOIN tenant_domains d ON d.tenant_id = t.tenant_id WHERE d.domain_folded = $1",
        )
        .bind(folded(domain))).await?;
        with_lists(self, row).await
    }

    async fn tenants(&mut self) -> Result<Vec<Tenant>, StoreError> {
        let rows = self.all(Query::new("SELECT * FROM tenants ORDER BY tenant_id")).await?;
        let mut tenants = each(&rows, read)?;
        let rows =
            self.all(Query::new("SELECT tenant_id, domain FROM tenant_domains ORDER BY tenant_id, position")).await?;
        for row in &rows {
            let id: TenantId = parsed(row, "tenant_id")?;
            if let Ok(index) = tenants.binary_search_by_key(&id, |tenant| tenant.id) {
                tenants[index].domains.push(column(row, "domain")?);
            }
        }
        let rows = self
            .all(Query::new(
                "SELECT tenant_id, certificate FROM tenant_certificate_authorities ORDER BY tenant_id, position",
            ))
            .await?;
        for row in &rows {
            let id: TenantId = parsed(row, "tenant_id")?;
            if let Ok(index) = tenants.binary_search_by_key(&id, |tenant| tenant.id) {
                tenants[index].trusted_certificate_authorities.push(column(row, "certificate")?);
            }
        }
        Ok(tenants)
    }

    async fn remove_tenant(&mut self, id: TenantId) -> Result<bool, StoreError> {
        self.begin_write().await?;
        let outcome = remove_tenant_rows(self, id).await;
        self.whole(outcome).await
    }
}
