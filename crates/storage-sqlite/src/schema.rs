//! The numbered migrations and how they are brought in.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::error::OpenError;

/// Migrations in order; number 1 is the first. One that was released is never changed.
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_first.sql"), include_str!("../migrations/0002_redo.sql")];

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
    check_against(db, MIGRATIONS)
}

/// Brings a database to the newest schema, each migration in a transaction of its own.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    migrate_with(db, MIGRATIONS)
}

fn check_against(db: &Connection, migrations: &[&str]) -> Result<u32, OpenError> {
    let (found, known) = (schema_of(db)?, migrations.len() as u32);
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(found) }
}

fn migrate_with(db: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let found = check_against(db, migrations)?;
    for (number, sql) in (1_u32..).zip(migrations).skip(found as usize) {
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

#[cfg(test)]
mod tests;
