//! What a command writes: the output of a check, the input of one atomic commit.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::{EventBody, RoomKind, RoomSettings, Seq, UserId};

/// What one command writes to one room, all or nothing. Empty changes mean: it is so already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The room is new; the store refuses with a conflict if its id or its pair exists.
    pub create: Option<NewRoom>,
    /// Events to append, in order, all by the actor. A message moves its sender's cursors to it.
    pub events: Vec<EventBody>,
    /// The actor's cursors to move forward, up to the head at most.
    pub cursors: Option<CursorMove>,
    /// What must still be so when it is written.
    pub expect: Expectation,
}

/// A room to create. Its settings stand in the first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// Direct or group.
    pub kind: RoomKind,
    /// The two users of a direct room, the smaller id first.
    pub pair: Option<[UserId; 2]>,
    /// The first settings.
    pub settings: RoomSettings,
}

/// Cursors to move; forward only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CursorMove {
    /// Everything up to this seq has reached the user.
    pub delivered: Option<Seq>,
    /// Everything up to this seq has been read.
    pub read: Option<Seq>,
}

/// What a check relied on. If it is no longer so at commit time, the commit is a conflict and writes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The room's version (ignored for a room to be created).
    pub version: u64,
    /// The actor's reactions on a message.
    pub reactions: Option<(Seq, BTreeSet<SmolStr>)>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.create.is_none() && self.events.is_empty() && self.cursors.is_none()
    }

    pub(crate) fn event(version: u64, event: EventBody) -> Self {
        Self { events: vec![event], expect: Expectation { version, reactions: None }, ..Self::default() }
    }
}
