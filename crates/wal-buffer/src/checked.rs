//! The file of a database: its pages are sealed when they are written and looked at when they are read.
//!
//! A page that doesn't hold is answered with `SQLITE_NOTADB`: after `SQLITE_CORRUPT` SQLite would refuse all writes of the
//! transaction, though others than the one that has read the page can go on. Pages on their way through the WAL are not
//! concerned: its frames have checksums of their own, and what is moved from it into the database is written here.

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::Connection;
use rusqlite::ffi::{
    SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_RESERVE_BYTES, SQLITE_IOERR_READ, SQLITE_NOTADB, SQLITE_OK, sqlite3_file,
    sqlite3_file_control, sqlite3_io_methods,
};

use crate::Inner;
use crate::pages::{CHECKSUM_BYTES, HEADER_BYTES, are_checked, holds, page_bytes, seal};

/// How often a page is read that doesn't hold. Whoever wipes unused bytes writes beside SQLite, so that a page may be read
/// while half of it is new.
const READS_MAX: usize = 20;

/// The file as SQLite sees it: a `sqlite3_file` in memory that SQLite provides.
#[repr(C)]
pub(crate) struct Main {
    /// First, since SQLite looks for the methods here.
    base: sqlite3_file,
    /// Made by [`Main::new`], freed by [`close`].
    file: *mut Checked,
}

/// What stands behind it.
struct Checked {
    /// What `inner` lies in, made by `Box::into_raw`.
    memory: *mut [u64],
    inner: Inner,
    /// Size of the pages if they have checksums. It is known once the file's header was read or written, which SQLite does
    /// before anything else.
    page_bytes: Option<usize>,
    /// A page that is being written, or read in parts.
    page: Vec<u8>,
}

impl Main {
    /// A file of the system's VFS that is open and lies in `memory`, which was made by `Box::into_raw`.
    pub(crate) fn new(memory: *mut [u64], inner: Inner) -> Self {
        let file = Checked { memory, inner, page_bytes: None, page: Vec::new() };
        Self { base: sqlite3_file { pMethods: &METHODS }, file: Box::into_raw(Box::new(file)) }
    }
}

impl Checked {
    fn note_header(&mut self, bytes: &[u8], at: i64) {
        if at == 0 && bytes.len() >= HEADER_BYTES {
            self.page_bytes = page_bytes(bytes).filter(|_| are_checked(bytes));
        }
    }

    fn read(&mut self, bytes: &mut [u8], at: i64) -> c_int {
        let end = at + bytes.len() as i64;
        let Some(length) = self.page_bytes.filter(|_| end > HEADER_BYTES as i64) else {
            let result = self.inner.read(bytes, at);
            self.note_header(bytes, at);
            // The first page may be the first thing that is read.
            return match self.page_bytes {
                Some(_) if result == SQLITE_OK && end > HEADER_BYTES as i64 => self.read(bytes, at),
                Some(_) | None => result,
            };
        };
        if let Some(number) = number_of(bytes.len(), length, at) {
            let result = read_page(self.inner, bytes, number, at);
            self.note_header(bytes, at);
            return result;
        }
        // SQLite reads long texts by parts of pages.
        let mut page = std::mem::take(&mut self.page);
        page.resize(length, 0);
        let mut result = SQLITE_OK;
        let mut start = at - at % length as i64;
        while result == SQLITE_OK && start < end {
            match number_of(length, length, start) {
                Some(number) => result = read_page(self.inner, &mut page, number, start),
                None => result = SQLITE_IOERR_READ,
            }
            let (from, to) = (at.max(start), end.min(start + length as i64));
            let source = (from - start) as usize..(to - start) as usize;
            bytes[(from - at) as usize..(to - at) as usize].copy_from_slice(&page[source]);
            start += length as i64;
        }
        self.page = page;
        result
    }

    fn write(&mut self, bytes: &[u8], at: i64) -> c_int {
        self.note_header(bytes, at);
        let number = self.page_bytes.and_then(|length| number_of(bytes.len(), length, at));
        let Some(number) = number else { return self.inner.write(bytes, at) };
        // Not in place: the bytes are SQLite's.
        self.page.clear();
        self.page.extend_from_slice(bytes);
        seal(&mut self.page, number);
        self.inner.write(&self.page, at)
    }
}

/// The number of a page, if so many bytes at this place are one.
fn number_of(bytes: usize, page_bytes: usize, at: i64) -> Option<u32> {
    let at = u64::try_from(at).ok().filter(|at| bytes == page_bytes && at % page_bytes as u64 == 0)?;
    u32::try_from(at / page_bytes as u64 + 1).ok()
}

fn read_page(inner: Inner, page: &mut [u8], number: u32, at: i64) -> c_int {
    for _ in 0..READS_MAX {
        let result = inner.read(page, at);
        if result != SQLITE_OK || holds(page, number) {
            return result;
        }
        std::thread::yield_now();
    }
    SQLITE_NOTADB
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Without memory maps, which would let pages pass unseen.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
///
/// `file` has the methods of this module and is not closed; nobody else uses it during the call, which SQLite guarantees.
unsafe fn checked<'a>(file: *mut sqlite3_file) -> &'a mut Checked {
    // SAFETY: see above.
    unsafe { &mut *(*file.cast::<Main>()).file }
}

/// A method that is the inner file's.
macro_rules! forward {
    ($name:ident = $method:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
        /// # Safety
        ///
        /// SQLite calls this with a file that it opened, as it calls the method of any file.
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) $(-> $result)? {
            // SAFETY: only files of this module have these methods.
            let inner = unsafe { checked(file) }.inner;
            let method = inner.methods().$method.expect("every file of a database has it");
            // SAFETY: `inner` is an open file of the system's VFS; the arguments are SQLite's.
            unsafe { method(inner.file() $(, $argument)*) }
        }
    };
}

forward!(truncate = xTruncate(size: i64) -> c_int);
forward!(sync = xSync(flags: c_int) -> c_int);
forward!(file_size = xFileSize(size: *mut i64) -> c_int);
forward!(lock = xLock(level: c_int) -> c_int);
forward!(unlock = xUnlock(level: c_int) -> c_int);
forward!(check_reserved_lock = xCheckReservedLock(result: *mut c_int) -> c_int);
forward!(file_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int);
forward!(sector_size = xSectorSize() -> c_int);
forward!(device_characteristics = xDeviceCharacteristics() -> c_int);
forward!(shm_map = xShmMap(region: c_int, bytes: c_int, extend: c_int, out: *mut *mut c_void) -> c_int);
forward!(shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int);
forward!(shm_barrier = xShmBarrier());
forward!(shm_unmap = xShmUnmap(delete: c_int) -> c_int);

/// # Safety
///
/// As SQLite calls it: `bytes` points to `length` bytes that may be written.
unsafe extern "C" fn read(file: *mut sqlite3_file, bytes: *mut c_void, length: c_int, at: i64) -> c_int {
    let length = usize::try_from(length).expect("a length is positive");
    // SAFETY: see above. SQLite may not have written them yet, so they are before they are borrowed.
    let bytes = unsafe {
        ptr::write_bytes(bytes.cast::<u8>(), 0, length);
        std::slice::from_raw_parts_mut(bytes.cast::<u8>(), length)
    };
    // SAFETY: only files of this module have these methods.
    unsafe { checked(file) }.read(bytes, at)
}

/// # Safety
///
/// As SQLite calls it: `bytes` points to `length` bytes.
unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, length: c_int, at: i64) -> c_int {
    let length = usize::try_from(length).expect("a length is positive");
    // SAFETY: see above.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    // SAFETY: only files of this module have these methods.
    unsafe { checked(file) }.write(bytes, at)
}

/// # Safety
///
/// As SQLite calls it: once, and the file is not used any more.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `Main::new` made it by `Box::into_raw`, and nobody uses it after this.
    let main = unsafe { Box::from_raw((*file.cast::<Main>()).file) };
    let close = main.inner.methods().xClose.expect("every file has it");
    // SAFETY: `inner` is an open file of the system's VFS.
    let closed = unsafe { close(main.inner.file()) };
    // SAFETY: it was made by `Box::into_raw`; the file in it is closed.
    drop(unsafe { Box::from_raw(main.memory) });
    closed
}

/// Gives the pages of a database room for checksums. Only before anything is in it; who then sets
/// [`APPLICATION_ID`](crate::pages::APPLICATION_ID) makes the file with them.
pub fn reserve(db: &Connection) {
    let mut bytes = CHECKSUM_BYTES as c_int;
    // SAFETY: the handle is that of an open connection, which is used by this thread; the operation takes an integer.
    unsafe {
        sqlite3_file_control(db.handle(), c"main".as_ptr(), SQLITE_FCNTL_RESERVE_BYTES, (&raw mut bytes).cast());
    }
}

/// What the file of a database begins with, beside SQLite's page cache and the WAL; `None` if it has no header yet. The
/// connection may use any VFS.
pub fn header(db: &Connection) -> Result<Option<[u8; HEADER_BYTES]>, rusqlite::Error> {
    read_header(file_of(db)?)
}

/// The numbers of pages in the file of a database that don't hold, at most `limit`, beside SQLite's page cache and the WAL.
/// The connection may use any VFS. Of a file without checksums, none.
pub fn broken_pages(db: &Connection, limit: usize) -> Result<Vec<u32>, rusqlite::Error> {
    let file = file_of(db)?;
    let Some(header) = read_header(file)? else { return Ok(Vec::new()) };
    let Some(length) = page_bytes(&header).filter(|_| are_checked(&header)) else { return Ok(Vec::new()) };
    let size = u64::try_from(file.size().map_err(failed)?).unwrap_or(0);
    let (mut page, mut broken) = (vec![0; length], Vec::new());
    for index in 0..size / length as u64 {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let at = (index * length as u64).cast_signed();
        let sound = (0..READS_MAX).any(|_| {
            // The connection's own VFS may look at the page too.
            let sound = file.read(&mut page, at) == SQLITE_OK && holds(&page, number);
            if !sound {
                std::thread::yield_now();
            }
            sound
        });
        if !sound {
            broken.push(number);
            if broken.len() >= limit {
                break;
            }
        }
    }
    Ok(broken)
}

fn failed(code: c_int) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

/// The file of a connection's database. It may be used as long as the connection is open.
fn file_of(db: &Connection) -> Result<Inner, rusqlite::Error> {
    let mut pointer: *mut sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is that of an open connection, which is used by this thread; the operation writes a pointer.
    let result = unsafe {
        let out = (&raw mut pointer).cast();
        sqlite3_file_control(db.handle(), c"main".as_ptr(), SQLITE_FCNTL_FILE_POINTER, out)
    };
    // SAFETY: if there is one, it is the connection's file, which is open as long as the connection is.
    if result != SQLITE_OK || pointer.is_null() || unsafe { (*pointer).pMethods }.is_null() {
        return Err(failed(if result == SQLITE_OK { SQLITE_IOERR_READ } else { result }));
    }
    Ok(Inner::of(pointer))
}

fn read_header(file: Inner) -> Result<Option<[u8; HEADER_BYTES]>, rusqlite::Error> {
    let mut header = [0; HEADER_BYTES];
    if file.size().map_err(failed)? < HEADER_BYTES as i64 {
        return Ok(None);
    }
    match file.read(&mut header, 0) {
        SQLITE_OK => Ok(Some(header)),
        code => Err(failed(code)),
    }
}
