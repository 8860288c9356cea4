//! Facts for checks, kept in memory for rooms in use.
//!
//! A stale fact does no harm: it carries the room's version, and a commit with an old version is a conflict. So the
//! cache is only a matter of speed: a conflict drops the room from it, and nothing is refused by it alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::{Action, Actor, AppId, Command, Cursors, Member, Room, RoomFacts, RoomId, Seq, UserId, visible_ranges};
use quick_cache::sync::Cache;
use storage::{Store, StoreError};

/// Members of one room that are kept; beyond that, the room's members are forgotten and gathered anew.
const CACHED_MEMBERS_MAX: usize = 1024;

struct CachedRoom {
    room: Room,
    members: Mutex<HashMap<UserId, Option<Member>>>,
}

/// The cache.
pub(crate) struct Facts {
    rooms: Cache<(AppId, RoomId), Arc<CachedRoom>>,
}

/// Whether the actor may see an event: what they can't see, they can't point at.
fn may_see(facts: &RoomFacts, seq: Seq) -> bool {
    let visible = visible_ranges(&facts.room, facts.me.as_ref(), Seq::MAX);
    visible.iter().any(|range| range.first <= seq && seq <= range.last)
}

async fn with_target(
    store: &dyn Store,
    actor: &Actor,
    command: &Command,
    mut facts: RoomFacts,
) -> Result<RoomFacts, StoreError> {
    if let Some(seq) = command.action.target()
        && may_see(&facts, seq)
    {
        facts.target = store.target(&actor.app, &command.room, seq, &actor.user).await?;
    }
    Ok(facts)
}

impl Facts {
    pub(crate) fn new(rooms_max: usize) -> Self {
        Self { rooms: Cache::new(rooms_max) }
    }

    /// Forgets a room: its facts have changed.
    pub(crate) fn forget(&self, app: &AppId, room: &RoomId) {
        self.rooms.remove(&(app.clone(), room.clone()));
    }

    /// The facts for a command that are in memory. They may be stale: good for a commit, which would conflict, but not
    /// for a refusal.
    pub(crate) async fn remembered(
        &self,
        store: &dyn Store,
        actor: &Actor,
        command: &Command,
    ) -> Result<Option<RoomFacts>, StoreError> {
        // Cursors are no facts of a version, so a command on them reads the store.
        if matches!(command.action, Action::Cursors { .. }) {
            return Ok(None);
        }
        let Some(facts) = self.recall(actor, &command.room, command.action.other()) else { return Ok(None) };
        with_target(store, actor, command, facts).await.map(Some)
    }

    /// The facts for a command as they are, or `None` if there is no such room.
    pub(crate) async fn load(
        &self,
        store: &dyn Store,
        actor: &Actor,
        command: &Command,
    ) -> Result<Option<RoomFacts>, StoreError> {
        match self.read(store, actor, &command.room, command.action.other()).await? {
            Some(facts) => with_target(store, actor, command, facts).await.map(Some),
            None => Ok(None),
        }
    }

    /// A room and the actor in it as they are, for checks without a command.
    pub(crate) async fn membership(
        &self,
        store: &dyn Store,
        actor: &Actor,
        room: &RoomId,
    ) -> Result<Option<RoomFacts>, StoreError> {
        self.read(store, actor, room, None).await
    }

    /// Whether members of a room see each other's cursors.
    pub(crate) async fn shares_receipts(
        &self,
        store: &dyn Store,
        app: &AppId,
        room: &RoomId,
    ) -> Result<bool, StoreError> {
        if let Some(cached) = self.rooms.get(&(app.clone(), room.clone())) {
            return Ok(cached.room.shares_receipts());
        }
        Ok(store.room(app, room, &[]).await?.is_some_and(|snapshot| snapshot.room.shares_receipts()))
    }

    fn recall(&self, actor: &Actor, room: &RoomId, other: Option<&UserId>) -> Option<RoomFacts> {
        let cached = self.rooms.get(&(actor.app.clone(), room.clone()))?;
        let members = cached.members.lock().expect("no holder of this lock panics");
        let me = members.get(&actor.user)?.clone();
        let other = match other {
            Some(user) => members.get(user)?.clone(),
            None => None,
        };
        Some(RoomFacts { room: cached.room.clone(), me, cursors: Cursors::default(), other, target: None })
    }

    async fn read(
        &self,
        store: &dyn Store,
        actor: &Actor,
        room: &RoomId,
        other: Option<&UserId>,
    ) -> Result<Option<RoomFacts>, StoreError> {
        let mut users = vec![&actor.user];
        users.extend(other);
        let Some(snapshot) = store.room(&actor.app, room, &users).await? else { return Ok(None) };
        let mut members = snapshot.members.into_iter();
        let mine = members.next().flatten();
        let (me, cursors) = mine.map_or((None, Cursors::default()), |mine| (Some(mine.member), mine.cursors));
        let theirs = members.next().flatten().map(|theirs| theirs.member);
        self.remember(actor, &snapshot.room, &me, other.map(|user| (user, &theirs)));
        Ok(Some(RoomFacts { room: snapshot.room, me, cursors, other: theirs, target: None }))
    }

    fn remember(&self, actor: &Actor, room: &Room, me: &Option<Member>, other: Option<(&UserId, &Option<Member>)>) {
        let key = (actor.app.clone(), room.id.clone());
        let cached = match self.rooms.get(&key) {
            Some(cached) if cached.room.version >= room.version => cached,
            _ => {
                let cached = Arc::new(CachedRoom { room: room.clone(), members: Mutex::default() });
                self.rooms.insert(key, cached.clone());
                cached
            }
        };
        // What was read of an older version must not mix with a newer room.
        if cached.room.version != room.version {
            return;
        }
        let mut members = cached.members.lock().expect("no holder of this lock panics");
        if members.len() >= CACHED_MEMBERS_MAX {
            members.clear();
        }
        members.insert(actor.user.clone(), me.clone());
        if let Some((user, theirs)) = other {
            members.insert(user.clone(), theirs.clone());
        }
    }
}
