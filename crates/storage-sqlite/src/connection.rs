//! Opening connections: the files of a data folder, the lock on it, and the settings each connection gets.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use planted::{Bug, planted};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use wal_buffer::pages::APPLICATION_ID;

use crate::error::OpenError;
use crate::options::Options;
use crate::schema;

/// The first SQLite without the bug that could corrupt a WAL database, as SQLite numbers its versions.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a statement waits for a lock. Only checkpoints and backups ever take one that hinders.
const BUSY_TIMEOUT_MS: u64 = 2_000;
/// Prepared statements kept by each connection.
const STATEMENTS_MAX: usize = 96;
/// A message changes a page or two, whatever their size, and each goes to the WAL whole. Smaller ones than these are full
/// so soon that more of them change.
const PAGE_BYTES: u32 = 2048;

const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Name of the database in the data folder.
pub(crate) const DATABASE_FILE: &str = "starling.db";
const LOCK_FILE: &str = "lock";

/// The database file of a data folder.
pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join(DATABASE_FILE)
}

/// Takes the data folder for this process until the file is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Refuses a SQLite that is too old.
pub(crate) fn check_version() -> Result<(), OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    Ok(())
}

/// The one connection that writes; it creates the database and brings it to the newest schema.
pub(crate) fn open_writer(folder: &Path, options: &Options) -> Result<Connection, OpenError> {
    check_version()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // It asks for `synchronous = FULL`, which is set below.
    let mut db = Connection::open_with_flags_and_vfs(database_path(folder), flags, wal_buffer::register())?;
    prepare(&db, options.writer_cache_kib)?;
    schema::check_schema(&db)?;
    db.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES};"))?;
    if db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0 {
        // Before there is a first page: all of them get checksums.
        wal_buffer::reserve(&db);
        db.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID};"))?;
    }
    // A redacted message must be gone from the file, hence secure_delete. Checkpoints are the writer's own.
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = {};
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_spill = OFF;",
        if options.secure_delete && !planted(Bug::BodyKeptOnDisk) { "ON" } else { "OFF" }
    ))?;
    schema::migrate(&mut db)?;
    Ok(db)
}

/// A connection that moves the WAL into the database, and else does nothing.
pub(crate) fn open_checkpointer(folder: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags_and_vfs(database_path(folder), flags, wal_buffer::register_unbuffered())?;
    db.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 16;")?;
    // It opens the WAL with its first statement that reads.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(db)
}

/// A connection that only reads, and from the database nothing but pages whose checksums are right.
pub(crate) fn open_reader(database: &Path, cache_kib: u32) -> Result<Connection, OpenError> {
    check_version()?;
    let db = Connection::open_with_flags_and_vfs(database, READ_ONLY, wal_buffer::register_unbuffered())?;
    prepare(&db, cache_kib)?;
    Ok(db)
}

/// A connection that only reads, whatever there is.
pub(crate) fn open_unchecked(database: &Path, cache_kib: u32) -> Result<Connection, OpenError> {
    check_version()?;
    let db = Connection::open_with_flags(database, READ_ONLY)?;
    prepare(&db, cache_kib)?;
    Ok(db)
}

fn prepare(db: &Connection, cache_kib: u32) -> Result<(), OpenError> {
    db.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Otherwise statements with a bound limit are planned anew whenever the limit changes.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.execute_batch(&format!("PRAGMA cache_size = -{cache_kib}; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"))?;
    Ok(())
}
