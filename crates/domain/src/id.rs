//! Identifiers and numbers, each a type of its own so that they can't be confused.

use std::fmt;

use smol_str::SmolStr;
use thiserror::Error;

/// Longest user, room and device id, in bytes.
pub const ID_BYTES_MAX: usize = 64;
/// Longest client id, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 64;

/// Why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// It has no characters.
    #[error("must not be empty")]
    Empty,
    /// It is longer than [`ID_BYTES_MAX`].
    #[error("must have at most 64 bytes")]
    TooLong,
    /// It has a character outside the alphabet.
    #[error("has a character that is not allowed")]
    Character,
}

fn check_id(text: &str, allowed: fn(u8) -> bool) -> Result<(), IdError> {
    match text.len() {
        0 => Err(IdError::Empty),
        1..=ID_BYTES_MAX if text.bytes().all(allowed) => Ok(()),
        1..=ID_BYTES_MAX => Err(IdError::Character),
        _ => Err(IdError::TooLong),
    }
}

/// `[a-z0-9._=-]`: at the same time a valid XMPP localpart and a valid Matrix localpart.
fn public_alphabet(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-')
}

fn client_alphabet(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b':' | b'-')
}

macro_rules! string_id {
    ($(#[doc = $doc:literal])* $name:ident, $alphabet:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks and takes over a string.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check_id(text, $alphabet)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The id as it stands on every wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

string_id! {
    /// An app (tenant): an isolated world. `[a-z0-9._=-]{1,64}`.
    AppId, public_alphabet
}
string_id! {
    /// A user in its app, immutable. `[a-z0-9._=-]{1,64}`.
    UserId, public_alphabet
}
string_id! {
    /// A device (one login) in its app. `[a-z0-9._=-]{1,64}`.
    DeviceId, public_alphabet
}
string_id! {
    /// A room in its app, immutable. `[a-z0-9._=-]{1,64}`.
    RoomId, public_alphabet
}
string_id! {
    /// A sender's own id for a command, unique per device. `[A-Za-z0-9._=:-]{1,64}`.
    ClientId, client_alphabet
}

macro_rules! number {
    ($(#[doc = $doc:literal])* $name:ident($inner:ty)) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

number! {
    /// Place of an event in its room's log: dense, from 1; 0 is before the first.
    Seq(u64)
}
number! {
    /// Number of a commit in its app: from 1 upward in the one order of commits; 0 is before the first.
    CommitNumber(u64)
}
number! {
    /// Unix time in milliseconds.
    Timestamp(i64)
}
number! {
    /// What a member may do, 0 to 100.
    Level(u8)
}

impl Seq {
    /// Largest seq a room can reach: stores pack (room, seq) into one 64-bit key, and a bit to tell events from what lies
    /// beside them.
    pub const MAX: Seq = Seq(i32::MAX as u64);

    /// The one after.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl Level {
    /// Reads only.
    pub const READER: Level = Level(0);
    /// The level of who joins or is invited.
    pub const MEMBER: Level = Level(10);
    /// Keeps order.
    pub const MODERATOR: Level = Level(50);
    /// Runs the room.
    pub const ADMIN: Level = Level(90);
    /// Owns the room; also the largest level.
    pub const OWNER: Level = Level(100);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_an_alphabet_and_a_length() {
        let check =
            |text: &str, expect: Result<(), IdError>| assert_eq!(UserId::new(text).map(|_| ()), expect, "{text:?}");
        check("ann", Ok(()));
        check("a.b_c=d-9", Ok(()));
        check("", Err(IdError::Empty));
        check("Ann", Err(IdError::Character));
        check("小明", Err(IdError::Character));
        check("a/b", Err(IdError::Character));
        check(&"a".repeat(64), Ok(()));
        check(&"a".repeat(65), Err(IdError::TooLong));
        assert!(ClientId::new("A:b-1").is_ok());
        assert!(ClientId::new("a b").is_err());
    }
}
