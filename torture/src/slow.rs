//! Very many clients that read slowly or never, in the room in which others chat.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wire::{Connect, Operation, Receipt, Request};

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
}

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    AtOnce,
    Slowly,
    Never,
}

/// Three phases: nobody else, as many clients that read, as many that don't. True if the others hardly notice.
pub async fn run(slow: &Slow) -> anyhow::Result<bool> {
    let Slow { target, clients, seconds, rate } = slow;
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

    let readers = enter(target, &tokens, *clients, |_| Reads::AtOnce).await?;
    let reading = people.chat(time, *rate, MESSAGE_BYTES).await?;
    let with_readers = target.resident_kib()?;
    println!(
        "{clients} who read        acks {}; deliveries {}; server {with_readers} KiB",
        reading.acks, reading.deliveries
    );
    drop(readers);

    let kinds = |number| if number % 2 == 0 { Reads::Never } else { Reads::Slowly };
    let _slow = enter(target, &tokens, *clients, kinds).await?;
    let watch = target.watch();
    let among = people.chat(time, *rate, MESSAGE_BYTES).await?;
    let peak = watch.peak_kib();
    println!(
        "{clients} who don't read  acks {}; deliveries {}; server {peak} KiB at most",
        among.acks, among.deliveries
    );

    let allowed = before.max(with_readers) + u64::from(*clients) * CLIENT_KIB_MAX + REST_KIB_MAX;
    let mut kept = true;
    if !among.acks.at_most_double(&reading.acks) || !among.deliveries.at_most_double(&reading.deliveries) {
        println!("BROKEN: clients that don't read make the others wait more than twice as long as clients that do");
        kept = false;
    }
    if peak > allowed {
        println!("BROKEN: the server takes {peak} KiB, and {allowed} would be right");
        kept = false;
    }
    Ok(kept)
}

/// Lets clients in; they stay until what is given is dropped.
async fn enter(
    target: &Target,
    tokens: &[String],
    clients: u32,
    reads: impl Fn(u32) -> Reads,
) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let token = &tokens[number as usize % tokens.len()];
        let reads = reads(number);
        let client = open(&target.address, token, reads).await.with_context(|| format!("client {number}"))?;
        tasks.spawn(stay(client, reads));
    }
    Ok(tasks)
}

async fn open(address: &str, token: &str, reads: Reads) -> anyhow::Result<WebSocketStream<TcpStream>> {
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

async fn stay(mut client: WebSocketStream<TcpStream>, reads: Reads) {
    if reads == Reads::Never {
        return std::future::pending().await;
    }
    while let Some(Ok(_)) = client.next().await {
        if reads == Reads::Slowly {
            sleep(Duration::from_millis(SLOW_READ_MS)).await;
        }
    }
    // The server has had enough of it.
}
