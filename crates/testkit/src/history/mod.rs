//! What clients did and saw, and whether it can be true.
//!
//! A history is what black-box clients wrote down while they used a server: every call with its time and outcome, every
//! push, every page they read; and, after the faults have stopped, all that each device sees in the end. [`check`] reads it
//! offline and says which promise was broken, with the records that show it. It knows nothing of the server's insides and
//! of its protocol.

mod calls;
mod check;
mod ends;
mod sight;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use check::{Invariant, Violation, check, excerpt};

/// Microseconds since the history began.
pub type Micros = u64;

/// Everything that was written down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct History {
    /// In the order in which each device wrote them; those of different devices in any order.
    pub records: Vec<Record>,
    /// What each device sees in the end. Every room needs one that was in it all the time.
    pub ends: Vec<End>,
    /// Texts of deleted messages that were found in the files of the server after it was stopped: text and file.
    pub leftovers: Vec<(String, String)>,
}

/// A device of a user, by a number that is never used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Device {
    /// The user.
    pub user: String,
    /// Which of the user's devices.
    pub number: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.user, self.number)
    }
}

/// Something that a device did or saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub device: Device,
    /// Which of the device's connections.
    pub connection: u32,
    /// When it began.
    pub start: Micros,
    /// When it was over: the answer was there, or given up.
    pub end: Micros,
    /// What it was.
    pub what: What,
}

/// What a device did or saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum What {
    /// It asked for something to be done.
    Call {
        /// Where.
        room: String,
        /// The id under which it may be asked again.
        client_id: Option<String>,
        /// What.
        op: Op,
        /// What came of it.
        outcome: Outcome,
    },
    /// It was connected, and told what changed since a commit.
    Connected {
        /// Since when.
        since: u64,
        /// Rooms that were told: what the user is there, and the head.
        rooms: BTreeMap<String, (State, u64)>,
        /// Up to which commit.
        commit: u64,
        /// Their last messages.
        last: Vec<Seen>,
    },
    /// The server told it to sync, because something could not be pushed.
    Resync,
    /// An event was pushed.
    Pushed(Seen),
    /// Somebody's cursors were pushed.
    CursorPushed {
        /// Where.
        room: String,
        /// Whose.
        user: String,
        /// To where.
        cursors: Cursors,
    },
    /// It read the newest events of a room.
    Read {
        /// Where.
        room: String,
        /// The head of the moment, as the server said.
        head: u64,
        /// What there was, oldest first.
        events: Vec<Seen>,
    },
}

/// Something that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Make a room.
    Create,
    /// Say something. Every text is used once.
    Send {
        /// What.
        text: String,
    },
    /// Say it otherwise. Every text is used once.
    Edit {
        /// Which message.
        target: u64,
        /// What.
        text: String,
    },
    /// Delete a message.
    Redact {
        /// Which message.
        target: u64,
    },
    /// React to a message.
    React {
        /// Which message.
        target: u64,
        /// By what, all of it.
        keys: Vec<String>,
    },
    /// Invite somebody.
    Invite {
        /// Whom.
        user: String,
    },
    /// Join.
    Join,
    /// Leave.
    Leave,
    /// Remove somebody.
    Remove {
        /// Whom.
        user: String,
    },
    /// Move the own cursors.
    Cursor {
        /// What is read.
        read: u64,
    },
    /// End another device of the same user.
    Revoke {
        /// Its number.
        number: u32,
    },
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done.
    Done {
        /// The event, or the head if nothing was written.
        seq: u64,
        /// The commit after which it can be seen.
        commit: u64,
        /// Whether it was done before.
        duplicate: bool,
    },
    /// It was refused for good.
    Refused {
        /// The code.
        code: String,
    },
    /// It may have been done or not: no answer, or one that says so.
    Unknown,
}

/// An event as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The room.
    pub room: String,
    /// Its number there.
    pub seq: u64,
    /// The commit that wrote it.
    pub commit: u64,
    /// Who caused it.
    pub sender: String,
    /// The id under which it was asked for; told to the sender's devices.
    pub client_id: Option<String>,
    /// What it is.
    pub body: Body,
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// The room came to be.
    Created,
    /// Its settings changed.
    Settings,
    /// A membership changed.
    Member {
        /// Whose.
        user: String,
        /// From now on.
        state: State,
    },
    /// A message, as it is at the moment of looking.
    Message {
        /// What it says; `None` if it is deleted.
        text: Option<String>,
    },
    /// A message says something else.
    Edit {
        /// Which.
        target: u64,
        /// What; `None` if it is deleted.
        text: Option<String>,
    },
    /// A message was deleted.
    Redaction {
        /// Which.
        target: u64,
    },
    /// A user's reactions on a message.
    Reaction {
        /// Which.
        target: u64,
        /// All of them.
        keys: Vec<String>,
    },
}

/// What a user is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Asked to join.
    Invited,
    /// In.
    Joined,
    /// Out.
    Left,
}

/// How far a user has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// What has reached a device.
    pub delivered: u64,
    /// What was read.
    pub read: u64,
    /// Messages up to there.
    pub read_messages: u64,
}

/// What a device sees in the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Which device.
    pub device: Device,
    /// The rooms it is joined in or invited to.
    pub rooms: BTreeMap<String, EndRoom>,
}

/// A room as a device sees it in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRoom {
    /// What the user is there.
    pub state: State,
    /// The last seq.
    pub head: u64,
    /// Messages up to the head.
    pub messages: u64,
    /// Messages that the user has not read.
    pub unread: u64,
    /// The user's cursors.
    pub cursors: Cursors,
    /// Who is in the room, as what.
    pub members: BTreeMap<String, State>,
    /// All events that can be read, oldest first.
    pub events: Vec<Seen>,
}
