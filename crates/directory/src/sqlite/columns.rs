//! From columns to values and back. What does not read back as what was stored is a damaged database, not a panic.

use std::str::FromStr;

use countersign_token::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use uuid::Uuid;

use super::failure;
use crate::StoreError;

/// A column that the driver knows how to read.
pub(super) fn column<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    name: &str,
) -> Result<T, StoreError> {
    row.try_get(name).map_err(failure::general)
}

/// A column of text that parses, such as an id.
pub(super) fn parsed<T: FromStr>(row: &SqliteRow, name: &str) -> Result<T, StoreError> {
    let text: &str = column(row, name)?;
    text.parse().map_err(|_| StoreError::corrupt(format!("column {name} does not hold what it should")))
}

/// A GUID that is not an id of a tenant, client or directory object.
pub(super) fn guid(row: &SqliteRow, name: &str) -> Result<Uuid, StoreError> {
    parsed(row, name)
}

/// A time.
pub(super) fn time(row: &SqliteRow, name: &str) -> Result<Timestamp, StoreError> {
    column(row, name).map(Timestamp::from_nanos)
}

/// Every row, or the first error.
pub(super) fn each<T>(
    rows: &[SqliteRow],
    read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}
