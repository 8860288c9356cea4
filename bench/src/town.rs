//! The world that is measured: many rooms of a few members, some users with a device each, and one user in many rooms.

use std::sync::Arc;

use domain::{
    AccountChange, App, AppId, AppSettings, Changes, ClientId, Content, Device, DeviceId, EventBody, Expectation,
    Level, MemberState, NewRoom, RoomId, RoomKind, RoomSettings, Timestamp, User, UserId, UserKind,
};
use storage::{Outcome, RoomWork, Store, Unit, Work};

/// Rooms that messages are spread over.
pub const ROOMS: usize = 10_000;
/// Users who write; each has one device.
pub const WRITERS: usize = 1_000;
/// Rooms of the user who only reads.
pub const READER_ROOMS: usize = 1_000;
/// Bytes of a message's text.
pub const TEXT_BYTES: usize = 180;
/// Members of a room.
const MEMBERS: usize = 4;
/// The version of a room with [`MEMBERS`] members: its creation, and one step for each of them.
const VERSION: u64 = 1 + MEMBERS as u64;
/// Units that are on the way at the same time while the town is built.
const BUILDERS: usize = 256;

/// The ids of everything, made once.
pub struct Town {
    pub app: AppId,
    pub rooms: Vec<RoomId>,
    pub users: Vec<UserId>,
    pub devices: Vec<DeviceId>,
    pub reader: UserId,
    text: String,
}

impl Town {
    pub fn new() -> Self {
        let ids = |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        Self {
            app: AppId::new("bench").expect("it is an id"),
            rooms: ids("room", ROOMS).iter().map(|id| RoomId::new(id).expect("it is an id")).collect(),
            users: ids("user", WRITERS).iter().map(|id| UserId::new(id).expect("it is an id")).collect(),
            devices: ids("device", WRITERS).iter().map(|id| DeviceId::new(id).expect("it is an id")).collect(),
            reader: UserId::new("reader").expect("it is an id"),
            text: "The quick brown fox jumps over the lazy dog. ".repeat(5)[..TEXT_BYTES].to_owned(),
        }
    }

    /// Which user writes in a room.
    pub fn writer_of(&self, room: usize) -> usize {
        room % WRITERS
    }

    /// Makes all apps, users, devices and rooms.
    pub async fn build(self: &Arc<Self>, store: &Arc<dyn Store>) {
        let settings = AppSettings::open("bench");
        let app = App { id: self.app.clone(), settings, created_at: Timestamp(0) };
        let mut changes = vec![AccountChange::CreateApp(app)];
        for user in self.users.iter().chain([&self.reader]) {
            changes.push(AccountChange::CreateUser { user: person(user), password: None });
        }
        for (user, device) in self.users.iter().zip(&self.devices) {
            changes.push(AccountChange::CreateDevice { device: device_of(device, user), verified: None });
        }
        self.commit(store, Work::Account(changes)).await;
        for start in (0..ROOMS).step_by(BUILDERS) {
            let mut building = tokio::task::JoinSet::new();
            for room in start..(start + BUILDERS).min(ROOMS) {
                let (town, store) = (Arc::clone(self), Arc::clone(store));
                building.spawn(async move { town.commit(&store, town.room(room)).await });
            }
            building.join_all().await;
        }
    }

    fn room(&self, room: usize) -> Work {
        let writer = self.writer_of(room);
        let mut members: Vec<_> = (0..MEMBERS).map(|n| self.users[(writer + n * 7) % WRITERS].clone()).collect();
        if room < READER_ROOMS {
            members[MEMBERS - 1] = self.reader.clone();
        }
        let settings = RoomSettings::default();
        let mut events = vec![EventBody::Created { kind: RoomKind::Group, settings: settings.clone() }];
        events.extend(members.into_iter().map(|user| EventBody::Member {
            user,
            state: MemberState::Joined,
            level: Level::MEMBER,
        }));
        let create = Some(NewRoom { kind: RoomKind::Group, pair: None, settings });
        let changes = Changes { create, events, ..Changes::default() };
        self.work(room, None, changes)
    }

    /// A message in a room, as its client would send it.
    pub fn message(&self, room: usize, number: u64) -> Unit {
        let expect = Expectation { version: VERSION, reactions: None };
        let events = vec![EventBody::message(Content::plain(self.text.as_str()), None)];
        let client_id = ClientId::new(format!("c-{number:016x}")).expect("it is an id");
        let work = self.work(room, Some(client_id), Changes { events, expect, ..Changes::default() });
        self.unit(work)
    }

    fn work(&self, room: usize, client_id: Option<ClientId>, changes: Changes) -> Work {
        let writer = self.writer_of(room);
        Work::Room(RoomWork {
            room: self.rooms[room].clone(),
            actor: self.users[writer].clone(),
            device: self.devices[writer].clone(),
            client_id,
            fingerprint: 0x0123_4567_89ab_cdef,
            changes,
        })
    }

    fn unit(&self, work: Work) -> Unit {
        Unit { app: self.app.clone(), at: Timestamp(1_800_000_000_000), work }
    }

    async fn commit(&self, store: &Arc<dyn Store>, work: Work) {
        let outcome = store.commit(self.unit(work)).await.expect("the store works");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
}

fn person(id: &UserId) -> User {
    User {
        id: id.clone(),
        kind: UserKind::Person,
        display_name: id.as_str().into(),
        admin: false,
        disabled: false,
        created_at: Timestamp(0),
    }
}

fn device_of(id: &DeviceId, user: &UserId) -> Device {
    Device {
        id: id.clone(),
        user: user.clone(),
        name: "bench".into(),
        created_at: Timestamp(0),
        last_seen_at: Timestamp(0),
        refresh_generation: 1,
    }
}
