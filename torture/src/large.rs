//! A very large room, as `starling dev --members N` makes it: joining, a message to it, member pages, sync.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use wire::{
    EventBody, EventPage, EventRange, InRoom, MemberPage, MemberRange, Nothing, Operation, Push, Receipt, Room,
    SyncAnswer, SyncRequest,
};

use crate::crowd::{Target, Times, connect, done, join, message};
use crate::session::{Frame, Session, sign_in};

/// The room that `starling dev --members` makes.
const ROOM: &str = "crowd";
/// Messages that are written.
const MESSAGES: u32 = 50;
/// Members of a page.
const PAGE: u32 = 500;
/// How long any one answer may take.
const ANSWER_MS_MAX: f64 = 1_000.0;
/// How much memory all of it may take.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// Use of a large room.
#[derive(Args, Debug)]
pub struct Large {
    #[command(flatten)]
    target: Target,
    /// Members that the room has.
    #[arg(long)]
    members: u32,
    /// Members that come in and are there all the time, as many as there is room for.
    #[arg(long, default_value_t = 20)]
    joining: u32,
    /// The room is full then, and nobody else may come in.
    #[arg(long)]
    full: bool,
}

/// True if everything is done soon and right.
pub async fn run(large: &Large) -> anyhow::Result<bool> {
    let Large { target, members, joining, full } = large;
    let before = target.resident_kib()?;
    let watch = target.watch();
    let (mut sessions, mut tokens) = (Vec::new(), Vec::new());
    for number in 0..joining + u32::from(*full) {
        let token = sign_in(&target.address, &format!("joiner{number}")).await?.token;
        sessions.push(connect(&target.address, &token).await?);
        tokens.push(token);
    }
    let mut all: Vec<(&str, Times)> = Vec::new();
    let late = if *full { sessions.pop() } else { None };

    let mut times = Times::default();
    for session in &mut sessions {
        let _: Receipt = timed(&mut times, done(session, join(ROOM))).await?;
    }
    all.push(("join", times));
    if let Some(mut late) = late {
        let refused = late.ask::<Receipt>(join(ROOM)).await?;
        ensure!(refused.as_ref().is_err_and(|problem| problem.code == "room_full"), "the room is full: {refused:?}");
    }
    let total = members + joining;

    let [first, others @ ..] = sessions.as_mut_slice() else { bail!("somebody must join") };
    let (mut acks, mut deliveries) = (Times::default(), Times::default());
    for number in 0..MESSAGES {
        let began = Instant::now();
        let operation = message(ROOM, format!("large-{number}"), format!("message {number}"));
        let Receipt { seq, .. } = timed(&mut acks, done(first, operation)).await?;
        for other in &mut *others {
            arrives(other, seq).await?;
        }
        deliveries.add(began.elapsed());
    }
    all.extend([("send", acks), ("until all who are there have it", deliveries)]);

    let (mut times, mut seen, mut cursor) = (Times::default(), 0, None);
    loop {
        let rest = MemberRange { limit: Some(PAGE), cursor };
        let list = Operation::MemberList(InRoom { room: ROOM.to_owned(), rest });
        let page: MemberPage = timed(&mut times, done(first, list)).await?;
        seen += page.members.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    ensure!(seen == total as usize, "the pages have {seen} members of {total}");
    all.push(("member page", times));

    let mut times = Times::default();
    let get = Operation::RoomGet(InRoom { room: ROOM.to_owned(), rest: Nothing {} });
    let room: Room = timed(&mut times, done(first, get)).await?;
    all.push(("room", times));
    let mut times = Times::default();
    let range = EventRange { limit: Some(50), ..EventRange::default() };
    let list = Operation::EventList(InRoom { room: ROOM.to_owned(), rest: range });
    let page: EventPage = timed(&mut times, done(first, list)).await?;
    ensure!(page.as_of == room.head, "the events end at {}, the room at {}", page.as_of, room.head);
    all.push(("events", times));
    let mut times = Times::default();
    for session in &mut sessions {
        let sync = Operation::Sync(SyncRequest { since: Some(0) });
        let answer: SyncAnswer = timed(&mut times, done(session, sync)).await?;
        ensure!(answer.rooms.iter().any(|synced| synced.head == room.head), "the sync lacks the room");
    }
    all.push(("sync from 0", times));
    let mut times = Times::default();
    for token in &tokens[..*joining as usize] {
        timed(&mut times, connect(&target.address, token)).await?;
    }
    all.push(("connect", times));

    let mut kept = true;
    for (name, times) in &all {
        println!("{name:32} {times}");
        kept &= times.at(1.0) <= ANSWER_MS_MAX;
    }
    if !kept {
        println!("BROKEN: an answer took more than {ANSWER_MS_MAX} ms");
    }
    let peak = watch.peak_kib();
    println!("{total} members; server {before} KiB before, {peak} KiB at most");
    if peak > before + GROWTH_KIB_MAX {
        println!("BROKEN: that is more than {GROWTH_KIB_MAX} KiB more");
        kept = false;
    }
    Ok(kept)
}

/// Adds the time that something takes.
pub async fn timed<T>(times: &mut Times, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    let result = work.await;
    times.add(began.elapsed());
    result
}

/// Waits until a message of the room is pushed.
async fn arrives(session: &mut Session, seq: u64) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let pushed = async {
        loop {
            match session.next().await? {
                Frame::Push(Push::Event { event })
                    if event.seq == seq && matches!(event.body, EventBody::MessageCreated(_)) =>
                {
                    return anyhow::Ok(());
                }
                Frame::Push(Push::Resync) => bail!("a member who reads is told to resync"),
                Frame::Push(_) | Frame::Response(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, pushed).await.context("a message does not arrive")?
}
