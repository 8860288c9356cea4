//! What a reader sees: the database and the memtable as of one group.

use domain::{Cursors, Head, Seq};
use rusqlite::{Connection, OptionalExtension};

use crate::error::Fault;
use crate::key::{RoomKey, Slot, UserKey};
use crate::memtable::{FreshEvent, GroupNumber, Memtable};
use crate::rows;

/// A connection inside a transaction, and what is not in its database yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) fresh: &'a Memtable,
    /// The group up to which the transaction sees.
    pub(crate) as_of: GroupNumber,
}

impl View<'_> {
    /// Where a room's log ends.
    pub(crate) fn head(&self, room: RoomKey) -> Result<Head, Fault> {
        self.check(room)?;
        let stored = rows::load_head(self.db, room)?;
        Ok(self.fresh.head(room, self.as_of).filter(|fresh| fresh.seq > stored.seq).unwrap_or(stored))
    }

    /// A member's cursors, and where they lie.
    pub(crate) fn cursors(&self, user: UserKey, room: RoomKey) -> Result<Option<(Slot, Cursors)>, Fault> {
        self.check(room)?;
        let stored = rows::load_cursors(self.db, user, room)?;
        Ok(stored.map(|(slot, cursors)| (slot, self.fresh.cursors(room, slot, self.as_of).unwrap_or(cursors))))
    }

    /// What is shown of a room is all that was written in it.
    fn check(&self, room: RoomKey) -> Result<(), Fault> {
        if self.fresh.is_incomplete(room) { Err(Fault::Damaged("what waits for a room can't be read")) } else { Ok(()) }
    }

    /// An event that is not in `log`, or was not a moment ago.
    pub(crate) fn fresh_event(&self, room: RoomKey, seq: Seq) -> Option<FreshEvent> {
        self.fresh.event(room, seq, self.as_of)
    }

    /// The events after a seq up to another one that are not in `log`; `after` is the last one that is.
    pub(crate) fn fresh_events(&self, room: RoomKey, after: Seq, last: Seq) -> Vec<FreshEvent> {
        if after >= last { Vec::new() } else { self.fresh.events(room, after, last, self.as_of) }
    }

    /// How many messages a room has up to an event; `None` if there is no such event.
    pub(crate) fn number(&self, room: RoomKey, seq: Seq) -> Result<Option<u64>, Fault> {
        let mut statement = self.db.prepare_cached("SELECT number FROM log WHERE key = ?")?;
        let stored = statement.query_row([room.event(seq)], |row| row.get(0)).optional()?;
        Ok(stored.or_else(|| self.fresh_event(room, seq).map(|fresh| fresh.event.number)))
    }
}

/// The group up to which a transaction sees.
pub(crate) fn group_of(db: &Connection) -> Result<GroupNumber, Fault> {
    let mut statement = db.prepare_cached("SELECT coalesce(max(key), 0) FROM redo")?;
    Ok(GroupNumber(statement.query_row([], |row| row.get(0))?))
}
