//! What a power cut leaves of a WAL at any moment: of what was not synced, any sectors.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::ffi::{SQLITE_FCNTL_JOURNAL_POINTER, sqlite3_file_control};

use super::super::*;
use super::{count, open_buffered};

const SECTOR_BYTES: usize = 512;
const CUTS: usize = 5;

/// What the system was told to do with the WAL.
enum Op {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Op {
    /// SQLite syncs the header of a WAL, and what it is followed by before that, before it writes any frame.
    fn is_header(&self) -> bool {
        matches!(self, Op::Write(0, bytes) if bytes.len() == 32)
    }

    fn is_zeros(&self) -> bool {
        matches!(self, Op::Write(_, bytes) if bytes.iter().all(|byte| *byte == 0))
    }
}

static OPS: Mutex<Vec<Op>> = Mutex::new(Vec::new());
static SYSTEM_METHODS: OnceLock<sqlite3_io_methods> = OnceLock::new();

unsafe extern "C" fn noted_write(file: *mut sqlite3_file, bytes: *const c_void, length: c_int, at: i64) -> c_int {
    // SAFETY: `bytes` points to `length` bytes.
    let copy = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize) }.to_vec();
    OPS.lock().unwrap().push(Op::Write(at as usize, copy));
    // SAFETY: the file and the arguments are those of the system's VFS.
    unsafe { SYSTEM_METHODS.get().unwrap().xWrite.unwrap()(file, bytes, length, at) }
}

unsafe extern "C" fn noted_truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    OPS.lock().unwrap().push(Op::Truncate(size as usize));
    // SAFETY: as above.
    unsafe { SYSTEM_METHODS.get().unwrap().xTruncate.unwrap()(file, size) }
}

/// The WAL of a connection that uses [`register`].
fn wal_of(db: &Connection) -> *mut sqlite3_file {
    let mut pointer: *mut sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open; the operation writes a pointer.
    unsafe {
        let out = (&raw mut pointer).cast();
        sqlite3_file_control(db.handle(), c"main".as_ptr(), SQLITE_FCNTL_JOURNAL_POINTER, out);
    }
    pointer
}

/// Notes from now on what the system is told to do with a connection's WAL.
fn watch(db: &Connection) {
    // SAFETY: it is a WAL that `open` opened, and nobody else uses it now. The new methods live as long as the process.
    unsafe {
        let file = buffered(wal_of(db)).inner.file();
        let system = *(*file).pMethods;
        assert!(SYSTEM_METHODS.set(system).is_ok(), "one WAL is watched");
        let noted = sqlite3_io_methods { xWrite: Some(noted_write), xTruncate: Some(noted_truncate), ..system };
        (*file).pMethods = Box::leak(Box::new(noted));
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Does what the disk was told, and of the writes only those sectors of which `keeps` says so.
fn apply(wal: &mut Vec<u8>, ops: &[Op], mut keeps: impl FnMut() -> bool, longer_first: bool) {
    for op in ops {
        match op {
            Op::Write(at, bytes) => {
                let mut from = 0;
                while from < bytes.len() {
                    let to = bytes.len().min(from + SECTOR_BYTES - (at + from) % SECTOR_BYTES);
                    let keep = keeps();
                    if (keep || longer_first) && wal.len() < at + to {
                        wal.resize(at + to, 0);
                    }
                    if keep {
                        wal[at + from..at + to].copy_from_slice(&bytes[from..to]);
                    }
                    from = to;
                }
            }
            Op::Truncate(size) => {
                if keeps() {
                    wal.truncate(*size);
                }
            }
        }
    }
}

/// How many rows there are after a start with this WAL.
fn count_with(path: &Path, wal: &[u8]) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(path, copy.path().join("db")).unwrap();
    std::fs::write(copy.path().join("db-wal"), wal).unwrap();
    let db = Connection::open(copy.path().join("db")).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    count(&db)
}

#[test]
fn a_commit_is_whole_or_not_there_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let wal_path = folder.path().join("db-wal");
    let db = open_buffered(&path, 512);
    watch(&db);
    let mut durable = std::fs::read(&wal_path).unwrap();
    let (mut random, mut rows, mut next, mut grown) = (Random(7), 0, 0, 0);
    for round in 0..60 {
        let more = [1, 1, 3, 1, 60, 1, 9, 1, 8, 2][round % 10];
        db.execute_batch("BEGIN").unwrap();
        for _ in 0..more {
            next += 37;
            db.execute("INSERT INTO t VALUES (?1, zeroblob(?1 % 5000))", [next]).unwrap();
        }
        // Pages that are in the WAL already.
        db.execute_batch("UPDATE t SET k = k + 5000000 WHERE k = (SELECT min(k) FROM t)").unwrap();
        db.execute_batch("COMMIT").unwrap();
        let (before, after) = (rows, rows + more);
        rows = after;

        let mut pending: Vec<Op> = std::mem::take(&mut *OPS.lock().unwrap());
        while !pending.is_empty() {
            let frames = pending.iter().position(Op::is_header).map_or(pending.len(), |header| {
                grown += usize::from(pending.get(header + 1).is_some_and(Op::is_zeros));
                header + 1 + pending[header + 1..].iter().take_while(|op| op.is_zeros()).count()
            });
            let later = pending.split_off(frames);
            for _ in 0..CUTS {
                let (done, of_ten) = (random.below(pending.len() + 1), [1, 5, 9, 10][random.below(4)]);
                let longer_first = random.below(2) == 0;
                let mut wal = durable.clone();
                apply(&mut wal, &pending[..done], || random.below(10) < of_ten, longer_first);
                let found = count_with(&path, &wal);
                assert!(found == before || found == after, "round {round}: {found} is not {before} or {after}");
            }
            grown += usize::from(later.is_empty() && pending.last().is_some_and(Op::is_zeros));
            apply(&mut durable, &pending, || true, false);
            pending = later;
        }
        assert!(durable == std::fs::read(&wal_path).unwrap(), "all that was written is noted");
        assert_eq!(count_with(&path, &durable), after, "round {round}");
        if round % 12 == 11 {
            let mode = ["TRUNCATE", "RESTART", "TRUNCATE", "PASSIVE"][round / 12 % 4];
            db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
        }
    }
    assert!(grown >= 4, "{grown} times");
}

/// Frames of another connection are not overwritten by zeros.
#[test]
fn a_wal_that_another_connection_made_longer_keeps_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (db, other) = (open_buffered(&path, 4096), open_buffered(&path, 4096));
    db.execute_batch("PRAGMA cache_size = 10; PRAGMA cache_spill = ON").unwrap();
    let insert = |db: &Connection, from: i64, to: i64| {
        db.execute_batch("BEGIN").unwrap();
        for key in from..to {
            db.execute("INSERT INTO t VALUES (?1, zeroblob(?1 % 5000))", [key]).unwrap();
        }
    };
    // So much that the WAL has no room behind it.
    insert(&db, 4_000, 4_500);
    db.execute_batch("COMMIT").unwrap();
    // Some of it is in the WAL, and nobody syncs it.
    insert(&db, 4_900, 4_907);
    db.execute_batch("ROLLBACK").unwrap();
    insert(&other, 2_000, 2_200);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&db), 700);
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    assert_eq!((count(&db), super::count_after_crash(&path)), (700, 700));
}
