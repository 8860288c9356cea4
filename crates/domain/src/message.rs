//! Sending messages.

use crate::{Changes, Content, EventBody, Refusal, RoomFacts, Seq};

/// Checks a message. A reply needs a message to answer, which may be deleted by now.
pub fn check_message(facts: &RoomFacts, content: &Content, reply_to: Option<Seq>) -> Result<Changes, Refusal> {
    facts.at_level(facts.room.settings.levels.send)?;
    content.check()?;
    if reply_to.is_some() && !facts.target.as_ref().is_some_and(|target| target.is_message) {
        return Err(Refusal::UnknownMessage);
    }
    Ok(Changes::event(facts.room.version, EventBody::message(content.clone(), reply_to)))
}
