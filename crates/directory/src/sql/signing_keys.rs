//! Signing keys, and the two compare-and-sets that replicas settle everything with.

use countersign_token::Timestamp;

use super::columns::{Cells, column, each, named, time};
use super::failure::writing;
use super::{Query, Session};
use crate::{Applications, KeyOwner, KeySchedule, Record, SigningKeys, StoreError, StoredSigningKey, Tenants};

/// What tells an application from a tenant.
const APPLICATION: &str = "app:";

/// The column `owner`.
pub(super) fn owner(owner: KeyOwner) -> String {
    match owner {
        KeyOwner::Everybody => String::new(),
        KeyOwner::Tenant(id) => id.to_string(),
        KeyOwner::Application(id) => format!("{APPLICATION}{id}"),
    }
}

fn read_owner(text: &str) -> Option<KeyOwner> {
    match text.strip_prefix(APPLICATION) {
        _ if text.is_empty() => Some(KeyOwner::Everybody),
        Some(id) => id.parse().ok().map(KeyOwner::Application),
        None => text.parse().ok().map(KeyOwner::Tenant),
    }
}

fn read(row: &impl Cells) -> Result<StoredSigningKey, StoreError> {
    let retires_at: Option<i64> = column(row, "retires_at")?;
    Ok(StoredSigningKey {
        key_id: column(row, "key_id")?,
        owner: named(row, "owner", read_owner)?,
        generation: column(row, "generation")?,
        certificate: column(row, "certificate")?,
        sealed_private_key: column(row, "sealed_private_key")?,
        created: time(row, "created_at")?,
        schedule: KeySchedule {
            activates_at: time(row, "activates_at")?,
            retires_at: retires_at.map(Timestamp::from_nanos),
        },
    })
}

async fn insert_signing_key_row<S: Session>(session: &mut S, key: &StoredSigningKey) -> Result<bool, StoreError> {
    match key.owner {
        KeyOwner::Tenant(id) if session.tenant(id).await?.is_none() => {
            return Err(StoreError::NotFound(Record::Tenant));
        }
        KeyOwner::Application(id) if session.application(id).await?.is_none() => {
            return Err(StoreError::NotFound(Record::Application));
        }
        KeyOwner::Everybody | KeyOwner::Tenant(_) | KeyOwner::Application(_) => {}
    }
    let query = Query::new(
        "INSERT INTO signing_keys (key_id, owner, generation, certificate, sealed_private_key, created_at, \
         activates_at, retires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(key.key_id.clone())
    .bind(owner(key.owner))
    .bind(key.generation)
    .bind(key.certificate.clone())
    .bind(key.sealed_private_key.clone())
    .bind(key.created.as_nanos())
    .bind(key.schedule.activates_at.as_nanos())
    .bind(key.schedule.retires_at.map(Timestamp::as_nanos));
    Ok(session.write(query).await.map_err(writing(Record::SigningKey, Record::Tenant))? == 1)
}

impl<S: Session> SigningKeys for S {
    async fn insert_signing_key(&mut self, key: &StoredSigningKey) -> Result<bool, StoreError> {
        self.begin_write().await?;
        let outcome = insert_signing_key_row(self, key).await;
        self.whole(outcome).await
    }

    async fn signing_keys(&mut self) -> Result<Vec<StoredSigningKey>, StoreError> {
        let rows = self.all(Query::new("SELECT * FROM signing_keys ORDER BY owner, generation")).await?;
        each(&rows, read)
    }

    async fn reschedule_signing_key(
        &mut self,
        key_id: &str,
        expected: KeySchedule,
        new: KeySchedule,
    ) -> Result<bool, StoreError> {
        // `retires_at = NULL` is never true, hence the second half of the condition.
        let query = Query::new(
            "UPDATE signing_keys SET activates_at = $4, retires_at = $5 WHERE key_id = $1 AND activates_at = $2 \
             AND (retires_at = $3 OR (retires_at IS NULL AND $3 IS NULL))",
        )
        .bind(key_id.to_owned())
        .bind(expected.activates_at.as_nanos())
        .bind(expected.retires_at.map(Timestamp::as_nanos))
        .bind(new.activates_at.as_nanos())
        .bind(new.retires_at.map(Timestamp::as_nanos));
        Ok(self.write(query).await? == 1)
    }

    async fn remove_signing_key(&mut self, key_id: &str) -> Result<bool, StoreError> {
        let query = Query::new("DELETE FROM signing_keys WHERE key_id = $1").bind(key_id.to_owned());
        Ok(self.write(query).await? > 0)
    }
}
