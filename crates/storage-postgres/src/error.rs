//! What can go wrong: while opening (told to the operator) and while working (told to the engine).

use std::error::Error as _;

use storage::StoreError;
use storage::record::RecordError;
use thiserror::Error;
use tokio_postgres::error::SqlState;

/// Why a database can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The URL says nothing that can be used.
    #[error("the database URL is wrong: {0}")]
    Url(String),
    /// There is no server, or none of the servers answers.
    #[error("no database server can be reached: {0}")]
    Unreachable(String),
    /// The server doesn't let this user in.
    #[error("the database server refuses the login: {0}")]
    Login(String),
    /// There is no such database.
    #[error("there is no such database: {0}")]
    NoDatabase(String),
    /// The encryption that the URL asks for can't be had.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server is too old to do what is asked of it.
    #[error("the server has PostgreSQL {found}, at least {needed} is needed")]
    OldServer {
        /// Its version.
        found: u32,
        /// The oldest version that will do.
        needed: u32,
    },
    /// The database doesn't keep texts as UTF-8.
    #[error("the database has the encoding {0}, it must be UTF8")]
    Encoding(String),
    /// What is committed could get lost.
    #[error("the server is not durable: {0}")]
    NotDurable(String),
    /// It is a standby, or a primary that another one has replaced.
    #[error("the server can't be written to: {0}")]
    NotPrimary(String),
    /// It was written by a newer version of the program.
    #[error("the database has schema {found}, this program knows schemas up to {known}: use a newer program")]
    Newer {
        /// The schema of the database.
        found: u32,
        /// The newest schema that is known.
        known: u32,
    },
    /// The tables are not what they must be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The server refused something else.
    #[error("database: {0}")]
    Refused(String),
}

impl OpenError {
    /// What an attempt to connect or a first statement failed with.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let text = text_of(error);
        let Some(code) = error.code() else {
            return if text.contains("TLS") { Self::Tls(text) } else { Self::of_transport(text) };
        };
        match *code {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::Login(text),
            SqlState::INVALID_CATALOG_NAME => Self::NoDatabase(text),
            SqlState::CANNOT_CONNECT_NOW | SqlState::TOO_MANY_CONNECTIONS | SqlState::ADMIN_SHUTDOWN => {
                Self::Unreachable(text)
            }
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::NotPrimary(text),
            _ => Self::Refused(text),
        }
    }

    fn of_transport(text: String) -> Self {
        let missing = ["password missing", "user missing", "invalid configuration", "authentication"];
        if missing.iter().any(|part| text.contains(part)) {
            return Self::Login(text);
        }
        Self::Unreachable(text)
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Postgres(error) => Self::of(&error),
            Fault::Open(error) => *error,
            Fault::Record(_) | Fault::Damaged(_) => Self::Damaged(fault.to_string()),
            Fault::Busy(_) | Fault::Full(_) => Self::Unreachable(fault.to_string()),
        }
    }
}

/// Why a piece of work failed.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("{}", text_of(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("{0}")]
    Open(Box<OpenError>),
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{0}")]
    Damaged(&'static str),
    /// There is no time or no place for it.
    #[error("{0}")]
    Busy(&'static str),
    /// A number has run out.
    #[error("{0}")]
    Full(&'static str),
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        Fault::Open(Box::new(error))
    }
}

impl Fault {
    /// Whether the connection is gone, so that it is unknown what the server has done.
    pub(crate) fn is_disconnect(&self) -> bool {
        match self {
            Fault::Postgres(error) => is_disconnect(error),
            Fault::Open(_) | Fault::Busy(_) => true,
            Fault::Record(_) | Fault::Damaged(_) | Fault::Full(_) => false,
        }
    }

    /// Whether the server refused a value, as opposed to being unable to work.
    pub(crate) fn is_about_values(&self) -> bool {
        match self {
            Fault::Postgres(error) => match error.code() {
                // Data exceptions, constraints, limits.
                Some(code) => ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)),
                // A value that could not be read or written by us.
                None => !is_disconnect(error),
            },
            Fault::Record(_) | Fault::Damaged(_) | Fault::Full(_) => true,
            Fault::Open(_) | Fault::Busy(_) => false,
        }
    }
}

impl From<&Fault> for StoreError {
    fn from(fault: &Fault) -> Self {
        let text = fault.to_string().into();
        match fault {
            Fault::Postgres(error) => match error.code() {
                // What the server itself calls corrupt.
                Some(code) if code.code().starts_with("XX") => StoreError::Damaged(text),
                Some(_) | None if fault.is_about_values() => StoreError::Damaged(text),
                Some(_) | None => StoreError::Unavailable(text),
            },
            Fault::Record(_) | Fault::Damaged(_) => StoreError::Damaged(text),
            Fault::Open(_) | Fault::Busy(_) | Fault::Full(_) => StoreError::Unavailable(text),
        }
    }
}

fn is_disconnect(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        // Class 57 are interventions: the server shuts down, or has crashed. What it was asked is then undone or unknown.
        Some(code) => code.code().starts_with("57P") || code.code().starts_with("08"),
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
    }
}

/// An error with what the server said; its own text is only the kind of it.
fn text_of(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} ({})", told.message(), told.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
