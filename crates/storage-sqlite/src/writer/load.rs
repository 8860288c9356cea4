//! Reading what waits in `redo`: for the writer at its start, and for those who only look.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::{Cursors, Event, EventBody, RoomId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension};
use storage::record;

use super::flush::{Flusher, write_rows};
use crate::error::Fault;
use crate::key::{RoomKey, Slot};
use crate::memtable::{FreshEvent, GroupNumber};
use crate::redo::Record;
use crate::rows::{self, UserIds};

/// Lets a connection that only reads find in `log` what waits, until it is closed: by a view that hides the table.
pub(crate) fn show_waiting(db: &Connection) -> Result<(), Fault> {
    let waiting = Flusher::load(db, usize::MAX, &BTreeSet::new())?;
    let fresh = waiting.memtable();
    let mut from = RoomKey(0);
    if fresh.next_waiting(from).is_none() {
        return Ok(());
    }
    // What is temporary is found first by its name, so rows are written as always.
    db.execute_batch("CREATE TEMP TABLE log AS SELECT * FROM main.log WHERE 0")?;
    while let Some(room) = fresh.next_waiting(from) {
        let unflushed = fresh.unflushed(room);
        for (slot, ..) in &unflushed.cursors {
            db.prepare_cached("INSERT INTO log SELECT * FROM main.log WHERE key = ?")?
                .execute([room.cursors(*slot)])?;
        }
        write_rows(db, room, &unflushed)?;
        from = RoomKey(room.0 + 1);
    }
    db.execute_batch(
        "ALTER TABLE temp.log RENAME TO waiting;
         CREATE UNIQUE INDEX temp.waiting_key ON waiting (key);
         CREATE TEMP VIEW log AS
             SELECT * FROM main.log WHERE key NOT IN (SELECT key FROM waiting) UNION ALL SELECT * FROM waiting",
    )?;
    Ok(())
}

/// A record that `log` knows nothing of.
pub(super) enum Loaded {
    Event(FreshEvent),
    Cursors(Slot, Cursors),
}

/// Reads records, and leaves out what `log` has already.
pub(super) struct Loader<'a> {
    db: &'a Connection,
    users: UserIds,
    /// Ids of rooms, and where their logs in `log` end.
    rooms: HashMap<RoomKey, (RoomId, Seq)>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self { db, users: UserIds::default(), rooms: HashMap::new() }
    }

    pub(super) fn load(&mut self, record: Record<'_>, group: GroupNumber) -> Result<Option<Loaded>, Fault> {
        match record {
            Record::Event { commit, room, seq, number, at, sender, device, client_id, fingerprint, kind, body } => {
                let (id, written_to) = self.room(room)?;
                if seq <= written_to {
                    return Ok(None);
                }
                let body: EventBody = record::decode(kind, body)?;
                let sender_id: UserId = self.users.get(self.db, sender)?;
                let event = Event { room: id, seq, commit: commit.1, at, sender: sender_id, client_id, number, body };
                let event = Arc::new(event);
                Ok(Some(Loaded::Event(FreshEvent { event, sender, device, fingerprint, group })))
            }
            Record::Cursors { commit, room, slot, delivered, read, number } => {
                let mut stored = self.db.prepare_cached("SELECT commit_number FROM log WHERE key = ?")?;
                let stored: Option<u64> = stored.query_row([room.cursors(slot)], |row| row.get(0)).optional()?;
                let stored = stored.ok_or(Fault::Damaged("a member has no cursors"))?;
                let cursors = Cursors { delivered, read, read_messages: number, commit: commit.1 };
                Ok((commit.1.0 > stored).then_some(Loaded::Cursors(slot, cursors)))
            }
        }
    }

    fn room(&mut self, key: RoomKey) -> Result<(RoomId, Seq), Fault> {
        if let Some(room) = self.rooms.get(&key) {
            return Ok(room.clone());
        }
        let mut statement = self.db.prepare_cached("SELECT id FROM room WHERE key = ?")?;
        let id = statement.query_row([key], |row| rows::room_id(row, 0)).optional()?;
        let id = id.ok_or(Fault::Damaged("a room of a record is missing"))?;
        let room = (id, rows::load_head(self.db, key)?.seq);
        self.rooms.insert(key, room.clone());
        Ok(room)
    }
}
