//! What can go wrong: while opening (told to the operator) and while working (told to the engine).

use rusqlite::ErrorCode;
use storage::StoreError;
use storage::record::RecordError;
use thiserror::Error;

/// Why a data folder can't be opened, backed up, restored or examined.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data folder is in use by another process")]
    Locked,
    /// It was written by a newer version of the program.
    #[error("the database has schema {found}, this program knows schemas up to {known}: use a newer program")]
    Newer {
        /// The schema of the database.
        found: u32,
        /// The newest schema that is known.
        known: u32,
    },
    /// The SQLite that was linked is too old to be trusted with a WAL.
    #[error("SQLite {0} is linked, at least 3.51.3 is needed")]
    OldSqlite(&'static str),
    /// A restore would overwrite something.
    #[error("there is data already where it would be written")]
    NotEmpty,
    /// There is no database to read.
    #[error("there is no database")]
    Missing,
    /// The database is not what it must be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The file system refused.
    #[error("file system: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sqlite(error) => OpenError::Sqlite(error),
            Fault::Record(error) => OpenError::Damaged(error.to_string()),
            Fault::Damaged(what) | Fault::Full(what) => OpenError::Damaged(what.to_owned()),
        }
    }
}

/// Why a piece of work failed.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{0}")]
    Damaged(&'static str),
    /// A number has run out.
    #[error("{0}")]
    Full(&'static str),
}

impl From<&Fault> for StoreError {
    fn from(fault: &Fault) -> Self {
        let text = fault.to_string().into();
        match fault {
            // What a page is answered with whose checksum is wrong.
            Fault::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                StoreError::Damaged("a page of the database is not as it was written".into())
            }
            Fault::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged(text),
                // A value of the wrong type or range: the statement was right, the row is not.
                None => StoreError::Damaged(text),
                Some(_) => StoreError::Unavailable(text),
            },
            Fault::Record(_) | Fault::Damaged(_) => StoreError::Damaged(text),
            Fault::Full(_) => StoreError::Unavailable(text),
        }
    }
}
