//! Which tables there are, and how they came to be.
//!
//! The table `schema_version` has one row. At start every migration above it runs in one transaction, so that a database
//! is never between two versions; a version above ours is refused.

use sqlx::{Connection, SqliteConnection};

use super::connection::BEGIN;
use crate::StoreError;
use crate::sql::failure::general;

/// Version n is the nth script. A script that was released is never edited again.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/sqlite/0001_directory.sql"),
    include_str!("../../migrations/sqlite/0002_people_and_ledger.sql"),
];

pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    if version(connection).await? == KNOWN {
        return Ok(());
    }
    let mut tx = connection.begin_with(BEGIN).await.map_err(general)?;
    // Again, now that nobody else can be migrating.
    let version = version(&mut tx).await?;
    let script = |error| StoreError::Corrupt {
        what: "a migration does not fit the tables that are there".to_owned(),
        source: Some(Box::new(error) as Box<dyn std::error::Error + Send + Sync>),
    };
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
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

/// The database's version; 0 for an empty one, in which the table is made.
async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(general)?;
    if tables.is_empty() {
        sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
            .execute(connection)
            .await
            .map_err(general)?;
        return Ok(0);
    }
    if !tables.iter().any(|table| table == "schema_version") {
        return Err(StoreError::corrupt("it is a database of another program: it has no table schema_version"));
    }
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_optional(connection).await.map_err(general)?;
    match found {
        Some(found) if found > KNOWN => Err(StoreError::NewerSchema { found, known: KNOWN }),
        found => Ok(found.unwrap_or(0)),
    }
}
