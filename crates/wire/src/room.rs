//! Rooms, members, cursors.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Event, RoomSettings, User};

/// Kind of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Two people, one room per pair.
    Direct,
    /// Any number of people.
    Group,
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinRule {
    /// Who was invited.
    Invite,
    /// Everybody in the app.
    Open,
}

/// Who may read what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryVisibility {
    /// Members, from when they joined.
    Joined,
    /// Members, from when they were invited.
    Invited,
    /// Members, everything.
    Members,
    /// Everybody in the app, everything.
    Anyone,
}

/// State of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// Asked to join, hasn't yet.
    Invited,
    /// In the room.
    Joined,
    /// Was in the room or declined.
    Left,
}

/// The level (0 to 100) that each action needs. Presets: reader 0, member 10, moderator 50, admin 90, owner 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Levels {
    /// Send messages, edit own ones.
    pub send: u8,
    /// Set reactions.
    pub react: u8,
    /// Invite users.
    pub invite: u8,
    /// Remove members of a lower level.
    pub remove: u8,
    /// Delete others' messages.
    pub redact: u8,
    /// Change settings.
    pub settings: u8,
    /// Change levels, up to one's own.
    pub levels: u8,
}

/// A room as one user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The id, immutable.
    pub id: String,
    /// Direct or group.
    pub kind: RoomKind,
    /// All settings.
    pub settings: RoomSettings,
    /// When it was created.
    pub created_at: i64,
    /// How many users are in it (joined).
    pub members: u32,
    /// Seq of the last event the asker may see (0: none).
    pub head: u64,
    /// Number of messages up to `head`.
    pub messages: u64,
    /// The commit of the last change of the room or of the asker's cursors in it.
    pub commit: u64,
    /// The last message the asker may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Event>,
    /// The asker's membership; absent if there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub me: Option<Membership>,
    /// The asker's cursors.
    pub cursors: Cursors,
    /// `messages` − `cursors.read_messages` for a joined member, else 0.
    pub unread: u64,
    /// Direct rooms: the other user and their cursors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
    /// Whether delivery and read cursors of members are shared here (small rooms).
    pub receipts: bool,
}

/// The asker's own membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// Invited, joined or left.
    pub state: MemberState,
    /// 0 to 100.
    pub level: u8,
    /// Who invited, while invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
}

/// How far a user has got in a room. Moves only forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cursors {
    /// Everything up to this seq has reached a device.
    pub delivered: u64,
    /// Everything up to this seq has been read.
    pub read: u64,
    /// How many messages there are up to `read`.
    pub read_messages: u64,
}

/// The other user of a direct room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// Who.
    pub user: User,
    /// How far they have got.
    pub cursors: Cursors,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who.
    pub user: User,
    /// Invited or joined; left ones are not listed.
    pub state: MemberState,
    /// 0 to 100.
    pub level: u8,
}

/// Which page of the own rooms.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RoomRange {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of the own rooms.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoomPage {
    /// Rooms that the asker is in or invited to, oldest change first.
    pub rooms: Vec<Room>,
    /// Profiles of the users named in the rooms.
    pub users: Vec<User>,
    /// Opaque cursor of the next page, absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which members to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberRange {
    /// At most this many, 1 to 500; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of members.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MemberPage {
    /// By user id.
    pub members: Vec<Member>,
    /// Opaque cursor of the next page, absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Creates a group. The creator is its owner (level 100); the members named are invited.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateRoom {
    /// Makes a repeat safe, see `SendMessage.client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The id, `[a-z0-9._=-]{1,64}`; absent: the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The first settings; absent ones are: join by invitation, history for members, levels send 10, react 10, invite 10,
    /// remove 50, redact 50, settings 50, levels 90.
    #[serde(default)]
    pub settings: RoomSettings,
    /// User ids to invite, at most 500.
    #[serde(default)]
    pub invite: Vec<String>,
}

/// Opens the direct room with a user: finds it or creates it, one per pair.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenDirect {
    /// The other user.
    pub user: String,
}

/// Changes settings.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UpdateRoom {
    /// Makes a repeat safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What changes.
    pub settings: RoomSettings,
}

/// Names a member: to invite or to remove.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MemberRef {
    /// Makes a repeat safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Who.
    pub user: String,
}

/// Sets a member's level.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetLevel {
    /// Makes a repeat safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// 0 to 100, at most the asker's own.
    pub level: u8,
}

/// Nothing but the idempotency id: join, leave.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Plain {
    /// Makes a repeat safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Moves the own cursors forward; absent ones stay, smaller values do nothing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct SetCursors {
    /// Everything up to this seq has reached this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// Everything up to this seq has been read (implies delivered).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
}

/// One member's cursors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberCursors {
    /// Whose.
    pub user: String,
    /// How far.
    #[serde(flatten)]
    pub cursors: Cursors,
}

/// Cursors of the joined members (in rooms with receipts; else only the asker's own).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CursorList {
    /// By user id.
    pub cursors: Vec<MemberCursors>,
}

/// Says that the asker is typing, or has stopped.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct SetTyping {
    /// True while typing; repeat at least every 5 s, it ends by itself after 6 s.
    pub typing: bool,
}
