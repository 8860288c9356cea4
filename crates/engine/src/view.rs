//! What queries answer: the domain's things, cut to what the actor may see.

use domain::{CommitNumber, Cursors, Device, Entry, Member, Room, Seq, Timestamp, User, UserId};

/// A room as the actor sees it.
#[derive(Debug, Clone)]
pub struct RoomView {
    /// The room.
    pub room: Room,
    /// Seq of the last event the actor may see.
    pub head: Seq,
    /// Number of messages up to the head.
    pub messages: u64,
    /// The commit of the last change that concerns the actor.
    pub commit: CommitNumber,
    /// The last message, if the actor may see it.
    pub last_message: Option<Entry>,
    /// The actor in the room.
    pub me: Option<Member>,
    /// The actor's cursors.
    pub cursors: Cursors,
    /// Messages after the read cursor, while joined.
    pub unread: u64,
    /// The other user of a direct room.
    pub peer: Option<(User, Cursors)>,
}

/// Answer to [`crate::Sync`].
#[derive(Debug, Clone)]
pub struct SyncView {
    /// Everything up to this commit is told.
    pub commit: CommitNumber,
    /// The rooms, oldest change first.
    pub rooms: Vec<RoomView>,
    /// Whether there is more.
    pub more: bool,
    /// Profiles of the users named.
    pub users: Vec<User>,
}

/// Answer to [`crate::History`].
#[derive(Debug, Clone)]
pub struct HistoryView {
    /// The events, ascending.
    pub entries: Vec<Entry>,
    /// Whether there is more before.
    pub has_older: bool,
    /// Whether there is more after.
    pub has_newer: bool,
    /// The room's head when it was read.
    pub as_of: Seq,
    /// Profiles of the users named.
    pub users: Vec<User>,
}

/// A page, and where the next begins.
#[derive(Debug, Clone)]
pub struct Page<T, Place = UserId> {
    /// What is on it.
    pub items: Vec<T>,
    /// The place after which there may be more: the last user id on it, if nothing else is said.
    pub next: Option<Place>,
}

/// A member with their profile.
#[derive(Debug, Clone)]
pub struct MemberView {
    /// The profile.
    pub user: User,
    /// The member.
    pub member: Member,
}

/// The actor's own account.
#[derive(Debug, Clone)]
pub struct MeView {
    /// The profile.
    pub user: User,
    /// The device that asks.
    pub device: Device,
}

/// Whether a user is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceView {
    /// Who.
    pub user: UserId,
    /// Whether at least one device is connected.
    pub online: bool,
    /// When the last one went away, if it is known.
    pub last_seen_at: Option<Timestamp>,
}
