//! Events: the entries of room logs.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::{
    ClientId, CommitNumber, Content, Level, MemberState, RoomId, RoomKind, RoomSettings, Seq, SettingsChange,
    Timestamp, UserId,
};

/// One entry of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The room.
    pub room: RoomId,
    /// Place in the room's log.
    pub seq: Seq,
    /// The commit that wrote it.
    pub commit: CommitNumber,
    /// When it was accepted.
    pub at: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// The sender's own id for it.
    pub client_id: Option<ClientId>,
    /// How many messages the room has up to and with this event.
    pub number: u64,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// The room came to be; always seq 1.
    Created {
        /// Direct or group.
        kind: RoomKind,
        /// The first settings.
        settings: RoomSettings,
    },
    /// Settings changed.
    Settings(SettingsChange),
    /// A member's state or level changed.
    Member {
        /// Whose.
        user: UserId,
        /// From now on.
        state: MemberState,
        /// From now on.
        level: Level,
    },
    /// A message.
    Message {
        /// What it says; `None` once it is redacted.
        content: Option<Content>,
        /// The message it answers.
        reply_to: Option<Seq>,
        /// The event that redacted it.
        redacted_by: Option<Seq>,
    },
    /// A message got new content.
    Edit {
        /// The message.
        target: Seq,
        /// What it says now; `None` once the message is redacted.
        content: Option<Content>,
    },
    /// A message was deleted.
    Redaction {
        /// The message.
        target: Seq,
        /// Why, if said.
        reason: Option<SmolStr>,
    },
    /// A user's set of reactions on a message changed.
    Reaction {
        /// The message.
        target: Seq,
        /// The user's whole set from now on.
        keys: BTreeSet<SmolStr>,
        /// The set until now.
        previous: BTreeSet<SmolStr>,
    },
}

/// What an event is, for those who count events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A room came to be.
    Created,
    /// Its settings changed.
    Settings,
    /// A member joined, or got another level.
    Joined,
    /// Somebody was invited.
    Invited,
    /// A member left or was removed.
    Left,
    /// A message.
    Message,
    /// A message got new content.
    Edit,
    /// A message was deleted.
    Redaction,
    /// A user's set of reactions on a message changed.
    Reaction,
}

impl EventBody {
    /// What it is.
    pub fn kind(&self) -> EventKind {
        match self {
            EventBody::Created { .. } => EventKind::Created,
            EventBody::Settings(_) => EventKind::Settings,
            EventBody::Member { state: MemberState::Joined, .. } => EventKind::Joined,
            EventBody::Member { state: MemberState::Invited, .. } => EventKind::Invited,
            EventBody::Member { state: MemberState::Left, .. } => EventKind::Left,
            EventBody::Message { .. } => EventKind::Message,
            EventBody::Edit { .. } => EventKind::Edit,
            EventBody::Redaction { .. } => EventKind::Redaction,
            EventBody::Reaction { .. } => EventKind::Reaction,
        }
    }

    /// A message that is not redacted.
    pub fn message(content: Content, reply_to: Option<Seq>) -> Self {
        EventBody::Message { content: Some(content), reply_to, redacted_by: None }
    }

    /// How many bytes of content it holds.
    pub fn content_bytes(&self) -> usize {
        match self {
            EventBody::Message { content, .. } | EventBody::Edit { content, .. } => {
                content.as_ref().map_or(0, Content::bytes)
            }
            EventBody::Created { .. }
            | EventBody::Settings(_)
            | EventBody::Member { .. }
            | EventBody::Redaction { .. }
            | EventBody::Reaction { .. } => 0,
        }
    }

    /// Whether it counts as a message (for `number` and unread).
    pub fn is_message(&self) -> bool {
        matches!(self, EventBody::Message { .. })
    }

    /// Whether facts that checks read are changed by it: then the room's version grows.
    pub fn changes_facts(&self) -> bool {
        match self {
            EventBody::Created { .. }
            | EventBody::Settings(_)
            | EventBody::Member { .. }
            | EventBody::Redaction { .. } => true,
            EventBody::Message { .. } | EventBody::Edit { .. } | EventBody::Reaction { .. } => false,
        }
    }

    /// The message it points at, if it does.
    pub fn target(&self) -> Option<Seq> {
        match self {
            EventBody::Edit { target, .. }
            | EventBody::Redaction { target, .. }
            | EventBody::Reaction { target, .. } => Some(*target),
            EventBody::Created { .. }
            | EventBody::Settings(_)
            | EventBody::Member { .. }
            | EventBody::Message { .. } => None,
        }
    }
}

/// An event with what has become of it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event; a redacted message has lost its content.
    pub event: Event,
    /// The last edit of a message.
    pub edit: Option<Edit>,
    /// Reactions on a message as they are now, most used first.
    pub reactions: Vec<ReactionCount>,
}

/// The last edit of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The edit event.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What the message says now.
    pub content: Content,
}

/// One kind of reaction on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactionCount {
    /// Usually an emoji.
    pub key: SmolStr,
    /// How many users have it.
    pub count: u32,
    /// Whether the viewer is one of them.
    pub mine: bool,
}

impl Entry {
    /// An event of which nothing has become yet.
    pub fn fresh(event: Event) -> Self {
        Self { event, edit: None, reactions: Vec::new() }
    }

    /// How many bytes of content it holds, with those of its last edit.
    pub fn content_bytes(&self) -> usize {
        self.event.body.content_bytes() + self.edit.as_ref().map_or(0, |edit| edit.content.bytes())
    }

    /// What the message says now, if it is one and is not redacted.
    pub fn content(&self) -> Option<&Content> {
        match (&self.event.body, &self.edit) {
            (EventBody::Message { content: None, .. }, _) => None,
            (EventBody::Message { .. }, Some(edit)) => Some(&edit.content),
            (EventBody::Message { content, .. }, None) => content.as_ref(),
            _ => None,
        }
    }
}
