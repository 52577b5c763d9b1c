//! The driver's errors in this room's words.

use sqlx::error::ErrorKind;

use crate::{Record, StoreError};

/// Primary result codes of SQLite that mean more than "refused". Source: sqlite.org/rescode.html.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// An error that is nobody's record's fault.
pub(super) fn general(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => StoreError::Io(error.into()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt { what: "a column cannot be read".to_owned(), source: Some(error.into()) }
        }
        sqlx::Error::Database(database) => {
            // The driver gives extended codes; their low byte is the primary one.
            let primary = database.code().and_then(|text| text.parse::<i32>().ok()).map_or(0, |code| code & 0xff);
            match primary {
                code::BUSY | code::LOCKED => StoreError::Busy(error.into()),
                code::CORRUPT | code::NOTADB => {
                    StoreError::Corrupt { what: "SQLite cannot read the file".to_owned(), source: Some(error.into()) }
                }
                code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => StoreError::Io(error.into()),
                _ => StoreError::Database(error.into()),
            }
        }
        _ => StoreError::Database(error.into()),
    }
}

/// An error of a write: `record` is what a unique key keeps from existing twice, `needs` what a reference points to.
pub(super) fn writing(record: Record, needs: Record) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation) => StoreError::AlreadyExists(record),
        Some(ErrorKind::ForeignKeyViolation) => StoreError::NotFound(needs),
        _ => general(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_did_not_say_is_told_apart() {
        assert!(matches!(general(sqlx::Error::WorkerCrashed), StoreError::Io(_)));
        assert!(matches!(general(sqlx::Error::Decode("x".into())), StoreError::Corrupt { .. }));
        assert!(matches!(general(sqlx::Error::RowNotFound), StoreError::Database(_)));
    }
}
