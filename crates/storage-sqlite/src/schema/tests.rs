//! Migrations that are cut off: the next open goes on from where the last one came, and loses nothing.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use storage::Store;
use storage::conformance::world::{World, say};
use wal_buffer::faults::{self, Fault};

use super::*;
use crate::connection::{database_path, open_writer};
use crate::options::Options;
use crate::store::SqliteStore;

/// Two more after the real ones. What they change shows how often they ran.
const LATER: [&str; 2] = [
    "ALTER TABLE app ADD COLUMN ran INTEGER NOT NULL DEFAULT 0; UPDATE app SET ran = ran + 1, name = name || '+';
     CREATE TABLE log_copy AS SELECT * FROM log; DELETE FROM log; INSERT INTO log SELECT * FROM log_copy;",
    "UPDATE app SET ran = ran + 10; DROP TABLE log_copy;",
];
const BROKEN: &str = "UPDATE app SET name = 'lost'; DELETE FROM log; INSERT INTO nothing VALUES (1);";
const FOLDER_VARIABLE: &str = "STARLING_MIGRATED_FOLDER";
const WRITES_VARIABLE: &str = "STARLING_MIGRATED_WRITES";

fn with_later() -> Vec<&'static str> {
    MIGRATIONS.iter().chain(&LATER).copied().collect()
}

fn wal(folder: &Path) -> std::path::PathBuf {
    folder.join("starling.db-wal")
}

/// A closed folder with a history in it.
fn folder_with_history() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(folder.path(), &Options::default()).unwrap());
        let world = World::new(store.clone()).await;
        world.group("red", &["ann", "bob"]).await;
        for n in 0..300 {
            world.act("ann", "red", say(&format!("{n} {}", "murmuration ".repeat(n % 50)))).await;
        }
        store.close().await;
    });
    folder
}

/// All rows that the migrations leave alone or only move.
fn rows(db: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for table in
        ["log", "room", "member", "journal", "user", "user_key", "user_word", "device", "device_window", "store"]
    {
        let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column).unwrap());
            rows.push(format!("{table} {:?}", values.collect::<Vec<_>>()));
        }
    }
    rows
}

fn app(db: &Connection) -> (String, i64) {
    db.query_row("SELECT name, ran FROM app", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// What the process does that is killed. The test below starts it; without a folder there is nothing to do.
#[test]
fn dies_while_migrating() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(std::path::PathBuf::from) else { return };
    let after_writes = std::env::var(WRITES_VARIABLE).expect("the parent sets it").parse().unwrap();
    let mut db = open_writer(&folder, &Options::default()).unwrap();
    // As SQLite names the file.
    let path = std::fs::canonicalize(&folder).unwrap();
    faults::set(&wal(&path), Fault::Die { after_writes });
    migrate_with(&mut db, &with_later()).unwrap();
}

#[test]
fn a_migration_that_was_killed_is_completed() {
    let mut reached = std::collections::BTreeSet::new();
    for after_writes in 0.. {
        let folder = folder_with_history();
        let before = rows(&Connection::open(database_path(folder.path())).unwrap());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "schema::tests::dies_while_migrating"])
            .env(FOLDER_VARIABLE, folder.path())
            .env(WRITES_VARIABLE, after_writes.to_string())
            .output()
            .unwrap();
        if child.status.success() {
            // There were not so many writes.
            break;
        }
        assert_eq!(child.status.code(), None, "it was not killed: {child:?}");
        let mut db = Connection::open(database_path(folder.path())).unwrap();
        let schema = schema_of(&db).unwrap();
        reached.insert(schema);
        assert_eq!(rows(&db), before, "after {after_writes} writes, schema {schema}");
        if schema > SCHEMA {
            assert!(matches!(check_schema(&db), Err(OpenError::Newer { known: SCHEMA, .. })));
        } else {
            drop(db);
            // The program of before still works with it.
            open_writer(folder.path(), &Options::default()).unwrap();
            db = Connection::open(database_path(folder.path())).unwrap();
        }
        for _ in 0..2 {
            migrate_with(&mut db, &with_later()).unwrap();
            assert_eq!(rows(&db), before, "after {after_writes} writes");
            assert_eq!(app(&db), ("one+".into(), 11), "each ran once, after {after_writes} writes");
        }
    }
    assert!(reached.contains(&SCHEMA) && reached.len() > 1, "killed at schemas {reached:?}");
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let folder = folder_with_history();
    let mut db = open_writer(folder.path(), &Options::default()).unwrap();
    let before = rows(&db);
    let broken: Vec<_> = MIGRATIONS.iter().copied().chain([BROKEN]).collect();
    assert!(matches!(migrate_with(&mut db, &broken), Err(OpenError::Sqlite(_))));
    faults::set(&wal(&std::fs::canonicalize(folder.path()).unwrap()), Fault::Full);
    assert!(matches!(migrate_with(&mut db, &with_later()), Err(OpenError::Sqlite(_))));
    faults::set(&wal(&std::fs::canonicalize(folder.path()).unwrap()), Fault::None);
    drop(db);
    let mut db = open_writer(folder.path(), &Options::default()).unwrap();
    assert_eq!((schema_of(&db).unwrap(), rows(&db)), (SCHEMA, before.clone()));
    migrate_with(&mut db, &with_later()).unwrap();
    assert_eq!((app(&db), rows(&db)), (("one+".into(), 11), before));
}
