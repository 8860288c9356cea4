//! Changing a room's settings.

use crate::refusal::invalid;
use crate::{Changes, EventBody, Refusal, RoomFacts, RoomKind, SettingsChange};

/// Checks a change of settings; what is so already is left out of the event.
pub fn check_settings(facts: &RoomFacts, change: &SettingsChange) -> Result<Changes, Refusal> {
    let me = facts.joined()?;
    if facts.room.kind == RoomKind::Direct {
        return Err(Refusal::DirectRoomFixed);
    }
    let me_level = facts.at_level(facts.room.settings.levels.settings).map(|_| me.level)?;
    change.check()?;
    if change.is_empty() {
        return Err(invalid("settings", "must change something"));
    }
    // Nobody can raise the bar above themselves, nor lower one that is above them: it would be a way around levels.
    if let Some(levels) = &change.levels {
        let now = facts.room.settings.levels;
        let pairs = [
            (now.send, levels.send),
            (now.react, levels.react),
            (now.invite, levels.invite),
            (now.remove, levels.remove),
            (now.redact, levels.redact),
            (now.settings, levels.settings),
            (now.levels, levels.levels),
        ];
        if pairs.into_iter().any(|(old, new)| old != new && (old > me_level || new > me_level)) {
            return Err(Refusal::LevelTooLow);
        }
    }
    let mut after = facts.room.settings.clone();
    after.apply(change);
    let now = &facts.room.settings;
    let effective = SettingsChange {
        name: (after.name != now.name).then_some(after.name),
        topic: (after.topic != now.topic).then_some(after.topic),
        join_rule: (after.join_rule != now.join_rule).then_some(after.join_rule),
        history: (after.history != now.history).then_some(after.history),
        levels: (after.levels != now.levels).then_some(after.levels),
    };
    if effective.is_empty() {
        return Ok(crate::Changes::default());
    }
    Ok(Changes::event(facts.room.version, EventBody::Settings(effective)))
}
