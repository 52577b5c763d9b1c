//! Application registrations: the document, and an index of identifier URIs beside it.

use countersign_token::{ClientId, TenantId};
use serde_json::Value;

use super::columns::{Cells, column, each, parsed};
use super::failure::writing;
use super::{Query, Session, signing_keys};
use crate::well_known::{service, well_known, well_known_by_uri};
use crate::{Application, Applications, KeyOwner, Record, StoreError};

fn read(row: &impl Cells) -> Result<Application, StoreError> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Corrupt {
        what: "a stored application is not a Graph document".to_owned(),
        source: Some(source),
    };
    let document: Value = serde_json::from_str(column(row, "document")?).map_err(|error| damaged(error.into()))?;
    Application::from_document(parsed(row, "tenant_id")?, document).map_err(|error| damaged(error.into()))
}

fn document(application: &Application) -> Result<String, StoreError> {
    serde_json::to_string(application.document()).map_err(|error| StoreError::Database(error.into()))
}

async fn insert_application_rows<S: Session>(session: &mut S, application: &Application) -> Result<(), StoreError> {
    if well_known(application.app_id()).is_some() {
        return Err(StoreError::AlreadyExists(Record::Application));
    }
    let query = Query::new("INSERT INTO applications (app_id, object_id, tenant_id, document) VALUES ($1, $2, $3, $4)")
        .bind(application.app_id().to_string())
        .bind(application.object_id().to_string())
        .bind(application.tenant().to_string())
        .bind(document(application)?);
    session.write(query).await.map_err(writing(Record::Application, Record::Tenant))?;
    insert_identifier_uris(session, application).await
}

async fn update_application_rows<S: Session>(session: &mut S, application: &Application) -> Result<(), StoreError> {
    let query =
        Query::new("UPDATE applications SET object_id = $3, document = $4 WHERE app_id = $1 AND tenant_id = $2")
            .bind(application.app_id().to_string())
            .bind(application.tenant().to_string())
            .bind(application.object_id().to_string())
            .bind(document(application)?);
    if session.write(query).await.map_err(writing(Record::Application, Record::Tenant))? == 0 {
        return Err(StoreError::NotFound(Record::Application));
    }
    let query = Query::new("DELETE FROM identifier_uris WHERE app_id = $1").bind(application.app_id().to_string());
    session.write(query).await?;
    insert_identifier_uris(session, application).await
}

async fn insert_identifier_uris<S: Session>(session: &mut S, application: &Application) -> Result<(), StoreError> {
    for uri in application.identifier_uris() {
        if well_known_by_uri(uri).is_some() {
            return Err(StoreError::AlreadyExists(Record::IdentifierUri));
        }
        let query = Query::new("INSERT INTO identifier_uris (tenant_id, uri, app_id) VALUES ($1, $2, $3)")
            .bind(application.tenant().to_string())
            .bind(uri.clone())
            .bind(application.app_id().to_string());
        session.write(query).await.map_err(writing(Record::IdentifierUri, Record::Application))?;
    }
    Ok(())
}

async fn remove_application_rows<S: Session>(
    session: &mut S,
    tenant: TenantId,
    app_id: ClientId,
) -> Result<bool, StoreError> {
    let query = Query::new("DELETE FROM applications WHERE app_id = $1 AND tenant_id = $2")
        .bind(app_id.to_string())
        .bind(tenant.to_string());
    if session.write(query).await? == 0 {
        return Ok(false);
    }
    for statement in [
        "DELETE FROM app_role_assignments WHERE principal_id IN \
         (SELECT object_id FROM service_principals WHERE app_id = $1)",
        "DELETE FROM group_members WHERE member_id IN (SELECT object_id FROM service_principals WHERE app_id = $1)",
        "DELETE FROM service_principals WHERE app_id = $1",
    ] {
        session.write(Query::new(statement).bind(app_id.to_string())).await?;
    }
    let owner = signing_keys::owner(KeyOwner::Application(app_id));
    session.write(Query::new("DELETE FROM signing_keys WHERE owner = $1").bind(owner)).await?;
    Ok(true)
}

impl<S: Session> Applications for S {
    async fn insert_application(&mut self, application: &Application) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = insert_application_rows(self, application).await;
        self.whole(outcome).await
    }

    async fn update_application(&mut self, application: &Application) -> Result<(), StoreError> {
        self.begin_write().await?;
        let outcome = update_application_rows(self, application).await;
        self.whole(outcome).await
    }

    async fn application(&mut self, id: ClientId) -> Result<Option<Application>, StoreError> {
        if let Some(application) = well_known(id) {
            return Ok(Some(application.clone()));
        }
        let row = self
            .optional(Query::new("SELECT tenant_id, document FROM applications WHERE app_id = $1").bind(id.to_string()))
            .await?;
        let registered = row.as_ref().map(read).transpose()?;
        Ok(registered.or_else(|| service(id).cloned()))
    }

    async fn applications_of(&mut self, tenant: TenantId) -> Result<Vec<Application>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT tenant_id, document FROM applications WHERE tenant_id = $1 ORDER BY app_id")
                    .bind(tenant.to_string()),
            )
            .await?;
        each(&rows, read)
    }

    async fn application_by_identifier_uri(
        &mut self,
        tenant: TenantId,
        uri: &str,
    ) -> Result<Option<Application>, StoreError> {
        let row = self
            .optional(
                Query::new(
                    "SELECT a.tenant_id, a.document FROM applications a JOIN identifier_uris u ON u.app_id = a.app_id \
             WHERE u.tenant_id = $1 AND u.uri = $2",
                )
                .bind(tenant.to_string())
                .bind(uri.to_owned()),
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    async fn remove_application(&mut self, tenant: TenantId, app_id: ClientId) -> Result<bool, StoreError> {
        if well_known(app_id).is_some() {
            return Err(StoreError::Permanent(Record::Application));
        }
        self.begin_write().await?;
        let outcome = remove_application_rows(self, tenant, app_id).await;
        self.whole(outcome).await
    }
}
