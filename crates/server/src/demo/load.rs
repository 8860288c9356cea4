//! Many plain messages in many rooms, and rooms in which nothing happens, to have something to measure
//! (`starling dev --messages N --rooms N`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::{Action, Actor, Command, Content, Refusal, RoomId, SettingsChange};
use engine::{Engine, EngineError, GetRoom};
use tokio::task::JoinSet;

/// Rooms that are written at the same time, so that the store can write many messages in one commit.
const ROOMS_AT_ONCE: usize = 1024;
/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Writes `messages` messages into rooms `load-0`, `load-1` … of `room_messages` each, whose owners are `actors` in turn.
/// What was written before is not written again.
pub async fn write(engine: &Engine, actors: &[Actor], messages: u64, room_messages: u64) -> Result<()> {
    let written = Arc::new(AtomicU64::new(0));
    let telling = tokio::spawn(tell(written.clone(), messages));
    let rooms = (0..messages.div_ceil(room_messages)).map(|number| {
        let count = room_messages.min(messages - number * room_messages);
        let (engine, owner, written) = (engine.clone(), in_turn(actors, number).clone(), written.clone());
        async move { fill(engine, owner, RoomId::new(format!("load-{number}"))?, count, &written).await }
    });
    some_at_once(rooms).await?;
    telling.abort();
    Ok(())
}

/// Makes rooms `quiet-0`, `quiet-1` … of two each of `actors`, with a single message.
pub async fn quiet(engine: &Engine, actors: &[Actor], rooms: u64) -> Result<()> {
    ensure!(rooms == 0 || actors.len() > 1, "quiet rooms need two people");
    let rooms = (0..rooms).map(|number| {
        let (owner, other) = (in_turn(actors, number).clone(), in_turn(actors, number + 1).clone());
        let engine = engine.clone();
        async move {
            let room = RoomId::new(format!("quiet-{number}"))?;
            if make(&engine, &owner, &room, vec![other.user.clone()]).await? {
                engine.execute(&other, Command { room: room.clone(), action: Action::Join }, None).await?;
                say(&engine, &owner, &room, 0).await?;
            }
            Ok(())
        }
    });
    some_at_once(rooms).await
}

fn in_turn(actors: &[Actor], number: u64) -> &Actor {
    &actors[(number % actors.len() as u64) as usize]
}

async fn some_at_once(rooms: impl Iterator<Item = impl Future<Output = Result<()>> + Send + 'static>) -> Result<()> {
    let mut running = JoinSet::new();
    for room in rooms {
        if running.len() == ROOMS_AT_ONCE {
            running.join_next().await.context("one is running")???;
        }
        running.spawn(room);
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

async fn fill(engine: Engine, owner: Actor, room: RoomId, count: u64, written: &AtomicU64) -> Result<()> {
    let there = match make(&engine, &owner, &room, Vec::new()).await? {
        true => 0,
        false => engine.query(&owner, GetRoom { room: room.clone() }).await?.messages,
    };
    written.fetch_add(there.min(count), Ordering::Relaxed);
    for number in there..count {
        say(&engine, &owner, &room, number).await?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Makes a room; false if it was there.
async fn make(engine: &Engine, owner: &Actor, room: &RoomId, invite: Vec<domain::UserId>) -> Result<bool> {
    let settings = SettingsChange { name: Some(room.to_string().into()), ..SettingsChange::default() };
    let create = Command { room: room.clone(), action: Action::Create { settings, invite } };
    match engine.execute(owner, create, None).await {
        Ok(_) => Ok(true),
        Err(EngineError::Refused(Refusal::RoomExists)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn say(engine: &Engine, actor: &Actor, room: &RoomId, number: u64) -> Result<()> {
    let text = format!("{room} {number}: {}", "the quick brown fox jumps over the lazy dog 春眠不觉晓 ".repeat(2));
    let send = Action::Send { content: Content::plain(text), reply_to: None };
    engine.execute(actor, Command { room: room.clone(), action: send }, None).await?;
    Ok(())
}

async fn tell(written: Arc<AtomicU64>, of: u64) {
    let mut ticks = tokio::time::interval(TOLD_EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        tracing::info!(messages = written.load(Ordering::Relaxed), of, "writing messages");
    }
}
