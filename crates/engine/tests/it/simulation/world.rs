//! One simulated world: a disk, the engine that runs on it at the moment, the people, and the course of a run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bus::LocalBus;
use domain::{
    AccountChange, Action, Actor, App, AppId, AppSettings, ClientId, Command, DEFAULT_APP, DeviceId, HistoryVisibility,
    RoomId, SettingsChange, Timestamp, User, UserId, UserKind,
};
use engine::{Clock, Engine, EngineOptions, Secrets};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use storage::{Memory, Unit, Work};
use testkit::ManualClock;

use super::check;
use super::dice::Dice;
use super::faults::{Disk, FaultyStore, Weather};
use super::ledger::Ledger;
use super::person::Device;
use super::replica::Replica;

const TOKEN_KEY: [u8; 32] = [7; 32];
/// When tokens end, in seconds since 1970: after every jump of the clock.
const TOKENS_END_S: u64 = 4_000_000_000;
/// Longest time between two troubles of the whole server, in milliseconds.
const TROUBLE_MS_MAX: u64 = 600;
/// Longest time that a server is away, in milliseconds.
const AWAY_MS_MAX: u64 = 300;
/// After so long everything on its way has arrived, in milliseconds.
const SETTLE_MS: u64 = 30_000;
/// How far the clock jumps at most, in milliseconds: two days.
const JUMP_MS_MAX: u64 = 2 * 24 * 60 * 60 * 1000;
/// Rooms whose facts the engine keeps: all, since which it would drop is chance that no seed rules.
const CACHED_ROOMS: usize = 1024;
const CACHED_DEVICES: usize = 1024;

/// A world.
pub(super) struct World {
    pub(super) ledger: Arc<Ledger>,
    pub(super) disk: Arc<Disk>,
    pub(super) users: Vec<UserId>,
    pub(super) app: AppId,
    clock: Arc<ManualClock>,
    options: EngineOptions,
    running: Mutex<Option<Running>>,
    numbers: AtomicU64,
}

#[derive(Clone)]
struct Running {
    engine: Engine,
    store: Arc<FaultyStore>,
    incarnation: u64,
}

/// What a run has come to.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) hash: u64,
    pub(super) wrong: Vec<String>,
    pub(super) commits: u64,
    pub(super) steps: u64,
    pub(super) faults: u64,
}

/// Runs the world of a seed from its beginning to its end, on the current runtime.
pub(super) async fn run(seed: u64, print: bool) -> Course {
    let mut dice = Dice::new(seed);
    let ledger = Ledger::new(print);
    let world = World::new(&mut dice, &ledger).await;
    let devices = world.people(&mut dice).await;
    world.boot().await;
    world.first_room(&mut dice, &devices).await;
    world.disk.set_calm(false);
    let steps = dice.between(8, 26);
    let mut living = Vec::new();
    for device in devices {
        living.push(tokio::spawn(device.live(steps)));
    }
    let trouble = tokio::spawn(trouble(world.clone(), dice.fork()));
    let mut devices = Vec::new();
    for living in living {
        match living.await {
            Ok(device) => devices.push(device),
            Err(error) => ledger.wrong(format!("a device died: {error}")),
        }
    }
    trouble.abort();
    world.disk.set_calm(true);
    if world.engine().is_none() {
        world.boot().await;
    }
    tokio::time::sleep(Duration::from_millis(SETTLE_MS)).await;
    check::check(&world, &mut dice, devices).await;
    world.stop().await;
    let (hash, faults) = (ledger.hash(), world.disk.faults.load(Ordering::Relaxed));
    let book = ledger.book();
    let wrong = book.wrong.iter().map(|(step, what)| format!("step {step}: {what}")).collect();
    Course { hash, wrong, commits: book.head.0, steps: book.step, faults }
}

/// What happens to the whole server meanwhile: restarts, deaths, and clocks that jump.
async fn trouble(world: Arc<World>, mut dice: Dice) {
    let kinds = dice.below(4);
    loop {
        tokio::time::sleep(Duration::from_millis(dice.between(50, TROUBLE_MS_MAX))).await;
        let away = Duration::from_millis(dice.between(0, AWAY_MS_MAX));
        match dice.below(4) {
            0 if kinds > 0 => world.die(away).await,
            1 if kinds > 1 => world.restart(away).await,
            2 => {
                let jump = i64::try_from(dice.below(2 * JUMP_MS_MAX)).expect("days") - JUMP_MS_MAX.cast_signed();
                world.clock.advance_ms(jump);
                world.ledger.note(&format!("the clock jumps by {jump} ms"));
            }
            _ => world.clock.advance_ms(1000),
        }
    }
}

impl World {
    async fn new(dice: &mut Dice, ledger: &Arc<Ledger>) -> Arc<Self> {
        let app = AppId::new(DEFAULT_APP).expect("a constant");
        let memory =
            Memory::new(App { id: app.clone(), settings: AppSettings::open("Test"), created_at: Timestamp(0) });
        let hard = dice.percent(60);
        let weather = Weather {
            slow_percent: dice.between(0, 40),
            slow_ms_max: dice.between(1, 40),
            read_fails_percent: if hard { dice.between(0, 6) } else { 0 },
            members_fail: dice.percent(30),
            write_fails_percent: if hard { dice.between(0, 12) } else { 0 },
            answer_lost_percent: if hard { dice.between(0, 12) } else { 0 },
        };
        let mut options = EngineOptions::new(app.clone());
        (options.requests_per_second, options.requests_burst) = (u32::MAX, u32::MAX);
        options.outbox_deliveries_max =
            if dice.percent(30) { usize::try_from(dice.between(2, 6)).expect("small") } else { 512 };
        options.sessions_per_user_max = 10;
        options.presence_grace_ms = dice.between(0, 200);
        // Forgets all rooms or none: what has rested for how long is not told by virtual time.
        options.active_room_idle_ms = if dice.percent(50) { 0 } else { u64::from(u32::MAX) };
        if dice.percent(40) {
            // Every room in which anything was told in its last second.
            (options.hot_room_deliveries_per_second, options.hot_room_people_min) = (0, 0);
            options.hot_room_gather_ms = dice.between(0, 60);
        }
        (options.cached_rooms_max, options.cached_devices_max) = (CACHED_ROOMS, CACHED_DEVICES);
        let names = ["ann", "bob", "cid", "dora"];
        let users = names[..usize::try_from(dice.between(2, 4)).expect("small")].iter();
        let users: Vec<UserId> = users.map(|name| UserId::new(name).expect("an id")).collect();
        let disk = Disk::new(memory, ledger.clone(), weather, dice.fork());
        ledger.note(&format!("{weather:?}"));
        Arc::new(Self {
            ledger: ledger.clone(),
            disk,
            users,
            app,
            clock: Arc::default(),
            options,
            running: Mutex::default(),
            numbers: AtomicU64::new(0),
        })
    }

    /// The engine, if it is running, and which run of it this is.
    pub(super) fn engine(&self) -> Option<(Engine, u64)> {
        let running = self.running.lock().expect("nobody panics");
        running.as_ref().map(|running| (running.engine.clone(), running.incarnation))
    }

    /// Whether push misses nothing: no read that it depends on fails.
    pub(super) fn is_complete(&self) -> bool {
        !self.disk.weather().members_fail
    }

    /// A number that was not given before.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts an engine on the disk.
    async fn boot(&self) {
        let incarnation = self.next_number();
        loop {
            let store = FaultyStore::open(&self.disk);
            let (options, secrets) = (self.options.clone(), Secrets { token_key: TOKEN_KEY });
            let bus = Arc::new(LocalBus::default());
            match Engine::start(options, secrets, store.clone(), bus, self.clock.clone()).await {
                Ok(engine) => {
                    self.ledger.note("the engine runs");
                    *self.running.lock().expect("nobody panics") = Some(Running { engine, store, incarnation });
                    return;
                }
                Err(error) => {
                    self.ledger.note(&format!("the engine can't start: {error}"));
                    store.kill();
                }
            }
        }
    }

    /// The process dies at once: what was not written is lost, what was not answered is unknown.
    async fn die(&self, away: Duration) {
        let running = self.running.lock().expect("nobody panics").take();
        let Some(Running { engine, store, .. }) = running else { return };
        store.kill();
        self.ledger.note("the engine dies");
        engine.stop().await;
        tokio::time::sleep(away).await;
        self.boot().await;
    }

    /// The process is stopped in good order and starts again.
    async fn restart(&self, away: Duration) {
        let running = self.running.lock().expect("nobody panics").clone();
        let Some(Running { engine, store, .. }) = running else { return };
        self.ledger.note("the engine drains");
        engine.drain(0);
        tokio::time::sleep(Duration::from_millis(100)).await;
        *self.running.lock().expect("nobody panics") = None;
        engine.stop().await;
        store.kill();
        self.ledger.note("the engine has stopped");
        tokio::time::sleep(away).await;
        self.boot().await;
    }

    /// Stops the engine and starts it again, all being quiet.
    pub(super) async fn reboot(&self) {
        self.restart(Duration::ZERO).await;
    }

    async fn stop(&self) {
        let running = self.running.lock().expect("nobody panics").take();
        if let Some(Running { engine, .. }) = running {
            engine.stop().await;
        }
    }

    /// Makes the users and their devices.
    async fn people(self: &Arc<Self>, dice: &mut Dice) -> Vec<Device> {
        let mut actors: BTreeMap<UserId, Vec<Actor>> = BTreeMap::new();
        let mut changes = Vec::new();
        let now = self.clock.now();
        for user in &self.users {
            let (kind, display_name) = (UserKind::Person, user.as_str().into());
            let user = User { id: user.clone(), kind, display_name, admin: false, disabled: false, created_at: now };
            changes.push(AccountChange::CreateUser { user, password: None });
        }
        for user in &self.users {
            for number in 1..=dice.between(1, 3) {
                let id = DeviceId::new(format!("{user}{number}")).expect("an id");
                let actor = Actor { app: self.app.clone(), user: user.clone(), device: id.clone() };
                let (user, name) = (user.clone(), "device".into());
                let (created_at, last_seen_at) = (now, now);
                let device = domain::Device { id, user, name, created_at, last_seen_at, refresh_generation: 1 };
                changes.push(AccountChange::CreateDevice { device, verified: None });
                actors.entry(actor.user.clone()).or_default().push(actor);
            }
        }
        let unit = Unit { app: self.app.clone(), at: now, work: Work::Account(changes) };
        self.disk.write(unit, None).await;
        let mut devices = Vec::new();
        for actors in actors.values() {
            for actor in actors {
                let others = actors.iter().filter(|other| other.device != actor.device).cloned().collect();
                devices.push(self.device(actor.clone(), others, dice.fork()));
            }
        }
        devices
    }

    /// A device that knows nothing yet.
    pub(super) fn device(self: &Arc<Self>, actor: Actor, others: Vec<Actor>, dice: Dice) -> Device {
        Device {
            world: self.clone(),
            token: token(&actor),
            actor,
            others,
            dice,
            replica: Replica::default(),
            open: None,
            unknown: VecDeque::new(),
            ended: false,
            client_ids: 0,
        }
    }

    /// A group of all users, so that there is something to talk about.
    async fn first_room(&self, dice: &mut Dice, devices: &[Device]) {
        let Some((engine, _)) = self.engine() else { return };
        let room = RoomId::new("first").expect("an id");
        let history = [HistoryVisibility::Members, HistoryVisibility::Joined, HistoryVisibility::Invited];
        let settings = SettingsChange { history: dice.pick(&history).copied(), ..SettingsChange::default() };
        let create = Action::Create { settings, invite: self.users[1..].to_vec() };
        for device in devices {
            let maker = device.actor.user == self.users[0];
            let (action, client_id) = if maker { (create.clone(), "make") } else { (Action::Join, "join") };
            let client_id = ClientId::new(format!("{client_id}-{}", device.actor.device)).expect("an id");
            let command = Command { room: room.clone(), action };
            // A second device of the same user finds it done.
            let _ = engine.execute(&device.actor, command, Some(client_id)).await;
        }
    }
}

/// An access token as the engine would give it out (RFC 7519): made here, since signing in costs real time.
fn token(actor: &Actor) -> String {
    let (app, user, device) = (&actor.app, &actor.user, &actor.device);
    let claims = format!(r#"{{"app":"{app}","sub":"{user}","dev":"{device}","gen":1,"iat":0,"exp":{TOKENS_END_S}}}"#);
    let signed = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(&TOKEN_KEY).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}
