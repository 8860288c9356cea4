//! Creating rooms: groups, and direct rooms of a pair.

use std::collections::BTreeSet;

use crate::refusal::invalid;
use crate::{
    Changes, EventBody, Expectation, HistoryVisibility, Level, MemberState, NewRoom, Refusal, RoomKind, RoomSettings,
    SettingsChange, UserId,
};

/// Most users that can be invited while a room is created.
pub const CREATE_INVITES_MAX: usize = 500;

/// Checks the creation of a group: its creator owns it, the others named are invited.
pub fn check_create(
    me: &UserId,
    settings: &SettingsChange,
    invite: &[UserId],
    room_exists: bool,
) -> Result<Changes, Refusal> {
    settings.check()?;
    if invite.len() > CREATE_INVITES_MAX {
        return Err(invalid("invite", "must have at most 500 users"));
    }
    if room_exists {
        return Err(Refusal::RoomExists);
    }
    let mut first = RoomSettings::default();
    first.apply(settings);
    let others: BTreeSet<&UserId> = invite.iter().filter(|user| *user != me).collect();
    let mut events = vec![
        EventBody::Created { kind: RoomKind::Group, settings: first.clone() },
        EventBody::Member { user: me.clone(), state: MemberState::Joined, level: Level::OWNER },
    ];
    events.extend(others.into_iter().map(|user| EventBody::Member {
        user: user.clone(),
        state: MemberState::Invited,
        level: Level::MEMBER,
    }));
    let create = Some(NewRoom { kind: RoomKind::Group, pair: None, settings: first });
    Ok(Changes { create, events, cursors: None, expect: Expectation::default() })
}

/// Checks the creation of a direct room: both are in it from the start.
pub fn check_direct(me: &UserId, user: &UserId) -> Result<Changes, Refusal> {
    if me == user {
        return Err(invalid("user", "must be somebody else"));
    }
    let settings = RoomSettings { history: HistoryVisibility::Members, ..RoomSettings::default() };
    let joined =
        |user: &UserId| EventBody::Member { user: user.clone(), state: MemberState::Joined, level: Level::MEMBER };
    let events =
        vec![EventBody::Created { kind: RoomKind::Direct, settings: settings.clone() }, joined(me), joined(user)];
    let create = Some(NewRoom { kind: RoomKind::Direct, pair: Some(pair_of(me, user)), settings });
    Ok(Changes { create, events, cursors: None, expect: Expectation::default() })
}

/// The pair of two users, the smaller id first.
pub fn pair_of(a: &UserId, b: &UserId) -> [UserId; 2] {
    if a <= b { [a.clone(), b.clone()] } else { [b.clone(), a.clone()] }
}
