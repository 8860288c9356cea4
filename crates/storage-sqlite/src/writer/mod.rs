//! The writer: one thread, the only connection that writes, group commit.
//!
//! It takes all units that wait, checks and writes them one after the other in one transaction, makes that durable,
//! tells the feed, and then answers each. Whatever SQLite refuses in the middle undoes the whole group; the connection
//! and all that was cached are thrown away then, and the next group starts from what is on disk. So a commit is never
//! tried twice, and a disk that was full is used again as soon as there is room.

mod account;
mod caches;
mod checkpoint;
mod flush;
mod follower;
mod group;
mod idle;
mod load;
mod planted_bugs;
mod room;
mod windows;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{AppId, ClientId, DeviceId};
use planted::{Bug, planted, planted_each};
use rusqlite::{Connection, ErrorCode};
use seldom::Seldom;
use storage::{Commit, Outcome, StoreError, Unit, Work};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use self::caches::Caches;
use self::checkpoint::Checkpoints;
use self::flush::Flusher;
use self::group::Group;
pub(crate) use self::load::show_waiting;
use self::planted_bugs::Early;
use self::room::Verdict;
use self::windows::Windows;
use crate::connection::{database_path, open_writer};
use crate::error::{Fault, OpenError};
use crate::key::RoomKey;
use crate::memtable::{Current, GroupNumber, Memtable};
use crate::options::Options;
use crate::scrub::{self, Scrub};
use crate::view::View;

/// Units in one transaction.
const GROUP_UNITS_MAX: usize = 1024;
/// Bytes of content in one transaction, about.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Answers that the writer gives itself; more of them are left to a task.
const ANSWERS_MAX: usize = 8;
/// How long nothing comes before the writer is idle.
const IDLE_MS: u64 = 1_000;

/// What the writer is asked to do.
pub(crate) enum Message {
    /// Write a unit and answer.
    Unit(Box<Job>),
    /// Look whether a device has used a client id, and answer.
    Recall(Box<Recall>),
    /// Close the database.
    Close(oneshot::Sender<()>),
}

/// A unit that waits to be written.
pub(crate) struct Job {
    pub(crate) unit: Unit,
    pub(crate) answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// A question for an earlier outcome.
pub(crate) struct Recall {
    pub(crate) app: AppId,
    pub(crate) device: DeviceId,
    pub(crate) client_id: ClientId,
    pub(crate) fingerprint: u64,
    pub(crate) answer: oneshot::Sender<Result<Option<Outcome>, StoreError>>,
}

/// Where commits are told, once somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) taken: bool,
    pub(crate) sender: Option<mpsc::Sender<Arc<Commit>>>,
}

/// What the writer works with; thrown away when a group fails.
#[derive(Debug)]
struct State {
    db: Connection,
    fresh: Arc<Memtable>,
    flusher: Flusher,
    caches: Caches,
    windows: Windows,
    /// Whether the group that is being written redacts something.
    redacts: bool,
    /// Whether it is noted in the database that a pass of [`Scrub`] is due.
    scrub_noted: bool,
}

impl State {
    fn open(folder: &Path, options: &Options, stuck: &BTreeSet<RoomKey>) -> Result<Self, OpenError> {
        let db = open_writer(folder, options)?;
        let mut flusher = Flusher::load(&db, options.memtable_bytes, stuck)?;
        let fresh = Arc::clone(flusher.memtable());
        let windows = Windows::rebuild(View { db: &db, fresh: &fresh, as_of: GroupNumber::MAX })?;
        flusher.leave_alone(windows.damaged());
        let scrub_noted = scrub::is_noted(&db)?;
        Ok(Self { db, fresh, flusher, caches: Caches::new(), windows, redacts: false, scrub_noted })
    }
}

/// The writing half of the store, to be moved to a thread of its own.
pub(crate) struct Writer {
    folder: PathBuf,
    options: Options,
    state: Option<State>,
    /// What readers take the memtable of `state` from.
    current: Arc<Current>,
    feed: Arc<Mutex<Feed>>,
    /// Largest size of the database in pages; 0 for no limit of ours.
    pages_max: Arc<AtomicU32>,
    pages_max_set: u32,
    checkpoints: Checkpoints,
    /// Something was written since the writer idled last.
    wrote: bool,
    /// Rooms that turned out to be damaged when a group failed.
    stuck: BTreeSet<RoomKey>,
    /// It idles, and there is something to flush still.
    flushing: bool,
    scrub: Scrub,
    /// The runtime that opened the store, if one did.
    runtime: Option<Handle>,
    /// Held as long as this exists.
    _lock: File,
}

impl Writer {
    /// Opens the database for writing; the lock is kept until the writer ends.
    pub(crate) fn open(
        folder: PathBuf,
        options: Options,
        lock: File,
        feed: Arc<Mutex<Feed>>,
        pages_max: Arc<AtomicU32>,
    ) -> Result<Self, OpenError> {
        // Before any connection, and kept longer than all of them.
        let mut scrub = Scrub::open(&database_path(&folder))?;
        if planted(Bug::LostOnKill) {
            planted_bugs::throw_wal_away(&folder)?;
        }
        let state = State::open(&folder, &options, &BTreeSet::new())?;
        if state.scrub_noted {
            scrub.ask();
        }
        Checkpoints::settle(&state.db)?;
        let checkpoints = Checkpoints::open(&folder)?;
        Ok(Self {
            folder,
            options,
            current: Arc::new(Current::new(Arc::clone(&state.fresh))),
            state: Some(state),
            feed,
            pages_max,
            pages_max_set: 0,
            checkpoints,
            wrote: true,
            stuck: BTreeSet::new(),
            flushing: false,
            scrub,
            runtime: Handle::try_current().ok(),
            _lock: lock,
        })
    }

    /// Where readers find what is not in the database yet.
    pub(crate) fn memtable(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// Works until it is told to close or nobody is left to tell it.
    pub(crate) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let mut closer = None;
        loop {
            let first = match &runtime {
                Ok(runtime) if self.wrote => {
                    let idle = Duration::from_millis(if self.flushing { 0 } else { IDLE_MS });
                    let next = async { tokio::time::timeout(idle, messages.recv()).await };
                    match runtime.block_on(next) {
                        Ok(message) => message,
                        Err(_) => {
                            self.flushing = self.flush_slice();
                            if !self.flushing {
                                self.look_when_idle();
                            }
                            continue;
                        }
                    }
                }
                Ok(_) | Err(_) => messages.blocking_recv(),
            };
            self.flushing = false;
            let Some(first) = first else { break };
            let (mut jobs, mut recalls) = (Vec::new(), Vec::new());
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Unit(job) => {
                        bytes += weight(&job.unit);
                        jobs.push(*job);
                    }
                    Message::Recall(recall) => recalls.push(recall),
                    Message::Close(done) => closer = Some(done),
                }
                if closer.is_some() || jobs.len() >= GROUP_UNITS_MAX || bytes >= GROUP_BYTES_MAX {
                    break;
                }
                next = messages.try_recv().ok();
            }
            if !jobs.is_empty() {
                self.write_group(jobs);
            }
            // After the group: what it has written is durable now, and may be answered with.
            for recall in recalls {
                self.recall(*recall);
            }
            if closer.is_some() {
                break;
            }
        }
        messages.close();
        self.close();
        // What came too late is dropped, and its sender learns that it is unavailable.
        drop((self, messages));
        if let Some(done) = closer {
            let _ = done.send(());
        }
    }

    fn write_group(&mut self, mut jobs: Vec<Job>) {
        let early = if planted(Bug::AckBeforeCommit) { Early::take(&mut jobs) } else { Early::default() };
        let keep = planted(Bug::LostOnKill) && jobs.iter().any(|job| matches!(job.unit.work, Work::Account(_)));
        let (units, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.unit, job.answer)).unzip();
        let count = units.len();
        match self.try_group(units, early) {
            Ok((outcomes, commits)) => {
                for commit in commits {
                    self.tell(Arc::new(commit));
                }
                self.answer(Answers(answers.into_iter().zip(outcomes).collect()));
                self.look_after_group(count);
                if keep || planted_each(Bug::LostOnKill, planted_bugs::LOST_GROUPS_MAX) {
                    self.empty_wal();
                }
            }
            Err(error) => {
                static FAILED: Seldom = Seldom::new();
                if let Some(left_out) = FAILED.due() {
                    tracing::error!(%error, left_out, "a group could not be written");
                }
                self.give_up();
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Gives answers. Each one wakes a task, and from outside of their runtime that costs a system call as often as not,
    /// which adds up to more than the rows cost; so where there is a runtime, one task wakes all others.
    fn answer(&self, answers: Answers) {
        match &self.runtime {
            Some(runtime) if answers.0.len() > ANSWERS_MAX => drop(runtime.spawn(async move { drop(answers) })),
            Some(_) | None => drop(answers),
        }
    }

    fn recall(&mut self, recall: Recall) {
        let Recall { app, device, client_id, fingerprint, answer } = recall;
        let outcome = self.open_state().and_then(|state| {
            room::recall(state, &app, &device, &client_id, fingerprint).map_err(|fault| StoreError::from(&fault))
        });
        let _ = answer.send(outcome);
    }

    /// What to work with; opened anew if the last group failed.
    fn open_state(&mut self) -> Result<&mut State, StoreError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => {
                self.pages_max_set = 0;
                let opened = State::open(&self.folder, &self.options, &self.stuck);
                let state = opened.map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
                // The group that failed may have redacted something and reached the disk all the same.
                if state.scrub_noted && !self.scrub.is_due() {
                    self.scrub.ask();
                    self.wrote = true;
                }
                self.current.set(Arc::clone(&state.fresh));
                state
            }
        };
        Ok(self.state.insert(state))
    }

    fn try_group(&mut self, units: Vec<Unit>, early: Early) -> Result<GroupResult, StoreError> {
        let unavailable = |text: String| StoreError::Unavailable(text.into());
        self.open_state()?;
        self.limit_pages().map_err(|fault| unavailable(fault.to_string()))?;
        let state = self.open_state()?;
        let result = write_units(state, units, early);
        if result.is_err() {
            // The connection is dropped in any case; this only frees the lock at once.
            let _ = state.db.execute_batch("ROLLBACK");
        }
        // Nothing is known about a group that failed on its way to the disk: whatever it was, it is not available.
        result.map_err(|fault| unavailable(fault.to_string()))
    }

    fn limit_pages(&mut self) -> Result<(), Fault> {
        let pages_max = self.pages_max.load(Ordering::Relaxed);
        if let Some(state) = &self.state
            && pages_max != self.pages_max_set
        {
            let pages = if pages_max == 0 { i64::from(u32::MAX - 1) } else { i64::from(pages_max) };
            state.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            self.pages_max_set = pages_max;
        }
        Ok(())
    }

    fn tell(&self, commit: Arc<Commit>) {
        let sender = self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender.clone();
        if let Some(sender) = sender
            && sender.blocking_send(commit).is_err()
        {
            self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender = None;
        }
    }

    fn look_after_group(&mut self, units: usize) {
        self.wrote = true;
        let Some(state) = &mut self.state else { return };
        state.caches.tidy();
        state.windows.tidy();
        if std::mem::take(&mut state.redacts) && !planted(Bug::BodyKeptOnDisk) {
            self.scrub.ask();
        }
        if self.checkpoints.look(&state.db, units) {
            self.wipe();
        }
    }

    /// Throws away what may be wrong after a failure.
    fn give_up(&mut self) {
        if let Some(state) = self.state.take() {
            self.stuck.extend(state.flusher.stuck());
        }
    }
}

/// Answers that are due. They are given when this is dropped, so that none is lost with a runtime that has ended.
struct Answers(Vec<(oneshot::Sender<Answer>, Answer)>);

impl Drop for Answers {
    fn drop(&mut self) {
        for (answer, outcome) in self.0.drain(..) {
            // Whoever does not wait any more does not want the answer.
            let _ = answer.send(outcome);
        }
    }
}

type Answer = Result<Outcome, StoreError>;
type GroupResult = (Vec<Answer>, Vec<Commit>);

fn write_units(state: &mut State, units: Vec<Unit>, early: Early) -> Result<GroupResult, Fault> {
    state.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut group = Group::default();
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        outcomes.push(write_unit(state, &mut group, unit)?);
    }
    let commits = group.finish(state)?;
    if state.redacts && !state.scrub_noted {
        scrub::note(&state.db, true)?;
        state.scrub_noted = true;
    }
    early.answer(&outcomes);
    state.db.prepare_cached("COMMIT")?.execute([])?;
    state.flusher.committed();
    Ok((outcomes, commits))
}

/// Writes one unit. The inner error concerns this unit only, the outer one the whole group.
fn write_unit(state: &mut State, group: &mut Group, unit: Unit) -> Result<Result<Outcome, StoreError>, Fault> {
    let Unit { app, at, work } = unit;
    match work {
        Work::Room(work) => match room::check(state, &app, &work) {
            Ok(Verdict::Fits(app_state)) => room::write(state, group, (&app, app_state), at, work).map(Ok),
            Ok(Verdict::Answer(outcome)) => Ok(Ok(outcome)),
            // Nothing of it was written yet, so a damaged or full room is nobody else's matter.
            Err(fault) if is_local(&fault) => Ok(Err(StoreError::from(&fault))),
            Err(fault) => Err(fault),
        },
        Work::Account(changes) => account::write(state, group, &app, at, &changes).map(Ok),
        Work::Follower(step) => follower::write(state, group, &app, &step).map(Ok),
    }
}

/// Whether a fault lies in what is stored, whoever has noticed it.
fn is_damage(fault: &Fault) -> bool {
    is_local(fault)
        || matches!(fault, Fault::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt))
}

/// Whether a fault lies in pages and rows that were read, not in the database's ability to work. After what SQLite itself
/// calls corrupt it writes nothing more in the transaction.
fn is_local(fault: &Fault) -> bool {
    match fault {
        Fault::Sqlite(error) => matches!(error.sqlite_error_code(), None | Some(ErrorCode::NotADatabase)),
        Fault::Record(_) | Fault::Damaged(_) | Fault::Full(_) => true,
    }
}

fn write_windows(state: &mut State) -> Result<(), Fault> {
    state.db.execute_batch("BEGIN IMMEDIATE")?;
    // Apps that this run has not seen have not changed.
    state.windows.flush(&state.db, &state.caches.apps, 0, true)?;
    state.db.execute_batch("COMMIT")?;
    Ok(())
}

/// About how many bytes a unit will write.
fn weight(unit: &Unit) -> usize {
    const ROW_BYTES: usize = 200;
    match &unit.work {
        Work::Room(work) => work.changes.events.iter().map(|event| ROW_BYTES + event.content_bytes()).sum(),
        Work::Account(changes) => changes.len() * ROW_BYTES,
        Work::Follower(step) => step.counts.len() * ROW_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::lock;

    #[test]
    fn a_scrub_that_a_failed_group_noted_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let lock = lock(&path).unwrap();
        let mut writer = Writer::open(path, Options::default(), lock, Arc::default(), Arc::default()).unwrap();
        assert!(!writer.scrub.is_due());
        // As if a COMMIT had failed that reached the disk.
        scrub::note(&writer.open_state().unwrap().db, true).unwrap();
        writer.state = None;
        assert!(writer.open_state().unwrap().scrub_noted);
        assert!(writer.scrub.is_due());
    }
}
