//! A server on a real socket, and people to try it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bus::LocalBus;
use domain::{App, AppId, AppSettings, Timestamp};
use door_web::{DoorOptions, router};
use engine::{Engine, EngineOptions, Secrets};
use net::{Listener, NetOptions};
use serde_json::{Value, json};
use storage::Store;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Answer, request};
use crate::rigged::{JumpClock, Rigged};
use crate::websocket::Socket;

pub const PASSWORD: &str = "correct horse";

/// What a test wants to be different.
pub struct Setting {
    pub engine: EngineOptions,
    pub door: DoorOptions,
    pub net: NetOptions,
}

impl Default for Setting {
    fn default() -> Self {
        let many = 10_000.try_into().unwrap();
        let mut engine = EngineOptions::new(app("default"));
        (engine.requests_per_second, engine.requests_burst, engine.password_attempts_per_minute) =
            (10_000, 10_000, 1000);
        engine.refresh_grace_ms = 0;
        engine.conflict_patience_ms = 500;
        engine.presence_grace_ms = 0;
        let door = DoorOptions {
            sign_ins_per_minute: many,
            refreshes_per_minute: many,
            open_requests_per_second: many,
            ..DoorOptions::default()
        };
        Self { engine, door, net: NetOptions::default() }
    }
}

pub fn app(id: &str) -> AppId {
    AppId::new(id).unwrap()
}

pub struct World {
    pub address: SocketAddr,
    pub engine: Engine,
    pub store: Arc<Rigged>,
    pub clock: Arc<JumpClock>,
    /// The session of each person, as the server gave it.
    pub people: HashMap<String, Value>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<bool>>,
}

impl World {
    pub async fn new(setting: Setting) -> Self {
        let settings = AppSettings::open("Default");
        let store = Arc::new(Rigged::new(App { id: app("default"), settings, created_at: Timestamp(0) }));
        let clock = Arc::new(JumpClock::default());
        let secrets = Secrets { token_key: [7; 32] };
        let bus = Arc::new(LocalBus::default());
        let engine = Engine::start(setting.engine, secrets, store.clone(), bus, clock.clone()).await.unwrap();
        let listener = Listener::bind("127.0.0.1:0", setting.net).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(engine.clone(), setting.door);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(listener.serve(router, async { stopped.await.unwrap_or_default() }));
        Self { address, engine, store, clock, people: HashMap::new(), stop: Some(stop), serving: Some(serving) }
    }

    /// A server with these people registered.
    pub async fn with(setting: Setting, people: &[&str]) -> Self {
        let mut world = Self::new(setting).await;
        for person in people {
            world.register("default", person).await;
        }
        world
    }

    pub async fn register(&mut self, app: &str, person: &str) {
        let body = json!({"app": app, "id": person, "password": PASSWORD});
        let session = self.call("", "POST /v1/auth/register", body).await.ok();
        self.people.insert(person.to_owned(), session);
    }

    pub fn token(&self, person: &str) -> &str {
        self.people[person]["access_token"].as_str().unwrap()
    }

    /// A request of a person (of nobody, if the name is empty). `null` means no body.
    pub async fn call(&self, person: &str, line: &str, body: Value) -> Answer {
        self.call_with(person, line, &[], body).await
    }

    pub async fn call_with(&self, person: &str, line: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let bearer = if person.is_empty() { String::new() } else { format!("Bearer {}", self.token(person)) };
        let mut all = headers.to_vec();
        if !person.is_empty() {
            all.push(("authorization", &bearer));
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        if !body.is_empty() {
            all.push(("content-type", "application/json"));
        }
        request(self.address, line, &all, &body).await
    }

    pub async fn connect(&self, person: &str) -> Socket {
        Socket::connect(self.address, self.token(person)).await
    }

    /// Sends a text; gives its seq.
    pub async fn say(&self, person: &str, room: &str, text: &str) -> u64 {
        let body = json!({"content": {"type": "text", "text": text}});
        let receipt = self.call(person, &format!("POST /v1/rooms/{room}/messages"), body).await.ok();
        receipt["seq"].as_u64().unwrap()
    }

    /// All that could have changed in the default app, as far as it is committed.
    pub async fn state(&self) -> u64 {
        self.store.head(&app("default")).await.unwrap().0
    }

    /// Stops as a server does; tells whether everything ended in time.
    pub async fn stop(mut self) -> bool {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.take().unwrap().await.unwrap()
    }
}
