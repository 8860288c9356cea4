//! What changed for a user since a commit.
//!
//! There are two ways to the rooms that may have changed: the journal since then, or all rooms of the user. The shorter
//! one is taken. Either way each room found is looked at closely, so both give the same answer.

use domain::{AppId, CommitNumber, MemberState, SeqRange, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use storage::{Changed, ListedRoom, record};

use crate::error::Fault;
use crate::key::{AppKey, RoomKey, UserKey, cursor_key, journal_key};
use crate::packed::{unpack_ranges, unpack_rooms};
use crate::read::{accounts, entries, rooms};
use crate::rows::{self, UserIds};

/// Commits that are worth reading before it is known how many rooms the user has.
const COMMITS_SHORT: u64 = 256;
/// Rooms of a journal that are looked up one by one; more of them are held against all rooms of the user.
const LOOKED_UP_MAX: usize = 32;

pub(crate) fn changed(
    db: &Connection,
    app: &AppId,
    user: &UserId,
    since: CommitNumber,
    limit: usize,
) -> Result<Changed, Fault> {
    let head = accounts::head(db, app)?;
    let nothing = Changed { rooms: Vec::new(), commit: head, more: false };
    let Some(key) = rows::app_key(db, app)? else { return Ok(nothing) };
    let Some(user) = rows::user_key(db, key, user)? else { return Ok(nothing) };
    if since >= head {
        return Ok(nothing);
    }
    let mut changed = Vec::new();
    for room in candidates(db, key, user, since, head)? {
        if let Some(commit) = changed_at(db, user, room, since == CommitNumber(0))?.filter(|commit| *commit > since) {
            changed.push((commit, room));
        }
    }
    changed.sort_unstable();
    // Rooms of one commit stay together, or the rest of them would be passed over by the next call.
    let last = changed.get(limit.max(1) - 1).map(|(commit, _)| *commit);
    let told = last.map_or(changed.len(), |last| changed.partition_point(|(commit, _)| *commit <= last));
    let more = told < changed.len();
    let mut users = UserIds::default();
    let mut listed = Vec::with_capacity(told);
    for (commit, room) in &changed[..told] {
        listed.push((*commit, list(db, user, *room, &mut users)?));
    }
    listed.sort_by(|(a, one), (b, other)| (a, &one.room.id).cmp(&(b, &other.room.id)));
    let rooms = listed.into_iter().map(|(_, room)| room).collect();
    Ok(Changed { rooms, commit: last.filter(|_| more).unwrap_or(head), more })
}

fn candidates(
    db: &Connection,
    app: AppKey,
    user: UserKey,
    since: CommitNumber,
    head: CommitNumber,
) -> Result<Vec<RoomKey>, Fault> {
    let commits = head.0 - since.0;
    let short = if commits <= COMMITS_SHORT { Some(from_journal(db, app, since)?) } else { None };
    if let Some(rooms) = short.as_ref().filter(|rooms| rooms.len() <= LOOKED_UP_MAX) {
        return Ok(rooms.clone());
    }
    let mut statement = db.prepare_cached("SELECT room FROM member WHERE user = ? ORDER BY room")?;
    let mine = statement.query_map([user], |row| row.get(0))?.collect::<Result<Vec<RoomKey>, _>>()?;
    let changed = match short {
        Some(rooms) => rooms,
        None if commits < mine.len() as u64 => from_journal(db, app, since)?,
        None => return Ok(mine),
    };
    Ok(mine.into_iter().filter(|room| changed.binary_search(room).is_ok()).collect())
}

/// The rooms of the journal since a commit, ascending.
fn from_journal(db: &Connection, app: AppKey, since: CommitNumber) -> Result<Vec<RoomKey>, Fault> {
    let mut statement = db.prepare_cached("SELECT rooms, touched FROM journal WHERE key > ? AND key <= ?")?;
    let last = journal_key(app, CommitNumber(u64::MAX));
    let mut commits = statement.query([journal_key(app, since), last])?;
    let mut rooms = Vec::new();
    while let Some(row) = commits.next()? {
        rooms.extend(unpack_ranges(row.get_ref(0)?.as_blob().map_err(rows::sqlite)?)?.iter().map(|part| part.room));
        rooms.extend(unpack_rooms(row.get_ref(1)?.as_blob().map_err(rows::sqlite)?)?);
    }
    rooms.sort_unstable();
    rooms.dedup();
    Ok(rooms)
}

/// The last commit that changed a room for a user, if they have to do with it.
fn changed_at(db: &Connection, user: UserKey, room: RoomKey, skip_left: bool) -> Result<Option<CommitNumber>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT state, commit_number, peer FROM member WHERE user = ? AND room = ?")?;
    let mut found = statement.query(params![user, room])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let own = CommitNumber(row.get(1)?);
    match record::state_of(row.get_ref(0)?.as_str().map_err(rows::sqlite)?)? {
        MemberState::Invited => Ok(Some(own)),
        MemberState::Left => Ok((!skip_left).then_some(own)),
        MemberState::Joined => {
            let mut head = db.prepare_cached("SELECT commit_number FROM room_head WHERE room = ?")?;
            let head = head.query_row([room], |row| row.get(0)).optional()?;
            let mut last = head.map(CommitNumber).ok_or(Fault::Damaged("a room has no head"))?;
            let peer: Option<UserKey> = row.get(2)?;
            let mut moved = db.prepare_cached("SELECT commit_number FROM cursor WHERE key = ?")?;
            for user in [Some(user), peer].into_iter().flatten() {
                let commit = moved.query_row([cursor_key(user, room)], |row| row.get(0)).optional()?;
                last = last.max(commit.map(CommitNumber).unwrap_or_default());
            }
            Ok(Some(last))
        }
    }
}

fn list(db: &Connection, user: UserKey, key: RoomKey, users: &mut UserIds) -> Result<ListedRoom, Fault> {
    let (room, head) = rooms::load(db, key, users)?;
    let me = rooms::membership(db, user, key, users)?.ok_or(Fault::Damaged("a member is gone"))?;
    let mut last_message = Vec::new();
    if let Some(seq) = head.last_message {
        let range = SeqRange { first: seq, last: seq };
        entries::read_range(db, (key, &room.id), range, Some(user), users, &mut last_message)?;
    }
    let mut peer = db.prepare_cached("SELECT peer FROM member WHERE user = ? AND room = ?")?;
    let peer: Option<UserKey> = peer.query_row(params![user, key], |row| row.get(0))?;
    let peer = peer.map(|peer| rooms::membership(db, peer, key, users)).transpose()?.flatten();
    Ok(ListedRoom { room, head, me, last_message: last_message.pop(), peer })
}
