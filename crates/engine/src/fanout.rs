//! Fan-out: from the store's feed to the bus, and from the bus to the outboxes, in the order of commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Committed, Notice};
use domain::{AppId, Content, DeviceId, Event, EventBody, MemberState, RoomId};
use planted::{Bug, planted, planted_each};
use storage::{Commit, MemberFilter, Membership, StoreError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::active::{Reading, Told};
use crate::engine::stopped;
use crate::outbox::{Delivery, Happening};
use crate::{Engine, PresenceView};

/// Members read at a time while a room becomes active.
const MEMBERS_PER_READ: usize = 1000;
/// How long reading a room's members is tried before it is given up.
const READ_TRIES: u32 = 5;
/// How long [`Bug::ReorderedFanOut`] waits for a commit to overtake another.
const OVERTAKEN_WITHIN: Duration = Duration::from_millis(200);

/// Publishes this node's commits.
pub(crate) async fn publish_commits(engine: Engine) {
    let Some(mut feed) = engine.inner.store.feed() else { return };
    while let Some(commit) = next(&engine, &mut feed).await {
        if !commit.events.is_empty() && planted_each(Bug::ReorderedFanOut, 10) {
            // The one after it overtakes it, if it comes soon.
            if let Ok(Some(later)) = timeout(OVERTAKEN_WITHIN, next(&engine, &mut feed)).await {
                publish(&engine, &later).await;
            }
        }
        publish(&engine, &commit).await;
    }
}

async fn publish(engine: &Engine, commit: &Commit) {
    let committed = engine.committed(commit).await;
    engine.inner.bus.publish(Notice::Committed(committed)).await;
}

/// Delivers what all nodes have published.
pub(crate) async fn deliver_notices(engine: Engine) {
    let Some(mut notices) = engine.inner.bus.subscribe() else { return };
    while let Some(notice) = next(&engine, &mut notices).await {
        match notice {
            Notice::Committed(committed) => engine.deliver(&committed),
            Notice::Typing { app, room, user, typing } => {
                engine.tell_room(&app, &room.clone(), &Delivery::new(Happening::Typing { room, user, typing }));
            }
            // Back again since it was said: their coming is told already.
            Notice::Presence { app, user, online: false, .. } if engine.inner.hub.is_online(&app, &user) => {}
            Notice::Presence { app, user, online, at } => {
                let last_seen_at = (!online).then_some(at);
                let view = PresenceView { user: user.clone(), online, last_seen_at };
                engine.inner.hub.tell_watchers(&app, &user, &Delivery::new(Happening::Presence(view)));
            }
        }
    }
}

async fn next<T>(engine: &Engine, receiver: &mut mpsc::Receiver<T>) -> Option<T> {
    tokio::select! {
        biased;
        item = receiver.recv() => item,
        () = stopped(engine.inner.stopping.subscribe()) => None,
    }
}

impl Engine {
    async fn committed(&self, commit: &Commit) -> Committed {
        let mut shared: HashMap<&RoomId, bool> = HashMap::new();
        let mut cursors = Vec::with_capacity(commit.cursors.len());
        for moved in &commit.cursors {
            let shares = match shared.get(&moved.room) {
                Some(shares) => *shares,
                None => {
                    let store = &*self.inner.store;
                    // If it can't be read, the others see the cursor with their next sync.
                    let shares =
                        self.inner.facts.shares_receipts(store, &commit.app, &moved.room).await.unwrap_or(false);
                    shared.insert(&moved.room, shares);
                    shares
                }
            };
            cursors.push(bus::MovedCursors {
                room: moved.room.clone(),
                user: moved.user.clone(),
                cursors: moved.cursors,
                shared: shares,
            });
        }
        Committed {
            app: commit.app.clone(),
            number: commit.number,
            events: commit.events.clone(),
            cursors,
            revoked: commit.revoked.clone(),
            users: commit.users.clone(),
        }
    }

    fn deliver(&self, committed: &Committed) {
        let Committed { app, number, events, cursors, revoked, users: _ } = committed;
        let hub = &self.inner.hub;
        self.end_sessions(app, revoked);
        for event in events {
            if event.body.changes_facts() {
                self.inner.facts.forget(app, &event.room);
            }
        }
        self.inner.commits.send_modify(|commits| *commits += 1);
        metrics::counter!("starling_commits_total").increment(1);
        metrics::counter!("starling_events_total").increment(events.len() as u64);
        if hub.sessions_open() == 0 {
            // Who connects now reads what they missed; what is skipped here must not be missing in an active room.
            hub.rooms.clear();
            return;
        }
        for event in events {
            if event.body.is_message() && planted_each(Bug::LostFanOut, 25) {
                continue;
            }
            let told = if planted_each(Bug::TornPush, 25) { torn(event) } else { event.clone() };
            let delivery = Delivery::new(Happening::Event(told));
            self.tell_room(app, &event.room, &delivery);
            if planted_each(Bug::DoubledFanOut, 25) {
                self.tell_room(app, &event.room, &delivery);
            }
            if let EventBody::Member { user, state: MemberState::Left, .. } = &event.body {
                self.recheck_presence(app, user);
            }
        }
        for moved in cursors {
            let (room, user) = (moved.room.clone(), moved.user.clone());
            let delivery = Delivery::new(Happening::Cursors { room, user, cursors: moved.cursors, commit: *number });
            if let Some(own) = hub.of(app, &moved.user) {
                own.push(&delivery);
            }
            if moved.shared {
                self.tell_room(app, &moved.room, &delivery);
            }
        }
    }

    /// From now on no token of these devices is good, and their sessions end.
    pub(crate) fn end_sessions(&self, app: &AppId, devices: &[DeviceId]) {
        if planted(Bug::RevokedTokenLives) {
            return;
        }
        for device in devices {
            let owner = self.inner.devices.revoke(app, device);
            self.inner.hub.revoke(app, owner.as_ref(), device);
        }
    }

    /// Tells the online members of a room, reading who they are if the room was not active; in a moment if it is hot.
    fn tell_room(&self, app: &AppId, room: &RoomId, delivery: &Arc<Delivery>) {
        match self.inner.hub.rooms.tell(&self.inner.hub, app, room, delivery) {
            Told::Done => {}
            Told::Gathers => {
                let (engine, app, room) = (self.clone(), app.clone(), room.clone());
                let gather = Duration::from_millis(engine.inner.options.hot_room_gather_ms);
                tokio::spawn(async move {
                    tokio::time::sleep(gather).await;
                    engine.inner.hub.rooms.tell_gathered(&app, &room);
                });
            }
            Told::ReadMembers(reading) => {
                let (engine, app, room) = (self.clone(), app.clone(), room.clone());
                tokio::spawn(async move { engine.activate(&app, &room, reading).await });
            }
        }
    }

    async fn activate(&self, app: &AppId, room: &RoomId, reading: Reading) {
        let mut pause = Duration::from_millis(10);
        for _ in 0..READ_TRIES {
            match self.read_members(app, room).await {
                Ok(members) => return self.inner.hub.rooms.ready(&self.inner.hub, app, room, reading, &members),
                Err(error) => tracing::warn!(%error, "members of an active room can't be read"),
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        self.inner.hub.rooms.give_up(app, room, reading);
    }

    async fn read_members(&self, app: &AppId, room: &RoomId) -> Result<Vec<Membership>, StoreError> {
        let mut members: Vec<Membership> = Vec::new();
        loop {
            let after = members.last().map(|last| last.member.user.clone());
            let page =
                self.inner.store.members(app, room, MemberFilter::Joined, after.as_ref(), MEMBERS_PER_READ).await?;
            let more = page.len() == MEMBERS_PER_READ;
            members.extend(page);
            if !more {
                return Ok(members);
            }
        }
    }
}

/// An event whose text has lost its second half: [`Bug::TornPush`].
fn torn(event: &Event) -> Arc<Event> {
    let mut event = event.clone();
    if let EventBody::Message { content: Some(Content::Text(said)), .. } = &mut event.body {
        let half: String = said.text.chars().take(said.text.chars().count() / 2).collect();
        said.text = half.into();
    }
    Arc::new(event)
}
