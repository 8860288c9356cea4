//! The numbered migrations and how they are brought in.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::error::OpenError;

/// Migrations in order; number 1 is the first. One that was released is never changed.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_first.sql")];

/// The newest schema.
pub(crate) const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// The schema of a database; 0 for an empty one.
pub(crate) fn schema_of(db: &Connection) -> Result<u32, rusqlite::Error> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'";
    if db.query_row(sql, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    db.query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))
}

/// Refuses a database that a newer program wrote.
pub(crate) fn check_schema(db: &Connection) -> Result<u32, OpenError> {
    let found = schema_of(db)?;
    if found > SCHEMA { Err(OpenError::Newer { found, known: SCHEMA }) } else { Ok(found) }
}

/// Brings a database to the newest schema, each migration in a transaction of its own.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let found = check_schema(db)?;
    for (number, sql) in (1_u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if number == 1 {
            transaction.execute_batch(
                "CREATE TABLE migration (number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT;",
            )?;
        }
        transaction.execute_batch(sql)?;
        transaction.execute("INSERT INTO migration (number, applied_at) VALUES (?, unixepoch())", [number])?;
        transaction.commit()?;
    }
    Ok(())
}
