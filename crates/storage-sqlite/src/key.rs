//! The integers that stand for ids inside the database, and the packing of two of them into one key.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use domain::{CommitNumber, Seq};

use crate::error::Fault;

/// Largest key: two of them, or one and a seq, share 63 bits.
const KEY_MAX: i64 = i32::MAX as i64;
const COMMIT_BITS: u32 = 44;
/// Largest app key: with a commit number it shares 63 bits.
const APP_KEY_MAX: i64 = (1 << (63 - COMMIT_BITS)) - 1;

macro_rules! key {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(i64::from(self.0)))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let key = value.as_i64()?;
                if !(0..=KEY_MAX).contains(&key) {
                    return Err(FromSqlError::OutOfRange(key));
                }
                u32::try_from(key).map($name).map_err(|_| FromSqlError::OutOfRange(key))
            }
        }
    };
}

key! {
    /// An app.
    AppKey
}
key! {
    /// A user id that was seen, whether or not there is such a user.
    UserKey
}
key! {
    /// A device id that was seen, whether or not there is such a device.
    DeviceKey
}
key! {
    /// A room.
    RoomKey
}

impl RoomKey {
    /// The key of an event.
    pub(crate) fn event(self, seq: Seq) -> i64 {
        (i64::from(self.0) << 32) | i64::from(low_bits(seq))
    }
}

/// A seq as the lower half of a key. One that is too large becomes the largest, which no event has in practice.
fn low_bits(seq: Seq) -> u32 {
    u32::try_from(seq.0).unwrap_or(u32::MAX)
}

/// The room and seq of an event's key.
pub(crate) fn split_event(key: i64) -> (RoomKey, Seq) {
    (RoomKey((key >> 32) as u32), Seq((key & 0xffff_ffff) as u64))
}

/// The key of a user's cursors in a room.
pub(crate) fn cursor_key(user: UserKey, room: RoomKey) -> i64 {
    (i64::from(user.0) << 32) | i64::from(room.0)
}

/// The key of a journal row.
pub(crate) fn journal_key(app: AppKey, commit: CommitNumber) -> i64 {
    let commit = commit.0.min((1 << COMMIT_BITS) - 1);
    (i64::from(app.0) << COMMIT_BITS) | commit.cast_signed()
}

/// The commit of a journal row.
pub(crate) fn journal_commit(key: i64) -> CommitNumber {
    CommitNumber((key & ((1 << COMMIT_BITS) - 1)).cast_unsigned())
}

/// The app of a journal row.
pub(crate) fn journal_app(key: i64) -> AppKey {
    AppKey((key >> COMMIT_BITS) as u32)
}

/// Whether an app may get this key.
pub(crate) fn check_app_key(key: AppKey) -> Result<AppKey, Fault> {
    if i64::from(key.0) > APP_KEY_MAX { Err(Fault::Full("there are too many apps")) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split_as_they_were_packed() {
        for (room, seq) in [(1, 1), (i32::MAX as u32, u64::from(u32::MAX)), (7, 0)] {
            assert_eq!(split_event(RoomKey(room).event(Seq(seq))), (RoomKey(room), Seq(seq)));
        }
        let key = journal_key(AppKey(APP_KEY_MAX as u32), CommitNumber((1 << COMMIT_BITS) - 1));
        assert_eq!(key, i64::MAX);
        assert_eq!(journal_commit(key), CommitNumber((1 << COMMIT_BITS) - 1));
        assert_eq!(journal_app(key), AppKey(APP_KEY_MAX as u32));
        assert!(check_app_key(AppKey(APP_KEY_MAX as u32 + 1)).is_err());
        assert!(RoomKey(2).event(Seq(1)) > RoomKey(1).event(Seq::MAX));
    }
}
