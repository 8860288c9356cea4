//! Why a command is refused: the caller's fault, one variant for each thing a caller can tell apart.

use thiserror::Error;

/// Why a command is refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A field breaks a limit or a form.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field in the command.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such room, or it is not the actor's to see.
    #[error("no such room")]
    UnknownRoom,
    /// There is no such user.
    #[error("no such user")]
    UnknownUser,
    /// There is no such message.
    #[error("no such message")]
    UnknownMessage,
    /// The message has been deleted.
    #[error("the message is deleted")]
    MessageDeleted,
    /// The room id is taken.
    #[error("the room id is taken")]
    RoomExists,
    /// The room has no place left.
    #[error("the room is full")]
    RoomFull,
    /// The actor is not in the room.
    #[error("not a member of the room")]
    NotAMember,
    /// The room is by invitation and the actor has none.
    #[error("not invited")]
    NotInvited,
    /// The user is in the room or invited already.
    #[error("already a member")]
    AlreadyMember,
    /// The actor's level is too low.
    #[error("level too low")]
    LevelTooLow,
    /// Only the sender may do this.
    #[error("not the sender of the message")]
    NotYourMessage,
    /// The room would be left without an owner.
    #[error("the last owner must hand over first")]
    LastOwner,
    /// A direct room's members, levels and settings don't change.
    #[error("a direct room can't be changed so")]
    DirectRoomFixed,
    /// The message has too many kinds of reactions.
    #[error("too many different reactions")]
    TooManyReactions,
    /// The client id was used for another command.
    #[error("client id used for another command")]
    ClientIdReused,
}

pub(crate) fn invalid(field: &'static str, problem: &'static str) -> Refusal {
    Refusal::Invalid { field, problem }
}
