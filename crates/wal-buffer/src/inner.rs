//! Calls to a file of the system's VFS.

use std::ffi::c_int;

use rusqlite::ffi::{SQLITE_OK, sqlite3_file, sqlite3_io_methods};

/// Bytes that the system's VFS is asked to write in one call; the one for Unix can't write 128 KiB.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// An open `sqlite3_file` of the system's VFS, or memory for one. Whoever calls its methods is the only one that does.
#[derive(Clone, Copy)]
pub(crate) struct Inner {
    file: *mut sqlite3_file,
    #[cfg(feature = "faults")]
    faults: Option<&'static crate::faults::Faults>,
}

// SAFETY: the system's VFS lets any thread use a file, one at a time.
unsafe impl Send for Inner {}

impl Inner {
    pub(crate) fn of(file: *mut sqlite3_file) -> Self {
        Self {
            file,
            #[cfg(feature = "faults")]
            faults: None,
        }
    }

    pub(crate) fn file(self) -> *mut sqlite3_file {
        self.file
    }

    pub(crate) fn methods(self) -> &'static sqlite3_io_methods {
        // SAFETY: it was opened by the system's VFS, which sets the methods to a table that is never freed.
        unsafe { &*(*self.file).pMethods }
    }

    pub(crate) fn read(self, bytes: &mut [u8], at: i64) -> c_int {
        let read = self.methods().xRead.expect("every file has it");
        // SAFETY: it is an open file of the system's VFS. Pages are shorter than what fits into an integer.
        unsafe { read(self.file, bytes.as_mut_ptr().cast(), bytes.len() as c_int, at) }
    }

    pub(crate) fn write(self, bytes: &[u8], at: i64) -> c_int {
        #[cfg(feature = "faults")]
        let (bytes, then) = match self.faults {
            Some(faults) => faults.on_write(bytes),
            None => (bytes, crate::faults::Then::Return(SQLITE_OK)),
        };
        let result = self.put(bytes, at);
        #[cfg(feature = "faults")]
        if result == SQLITE_OK {
            return then.go();
        }
        result
    }

    /// The same on a disk without the faults of tests.
    pub(crate) fn put(self, bytes: &[u8], mut at: i64) -> c_int {
        let write = self.methods().xWrite.expect("every file has it");
        for bytes in bytes.chunks(WRITE_BYTES_MAX) {
            // SAFETY: it is an open file of the system's VFS.
            let result = unsafe { write(self.file, bytes.as_ptr().cast(), bytes.len() as c_int, at) };
            if result != SQLITE_OK {
                return result;
            }
            at += bytes.len() as i64;
        }
        SQLITE_OK
    }

    /// Bytes of the file, or why they can't be told.
    pub(crate) fn size(self) -> Result<i64, c_int> {
        let size = self.methods().xFileSize.expect("every file has it");
        let mut bytes = 0;
        // SAFETY: it is an open file of the system's VFS.
        match unsafe { size(self.file, &raw mut bytes) } {
            SQLITE_OK => Ok(bytes),
            code => Err(code),
        }
    }

    #[cfg(feature = "faults")]
    pub(crate) fn with_faults_of(self, path: &std::path::Path) -> Self {
        Self { faults: Some(crate::faults::of(path)), ..self }
    }

    #[cfg(feature = "faults")]
    pub(crate) fn may_sync(self) -> bool {
        self.faults.is_none_or(crate::faults::Faults::on_sync)
    }
}
