//! The engine's parts, its start and its end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Bus;
use domain::RoomId;
use smol_str::SmolStr;
use storage::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::Setup;
use crate::active::Hot;
use crate::authenticate::DeviceCache;
use crate::facts::Facts;
use crate::fanout;
use crate::follower;
use crate::outbox::Flow;
use crate::password::Passwords;
use crate::presence::LastSeen;
use crate::rate::RateLimits;
use crate::session::Hub;
use crate::statistics::StatisticsFollower;
use crate::token::Tokens;
use crate::turns::Turns;
use crate::{Allowance, Clock, EngineError, EngineOptions, Secrets};

/// How often memory of rested users and idle rooms is given back.
const TIDY_INTERVAL: Duration = Duration::from_secs(10);

/// The engine; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: EngineOptions,
    pub(crate) store: Arc<dyn Store>,
    /// Which history the store's is.
    epoch: SmolStr,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) passwords: Passwords,
    pub(crate) rates: RateLimits,
    pub(crate) facts: Facts,
    pub(crate) turns: Turns,
    pub(crate) devices: DeviceCache,
    pub(crate) hub: Hub,
    pub(crate) last_seen: LastSeen,
    pub(crate) setup: Setup,
    /// Counts commits of this process, so that followers wake up.
    pub(crate) commits: watch::Sender<u64>,
    pub(crate) stopping: watch::Sender<bool>,
    draining: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// How the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the store answers.
    pub readable: bool,
    /// Whether the store writes, as far as is known (see [`Store::is_writable`]).
    pub writable: bool,
    /// Whether the engine is about to stop.
    pub draining: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Starts the engine and its tasks on the current runtime.
    pub async fn start(
        options: EngineOptions,
        secrets: Secrets,
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
    ) -> Result<Engine, EngineError> {
        let inner = Arc::new(Inner {
            tokens: Tokens::new(secrets.token_key),
            passwords: Passwords::new(options.password_hashes_at_once, options.password_hashes_waiting_max),
            rates: RateLimits::new(
                options.requests_per_second,
                options.requests_burst,
                options.password_attempts_per_minute,
            ),
            facts: Facts::new(options.cached_rooms_max),
            turns: Turns::default(),
            devices: DeviceCache::new(options.cached_devices_max),
            hub: Hub::new(Hot {
                per_second: options.hot_room_deliveries_per_second,
                people_min: options.hot_room_people_min,
            }),
            last_seen: LastSeen::default(),
            setup: Setup::default(),
            commits: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            tasks: Mutex::default(),
            options,
            epoch: store.epoch().await?,
            store,
            bus,
            clock,
        });
        let engine = Engine { inner };
        engine.open_setup().await?;
        engine.spawn(fanout::publish_commits(engine.clone()));
        engine.spawn(fanout::deliver_notices(engine.clone()));
        engine.spawn(follower::run(engine.clone(), StatisticsFollower));
        engine.spawn(tidy(engine.clone()));
        Ok(engine)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.lock().expect("no holder of this lock panics").push(tokio::spawn(task));
    }

    /// Takes one request of the actor's out of their allowance.
    pub fn admit(&self, actor: &domain::Actor) -> Result<Allowance, EngineError> {
        self.inner.rates.request(&actor.app, &actor.user)
    }

    /// An id for a room to be created: 100 bits of chance.
    pub fn fresh_room_id(&self) -> RoomId {
        RoomId::new(random_text(20)).expect("the alphabet of random text is that of ids")
    }

    /// Which history the seqs and commits are of. What clients know of another epoch is worth nothing: the server was
    /// restored from a backup meanwhile, and may have given out the same numbers again.
    pub fn epoch(&self) -> SmolStr {
        self.inner.epoch.clone()
    }

    /// How the engine is: asks the store for something small.
    pub async fn health(&self) -> Health {
        let readable = self.inner.store.head(&self.inner.options.default_app).await.is_ok();
        Health { readable, writable: self.is_writable(), draining: self.is_draining() }
    }

    /// Whether the store writes, as far as is known (see [`Store::is_writable`]).
    pub fn is_writable(&self) -> bool {
        self.inner.store.is_writable()
    }

    /// Whether the engine is about to stop.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// Takes no new sessions and tells every session to come back within `spread_ms`, each at a time of its own.
    pub fn drain(&self, spread_ms: u32) {
        self.inner.draining.store(true, Ordering::Relaxed);
        self.inner.hub.rooms.tell_all_gathered();
        for session in self.inner.hub.all_sessions() {
            let reconnect_after_ms = rand::random_range(0..=spread_ms);
            session.outbox.end(Flow::Drain { reconnect_after_ms });
        }
    }

    /// Ends the engine: its tasks, and the store after everything waiting is written. To be called after the doors.
    pub async fn stop(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
        self.inner.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.inner.tasks.lock().expect("no holder of this lock panics"));
        for task in tasks {
            // A task that panicked has been logged by the runtime; the others still end.
            let _ = task.await;
        }
        self.inner.store.close().await;
    }

    /// How many sessions are open.
    pub fn sessions_open(&self) -> usize {
        self.inner.hub.sessions_open()
    }
}

/// Waits until the engine is stopping.
pub(crate) async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the engine is gone altogether.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn tidy(engine: Engine) {
    let mut interval = tokio::time::interval(TIDY_INTERVAL);
    loop {
        tokio::select! {
            () = stopped(engine.inner.stopping.subscribe()) => return,
            _ = interval.tick() => {
                engine.inner.rates.forget_rested();
                engine.inner.hub.forget_idle_rooms(Duration::from_millis(engine.inner.options.active_room_idle_ms));
                metrics::gauge!("starling_sessions").set(engine.inner.hub.sessions_open() as f64);
                metrics::gauge!("starling_active_rooms").set(engine.inner.hub.active_rooms() as f64);
            }
        }
    }
}

/// Random text of ids: 5 bits in each character.
pub(crate) fn random_text(chars: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    (0..chars).map(|_| char::from(ALPHABET[usize::from(rand::random::<u8>() & 31)])).collect()
}
