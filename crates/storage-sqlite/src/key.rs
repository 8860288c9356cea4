//! The integers that stand for ids inside the database, and the packing of two of them into one key.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use domain::{CommitNumber, Seq};

use crate::error::Fault;

/// Largest key: two of them, or one and a seq, share 63 bits.
const KEY_MAX: i64 = i32::MAX as i64;
/// What tells the keys of cursors from those of events.
pub(crate) const CURSORS_BIT: i64 = 1 << 31;
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
key! {
    /// The place of a member's cursors in their room.
    Slot
}

impl RoomKey {
    /// The key of an event.
    pub(crate) fn event(self, seq: Seq) -> i64 {
        (i64::from(self.0) << 32) | i64::from(low_bits(seq))
    }

    /// The first and the last key that events of the room can have.
    pub(crate) fn events(self) -> [i64; 2] {
        [self.event(Seq(0)), self.event(Seq::MAX)]
    }

    /// The key of a member's cursors.
    pub(crate) fn cursors(self, slot: Slot) -> i64 {
        (i64::from(self.0) << 32) | CURSORS_BIT | i64::from(slot.0)
    }

    /// The first and the last key that cursors of the room can have.
    pub(crate) fn all_cursors(self) -> [i64; 2] {
        [self.cursors(Slot(0)), self.cursors(Slot(KEY_MAX as u32))]
    }
}

/// A seq as the lower half of a key. One that is too large becomes the largest, so that no range of events reaches the
/// cursors behind them.
fn low_bits(seq: Seq) -> u32 {
    seq.0.min(Seq::MAX.0) as u32
}

/// The slot of a key of cursors.
pub(crate) fn slot_of(key: i64) -> Slot {
    Slot((key & KEY_MAX) as u32)
}

/// The room and seq of an event's key.
pub(crate) fn split_event(key: i64) -> (RoomKey, Seq) {
    (RoomKey((key >> 32) as u32), Seq((key & 0xffff_ffff) as u64))
}

/// A user in a room, as one number.
pub(crate) fn member_key(user: UserKey, room: RoomKey) -> i64 {
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
        for (room, seq) in [(1, 1), (i32::MAX as u32, Seq::MAX.0), (7, 0)] {
            assert_eq!(split_event(RoomKey(room).event(Seq(seq))), (RoomKey(room), Seq(seq)));
        }
        let key = journal_key(AppKey(APP_KEY_MAX as u32), CommitNumber((1 << COMMIT_BITS) - 1));
        assert_eq!(key, i64::MAX);
        assert_eq!(journal_commit(key), CommitNumber((1 << COMMIT_BITS) - 1));
        assert_eq!(journal_app(key), AppKey(APP_KEY_MAX as u32));
        assert!(check_app_key(AppKey(APP_KEY_MAX as u32 + 1)).is_err());
        assert_eq!(RoomKey(1).event(Seq(u64::MAX)), RoomKey(1).event(Seq::MAX));
        let [first, last] = RoomKey(1).all_cursors();
        assert!(RoomKey(1).event(Seq::MAX) < first && last < RoomKey(2).event(Seq(0)));
        assert_eq!(slot_of(RoomKey(i32::MAX as u32).cursors(Slot(5))), Slot(5));
    }
}
