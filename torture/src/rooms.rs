//! Very many rooms: users who are in thousands of them, and what that costs.

use std::collections::BTreeSet;

use anyhow::ensure;
use clap::Args;
use tokio::task::JoinSet;
use wire::{Operation, Receipt, RoomPage, RoomRange, SyncAnswer, SyncRequest};

use crate::crowd::{Target, Times, connect, done, message, open_room};
use crate::large::timed;
use crate::session::{Frame, Session, sign_in};

/// Requests that are on their way at the same time.
const ASKED_MAX: usize = 64;
/// Messages that are written once all is there.
const MESSAGES: usize = 200;
/// How long any one answer may take.
const ANSWER_MS_MAX: f64 = 1_000.0;
/// Memory that a room may take, on average; the server keeps `cached_rooms_max` of them.
const ROOM_KIB_MAX: u64 = 8;
/// Memory that is no room's.
const REST_KIB_MAX: u64 = 96 * 1024;

/// Many rooms.
#[derive(Args, Debug)]
pub struct Rooms {
    #[command(flatten)]
    target: Target,
    /// How many.
    #[arg(long, default_value_t = 20_000)]
    rooms: u32,
    /// In how many of them each user is.
    #[arg(long, default_value_t = 2_000)]
    per_user: u32,
}

/// True if everything is done soon and right.
pub async fn run(rooms: &Rooms) -> anyhow::Result<bool> {
    let Rooms { target, rooms, per_user } = rooms;
    let before = target.resident_kib()?;
    let watch = target.watch();
    let began = std::time::Instant::now();
    let mut makers = JoinSet::new();
    let mut tokens = Vec::new();
    for user in 0..rooms.div_ceil(*per_user) {
        let token = sign_in(&target.address, &format!("maker{user}")).await?.token;
        let session = connect(&target.address, &token).await?;
        tokens.push(token);
        let names = (user * per_user..(*rooms).min((user + 1) * per_user)).map(room).collect();
        makers.spawn(make(session, names));
    }
    let mut sessions = Vec::new();
    while let Some(made) = makers.join_next().await {
        sessions.push(made??);
    }
    let made_in = began.elapsed();
    let mut all: Vec<(&str, Times)> = Vec::new();

    let session = &mut connect(&target.address, &tokens[0]).await?;
    let (mut times, mut seen, mut since) = (Times::default(), BTreeSet::new(), 0);
    loop {
        let sync = Operation::Sync(SyncRequest { since: Some(since) });
        let answer: SyncAnswer = timed(&mut times, done(session, sync)).await?;
        seen.extend(answer.rooms.into_iter().map(|room| room.id));
        since = answer.commit;
        if !answer.more {
            break;
        }
    }
    ensure!(seen.len() == *per_user as usize, "the sync has {} rooms of {per_user}", seen.len());
    all.push(("page of a sync from 0", times));

    let (mut times, mut seen, mut cursor) = (Times::default(), BTreeSet::new(), None);
    loop {
        let list = Operation::RoomList(RoomRange { cursor });
        let page: RoomPage = timed(&mut times, done(session, list)).await?;
        seen.extend(page.rooms.into_iter().map(|room| room.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    ensure!(seen.len() == *per_user as usize, "the list has {} rooms of {per_user}", seen.len());
    all.push(("page of the list of rooms", times));

    let (mut sends, mut syncs) = (Times::default(), Times::default());
    for number in 0..MESSAGES {
        // All over the rooms, so that few are in a cache.
        let name = room((number as u32 * 7_919) % per_user);
        let send = message(&name, format!("late-{number}"), "hello".to_owned());
        let _: Receipt = timed(&mut sends, done(session, send)).await?;
        let sync = Operation::Sync(SyncRequest { since: Some(since) });
        let answer: SyncAnswer = timed(&mut syncs, done(session, sync)).await?;
        since = answer.commit;
        ensure!(answer.rooms.iter().any(|room| room.id == name), "the sync lacks {name}");
    }
    all.extend([("send to one of them", sends), ("sync of one that changed", syncs)]);
    let mut times = Times::default();
    for token in &tokens {
        timed(&mut times, connect(&target.address, token)).await?;
    }
    all.push(("connect", times));

    let mut kept = true;
    println!("{rooms} rooms with a message each made in {:.1} s", made_in.as_secs_f64());
    for (name, times) in &all {
        println!("{name:32} {times}");
        kept &= times.at(1.0) <= ANSWER_MS_MAX;
    }
    if !kept {
        println!("BROKEN: an answer took more than {ANSWER_MS_MAX} ms");
    }
    let peak = watch.peak_kib();
    println!("server {before} KiB before, {peak} KiB at most");
    if peak > before + u64::from(*rooms) * ROOM_KIB_MAX + REST_KIB_MAX {
        println!("BROKEN: that is more than {ROOM_KIB_MAX} KiB for each room");
        kept = false;
    }
    Ok(kept)
}

fn room(number: u32) -> String {
    format!("one-of-many-{number}")
}

/// Makes rooms and writes a message into each, many at a time.
async fn make(mut session: Session, names: Vec<String>) -> anyhow::Result<Session> {
    let asks: [fn(&str) -> Operation; 2] =
        [open_room, |name| message(name, format!("first-{name}"), format!("hello, {name}"))];
    for ask in asks {
        let (mut names, mut waiting) = (names.iter(), BTreeSet::new());
        loop {
            while waiting.len() < ASKED_MAX
                && let Some(name) = names.next()
            {
                waiting.insert(session.send(ask(name)).await?);
            }
            if waiting.is_empty() {
                break;
            }
            if let Frame::Response(response) = session.next().await? {
                ensure!(response.error.is_none(), "refused: {:?}", response.error);
                waiting.remove(&response.id);
            }
        }
    }
    Ok(session)
}
