//! The port: units of work that go in, rows that come out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AccountChange, App, AppId, Changes, ClientId, CommitNumber, Cursors, Device, DeviceId, Edit, Entry, Event,
    EventKind, Head, Member, MemberState, PasswordHash, Room, RoomId, Seq, SeqRange, Target, Timestamp, User, UserId,
};
use smol_str::SmolStr;
use thiserror::Error;
use tokio::sync::mpsc;

/// Commits that may wait in the feed before the writer waits for its reader.
pub const FEED_COMMITS_MAX: usize = 1024;
/// Bytes of content after which a read of entries goes on with no further range.
pub const READ_BYTES_MAX: usize = 512 * 1024;
/// Commits whose events are counted in one call.
pub const TALLY_COMMITS_MAX: usize = 1_024;
/// Events that are counted in one call, about.
pub const TALLY_EVENTS_MAX: u64 = 20_000;
/// Longest word at a character inside a Chinese, Japanese or Korean word, in characters; what is typed to find the inside
/// of a name is shorter.
pub const WORD_SUFFIX_CHARS_MAX: usize = 32;
/// Client ids that are remembered for each device.
pub const WINDOW_ENTRIES_MAX: usize = 256;

/// Why the store failed; nothing of the unit is written (or, after `Unavailable` of a commit, it is unknown whether it is).
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// It can't write at the moment (disk full, fsync failed, shut down).
    #[error("storage is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// The data is not what it must be.
    #[error("stored data is damaged: {0}")]
    Damaged(Arc<str>),
}

/// One atomic piece of work.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The app it belongs to.
    pub app: AppId,
    /// When it was accepted.
    pub at: Timestamp,
    /// What to write.
    pub work: Work,
}

/// What a unit writes.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and is moved twice")]
pub enum Work {
    /// Changes of a room.
    Room(RoomWork),
    /// Changes of accounts, all or nothing, in order.
    Account(Vec<AccountChange>),
    /// A follower's step: its effects and its cursor together.
    Follower(FollowerStep),
}

/// Changes of a room by an actor.
#[derive(Debug, Clone)]
pub struct RoomWork {
    /// The room.
    pub room: RoomId,
    /// Who.
    pub actor: UserId,
    /// By which device.
    pub device: DeviceId,
    /// The device's own id for the command; a repeat is answered with the first receipt. It stands on the
    /// first event.
    pub client_id: Option<ClientId>,
    /// What the command was, to tell a repeat from a mix-up.
    pub fingerprint: u64,
    /// What to write.
    pub changes: Changes,
}

/// How far a follower has come, and what it counted on the way.
#[derive(Debug, Clone)]
pub struct FollowerStep {
    /// The follower's name.
    pub name: &'static str,
    /// The commit it had reached before; if the store knows another one, it is a conflict.
    pub from: CommitNumber,
    /// The commit it has reached.
    pub to: CommitNumber,
    /// Amounts to add to counters, by (day since 1970, name).
    pub counts: BTreeMap<(u32, SmolStr), u64>,
}

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written and durable.
    Done(Receipt),
    /// A repeat: the receipt of the first time. Nothing is written.
    Duplicate(Receipt),
    /// The client id was used for another command. Nothing is written.
    ClientIdReused,
    /// The work has a client id and its device is no device, or not any more: of a device that ended nothing is remembered, so
    /// a repeat that was let in just before its end would be written a second time. Nothing is written.
    DeviceEnded,
    /// The world is not as the unit supposes (see [`domain::Expectation`], [`AccountChange`]). Nothing is written.
    Conflict,
}

/// Where a unit was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The room, for room work.
    pub room: Option<RoomId>,
    /// Seq of the first event written; the head if none was.
    pub seq: Seq,
    /// The commit.
    pub commit: CommitNumber,
}

/// One commit, as the feed tells it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The app.
    pub app: AppId,
    /// Its number.
    pub number: CommitNumber,
    /// New events; in each room ascending.
    pub events: Vec<Arc<Event>>,
    /// Cursors that moved, as they are now.
    pub cursors: Vec<MovedCursors>,
    /// Devices that ended.
    pub revoked: Vec<DeviceId>,
    /// Users whose profile or state changed.
    pub users: Vec<UserId>,
}

/// Cursors that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedCursors {
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub user: UserId,
    /// How far now.
    pub cursors: Cursors,
}

/// One line of the commit journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The commit.
    pub commit: CommitNumber,
    /// When it was written.
    pub at: Timestamp,
    /// The new events by room.
    pub rooms: Vec<(RoomId, SeqRange)>,
}

/// How many events one commit wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The commit.
    pub commit: CommitNumber,
    /// When it was written.
    pub at: Timestamp,
    /// Events by kind, without zeros.
    pub events: BTreeMap<EventKind, u64>,
}

/// Some commits' events, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// One for every commit, in order.
    pub commits: Vec<Tally>,
    /// Whether there are later ones.
    pub more: bool,
}

/// A room with what some users are in it, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSnapshot {
    /// The room.
    pub room: Room,
    /// Where its log ends.
    pub head: Head,
    /// The users asked for, in the order asked.
    pub members: Vec<Option<Membership>>,
}

/// A member and their cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The member.
    pub member: Member,
    /// Their cursors.
    pub cursors: Cursors,
}

/// A room in a user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRoom {
    /// The room.
    pub room: Room,
    /// Where its log ends.
    pub head: Head,
    /// The user in it.
    pub me: Membership,
    /// The last message of the log.
    pub last_message: Option<Entry>,
    /// The other user of a direct room.
    pub peer: Option<Membership>,
}

/// Which members of a room, or rooms of a user, are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberFilter {
    /// Those who are invited or joined.
    Present,
    /// Those who are joined.
    Joined,
}

impl MemberFilter {
    /// Whether members of this state are asked for.
    pub fn takes(self, state: MemberState) -> bool {
        match self {
            MemberFilter::Present => state != MemberState::Left,
            MemberFilter::Joined => state == MemberState::Joined,
        }
    }
}

/// A place in the list of users that a search finds, right after one of them. It is good for the same query only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserPlace {
    /// The word by which the user was found; empty when all users are listed.
    pub word: SmolStr,
    /// The user.
    pub user: UserId,
}

impl UserPlace {
    /// The place of a text that its `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, user) = text.rsplit_once('/').unwrap_or(("", text));
        Some(Self { word: word.into(), user: UserId::new(user).ok()? })
    }
}

impl fmt::Display for UserPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.word.is_empty() { "" } else { "/" };
        write!(f, "{}{separator}{}", self.word, self.user)
    }
}

/// Users that a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundUsers {
    /// The users.
    pub users: Vec<User>,
    /// Where to go on, if there may be more.
    pub next: Option<UserPlace>,
}

/// What changed for a user since a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The rooms, oldest change first (see [`Store::changed_rooms`]).
    pub rooms: Vec<ListedRoom>,
    /// Everything up to this commit is told.
    pub commit: CommitNumber,
    /// Whether there is more after it.
    pub more: bool,
}

/// The database, as the engine sees it. Every call works inside one app.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes a unit and answers once it is durable. Units that wait at the same time are written together, in the order
    /// in which their futures were first polled.
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError>;

    /// The outcome of an earlier command of the device with this client id ([`Outcome::Duplicate`] or
    /// [`Outcome::ClientIdReused`]), if it is remembered. Writes nothing. For answers to repeats that would be refused now.
    ///
    /// Of a message or edit whose text is deleted no fingerprint is kept: whatever has its client id is a repeat then. Of
    /// devices that ended nothing is remembered.
    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError>;

    /// The commits of this process from now on, in order. There is one reader: a second call gives `None`.
    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>>;

    /// Which history this is: a random text, made with the store and made anew when it is restored from a backup. After a
    /// restore, numbers are given out again that clients may have seen with other content, so what they know of another
    /// epoch is worth nothing.
    async fn epoch(&self) -> Result<SmolStr, StoreError>;

    /// All apps, by id.
    async fn apps(&self) -> Result<Vec<App>, StoreError>;

    /// The last commit of an app.
    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError>;

    /// The users of these ids that exist, by id.
    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError>;

    /// Users whose id, or a word of whose display name, begins with `query` (case folded), after `after`: in the order of
    /// the first such word and then of the id, each user once. With an empty query all users, by id.
    ///
    /// Words are divided by white space, and again by punctuation; Chinese, Japanese and Korean have a word at each
    /// character, of [`WORD_SUFFIX_CHARS_MAX`] characters at most.
    ///
    /// At most `limit` users (1 or more). The work is in proportion to it, so there may be fewer, or none, and still a place
    /// to go on from.
    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError>;

    /// A user's password.
    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// Whether the app has an administrator who is not disabled.
    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError>;

    /// A device that is not revoked.
    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError>;

    /// A user's devices, newest first.
    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError>;

    /// A room with what these users are in it.
    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError>;

    /// The direct room of a pair (in either order).
    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError>;

    /// Members of a room, by user id, after `after`.
    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError>;

    /// Ids of the rooms that a user is joined in, or also of those they are invited to; and the last commit of the same moment.
    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError>;

    /// Those of `others` that are joined in a room together with the user, in the order given; all of one moment.
    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError>;

    /// What checks need to know of an event as a target; `None` if there is no such seq.
    async fn target(&self, app: &AppId, room: &RoomId, seq: Seq, viewer: &UserId)
    -> Result<Option<Target>, StoreError>;

    /// The events of these ranges (apart, each ascending), with what has become of them, as the viewer (if any) sees it;
    /// and the room's head of the same moment.
    ///
    /// The ranges are read in the order given. Once [`READ_BYTES_MAX`] bytes of content have been read no further range
    /// is; a range that was begun is given whole.
    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError>;

    /// The last edit of a message among those that stand in these ranges: for who may not see the last of all.
    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError>;

    /// The rooms of a user that changed after `since`: joined ones by new events or moved cursors of the user (or of the
    /// peer of a direct room), others by a change of the membership itself. With `since` 0 the rooms left are not told.
    ///
    /// At most about `limit` rooms, oldest change first; rooms changed by one commit are never divided.
    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError>;

    /// The journal after a commit: every commit, those that wrote no events with no rooms.
    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError>;

    /// The events after a commit, counted: of [`TALLY_COMMITS_MAX`] commits at most, and of none after those that wrote
    /// [`TALLY_EVENTS_MAX`] events together.
    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError>;

    /// How far a follower has come.
    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError>;

    /// Counters of the statistics follower, from a day on (days since 1970), by day and name.
    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError>;

    /// Whether writing works, as far as is known. False for some seconds after a write that failed, unless one has
    /// succeeded since: who asks it to take a server out of use must let it be tried again.
    fn is_writable(&self) -> bool {
        true
    }

    /// Writes what is waiting and closes; later commits are `Unavailable`.
    async fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_as_they_were_written() {
        for (word, text) in [("", "ann"), ("lee", "lee/ann"), ("a/b", "a/b/ann"), ("小明", "小明/ann")] {
            let place = UserPlace { word: word.into(), user: UserId::new("ann").unwrap() };
            assert_eq!(place.to_string(), text);
            assert_eq!(UserPlace::parse(text), Some(place));
        }
        for wrong in ["", "lee/", "LEE", "lee/ANN"] {
            assert_eq!(UserPlace::parse(wrong), None, "{wrong}");
        }
    }
}
