//! Editing messages.

use crate::{Changes, Content, EventBody, Refusal, RoomFacts, Seq, UserId};

/// Checks an edit: by the sender only, of a message that is not deleted.
pub fn check_edit(me: &UserId, facts: &RoomFacts, target: Seq, content: &Content) -> Result<Changes, Refusal> {
    facts.at_level(facts.room.settings.levels.send)?;
    content.check()?;
    if facts.live_target()?.sender != *me {
        return Err(Refusal::NotYourMessage);
    }
    Ok(Changes::event(facts.room.version, EventBody::Edit { target, content: Some(content.clone()) }))
}
