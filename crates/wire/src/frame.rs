//! WebSocket frames: one JSON object per text frame.
//!
//! A client sends `{"id": 7, "op": "message.send", "params": {…}}` and gets `{"id": 7, "result": {…}}` or
//! `{"id": 7, "error": {problem}}`. What happens elsewhere comes as `{"push": "event", …}`. The first request must be
//! `connect`; the server closes a connection that hasn't sent it within 10 s.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CreateRoom, Cursors, DeleteMessage, EditMessage, Event, EventRange, MemberRange, MemberRef, OpenDirect,
    PasswordChange, Plain, Presence, PresenceWatch, Problem, ProfileUpdate, RoomRange, SendMessage, SetCursors,
    SetLevel, SetReactions, SetTyping, StatisticsRange, SyncAnswer, SyncRequest, UpdateRoom, UserSearch,
};

/// Parameters of an operation in a room.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InRoom<T> {
    /// The room's id.
    pub room: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: T,
}

/// Parameters of an operation on a message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OnMessage<T> {
    /// The room's id.
    pub room: String,
    /// Seq of the message.
    pub seq: u64,
    /// The rest.
    #[serde(flatten)]
    pub rest: T,
}

/// Parameters of an operation on a member.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OnMember<T> {
    /// The room's id.
    pub room: String,
    /// The member's user id.
    pub user: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: T,
}

/// Authenticates the connection and starts the flow of pushes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Connect {
    /// An access token.
    pub token: String,
    /// If given, the answer holds what changed since this commit (0: everything), with no gap to the pushes that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// Answer to `connect`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Connected {
    /// Who is connected.
    pub user: String,
    /// By which device.
    pub device: String,
    /// When the token ends; send `token.renew` with a new one before, or the server closes with 4401.
    pub expires_at: i64,
    /// Which history seqs and commits are of. If it is not that of what the client has kept, the server was restored from a
    /// backup: drop what is kept (not what is still to be sent) and `sync` from 0.
    pub epoch: String,
    /// How often the client should send `ping` when it has nothing else to send, in milliseconds.
    pub ping_interval_ms: u32,
    /// What changed, if `since` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncAnswer>,
}

/// Goes on with a new access token of the same device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RenewToken {
    /// The new access token.
    pub token: String,
}

/// Answer to `token.renew`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Renewed {
    /// When the new token ends.
    pub expires_at: i64,
}

/// Names a device of one's own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceRef {
    /// The device's id.
    pub device: String,
}

/// Names a user.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserRef {
    /// The user's id.
    pub user: String,
}

/// Nothing to say.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Nothing {}

/// A request frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// Chosen by the client, comes back in the response.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
}

/// The operations, by `op`. Each but the first three is also a REST call of the same meaning; registering, signing in and
/// refreshing tokens, which come before a connection, and the documents of the server are REST calls only.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "op", content = "params")]
pub enum Operation {
    /// → `Connected`. Must come first.
    #[serde(rename = "connect")]
    Connect(Connect),
    /// → `Renewed`
    #[serde(rename = "token.renew")]
    TokenRenew(RenewToken),
    /// → `Nothing`
    #[serde(rename = "ping")]
    Ping(Nothing),
    /// → `SyncAnswer`
    #[serde(rename = "sync")]
    Sync(SyncRequest),
    /// → `Nothing`. The connection ends after it.
    #[serde(rename = "auth.logout")]
    Logout(Nothing),
    /// → `Nothing`
    #[serde(rename = "auth.password")]
    PasswordChange(PasswordChange),
    /// → `Me`
    #[serde(rename = "me.get")]
    MeGet(Nothing),
    /// → `Me`
    #[serde(rename = "me.update")]
    MeUpdate(ProfileUpdate),
    /// → `DeviceList`
    #[serde(rename = "device.list")]
    DeviceList(Nothing),
    /// → `Nothing`
    #[serde(rename = "device.revoke")]
    DeviceRevoke(DeviceRef),
    /// → `User`
    #[serde(rename = "user.get")]
    UserGet(UserRef),
    /// → `UserPage`
    #[serde(rename = "user.search")]
    UserSearch(UserSearch),
    /// → `PresenceList`
    #[serde(rename = "presence.watch")]
    PresenceWatch(PresenceWatch),
    /// → `RoomPage`
    #[serde(rename = "room.list")]
    RoomList(RoomRange),
    /// → `Room`
    #[serde(rename = "room.create")]
    RoomCreate(CreateRoom),
    /// → `Room`
    #[serde(rename = "room.direct")]
    RoomDirect(OpenDirect),
    /// → `Room`
    #[serde(rename = "room.get")]
    RoomGet(InRoom<Nothing>),
    /// → `Receipt`
    #[serde(rename = "room.update")]
    RoomUpdate(InRoom<UpdateRoom>),
    /// → `Receipt`
    #[serde(rename = "room.join")]
    RoomJoin(InRoom<Plain>),
    /// → `Receipt`
    #[serde(rename = "room.leave")]
    RoomLeave(InRoom<Plain>),
    /// → `MemberPage`
    #[serde(rename = "member.list")]
    MemberList(InRoom<MemberRange>),
    /// → `Receipt`
    #[serde(rename = "member.invite")]
    MemberInvite(InRoom<MemberRef>),
    /// → `Receipt`
    #[serde(rename = "member.remove")]
    MemberRemove(OnMember<Plain>),
    /// → `Receipt`
    #[serde(rename = "member.level")]
    MemberLevel(OnMember<SetLevel>),
    /// → `EventPage`
    #[serde(rename = "event.list")]
    EventList(InRoom<EventRange>),
    /// → `Receipt`
    #[serde(rename = "message.send")]
    MessageSend(InRoom<SendMessage>),
    /// → `Receipt`
    #[serde(rename = "message.edit")]
    MessageEdit(OnMessage<EditMessage>),
    /// → `Receipt`
    #[serde(rename = "message.delete")]
    MessageDelete(OnMessage<DeleteMessage>),
    /// → `Receipt`
    #[serde(rename = "reaction.set")]
    ReactionSet(OnMessage<SetReactions>),
    /// → `Cursors`
    #[serde(rename = "cursor.set")]
    CursorSet(InRoom<SetCursors>),
    /// → `CursorList`
    #[serde(rename = "cursor.list")]
    CursorList(InRoom<Nothing>),
    /// → `Nothing`
    #[serde(rename = "typing.set")]
    TypingSet(InRoom<SetTyping>),
    /// → `StatisticsList`
    #[serde(rename = "statistics.get")]
    StatisticsGet(StatisticsRange),
}

/// A response frame: exactly one of `result` and `error`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Response {
    /// The request's id; 0 if the request could not be read that far.
    pub id: u64,
    /// The answer, see `Operation` for its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// A frame that the server sends by itself, by `push`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "push", rename_all = "snake_case")]
pub enum Push {
    /// A new entry of a room's log. In one room they come by ascending seq; a gap means: read `event.list` after the last.
    Event {
        /// The event.
        event: Event,
    },
    /// Somebody's cursors moved (own ones too, from any device).
    Cursor {
        /// Where.
        room: String,
        /// Whose.
        user: String,
        /// How far now.
        cursors: Cursors,
        /// The commit that wrote it.
        commit: u64,
    },
    /// Somebody types or has stopped; ends by itself after 6 s.
    Typing {
        /// Where.
        room: String,
        /// Who.
        user: String,
        /// Whether.
        typing: bool,
    },
    /// Somebody watched came or went.
    Presence {
        /// Who and how.
        presence: Presence,
    },
    /// The client was too slow and its queue was dropped: `sync` from the last known commit.
    Resync,
    /// The server is about to stop: come back after this time, and to `url` if given.
    Draining {
        /// When to reconnect, milliseconds from now (already spread over the clients).
        reconnect_after_ms: u32,
    },
}

/// Close code: the first frame did not authenticate, or the token ended or was revoked.
pub const CLOSE_UNAUTHENTICATED: u16 = 4401;
/// Close code: a frame was too large or not what the protocol says.
pub const CLOSE_PROTOCOL: u16 = 4400;
/// Close code: too fast for too long, or too many pings or sessions.
pub const CLOSE_TOO_FAST: u16 = 4429;
