//! The way of messages and cursors into `log`: a group writes them to its row of `redo`, and a room is flushed when its turn
//! comes. See `docs/adr/0012`.
//!
//! The rooms take turns by their keys, at the pace at which groups bring something new, so that as much as possible waits
//! for each of them, and no group does more work than the others. A room in which something else than a message happens is
//! flushed at once, so that its log stays in order.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use domain::{Cursors, Event, Seq};
use planted::{Bug, planted};
use rusqlite::{Connection, OptionalExtension, Statement, params};
use storage::record;

use super::is_damage;
use super::load::{Loaded, Loader};
use crate::error::Fault;
use crate::key::{RoomKey, Slot};
use crate::memtable::{FreshEvent, GroupNumber, Memtable, Unflushed};
use crate::redo::{CommitKey, Packer, Record, Records};
use crate::rows;
use crate::view::group_of;

/// What is flushed in one transaction when there is nothing else to do, in bytes of memory.
const SLICE_BYTES: usize = 512 * 1024;
/// What is flushed of a room in one turn, in bytes of memory: so many messages lie side by side in `log` that more of them at
/// once would save nothing, and a group would wait for a room in which many wait.
const TURN_BYTES: usize = 128 * 1024;
/// Rows of `redo` that a group deletes.
const OBSOLETE_ROWS_MAX: usize = 4;
/// Rows of `redo` that are deleted in one transaction when there is nothing else to do.
const OBSOLETE_ROWS_OF_SLICE_MAX: usize = 32;

/// A row of `redo`.
#[derive(Debug, Default)]
struct Row {
    /// Of how many of its records `log` knows nothing.
    needed: usize,
    /// The commits of the group.
    commits: Vec<CommitKey>,
}

/// A room was flushed, and the memtable keeps a copy still.
#[derive(Debug)]
struct Flushed {
    by: GroupNumber,
    room: RoomKey,
    events_to: Seq,
    cursors_to: GroupNumber,
}

/// What the writer knows of the memtable and of `redo`. Thrown away when a group fails, and then loaded anew.
#[derive(Debug)]
pub(super) struct Flusher {
    fresh: Arc<Memtable>,
    /// The group that is being written, or the next one.
    group: GroupNumber,
    /// No reader has an older database.
    oldest_read: GroupNumber,
    waiting_bytes: usize,
    waiting_bytes_max: usize,
    rows: BTreeMap<GroupNumber, Row>,
    /// Rows that nobody needs.
    obsolete: Vec<GroupNumber>,
    flushed: VecDeque<Flushed>,
    /// Whose turn it is next.
    turn: RoomKey,
    /// What the group has brought so far.
    events: Vec<(CommitKey, RoomKey, FreshEvent)>,
    cursors: Vec<(CommitKey, RoomKey, Slot, Cursors)>,
    /// Events whose text the group takes out of `redo`.
    erased: BTreeSet<(CommitKey, RoomKey, Seq)>,
    /// Up to where the group itself has flushed rooms.
    flushed_now: HashMap<RoomKey, FlushedNow>,
    /// Rooms whose rows in `log` are damaged: what waits for them goes on waiting, and nothing new is taken.
    stuck: BTreeSet<RoomKey>,
}

#[derive(Debug, Clone, Copy)]
struct FlushedNow {
    events_to: Seq,
    /// Cursors too that the group itself has moved.
    cursors: bool,
}

impl Flusher {
    /// What a database holds in `redo` and not in `log`; so many bytes of memory may wait.
    pub(super) fn load(db: &Connection, waiting_bytes_max: usize, stuck: &BTreeSet<RoomKey>) -> Result<Self, Fault> {
        let committed = group_of(db)?;
        let fresh = Arc::new(Memtable::new(committed));
        let mut flusher = Self {
            fresh: Arc::clone(&fresh),
            group: committed.next(),
            oldest_read: committed,
            waiting_bytes: 0,
            waiting_bytes_max,
            rows: BTreeMap::new(),
            obsolete: Vec::new(),
            flushed: VecDeque::new(),
            turn: RoomKey(0),
            events: Vec::new(),
            cursors: Vec::new(),
            erased: BTreeSet::new(),
            flushed_now: HashMap::new(),
            stuck: stuck.clone(),
        };
        if planted(Bug::RedoForgotten) {
            return Ok(flusher);
        }
        let mut loader = Loader::new(db);
        let mut statement = db.prepare("SELECT key, records FROM redo ORDER BY key")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let group = GroupNumber(row.get(0)?);
            let records = Records::of(row.get_ref(1)?.as_blob().map_err(rows::sqlite)?)?;
            flusher.rows.insert(group, Row { needed: 0, commits: records.commits().to_vec() });
            for record in records {
                let record = record?;
                let room = record.room();
                if fresh.is_incomplete(room) {
                    flusher.leave(room, group);
                    continue;
                }
                match loader.load(record, group) {
                    Ok(None) => {}
                    Ok(Some(Loaded::Event(event))) => flusher.take_event(room, event),
                    Ok(Some(Loaded::Cursors(slot, cursors))) => flusher.take_cursors(room, slot, (group, cursors)),
                    Err(fault) if is_damage(&fault) => flusher.leave(room, group),
                    Err(fault) => return Err(fault),
                }
            }
        }
        flusher.obsolete = flusher.rows.iter().filter(|(_, row)| row.needed == 0).map(|(group, _)| *group).collect();
        Ok(flusher)
    }

    pub(super) fn memtable(&self) -> &Arc<Memtable> {
        &self.fresh
    }

    /// The group that is being written.
    pub(super) fn group(&self) -> GroupNumber {
        self.group
    }

    /// Takes a message that the group has written.
    pub(super) fn add_event(&mut self, commit: CommitKey, room: RoomKey, event: FreshEvent) {
        self.events.push((commit, room, event.clone()));
        self.take_event(room, event);
    }

    /// Takes cursors that the group has moved, as they are at its end.
    pub(super) fn move_cursors(&mut self, commit: CommitKey, room: RoomKey, slot: Slot, cursors: Cursors) {
        self.cursors.push((commit, room, slot, cursors));
        self.take_cursors(room, slot, (self.group, cursors));
    }

    /// Leaves a record of a damaged room where it is, and the room unread.
    fn leave(&mut self, room: RoomKey, group: GroupNumber) {
        self.fresh.leave(room);
        self.leave_alone(&BTreeSet::from([room]));
        self.rows.entry(group).or_default().needed += 1;
    }

    /// Writes nothing to these rooms, because they are damaged.
    pub(super) fn leave_alone(&mut self, damaged: &BTreeSet<RoomKey>) {
        for room in damaged {
            if self.stuck.insert(*room) {
                tracing::error!(room = room.0, "a room is damaged, and nothing more is written to it");
                self.waiting_bytes = self.waiting_bytes.saturating_sub(self.fresh.unflushed(*room, usize::MAX).bytes());
            }
        }
    }

    /// Whether nothing can be written to a room.
    pub(super) fn is_stuck(&self, room: RoomKey) -> bool {
        !self.stuck.is_empty() && self.stuck.contains(&room)
    }

    /// The rooms to which nothing can be written.
    pub(super) fn stuck(&self) -> &BTreeSet<RoomKey> {
        &self.stuck
    }

    fn take_event(&mut self, room: RoomKey, event: FreshEvent) {
        if !self.is_stuck(room) {
            self.waiting_bytes += event.bytes();
        }
        self.rows.entry(event.group).or_default().needed += 1;
        self.fresh.push(room, event);
    }

    fn take_cursors(&mut self, room: RoomKey, slot: Slot, newest: (GroupNumber, Cursors)) {
        let (bytes, spared) = self.fresh.move_cursors(room, slot, newest, self.oldest_read);
        if !self.is_stuck(room) {
            self.waiting_bytes += bytes;
        }
        self.rows.entry(newest.0).or_default().needed += 1;
        spared.into_iter().for_each(|group| self.release(group));
    }

    /// A record of a group is needed no more.
    fn release(&mut self, group: GroupNumber) {
        if let Some(row) = self.rows.get_mut(&group) {
            row.needed -= 1;
            if row.needed == 0 && group < self.group {
                self.obsolete.push(group);
            }
        }
    }

    /// Writes to `log` what waits for a room, in the middle of a group.
    pub(super) fn flush_room(&mut self, db: &Connection, room: RoomKey) -> Result<(), Fault> {
        self.flush(db, room, usize::MAX, false)
    }

    fn flush(&mut self, db: &Connection, room: RoomKey, bytes_max: usize, at_end: bool) -> Result<(), Fault> {
        let waiting = self.fresh.unflushed(room, bytes_max);
        let cursors = at_end && waiting.whole;
        let (Some(events_to), cursors_to) = (
            waiting.events.last().map(|last| last.event.seq).or((!waiting.cursors.is_empty()).then_some(Seq(0))),
            waiting.cursors.iter().map(|(_, _, group)| *group).max().unwrap_or_default(),
        ) else {
            return Ok(());
        };
        if let Err(fault) = write_rows(db, room, &waiting) {
            // The group fails, and those after it leave the room alone.
            if is_damage(&fault) {
                self.leave_alone(&BTreeSet::from([room]));
            }
            return Err(fault);
        }
        self.fresh.flushed(room, &waiting);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes());
        for group in waiting.events.iter().map(|event| event.group) {
            self.release(group);
        }
        for (_, _, group) in waiting.cursors {
            self.release(group);
        }
        self.flushed.push_back(Flushed { by: self.group, room, events_to, cursors_to });
        let now = self.flushed_now.entry(room).or_insert(FlushedNow { events_to, cursors });
        *now = FlushedNow { events_to: now.events_to.max(events_to), cursors: now.cursors || cursors };
        Ok(())
    }

    /// Flushes the rooms whose turn it is until no more than `bytes_max` wait, and `bytes` have been flushed at most.
    fn take_turns(&mut self, db: &Connection, bytes_max: usize, bytes: usize) -> Result<(), Fault> {
        let stop = bytes_max.max(self.waiting_bytes.saturating_sub(bytes));
        while self.waiting_bytes > stop {
            let Some(room) = self.next_waiting(self.turn).or_else(|| self.next_waiting(RoomKey(0))) else {
                self.waiting_bytes = 0;
                return Ok(());
            };
            self.turn = RoomKey(room.0 + 1);
            self.flush(db, room, TURN_BYTES, true)?;
        }
        Ok(())
    }

    fn next_waiting(&self, mut from: RoomKey) -> Option<RoomKey> {
        loop {
            let room = self.fresh.next_waiting(from)?;
            if !self.is_stuck(room) {
                return Some(room);
            }
            from = RoomKey(room.0 + 1);
        }
    }

    /// At the end of a group: makes durable what it has brought.
    pub(super) fn finish(&mut self, db: &Connection) -> Result<(), Fault> {
        self.take_turns(db, self.waiting_bytes_max, usize::MAX)?;
        self.write_erased(db)?;
        if self.events.is_empty() && self.cursors.is_empty() && self.flushed_now.is_empty() {
            return Ok(());
        }
        self.write_row(db, OBSOLETE_ROWS_MAX)
    }

    /// Flushes something when there is nothing else to do, in a transaction of its own.
    pub(super) fn flush_slice(&mut self, db: &Connection) -> Result<(), Fault> {
        self.take_turns(db, 0, SLICE_BYTES)?;
        self.write_row(db, OBSOLETE_ROWS_OF_SLICE_MAX)
    }

    /// Whether everything is in `log` that can be written there, and nothing needless in `redo` but the last row.
    pub(super) fn is_done(&self) -> bool {
        let last = self.rows.last_key_value().map(|(group, _)| *group);
        self.waiting_bytes == 0 && self.obsolete.iter().all(|group| Some(*group) == last)
    }

    fn write_row(&mut self, db: &Connection, obsolete_max: usize) -> Result<(), Fault> {
        // First, so that the new row takes the pages of the old ones.
        let mut delete = db.prepare_cached("DELETE FROM redo WHERE key = ?")?;
        let kept = self.obsolete.len().saturating_sub(obsolete_max);
        for group in self.obsolete.drain(kept..) {
            delete.execute([group.0])?;
            self.rows.remove(&group);
        }
        let (commits, records) = self.pack();
        db.prepare_cached("INSERT INTO redo (key, records) VALUES (?, ?)")?.execute(params![self.group.0, records])?;
        let row = self.rows.entry(self.group).or_default();
        row.commits = commits;
        if row.needed == 0 {
            self.obsolete.push(self.group);
        }
        Ok(())
    }

    /// The group's records of what it has not flushed itself.
    fn pack(&self) -> (Vec<CommitKey>, Vec<u8>) {
        let flushed = |room: &RoomKey| self.flushed_now.get(room);
        let events = self
            .events
            .iter()
            .filter(|(_, room, event)| flushed(room).is_none_or(|now| event.event.seq > now.events_to));
        let cursors = self.cursors.iter().filter(|(_, room, ..)| flushed(room).is_none_or(|now| !now.cursors));
        let all = events.clone().map(|(commit, ..)| *commit).chain(cursors.clone().map(|(commit, ..)| *commit));
        let mut commits: Vec<CommitKey> = Vec::new();
        for commit in all {
            if !commits.contains(&commit) {
                commits.push(commit);
            }
        }
        let mut packer = Packer::new(commits.clone());
        for (commit, room, fresh) in events {
            let (kind, body) = record::encode(&fresh.event.body);
            let Event { seq, number, at, ref client_id, .. } = *fresh.event;
            packer.add(&Record::Event {
                commit: *commit,
                room: *room,
                seq,
                number,
                at,
                sender: fresh.sender,
                device: fresh.device,
                client_id: client_id.clone(),
                fingerprint: fresh.fingerprint,
                kind,
                body: &body,
            });
        }
        for (commit, room, slot, cursors) in cursors {
            let Cursors { delivered, read, read_messages, .. } = *cursors;
            let (commit, room, slot) = (*commit, *room, *slot);
            packer.add(&Record::Cursors { commit, room, slot, delivered, read, number: read_messages });
        }
        (commits, packer.finish())
    }

    /// The group is in the database.
    pub(super) fn committed(&mut self) {
        self.events.clear();
        self.cursors.clear();
        self.flushed_now.clear();
        if !self.rows.contains_key(&self.group) {
            return;
        }
        self.fresh.committed(self.group);
        self.group = self.group.next();
        self.oldest_read = self.fresh.oldest_read();
        while let Some(Flushed { room, events_to, cursors_to, .. }) =
            self.flushed.pop_front_if(|first| first.by <= self.oldest_read)
        {
            self.fresh.forget(room, events_to, cursors_to);
        }
    }

    /// Takes the text of an event out of `redo` at the end of the group, if it is there. The event is in `log`.
    pub(super) fn erase(&mut self, commit: CommitKey, room: RoomKey, seq: Seq) {
        self.erased.insert((commit, room, seq));
    }

    /// Writes the rows anew that hold what is to be erased: each once, however much of it that is.
    fn write_erased(&mut self, db: &Connection) -> Result<(), Fault> {
        let erased = std::mem::take(&mut self.erased);
        if erased.is_empty() {
            return Ok(());
        }
        let commits: BTreeSet<CommitKey> = erased.iter().map(|(commit, ..)| *commit).collect();
        let mut select = db.prepare_cached("SELECT records FROM redo WHERE key = ?")?;
        let mut update = db.prepare_cached("UPDATE redo SET records = ? WHERE key = ?")?;
        for (group, _) in self.rows.iter().filter(|(_, row)| row.commits.iter().any(|one| commits.contains(one))) {
            let Some(bytes): Option<Vec<u8>> = select.query_row([group.0], |row| row.get(0)).optional()? else {
                continue;
            };
            let records = Records::of(&bytes)?;
            let mut packer = Packer::new(records.commits().to_vec());
            for record in records {
                let record = record?;
                if !matches!(record, Record::Event { commit, room, seq, .. } if erased.contains(&(commit, room, seq))) {
                    packer.add(&record);
                }
            }
            update.execute(params![packer.finish(), group.0])?;
        }
        Ok(())
    }
}

/// Writes what waited for a room.
pub(super) fn write_rows(db: &Connection, room: RoomKey, waiting: &Unflushed) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(INSERT_EVENT)?;
    for fresh in &waiting.events {
        insert_event(&mut insert, room, fresh, None)?;
    }
    let mut update =
        db.prepare_cached("UPDATE log SET delivered = ?2, read = ?3, number = ?4, commit_number = ?5 WHERE key = ?1")?;
    for (slot, cursors, _) in &waiting.cursors {
        let Cursors { delivered, read, read_messages, commit } = cursors;
        update.execute(params![room.cursors(*slot), delivered.0, read.0, read_messages, commit.0])?;
    }
    Ok(())
}

/// What [`insert_event`] runs.
pub(super) const INSERT_EVENT: &str = "INSERT INTO log (key, commit_number, number, at, sender, device, client_id,
    fingerprint, kind, body, last_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Writes an event by [`INSERT_EVENT`]; `last_message` for those that are none themselves.
pub(super) fn insert_event(
    insert: &mut Statement<'_>,
    room: RoomKey,
    fresh: &FreshEvent,
    last_message: Option<Seq>,
) -> Result<(), Fault> {
    let event = &fresh.event;
    let (kind, body) = record::encode(&event.body);
    let client_id = event.client_id.as_ref().map(domain::ClientId::as_str);
    insert.execute(params![
        room.event(event.seq),
        event.commit.0,
        event.number,
        event.at.0,
        fresh.sender,
        fresh.device,
        client_id,
        client_id.map(|_| fresh.fingerprint.cast_signed()),
        kind,
        body,
        last_message.map(|seq| seq.0),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
