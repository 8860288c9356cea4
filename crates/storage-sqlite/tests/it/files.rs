//! The data folder: its lock, its schema, its versions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use rusqlite::Connection;
use storage::Store;
use storage_sqlite::{OpenError, Options, Rule, SqliteStore, doctor, seal};

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
    assert_eq!(known, 2);
    db.execute("INSERT INTO migration (number, applied_at) VALUES (999, 0)", []).unwrap();
    drop(db);
    seal(folder.path()).unwrap();
    let before = bytes_of(folder.path());
    let opened = SqliteStore::open(folder.path(), &Options::default());
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, known: 2 }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the database has schema 999, this program knows schemas up to 2: use a newer program"
    );
    assert!(matches!(doctor(folder.path()), Err(OpenError::Newer { .. })));
    assert!(bytes_of(folder.path()) == before, "it is left as it was");
}

/// The files that hold data, with what is in them.
fn bytes_of(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()));
    // The index of a WAL is memory, not data.
    files.filter(|(name, bytes)| !bytes.is_empty() && name != "starling.db-shm").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_has_changed_is_read_once_it_is_sealed() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    store.close().await;
    let db = Connection::open(folder.path().join("starling.db")).unwrap();
    db.execute("UPDATE app SET name = 'changed by hand'", []).unwrap();
    drop(db);
    assert!(matches!(doctor(folder.path()).unwrap().first(), Some(found) if found.rule == Rule::Integrity));
    seal(folder.path()).unwrap();
    assert_eq!(doctor(folder.path()).unwrap(), []);
    let store = open(folder.path());
    assert!(matches!(seal(folder.path()), Err(OpenError::Locked)));
    let apps = store.apps().await.unwrap();
    assert_eq!((apps[0].id.clone(), apps[0].settings.name.as_str()), (world.app, "changed by hand"));
    store.close().await;
    assert!(matches!(seal(Path::new("/nonexistent")), Err(OpenError::Missing)));
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
