//! Rows as the domain's types. The committer and the readers both load through here.

use std::collections::BTreeSet;

use domain::{
    App, AppId, AppSettings, ClientId, CommitNumber, Cursors, Device, DeviceId, Event, Head, Interval, Level, Member,
    Room, RoomId, RoomKind, Seq, User, UserId, UserKind,
};
use smol_str::SmolStr;
use storage::{Membership, record};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::Fault;
use crate::key::Moment;

/// What a row has in a column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Fault> {
    Ok(row.try_get(column)?)
}

/// A number that is never negative.
pub(crate) fn number(row: &Row, column: usize) -> Result<u64, Fault> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| Fault::Damaged("a number is negative"))
}

pub(crate) fn optional_seq(row: &Row, column: usize) -> Result<Option<Seq>, Fault> {
    let seq = get::<Option<i64>>(row, column)?.map(u64::try_from).transpose();
    Ok(seq.map_err(|_| Fault::Damaged("a seq is negative"))?.map(Seq))
}

pub(crate) fn seq(row: &Row, column: usize) -> Result<Seq, Fault> {
    number(row, column).map(Seq)
}

pub(crate) fn commit(row: &Row, column: usize) -> Result<CommitNumber, Fault> {
    number(row, column).map(CommitNumber)
}

fn small(row: &Row, column: usize) -> Result<u32, Fault> {
    u32::try_from(get::<i32>(row, column)?).map_err(|_| Fault::Damaged("a count is negative"))
}

/// A number as the database keeps it; those of the domain are far from the limit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn text(row: &Row, column: usize) -> Result<SmolStr, Fault> {
    Ok(get::<&str>(row, column)?.into())
}

macro_rules! id_at {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(row: &Row, column: usize) -> Result<$type, Fault> {
            <$type>::new(get::<&str>(row, column)?)
                .map_err(|_| Fault::Damaged(concat!("what should be a ", stringify!($type), " is none")))
        }
    };
}
id_at!(app_id, AppId);
id_at!(user_id, UserId);
id_at!(device_id, DeviceId);
id_at!(room_id, RoomId);
id_at!(client_id, ClientId);

pub(crate) fn optional_user(row: &Row, column: usize) -> Result<Option<UserId>, Fault> {
    match get::<Option<&str>>(row, column)? {
        Some(_) => user_id(row, column).map(Some),
        None => Ok(None),
    }
}

/// Columns: id, name, registration_open, directory_open, created_at.
pub(crate) fn app(row: &Row) -> Result<App, Fault> {
    Ok(App {
        id: app_id(row, 0)?,
        settings: AppSettings { name: text(row, 1)?, registration_open: get(row, 2)?, directory_open: get(row, 3)? },
        created_at: get::<Moment>(row, 4)?.0,
    })
}

pub(crate) fn user_kind_name(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "person",
        UserKind::Bot => "bot",
        UserKind::Guest => "guest",
    }
}

/// Columns from the given one on: id, kind, display_name, admin, disabled, created_at.
pub(crate) fn user(row: &Row, from: usize) -> Result<User, Fault> {
    let kind = match get::<&str>(row, from + 1)? {
        "person" => UserKind::Person,
        "bot" => UserKind::Bot,
        "guest" => UserKind::Guest,
        _ => return Err(Fault::Damaged("unknown kind of user")),
    };
    Ok(User {
        id: user_id(row, from)?,
        kind,
        display_name: text(row, from + 2)?,
        admin: get(row, from + 3)?,
        disabled: get(row, from + 4)?,
        created_at: get::<Moment>(row, from + 5)?.0,
    })
}

/// Columns from the given one on: id, user_id, name, created_at, last_seen_at, refresh_generation.
pub(crate) fn device(row: &Row, from: usize) -> Result<Device, Fault> {
    Ok(Device {
        id: device_id(row, from)?,
        user: user_id(row, from + 1)?,
        name: text(row, from + 2)?,
        created_at: get::<Moment>(row, from + 3)?.0,
        last_seen_at: get::<Moment>(row, from + 4)?.0,
        refresh_generation: number(row, from + 5)?,
    })
}

/// Columns from the given one on: kind, low, high, settings as text, created_at, joined, invited, owners, version.
pub(crate) fn room(id: RoomId, row: &Row, from: usize) -> Result<Room, Fault> {
    let kind = record::room_kind_of(get(row, from)?)?;
    let pair = match (kind, optional_user(row, from + 1)?, optional_user(row, from + 2)?) {
        (RoomKind::Direct, Some(low), Some(high)) => Some([low, high]),
        (RoomKind::Direct, _, _) => return Err(Fault::Damaged("a direct room has no pair")),
        (RoomKind::Group, _, _) => None,
    };
    Ok(Room {
        id,
        kind,
        pair,
        settings: record::decode_settings(get(row, from + 3)?)?,
        created_at: get::<Moment>(row, from + 4)?.0,
        joined: small(row, from + 5)?,
        invited: small(row, from + 6)?,
        owners: small(row, from + 7)?,
        version: number(row, from + 8)?,
    })
}

/// Columns from the given one on: seq, messages, last_message, commit.
pub(crate) fn head(row: &Row, from: usize) -> Result<Head, Fault> {
    Ok(Head {
        seq: seq(row, from)?,
        messages: number(row, from + 1)?,
        last_message: optional_seq(row, from + 2)?,
        commit: commit(row, from + 3)?,
    })
}

/// Columns from the given one on: delivered, read, read_messages, commit.
pub(crate) fn cursors(row: &Row, from: usize) -> Result<Cursors, Fault> {
    Ok(Cursors {
        delivered: seq(row, from)?,
        read: seq(row, from + 1)?,
        read_messages: number(row, from + 2)?,
        commit: commit(row, from + 3)?,
    })
}

/// Columns from the given one on: state, level, invited_by, invited_at, stays as text, commit.
pub(crate) fn member(user: UserId, row: &Row, from: usize) -> Result<Member, Fault> {
    let stays: Vec<(u64, u64, Option<u64>)> =
        serde_json::from_str(get(row, from + 4)?).map_err(|_| Fault::Damaged("stays of a member are not readable"))?;
    let interval = |(invited, joined, left): (u64, u64, Option<u64>)| Interval {
        invited: Seq(invited),
        joined: Seq(joined),
        left: left.map(Seq),
    };
    let level = u8::try_from(get::<i16>(row, from + 1)?).map_err(|_| Fault::Damaged("a level is out of range"))?;
    Ok(Member {
        user,
        state: record::state_of(get(row, from)?)?,
        level: Level(level),
        invited_by: optional_user(row, from + 2)?,
        invited_at: optional_seq(row, from + 3)?,
        intervals: stays.into_iter().map(interval).collect(),
        commit: commit(row, from + 5)?,
    })
}

/// Columns from the given one on: user_id, those of [`member`], those of [`cursors`].
pub(crate) fn membership(row: &Row, from: usize) -> Result<Membership, Fault> {
    Ok(Membership { member: member(user_id(row, from)?, row, from + 1)?, cursors: cursors(row, from + 7)? })
}

pub(crate) fn stays_json(member: &Member) -> String {
    let stays: Vec<_> =
        member.intervals.iter().map(|stay| (stay.invited.0, stay.joined.0, stay.left.map(|seq| seq.0))).collect();
    serde_json::to_string(&stays).expect("numbers can be written as JSON")
}

/// Columns from the given one on: seq, commit, at, sender, client_id, number, kind, body as text.
pub(crate) fn event(room: RoomId, row: &Row, from: usize) -> Result<Event, Fault> {
    let client_id = match get::<Option<&str>>(row, from + 4)? {
        Some(_) => Some(client_id(row, from + 4)?),
        None => None,
    };
    Ok(Event {
        room,
        seq: seq(row, from)?,
        commit: commit(row, from + 1)?,
        at: get::<Moment>(row, from + 2)?.0,
        sender: user_id(row, from + 3)?,
        client_id,
        number: number(row, from + 5)?,
        body: record::decode(event_kind(row, from + 6)?, get(row, from + 7)?)?,
    })
}

/// The number of an event's kind.
pub(crate) fn event_kind(row: &Row, column: usize) -> Result<u8, Fault> {
    u8::try_from(get::<i16>(row, column)?).map_err(|_| Fault::Damaged("a kind is out of range"))
}

pub(crate) fn reaction_keys(row: &Row, column: usize) -> Result<BTreeSet<SmolStr>, Fault> {
    Ok(get::<Vec<&str>>(row, column)?.into_iter().map(SmolStr::from).collect())
}
