//! Deleting messages: the seq stays, the content goes.

use smol_str::SmolStr;

use crate::refusal::invalid;
use crate::{Changes, EventBody, Refusal, RoomFacts, Seq, UserId};

/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 256;

/// Checks a redaction: of one's own messages, or with the level for others'. What is deleted already stays so.
pub fn check_redaction(
    me: &UserId,
    facts: &RoomFacts,
    target: Seq,
    reason: Option<&SmolStr>,
) -> Result<Changes, Refusal> {
    let member = facts.joined()?;
    if reason.is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(invalid("reason", "must have at most 256 characters"));
    }
    let message = facts.target.as_ref().filter(|target| target.is_message).ok_or(Refusal::UnknownMessage)?;
    if message.sender != *me && member.level < facts.room.settings.levels.redact {
        return Err(Refusal::LevelTooLow);
    }
    if message.redacted {
        return Ok(Changes::default());
    }
    Ok(Changes::event(facts.room.version, EventBody::Redaction { target, reason: reason.cloned() }))
}
