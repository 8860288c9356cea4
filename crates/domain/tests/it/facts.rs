//! Facts for checks: a room, the actor `ann`, the member `bob`, a message.

use std::collections::BTreeSet;

use domain::{
    Action, Changes, Command, Cursors, Interval, JoinRule, Level, Member, MemberState, Refusal, Room, RoomFacts,
    RoomId, RoomKind, RoomSettings, Seq, Target, Timestamp, UserId, check, pair_of,
};

pub fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub fn room_id() -> RoomId {
    RoomId::new("red").unwrap()
}

/// What kind of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A group by invitation.
    Private,
    /// A group that everybody may join.
    Open,
    /// A direct room.
    Direct,
}

/// What the actor is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Stranger,
    Invited,
    Left,
    Joined(Level),
}

/// A member in a state.
pub fn member(id: &str, standing: Standing) -> Option<Member> {
    let (state, level) = match standing {
        Standing::Stranger => return None,
        Standing::Invited => (MemberState::Invited, Level::MEMBER),
        Standing::Left => (MemberState::Left, Level::READER),
        Standing::Joined(level) => (MemberState::Joined, level),
    };
    let interval = Interval { invited: Seq(2), joined: Seq(2), left: None };
    let intervals = if state == MemberState::Joined { vec![interval] } else { Vec::new() };
    Some(Member { state, level, intervals, ..Member::stranger(user(id)) })
}

/// Facts about a room with two owners besides, in which `ann` acts on a message of her own and on `bob`, a stranger.
pub fn facts(place: Place, me: Standing) -> RoomFacts {
    let (kind, pair) = match place {
        Place::Private | Place::Open => (RoomKind::Group, None),
        Place::Direct => (RoomKind::Direct, Some(pair_of(&user("ann"), &user("bob")))),
    };
    let join_rule = if place == Place::Open { JoinRule::Open } else { JoinRule::Invite };
    let settings = RoomSettings { join_rule, ..RoomSettings::default() };
    let mut room = Room::new(room_id(), kind, pair, settings, Timestamp(0));
    room.joined = 5;
    room.owners = 2;
    room.version = 7;
    let target = Target {
        sender: user("ann"),
        is_message: true,
        redacted: false,
        my_keys: BTreeSet::new(),
        kinds: BTreeSet::new(),
    };
    RoomFacts { room, me: member("ann", me), cursors: Cursors::default(), other: None, target: Some(target) }
}

/// What comes of an action of `ann`.
pub fn act(facts: &RoomFacts, action: &Action) -> Result<Changes, Refusal> {
    let command = Command { room: room_id(), action: action.clone() };
    check(&user("ann"), &command, facts, false)
}
