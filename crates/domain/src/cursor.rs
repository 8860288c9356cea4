//! Cursors: how far a user has got in a room.

use crate::{Changes, CommitNumber, CursorMove, Expectation, Refusal, RoomFacts, Seq};

/// How far a user has got in a room. Moves only forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Everything up to this seq has reached a device.
    pub delivered: Seq,
    /// Everything up to this seq has been read; never past `delivered`.
    pub read: Seq,
    /// How many messages there are up to `read`, so that unread = messages at the head − this.
    pub read_messages: u64,
    /// The commit of the last move.
    pub commit: CommitNumber,
}

impl Cursors {
    /// Folds a move in; `number` is the number of messages up to the seq to be read. Tells whether anything moved.
    pub fn apply(&mut self, to: CursorMove, number: u64, commit: CommitNumber) -> bool {
        let read = to.read.unwrap_or(self.read).max(self.read);
        let delivered = to.delivered.unwrap_or(self.delivered).max(self.delivered).max(read);
        let moved = (read, delivered) != (self.read, self.delivered);
        if read > self.read {
            self.read = read;
            self.read_messages = number;
        }
        if moved {
            self.delivered = delivered;
            self.commit = commit;
        }
        moved
    }

    /// Whether a move would move anything.
    pub fn would_move(&self, to: CursorMove) -> bool {
        to.read.is_some_and(|read| read > self.read) || to.delivered.is_some_and(|delivered| delivered > self.delivered)
    }
}

/// Checks a move of the actor's own cursors. Values past the head are cut to it when they are written.
pub fn check_cursors(facts: &RoomFacts, to: CursorMove) -> Result<Changes, Refusal> {
    facts.joined()?;
    if !facts.cursors.would_move(to) {
        return Ok(Changes::default());
    }
    let expect = Expectation { version: facts.room.version, reactions: None };
    Ok(Changes { cursors: Some(to), expect, ..Changes::default() })
}
