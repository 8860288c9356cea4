//! The devices' windows in the writer: kept in memory, written at intervals, rebuilt from the journal's tail on start.
//!
//! A window whose device was busy is written once for [`FLUSH_WORK`] events and commits, and then only what is new of
//! it. `app.windows_commit` says up to which commit the rows are complete; what came later is read from the events of
//! the journal's tail, which this interval keeps short.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use domain::{AppId, ClientId, CommitNumber, Seq};
use planted::{Bug, planted};
use rusqlite::{Connection, params};

use super::caches::AppState;
use super::is_damage;
use crate::cache::Generations;
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey, journal_key, split_event};
use crate::memtable::FreshEvent;
use crate::packed::{RoomRange, pack_answers, unpack_answers, unpack_answers_of_devices, unpack_ranges};
use crate::rows;
use crate::view::View;
use crate::window::{Answer, DeviceWindow};

/// Events and commits after which a window is written that has grown.
const FLUSH_WORK: u64 = 20_000;
/// Events and commits after which it is noted how far windows are written.
const NOTE_WORK: u64 = 4_096;
/// Windows that are kept in memory (up to about 20 KB each, if full).
const WINDOWS_MAX: usize = 2_048;
/// Rows of one window; then they are written anew as one.
const CHUNKS_MAX: usize = 16;

/// A window that has grown since it was written.
#[derive(Debug)]
struct Waiting {
    device: DeviceKey,
    app: AppKey,
    /// The commit that made it grow first.
    since: CommitNumber,
    /// When that was, in work done.
    at_work: u64,
}

#[derive(Debug)]
pub(super) struct Windows {
    windows: Generations<DeviceKey, DeviceWindow>,
    /// Oldest first.
    waiting: VecDeque<Waiting>,
    /// Those whose rows hold what must be forgotten.
    rewrite: Vec<DeviceKey>,
    work: u64,
    noted_at_work: u64,
    damaged: BTreeSet<RoomKey>,
}

impl Windows {
    /// The windows as they were when the last commit was written.
    pub(super) fn rebuild(view: View<'_>) -> Result<Self, Fault> {
        let mut windows = Self {
            windows: Generations::new(WINDOWS_MAX),
            waiting: VecDeque::new(),
            rewrite: Vec::new(),
            work: 0,
            noted_at_work: 0,
            damaged: BTreeSet::new(),
        };
        if planted(Bug::DedupForgottenOnRestart) {
            return Ok(windows);
        }
        let mut apps = view.db.prepare("SELECT key, head, windows_commit FROM app")?;
        let mut apps = apps.query([])?;
        while let Some(app) = apps.next()? {
            windows.read_tail(view, app.get(0)?, CommitNumber(app.get(2)?), CommitNumber(app.get(1)?))?;
        }
        Ok(windows)
    }

    fn read_tail(&mut self, view: View<'_>, app: AppKey, after: CommitNumber, head: CommitNumber) -> Result<(), Fault> {
        let db = view.db;
        let mut journal =
            db.prepare_cached("SELECT rooms, answers FROM journal WHERE key > ? AND key <= ? ORDER BY key")?;
        let mut commits = journal.query([journal_key(app, after), journal_key(app, head)])?;
        while let Some(commit) = commits.next()? {
            self.work += 1;
            for range in unpack_ranges(commit.get_ref(0)?.as_blob().map_err(rows::sqlite)?)? {
                match answers_of(view, range) {
                    Ok(answers) => {
                        self.work += range.range.last.0 - range.range.first.0 + 1;
                        for (device, answer) in answers {
                            self.remember_later(db, app, device, answer)?;
                        }
                    }
                    Err(fault) if is_damage(&fault) => drop(self.damaged.insert(range.room)),
                    Err(fault) => return Err(fault),
                }
            }
            for (device, answer) in unpack_answers_of_devices(commit.get_ref(1)?.as_blob().map_err(rows::sqlite)?)? {
                self.remember_later(db, app, device, answer)?;
            }
        }
        Ok(())
    }

    /// Rooms of which it is not known any more which client ids were used in them.
    pub(super) fn damaged(&self) -> &BTreeSet<RoomKey> {
        &self.damaged
    }

    /// Remembers what came after the window's rows were written; they hold everything up to that commit. What a device
    /// sent that has ended since stays forgotten.
    fn remember_later(&mut self, db: &Connection, app: AppKey, device: DeviceKey, answer: Answer) -> Result<(), Fault> {
        if lives(db, device)? && answer.commit > self.window(db, device)?.written_to {
            self.remember(db, app, device, answer)?;
        }
        Ok(())
    }

    fn window(&mut self, db: &Connection, device: DeviceKey) -> Result<&mut DeviceWindow, Fault> {
        if self.windows.get_mut(&device).is_none() {
            let mut window = DeviceWindow::default();
            let mut statement =
                db.prepare_cached("SELECT chunk, entries FROM device_window WHERE device = ? ORDER BY chunk")?;
            let mut chunks = statement.query([device])?;
            while let Some(row) = chunks.next()? {
                window.chunks.push(row.get(0)?);
                for answer in unpack_answers(row.get_ref(1)?.as_blob().map_err(rows::sqlite)?)? {
                    window.remember(answer);
                }
            }
            window.unwritten = 0;
            window.written_to = window.last_commit();
            self.windows.insert(device, window);
        }
        Ok(self.windows.get_mut(&device).expect("it was put there"))
    }

    /// What a client id was used for.
    pub(super) fn recall(
        &mut self,
        db: &Connection,
        device: DeviceKey,
        client_id: &ClientId,
    ) -> Result<Option<Answer>, Fault> {
        if planted(Bug::DroppedDedup) {
            return Ok(None);
        }
        Ok(self.window(db, device)?.recall(client_id).cloned())
    }

    pub(super) fn remember(
        &mut self,
        db: &Connection,
        app: AppKey,
        device: DeviceKey,
        answer: Answer,
    ) -> Result<(), Fault> {
        let since = answer.commit;
        let window = self.window(db, device)?;
        let first = window.unwritten == 0;
        window.remember(answer);
        if first {
            self.waiting.push_back(Waiting { device, app, since, at_work: self.work });
        }
        Ok(())
    }

    /// Forgets the fingerprint of the command that an event was written by, also in the rows of the window, which are
    /// written with this group.
    pub(super) fn forget_fingerprint(
        &mut self,
        db: &Connection,
        device: DeviceKey,
        client_id: &ClientId,
        event: (RoomKey, Seq),
    ) -> Result<(), Fault> {
        let (room, seq) = event;
        if self.window(db, device)?.forget_fingerprint(client_id, room, seq) {
            self.rewrite.push(device);
        }
        Ok(())
    }

    /// Forgets a device that has ended.
    pub(super) fn forget(&mut self, db: &Connection, device: DeviceKey) -> Result<(), Fault> {
        self.windows.remove(&device);
        db.prepare_cached("DELETE FROM device_window WHERE device = ?")?.execute([device])?;
        Ok(())
    }

    /// Writes what is due, at the end of a group that did so much work. `all` for everything, as when closing.
    pub(super) fn flush(
        &mut self,
        db: &Connection,
        apps: &HashMap<AppId, AppState>,
        work: u64,
        all: bool,
    ) -> Result<(), Fault> {
        self.work += work;
        for device in std::mem::take(&mut self.rewrite) {
            if let Some(window) = self.windows.get_mut(&device) {
                write_window(db, device, window)?;
            }
        }
        // Those that will be forgotten after the group must be written by then.
        let all = all || self.windows.is_full();
        while let Some(next) = self.waiting.front() {
            if !all && next.at_work + FLUSH_WORK > self.work {
                break;
            }
            let device = next.device;
            self.waiting.pop_front();
            if let Some(window) = self.windows.get_mut(&device) {
                write_window(db, device, window)?;
            }
        }
        // Where a room is damaged, the next run must find it damaged again: the tail stays as long as it is.
        if self.damaged.is_empty() && (all || self.noted_at_work + NOTE_WORK <= self.work) {
            self.noted_at_work = self.work;
            self.note(db, apps)?;
        }
        Ok(())
    }

    /// Writes down up to which commit the windows of each app are complete.
    fn note(&self, db: &Connection, apps: &HashMap<AppId, AppState>) -> Result<(), Fault> {
        let mut complete: BTreeMap<AppKey, CommitNumber> = apps.values().map(|app| (app.key, app.head)).collect();
        for waiting in &self.waiting {
            if let Some(commit) = complete.get_mut(&waiting.app) {
                *commit = (*commit).min(CommitNumber(waiting.since.0.saturating_sub(1)));
            }
        }
        let sql = "UPDATE app SET windows_commit = ?2 WHERE key = ?1 AND windows_commit < ?2";
        let mut statement = db.prepare_cached(sql)?;
        for (app, commit) in complete {
            statement.execute(params![app, commit.0])?;
        }
        Ok(())
    }

    /// Forgets windows that were not used lately, if there are too many. After the commit of a group.
    pub(super) fn tidy(&mut self) {
        self.windows.tidy();
    }
}

/// The client ids that stand in some events, with their devices.
fn answers_of(view: View<'_>, RoomRange { room, range }: RoomRange) -> Result<Vec<(DeviceKey, Answer)>, Fault> {
    let mut statement = view.db.prepare_cached(
        "SELECT key, commit_number, device, client_id, fingerprint FROM log WHERE key BETWEEN ? AND ? ORDER BY key",
    )?;
    let mut found = statement.query([room.event(range.first), room.event(range.last)])?;
    let (mut answers, mut last) = (Vec::new(), Seq(range.first.0.saturating_sub(1)));
    while let Some(row) = found.next()? {
        let (_, seq) = split_event(row.get(0)?);
        last = seq;
        if let Some(client_id) = rows::client_id(row, 3)? {
            let (fingerprint, commit) = (row.get::<_, i64>(4)?.cast_unsigned(), CommitNumber(row.get(1)?));
            answers.push((row.get(2)?, Answer { client_id, fingerprint, room, seq, commit }));
        }
    }
    for FreshEvent { event, device, fingerprint, .. } in view.fresh_events(room, last, range.last) {
        if let Some(client_id) = event.client_id.clone() {
            answers.push((device, Answer { client_id, fingerprint, room, seq: event.seq, commit: event.commit }));
        }
    }
    Ok(answers)
}

/// Whether there is such a device still.
fn lives(db: &Connection, device: DeviceKey) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM device WHERE key = ?")?.exists([device])?)
}

fn write_window(db: &Connection, device: DeviceKey, window: &mut DeviceWindow) -> Result<(), Fault> {
    // A command that was on its way when its device ended is written, but nobody would ever delete its window.
    if window.unwritten == 0 || !lives(db, device)? {
        return Ok(());
    }
    let anew = window.unwritten == window.len() || window.chunks.len() >= CHUNKS_MAX;
    let next = window.chunks.last().map_or(0, |last| last + 1);
    let bytes = if anew { pack_answers(window.all()) } else { pack_answers(window.unwritten()) };
    if anew && !window.chunks.is_empty() {
        db.prepare_cached("DELETE FROM device_window WHERE device = ?")?.execute([device])?;
        window.chunks.clear();
    }
    db.prepare_cached("INSERT INTO device_window (device, chunk, entries) VALUES (?, ?, ?)")?
        .execute(params![device, next, bytes])?;
    window.chunks.push(next);
    window.unwritten = 0;
    window.written_to = window.last_commit();
    Ok(())
}

#[cfg(test)]
mod tests {
    use storage::WINDOW_ENTRIES_MAX;

    use super::*;
    use crate::memtable::{GroupNumber, Memtable};
    use crate::schema::migrate;

    const DEVICES: u64 = 3;

    fn id(n: u64) -> ClientId {
        ClientId::new(format!("c{n}")).unwrap()
    }

    /// Each answer a commit, each device in turn; `work_each` says how soon windows are written.
    fn check(count: u64, work_each: u64) {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        let sql = "INSERT INTO device (key, user, name, created_at, last_seen_at, refresh_generation)
                   VALUES (?, 0, '', 0, 0, 0)";
        db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        for device in 0..DEVICES {
            db.execute(sql, [device]).unwrap();
        }
        let fresh = Memtable::new(GroupNumber(0));
        let mut windows = Windows::rebuild(View { db: &db, fresh: &fresh, as_of: GroupNumber::MAX }).unwrap();
        let app = AppKey(1);
        for n in 1..=count {
            let (seq, commit) = (Seq(n), CommitNumber(n));
            let answer = Answer { client_id: id(n), fingerprint: n, room: RoomKey(1), seq, commit };
            windows.remember(&db, app, DeviceKey((n % DEVICES) as u32), answer).unwrap();
            windows.flush(&db, &HashMap::new(), work_each, false).unwrap();
            windows.tidy();
        }
        windows.flush(&db, &HashMap::new(), 0, true).unwrap();
        let mut rebuilt = Windows::rebuild(View { db: &db, fresh: &fresh, as_of: GroupNumber::MAX }).unwrap();
        for n in 1..=count {
            let device = DeviceKey((n % DEVICES) as u32);
            let expected = windows.recall(&db, device, &id(n)).unwrap();
            assert_eq!(expected.is_some(), n + DEVICES * WINDOW_ENTRIES_MAX as u64 > count, "{n} of {count}");
            assert_eq!(rebuilt.recall(&db, device, &id(n)).unwrap(), expected, "{n} of {count}");
        }
        let sql = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM device_window GROUP BY device)";
        let chunks: usize = db.query_row(sql, [], |row| row.get(0)).unwrap();
        assert!(chunks <= CHUNKS_MAX, "{chunks} chunks");
    }

    #[test]
    fn windows_come_back_as_they_were_written() {
        check(1, 1);
        check(100, FLUSH_WORK);
        check(1_000, 1);
        check(2_000, FLUSH_WORK);
        check(2_000, FLUSH_WORK / 100);
    }
}
