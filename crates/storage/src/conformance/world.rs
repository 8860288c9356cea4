//! A small world for the cases: an app with five people, and short ways to act in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::{
    AccountChange, Action, App, AppId, AppSettings, Changes, ClientId, Command, Content, CursorMove, Cursors, Device,
    DeviceId, Entry, Expectation, JoinRule, Level, PasswordHash, Refusal, RoomFacts, RoomId, RoomSettings, Seq,
    SeqRange, SettingsChange, Target, Timestamp, User, UserId, UserKind, check, check_new_room,
};

use crate::{Membership, Outcome, Receipt, RoomSnapshot, RoomWork, Store, Unit, Work};

/// The people of a fresh world; each has a device of the name `<id>-1`.
pub const PEOPLE: [&str; 5] = ["ann", "bob", "cho", "dan", "eve"];

/// A user id.
pub fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

/// A room id.
pub fn room(id: &str) -> RoomId {
    RoomId::new(id).unwrap()
}

/// A device id.
pub fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

/// A set of reactions.
pub fn keys(keys: &[&str]) -> BTreeSet<smol_str::SmolStr> {
    keys.iter().map(|key| (*key).into()).collect()
}

/// A range of seqs.
pub fn range(first: u64, last: u64) -> SeqRange {
    SeqRange { first: Seq(first), last: Seq(last) }
}

/// The action of sending a text.
pub fn say(text: &str) -> Action {
    Action::Send { content: Content::plain(text), reply_to: None }
}

/// The action of moving cursors.
pub fn read_to(delivered: Option<u64>, read: Option<u64>) -> Action {
    Action::Cursors { delivered: delivered.map(Seq), read: read.map(Seq) }
}

/// A fresh user.
pub fn person(id: &str, at: Timestamp) -> User {
    let kind = UserKind::Person;
    User { id: user(id), kind, display_name: id.into(), admin: false, disabled: false, created_at: at }
}

/// A fresh device.
pub fn device_of(id: &str, owner: &str, at: Timestamp) -> Device {
    let (created_at, last_seen_at) = (at, at);
    Device { id: device(id), user: user(owner), name: "web".into(), created_at, last_seen_at, refresh_generation: 1 }
}

/// An app of a store, and a clock that ticks with every unit.
#[derive(Clone)]
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The app that everything happens in.
    pub app: AppId,
    clock: Arc<AtomicI64>,
}

impl World {
    /// An app `one` with [`PEOPLE`] in it.
    pub async fn new(store: Arc<dyn Store>) -> Self {
        Self::named(store, "one").await
    }

    /// An app of this name with [`PEOPLE`] in it.
    pub async fn named(store: Arc<dyn Store>, name: &str) -> Self {
        let app = AppId::new(name).unwrap();
        let world = Self { store, app: app.clone(), clock: Arc::new(AtomicI64::new(1_000)) };
        let created_at = Timestamp(1_000);
        let new = App { id: app, settings: AppSettings::open(name), created_at };
        world.account_done(vec![AccountChange::CreateApp(new)]).await;
        for id in PEOPLE {
            world.account_done(vec![world.new_user(id), world.new_device(&format!("{id}-1"), id)]).await;
        }
        world
    }

    /// The next moment.
    pub fn tick(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    /// The change that makes a user.
    pub fn new_user(&self, id: &str) -> AccountChange {
        let password = Some(PasswordHash(format!("hash of {id}").into()));
        AccountChange::CreateUser { user: person(id, self.tick()), password }
    }

    /// The change that makes a device.
    pub fn new_device(&self, id: &str, owner: &str) -> AccountChange {
        AccountChange::CreateDevice { device: device_of(id, owner, self.tick()), verified: None }
    }

    /// Commits a unit.
    pub async fn commit(&self, work: Work) -> Outcome {
        let unit = Unit { app: self.app.clone(), at: self.tick(), work };
        self.store.commit(unit).await.expect("the store works")
    }

    /// Commits account changes.
    pub async fn account(&self, changes: Vec<AccountChange>) -> Outcome {
        self.commit(Work::Account(changes)).await
    }

    /// Commits account changes that fit.
    pub async fn account_done(&self, changes: Vec<AccountChange>) -> Receipt {
        done(self.account(changes).await)
    }

    /// Room work by somebody's first device.
    pub fn work(&self, actor: &str, room_id: &str, changes: Changes) -> RoomWork {
        RoomWork {
            room: room(room_id),
            actor: user(actor),
            device: device(&format!("{actor}-1")),
            client_id: None,
            fingerprint: 0,
            changes,
        }
    }

    /// The same with a client id.
    pub fn work_as(&self, client_id: &str, fingerprint: u64, work: RoomWork) -> RoomWork {
        RoomWork { client_id: Some(ClientId::new(client_id).unwrap()), fingerprint, ..work }
    }

    /// What the domain makes of an action in the world as it is.
    pub async fn check(&self, actor: &str, room_id: &str, action: Action) -> Result<Changes, Refusal> {
        let me = user(actor);
        let other = action.other().cloned();
        let named: Vec<&UserId> = std::iter::once(&me).chain(&other).collect();
        let snapshot = self.store.room(&self.app, &room(room_id), &named).await.unwrap();
        let missing = self.store.users(&self.app, action.named_users()).await.unwrap().len()
            < action.named_users().iter().collect::<BTreeSet<_>>().len();
        let target = match action.target() {
            Some(seq) => self.store.target(&self.app, &room(room_id), seq, &me).await.unwrap(),
            None => None,
        };
        let command = Command { room: room(room_id), action };
        if command.action.creates() {
            return check_new_room(&me, &command, snapshot.is_some(), missing);
        }
        let Some(RoomSnapshot { room, mut members, .. }) = snapshot else { return Err(Refusal::UnknownRoom) };
        let other = members.drain(1..).next().flatten().map(|membership| membership.member);
        let (me_in, cursors) = match members.pop().flatten() {
            Some(membership) => (Some(membership.member), membership.cursors),
            None => (None, Cursors::default()),
        };
        check(&me, &command, &RoomFacts { room, me: me_in, cursors, other, target }, missing)
    }

    /// Does what the domain allows.
    pub async fn act(&self, actor: &str, room_id: &str, action: Action) -> Receipt {
        let said = format!("{actor} in {room_id}: {action:?}");
        let changes = self.check(actor, room_id, action).await.unwrap_or_else(|refusal| panic!("{said}: {refusal}"));
        done(self.commit(Work::Room(self.work(actor, room_id, changes))).await)
    }

    /// An open group that these people are in, the first as its owner.
    pub async fn group(&self, room_id: &str, people: &[&str]) {
        let settings = SettingsChange { join_rule: Some(JoinRule::Open), ..SettingsChange::default() };
        self.act(people[0], room_id, Action::Create { settings, invite: Vec::new() }).await;
        for person in &people[1..] {
            self.act(person, room_id, Action::Join).await;
        }
    }

    /// A room that exists.
    pub async fn room(&self, room_id: &str) -> RoomSnapshot {
        self.store.room(&self.app, &room(room_id), &[]).await.unwrap().expect("the room exists")
    }

    /// Somebody in a room that they have to do with.
    pub async fn membership(&self, room_id: &str, id: &str) -> Membership {
        let snapshot = self.store.room(&self.app, &room(room_id), &[&user(id)]).await.unwrap();
        snapshot.expect("the room exists").members.remove(0).expect("the user has to do with the room")
    }

    /// All entries of a room as somebody sees them.
    pub async fn entries(&self, room_id: &str, viewer: &str) -> Vec<Entry> {
        let whole = [range(1, Seq::MAX.0)];
        self.store.entries(&self.app, &room(room_id), &whole, Some(&user(viewer))).await.unwrap().0
    }

    /// One entry of a room as somebody sees it.
    pub async fn entry(&self, room_id: &str, seq: Seq, viewer: &str) -> Entry {
        self.entries(room_id, viewer).await.into_iter().find(|entry| entry.event.seq == seq).expect("the seq exists")
    }

    /// A target as somebody sees it.
    pub async fn target(&self, room_id: &str, seq: Seq, viewer: &str) -> Option<Target> {
        self.store.target(&self.app, &room(room_id), seq, &user(viewer)).await.unwrap()
    }
}

/// The receipt of what must have been written.
pub fn done(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Done(receipt) => receipt,
        other => panic!("not written: {other:?}"),
    }
}

/// Changes that move cursors in a room of this version.
pub fn cursor_changes(version: u64, delivered: Option<u64>, read: Option<u64>) -> Changes {
    let to = CursorMove { delivered: delivered.map(Seq), read: read.map(Seq) };
    Changes { cursors: Some(to), expect: Expectation { version, reactions: None }, ..Changes::default() }
}

/// Changes that append a message in a room of this version.
pub fn message_changes(version: u64, text: &str) -> Changes {
    let events = vec![domain::EventBody::message(Content::plain(text), None)];
    Changes { events, expect: Expectation { version, reactions: None }, ..Changes::default() }
}

/// What a level change does.
pub fn set_level(id: &str, level: Level) -> Action {
    Action::SetLevel { user: user(id), level }
}

/// Settings of an open group, as [`World::group`] makes it.
pub fn open_settings() -> RoomSettings {
    RoomSettings { join_rule: JoinRule::Open, ..RoomSettings::default() }
}
