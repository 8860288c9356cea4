//! A world of people who chat through one engine.

use std::sync::Arc;

use bus::LocalBus;
use domain::{
    AccountChange, Action, Actor, App, AppId, AppSettings, ClientId, Command, Content, Cut, DEFAULT_APP, DeviceId,
    RoomId, Seq, SettingsChange, Timestamp, User, UserId, UserKind,
};
use engine::{
    Clock, Engine, EngineError, EngineOptions, History, HistoryView, NewUser, Receipt, Register, Secrets, Sync,
    SyncView,
};
use storage::{Memory, Store, Unit, Work};
use storage_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::{Listener, ManualClock};

/// Everybody's password.
pub const PASSWORD: &str = "a long password";

/// An engine, its store and its clock.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// What it writes to.
    pub store: Arc<dyn Store>,
    /// What it tells the time by.
    pub clock: Arc<ManualClock>,
    folder: Option<TempDir>,
}

/// How a world differs from the usual.
pub type WorldOptions = fn(&mut EngineOptions);

/// Somebody with a device.
#[derive(Clone)]
pub struct Person {
    /// Who they are to the engine.
    pub actor: Actor,
    engine: Engine,
}

impl World {
    /// A world over the memory model.
    pub async fn new() -> World {
        World::with(|_| {}).await
    }

    /// A world over the memory model with other options.
    pub async fn with(change: WorldOptions) -> World {
        let app = AppId::new(DEFAULT_APP).expect("a constant");
        let settings = AppSettings::open("Test");
        let store = Memory::new(App { id: app, settings, created_at: Timestamp(0) });
        World::over(Arc::new(store), Arc::default(), change).await
    }

    /// A world on disk, in a folder that lives as long as the world.
    pub async fn on_disk(change: WorldOptions) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = SqliteStore::open(folder.path(), &storage_sqlite::Options::default()).expect("the folder is new");
        let id = AppId::new(DEFAULT_APP).expect("a constant");
        let app = App { id: id.clone(), settings: AppSettings::open("Test"), created_at: Timestamp(0) };
        let unit = Unit { app: id, at: Timestamp(0), work: Work::Account(vec![AccountChange::CreateApp(app)]) };
        store.commit(unit).await.expect("the disk works");
        let mut world = World::over(Arc::new(store), Arc::default(), change).await;
        world.folder = Some(folder);
        world
    }

    /// A world over a store.
    pub async fn over(store: Arc<dyn Store>, clock: Arc<ManualClock>, change: WorldOptions) -> World {
        let mut options = EngineOptions::new(AppId::new(DEFAULT_APP).expect("a constant"));
        options.presence_grace_ms = 0;
        change(&mut options);
        let secrets = Secrets { token_key: [7; 32] };
        let bus = Arc::new(LocalBus::default());
        let engine = Engine::start(options, secrets, store.clone(), bus, clock.clone()).await;
        World { engine: engine.expect("the store answers"), store, clock, folder: None }
    }

    /// Registers somebody.
    pub async fn person(&self, id: &str) -> Person {
        let register = Register { id: id.into(), password: PASSWORD.into(), ..Register::default() };
        let signed_in = self.engine.register(register).await.expect("the id is free");
        self.of(&signed_in)
    }

    /// Makes somebody who has no password: quicker than to register them.
    pub async fn stranger(&self, id: &str) -> Person {
        let id = UserId::new(id).expect("an id");
        let (app, now) = (self.engine_app(), self.clock.now());
        let (kind, display_name) = (UserKind::Person, id.as_str().into());
        let user = User { id: id.clone(), kind, display_name, admin: false, disabled: false, created_at: now };
        let device = DeviceId::new(format!("device-{id}")).expect("an id");
        let change = AccountChange::CreateUser { user, password: None };
        let unit = Unit { app: app.clone(), at: now, work: Work::Account(vec![change]) };
        self.store.commit(unit).await.expect("the store works");
        Person { actor: Actor { app, user: id, device }, engine: self.engine.clone() }
    }

    fn engine_app(&self) -> AppId {
        AppId::new(DEFAULT_APP).expect("a constant")
    }

    /// Whoever has signed in.
    pub fn of(&self, signed_in: &engine::SignedIn) -> Person {
        let (app, user, device) = (signed_in.app.clone(), signed_in.user.id.clone(), signed_in.device.id.clone());
        Person { actor: Actor { app, user, device }, engine: self.engine.clone() }
    }

    /// Somebody of another app, which is made for it.
    pub async fn foreigner(&self, app: &str, id: &str) -> Person {
        let operator = self.engine.operator();
        let app = AppId::new(app).expect("an id");
        operator.create_app(app.clone(), AppSettings::open("Other")).await.expect("the app is new");
        let id = UserId::new(id).expect("an id");
        let new = NewUser { id: id.clone(), password: PASSWORD.into(), display_name: None, admin: false };
        operator.create_user(&app, new).await.expect("the id is free");
        let login = engine::Login {
            app: Some(app.to_string()),
            id: id.to_string(),
            password: PASSWORD.into(),
            device_name: None,
        };
        self.of(&self.engine.login(login).await.expect("the password is right"))
    }
}

impl Person {
    /// Does something in a room.
    pub async fn act(&self, room: &RoomId, action: Action) -> Result<Receipt, EngineError> {
        self.engine.execute(&self.actor, Command { room: room.clone(), action }, None).await
    }

    /// Creates a group and invites others, who join at once.
    pub async fn group(&self, others: &[&Person]) -> RoomId {
        self.group_with(SettingsChange::default(), others).await
    }

    /// Creates a group with settings and invites others, who join at once.
    pub async fn group_with(&self, settings: SettingsChange, others: &[&Person]) -> RoomId {
        let invite = others.iter().map(|other| other.actor.user.clone()).collect();
        let room = self.engine.fresh_room_id();
        self.act(&room, Action::Create { settings, invite }).await.expect("the room is new");
        for other in others {
            other.act(&room, Action::Join).await.expect("was invited");
        }
        room
    }

    /// Opens the direct room with somebody.
    pub async fn direct(&self, other: &Person) -> RoomId {
        let action = Action::Direct { user: other.actor.user.clone() };
        self.act(&self.engine.fresh_room_id(), action).await.expect("both exist").room
    }

    /// Says something; gives its seq.
    pub async fn say(&self, room: &RoomId, text: &str) -> Seq {
        self.act(room, Action::Send { content: Content::plain(text), reply_to: None }).await.expect("may speak").seq
    }

    /// Says something under a client id.
    pub async fn say_as(&self, room: &RoomId, text: &str, client_id: &str) -> Result<Receipt, EngineError> {
        let action = Action::Send { content: Content::plain(text), reply_to: None };
        let client_id = ClientId::new(client_id).expect("an id");
        self.engine.execute(&self.actor, Command { room: room.clone(), action }, Some(client_id)).await
    }

    /// The newest events of a room.
    pub async fn history(&self, room: &RoomId) -> Result<HistoryView, EngineError> {
        self.engine.query(&self.actor, History { room: room.clone(), cut: Cut::Newest, limit: 200 }).await
    }

    /// The texts in a room, as this person sees them.
    pub async fn texts(&self, room: &RoomId) -> Vec<String> {
        let view = self.history(room).await.expect("may read");
        let text = |content: &Content| match content {
            Content::Text(text) => text.text.to_string(),
        };
        view.entries.iter().filter_map(|entry| entry.content().map(text)).collect()
    }

    /// What changed since a commit, all of it.
    pub async fn sync(&self, since: u64) -> SyncView {
        let since = domain::CommitNumber(since);
        let mut whole = self.engine.query(&self.actor, Sync { since }).await.expect("the store answers");
        while whole.more {
            let next = self.engine.query(&self.actor, Sync { since: whole.commit }).await.expect("the store answers");
            whole.rooms.extend(next.rooms);
            (whole.commit, whole.more) = (next.commit, next.more);
        }
        whole
    }

    /// Connects, and listens from now on.
    pub async fn listen(&self) -> Listener {
        Listener::new(self.engine.subscribe(&self.actor).await.expect("the device lives"))
    }
}
