//! The numbered migrations and how they are brought in. They only go forward, and each is such that the version before it
//! can go on serving: what it needs is neither taken away nor given another meaning.

use tokio_postgres::error::SqlState;

use crate::error::{Fault, OpenError};
use crate::rows;
use crate::session::{Call, Session};

/// Migrations in order; number 1 is the first. One that was released is never changed.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_first.sql")];

/// For the lock under which migrations run: one node at a time.
const MIGRATION_LOCK: i64 = 0x7374_6172_6d69_6772;

const FIRST: &str = "
create table migration (
    number integer primary key,
    applied_at timestamptz not null default now()
);
comment on table migration is 'Which migrations of the schema are in.';
comment on column migration.number is 'Number of the migration.';
comment on column migration.applied_at is 'When it came in.';
";

/// The schema of a database; 0 for an empty one.
async fn schema_of(session: &Session) -> Result<u32, Fault> {
    let exists = session.query("select to_regclass('migration') is not null", &[]).await?;
    if !rows::get::<bool>(exists.first().ok_or(Fault::Damaged("a question has no answer"))?, 0)? {
        return Ok(0);
    }
    let row = session.query_opt("select coalesce(max(number), 0) from migration", &[]).await?;
    let number = row.map(|row| rows::get::<i32>(&row, 0)).transpose()?.unwrap_or(0);
    u32::try_from(number).map_err(|_| Fault::Damaged("the number of a migration is negative"))
}

/// Brings a database to the newest schema.
pub(crate) async fn migrate(session: &Session) -> Result<(), OpenError> {
    migrate_with(session, MIGRATIONS).await
}

/// A dump that was read into another server is of some moment in the past, and what was written after it may have been
/// seen by clients: it begins another history. Standbys have the identifier of their primary.
pub(crate) async fn look_where(session: &Session) -> Result<(), OpenError> {
    let moved = "update store set system = s.system_identifier::text,
            epoch = case when system = '' then epoch else replace(gen_random_uuid()::text, '-', '') end
        from pg_control_system() s where system <> s.system_identifier::text";
    match session.query(moved, &[]).await {
        // Not every service that speaks PostgreSQL's protocol has an identifier.
        Ok(_) => Ok(()),
        Err(fault) if fault.is_disconnect() => Err(fault.into()),
        Err(_) => Ok(()),
    }
}

async fn migrate_with(session: &Session, migrations: &[&str]) -> Result<(), OpenError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if check(schema_of(session).await?, known)? == known {
        return Ok(());
    }
    // It takes as long as it takes, here and on the node that was faster.
    let begin = [
        Call::new("begin", []),
        Call::new("set local lock_timeout = 0", []),
        Call::new("set local statement_timeout = 0", []),
        Call::new("select pg_advisory_xact_lock($1)", [&MIGRATION_LOCK]),
    ];
    session.pipeline_all(&begin).await?;
    // Another node may have been faster.
    let found = check(schema_of(session).await?, known)?;
    for (number, sql) in (1_u32..).zip(migrations).skip(found as usize) {
        if number == 1 {
            session.script(FIRST).await.map_err(|fault| refused(number, fault))?;
        }
        session.script(sql).await.map_err(|fault| refused(number, fault))?;
        session.script(&format!("insert into migration (number) values ({number})")).await?;
    }
    session.query("commit", &[]).await?;
    Ok(())
}

fn check(found: u32, known: u32) -> Result<u32, OpenError> {
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(found) }
}

fn refused(number: u32, fault: Fault) -> OpenError {
    match &fault {
        Fault::Postgres(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            OpenError::Refused(format!("migration {number} needs the right to create tables: {fault}"))
        }
        Fault::Postgres(error) if error.as_db_error().is_some() => {
            OpenError::Refused(format!("migration {number}: {fault}"))
        }
        _ => fault.into(),
    }
}
