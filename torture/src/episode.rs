//! Episodes: the town chats while faults strike, then everything is read and judged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use memchr::memmem;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use testkit::history::{Body, Device, End, EndRoom, History, Op, Outcome, State, What};
use tokio::time::sleep;
use wire::{
    CreateRoom, EventPage, EventRange, HistoryVisibility, InRoom, JoinRule, MemberPage, MemberRange, Operation,
    RoomSettings, SyncAnswer, SyncRequest,
};

use crate::device::Life;
use crate::faults::Fault;
use crate::server::Server;
use crate::session::{Failure, Session, SignedIn, sign_in};
use crate::town::{CANARY, CANARY_LETTERS, KEEPER, Town};
use crate::{Run, answers, judge};

/// Devices of each user.
const DEVICES: u32 = 2;
/// Events of a page in the final reading.
const PAGE: u32 = 100;
/// How often a final reading is tried.
const READ_ATTEMPTS: u32 = 50;

/// What all episodes came to.
#[derive(Debug, Default)]
struct Sums {
    episodes: u32,
    faults: u32,
    calls: u64,
    done: u64,
    repeated: u64,
    refused: u64,
    unknown: u64,
    pushes: u64,
    reads: u64,
    resyncs: u64,
    deleted_texts: u64,
    broken: BTreeMap<String, u32>,
}

/// Runs episodes until one breaks a promise, and gives the names of the broken ones.
pub async fn run(run: &Run) -> anyhow::Result<BTreeSet<String>> {
    let seed = run.seed.unwrap_or_else(rand::random);
    if !run.quiet {
        println!("torture with --seed {seed}");
    }
    let mut dice = StdRng::seed_from_u64(seed);
    let temporary = tempfile::tempdir()?;
    let data = run.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let faults = run.faults.iter().map(|name| Fault::of(name)).collect::<Result<Vec<_>, _>>()?;
    let mut server = Server::new(run, &data)?;
    let mut deleted: BTreeSet<String> = BTreeSet::new();
    let (mut sums, mut numbers) = (Sums::default(), 0);
    let began = Instant::now();
    while sums.episodes == 0 || began.elapsed() < Duration::from_secs(run.seconds) || sums.faults < run.rounds {
        server.start().await?;
        let name = format!("{:x}e{}", seed & 0xffff, sums.episodes);
        let (town, mut history) = chat(run, &mut server, &faults, &name, numbers, &mut dice, &mut sums).await?;
        numbers = town.numbers();
        server.stop().await?;
        deleted.extend(deleted_texts(&history));
        let mut sick = None;
        if !run.skip_files {
            history.leftovers = leftovers(&data, &deleted)?;
            sick = server.doctor().await.err();
        }
        add(&mut sums, &history);
        let mut broken = judge(&history, run.quiet);
        if let Some(sick) = sick {
            if !run.quiet {
                println!("BROKEN {sick:#}");
            }
            broken.insert("doctor".to_owned());
        }
        if !run.quiet {
            let verdict = if broken.is_empty() { "kept".to_owned() } else { format!("BROKEN: {broken:?}") };
            let (records, seconds) = (history.records.len(), began.elapsed().as_secs());
            println!("episode {name}: {records} records, {} faults so far, {seconds} s; {verdict}", sums.faults);
        }
        if !broken.is_empty() {
            if !run.quiet {
                std::fs::write(&run.history, serde_json::to_vec(&history)?)?;
                println!("the history is in {}", run.history.display());
            }
            for name in broken {
                *sums.broken.entry(name).or_default() += 1;
            }
            break;
        }
    }
    sums.deleted_texts = deleted.len() as u64;
    summarise(run, seed, began.elapsed(), &sums)?;
    Ok(sums.broken.into_keys().collect())
}

fn add(sums: &mut Sums, history: &History) {
    sums.episodes += 1;
    for record in &history.records {
        match &record.what {
            What::Call { outcome, .. } => {
                sums.calls += 1;
                match outcome {
                    Outcome::Done { duplicate, .. } => {
                        sums.done += 1;
                        sums.repeated += u64::from(*duplicate);
                    }
                    Outcome::Refused { .. } => sums.refused += 1,
                    Outcome::Unknown => sums.unknown += 1,
                }
            }
            What::Pushed(_) | What::CursorPushed { .. } => sums.pushes += 1,
            What::Read { .. } | What::Connected { .. } => sums.reads += 1,
            What::Resync => sums.resyncs += 1,
        }
    }
}

fn summarise(run: &Run, seed: u64, took: Duration, sums: &Sums) -> anyhow::Result<()> {
    let Sums {
        episodes,
        faults,
        calls,
        done,
        repeated,
        refused,
        unknown,
        pushes,
        reads,
        resyncs,
        deleted_texts,
        broken,
    } = sums;
    let summary = json!({
        "seed": seed, "faults": run.faults, "seconds": took.as_secs(), "episodes": episodes, "strikes": faults,
        "calls": calls, "acknowledged": done, "recognised_repeats": repeated, "refused": refused, "unknown": unknown,
        "pushes": pushes, "reads": reads, "resyncs": resyncs, "deleted_texts_searched_for": deleted_texts, "broken": broken,
    });
    if !run.quiet {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    }
    if let Some(path) = &run.summary {
        std::fs::write(path, serde_json::to_string_pretty(&summary)? + "\n")?;
    }
    Ok(())
}

/// One episode, up to the final reading.
async fn chat(
    run: &Run,
    server: &mut Server,
    faults: &[Fault],
    name: &str,
    numbers: u32,
    dice: &mut StdRng,
    sums: &mut Sums,
) -> anyhow::Result<(Arc<Town>, History)> {
    let address = server.address();
    let mut users: Vec<String> = (0..run.users).map(|n| format!("user{n}")).collect();
    users.push(KEEPER.to_owned());
    let rooms: Vec<String> = (0..run.rooms).map(|n| format!("{name}-room{n}")).collect();
    let seed: u64 = dice.random();
    let town = Arc::new(Town::new(address.clone(), users.clone(), rooms, run.rate, numbers, seed));
    make_rooms(&town).await?;
    let mut lives = tokio::task::JoinSet::new();
    for user in &users {
        for _ in 0..DEVICES {
            let signed_in = sign_in(&address, user).await?;
            lives.spawn(Life::new(Arc::clone(&town), user, signed_in, dice.random()).live());
        }
    }
    let ends = Instant::now() + Duration::from_secs(run.episode_seconds);
    while Instant::now() < ends {
        sleep(Duration::from_millis(dice.random_range(0..run.pause_ms.max(1) * 2))).await;
        let fault = &faults[dice.random_range(0..faults.len())];
        fault.strike(server, dice).await?;
        sums.faults += u32::from(!matches!(fault, Fault::None));
    }
    // Some quiet, so that everybody finds back.
    sleep(Duration::from_secs(1)).await;
    town.stop();
    let mut history = History::default();
    let mut devices = Vec::new();
    while let Some(life) = lives.join_next().await {
        let (device, signed_in, records) = life?;
        history.records.extend(records);
        devices.push((device, signed_in));
    }
    for (device, signed_in) in devices {
        if let Some(end) = read_all(&town, device, &signed_in).await? {
            history.ends.push(end);
        }
    }
    Ok((town, history))
}

async fn make_rooms(town: &Town) -> anyhow::Result<()> {
    let SignedIn { token, .. } = sign_in(&town.address, KEEPER).await?;
    let Ok((mut session, _)) = Session::open(&town.address, &token, 0).await else { bail!("the keeper can't connect") };
    for room in &town.rooms {
        let settings = RoomSettings {
            name: Some(room.clone()),
            join_rule: Some(JoinRule::Open),
            history: Some(HistoryVisibility::Joined),
            ..RoomSettings::default()
        };
        let create = CreateRoom { client_id: None, id: Some(room.clone()), settings, invite: Vec::new() };
        let made = session.ask::<serde_json::Value>(Operation::RoomCreate(create)).await?;
        made.map_err(|problem| anyhow::anyhow!("{room} can't be made: {problem:?}"))?;
    }
    Ok(())
}

/// All that a device sees; `None` if it was ended.
async fn read_all(town: &Town, device: Device, signed_in: &SignedIn) -> anyhow::Result<Option<End>> {
    let mut failed = None;
    for _ in 0..READ_ATTEMPTS {
        match Session::open(&town.address, &signed_in.token, u64::MAX).await {
            Ok((mut session, _)) => match read_rooms(town, &mut session).await {
                Ok(rooms) => return Ok(Some(End { device, rooms })),
                Err(error) => failed = Some(error),
            },
            Err(Failure::Refused) => return Ok(None),
            Err(Failure::Gone) => {}
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("{device} can't read everything in the end: {failed:?}")
}

async fn read_rooms(town: &Town, session: &mut Session) -> anyhow::Result<BTreeMap<String, EndRoom>> {
    let mut rooms = BTreeMap::new();
    let mut since = 0;
    loop {
        let sync = ask::<SyncAnswer>(session, Operation::Sync(SyncRequest { since: Some(since) })).await?;
        for room in sync.rooms {
            if town.rooms.contains(&room.id)
                && let Some(me) = &room.me
            {
                let state = answers::state(me.state);
                rooms.insert(room.id.clone(), (room, state));
            }
        }
        since = sync.commit;
        if !sync.more {
            break;
        }
    }
    let mut ends = BTreeMap::new();
    for (name, (room, state)) in rooms {
        let (mut events, mut members) = (Vec::new(), BTreeMap::new());
        if state == State::Joined {
            let mut after = 0;
            loop {
                let rest = EventRange { after: Some(after), limit: Some(PAGE), ..EventRange::default() };
                let page: EventPage = ask(session, Operation::EventList(InRoom { room: name.clone(), rest })).await?;
                events.extend(page.events.iter().map(answers::seen));
                after = page.events.last().map_or(after, |event| event.seq);
                if !page.has_newer {
                    break;
                }
            }
            let mut cursor = None;
            loop {
                let rest = MemberRange { limit: None, cursor };
                let page: MemberPage = ask(session, Operation::MemberList(InRoom { room: name.clone(), rest })).await?;
                members
                    .extend(page.members.iter().map(|member| (member.user.id.clone(), answers::state(member.state))));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        let (head, messages, unread) = (room.head, room.messages, room.unread);
        let cursors = answers::cursors(room.cursors);
        ends.insert(name, EndRoom { state, head, messages, unread, cursors, members, events });
    }
    Ok(ends)
}

async fn ask<T: serde::de::DeserializeOwned>(session: &mut Session, operation: Operation) -> anyhow::Result<T> {
    session.ask(operation).await?.map_err(|problem| anyhow::anyhow!("{problem:?}"))
}

/// The names of all texts of deleted messages.
fn deleted_texts(history: &History) -> BTreeSet<String> {
    let mut deleted = BTreeSet::new();
    let mut targets = BTreeSet::new();
    for event in history.ends.iter().flat_map(|end| end.rooms.values()).flat_map(|room| &room.events) {
        if let Body::Redaction { target } = &event.body {
            targets.insert((event.room.as_str(), *target));
        }
    }
    for record in &history.records {
        let What::Call { room, op, outcome, .. } = &record.what else { continue };
        let (seq, text) = match (op, outcome) {
            (Op::Send { text }, Outcome::Done { seq, .. }) => (*seq, text),
            (Op::Edit { target, text }, Outcome::Done { .. }) => (*target, text),
            _ => continue,
        };
        if targets.contains(&(room.as_str(), seq)) {
            deleted.extend(text.get(CANARY.len()..CANARY.len() + CANARY_LETTERS).map(str::to_owned));
        }
    }
    deleted
}

/// Where in the data folder a deleted text still is.
fn leftovers(data: &Path, deleted: &BTreeSet<String>) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(data).with_context(|| format!("{}", data.display()))? {
        let path = file?.path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        for at in memmem::find_iter(&bytes, CANARY) {
            let name = bytes.get(at + CANARY.len()..at + CANARY.len() + CANARY_LETTERS).unwrap_or_default();
            if let Ok(name) = std::str::from_utf8(name)
                && deleted.contains(name)
            {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                found.push((format!("{CANARY}{name}"), format!("{file} at byte {at}")));
            }
        }
    }
    Ok(found)
}
