//! From columns to values and back. What does not read back as what was stored is a damaged database, not a panic.

use std::str::FromStr;

use countersign_token::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row, Sqlite, Type};
use uuid::Uuid;

use super::failure::Failure;
use crate::StoreError;

/// What every database's driver knows how to read.
pub(crate) trait Readable<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Readable<'r> for T {}

/// A row of either database.
pub(crate) trait Cells: Send + Sync {
    fn cell<'r, T: Readable<'r>>(&'r self, name: &str) -> Result<T, sqlx::Error>;
}

impl Cells for SqliteRow {
    fn cell<'r, T: Readable<'r>>(&'r self, name: &str) -> Result<T, sqlx::Error> {
        self.try_get(name)
    }
}

impl Cells for PgRow {
    fn cell<'r, T: Readable<'r>>(&'r self, name: &str) -> Result<T, sqlx::Error> {
        self.try_get(name)
    }
}

/// A column that the driver knows how to read.
pub(super) fn column<'r, T: Readable<'r>>(row: &'r impl Cells, name: &str) -> Result<T, StoreError> {
    row.cell(name).map_err(|error| Failure::from(error).into())
}

/// A column of text that parses, such as an id.
pub(super) fn parsed<T: FromStr>(row: &impl Cells, name: &str) -> Result<T, StoreError> {
    let text: &str = column(row, name)?;
    text.parse().map_err(|_| StoreError::corrupt(format!("column {name} does not hold what it should")))
}

/// A text that is one of a few names.
pub(super) fn named<T>(row: &impl Cells, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: &str = column(row, name)?;
    read(text).ok_or_else(|| StoreError::corrupt(format!("column {name} does not hold what it should")))
}

/// A GUID that is not an id of a tenant, client or directory object.
pub(super) fn guid(row: &impl Cells, name: &str) -> Result<Uuid, StoreError> {
    parsed(row, name)
}

/// A time.
pub(super) fn time(row: &impl Cells, name: &str) -> Result<Timestamp, StoreError> {
    column(row, name).map(Timestamp::from_nanos)
}

/// Every row, or the first error.
pub(super) fn each<R: Cells, T>(rows: &[R], read: impl Fn(&R) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}
