//! A SQLite VFS that writes the WAL in large pieces, and gives each page of the database a checksum (see [`pages`]).
//!
//! SQLite writes each page of a transaction to the WAL by two calls of the operating system, one for the frame's header of
//! 24 bytes and one for the page. A group of some hundred messages makes more than a thousand such calls. This VFS is the
//! system's own one in everything but this: writes to a WAL that follow one another are gathered, and written at once
//! before the file is synced, read, cut, measured or closed. What is more than [`BUFFER_BYTES`] is written by a thread,
//! while SQLite makes the next frames.
//!
//! And it is synced by `fdatasync`, where SQLite as it is usually compiled calls `fsync`, which waits for the file's times to
//! be written too.
//!
//! A file that has become longer takes twice as long to sync, since its new length must be made durable too. So a WAL that
//! small commits make longer is made longer ahead of them, by zeros. SQLite takes them for what it finds behind the last
//! frame anyway when a WAL has begun anew: they are no frames, for those have the salt of the WAL's header.
//!
//! Nothing that a commit promises changes. A connection with `synchronous = FULL`, and only such a one may use this VFS,
//! syncs the WAL before it lets other connections see new frames, and syncing comes after everything is written. A write that fails
//! is reported by the call that made it necessary, so that the transaction fails.
//!
//! This is the one crate with `unsafe` code: a VFS is a table of C functions. See
//! <https://www.sqlite.org/vfs.html> and <https://www.sqlite.org/c3ref/io_methods.html>.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{ptr, thread};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_OK, SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_WAL,
    sqlite3_file, sqlite3_filename, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

mod checked;
#[cfg(feature = "faults")]
pub mod faults;
mod inner;
pub mod pages;

pub use checked::{broken_pages, header, reserve};

use checked::Main;
use inner::Inner;

/// Checks pages and gathers writes to the WAL.
const NAME: &CStr = c"starling-wal-buffer";
/// Checks pages only.
const NAME_UNBUFFERED: &CStr = c"starling-pages";

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes of zeros that a WAL is made longer by when it has come to its end.
const GROWTH_BYTES: usize = 256 * 1024;
/// What is synced together with at most so much lets the WAL grow by [`GROWTH_BYTES`]. More of it makes up for its growth.
const SMALL_BYTES: usize = 32 * 1024;
/// Pieces of [`BUFFER_BYTES`] that may be under way, to bound memory.
const PIECES_MAX: usize = 4;

/// Makes the VFS known to SQLite, and gives the name to open a connection with that writes with `synchronous = FULL`. It may
/// be called any number of times.
///
/// # Panics
///
/// If SQLite has no VFS of its own or no memory.
pub fn register() -> &'static CStr {
    System::get();
    NAME
}

/// The same for any other connection: the WAL is left to the system's VFS, the pages of the database are checked.
///
/// # Panics
///
/// As [`register`].
pub fn register_unbuffered() -> &'static CStr {
    System::get();
    NAME_UNBUFFERED
}

/// The VFS of the system, which does the work.
struct System(*mut sqlite3_vfs);

// SAFETY: SQLite's own VFS lives as long as the process, is never changed, and its functions may be called by any thread.
unsafe impl Send for System {}
// SAFETY: as above.
unsafe impl Sync for System {}

impl System {
    /// The system's VFS. With the first call ours is made from it and registered.
    fn get() -> &'static Self {
        static SYSTEM: OnceLock<System> = OnceLock::new();
        SYSTEM.get_or_init(|| {
            // SAFETY: a null name asks for the default VFS; the function may be called at any time.
            let system = unsafe { sqlite3_vfs_find(ptr::null()) };
            assert!(!system.is_null(), "SQLite has a VFS");
            for (name, open) in [(NAME, open as OpenFile), (NAME_UNBUFFERED, open_unbuffered)] {
                // SAFETY: it points to a registered VFS, which is plain data. Its functions look at the fields only that
                // we leave as they are.
                let mut own = unsafe { ptr::read(system) };
                own.zName = name.as_ptr();
                own.pNext = ptr::null_mut();
                own.xOpen = Some(open);
                own.szOsFile = own.szOsFile.max(size_of::<Wal>().max(size_of::<Main>()) as c_int);
                // SAFETY: a registered VFS must live as long as the process; it is never freed.
                let result = unsafe { sqlite3_vfs_register(Box::into_raw(Box::new(own)), 0) };
                assert_eq!(result, SQLITE_OK, "SQLite takes a VFS");
            }
            Self(system)
        })
    }
}

/// A WAL as SQLite sees it: a `sqlite3_file` in memory that SQLite provides, of at least our `szOsFile` bytes.
#[repr(C)]
struct Wal {
    /// First, since SQLite looks for the methods here.
    base: sqlite3_file,
    /// Made by [`open`], freed by [`close`].
    file: *mut Buffered,
}

/// The file behind a WAL, and what waits to be written to it.
struct Buffered {
    /// What `inner` lies in, made by `Box::into_raw`.
    memory: *mut [u64],
    inner: Inner,
    /// Bytes that follow one another.
    waiting: Vec<u8>,
    /// Where in the file the first of them belongs.
    at: i64,
    /// Bytes that came since the last sync.
    unsynced: usize,
    /// Where that ends which lies farthest back of all that came. No frame that counts lies behind it.
    end: i64,
    /// How long the file was with the last sync: up to here, writing makes it no longer.
    length: i64,
    /// The same file once more, to sync it by.
    disk: File,
    /// Whether the system's VFS has synced it, which makes its name in the folder durable too.
    synced: bool,
    /// Writes what is handed over; started when there is so much for the first time.
    helper: Option<Helper>,
}

impl Buffered {
    fn new(memory: *mut [u64], inner: Inner, disk: File) -> Self {
        let length = disk.metadata().map_or(0, |data| data.len().cast_signed());
        let waiting = Vec::new();
        Self { memory, inner, waiting, at: 0, unsynced: 0, end: 0, length, disk, synced: false, helper: None }
    }

    fn write(&mut self, bytes: &[u8], at: i64) -> c_int {
        if at != self.at + self.waiting.len() as i64 {
            let result = self.flush();
            if result != SQLITE_OK {
                return result;
            }
            self.at = at;
        }
        self.unsynced += bytes.len();
        self.end = self.end.max(at + bytes.len() as i64);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < BUFFER_BYTES { SQLITE_OK } else { self.hand_over() }
    }

    /// Lets the helper write what waits.
    fn hand_over(&mut self) -> c_int {
        if self.helper.is_none() {
            self.helper = Helper::start(self.inner);
        }
        let Some(helper) = &mut self.helper else { return self.flush() };
        let next = helper.spare.pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 2));
        let bytes = std::mem::replace(&mut self.waiting, next);
        let at = self.at;
        self.at += bytes.len() as i64;
        helper.write(bytes, at)
    }

    /// Writes everything and waits until it is on the disk.
    fn sync(&mut self, flags: c_int) -> c_int {
        let result = self.flush();
        if result != SQLITE_OK {
            return result;
        }
        self.grow();
        #[cfg(feature = "faults")]
        if !self.inner.may_sync() {
            return SQLITE_IOERR_FSYNC;
        }
        if self.synced {
            return if self.disk.sync_data().is_ok() { SQLITE_OK } else { SQLITE_IOERR_FSYNC };
        }
        let sync = self.inner.methods().xSync.expect("every file has it");
        // SAFETY: it is an open file of the system's VFS, which nobody else uses after `flush`.
        let result = unsafe { sync(self.inner.file(), flags) };
        self.synced = result == SQLITE_OK;
        result
    }

    /// If the file has become longer, and little was written to it, makes it longer still.
    fn grow(&mut self) {
        let small = std::mem::take(&mut self.unsynced) <= SMALL_BYTES;
        if self.end <= self.length {
            return;
        }
        // Zeros go only where the file really ends: another connection may have made it longer.
        self.length = self.disk.metadata().map_or(i64::MAX, |data| data.len().cast_signed());
        // On a disk that is full a commit will say so. Until then they take longer.
        if small && self.length == self.end && self.inner.put(&[0; GROWTH_BYTES], self.end) == SQLITE_OK {
            self.length += GROWTH_BYTES as i64;
        }
    }

    /// Before the file is cut.
    fn forget_length(&mut self) -> c_int {
        (self.end, self.length) = (0, 0);
        self.flush()
    }

    /// Writes everything. Afterwards nobody but the caller uses the inner file.
    fn flush(&mut self) -> c_int {
        let mut result = self.helper.as_mut().map_or(SQLITE_OK, Helper::wait);
        if result == SQLITE_OK {
            result = self.inner.write(&self.waiting, self.at);
        }
        self.at += self.waiting.len() as i64;
        self.waiting.clear();
        result
    }
}

/// A thread that writes to the file while SQLite makes the next frames.
struct Helper {
    work: SyncSender<(Vec<u8>, i64)>,
    done: Receiver<(Vec<u8>, c_int)>,
    /// Pieces that were handed over and are not known to be written.
    under_way: usize,
    /// Of those that are.
    result: c_int,
    spare: Vec<Vec<u8>>,
}

impl Helper {
    /// The thread ends when this is dropped. It uses the file only while something is under way.
    fn start(inner: Inner) -> Option<Self> {
        let (work, pieces) = sync_channel::<(Vec<u8>, i64)>(PIECES_MAX);
        let (finish, done) = sync_channel(PIECES_MAX);
        let run = move || {
            // The whole of it, not its pointer alone, which could not be sent.
            let inner = inner;
            for (mut bytes, at) in pieces {
                let result = inner.write(&bytes, at);
                bytes.clear();
                if finish.send((bytes, result)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("wal-writer".into()).spawn(run).ok()?;
        Some(Self { work, done, under_way: 0, result: SQLITE_OK, spare: Vec::new() })
    }

    fn write(&mut self, bytes: Vec<u8>, at: i64) -> c_int {
        while self.under_way == PIECES_MAX {
            self.wait_for_one();
        }
        if self.work.send((bytes, at)).is_err() {
            return SQLITE_IOERR_WRITE;
        }
        self.under_way += 1;
        self.result
    }

    /// Waits until nothing is under way.
    fn wait(&mut self) -> c_int {
        while self.under_way > 0 {
            self.wait_for_one();
        }
        std::mem::replace(&mut self.result, SQLITE_OK)
    }

    fn wait_for_one(&mut self) {
        self.under_way -= 1;
        let result = match self.done.recv() {
            Ok((bytes, result)) => {
                self.spare.push(bytes);
                result
            }
            Err(_) => SQLITE_IOERR_WRITE,
        };
        if self.result == SQLITE_OK {
            self.result = result;
        }
    }
}

/// As `xOpen` of a VFS is called.
type OpenFile = unsafe extern "C" fn(*mut sqlite3_vfs, sqlite3_filename, *mut sqlite3_file, c_int, *mut c_int) -> c_int;

/// # Safety
///
/// SQLite calls this as it calls `xOpen` of any VFS: `file` points to `szOsFile` bytes.
unsafe extern "C" fn open(
    _own: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe { open_file(name, file, flags, out_flags, flags & SQLITE_OPEN_WAL != 0) }
}

/// # Safety
///
/// As [`open`].
unsafe extern "C" fn open_unbuffered(
    _own: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe { open_file(name, file, flags, out_flags, false) }
}

/// # Safety
///
/// As [`open`].
unsafe fn open_file(
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
    buffer: bool,
) -> c_int {
    let System(system) = *System::get();
    // SAFETY: it points to the system's VFS, which is never freed.
    let (open, bytes) = unsafe { ((*system).xOpen.expect("every VFS has it"), (*system).szOsFile) };
    if !buffer && flags & SQLITE_OPEN_MAIN_DB == 0 {
        // SAFETY: the arguments are SQLite's; `file` is large enough, since our size is not less than the system's.
        return unsafe { open(system, name, file, flags, out_flags) };
    }
    let words = usize::try_from(bytes).expect("a size is positive").div_ceil(size_of::<u64>());
    // The system's file, in memory of the size and alignment that it asks for.
    let memory: *mut [u64] = Box::into_raw(vec![0_u64; words].into());
    let inner = Inner::of(memory.cast());
    // SAFETY: as above, with memory of our own in place of `file`.
    let mut result = unsafe { open(system, name, inner.file(), flags, out_flags) };
    if result == SQLITE_OK && !buffer {
        // SAFETY: `file` has room for it, since our size is not less than that of `Main`.
        unsafe { ptr::write(file.cast(), Main::new(memory, inner)) };
        return SQLITE_OK;
    }
    let mut opened = Wal { base: sqlite3_file { pMethods: ptr::null() }, file: ptr::null_mut() };
    if result == SQLITE_OK {
        // SAFETY: a WAL has a name, which SQLite ends with a zero byte.
        let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()));
        if let Ok(disk) = File::open(path) {
            #[cfg(feature = "faults")]
            let inner = inner.with_faults_of(path);
            let wal = Buffered::new(memory, inner, disk);
            opened = Wal { base: sqlite3_file { pMethods: &METHODS }, file: Box::into_raw(Box::new(wal)) };
        } else {
            let close = inner.methods().xClose.expect("every file has it");
            // SAFETY: it was opened above, and nobody knows of it.
            unsafe { close(inner.file()) };
            result = SQLITE_CANTOPEN;
        }
    }
    if result != SQLITE_OK {
        // SAFETY: it was made by `Box::into_raw` above; the file in it is not open. Without methods SQLite doesn't close it.
        drop(unsafe { Box::from_raw(memory) });
    }
    // SAFETY: `file` has room for it, since our size is not less than that of `Wal`.
    unsafe { ptr::write(file.cast(), opened) };
    result
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
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
    // A WAL is not mapped; its index belongs to the file of the database.
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
///
/// `file` was opened by [`open`] as a WAL and is not closed; nobody else uses it during the call, which SQLite guarantees.
unsafe fn buffered<'a>(file: *mut sqlite3_file) -> &'a mut Buffered {
    // SAFETY: see above.
    unsafe { &mut *(*file.cast::<Wal>()).file }
}

fn nothing(_: &mut Buffered) -> c_int {
    SQLITE_OK
}

/// A method that is the inner file's, once `$before` is done.
macro_rules! forward {
    ($name:ident = $method:ident after $before:expr $(, $argument:ident: $type:ty)*) => {
        /// # Safety
        ///
        /// SQLite calls this with a file that it opened, as it calls the method of any file.
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: it is a WAL that `open` opened, since only those have these methods.
            let wal = unsafe { buffered(file) };
            let result = $before(wal);
            if result != SQLITE_OK {
                return result;
            }
            let method = wal.inner.methods().$method.expect("every file has it");
            // SAFETY: `inner` is an open file of the system's VFS; the arguments are SQLite's.
            unsafe { method(wal.inner.file() $(, $argument)*) }
        }
    };
}

forward!(read = xRead after Buffered::flush, bytes: *mut c_void, length: c_int, at: i64);
forward!(truncate = xTruncate after Buffered::forget_length, size: i64);
forward!(file_size = xFileSize after Buffered::flush, size: *mut i64);
forward!(lock = xLock after nothing, level: c_int);
forward!(unlock = xUnlock after nothing, level: c_int);
forward!(check_reserved_lock = xCheckReservedLock after nothing, result: *mut c_int);
forward!(file_control = xFileControl after Buffered::flush, operation: c_int, argument: *mut c_void);
forward!(sector_size = xSectorSize after nothing);
forward!(device_characteristics = xDeviceCharacteristics after nothing);

/// # Safety
///
/// As SQLite calls it.
unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: it is a WAL that `open` opened, since only those have these methods.
    unsafe { buffered(file) }.sync(flags)
}

/// # Safety
///
/// As SQLite calls it: `bytes` points to `length` bytes.
unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, length: c_int, at: i64) -> c_int {
    let length = usize::try_from(length).expect("a length is positive");
    // SAFETY: see above.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    // SAFETY: it is a WAL that `open` opened, since only those have these methods.
    unsafe { buffered(file) }.write(bytes, at)
}

/// # Safety
///
/// As SQLite calls it: once, and the file is not used any more.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `open` made it by `Box::into_raw`, and nobody uses it after this.
    let mut wal = unsafe { Box::from_raw((*file.cast::<Wal>()).file) };
    let flushed = wal.flush();
    let close = wal.inner.methods().xClose.expect("every file has it");
    // SAFETY: `inner` is an open file of the system's VFS.
    let closed = unsafe { close(wal.inner.file()) };
    // SAFETY: it was made by `Box::into_raw`; the file is closed, and the helper has nothing to do with it any more.
    drop(unsafe { Box::from_raw(wal.memory) });
    if flushed == SQLITE_OK { closed } else { flushed }
}

#[cfg(test)]
mod tests;
