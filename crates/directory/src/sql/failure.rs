//! The drivers' errors in this room's words.

use sqlx::error::ErrorKind;
use sqlx::postgres::PgDatabaseError;

use crate::{Record, StoreError, postgres, sqlite};

/// A statement that failed: what to answer, unless a constraint says more about it.
#[derive(Debug)]
pub(crate) struct Failure {
    constraint: Option<ErrorKind>,
    error: StoreError,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { constraint: None, error }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().map(sqlx::error::DatabaseError::kind);
        Self { constraint, error: general(error) }
    }
}

/// An error that is nobody's record's fault.
pub(crate) fn general(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => StoreError::Io(error.into()),
        sqlx::Error::PoolTimedOut => StoreError::Busy(error.into()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt { what: "a column cannot be read".to_owned(), source: Some(error.into()) }
        }
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(said) => postgres::failure(said),
            None => {
                // The driver gives extended codes; their low byte is the primary one.
                let extended = database.code().and_then(|text| text.parse::<i32>().ok());
                sqlite::failure(extended.map_or(0, |code| code & 0xff), error.into())
            }
        },
        _ => StoreError::Database(error.into()),
    }
}

/// An error of a write: `record` is what a unique key keeps from existing twice, `needs` what a reference points to.
pub(super) fn writing(record: Record, needs: Record) -> impl Fn(Failure) -> StoreError {
    move |failure| match failure.constraint {
        Some(ErrorKind::UniqueViolation) => StoreError::AlreadyExists(record),
        Some(ErrorKind::ForeignKeyViolation) => StoreError::NotFound(needs),
        _ => failure.error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_did_not_say_is_told_apart() {
        assert!(matches!(general(sqlx::Error::WorkerCrashed), StoreError::Io(_)));
        assert!(matches!(general(sqlx::Error::PoolTimedOut), StoreError::Busy(_)));
        assert!(matches!(general(sqlx::Error::Decode("x".into())), StoreError::Corrupt { .. }));
        assert!(matches!(general(sqlx::Error::RowNotFound), StoreError::Database(_)));
    }
}
