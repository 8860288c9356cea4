//! What a crash leaves at any moment, and what a disk that fails does.

use std::path::Path;

use rusqlite::ffi::SQLITE_FULL;
use rusqlite::{Connection, OpenFlags};

use super::*;

mod power_cut;

fn open_buffered(path: &Path, page_bytes: u32) -> Connection {
    let db = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), register()).unwrap();
    db.execute_batch(&format!(
        "PRAGMA page_size = {page_bytes}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB);"
    ))
    .unwrap();
    db
}

fn count(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t WHERE length(v) = k % 5000", [], |row| row.get(0)).unwrap()
}

/// What a crash at this moment would leave: the files as they are, read by SQLite's own VFS.
fn count_after_crash(path: &Path) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{}{suffix}", path.display());
        std::fs::copy(name, copy.path().join(format!("db{suffix}"))).unwrap();
    }
    let db = Connection::open(copy.path().join("db")).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    count(&db)
}

/// Commits of that many rows: whatever is committed is in the files, and every other connection sees it.
fn check(page_bytes: u32, commits: &[i64]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = open_buffered(&path, page_bytes);
    let other = Connection::open(&path).unwrap();
    let mut rows = 0;
    for (index, more) in commits.iter().enumerate() {
        db.execute_batch("BEGIN").unwrap();
        for key in rows..rows + more {
            db.execute("INSERT INTO t VALUES (?1, zeroblob(?1 % 5000))", [key * 7]).unwrap();
        }
        assert_eq!((count(&other), count_after_crash(&path)), (rows, rows), "before commit {index}");
        db.execute_batch("COMMIT").unwrap();
        rows += more;
        assert_eq!((count(&db), count(&other), count_after_crash(&path)), (rows, rows, rows), "commit {index}");
        let mode = ["NOOP", "PASSIVE", "RESTART", "TRUNCATE"][index % 4];
        db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
        assert_eq!((count(&db), count_after_crash(&path)), (rows, rows), "checkpoint {index}");
    }
    drop(db);
    assert_eq!(count(&open_buffered(&path, page_bytes)), rows);
}

#[test]
fn what_is_committed_is_in_the_file() {
    check(4096, &[1, 1, 1, 1, 1, 1]);
    check(4096, &[300, 1, 700, 20, 1, 300, 5, 1]);
    check(512, &[100, 1, 100, 3, 100]);
    check(65_536, &[40, 1, 40, 3, 40]);
}

#[test]
fn a_wal_grows_ahead_of_small_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = open_buffered(&path, 4096);
    let length = || std::fs::metadata(folder.path().join("db-wal")).unwrap().len();
    let truncate = || db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let (frame_bytes, header_bytes) = (4096 + 24, 32);
    for round in 0..3 {
        truncate();
        assert_eq!(length(), 0);
        let mut lengths = Vec::new();
        for key in 0..100 {
            db.execute("INSERT INTO t VALUES (?1, zeroblob(?1 % 5000))", [round * 1000 + key]).unwrap();
            lengths.push(length());
            if key % 16 == 0 {
                assert_eq!(count_after_crash(&path), round * 100 + key + 1);
            }
        }
        lengths.dedup();
        // A commit takes one or two frames here.
        assert!((2..=5).contains(&lengths.len()), "{lengths:?}");
        assert!(lengths.is_sorted() && lengths[0] > GROWTH_BYTES as u64);
    }
    truncate();
    db.execute_batch("UPDATE t SET k = k + 1000000").unwrap();
    assert_eq!((length() - header_bytes) % frame_bytes, 0, "a large commit is not followed by zeros");
    assert_eq!((count(&db), count_after_crash(&path)), (300, 300));
}

/// A page that is written anew in the middle of what a transaction has written: nothing behind it is lost.
#[test]
fn what_is_written_anew_is_followed_by_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = open_buffered(&path, 512);
    db.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1").unwrap();
    for round in 0..50 {
        db.execute_batch("BEGIN").unwrap();
        for step in 0..10 {
            let keys = [round * 10 + step, (round * 10 + step) * 3 % 97 + 10_000];
            for key in keys {
                db.execute("INSERT OR REPLACE INTO t VALUES (?1, zeroblob(?1 % 5000))", [key]).unwrap();
            }
        }
        db.execute_batch(if round % 5 == 4 { "ROLLBACK" } else { "COMMIT" }).unwrap();
        assert_eq!(count(&db), count_after_crash(&path), "round {round}");
    }
    let rows = count(&db);
    drop(db);
    assert_eq!(count(&open_buffered(&path, 512)), rows);
}

unsafe extern "C" fn full(_: *mut sqlite3_file, _: *const c_void, _: c_int, _: i64) -> c_int {
    SQLITE_FULL
}

/// That many writes of a page on a disk that is full: one of them fails, or what comes before the sync does.
fn check_full(pages: i64) {
    let methods = sqlite3_io_methods { xWrite: Some(full), ..METHODS };
    let mut file = sqlite3_file { pMethods: &raw const methods };
    let memory: *mut [u64] = &mut [];
    let inner = Inner::of(&raw mut file);
    let disk = File::open("/dev/null").unwrap();
    let mut wal = Buffered::new(memory, inner, disk);
    let page = [7; 4096];
    let failed = (0..pages).any(|page_number| wal.write(&page, page_number * 4096) == SQLITE_FULL);
    assert!(failed || wal.flush() == SQLITE_FULL, "{pages} pages");
    wal.flush();
    assert_eq!(wal.flush(), SQLITE_OK, "what failed is not written later");
}

#[test]
fn a_write_that_fails_is_told_before_the_sync() {
    check_full(1);
    check_full(100);
    check_full(3_000);
}

#[test]
fn what_is_rolled_back_or_spilled_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = open_buffered(&path, 4096);
    db.execute_batch("PRAGMA cache_size = 10; PRAGMA cache_spill = ON").unwrap();
    let insert = |from: i64, to: i64| {
        for key in from..to {
            db.execute("INSERT INTO t VALUES (?1, zeroblob(?1 % 5000))", [key]).unwrap();
        }
    };
    for _ in 0..3 {
        db.execute_batch("BEGIN").unwrap();
        insert(0, 2_000);
        assert_eq!(count(&db), 2_000);
        db.execute_batch("ROLLBACK").unwrap();
        assert_eq!((count(&db), count_after_crash(&path)), (0, 0));
    }
    db.execute_batch("BEGIN").unwrap();
    insert(0, 2_000);
    db.execute_batch("SAVEPOINT s").unwrap();
    insert(2_000, 3_000);
    db.execute_batch("ROLLBACK TO s; COMMIT").unwrap();
    assert_eq!((count(&db), count_after_crash(&path)), (2_000, 2_000));
}
