//! Snapshots: each table once more, in the connection's temporary database, which is in memory.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::transaction::Lender;
use crate::sql::failure::general;
use crate::{Snapshot, StoreError};

/// Every table, one that others refer to before those. A test compares the list with the schema.
const TABLES: [&str; 20] = [
    "tenants",
    "tenant_domains",
    "tenant_certificate_authorities",
    "applications",
    "identifier_uris",
    "service_principals",
    "service_principal_names",
    "client_secrets",
    "client_certificates",
    "federated_credentials",
    "users",
    "directory_groups",
    "group_members",
    "app_role_assignments",
    "permission_grants",
    "signing_keys",
    "spent",
    "refresh_families",
    "device_codes",
    "sign_in_failures",
];

/// Runs statements in one transaction.
async fn all_or_none(lender: &Lender, patience: Duration, statements: String) -> Result<(), StoreError> {
    let mut tx = lender.begin(patience).await?;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await.map_err(general)?;
    tx.commit().await.map_err(general)
}

/// Copies everything to a snapshot's place, and clears the places of those that were given up.
pub(super) async fn take(
    lender: &Lender,
    patience: Duration,
    snapshot: &Snapshot,
    given_up: &[u64],
) -> Result<(), StoreError> {
    let mut statements = String::new();
    for number in given_up {
        for table in TABLES {
            statements.push_str(&format!("DROP TABLE IF EXISTS temp.{table}_{number};"));
        }
    }
    let number = snapshot.number();
    for table in TABLES {
        statements.push_str(&format!("CREATE TEMP TABLE {table}_{number} AS SELECT * FROM main.{table};"));
    }
    all_or_none(lender, patience, statements).await
}

/// Copies a snapshot back.
pub(super) async fn put_back(lender: &Lender, patience: Duration, number: u64) -> Result<(), StoreError> {
    let mut statements = String::new();
    for table in TABLES.iter().rev() {
        statements.push_str(&format!("DELETE FROM main.{table};"));
    }
    for table in TABLES {
        statements.push_str(&format!("INSERT INTO main.{table} SELECT * FROM temp.{table}_{number};"));
    }
    all_or_none(lender, patience, statements).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{connection, schema};

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let mut connection = connection::in_memory().await.unwrap();
        schema::migrate(&mut connection).await.unwrap();
        let of_the_schema =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_version' ORDER BY name";
        let names: Vec<String> = sqlx::query_scalar(of_the_schema).fetch_all(&mut connection).await.unwrap();
        let mut known = TABLES;
        known.sort_unstable();
        assert_eq!(names, known);
    }
}
