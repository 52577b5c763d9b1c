//! Secrets, certificates and federated credentials of applications.

use countersign_token::{ClientId, SecretHash};
use uuid::Uuid;

use super::columns::{Cells, column, each, guid, time};
use super::failure::writing;
use super::{Query, Session};
use crate::{ClientCertificate, ClientSecret, Credentials, FederatedCredential, Record, StoreError};

fn read_secret(row: &impl Cells) -> Result<ClientSecret, StoreError> {
    let hash: Vec<u8> = column(row, "secret_hash")?;
    let hash = hash.try_into().map_err(|_| StoreError::corrupt("a secret's hash has not 32 bytes"))?;
    Ok(ClientSecret {
        key_id: guid(row, "key_id")?,
        display_name: column(row, "display_name")?,
        hint: column(row, "hint")?,
        starts_at: time(row, "starts_at")?,
        ends_at: time(row, "ends_at")?,
        hash: SecretHash::from_bytes(hash),
    })
}

fn read_certificate(row: &impl Cells) -> Result<ClientCertificate, StoreError> {
    Ok(ClientCertificate {
        key_id: guid(row, "key_id")?,
        display_name: column(row, "display_name")?,
        certificate: column(row, "certificate")?,
        starts_at: time(row, "starts_at")?,
        ends_at: time(row, "ends_at")?,
    })
}

fn read_federated(row: &impl Cells) -> Result<FederatedCredential, StoreError> {
    Ok(FederatedCredential {
        id: guid(row, "credential_id")?,
        name: column(row, "name")?,
        issuer: column(row, "issuer")?,
        subject: column(row, "subject")?,
        audience: column(row, "audience")?,
        description: column(row, "description")?,
    })
}

impl<S: Session> Credentials for S {
    async fn add_secret(&mut self, app: ClientId, secret: &ClientSecret) -> Result<(), StoreError> {
        let query = Query::new(
            "INSERT INTO client_secrets (key_id, app_id, display_name, hint, starts_at, ends_at, secret_hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(secret.key_id.to_string())
        .bind(app.to_string())
        .bind(secret.display_name.clone())
        .bind(secret.hint.clone())
        .bind(secret.starts_at.as_nanos())
        .bind(secret.ends_at.as_nanos())
        .bind(secret.hash.as_bytes().to_vec());
        self.write(query).await.map(drop).map_err(writing(Record::ClientSecret, Record::Application))
    }

    async fn secrets(&mut self, app: ClientId) -> Result<Vec<ClientSecret>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT * FROM client_secrets WHERE app_id = $1 ORDER BY starts_at, key_id")
                    .bind(app.to_string()),
            )
            .await?;
        each(&rows, read_secret)
    }

    async fn remove_secret(&mut self, app: ClientId, key_id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM client_secrets WHERE app_id = $1 AND key_id = $2")
            .bind(app.to_string())
            .bind(key_id.to_string());
        Ok(self.write(query).await? > 0)
    }

    async fn add_certificate(&mut self, app: ClientId, certificate: &ClientCertificate) -> Result<(), StoreError> {
        let query = Query::new(
            "INSERT INTO client_certificates (key_id, app_id, display_name, certificate, starts_at, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(certificate.key_id.to_string())
        .bind(app.to_string())
        .bind(certificate.display_name.clone())
        .bind(certificate.certificate.clone())
        .bind(certificate.starts_at.as_nanos())
        .bind(certificate.ends_at.as_nanos());
        self.write(query).await.map(drop).map_err(writing(Record::ClientCertificate, Record::Application))
    }

    async fn certificates(&mut self, app: ClientId) -> Result<Vec<ClientCertificate>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT * FROM client_certificates WHERE app_id = $1 ORDER BY starts_at, key_id")
                    .bind(app.to_string()),
            )
            .await?;
        each(&rows, read_certificate)
    }

    async fn remove_certificate(&mut self, app: ClientId, key_id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM client_certificates WHERE app_id = $1 AND key_id = $2")
            .bind(app.to_string())
            .bind(key_id.to_string());
        Ok(self.write(query).await? > 0)
    }

    async fn add_federated_credential(
        &mut self,
        app: ClientId,
        credential: &FederatedCredential,
    ) -> Result<(), StoreError> {
        let query = Query::new(
            "INSERT INTO federated_credentials (credential_id, app_id, name, issuer, subject, audience, description) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(credential.id.to_string())
        .bind(app.to_string())
        .bind(credential.name.clone())
        .bind(credential.issuer.clone())
        .bind(credential.subject.clone())
        .bind(credential.audience.clone())
        .bind(credential.description.clone());
        self.write(query).await.map(drop).map_err(writing(Record::FederatedCredential, Record::Application))
    }

    async fn federated_credentials(&mut self, app: ClientId) -> Result<Vec<FederatedCredential>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT * FROM federated_credentials WHERE app_id = $1 ORDER BY name").bind(app.to_string()),
            )
            .await?;
        each(&rows, read_federated)
    }

    async fn remove_federated_credential(&mut self, app: ClientId, id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM federated_credentials WHERE app_id = $1 AND credential_id = $2")
            .bind(app.to_string())
            .bind(id.to_string());
        Ok(self.write(query).await? > 0)
    }
}
