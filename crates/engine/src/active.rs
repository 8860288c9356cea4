//! Active rooms: which online members to tell what happens in a room.
//!
//! A room becomes active with the first thing that happens in it while anybody is online; then its members are read
//! once, and connects, joins and removals keep the set of online members up to date. An idle room is forgotten: it
//! costs nothing, and neither do offline members of a large one. A hot one gathers what it tells (see [`crate::heat`]).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use domain::{AppId, CommitNumber, EventBody, MemberState, RoomId, Seq, UserId};
use planted::{Bug, planted};
use storage::Membership;

use crate::heat::Heat;
use crate::outbox::{Delivery, Happening};
use crate::session::{Hub, UserSessions};

/// Happenings that may wait while a room's members are read; the room starts anew beyond that.
const WAITING_MAX: usize = 16_384;
/// Deliveries that a hot room gathers at most.
const GATHERED_MAX: usize = 256;
/// Removals that are remembered in an active room; beyond that, it is forgotten and read anew.
const REMOVALS_MAX: usize = 1024;

type Key = (AppId, RoomId);

/// The rooms that are active.
pub(crate) struct ActiveRooms {
    rooms: Mutex<HashMap<Key, ActiveRoom>>,
    readings: AtomicU64,
    hot: Hot,
}

/// When a room is hot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hot {
    /// It tells more deliveries per second than this.
    pub(crate) per_second: u64,
    /// At least so many are online.
    pub(crate) people_min: usize,
}

enum ActiveRoom {
    /// The members are being read; these deliveries wait for them.
    Loading {
        reading: Reading,
        waiting: Vec<Arc<Delivery>>,
    },
    Ready(ReadyRoom),
}

struct ReadyRoom {
    online: HashMap<UserId, OnlineMember>,
    removed: HashMap<UserId, CommitNumber>,
    used_at: Instant,
    heat: Heat,
    /// What waits to be told, in order.
    gathered: Vec<Arc<Delivery>>,
}

struct OnlineMember {
    sessions: Arc<UserSessions>,
    /// Events before this seq are before the member's time.
    from: Seq,
    /// Events up to this commit were there when the member's session began.
    after: CommitNumber,
}

/// Names one reading of a room's members, so that a late one can't be taken for a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading(u64);

/// What to do after a delivery was handed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is in the outboxes, or waits for the members that are being read, or with others that were gathered before.
    Done,
    /// It is the first that a hot room gathers: call [`ActiveRooms::tell_gathered`] in a moment.
    Gathers,
    /// The room was not active: read its members and call [`ActiveRooms::ready`].
    ReadMembers(Reading),
}

impl ActiveRooms {
    /// No rooms.
    pub(crate) fn new(hot: Hot) -> Self {
        Self { rooms: Mutex::default(), readings: AtomicU64::new(0), hot }
    }

    /// Tells a delivery to the online members of a room.
    pub(crate) fn tell(&self, hub: &Hub, app: &AppId, room: &RoomId, delivery: &Arc<Delivery>) -> Told {
        let mut rooms = self.lock();
        let key = (app.clone(), room.clone());
        match rooms.get_mut(&key) {
            Some(ActiveRoom::Ready(ready)) => {
                let gathers = ready.tell(hub, app, delivery, self.hot);
                if ready.removed.len() > REMOVALS_MAX {
                    ready.tell_gathered();
                    rooms.remove(&key);
                }
                if gathers { Told::Gathers } else { Told::Done }
            }
            Some(ActiveRoom::Loading { waiting, .. }) => {
                if waiting.len() >= WAITING_MAX {
                    // Nobody loses anything but speed: clients see the gap in seqs and read the log.
                    waiting.clear();
                }
                waiting.push(delivery.clone());
                Told::Done
            }
            None => {
                let reading = Reading(self.readings.fetch_add(1, Ordering::Relaxed));
                rooms.insert(key, ActiveRoom::Loading { reading, waiting: vec![delivery.clone()] });
                Told::ReadMembers(reading)
            }
        }
    }

    /// The members of a loading room, read after it began to load.
    pub(crate) fn ready(&self, hub: &Hub, app: &AppId, room: &RoomId, read: Reading, members: &[Membership]) {
        let mut rooms = self.lock();
        let key = (app.clone(), room.clone());
        let waiting = match rooms.get_mut(&key) {
            Some(ActiveRoom::Loading { reading, waiting }) if *reading == read => std::mem::take(waiting),
            _ => return,
        };
        let mut ready = ReadyRoom::new();
        for Membership { member, .. } in members.iter().filter(|membership| membership.member.is_joined()) {
            if let Some(sessions) = hub.of(app, &member.user) {
                let from = member.intervals.last().map_or(Seq(0), |interval| interval.joined);
                let online = OnlineMember { sessions, from, after: CommitNumber(0) };
                ready.online.insert(member.user.clone(), online);
            }
        }
        for delivery in waiting {
            ready.tell_now(hub, app, &delivery);
        }
        rooms.insert(key, ActiveRoom::Ready(ready));
    }

    /// Tells what a hot room has gathered.
    pub(crate) fn tell_gathered(&self, app: &AppId, room: &RoomId) {
        if let Some(ActiveRoom::Ready(ready)) = self.lock().get_mut(&(app.clone(), room.clone())) {
            ready.tell_gathered();
        }
    }

    /// Tells what all rooms have gathered.
    pub(crate) fn tell_all_gathered(&self) {
        for room in self.lock().values_mut() {
            if let ActiveRoom::Ready(ready) = room {
                ready.tell_gathered();
            }
        }
    }

    /// Gives a loading room up: its members could not be read.
    pub(crate) fn give_up(&self, app: &AppId, room: &RoomId, read: Reading) {
        let mut rooms = self.lock();
        let key = (app.clone(), room.clone());
        if matches!(rooms.get(&key), Some(ActiveRoom::Loading { reading, .. }) if *reading == read) {
            rooms.remove(&key);
        }
    }

    /// Forgets all rooms: nobody is online.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Enters a user who has come online into those of their rooms that are active. `rooms` are those of the moment when
    /// `as_of` was the last commit.
    pub(crate) fn enter(
        &self,
        app: &AppId,
        user: &UserId,
        sessions: &Arc<UserSessions>,
        rooms: &[RoomId],
        as_of: CommitNumber,
    ) {
        let mut active = self.lock();
        if active.is_empty() {
            return;
        }
        for room in rooms {
            // A loading room looks for online users itself when it is ready.
            let Some(ActiveRoom::Ready(ready)) = active.get_mut(&(app.clone(), room.clone())) else { continue };
            // Removed after the rooms were read: the list is out of date.
            if ready.removed.get(user).is_some_and(|removed| *removed > as_of) {
                continue;
            }
            let present = ready.online.get(user).is_some_and(|online| Arc::ptr_eq(&online.sessions, sessions));
            if !present {
                let online = OnlineMember { sessions: sessions.clone(), from: Seq(0), after: as_of };
                ready.online.insert(user.clone(), online);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn forget_idle(&self, idle: Duration) {
        self.lock().retain(|_, room| match room {
            ActiveRoom::Loading { .. } => true,
            ActiveRoom::Ready(ready) => {
                let used = ready.used_at.elapsed() < idle;
                if !used {
                    ready.tell_gathered();
                }
                used
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, ActiveRoom>> {
        self.rooms.lock().expect("no holder of this lock panics")
    }
}

impl ReadyRoom {
    fn new() -> Self {
        Self {
            online: HashMap::new(),
            removed: HashMap::new(),
            used_at: Instant::now(),
            heat: Heat::new(tokio::time::Instant::now()),
            gathered: Vec::new(),
        }
    }

    /// Tells a delivery now, or in a moment; says whether the room begins to gather with it.
    fn tell(&mut self, hub: &Hub, app: &AppId, delivery: &Arc<Delivery>, hot: Hot) -> bool {
        let people = self.online.len();
        let is_hot = self.heat.tell(people, tokio::time::Instant::now(), hot.per_second) && people >= hot.people_min;
        if is_hot && !delivery.happening.moves_members() && self.gathered.len() < GATHERED_MAX {
            self.used_at = Instant::now();
            self.gathered.push(delivery.clone());
            return self.gathered.len() == 1;
        }
        self.tell_gathered();
        self.tell_now(hub, app, delivery);
        false
    }

    fn tell_now(&mut self, hub: &Hub, app: &AppId, delivery: &Arc<Delivery>) {
        self.used_at = Instant::now();
        self.push(std::slice::from_ref(delivery));
        if let Happening::Event(event) = &delivery.happening
            && let EventBody::Member { user, state, .. } = &event.body
        {
            self.member(hub, app, user, *state, event.seq, event.commit, delivery);
        }
    }

    fn tell_gathered(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        if !gathered.is_empty() {
            self.push(&gathered);
        }
    }

    /// Puts deliveries into the outboxes of those they are for.
    fn push(&mut self, deliveries: &[Arc<Delivery>]) {
        self.online.retain(|member, online| {
            let wanted = deliveries.iter().filter(|delivery| match &delivery.happening {
                Happening::Event(event) => event.seq >= online.from && event.commit > online.after,
                // Own cursors are told to all own sessions by the fan-out itself.
                Happening::Cursors { user, .. } | Happening::Typing { user, .. } => member != user,
                Happening::Presence(_) => false,
            });
            online.sessions.push_all(&wanted)
        });
    }

    /// Follows a change of membership, and tells it to whom it is about even if they are not in the room.
    #[expect(clippy::too_many_arguments, reason = "the parts of one event, in one place")]
    fn member(
        &mut self,
        hub: &Hub,
        app: &AppId,
        user: &UserId,
        state: MemberState,
        seq: Seq,
        commit: CommitNumber,
        delivery: &Arc<Delivery>,
    ) {
        let told = self.online.contains_key(user);
        match state {
            MemberState::Joined => {
                self.removed.remove(user);
                if !told && let Some(sessions) = hub.of(app, user) {
                    sessions.push(delivery);
                    let online = OnlineMember { sessions, from: seq, after: CommitNumber(0) };
                    self.online.insert(user.clone(), online);
                }
            }
            MemberState::Left | MemberState::Invited => {
                if !told && let Some(sessions) = hub.of(app, user) {
                    sessions.push(delivery);
                }
                if state != MemberState::Left || !planted(Bug::LateRemoval) {
                    self.online.remove(user);
                }
                self.removed.insert(user.clone(), commit);
            }
        }
    }
}
