//! For tests: a disk that fails when it writes or syncs a WAL.
//!
//! Faults belong to the path of a WAL and stay until they are taken back, over any number of connections.

use std::collections::HashMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_OK};

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// Nothing is written.
    Write,
    /// The first half is written, the rest is not.
    HalfWrite,
    /// The disk is full.
    Full,
    /// Everything is written, but syncing fails.
    Sync,
    /// The process ends in the middle of the write after so many.
    Die {
        /// Writes that work still.
        after_writes: u32,
    },
}

/// What comes after a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// This is answered.
    Return(c_int),
    /// The process ends.
    Die,
}

impl Then {
    pub(crate) fn go(self) -> c_int {
        match self {
            Then::Return(code) => code,
            Then::Die => std::process::abort(),
        }
    }
}

/// What happens to one WAL.
pub(crate) struct Faults(Mutex<(Fault, u64)>);

static ALL: Mutex<Option<HashMap<PathBuf, &'static Faults>>> = Mutex::new(None);

/// What happens from now on to the WAL of this path.
pub fn set(wal: &Path, fault: Fault) {
    of(wal).0.lock().unwrap_or_else(PoisonError::into_inner).0 = fault;
}

/// How often the disk has failed this WAL.
pub fn count(wal: &Path) -> u64 {
    of(wal).0.lock().unwrap_or_else(PoisonError::into_inner).1
}

/// They live as long as the process: tests have few WALs.
pub(crate) fn of(wal: &Path) -> &'static Faults {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || &*Box::leak(Box::new(Faults(Mutex::new((Fault::None, 0)))));
    all.get_or_insert_default().entry(wal.to_path_buf()).or_insert_with(new)
}

impl Faults {
    /// What of these bytes is written, and what comes then.
    pub(crate) fn on_write<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], Then) {
        if bytes.is_empty() {
            return (bytes, Then::Return(SQLITE_OK));
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let half = &bytes[..bytes.len() / 2];
        let (fault, failures) = &mut *state;
        let (written, result) = match fault {
            Fault::None | Fault::Sync => return (bytes, Then::Return(SQLITE_OK)),
            Fault::Die { after_writes: 0 } => return (half, Then::Die),
            Fault::Die { after_writes } => {
                *after_writes -= 1;
                return (bytes, Then::Return(SQLITE_OK));
            }
            Fault::Write => (&bytes[..0], SQLITE_IOERR_WRITE),
            Fault::HalfWrite => (half, SQLITE_IOERR_WRITE),
            Fault::Full => (half, SQLITE_FULL),
        };
        *failures += 1;
        (written, Then::Return(result))
    }

    /// Whether syncing works.
    pub(crate) fn on_sync(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = state.0 == Fault::Sync;
        state.1 += u64::from(fails);
        !fails
    }
}
