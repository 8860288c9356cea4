//! The commands on rooms, the facts that their checks read, and the way from one to the other.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::{
    Changes, Content, CursorMove, Cursors, Level, Member, Refusal, Room, RoomId, Seq, SettingsChange, UserId,
    check_create, check_cursors, check_direct, check_edit, check_invite, check_join, check_leave, check_level,
    check_message, check_reaction, check_redaction, check_remove, check_settings,
};

/// What a user asks to be done in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// The room; for a room to be created its new id.
    pub room: RoomId,
    /// What to do.
    pub action: Action,
}

/// What to do in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create a group and invite users to it.
    Create {
        /// The first settings, where they differ from the default.
        settings: SettingsChange,
        /// Who to invite.
        invite: Vec<UserId>,
    },
    /// Create the direct room with a user. That there is one already is for the engine to see first.
    Direct {
        /// The other user.
        user: UserId,
    },
    /// Come in, by invitation or where it is open.
    Join,
    /// Go out, or decline an invitation.
    Leave,
    /// Invite a user.
    Invite {
        /// Who.
        user: UserId,
    },
    /// Remove a member or take an invitation back.
    Remove {
        /// Who.
        user: UserId,
    },
    /// Set a member's level.
    SetLevel {
        /// Who.
        user: UserId,
        /// To what.
        level: Level,
    },
    /// Change settings.
    Settings(SettingsChange),
    /// Send a message.
    Send {
        /// What to say.
        content: Content,
        /// The message it answers.
        reply_to: Option<Seq>,
    },
    /// Replace the content of an own message.
    Edit {
        /// The message.
        target: Seq,
        /// What it says from now on.
        content: Content,
    },
    /// Delete a message and its content.
    Redact {
        /// The message.
        target: Seq,
        /// Why.
        reason: Option<SmolStr>,
    },
    /// Set the own reactions on a message.
    React {
        /// The message.
        target: Seq,
        /// The whole set.
        keys: BTreeSet<SmolStr>,
    },
    /// Move the own cursors forward.
    Cursors {
        /// Everything up to this seq has reached the user.
        delivered: Option<Seq>,
        /// Everything up to this seq has been read.
        read: Option<Seq>,
    },
}

impl Action {
    /// The member other than the actor that the check asks about.
    pub fn other(&self) -> Option<&UserId> {
        match self {
            Action::Invite { user }
            | Action::Remove { user }
            | Action::SetLevel { user, .. }
            | Action::Direct { user } => Some(user),
            _ => None,
        }
    }

    /// The message that the check asks about.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Action::Edit { target, .. } | Action::Redact { target, .. } | Action::React { target, .. } => Some(*target),
            Action::Send { reply_to, .. } => *reply_to,
            _ => None,
        }
    }

    /// The users that must exist for it.
    pub fn named_users(&self) -> &[UserId] {
        match self {
            Action::Create { invite, .. } => invite,
            Action::Invite { user } | Action::Direct { user } => std::slice::from_ref(user),
            _ => &[],
        }
    }

    /// Whether it makes a room.
    pub fn creates(&self) -> bool {
        matches!(self, Action::Create { .. } | Action::Direct { .. })
    }
}

/// What checks know of an existing room, all of one moment.
#[derive(Debug, Clone)]
pub struct RoomFacts {
    /// The room.
    pub room: Room,
    /// The actor in it.
    pub me: Option<Member>,
    /// The actor's cursors in it.
    pub cursors: Cursors,
    /// The member named by the command.
    pub other: Option<Member>,
    /// The message pointed at by the command.
    pub target: Option<Target>,
}

/// What checks know of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Who sent it.
    pub sender: UserId,
    /// Whether it is a message at all.
    pub is_message: bool,
    /// Whether it is deleted.
    pub redacted: bool,
    /// The actor's reactions on it.
    pub my_keys: BTreeSet<SmolStr>,
    /// All kinds of reactions on it.
    pub kinds: BTreeSet<SmolStr>,
}

impl RoomFacts {
    /// The actor as a joined member, or why not.
    ///
    /// A stranger is not told that a room exists which they can't see.
    pub fn joined(&self) -> Result<&Member, Refusal> {
        match &self.me {
            Some(member) if member.is_joined() => Ok(member),
            Some(_) => Err(Refusal::NotAMember),
            None if self.room.is_public() => Err(Refusal::NotAMember),
            None => Err(Refusal::UnknownRoom),
        }
    }

    /// The actor as a joined member of at least this level.
    pub(crate) fn at_level(&self, level: Level) -> Result<&Member, Refusal> {
        let me = self.joined()?;
        if me.level < level { Err(Refusal::LevelTooLow) } else { Ok(me) }
    }

    /// The message pointed at, not deleted.
    pub(crate) fn live_target(&self) -> Result<&Target, Refusal> {
        let target = self.target.as_ref().filter(|target| target.is_message).ok_or(Refusal::UnknownMessage)?;
        if target.redacted { Err(Refusal::MessageDeleted) } else { Ok(target) }
    }
}

/// Checks a command that makes a room. `me` exists; `missing` tells whether a named user doesn't.
pub fn check_new_room(me: &UserId, command: &Command, room_exists: bool, missing: bool) -> Result<Changes, Refusal> {
    if missing {
        return Err(Refusal::UnknownUser);
    }
    match &command.action {
        Action::Create { settings, invite } => check_create(me, settings, invite, room_exists),
        Action::Direct { user } => check_direct(me, user),
        _ => Err(Refusal::UnknownRoom),
    }
}

/// Checks a command in an existing room. `missing` tells whether a named user doesn't exist.
pub fn check(me: &UserId, command: &Command, facts: &RoomFacts, missing: bool) -> Result<Changes, Refusal> {
    match &command.action {
        Action::Create { .. } | Action::Direct { .. } => Err(Refusal::RoomExists),
        Action::Join => check_join(me, facts),
        Action::Leave => check_leave(me, facts),
        Action::Invite { user } => check_invite(facts, user, missing),
        Action::Remove { user } => check_remove(facts, user),
        Action::SetLevel { user, level } => check_level(me, facts, user, *level),
        Action::Settings(change) => check_settings(facts, change),
        Action::Send { content, reply_to } => check_message(facts, content, *reply_to),
        Action::Edit { target, content } => check_edit(me, facts, *target, content),
        Action::Redact { target, reason } => check_redaction(me, facts, *target, reason.as_ref()),
        Action::React { target, keys } => check_reaction(facts, *target, keys),
        Action::Cursors { delivered, read } => check_cursors(facts, CursorMove { delivered: *delivered, read: *read }),
    }
}
