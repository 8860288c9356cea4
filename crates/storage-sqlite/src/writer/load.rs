//! Reading what waits in `redo`: for the writer at its start, and for those who only look.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::{Cursors, Event, EventBody, RoomId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension};
use storage::record;

use super::flush::{Flusher, write_rows};
use crate::error::Fault;
use crate::key::{RoomKey, Slot};
use crate::memtable::{FreshEvent, GroupNumber, Memtable};
use crate::redo::Record;
use crate::rows::{self, UserIds};

/// Lets a connection that only reads find in `log` what waits, until it is closed: by a view that hides the table.
pub(crate) fn show_waiting(db: &Connection) -> Result<(), Fault> {
    let waiting = Flusher::load(db, usize::MAX, &BTreeSet::new())?;
    let fresh = waiting.memtable();
    show(db, fresh)?;
    match waiting.stuck().is_empty() {
        true => Ok(()),
        false => Err(Fault::Damaged("a record can't be read, or belongs to nothing")),
    }
}

fn show(db: &Connection, fresh: &Memtable) -> Result<(), Fault> {
    let mut from = RoomKey(0);
    if fresh.next_waiting(from).is_none() {
        return Ok(());
    }
    // What is temporary is found first by its name, so rows are written as always.
    db.execute_batch("CREATE TEMP TABLE log AS SELECT * FROM main.log WHERE 0")?;
    while let Some(room) = fresh.next_waiting(from) {
        let unflushed = fresh.unflushed(room, usize::MAX);
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

#[cfg(test)]
mod tests {
    use domain::{CommitNumber, Timestamp};
    use rusqlite::params;

    use super::*;
    use crate::key::{AppKey, DeviceKey, UserKey};
    use crate::redo::Packer;
    use crate::schema::migrate;
    use crate::view::View;

    const COMMIT: (AppKey, CommitNumber) = (AppKey(1), CommitNumber(1));
    const ROOM: RoomKey = RoomKey(1);

    fn message(seq: u64, sender: u32) -> Record<'static> {
        let (kind, body) = (record::kind::MESSAGE, r#"{"text":"hi"}"#);
        Record::Event {
            commit: COMMIT,
            room: ROOM,
            seq: Seq(seq),
            number: seq,
            at: Timestamp(1),
            sender: UserKey(sender),
            device: DeviceKey(1),
            client_id: None,
            fingerprint: 0,
            kind,
            body,
        }
    }

    fn read_to(slot: u32) -> Record<'static> {
        let (room, slot) = (ROOM, Slot(slot));
        Record::Cursors { commit: COMMIT, room, slot, delivered: Seq(1), read: Seq(1), number: 1 }
    }

    /// A database with one room, one user, the cursors of slot 1, and a row of `redo` with these records.
    fn database(records: &[Record<'_>]) -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        db.execute_batch(
            "INSERT INTO app VALUES (1, 'one', '', 0, 0, 0, 1, 0);
             INSERT INTO user_key VALUES (1, 1, 'ann');
             INSERT INTO room VALUES (1, 1, 'r', 'group', NULL, NULL, '{}', 0, 1, 0, 1, 1);
             INSERT INTO member VALUES (1, 1, 'ann', NULL, 'joined', 100, 1, NULL, NULL, '[]', 1);
             INSERT INTO log (key, kind, commit_number, number, sender, delivered, read)
             VALUES ((1 << 32) | (1 << 31) | 1, 0, 0, 0, 1, 0, 0)",
        )
        .unwrap();
        let mut packer = Packer::new(vec![COMMIT]);
        records.iter().for_each(|record| packer.add(record));
        db.execute("INSERT INTO redo VALUES (1, ?)", params![packer.finish()]).unwrap();
        db
    }

    /// Which seqs of the room wait, and whether the room is left alone.
    fn check(records: &[Record<'_>], seqs: &[u64], stuck: bool) {
        let db = database(records);
        let flusher = Flusher::load(&db, usize::MAX, &BTreeSet::new()).unwrap();
        let waiting = flusher.memtable().unflushed(ROOM, usize::MAX);
        assert_eq!(waiting.events.iter().map(|fresh| fresh.event.seq.0).collect::<Vec<_>>(), seqs);
        assert_eq!(flusher.is_stuck(ROOM), stuck);
        // Rather no answer than one that leaves something out.
        let view = View { db: &db, fresh: flusher.memtable(), as_of: GroupNumber::MAX };
        assert_eq!((view.head(ROOM).is_err(), view.cursors(UserKey(1), ROOM).is_err()), (stuck, stuck));
        assert_eq!(show_waiting(&db).is_err(), stuck, "the doctor is told");
    }

    #[test]
    fn what_can_not_be_read_hides_what_comes_after_it_and_is_told() {
        check(&[message(1, 1), message(2, 1), read_to(1)], &[1, 2], false);
        check(&[message(1, 1), message(2, 9), message(3, 1)], &[1], true);
        check(&[message(1, 1), read_to(5)], &[1], true);
    }
}
