//! Backup while the store serves, and restore into an empty data folder.
//!
//! A backup is one file: a database as of one commit, checked before it gets its name.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::connection::{check_version, database_path, lock, open_reader};
use crate::error::OpenError;
use crate::schema::check_schema;
use crate::scrub;
use crate::store::SqliteStore;

/// Page cache of the connections that copy and check, in KiB.
const CACHE_KIB: u32 = 8 * 1024;
/// How long a copy waits when the database is locked for a moment.
const RETRY_MS: u64 = 50;

impl SqliteStore {
    /// Writes a copy of the database, as of the last commit, to a file that doesn't exist yet. The store goes on serving.
    ///
    /// The copy is checked and durable before it gets its name. This blocks until it is done.
    pub fn backup(&self, to: &Path) -> Result<(), OpenError> {
        write_copy(&open_reader(&database_path(self.folder()), CACHE_KIB)?, to, Epoch::Kept)
    }
}

/// Brings a backup into a data folder that has no database. This blocks until it is done.
pub fn restore(from: &Path, folder: &Path) -> Result<(), OpenError> {
    check_version()?;
    if !from.is_file() {
        return Err(OpenError::Missing);
    }
    std::fs::create_dir_all(folder)?;
    let _lock = lock(folder)?;
    let source = open_reader(from, CACHE_KIB)?;
    check_schema(&source)?;
    write_copy(&source, &database_path(folder), Epoch::Renewed)
}

/// Takes what is in the database of a folder for right: gives all pages their checksums anew. For whoever has changed it by
/// another program than this one, which leaves checksums as they were, so that nothing can be read. Nobody may have it open.
pub fn seal(folder: &Path) -> Result<(), OpenError> {
    check_version()?;
    let database = database_path(folder);
    if !database.is_file() {
        return Err(OpenError::Missing);
    }
    let _lock = lock(folder)?;
    let db = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    db.close().map_err(|(_, error)| error)?;
    scrub::wipe_file(&database)?;
    Ok(())
}

/// What a copy says it is the history of.
#[derive(Debug, Clone, Copy)]
enum Epoch {
    /// The same.
    Kept,
    /// One that goes on from here in its own way.
    Renewed,
}

/// Copies a database to a new file, all of one moment.
fn write_copy(source: &Connection, to: &Path, epoch: Epoch) -> Result<(), OpenError> {
    if to.exists() || side_file(to, "-wal").exists() {
        return Err(OpenError::NotEmpty);
    }
    let temporary = side_file(to, ".partial");
    let result = copy_and_check(source, &temporary, epoch).and_then(|()| publish(&temporary, to));
    if result.is_err() {
        // What is left of a failed copy is of no use to anybody.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn copy_and_check(source: &Connection, temporary: &Path, epoch: Epoch) -> Result<(), OpenError> {
    if temporary.exists() {
        std::fs::remove_file(temporary)?;
    }
    // Message bodies are nobody else's to read, whatever the process's mask says.
    private_file(temporary)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(temporary, flags)?;
    {
        let backup = Backup::new(source, &mut copy)?;
        // All pages in one step: one read transaction, so that commits meanwhile don't make it begin anew.
        loop {
            match backup.step(-1)? {
                StepResult::Done => break,
                StepResult::More | StepResult::Busy | StepResult::Locked | _ => {
                    std::thread::sleep(Duration::from_millis(RETRY_MS));
                }
            }
        }
    }
    // A single file, without a WAL beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(OpenError::Damaged(verdict));
    }
    check_schema(&copy)?;
    scrub::note(&copy, false)?;
    match epoch {
        Epoch::Renewed => copy.execute_batch("UPDATE store SET epoch = lower(hex(randomblob(16)))")?,
        Epoch::Kept => {}
    }
    copy.close().map_err(|(_, error)| error)?;
    // What was redacted is not to live on in the unused bytes of a backup. What was read had the right checksums; the copy
    // gets its own.
    scrub::wipe_file(temporary)?;
    Ok(())
}

/// Gives a complete file its name, durably.
fn publish(temporary: &Path, to: &Path) -> Result<(), OpenError> {
    File::open(temporary)?.sync_all()?;
    // A link doesn't replace what another process has put there meanwhile; a rename would.
    match std::fs::hard_link(temporary, to) {
        Ok(()) => std::fs::remove_file(temporary)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(OpenError::NotEmpty),
        Err(_) => std::fs::rename(temporary, to)?,
    }
    let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Lets nobody but the owner read a database, which is made if there is none. SQLite gives the files beside it the rights
/// that it has itself; those that a crash has left get them here. No connection may be open.
pub(crate) fn make_private(database: &Path) -> io::Result<()> {
    match private_file(database) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    #[cfg(unix)]
    for path in [database.to_path_buf(), side_file(database, "-wal"), side_file(database, "-shm")] {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}
