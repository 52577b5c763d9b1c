//! What SQLite's result codes mean in this room's words.

use crate::StoreError;

/// Primary result codes that mean more than "refused". Source: sqlite.org/rescode.html.
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

/// The error for a primary result code.
pub(crate) fn failure(primary: i32, said: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    match primary {
        code::BUSY | code::LOCKED => StoreError::Busy(said),
        code::CORRUPT | code::NOTADB => {
            StoreError::Corrupt { what: "SQLite cannot read the file".to_owned(), source: Some(said) }
        }
        code::READONLY | code::IOERR | code::FULL | code::CANTOPEN => StoreError::Io(said),
        _ => StoreError::Database(said),
    }
}
