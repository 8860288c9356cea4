//! Floods of connections on which nobody signs in: silent ones, requests that never end, WebSockets without `connect`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::crowd::{People, Target};

const ROOM: &str = "flood-room";
/// People who chat.
const PEOPLE: u32 = 4;
/// Messages that each of them writes in a second.
const RATE: f64 = 4.0;
const MESSAGE_BYTES: usize = 200;
/// Connections of each of the flood's addresses, but for the one that has more than its share.
const CONNECTIONS_PER_ADDRESS: u32 = 100;
/// How often a request that never ends goes on by a byte.
const DRIP_MS: u64 = 500;
/// How long a connection waits that was not let in or was closed, before it comes back.
const BACK_MS: u64 = 2_000;
/// How long the server's patience is waited for.
const CLOSED_MS_MAX: u64 = 30_000;
/// The address that wants more than its share.
const ONE: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);
/// What else the server may open meanwhile.
const OTHER_FILES_MAX: u32 = 16;
/// How often the server's connections are counted.
const COUNT_MS: u64 = 500;
/// How long the slow end of the others may take at most, if that is more than double: a flood takes processor time.
const OTHERS_MS_MAX: f64 = 1_000.0;
/// Memory that an open connection may cost.
const CONNECTION_KIB_MAX: u64 = 32;
/// Memory that is no connection's.
const REST_KIB_MAX: u64 = 32 * 1024;

/// A flood.
#[derive(Args, Debug)]
pub struct Flood {
    #[command(flatten)]
    target: Target,
    /// Connections from many addresses of this machine.
    #[arg(long, default_value_t = 3_000)]
    connections: u32,
    /// Connections from one address more; so many as `connections_per_address_max` of the server may be open.
    #[arg(long, default_value_t = 2_000)]
    from_one: u32,
    /// What the server allows one address.
    #[arg(long, default_value_t = 1_024)]
    per_address_max: u32,
    /// How long each of the two phases lasts, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Tells latencies and doesn't judge by them, for a machine that does other things too.
    #[arg(long)]
    untimed: bool,
}

/// What a connection does.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Nothing.
    Silent,
    /// Sends a request byte by byte, for ever.
    Drips,
    /// Opens a WebSocket and does not sign in.
    Nameless,
}

const KINDS: [Kind; 3] = [Kind::Silent, Kind::Drips, Kind::Nameless];

/// People chat without and with the flood. True if they hardly notice, and the server keeps its limits.
pub async fn run(flood: &Flood) -> anyhow::Result<bool> {
    let Flood { target, connections, from_one, per_address_max, seconds, untimed } = flood;
    let time = Duration::from_secs(*seconds);
    let mut people = People::gather(&target.address, ROOM, PEOPLE).await?;
    let alone = people.chat(time, RATE, MESSAGE_BYTES).await?;
    let before = target.resident_kib()?;
    println!("alone    acks {}; deliveries {}; server {before} KiB", alone.acks, alone.deliveries);

    let watch = target.watch();
    let closed = Arc::<AtomicU64>::default();
    let mut tasks = JoinSet::new();
    for number in 0..*connections {
        let [_, _, high, low] = (number / CONNECTIONS_PER_ADDRESS).to_be_bytes();
        let from = Ipv4Addr::new(127, 1, high, low);
        tasks.spawn(connect_for_ever(target.address.clone(), from, kind(number), Arc::clone(&closed)));
    }
    for number in 0..*from_one {
        tasks.spawn(connect_for_ever(target.address.clone(), ONE, kind(number), Arc::clone(&closed)));
    }
    let files_before = target.open_files()?;
    let (counted, watched) = (Arc::<AtomicU32>::default(), target.clone());
    let count = Arc::clone(&counted);
    tasks.spawn(async move {
        // What the server closes is seen here only later, so what it has open is counted on its side.
        while let Ok(now) = watched.open_files() {
            count.fetch_max(now.saturating_sub(files_before), Ordering::Relaxed);
            sleep(Duration::from_millis(COUNT_MS)).await;
        }
    });
    let address = target.address.clone();
    let patience = tokio::spawn(async move { outlasts(&address).await });
    let among = people.chat(time, RATE, MESSAGE_BYTES).await?;
    let peak = watch.peak_kib();
    let open = counted.load(Ordering::Relaxed);
    println!("flooded  acks {}; deliveries {}; server {peak} KiB at most", among.acks, among.deliveries);
    println!("{open} connections open at most; closed by the server: {}", closed.load(Ordering::Relaxed));

    let mut kept = true;
    let mut broken = |what: String| {
        println!("BROKEN: {what}");
        kept = false;
    };
    for (before, during) in [(&alone.acks, &among.acks), (&alone.deliveries, &among.deliveries)] {
        if !untimed && !during.at_most_double(before) && during.at(0.99) > OTHERS_MS_MAX {
            broken(format!("the others wait for {:.0} ms", during.at(0.99)));
        }
    }
    if open > connections + per_address_max + OTHER_FILES_MAX {
        broken(format!(
            "{open} are open: more than {connections}, and {per_address_max} of the address that wants more"
        ));
    }
    let allowed = before + u64::from(open) * CONNECTION_KIB_MAX + REST_KIB_MAX;
    if peak > allowed {
        broken(format!("the server takes {peak} KiB, and {allowed} would be right"));
    }
    drop(tasks);
    if let Some(kind) = patience.await?? {
        broken(format!("a connection that is {kind:?} is still open after {CLOSED_MS_MAX} ms"));
    }
    Ok(kept)
}

fn kind(number: u32) -> Kind {
    KINDS[number as usize % KINDS.len()]
}

/// Comes back whenever the connection was closed.
async fn connect_for_ever(address: String, from: Ipv4Addr, kind: Kind, closed: Arc<AtomicU64>) {
    loop {
        if let Ok(mut stream) = connect(&address, from).await
            && begin(&mut stream, &address, kind).await.is_ok()
        {
            stay(stream, kind).await;
        }
        closed.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(BACK_MS)).await;
    }
}

async fn connect(address: &str, from: Ipv4Addr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(address.parse()?).await?)
}

/// Does what is done at once, and waits until it is clear whether the server has let it in.
async fn begin(stream: &mut TcpStream, address: &str, kind: Kind) -> anyhow::Result<()> {
    /// By then, a connection that is too much is closed.
    const CLOSED_AT_ONCE_MS: u64 = 300;
    match kind {
        Kind::Silent => {}
        Kind::Drips => stream.write_all(b"GET /v1/server HTTP/1.1\r\nX-Slow: ").await?,
        Kind::Nameless => {
            let head = format!(
                "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
        }
    }
    let mut bytes = [0; 1_024];
    match timeout(Duration::from_millis(CLOSED_AT_ONCE_MS), stream.read(&mut bytes)).await {
        Ok(Ok(0)) => anyhow::bail!("closed"),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// Until the server closes it.
async fn stay(mut stream: TcpStream, kind: Kind) {
    let mut bytes = [0; 1_024];
    loop {
        let read = timeout(Duration::from_millis(DRIP_MS), stream.read(&mut bytes)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) {
            return;
        }
        if matches!(kind, Kind::Drips) && stream.write_all(b"x").await.is_err() {
            return;
        }
    }
}

/// A kind of connection that the server does not close.
async fn outlasts(address: &str) -> anyhow::Result<Option<Kind>> {
    let ends = Instant::now() + Duration::from_millis(CLOSED_MS_MAX);
    let mut tasks = JoinSet::new();
    for kind in KINDS {
        let mut stream = connect(address, Ipv4Addr::LOCALHOST).await?;
        begin(&mut stream, address, kind).await?;
        tasks.spawn(async move { tokio::time::timeout_at(ends, stay(stream, kind)).await.err().map(|_| kind) });
    }
    let mut left = None;
    while let Some(kind) = tasks.join_next().await {
        left = left.or(kind?);
    }
    Ok(left)
}
