//! Reads of rooms and their members.

use domain::{AppId, Head, Member, Room, RoomId, UserId, pair_of};
use rusqlite::{Connection, OptionalExtension, params};
use storage::{MemberFilter, Membership, RoomSnapshot};

use crate::error::Fault;
use crate::key::{AppKey, RoomKey, UserKey};
use crate::rows::{self, MEMBER, UserIds};
use crate::view::View;

/// The keys of an app and a room of it.
pub(crate) fn find(db: &Connection, app: &AppId, room: &RoomId) -> Result<Option<(AppKey, RoomKey)>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(None) };
    Ok(rows::room_key(db, app, room)?.map(|room| (app, room)))
}

pub(crate) fn snapshot(
    view: View<'_>,
    app: &AppId,
    room: &RoomId,
    asked: &[UserId],
) -> Result<Option<RoomSnapshot>, Fault> {
    let Some((app, key)) = find(view.db, app, room)? else { return Ok(None) };
    let mut users = UserIds::default();
    let (room, head) = load(view, key, &mut users)?;
    let mut members = Vec::with_capacity(asked.len());
    for user in asked {
        let user = rows::user_key(view.db, app, user)?;
        members.push(user.map(|user| membership(view, user, key, &mut users)).transpose()?.flatten());
    }
    Ok(Some(RoomSnapshot { room, head, members }))
}

/// A room that exists, and its head.
pub(crate) fn load(view: View<'_>, key: RoomKey, users: &mut UserIds) -> Result<(Room, Head), Fault> {
    let room = rows::load_room(view.db, key, users)?.ok_or(Fault::Damaged("a room is gone"))?;
    Ok((room, view.head(key)?))
}

pub(crate) fn membership(
    view: View<'_>,
    user: UserKey,
    room: RoomKey,
    users: &mut UserIds,
) -> Result<Option<Membership>, Fault> {
    let Some(member) = rows::load_member(view.db, user, room, users)? else { return Ok(None) };
    with_cursors(view, user, room, member).map(Some)
}

fn with_cursors(view: View<'_>, user: UserKey, room: RoomKey, member: Member) -> Result<Membership, Fault> {
    let (_, cursors) = view.cursors(user, room)?.ok_or(Fault::Damaged("a member has no cursors"))?;
    Ok(Membership { member, cursors })
}

pub(crate) fn direct(db: &Connection, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(None) };
    let [low, high] = pair_of(pair[0], pair[1]);
    let (Some(low), Some(high)) = (rows::user_key(db, app, &low)?, rows::user_key(db, app, &high)?) else {
        return Ok(None);
    };
    let mut statement =
        db.prepare_cached("SELECT r.id FROM direct d JOIN room r ON r.key = d.room WHERE d.low = ? AND d.high = ?")?;
    Ok(statement.query_row(params![low, high], |row| rows::room_id(row, 0)).optional()?)
}

pub(crate) fn members(
    view: View<'_>,
    app: &AppId,
    room: &RoomId,
    which: MemberFilter,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<Membership>, Fault> {
    let db = view.db;
    let Some((_, room)) = find(db, app, room)? else { return Ok(Vec::new()) };
    // The states stand in the text, or the index of those who are joined can't be used.
    let (index, states) = match which {
        MemberFilter::Present => ("member_of_room", "<> 'left'"),
        MemberFilter::Joined => ("member_joined", "= 'joined'"),
    };
    let sql = format!(
        "SELECT {MEMBER}, m.user FROM member m INDEXED BY {index}
         WHERE m.room = ? AND m.user_id > ? AND m.state {states} ORDER BY m.user_id LIMIT ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![room, after.map_or("", UserId::as_str), limit])?;
    let (mut found, mut users) = (Vec::new(), UserIds::default());
    while let Some(row) = rows.next()? {
        let (mut member, invited_by) = rows::member(row)?;
        member.invited_by = invited_by.map(|key| users.get(db, key)).transpose()?;
        found.push(with_cursors(view, row.get(7)?, room, member)?);
    }
    Ok(found)
}

pub(crate) fn rooms_of(db: &Connection, app: &AppId, user: &UserId, which: MemberFilter) -> Result<Vec<RoomId>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let Some(user) = rows::user_key(db, app, user)? else { return Ok(Vec::new()) };
    let states = match which {
        MemberFilter::Present => "<> 'left'",
        MemberFilter::Joined => "= 'joined'",
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT r.id FROM member m JOIN room r ON r.key = m.room WHERE m.user = ? AND m.state {states} ORDER BY r.id"
    ))?;
    let rooms = statement.query_map(params![user], |row| rows::room_id(row, 0))?;
    Ok(rooms.collect::<Result<_, _>>()?)
}

pub(crate) fn share_rooms(
    db: &Connection,
    app: &AppId,
    user: &UserId,
    others: &[UserId],
) -> Result<Vec<UserId>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let Some(user) = rows::user_key(db, app, user)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM member a JOIN member b ON b.user = ?2 AND b.room = a.room
         WHERE a.user = ?1 AND a.state = 'joined' AND b.state = 'joined' LIMIT 1",
    )?;
    let mut shared = Vec::new();
    for other in others {
        let Some(key) = rows::user_key(db, app, other)? else { continue };
        if statement.exists(params![user, key])? {
            shared.push(other.clone());
        }
    }
    Ok(shared)
}
