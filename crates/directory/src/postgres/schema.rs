//! Which tables there are, and how they came to be.
//!
//! As with SQLite the table `schema_version` has one row, every migration above it runs in one transaction, and a version
//! above ours is refused. Replicas that start at once queue at an advisory lock; the first migrates, the others find it
//! done.

use sqlx::{Connection, PgConnection};

use crate::StoreError;
use crate::sql::failure::general;

/// Version n is the nth script. A script that was released is never edited again.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/postgres/0001_directory.sql"),
    include_str!("../../migrations/postgres/0002_people_and_ledger.sql"),
];

pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The name under which replicas queue, any number that no other program uses in this database: "csschema".
const QUEUE: i64 = 0x6373_7363_6865_6d61;

pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    if version(connection).await? == Some(KNOWN) {
        return Ok(());
    }
    let mut tx = connection.begin().await.map_err(general)?;
    // Until the transaction's end. Each statement sees what was committed before it, so the next one sees what whoever
    // had the lock has done.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(QUEUE).execute(&mut *tx).await.map_err(general)?;
    let found = version(&mut tx).await?;
    if found == Some(KNOWN) {
        return Ok(());
    }
    if found.is_none() {
        sqlx::raw_sql("CREATE TABLE schema_version (version BIGINT NOT NULL)")
            .execute(&mut *tx)
            .await
            .map_err(general)?;
    }
    let script = |error| StoreError::Corrupt {
        what: "a migration does not fit the tables that are there".to_owned(),
        source: Some(Box::new(general(error)) as Box<dyn std::error::Error + Send + Sync>),
    };
    for migration in MIGRATIONS.iter().skip(usize::try_from(found.unwrap_or(0)).unwrap_or(0)) {
        sqlx::raw_sql(*migration).execute(&mut *tx).await.map_err(script)?;
    }
    sqlx::query("DELETE FROM schema_version").execute(&mut *tx).await.map_err(general)?;
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
        .bind(KNOWN)
        .execute(&mut *tx)
        .await
        .map_err(general)?;
    tx.commit().await.map_err(general)
}

/// The schema's version; `None` for a schema without any table.
async fn version(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_all(&mut *connection)
            .await
            .map_err(general)?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.iter().any(|table| table == "schema_version") {
        return Err(StoreError::corrupt(
            "its tables are another program's: there is no schema_version; give the directory a database or a schema of \
             its own",
        ));
    }
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_optional(connection).await.map_err(general)?;
    match found {
        Some(found) if found > KNOWN => Err(StoreError::NewerSchema { found, known: KNOWN }),
        found => Ok(Some(found.unwrap_or(0))),
    }
}
