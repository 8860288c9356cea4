//! The world in which operations are counted: an engine on a store, some people, rooms of some of them.

use std::num::NonZeroU32;
use std::sync::Arc;

use bus::LocalBus;
use domain::{
    AccountChange, Action, Actor, App, AppId, AppSettings, ClientId, Command, CommitNumber, Content, DEFAULT_APP,
    Device, DeviceId, JoinRule, RoomId, SettingsChange, Timestamp, User, UserId, UserKind,
};
use door_web::DoorOptions;
use engine::{Engine, EngineOptions, Receipt, Register, Secrets, SystemClock};
use futures_util::future::join_all;
use storage::{FollowerStep, Memory, Outcome, Store, Unit, Work};
use storage_sqlite::SqliteStore;
use tempfile::TempDir;

/// Bytes of a message's text.
pub const TEXT_BYTES: usize = 180;
/// What may wait in the memtable: little, so that it is full soon, and then each group writes as much to its place as it brings.
const MEMTABLE_BYTES: usize = 64 * 1024;
/// More requests than anybody makes here.
const UNLIMITED: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("not zero");
/// A commit that is never reached. The statistics follower is told that it has come so far: it works once a second, and
/// how often that is in a run is chance.
const NEVER: CommitNumber = CommitNumber(1 << 50);

/// An engine and who talks through it.
pub struct World {
    pub engine: Engine,
    pub people: Vec<Actor>,
    store: Arc<dyn Store>,
    folder: Option<TempDir>,
}

impl World {
    /// People over the memory model of the store.
    pub async fn in_memory(people: usize) -> Self {
        let app = app();
        Self::over(Arc::new(Memory::new(app)), None, people).await
    }

    /// People over a store on disk.
    pub async fn on_disk(people: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = open(&folder);
        write(&store, Work::Account(vec![AccountChange::CreateApp(app())])).await;
        Self::over(store, Some(folder), people).await
    }

    /// The same world after the server was stopped and started again: nothing waits to be written to its place, which happens
    /// when it may.
    pub async fn opened_again(self) -> Self {
        let Self { engine, people, store, folder } = self;
        engine.stop().await;
        drop((engine, store));
        let folder = folder.expect("it is on disk");
        let store = open(&folder);
        let engine = start(&store).await;
        Self { engine, people, store, folder: Some(folder) }
    }

    async fn over(store: Arc<dyn Store>, folder: Option<TempDir>, people: usize) -> Self {
        let follower =
            FollowerStep { name: "statistics", from: CommitNumber(0), to: NEVER, counts: Default::default() };
        write(&store, Work::Follower(follower)).await;
        let people: Vec<Actor> = (0..people).map(actor).collect();
        let changes = people.iter().flat_map(account).collect();
        write(&store, Work::Account(changes)).await;
        let engine = start(&store).await;
        Self { engine, people, store, folder }
    }

    /// Makes a room of these people; the first one owns it.
    pub async fn group(&self, name: &str, people: &[Actor]) -> RoomId {
        let room = RoomId::new(name).expect("an id");
        let settings = SettingsChange { join_rule: Some(JoinRule::Open), ..SettingsChange::default() };
        self.act(&people[0], &room, Action::Create { settings, invite: Vec::new() }).await;
        self.join(&room, &people[1..]).await;
        room
    }

    /// Makes rooms of one owner, many in a commit.
    pub async fn rooms(&self, prefix: &str, count: usize, owner: &Actor) -> Vec<RoomId> {
        let ids: Vec<_> = (0..count).map(|n| RoomId::new(format!("{prefix}-{n:04}")).expect("an id")).collect();
        let creating = ids.iter().map(|room| {
            let action = Action::Create { settings: SettingsChange::default(), invite: Vec::new() };
            self.act(owner, room, action)
        });
        join_all(creating).await;
        ids
    }

    /// Lets people into a room.
    pub async fn join(&self, room: &RoomId, people: &[Actor]) {
        for person in people {
            self.act(person, room, Action::Join).await;
        }
    }

    async fn act(&self, actor: &Actor, room: &RoomId, action: Action) {
        let command = Command { room: room.clone(), action };
        self.engine.execute(actor, command, None).await.expect("it is allowed");
    }

    /// Says something, as a connection does.
    pub async fn say(&self, actor: &Actor, room: &RoomId, number: u64) -> Receipt {
        let submitted = self.engine.lane(actor).submit(message(room), Some(client_id(number))).await;
        submitted.receipt().await.expect("may speak")
    }

    /// The last commit.
    pub async fn head(&self) -> CommitNumber {
        self.store.head(&app().id).await.expect("the store answers")
    }

    /// Registers somebody with a password; gives them and their token.
    pub async fn registered(&self) -> (Actor, String) {
        let register = Register { id: "ann".into(), password: "a long password".into(), ..Register::default() };
        let signed_in = self.engine.register(register).await.expect("the id is free");
        let (app, user, device) = (signed_in.app, signed_in.user.id, signed_in.device.id);
        (Actor { app, user, device }, signed_in.access_token)
    }
}

/// The door as it is by default, but that it refuses nobody for the rate.
pub fn door_options() -> DoorOptions {
    DoorOptions { open_requests_per_second: UNLIMITED, ..DoorOptions::default() }
}

/// A message as a client sends it.
pub fn message(room: &RoomId) -> Command {
    Command { room: room.clone(), action: Action::Send { content: Content::plain(text()), reply_to: None } }
}

/// What messages say.
pub fn text() -> String {
    "The quick brown fox jumps over the lazy dog. ".repeat(5)[..TEXT_BYTES].to_owned()
}

/// The id of a message of this number.
pub fn client_id(number: u64) -> ClientId {
    ClientId::new(format!("c-{number:016x}")).expect("it is an id")
}

fn app() -> App {
    let id = AppId::new(DEFAULT_APP).expect("a constant");
    App { id, settings: AppSettings::open("Counts"), created_at: Timestamp(0) }
}

fn actor(number: usize) -> Actor {
    let user = UserId::new(format!("person-{number:04}")).expect("an id");
    let device = DeviceId::new(format!("device-{number:04}")).expect("an id");
    Actor { app: app().id, user, device }
}

fn account(Actor { user, device, .. }: &Actor) -> [AccountChange; 2] {
    let (created_at, kind) = (Timestamp(0), UserKind::Person);
    let display_name = user.as_str().into();
    let person = User { id: user.clone(), kind, display_name, admin: false, disabled: false, created_at };
    let device = Device {
        id: device.clone(),
        user: user.clone(),
        name: "counts".into(),
        created_at,
        last_seen_at: created_at,
        refresh_generation: 1,
    };
    [AccountChange::CreateUser { user: person, password: None }, AccountChange::CreateDevice { device, verified: None }]
}

fn open(folder: &TempDir) -> Arc<dyn Store> {
    let options = storage_sqlite::Options { memtable_bytes: MEMTABLE_BYTES, ..Default::default() };
    Arc::new(SqliteStore::open(folder.path(), &options).expect("nobody else has the folder open"))
}

async fn start(store: &Arc<dyn Store>) -> Engine {
    let mut options = EngineOptions::new(app().id);
    (options.requests_per_second, options.requests_burst) = (UNLIMITED.get(), UNLIMITED.get());
    options.sessions_per_user_max = usize::MAX;
    let (secrets, bus) = (Secrets { token_key: [7; 32] }, Arc::new(LocalBus::default()));
    let engine = Engine::start(options, secrets, store.clone(), bus, Arc::new(SystemClock)).await;
    engine.expect("the store answers")
}

async fn write(store: &Arc<dyn Store>, work: Work) {
    let outcome = store.commit(Unit { app: app().id, at: Timestamp(0), work }).await.expect("the store works");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}
