//! Room events and message content.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{HistoryVisibility, JoinRule, Levels, MemberState, RoomKind, User};

/// One entry of a room's log, with what has become of it since (edits, redaction, reactions).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The room.
    pub room: String,
    /// Place in the room's log, dense from 1.
    pub seq: u64,
    /// The commit that wrote it.
    pub commit: u64,
    /// When the server accepted it.
    pub at: i64,
    /// Who caused it.
    pub sender: String,
    /// The sender's own id for it, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened, by `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum EventBody {
    /// The room came to be; always seq 1.
    #[serde(rename = "room.created")]
    RoomCreated {
        /// Direct or group.
        kind: RoomKind,
        /// The first settings.
        settings: RoomSettings,
    },
    /// Settings changed; the fields given are the new values.
    #[serde(rename = "room.updated")]
    RoomUpdated {
        /// What changed.
        settings: RoomSettings,
    },
    /// A member's state or level changed.
    #[serde(rename = "member.updated")]
    MemberUpdated {
        /// Whose.
        user: String,
        /// The state from now on. `left` with `user` ≠ `sender` means: removed.
        state: MemberState,
        /// The level from now on, 0 to 100.
        level: u8,
    },
    /// A message.
    #[serde(rename = "message.created")]
    MessageCreated(Message),
    /// A message got new content.
    #[serde(rename = "message.edited")]
    MessageEdited {
        /// Seq of the message.
        target: u64,
        /// The new content; absent if the message has been deleted since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Content>,
    },
    /// A message was deleted; its content is gone everywhere.
    #[serde(rename = "message.deleted")]
    MessageDeleted {
        /// Seq of the message.
        target: u64,
        /// Why, if said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A user's set of reactions on a message changed.
    #[serde(rename = "reaction.updated")]
    ReactionUpdated {
        /// Seq of the message.
        target: u64,
        /// The user's whole set from now on.
        keys: Vec<String>,
        /// What came in addition.
        added: Vec<String>,
        /// What went away.
        removed: Vec<String>,
    },
}

/// A message: its content as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// How many messages the room had with this one (dense from 1); unread = `room.messages` − `cursors.read_messages`.
    pub number: u64,
    /// The present content; absent once deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Seq of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
    /// The last edit, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// The deletion, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deleted>,
    /// Reactions as they are now, most used first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

/// The last edit of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Edited {
    /// Seq of the `message.edited` event.
    pub seq: u64,
    /// When.
    pub at: i64,
}

/// The deletion of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// Seq of the `message.deleted` event.
    pub seq: u64,
}

/// One kind of reaction on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// Usually an emoji.
    pub key: String,
    /// How many users have it.
    pub count: u32,
    /// Whether the asker is one of them.
    pub mine: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Text, plain or Markdown.
    Text(TextContent),
}

/// Text of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TextContent {
    /// 1 to 16,384 bytes of UTF-8.
    pub text: String,
    /// How to show it; plain when absent.
    #[serde(default)]
    pub format: TextFormat,
    /// Users to call on, at most 50 ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The app's own data, a JSON object of at most 16,384 bytes, kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<serde_json::Map<String, serde_json::Value>>,
}

/// How to show a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// As it is.
    #[default]
    Plain,
    /// As CommonMark.
    Markdown,
}

/// Settings of a room; in changes, absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomSettings {
    /// At most 128 characters; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 1,024 characters; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who may come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_rule: Option<JoinRule>,
    /// Who may read what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryVisibility>,
    /// The level each action needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
}

/// Which part of a room's log to read. At most one of `before`, `after`, `around`; none means: the newest.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventRange {
    /// Events with a smaller seq, nearest first in choice, ascending in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Events with a larger seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Half before, this one, half after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<u64>,
    /// At most this many, 1 to 200; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of a room's log, ascending by seq.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The events the asker may see; seqs outside their membership are skipped.
    pub events: Vec<Event>,
    /// Whether there are visible events before the first.
    pub has_older: bool,
    /// Whether there are visible events after the last.
    pub has_newer: bool,
    /// The room's head when this was read: edits, deletions and reactions up to this seq are already in the events.
    pub as_of: u64,
    /// Profiles of the users named in the events.
    pub users: Vec<User>,
}

/// Sends a message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SendMessage {
    /// The sender's own id for this message, 1 to 64 characters of `[A-Za-z0-9._:=-]`, unique per device: a repeat with the same
    /// id is answered with the first one's receipt. REST may give it as `Idempotency-Key` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What to say.
    pub content: Content,
    /// Seq of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
}

/// Replaces the content of an own message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EditMessage {
    /// As for sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The new content.
    pub content: Content,
}

/// Deletes a message: its content is removed physically, its seq stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteMessage {
    /// As for sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Sets the own reactions on a message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetReactions {
    /// As for sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The whole set, at most 16 keys of 1 to 32 bytes; empty takes all back.
    pub keys: Vec<String>,
}

/// Where an accepted command stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The room.
    pub room: String,
    /// Seq of the (first) event written; the room's head if nothing had to be written.
    pub seq: u64,
    /// The commit that made it durable.
    pub commit: u64,
    /// Whether this is the answer to an earlier command with the same client id.
    pub duplicate: bool,
}
