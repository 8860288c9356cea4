//! Reactions: each user has a set of keys on each message.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::refusal::invalid;
use crate::{Changes, EventBody, Refusal, RoomFacts, Seq};

/// Most keys in one user's set on a message.
pub const REACTIONS_PER_USER_MAX: usize = 16;
/// Longest key, in bytes.
pub const REACTION_BYTES_MAX: usize = 32;
/// Most different keys on a message.
pub const REACTION_KINDS_MAX: usize = 64;

/// Checks a new set of the actor's reactions on a message.
pub fn check_reaction(facts: &RoomFacts, target: Seq, keys: &BTreeSet<SmolStr>) -> Result<Changes, Refusal> {
    facts.at_level(facts.room.settings.levels.react)?;
    if keys.len() > REACTIONS_PER_USER_MAX {
        return Err(invalid("keys", "must have at most 16 keys"));
    }
    if keys.iter().any(|key| {
        key.is_empty() || key.len() > REACTION_BYTES_MAX || key.chars().any(|c| c.is_control() || c.is_whitespace())
    }) {
        return Err(invalid("keys", "must each have 1 to 32 bytes without white space"));
    }
    let message = facts.live_target()?;
    if message.my_keys == *keys {
        return Ok(Changes::default());
    }
    if message.kinds.union(keys).count() > REACTION_KINDS_MAX {
        return Err(Refusal::TooManyReactions);
    }
    let previous = message.my_keys.clone();
    let mut changes = Changes::event(
        facts.room.version,
        EventBody::Reaction { target, keys: keys.clone(), previous: previous.clone() },
    );
    changes.expect.reactions = Some((target, previous));
    Ok(changes)
}
