//! Many plain messages in many rooms, to have something to measure (`starling dev --messages N`).

use anyhow::{Context, Result};
use domain::{Action, Actor, Command, Content, Refusal, RoomId, SettingsChange};
use engine::{Engine, EngineError};
use tokio::task::JoinSet;

/// Messages in each room.
const MESSAGES_PER_ROOM: u64 = 1000;
/// Rooms that are written at the same time, so that the store can write many messages in one commit.
const ROOMS_AT_ONCE: usize = 256;

/// Writes `messages` messages into rooms of their own, unless that was done before.
pub async fn write(engine: &Engine, actor: &Actor, messages: u64) -> Result<()> {
    let mut running = JoinSet::new();
    for first in (0..messages).step_by(usize::try_from(MESSAGES_PER_ROOM)?) {
        if running.len() == ROOMS_AT_ONCE {
            running.join_next().await.context("one is running")???;
        }
        let room = RoomId::new(format!("load-{}", first / MESSAGES_PER_ROOM))?;
        let count = MESSAGES_PER_ROOM.min(messages - first);
        running.spawn(fill(engine.clone(), actor.clone(), room, count));
    }
    while let Some(filled) = running.join_next().await {
        filled??;
    }
    Ok(())
}

async fn fill(engine: Engine, actor: Actor, room: RoomId, count: u64) -> Result<()> {
    let settings = SettingsChange { name: Some(room.to_string().into()), ..SettingsChange::default() };
    let create = Command { room: room.clone(), action: Action::Create { settings, invite: Vec::new() } };
    match engine.execute(&actor, create, None).await {
        Ok(_) => {}
        Err(EngineError::Refused(Refusal::RoomExists)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for number in 0..count {
        let text = format!("{room} {number}: {}", "the quick brown fox jumps over the lazy dog 春眠不觉晓 ".repeat(2));
        let send = Action::Send { content: Content::plain(text), reply_to: None };
        engine.execute(&actor, Command { room: room.clone(), action: send }, None).await?;
    }
    Ok(())
}
