//! Typing: told at once, never stored.

use bus::Notice;
use domain::{Actor, Refusal, RoomId};

use crate::{Engine, EngineError};

impl Engine {
    /// Tells the others in a room that the actor is typing or has stopped. In rooms without receipts nobody is told.
    pub async fn typing(&self, actor: &Actor, room: &RoomId, typing: bool) -> Result<(), EngineError> {
        let facts = self.inner.facts.membership(&*self.inner.store, actor, room).await?.ok_or(Refusal::UnknownRoom)?;
        facts.joined()?;
        if facts.room.shares_receipts() {
            let (app, room, user) = (actor.app.clone(), room.clone(), actor.user.clone());
            self.inner.bus.publish_lossy(Notice::Typing { app, room, user, typing });
        }
        Ok(())
    }
}
