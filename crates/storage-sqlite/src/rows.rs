//! Rows as the domain's types. The writer and the readers both load through here.

use std::collections::{BTreeSet, HashMap};

use domain::{
    App, AppId, AppSettings, ClientId, CommitNumber, Cursors, Device, DeviceId, Event, EventBody, Head, Interval,
    Level, Member, Room, RoomId, RoomKind, Seq, Timestamp, User, UserId, UserKind,
};
use foldhash::fast::RandomState;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use smol_str::SmolStr;
use storage::record;

use crate::error::Fault;
use crate::key::{AppKey, RoomKey, Slot, UserKey, split_event};

/// Columns that [`app`] reads.
pub(crate) const APP: &str = "id, name, registration_open, directory_open, created_at";
/// Columns that [`user`] reads, of `user u` and its `user_key k`.
pub(crate) const USER: &str = "k.id, u.kind, u.display_name, u.admin, u.disabled, u.created_at";
/// Columns that [`device`] reads, of `device d`, its `device_key dk` and its user's `user_key k`.
pub(crate) const DEVICE: &str = "dk.id, k.id, d.name, d.created_at, d.last_seen_at, d.refresh_generation";
/// Columns that [`member`] reads, of `member m`.
pub(crate) const MEMBER: &str = "m.user_id, m.state, m.level, m.invited_by, m.invited_at, m.intervals, m.commit_number";
/// Columns that [`event`] reads.
pub(crate) const EVENT: &str = "key, commit_number, at, sender, client_id, number, kind, body";
/// Columns that [`head`] reads, of the last event of a room.
const HEAD: &str = "key, kind, number, last_message, commit_number";

macro_rules! id_at {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(row: &Row<'_>, index: usize) -> rusqlite::Result<$type> {
            let text = row.get_ref(index)?.as_str()?;
            <$type>::new(text).map_err(|error| not_an_id(index, error))
        }
    };
}
id_at!(app_id, AppId);
id_at!(user_id, UserId);
id_at!(device_id, DeviceId);
id_at!(room_id, RoomId);

/// The id that a command came with, if it did.
pub(crate) fn client_id(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<ClientId>> {
    let text = row.get_ref(index)?.as_str_or_null()?;
    text.map(ClientId::new).transpose().map_err(|error| not_an_id(index, error))
}

fn not_an_id(index: usize, error: domain::IdError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

pub(crate) fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<SmolStr> {
    Ok(row.get_ref(index)?.as_str()?.into())
}

fn damaged(index: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, what.into())
}

pub(crate) fn app(row: &Row<'_>) -> rusqlite::Result<App> {
    Ok(App {
        id: app_id(row, 0)?,
        settings: AppSettings { name: text(row, 1)?, registration_open: row.get(2)?, directory_open: row.get(3)? },
        created_at: Timestamp(row.get(4)?),
    })
}

pub(crate) fn user_kind_name(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "person",
        UserKind::Bot => "bot",
        UserKind::Guest => "guest",
    }
}

pub(crate) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let kind = match row.get_ref(1)?.as_str()? {
        "person" => UserKind::Person,
        "bot" => UserKind::Bot,
        "guest" => UserKind::Guest,
        _ => return Err(damaged(1, "unknown kind of user")),
    };
    Ok(User {
        id: user_id(row, 0)?,
        kind,
        display_name: text(row, 2)?,
        admin: row.get(3)?,
        disabled: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
    })
}

pub(crate) fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        id: device_id(row, 0)?,
        user: user_id(row, 1)?,
        name: text(row, 2)?,
        created_at: Timestamp(row.get(3)?),
        last_seen_at: Timestamp(row.get(4)?),
        refresh_generation: row.get(5)?,
    })
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let (_, seq) = split_event(row.get(0)?);
    let is_message = row.get::<_, u8>(1)? == record::kind::MESSAGE;
    let before = row.get::<_, Option<u64>>(3)?.map(Seq);
    Ok(Head {
        seq,
        messages: row.get(2)?,
        last_message: if is_message { Some(seq) } else { before },
        commit: CommitNumber(row.get(4)?),
    })
}

/// Cursors: delivered, read, number, commit_number from column 0 on.
fn cursors(row: &Row<'_>) -> rusqlite::Result<Cursors> {
    Ok(Cursors {
        delivered: Seq(row.get(0)?),
        read: Seq(row.get(1)?),
        read_messages: row.get(2)?,
        commit: CommitNumber(row.get(3)?),
    })
}

/// A member, and the key of who invited them. Columns from 0 on.
pub(crate) fn member(row: &Row<'_>) -> Result<(Member, Option<UserKey>), Fault> {
    let intervals: Vec<(u64, u64, Option<u64>)> = serde_json::from_str(row.get_ref(5)?.as_str().map_err(sqlite)?)
        .map_err(|_| Fault::Damaged("intervals of a member are no JSON"))?;
    let member = Member {
        user: user_id(row, 0)?,
        state: record::state_of(row.get_ref(1)?.as_str().map_err(sqlite)?)?,
        level: Level(row.get(2)?),
        invited_by: None,
        invited_at: row.get::<_, Option<u64>>(4)?.map(Seq),
        intervals: intervals
            .into_iter()
            .map(|(invited, joined, left)| Interval { invited: Seq(invited), joined: Seq(joined), left: left.map(Seq) })
            .collect(),
        commit: CommitNumber(row.get(6)?),
    };
    Ok((member, row.get(3)?))
}

pub(crate) fn intervals_json(member: &Member) -> String {
    let intervals: Vec<_> =
        member.intervals.iter().map(|stay| (stay.invited.0, stay.joined.0, stay.left.map(|seq| seq.0))).collect();
    serde_json::to_string(&intervals).expect("numbers can be written as JSON")
}

pub(crate) fn sqlite(error: rusqlite::types::FromSqlError) -> rusqlite::Error {
    error.into()
}

/// Ids of users by key, remembered while something is being read.
#[derive(Default)]
pub(crate) struct UserIds(HashMap<UserKey, UserId, RandomState>);

impl UserIds {
    pub(crate) fn get(&mut self, db: &Connection, key: UserKey) -> Result<UserId, Fault> {
        if let Some(id) = self.0.get(&key) {
            return Ok(id.clone());
        }
        let mut statement = db.prepare_cached("SELECT id FROM user_key WHERE key = ?")?;
        let id = statement.query_row([key], |row| user_id(row, 0)).optional()?;
        let id = id.ok_or(Fault::Damaged("a user key belongs to nobody"))?;
        self.0.insert(key, id.clone());
        Ok(id)
    }
}

pub(crate) fn app_key(db: &Connection, app: &AppId) -> Result<Option<AppKey>, Fault> {
    let mut statement = db.prepare_cached("SELECT key FROM app WHERE id = ?")?;
    Ok(statement.query_row([app.as_str()], |row| row.get(0)).optional()?)
}

pub(crate) fn user_key(db: &Connection, app: AppKey, user: &UserId) -> Result<Option<UserKey>, Fault> {
    let mut statement = db.prepare_cached("SELECT key FROM user_key WHERE app = ? AND id = ?")?;
    Ok(statement.query_row(params![app, user.as_str()], |row| row.get(0)).optional()?)
}

pub(crate) fn room_key(db: &Connection, app: AppKey, room: &RoomId) -> Result<Option<RoomKey>, Fault> {
    let mut statement = db.prepare_cached("SELECT key FROM room WHERE app = ? AND id = ?")?;
    Ok(statement.query_row(params![app, room.as_str()], |row| row.get(0)).optional()?)
}

pub(crate) fn load_room(db: &Connection, key: RoomKey, users: &mut UserIds) -> Result<Option<Room>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT id, kind, settings, created_at, joined, invited, owners, version, low, high FROM room WHERE key = ?",
    )?;
    let mut rows = statement.query([key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let kind = record::room_kind_of(row.get_ref(1)?.as_str().map_err(sqlite)?)?;
    let pair = match (kind, row.get(8)?, row.get(9)?) {
        (RoomKind::Direct, Some(low), Some(high)) => Some([users.get(db, low)?, users.get(db, high)?]),
        (RoomKind::Direct, _, _) => return Err(Fault::Damaged("a direct room has no pair")),
        (RoomKind::Group, _, _) => None,
    };
    Ok(Some(Room {
        id: room_id(row, 0)?,
        kind,
        pair,
        settings: record::decode_settings(row.get_ref(2)?.as_str().map_err(sqlite)?)?,
        created_at: Timestamp(row.get(3)?),
        joined: row.get(4)?,
        invited: row.get(5)?,
        owners: row.get(6)?,
        version: row.get(7)?,
    }))
}

/// The head of a room: its last event.
pub(crate) fn load_head(db: &Connection, room: RoomKey) -> Result<Head, Fault> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {HEAD} FROM log WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1"))?;
    Ok(statement.query_row(room.events(), head).optional()?.unwrap_or_default())
}

/// A member's cursors, and where they lie.
pub(crate) fn load_cursors(db: &Connection, user: UserKey, room: RoomKey) -> Result<Option<(Slot, Cursors)>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT l.delivered, l.read, l.number, l.commit_number, m.slot
         FROM member m JOIN log l ON l.key = (m.room << 32) | (1 << 31) | m.slot WHERE m.user = ? AND m.room = ?",
    )?;
    Ok(statement.query_row(params![user, room], |row| Ok((row.get(4)?, cursors(row)?))).optional()?)
}

pub(crate) fn load_member(
    db: &Connection,
    user: UserKey,
    room: RoomKey,
    users: &mut UserIds,
) -> Result<Option<Member>, Fault> {
    let mut statement = db.prepare_cached(&format!("SELECT {MEMBER} FROM member m WHERE m.user = ? AND m.room = ?"))?;
    let mut rows = statement.query(params![user, room])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (mut found, invited_by) = member(row)?;
    found.invited_by = invited_by.map(|key| users.get(db, key)).transpose()?;
    Ok(Some(found))
}

pub(crate) fn load_body(db: &Connection, key: i64) -> Result<Option<(CommitNumber, EventBody)>, Fault> {
    let mut statement = db.prepare_cached("SELECT kind, body, commit_number FROM log WHERE key = ?")?;
    let mut rows = statement.query([key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let body = record::decode(row.get(0)?, row.get_ref(1)?.as_str().map_err(sqlite)?)?;
    Ok(Some((CommitNumber(row.get(2)?), body)))
}

/// An event of a known room.
pub(crate) fn event(db: &Connection, row: &Row<'_>, room: &RoomId, users: &mut UserIds) -> Result<Event, Fault> {
    let (_, seq) = split_event(row.get(0)?);
    Ok(Event {
        room: room.clone(),
        seq,
        commit: CommitNumber(row.get(1)?),
        at: Timestamp(row.get(2)?),
        sender: users.get(db, row.get(3)?)?,
        client_id: client_id(row, 4)?,
        number: row.get(5)?,
        body: record::decode(row.get(6)?, row.get_ref(7)?.as_str().map_err(sqlite)?)?,
    })
}

pub(crate) fn keys_json(keys: &BTreeSet<SmolStr>) -> String {
    serde_json::to_string(&keys.iter().map(SmolStr::as_str).collect::<Vec<_>>())
        .expect("strings can be written as JSON")
}

/// A user's reactions on an event.
pub(crate) fn load_reactions(db: &Connection, event: i64, user: UserKey) -> Result<BTreeSet<SmolStr>, Fault> {
    let mut statement = db.prepare_cached("SELECT keys FROM reaction WHERE event = ? AND user = ?")?;
    let json: Option<String> = statement.query_row(params![event, user], |row| row.get(0)).optional()?;
    json.map_or(Ok(BTreeSet::new()), |json| parse_keys(&json))
}

pub(crate) fn parse_keys(json: &str) -> Result<BTreeSet<SmolStr>, Fault> {
    let keys: Vec<String> = serde_json::from_str(json).map_err(|_| Fault::Damaged("reactions are no JSON"))?;
    Ok(keys.into_iter().map(SmolStr::from).collect())
}
