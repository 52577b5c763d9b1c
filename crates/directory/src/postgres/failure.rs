//! What PostgreSQL's SQLSTATEs mean in this room's words.

use sqlx::postgres::PgDatabaseError;

use crate::StoreError;

/// What the server said, without the detail, which quotes rows.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL: {message} (SQLSTATE {code})")]
struct Said {
    code: String,
    message: String,
}

/// The error for what the server said. Source: postgresql.org/docs/current/errcodes-appendix.html.
pub(crate) fn failure(said: &PgDatabaseError) -> StoreError {
    let code = said.code();
    let cause = Box::new(Said { code: code.to_owned(), message: said.message().to_owned() });
    match code {
        // Somebody wrote in between, a deadlock, a lock not had in time, a statement or transaction that took too long,
        // no connection left.
        "40001" | "40P01" | "55P03" | "57014" | "25P03" | "53300" => StoreError::Busy(cause),
        // A standby, or a server that was made one.
        "25006" => StoreError::Io(cause),
        "XX001" | "XX002" => {
            StoreError::Corrupt { what: "PostgreSQL cannot read its files".to_owned(), source: Some(cause) }
        }
        _ => match code.get(..2) {
            // Connection, resources, shutting down or starting up, the system below.
            Some("08" | "53" | "57" | "58") => StoreError::Io(cause),
            _ => StoreError::Database(cause),
        },
    }
}
