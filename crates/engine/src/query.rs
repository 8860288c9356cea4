//! Queries: what an actor may read. Each query is a type that knows its answer.

use std::collections::BTreeSet;

use domain::{
    Actor, AppId, CommitNumber, Cursors, Cut, Device, Entry, EventBody, Member, MemberState, RECEIPTS_MEMBERS_MAX,
    Refusal, RoomId, RoomSettings, Seq, SeqRange, User, UserId, nearest_first, page_ranges, visible_ranges,
};
use planted::{Bug, planted, planted_each};
use storage::{Changed, ListedRoom, MemberFilter, Membership, RoomSnapshot};

pub use storage::UserPlace;

pub use crate::statistics::Statistics;
use crate::{Engine, EngineError, HistoryView, MeView, MemberView, Page, PresenceView, RoomView, SyncView};

/// Rooms told in one answer to a sync, about.
const SYNC_ROOMS_MAX: usize = 200;
/// Bytes of last messages in one answer to a sync, after which it ends.
const SYNC_BYTES_MAX: usize = 512 * 1024;
/// Events of a page of history that are read together; a page that gets too large ends between two such pieces.
const HISTORY_PIECE_EVENTS: u64 = 10;
/// By how many events [`Bug::StaleRead`] lags.
const STALE_EVENTS: Seq = Seq(3);
/// How often what is read in two parts is read anew because it changed in between.
const READ_TRIES: u32 = 5;
/// Most events in a page of history.
pub const HISTORY_EVENTS_MAX: usize = 200;
/// Most members in a page.
pub const MEMBERS_PAGE_MAX: usize = 500;
/// Most users in a page, and most ids that can be asked for at once.
pub const USERS_PAGE_MAX: usize = 100;
/// Longest search text, in bytes.
pub const SEARCH_BYTES_MAX: usize = 256;

/// Something that can be asked.
pub trait Query: Send {
    /// What it is answered with.
    type Answer: Send;

    /// Answers it, for what the actor may see.
    fn answer(self, engine: &Engine, actor: &Actor) -> impl Future<Output = Result<Self::Answer, EngineError>> + Send;
}

impl Engine {
    /// Answers a query, for what the actor may see.
    pub async fn query<Q: Query>(&self, actor: &Actor, query: Q) -> Result<Q::Answer, EngineError> {
        query.answer(self, actor).await
    }

    /// Profiles of users.
    async fn profiles(&self, app: &AppId, ids: BTreeSet<UserId>) -> Result<Vec<User>, EngineError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.inner.store.users(app, &Vec::from_iter(ids)).await?)
    }

    /// A room that the actor may know of.
    async fn known_room(
        &self,
        actor: &Actor,
        room: &RoomId,
    ) -> Result<(RoomSnapshot, Option<Membership>), EngineError> {
        let snapshot = self.inner.store.room(&actor.app, room, &[&actor.user]).await?;
        let mut snapshot = snapshot.ok_or(Refusal::UnknownRoom)?;
        let me = snapshot.members.pop().flatten();
        if me.is_none() && !snapshot.room.is_public() {
            return Err(Refusal::UnknownRoom.into());
        }
        Ok((snapshot, me))
    }

    /// A room that the actor is joined in.
    async fn own_room(&self, actor: &Actor, room: &RoomId) -> Result<(RoomSnapshot, Membership), EngineError> {
        match self.known_room(actor, room).await? {
            (snapshot, Some(me)) if me.member.is_joined() => Ok((snapshot, me)),
            _ => Err(Refusal::NotAMember.into()),
        }
    }

    /// An entry as the actor sees it, who sees these parts of the log: what became of it outside them is not told.
    async fn visible_entry(
        &self,
        actor: &Actor,
        mut entry: Entry,
        visible: &[SeqRange],
    ) -> Result<Option<Entry>, EngineError> {
        let sees = |seq: Seq| visible.iter().any(|range| range.first <= seq && seq <= range.last);
        let seq = entry.event.seq;
        if !sees(seq) {
            return Ok(None);
        }
        if entry.edit.as_ref().is_some_and(|edit| !sees(edit.seq)) {
            // The last edit was made while the actor was away; an earlier one may be theirs to see.
            entry.edit = self.inner.store.last_edit(&actor.app, &entry.event.room, seq, visible).await?;
        }
        Ok(Some(entry))
    }
}

/// What changed for the actor since a commit.
#[derive(Debug, Clone, Copy)]
pub struct Sync {
    /// The commit known; 0 for everything.
    pub since: CommitNumber,
}

impl Query for Sync {
    type Answer = SyncView;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<SyncView, EngineError> {
        let changed = engine.inner.store.changed_rooms(&actor.app, &actor.user, self.since, SYNC_ROOMS_MAX).await?;
        let Changed { rooms: mut listed, mut commit, mut more } = changed;
        if !listed.is_empty() && planted_each(Bug::SyncSkipsARoom, 3) {
            listed.pop();
        }
        let peers = listed.iter().filter_map(|room| Some(room.peer.as_ref()?.member.user.clone())).collect();
        let mut users = engine.profiles(&actor.app, peers).await?;
        if let Some(end) = end_by_bytes(&listed) {
            listed.truncate(end);
            commit = listed.last().map_or(commit, changed_at);
            more = true;
        }
        let mut rooms = Vec::with_capacity(listed.len());
        for room in listed {
            rooms.push(listed_view(engine, actor, room, &users).await?);
        }
        // Only who is named in what the actor may see.
        let mut named: BTreeSet<UserId> = BTreeSet::new();
        for room in &rooms {
            named.extend(room.peer.iter().map(|(user, _)| user.id.clone()));
            named.extend(room.me.iter().filter_map(|me| me.invited_by.clone()));
            named.extend(room.last_message.iter().map(|entry| entry.event.sender.clone()));
        }
        users.retain(|user| named.remove(&user.id));
        users.extend(engine.profiles(&actor.app, named).await?);
        Ok(SyncView { commit, rooms, more, users })
    }
}

/// Where to end the rooms because of their size, if anywhere: rooms of one commit stay together.
fn end_by_bytes(rooms: &[ListedRoom]) -> Option<usize> {
    let mut bytes = 0;
    for (index, room) in rooms.iter().enumerate() {
        let next = rooms.get(index + 1)?;
        bytes += room.last_message.as_ref().map_or(0, Entry::content_bytes);
        if bytes >= SYNC_BYTES_MAX && changed_at(next) > changed_at(room) {
            return Some(index + 1);
        }
    }
    None
}

/// The commit that changed the room for its user, as [`storage::Store::changed_rooms`] orders by it.
fn changed_at(listed: &ListedRoom) -> CommitNumber {
    let ListedRoom { head, me, peer, .. } = listed;
    match me.member.state {
        MemberState::Invited | MemberState::Left => me.member.commit,
        MemberState::Joined => {
            let peer = peer.as_ref().map_or(CommitNumber(0), |peer| peer.cursors.commit);
            head.commit.max(me.cursors.commit).max(peer)
        }
    }
}

async fn listed_view(
    engine: &Engine,
    actor: &Actor,
    listed: ListedRoom,
    users: &[User],
) -> Result<RoomView, EngineError> {
    let ListedRoom { room, head, me, last_message, peer } = listed;
    let peer = peer.and_then(|peer| {
        let user = users.iter().find(|user| user.id == peer.member.user)?.clone();
        Some((user, peer.cursors))
    });
    room_view(engine, actor, RoomSnapshot { room, head, members: Vec::new() }, Some(me), last_message, peer).await
}

/// Cuts a room to what its viewer may see.
async fn room_view(
    engine: &Engine,
    actor: &Actor,
    snapshot: RoomSnapshot,
    me: Option<Membership>,
    last_message: Option<Entry>,
    peer: Option<(User, Cursors)>,
) -> Result<RoomView, EngineError> {
    let RoomSnapshot { mut room, head, .. } = snapshot;
    let (member, cursors) = me.map_or((None, Cursors::default()), |me| (Some(me.member), me.cursors));
    let mut visible = visible_ranges(&room, member.as_ref(), head.seq);
    if planted(Bug::RemovedSyncsOn) {
        see_on(&mut visible, member.as_ref(), head.seq);
    }
    let visible_head = visible.last().map_or(Seq(0), |range| range.last);
    let sees_head = visible_head == head.seq;
    let joined = member.as_ref().is_some_and(Member::is_joined);
    // Who has left is not told what a room has become since.
    let gone = member.as_ref().is_some_and(|member| member.state == MemberState::Left) && !room.is_public();
    if gone {
        room.settings = RoomSettings::default();
        (room.joined, room.invited, room.owners) = (0, 0, 0);
    }
    let messages = if sees_head { head.messages } else { cursors.read_messages };
    let last_message = match last_message {
        Some(entry) => engine.visible_entry(actor, entry, &visible).await?,
        None => None,
    };
    let member_commit = member.as_ref().map_or(CommitNumber(0), |member| member.commit);
    let room_commit = if sees_head || member.is_none() { head.commit } else { CommitNumber(0) };
    let unread = match joined {
        true if planted(Bug::WrongUnread) => head.seq.0.saturating_sub(cursors.read.0),
        true => head.messages.saturating_sub(cursors.read_messages),
        false => 0,
    };
    Ok(RoomView {
        head: visible_head,
        messages,
        commit: room_commit.max(member_commit).max(cursors.commit),
        last_message,
        unread,
        me: member,
        cursors,
        peer: if gone { None } else { peer },
        room,
    })
}

/// Lets a member who has left see what came after: [`Bug::RemovedReadsHistory`], [`Bug::RemovedSyncsOn`].
fn see_on(visible: &mut [SeqRange], member: Option<&Member>, head: Seq) {
    if let Some(range) = visible.last_mut()
        && member.is_some_and(|member| member.state == MemberState::Left)
    {
        range.last = head;
    }
}

/// Whether an entry was read with an edit of after this seq.
fn is_edited_after(entry: &Entry, seq: Seq) -> bool {
    entry.edit.as_ref().is_some_and(|edit| edit.seq > seq)
}

/// A room.
#[derive(Debug, Clone)]
pub struct GetRoom {
    /// Which.
    pub room: RoomId,
}

impl Query for GetRoom {
    type Answer = RoomView;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<RoomView, EngineError> {
        let store = &engine.inner.store;
        let mut tries = 0;
        let (snapshot, me, last_message) = loop {
            let (snapshot, me) = engine.known_room(actor, &self.room).await?;
            let Some(seq) = snapshot.head.last_message else { break (snapshot, me, None) };
            let range = SeqRange { first: seq, last: seq };
            let last = store.entries(&actor.app, &self.room, &[range], Some(&actor.user)).await?.0.pop();
            tries += 1;
            // Edited between the two reads: cut to the room as it was, it would look as if it never had been.
            if tries == READ_TRIES || !last.as_ref().is_some_and(|entry| is_edited_after(entry, snapshot.head.seq)) {
                break (snapshot, me, last);
            }
        };
        let peer = match snapshot.room.peer_of(&actor.user) {
            Some(other) => {
                let theirs = store.room(&actor.app, &self.room, &[other]).await?;
                let cursors =
                    theirs.and_then(|mut snapshot| snapshot.members.pop().flatten()).map(|theirs| theirs.cursors);
                engine.user(&actor.app, other).await?.map(|user| (user, cursors.unwrap_or_default()))
            }
            None => None,
        };
        room_view(engine, actor, snapshot, me, last_message, peer).await
    }
}

/// A page of a room's log.
#[derive(Debug, Clone)]
pub struct History {
    /// Which room.
    pub room: RoomId,
    /// Where.
    pub cut: Cut,
    /// How many events at most, 1 to [`HISTORY_EVENTS_MAX`].
    pub limit: usize,
}

impl Query for History {
    type Answer = HistoryView;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<HistoryView, EngineError> {
        if !(1..=HISTORY_EVENTS_MAX).contains(&self.limit) {
            return Err(EngineError::Invalid { field: "limit", problem: "must be from 1 to 200" });
        }
        for _ in 0..READ_TRIES {
            if let Some(view) = self.read(engine, actor).await? {
                return Ok(view);
            }
        }
        Err(EngineError::Overloaded)
    }
}

impl History {
    /// Reads the page; `None` if the actor's place in the room changed meanwhile and it is not clear what they may see.
    async fn read(&self, engine: &Engine, actor: &Actor) -> Result<Option<HistoryView>, EngineError> {
        let (mut snapshot, me) = engine.known_room(actor, &self.room).await?;
        let stale = snapshot.head.seq > STALE_EVENTS && planted_each(Bug::StaleRead, 5);
        if stale {
            snapshot.head.seq.0 -= STALE_EVENTS.0;
        }
        let member = me.as_ref().map(|me| &me.member);
        let mut visible = visible_ranges(&snapshot.room, member, snapshot.head.seq);
        if planted(Bug::RemovedReadsHistory) {
            see_on(&mut visible, member, snapshot.head.seq);
        }
        if visible.is_empty() && !member.is_some_and(Member::is_joined) {
            return Err(Refusal::NotAMember.into());
        }
        let page = page_ranges(&visible, self.cut, self.limit as u64);
        let pieces = nearest_first(&page.ranges, self.cut, HISTORY_PIECE_EVENTS);
        let read = engine.inner.store.entries(&actor.app, &self.room, &pieces, Some(&actor.user)).await?;
        let gone = !member.is_some_and(Member::is_joined)
            && snapshot.room.settings.history != domain::HistoryVisibility::Anyone;
        // Edited between the two reads: the page is as of the later one, so the edit belongs to it, if the actor was still
        // there when it was made.
        let mut visible_edits = visible.clone();
        if !gone && read.0.iter().any(|entry| is_edited_after(entry, snapshot.head.seq)) {
            let (later, still) = engine.known_room(actor, &self.room).await?;
            let still = still.as_ref().map(|me| &me.member);
            if still != member || later.room.settings.history != snapshot.room.settings.history {
                return Ok(None);
            }
            visible_edits = visible_ranges(&later.room, still, read.1);
        }
        let mut entries = Vec::with_capacity(read.0.len());
        for entry in read.0 {
            entries.extend(engine.visible_entry(actor, entry, &visible_edits).await?);
        }
        entries.sort_by_key(|entry| entry.event.seq);
        if gone {
            // How others have reacted since the viewer left is not theirs to see.
            entries.iter_mut().for_each(|entry| entry.reactions.clear());
        }
        let users = engine.profiles(&actor.app, named_users(&entries)).await?;
        // The page may have ended early, for its size.
        let (has_older, has_newer) = match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => (
                visible.first().is_some_and(|range| range.first < first.event.seq),
                visible.last().is_some_and(|range| range.last > last.event.seq),
            ),
            _ => (page.has_older, page.has_newer),
        };
        // Read later than the ranges were cut: the entries may know more than the head they were cut by, never less.
        let as_of = if gone || stale { visible.last().map_or(Seq(0), |range| range.last) } else { read.1 };
        Ok(Some(HistoryView { entries, has_older, has_newer, as_of, users }))
    }
}

fn named_users(entries: &[Entry]) -> BTreeSet<UserId> {
    let mut named = BTreeSet::new();
    for entry in entries {
        named.insert(entry.event.sender.clone());
        if let EventBody::Member { user, .. } = &entry.event.body {
            named.insert(user.clone());
        }
    }
    named
}

/// Members of a room, by user id.
#[derive(Debug, Clone)]
pub struct Members {
    /// Which room.
    pub room: RoomId,
    /// After whom.
    pub after: Option<UserId>,
    /// How many at most, 1 to [`MEMBERS_PAGE_MAX`].
    pub limit: usize,
}

impl Query for Members {
    type Answer = Page<MemberView>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Page<MemberView>, EngineError> {
        if !(1..=MEMBERS_PAGE_MAX).contains(&self.limit) {
            return Err(EngineError::Invalid { field: "limit", problem: "must be from 1 to 500" });
        }
        engine.own_room(actor, &self.room).await?;
        let after = self.after.as_ref();
        let mut members =
            engine.inner.store.members(&actor.app, &self.room, MemberFilter::Present, after, self.limit + 1).await?;
        let more = members.len() > self.limit;
        members.truncate(self.limit);
        let next = members.last().filter(|_| more).map(|last| last.member.user.clone());
        let ids = members.iter().map(|membership| membership.member.user.clone()).collect();
        let users = engine.profiles(&actor.app, ids).await?;
        let view = |membership: Membership| {
            let user = users.iter().find(|user| user.id == membership.member.user)?.clone();
            Some(MemberView { user, member: membership.member })
        };
        Ok(Page { items: members.into_iter().filter_map(view).collect(), next })
    }
}

/// Cursors of the members of a room; only the actor's own where they are not shared.
#[derive(Debug, Clone)]
pub struct RoomCursors {
    /// Which room.
    pub room: RoomId,
}

impl Query for RoomCursors {
    type Answer = Vec<(UserId, Cursors)>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Self::Answer, EngineError> {
        let (snapshot, me) = engine.own_room(actor, &self.room).await?;
        if !snapshot.room.shares_receipts() {
            return Ok(vec![(me.member.user, me.cursors)]);
        }
        // Receipts are shared among so few that one page has them all.
        let (which, limit) = (MemberFilter::Joined, RECEIPTS_MEMBERS_MAX as usize);
        let joined = engine.inner.store.members(&actor.app, &self.room, which, None, limit).await?;
        Ok(joined.into_iter().map(|membership| (membership.member.user, membership.cursors)).collect())
    }
}

/// Users by id.
#[derive(Debug, Clone)]
pub struct Users {
    /// Which, at most [`USERS_PAGE_MAX`].
    pub ids: Vec<UserId>,
}

impl Query for Users {
    type Answer = Vec<User>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Vec<User>, EngineError> {
        if self.ids.len() > USERS_PAGE_MAX {
            return Err(EngineError::Invalid { field: "ids", problem: "must have at most 100 ids" });
        }
        engine.profiles(&actor.app, BTreeSet::from_iter(self.ids)).await
    }
}

/// Users by the beginning of their id or of a word of their name.
#[derive(Debug, Clone)]
pub struct SearchUsers {
    /// The beginning.
    pub query: String,
    /// Where to go on, in the search for the same.
    pub after: Option<UserPlace>,
    /// How many at most, 1 to [`USERS_PAGE_MAX`].
    pub limit: usize,
}

impl Query for SearchUsers {
    type Answer = Page<User, UserPlace>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Self::Answer, EngineError> {
        if !(1..=USERS_PAGE_MAX).contains(&self.limit) {
            return Err(EngineError::Invalid { field: "limit", problem: "must be from 1 to 100" });
        }
        if self.query.len() > SEARCH_BYTES_MAX {
            return Err(EngineError::Invalid { field: "query", problem: "must have at most 256 bytes" });
        }
        if !engine.app(Some(actor.app.as_str())).await?.settings.directory_open {
            return Err(EngineError::DirectoryClosed);
        }
        let mut page = engine.operator().users(&actor.app, self.query.trim(), self.after.as_ref(), self.limit).await?;
        page.items.retain(|user| !user.disabled);
        Ok(page)
    }
}

/// The actor's own account.
#[derive(Debug, Clone, Copy)]
pub struct Me;

impl Query for Me {
    type Answer = MeView;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<MeView, EngineError> {
        let user = engine.user(&actor.app, &actor.user).await?.ok_or(EngineError::TokenRevoked)?;
        let device = engine.inner.store.device(&actor.app, &actor.device).await?.ok_or(EngineError::TokenRevoked)?;
        Ok(MeView { user, device })
    }
}

/// The actor's devices, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Devices;

impl Query for Devices {
    type Answer = Vec<Device>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Vec<Device>, EngineError> {
        Ok(engine.inner.store.devices(&actor.app, &actor.user).await?)
    }
}

/// Presence of users that share a room with the actor; others are left out.
#[derive(Debug, Clone)]
pub struct PresenceOf {
    /// Whose.
    pub users: Vec<UserId>,
}

impl Query for PresenceOf {
    type Answer = Vec<PresenceView>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Vec<PresenceView>, EngineError> {
        let visible = engine.presence_visible(actor, self.users).await?;
        Ok(engine.presence_now(&actor.app, &visible))
    }
}
