//! Coming and going: join, leave, invite, remove, levels.

use crate::refusal::invalid;
use crate::{
    Changes, EventBody, JoinRule, Level, Member, MemberState, ROOM_MEMBERS_MAX, Refusal, RoomFacts, RoomKind, UserId,
};

fn member_event(facts: &RoomFacts, user: &UserId, state: MemberState, level: Level) -> Changes {
    Changes::event(facts.room.version, EventBody::Member { user: user.clone(), state, level })
}

fn not_direct(facts: &RoomFacts) -> Result<(), Refusal> {
    match facts.room.kind {
        RoomKind::Direct => Err(Refusal::DirectRoomFixed),
        RoomKind::Group => Ok(()),
    }
}

fn has_place(facts: &RoomFacts) -> Result<(), Refusal> {
    if facts.room.joined + facts.room.invited >= ROOM_MEMBERS_MAX { Err(Refusal::RoomFull) } else { Ok(()) }
}

/// Checks joining: by invitation, or where the room is open. Who has joined already has nothing to do.
///
/// Who comes into an empty group owns it: its last owner has gone, and without one nobody could ever run it again.
pub fn check_join(me: &UserId, facts: &RoomFacts) -> Result<Changes, Refusal> {
    let empty = facts.room.kind == RoomKind::Group && facts.room.joined == 0;
    let join = |level: Level| member_event(facts, me, MemberState::Joined, if empty { Level::OWNER } else { level });
    match facts.me.as_ref().map(|member| (member.state, member.level)) {
        Some((MemberState::Joined, _)) => Ok(Changes::default()),
        Some((MemberState::Invited, level)) => Ok(join(level)),
        Some((MemberState::Left, _)) | None => {
            let known = facts.me.is_some() || facts.room.is_public();
            match (facts.room.kind, facts.room.settings.join_rule) {
                (RoomKind::Group, JoinRule::Open) => {
                    has_place(facts)?;
                    Ok(join(Level::MEMBER))
                }
                _ if known => Err(Refusal::NotInvited),
                _ => Err(Refusal::UnknownRoom),
            }
        }
    }
}

/// Checks leaving, or declining an invitation. The last owner stays as long as others are in the room.
pub fn check_leave(me: &UserId, facts: &RoomFacts) -> Result<Changes, Refusal> {
    let member = match &facts.me {
        Some(member) if member.state == MemberState::Invited => member,
        _ => facts.joined()?,
    };
    not_direct(facts)?;
    if is_last_owner(member, facts) && facts.room.joined > 1 {
        return Err(Refusal::LastOwner);
    }
    Ok(member_event(facts, me, MemberState::Left, Level::READER))
}

fn is_last_owner(member: &Member, facts: &RoomFacts) -> bool {
    member.is_joined() && member.level == Level::OWNER && facts.room.owners <= 1
}

/// Checks an invitation.
pub fn check_invite(facts: &RoomFacts, user: &UserId, missing: bool) -> Result<Changes, Refusal> {
    facts.joined()?;
    not_direct(facts)?;
    facts.at_level(facts.room.settings.levels.invite)?;
    if missing {
        return Err(Refusal::UnknownUser);
    }
    match facts.other.as_ref().map(|other| other.state) {
        Some(MemberState::Joined | MemberState::Invited) => Err(Refusal::AlreadyMember),
        Some(MemberState::Left) | None => {
            has_place(facts)?;
            Ok(member_event(facts, user, MemberState::Invited, Level::MEMBER))
        }
    }
}

/// Checks the removal of a member of a lower level, or taking an invitation back.
pub fn check_remove(facts: &RoomFacts, user: &UserId) -> Result<Changes, Refusal> {
    facts.joined()?;
    not_direct(facts)?;
    let me = facts.at_level(facts.room.settings.levels.remove)?;
    match &facts.other {
        Some(other) if other.state != MemberState::Left => {
            if other.user == me.user || other.level >= me.level {
                return Err(Refusal::LevelTooLow);
            }
            Ok(member_event(facts, user, MemberState::Left, Level::READER))
        }
        _ => Err(Refusal::UnknownUser),
    }
}

/// Checks a change of level: of members below oneself, up to one's own level; one's own only downward.
pub fn check_level(me: &UserId, facts: &RoomFacts, user: &UserId, level: Level) -> Result<Changes, Refusal> {
    if level > Level::OWNER {
        return Err(invalid("level", "must be from 0 to 100"));
    }
    facts.joined()?;
    not_direct(facts)?;
    let my_level = facts.at_level(facts.room.settings.levels.levels)?.level;
    let other = facts.other.as_ref().filter(|other| other.is_joined()).ok_or(Refusal::UnknownUser)?;
    let own = user == me;
    if level > my_level || (!own && other.level >= my_level) {
        return Err(Refusal::LevelTooLow);
    }
    if level == other.level {
        return Ok(Changes::default());
    }
    if is_last_owner(other, facts) {
        return Err(Refusal::LastOwner);
    }
    Ok(member_event(facts, user, MemberState::Joined, level))
}
