//! Very many clients that read slowly or never, in the room in which others chat. Who reads slowly loses its outbox, is
//! told to resync, and must know everything as soon as it reads again.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wire::{Connect, Operation, Push, Receipt, Request, Response, SyncAnswer, SyncRequest};

use crate::crowd::{People, Target, connect, done, join};
use crate::session::sign_in;

const ROOM: &str = "slow-room";
/// People who chat.
const PEOPLE: u32 = 4;
/// Bytes of a message; many of them fill what a system buffers for a connection.
const MESSAGE_BYTES: usize = 4_000;
/// Connections of each user.
const CONNECTIONS_PER_USER: u32 = 50;
/// What a slow client lets the system keep for it.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;
/// How often a client that reads slowly reads a frame.
const SLOW_READ_MS: u64 = 1_000;
/// How long those who read slowly may take to know everything, once they read at once.
const CAUGHT_UP: Duration = Duration::from_secs(60);
/// Memory that a client may cost that does not read.
const CLIENT_KIB_MAX: u64 = 64;
/// Memory that is no client's.
const REST_KIB_MAX: u64 = 48 * 1024;

/// Clients that read slowly or never.
#[derive(Args, Debug)]
pub struct Slow {
    #[command(flatten)]
    target: Target,
    /// How many there are.
    #[arg(long, default_value_t = 1_000)]
    clients: u32,
    /// How long each of the three phases lasts, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Messages that each of the people who chat writes in a second.
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// Tells latencies and doesn't judge by them, for a machine that does other things too.
    #[arg(long)]
    untimed: bool,
}

/// A connection of a client.
type Client = WebSocketStream<TcpStream>;

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    AtOnce,
    Slowly,
    Never,
}

/// What became of a client that read slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything was pushed to it.
    Pushed,
    /// It was told to resync, did, and knows everything.
    Resynced,
    /// The server had enough of it and closed the connection.
    Closed,
    /// Pushes were missing, and it was not told.
    Deceived,
    /// The last message never came.
    Behind,
}

/// Three phases: nobody else, as many clients that read, as many that don't. True if the others hardly notice, and those who
/// read slowly know everything in the end.
pub async fn run(slow: &Slow) -> anyhow::Result<bool> {
    let Slow { target, clients, seconds, rate, untimed } = slow;
    let time = Duration::from_secs(*seconds);
    let mut people = People::gather(&target.address, ROOM, PEOPLE).await?;
    let mut tokens = Vec::new();
    for number in 0..clients.div_ceil(CONNECTIONS_PER_USER) {
        let token = sign_in(&target.address, &format!("slow-user{number}")).await?.token;
        let _: Receipt = done(&mut connect(&target.address, &token).await?, join(ROOM)).await?;
        tokens.push(token);
    }
    let alone = people.chat(time, *rate, MESSAGE_BYTES).await?;
    let before = target.resident_kib()?;
    println!("alone                  acks {}; deliveries {}; server {before} KiB", alone.acks, alone.deliveries);

    let (hurry, hurrying) = watch::channel(None);
    let readers = enter(target, &tokens, *clients, &hurrying, |_| Reads::AtOnce).await?;
    let reading = people.chat(time, *rate, MESSAGE_BYTES).await?;
    let with_readers = target.resident_kib()?;
    println!(
        "{clients} who read        acks {}; deliveries {}; server {with_readers} KiB",
        reading.acks, reading.deliveries
    );
    drop(readers);

    let kinds = |number| if number % 2 == 0 { Reads::Never } else { Reads::Slowly };
    let mut slow = enter(target, &tokens, *clients, &hurrying, kinds).await?;
    let watch = target.watch();
    let among = people.chat(time, *rate, MESSAGE_BYTES).await?;
    let peak = watch.peak_kib();
    println!(
        "{clients} who don't read  acks {}; deliveries {}; server {peak} KiB at most",
        among.acks, among.deliveries
    );

    let last = people.say(MESSAGE_BYTES).await?;
    hurry.send_replace(Some(last));
    let mut ends: Vec<End> = Vec::new();
    while let Some(end) = slow.join_next().await {
        ends.extend(end?);
    }
    let count = |end: End| ends.iter().filter(|other| **other == end).count();
    let (pushed, resynced, closed) = (count(End::Pushed), count(End::Resynced), count(End::Closed));
    println!("of {} who read slowly {pushed} were pushed all, {resynced} resynced, {closed} were closed", ends.len());

    let allowed = before.max(with_readers) + u64::from(*clients) * CLIENT_KIB_MAX + REST_KIB_MAX;
    let mut kept = true;
    let hardly_notice =
        among.acks.at_most_double(&reading.acks) && among.deliveries.at_most_double(&reading.deliveries);
    if !hardly_notice && !untimed {
        println!("BROKEN: clients that don't read make the others wait more than twice as long as clients that do");
        kept = false;
    }
    if count(End::Deceived) + count(End::Behind) > 0 {
        let (deceived, behind) = (count(End::Deceived), count(End::Behind));
        println!("BROKEN: {deceived} lost pushes and were not told, {behind} never came to know the last message");
        kept = false;
    }
    if resynced == 0 {
        println!("BROKEN: nobody had to resync, so this shows nothing: longer, or with a shorter outbox");
        kept = false;
    }
    if peak > allowed {
        println!("BROKEN: the server takes {peak} KiB, and {allowed} would be right");
        kept = false;
    }
    Ok(kept)
}

/// Lets clients in; they stay until what is given is dropped, or until they are told to hurry and know everything up to a seq.
async fn enter(
    target: &Target,
    tokens: &[String],
    clients: u32,
    hurry: &watch::Receiver<Option<u64>>,
    reads: impl Fn(u32) -> Reads,
) -> anyhow::Result<JoinSet<Option<End>>> {
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let token = &tokens[number as usize % tokens.len()];
        let reads = reads(number);
        let client = open(&target.address, token, reads).await.with_context(|| format!("client {number}"))?;
        tasks.spawn(stay(client, reads, hurry.clone()));
    }
    Ok(tasks)
}

async fn open(address: &str, token: &str, reads: Reads) -> anyhow::Result<Client> {
    let socket = TcpSocket::new_v4()?;
    if reads != Reads::AtOnce {
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    }
    let stream = socket.connect(address.parse()?).await?;
    let (mut client, _) = tokio_tungstenite::client_async(format!("ws://{address}/v1/ws"), stream).await?;
    let operation = Operation::Connect(Connect { token: token.to_owned(), since: None });
    client.send(Message::text(serde_json::to_string(&Request { id: 1, operation })?)).await?;
    match client.next().await {
        Some(Ok(Message::Text(answer))) if answer.contains("\"result\"") => Ok(client),
        other => bail!("no session: {other:?}"),
    }
}

/// `None` for those of whom nothing is expected.
async fn stay(mut client: Client, reads: Reads, hurry: watch::Receiver<Option<u64>>) -> Option<End> {
    match reads {
        Reads::AtOnce => while let Some(Ok(_)) = client.next().await {},
        Reads::Never => {
            let mut hurry = hurry;
            // An error means that the run is over.
            let _ = hurry.changed().await;
        }
        Reads::Slowly => return Some(read_slowly(client, hurry).await),
    }
    None
}

/// Reads a frame now and then, and at once when it is to hurry; asks for what changed when it is told to resync.
async fn read_slowly(mut client: Client, mut hurry: watch::Receiver<Option<u64>>) -> End {
    // The last event that was pushed, whether the next may leave some out, and the head that a sync told.
    let (mut pushed, mut may_skip, mut told) = (None, false, None);
    let (mut resyncs, mut next_id) = (0_u32, 2);
    loop {
        let upto = *hurry.borrow();
        if upto.is_some_and(|upto| pushed.max(told) >= Some(upto)) {
            return if resyncs > 0 { End::Resynced } else { End::Pushed };
        }
        let frame = match upto {
            Some(_) => match timeout(CAUGHT_UP, client.next()).await {
                Ok(frame) => frame,
                Err(_) => return End::Behind,
            },
            None => client.next().await,
        };
        let Some(Ok(frame)) = frame else { return End::Closed };
        let Message::Text(text) = frame else { continue };
        match serde_json::from_str::<Push>(&text) {
            Ok(Push::Event { event }) if event.room == ROOM => {
                let expected = pushed.map_or(event.seq, |seq| seq + 1);
                if event.seq < expected || (event.seq > expected && !may_skip) {
                    return End::Deceived;
                }
                (pushed, may_skip) = (Some(event.seq), false);
            }
            Ok(Push::Resync) => {
                (resyncs, may_skip) = (resyncs + 1, true);
                let operation = Operation::Sync(SyncRequest { since: None });
                let Ok(request) = serde_json::to_string(&Request { id: next_id, operation }) else {
                    return End::Behind;
                };
                next_id += 1;
                if client.send(Message::text(request)).await.is_err() {
                    return End::Closed;
                }
            }
            Ok(_) => {}
            Err(_) => told = told.max(head_of(&text)),
        }
        if upto.is_none() {
            // Woken by an error if the run is over, and then the connection ends too.
            let _ = timeout(Duration::from_millis(SLOW_READ_MS), hurry.changed()).await;
        }
    }
}

/// The head of the room in the answer to a sync.
fn head_of(text: &str) -> Option<u64> {
    let response: Response = serde_json::from_str(text).ok()?;
    let sync: SyncAnswer = serde_json::from_value(response.result?).ok()?;
    sync.rooms.iter().find(|room| room.id == ROOM).map(|room| room.head)
}
