//! Moving the WAL into the database, so that it can begin anew: most of it by a thread of its own while the writer goes on,
//! the last pages by the writer, which is the only one that can come to an end with it.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use seldom::Seldom;

use crate::connection::open_checkpointer;
use crate::error::OpenError;

/// Length of the WAL at which a checkpoint begins, in pages.
const PAGES_DUE: i64 = 128_000;
/// Pages by which the WAL may grow before a checkpoint is tried again that readers hindered.
const PAGES_RETRY: i64 = 16_000;
/// Length of the WAL at which the writer waits: for the thread, and for readers.
const PAGES_FORCED: i64 = 4 * PAGES_DUE;
/// Pages that the writer moves itself.
const PAGES_REST: i64 = 8_000;
/// Length of the WAL that is worth a checkpoint when there is nothing else to do, in pages.
const PAGES_IDLE: i64 = 2_000;
/// How often the thread passes over what has come meanwhile, before the writer moves what is left however much it is.
const PASSES_MAX: u32 = 4;
/// Units between two looks at the length of the WAL.
const LOOK_UNITS: usize = 512;

/// What is known of the WAL: its length and how much of it is in the database, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    length: i64,
    moved: i64,
}

/// When to checkpoint, and the thread that helps.
#[derive(Debug)]
pub(super) struct Checkpoints {
    helper: Helper,
    /// Passes that the thread was asked for in this checkpoint; 0 if none has begun.
    passes: u32,
    /// Length of the WAL at which the next one begins.
    due_at: i64,
    units_since_look: usize,
}

impl Checkpoints {
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let helper = Helper::open(folder)?;
        Ok(Self { helper, passes: 0, due_at: PAGES_DUE, units_since_look: 0 })
    }

    /// At the start: puts what a crash left in the WAL into the database, and waits until it is on the disk.
    ///
    /// A sync that failed before the crash may have left frames that are in the memory of the operating system only, and it
    /// calls them written from then on. They may be read, but nothing must be acknowledged on top of them.
    pub(super) fn settle(db: &Connection) -> Result<(), OpenError> {
        let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            tracing::warn!("the WAL could not be emptied at the start, because it is being read");
        }
        Ok(())
    }

    /// After so many more units: does what is due. True if everything is in the database now.
    pub(super) fn look(&mut self, db: &Connection, units: usize) -> bool {
        self.units_since_look += units;
        if self.units_since_look < LOOK_UNITS {
            return false;
        }
        self.units_since_look = 0;
        let running = self.helper.is_running();
        let Some(Progress { length, moved }) = run(db, "NOOP") else { return false };
        let forced = length > PAGES_FORCED;
        if running && !forced {
            return false;
        }
        self.helper.wait();
        if self.passes == 0 && length < self.due_at {
            return false;
        }
        if length - moved > PAGES_REST && self.passes < PASSES_MAX && !forced {
            self.passes += 1;
            self.helper.start();
            return false;
        }
        self.passes = 0;
        let done = run(db, if forced { "RESTART" } else { "PASSIVE" }).is_some_and(|now| now.length == now.moved);
        // A finished checkpoint lets the next commit begin the WAL anew, if no reader still reads it.
        self.due_at = if done { PAGES_DUE } else { length + PAGES_RETRY };
        done
    }

    /// When there is nothing to write. `empty` makes the WAL an empty file. True if it is that now.
    pub(super) fn look_when_idle(&mut self, db: &Connection, empty: bool) -> bool {
        self.helper.wait();
        self.passes = 0;
        if empty {
            return run(db, "TRUNCATE") == Some(Progress { length: 0, moved: 0 });
        }
        if run(db, "NOOP").is_some_and(|now| now.length - now.moved > PAGES_IDLE) {
            run(db, "PASSIVE");
        }
        false
    }
}

fn run(db: &Connection, mode: &str) -> Option<Progress> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let result = db.query_row(&sql, [], |row| Ok(Progress { length: row.get(1)?, moved: row.get(2)? }));
    let failed = |error: &rusqlite::Error| {
        static FAILED: Seldom = Seldom::new();
        if let Some(left_out) = FAILED.due() {
            tracing::warn!(%error, mode, left_out, "checkpoint failed");
        }
    };
    result.inspect_err(failed).ok()
}

/// The thread, with its connection. It does one pass whenever it is asked, and ends when this is dropped.
#[derive(Debug)]
struct Helper {
    asked: Option<SyncSender<()>>,
    finished: Receiver<()>,
    running: bool,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    fn open(folder: &Path) -> Result<Self, OpenError> {
        let db = open_checkpointer(folder)?;
        let (asked, asks) = sync_channel(1);
        let (finish, finished) = sync_channel(1);
        let work = move || {
            while asks.recv().is_ok() {
                run(&db, "PASSIVE");
                if finish.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("store-checkpoint".into()).spawn(work)?;
        Ok(Self { asked: Some(asked), finished, running: false, thread: Some(thread) })
    }

    fn start(&mut self) {
        self.running = self.asked.as_ref().is_some_and(|asked| asked.send(()).is_ok());
    }

    fn is_running(&mut self) -> bool {
        if self.running && self.finished.try_recv().is_ok() {
            self.running = false;
        }
        self.running
    }

    fn wait(&mut self) {
        if std::mem::take(&mut self.running) {
            // An error says that the thread has ended, so it does not run either.
            let _ = self.finished.recv();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.wait();
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
