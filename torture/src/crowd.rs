//! What the load clients share: latencies, the server's memory, and people who chat meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use wire::{
    Content, CreateRoom, EventBody, InRoom, JoinRule, Operation, Plain, Push, Receipt, RoomSettings, SendMessage,
    TextContent, TextFormat,
};

use crate::session::{Frame, Session, sign_in};

/// Below this, a 99th percentile says more about the machine than about the server.
const NOISE_MS: f64 = 100.0;
/// How often the server's memory is looked at.
const LOOK_MS: u64 = 100;

/// A server that runs already.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Host and port of the server.
    #[arg(long)]
    pub address: String,
    /// The number of its process.
    #[arg(long)]
    pub process: u32,
}

impl Target {
    /// Memory of the process in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.process);
        let text = std::fs::read_to_string(&path).context("the server has ended")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Files and sockets that the process has open.
    pub fn open_files(&self) -> anyhow::Result<u32> {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.process)).context("the server has ended")?;
        Ok(u32::try_from(files.count())?)
    }

    /// Looks at the memory all the time, until what is given is dropped.
    pub fn watch(&self) -> Watch {
        let (target, peak) = (self.clone(), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&peak);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok(kib) = target.resident_kib() {
                seen.fetch_max(kib, Ordering::Relaxed);
                sleep(Duration::from_millis(LOOK_MS)).await;
            }
        });
        Watch { peak, _task: tasks }
    }
}

/// Watches memory until it is dropped.
#[derive(Debug)]
pub struct Watch {
    peak: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Watch {
    /// The most that was seen, in KiB.
    pub fn peak_kib(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Times that something took.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1_000.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so large a share of all took at most, in ms.
    pub fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// Whether the slow end at most doubled.
    pub fn at_most_double(&self, before: &Times) -> bool {
        self.at(0.99) <= (2.0 * before.at(0.99)).max(NOISE_MS)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, slow, worst) = (self.at(0.5), self.at(0.99), self.at(1.0));
        write!(f, "p50 {median:6.1} ms, p99 {slow:6.1} ms, max {worst:6.1} ms of {}", self.count())
    }
}

/// A text message.
pub fn message(room: &str, client_id: String, text: String) -> Operation {
    let content = Content::Text(TextContent { text, format: TextFormat::Plain, mentions: Vec::new(), data: None });
    let rest = SendMessage { client_id: Some(client_id), content, reply_to: None };
    Operation::MessageSend(InRoom { room: room.to_owned(), rest })
}

/// A room that all may join.
pub fn open_room(room: &str) -> Operation {
    let settings =
        RoomSettings { name: Some(room.to_owned()), join_rule: Some(JoinRule::Open), ..RoomSettings::default() };
    Operation::RoomCreate(CreateRoom { client_id: None, id: Some(room.to_owned()), settings, invite: Vec::new() })
}

/// Joins a room.
pub fn join(room: &str) -> Operation {
    Operation::RoomJoin(InRoom { room: room.to_owned(), rest: Plain { client_id: None } })
}

/// Asks, and takes a refusal for an error.
pub async fn done<T: serde::de::DeserializeOwned>(session: &mut Session, operation: Operation) -> anyhow::Result<T> {
    session.ask(operation).await?.map_err(|problem| anyhow::anyhow!("{problem:?}"))
}

/// Connects with a token.
pub async fn connect(address: &str, token: &str) -> anyhow::Result<Session> {
    match Session::open(address, token, u64::MAX).await {
        Ok((session, _)) => Ok(session),
        Err(failure) => bail!("can't connect: {failure:?}"),
    }
}

/// What people who chat saw in a phase.
#[derive(Debug, Default, Clone)]
pub struct Chat {
    /// From sending to the receipt.
    pub acks: Times,
    /// From sending to the others.
    pub deliveries: Times,
}

/// People who chat in a room, all on connections of their own.
#[derive(Debug)]
pub struct People {
    sessions: Vec<Session>,
    room: String,
    next: Arc<AtomicU32>,
}

impl People {
    /// Makes the room, and lets so many users join it.
    pub async fn gather(address: &str, room: &str, count: u32) -> anyhow::Result<Self> {
        let mut sessions = Vec::new();
        for number in 0..count {
            let signed_in = sign_in(address, &format!("{room}-person{number}")).await?;
            let mut session = connect(address, &signed_in.token).await?;
            if number == 0 {
                let _: serde_json::Value = done(&mut session, open_room(room)).await?;
            } else {
                let _: Receipt = done(&mut session, join(room)).await?;
            }
            sessions.push(session);
        }
        Ok(Self { sessions, room: room.to_owned(), next: Arc::default() })
    }

    /// Lets one of them write a message, and gives its seq.
    pub async fn say(&mut self, bytes: usize) -> anyhow::Result<u64> {
        let session = self.sessions.first_mut().context("there is somebody")?;
        let client_id = format!("said-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let Receipt { seq, .. } = done(session, message(&self.room, client_id, "m".repeat(bytes))).await?;
        Ok(seq)
    }

    /// Lets them chat: each writes so many messages of some bytes in a second.
    pub async fn chat(&mut self, time: Duration, rate: f64, bytes: usize) -> anyhow::Result<Chat> {
        let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let count = self.sessions.len();
        for (number, session) in self.sessions.drain(..).enumerate() {
            let (room, next, sent) = (self.room.clone(), Arc::clone(&self.next), Arc::clone(&sent));
            let offset = Duration::from_secs_f64(number as f64 / rate / count as f64);
            let person = Person { session, room, next, sent, bytes };
            tasks.spawn(person.chat(time, Duration::from_secs_f64(1.0 / rate), offset));
        }
        let mut all = Chat::default();
        while let Some(done) = tasks.join_next().await {
            let (session, chat) = done??;
            self.sessions.push(session);
            all.acks.0.extend(chat.acks.0);
            all.deliveries.0.extend(chat.deliveries.0);
        }
        Ok(all)
    }
}

struct Person {
    session: Session,
    room: String,
    next: Arc<AtomicU32>,
    sent: Arc<Mutex<HashMap<String, Instant>>>,
    bytes: usize,
}

impl Person {
    async fn chat(mut self, time: Duration, every: Duration, offset: Duration) -> anyhow::Result<(Session, Chat)> {
        /// How long answers are waited for at the end.
        const REST: Duration = Duration::from_secs(20);
        let mut chat = Chat::default();
        let mut waiting: HashMap<u64, Instant> = HashMap::new();
        let begun = Instant::now();
        let mut clock = interval_at(tokio::time::Instant::now() + offset, every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let over = begun.elapsed() >= time;
            if over && waiting.is_empty() {
                return Ok((self.session, chat));
            }
            if begun.elapsed() > time + REST {
                bail!("{} messages have no answer", waiting.len());
            }
            tokio::select! {
                frame = self.session.next() => match frame? {
                    Frame::Response(response) => {
                        let Some(at) = waiting.remove(&response.id) else { continue };
                        if let Some(problem) = response.error {
                            bail!("a message was refused: {problem:?}");
                        }
                        chat.acks.add(at.elapsed());
                    }
                    Frame::Push(Push::Event { event }) if matches!(event.body, EventBody::MessageCreated(_)) => {
                        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(at) = event.client_id.as_ref().and_then(|id| sent.get(id)) {
                            chat.deliveries.add(at.elapsed());
                        }
                    }
                    Frame::Push(_) => {}
                },
                _ = clock.tick() => if !over {
                    let client_id = format!("chat-{}", self.next.fetch_add(1, Ordering::Relaxed));
                    let now = Instant::now();
                    self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(client_id.clone(), now);
                    let operation = message(&self.room, client_id, "m".repeat(self.bytes));
                    waiting.insert(self.session.send(operation).await?, now);
                },
            }
        }
    }
}
