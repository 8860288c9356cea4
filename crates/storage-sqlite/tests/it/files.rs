//! The data folder: its lock, its schema, its versions.

use std::path::Path;

use rusqlite::Connection;
use storage::Store;
use storage_sqlite::{OpenError, Options, SqliteStore};

use crate::world::{crashed, fresh, lively, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_open_once() {
    let (store, folder) = fresh();
    let second = SqliteStore::open(folder.path(), &Options::default());
    assert!(matches!(second, Err(OpenError::Locked)), "{second:?}");
    store.close().await;
    open(folder.path()).close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_leaves_no_wal() {
    let (store, folder) = fresh();
    store.close().await;
    let wal = folder.path().join("starling.db-wal");
    assert_eq!(wal.metadata().map_or(0, |data| data.len()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_refused() {
    let (store, folder) = fresh();
    store.close().await;
    let db = Connection::open(folder.path().join("starling.db")).unwrap();
    let known: u32 = db.query_row("SELECT max(number) FROM migration", [], |row| row.get(0)).unwrap();
    assert_eq!(known, 1);
    db.execute("INSERT INTO migration (number, applied_at) VALUES (999, 0)", []).unwrap();
    drop(db);
    let opened = SqliteStore::open(folder.path(), &Options::default());
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, known: 1 }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the database has schema 999, this program knows schemas up to 1: use a newer program"
    );
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("starling.db"), "this is a text, not a database".repeat(200)).unwrap();
    let opened = SqliteStore::open(folder.path(), &Options::default());
    assert!(matches!(opened, Err(OpenError::Sqlite(_))), "{opened:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let check = |folder: &Path| {
        for name in ["starling.db", "starling.db-wal", "starling.db-shm"] {
            let mode = folder.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    };
    let (store, folder) = fresh();
    lively(store.clone()).await;
    check(folder.path());
    // A folder of an older program that has crashed.
    let old = crashed(folder.path());
    for name in ["starling.db", "starling.db-wal"] {
        std::fs::set_permissions(old.path().join(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let reopened = open(old.path());
    check(old.path());
    reopened.close().await;
    store.close().await;
}
