//! What changed for a user since a commit.
//!
//! There are two ways to the rooms that may have changed: the journal since then, or all rooms of the user. The shorter
//! one is taken. Either way each room found is looked at closely, so both give the same answer.

use domain::{AppId, CommitNumber, MemberState, SeqRange, UserId};
use rusqlite::{Connection, Row, params};
use storage::{Changed, ListedRoom, record};

use crate::error::Fault;
use crate::key::{AppKey, RoomKey, UserKey, journal_key};
use crate::packed::{each_range, each_room};
use crate::read::{accounts, entries, rooms};
use crate::rows::{self, UserIds};
use crate::view::View;

/// Commits that are read before anything else is looked at.
const COMMITS_FEW: u64 = 16;
/// Size of a [`Sieve`]: 65,536 bits, so that a thousand rooms let one other in sixty pass.
const SIEVE_WORDS: usize = 1024;
/// Commits that are worth reading before it is known how many rooms the user has.
const COMMITS_SHORT: u64 = 256;
/// Rooms of a journal that are looked up one by one; more of them are held against all rooms of the user.
const LOOKED_UP_MAX: usize = 32;

pub(crate) fn changed(
    view: View<'_>,
    app: &AppId,
    user: &UserId,
    since: CommitNumber,
    limit: usize,
) -> Result<Changed, Fault> {
    let db = view.db;
    let head = accounts::head(db, app)?;
    let nothing = Changed { rooms: Vec::new(), commit: head, more: false };
    let Some(key) = rows::app_key(db, app)? else { return Ok(nothing) };
    let Some(user) = rows::user_key(db, key, user)? else { return Ok(nothing) };
    if since >= head {
        return Ok(nothing);
    }
    let skip_left = since == CommitNumber(0);
    let mut changed = match candidates(db, key, user, since, head)? {
        Candidates::All => of_all(view, user, skip_left)?,
        Candidates::Some(rooms) => of_some(view, user, &rooms, skip_left)?,
    };
    changed.retain(|(commit, _)| *commit > since);
    changed.sort_unstable();
    // Rooms of one commit stay together, or the rest of them would be passed over by the next call.
    let last = changed.get(limit.max(1) - 1).map(|(commit, _)| *commit);
    let told = last.map_or(changed.len(), |last| changed.partition_point(|(commit, _)| *commit <= last));
    let more = told < changed.len();
    let mut users = UserIds::default();
    let mut listed = Vec::with_capacity(told);
    for (commit, room) in &changed[..told] {
        listed.push((*commit, list(view, user, *room, &mut users)?));
    }
    listed.sort_by(|(a, one), (b, other)| (a, &one.room.id).cmp(&(b, &other.room.id)));
    let rooms = listed.into_iter().map(|(_, room)| room).collect();
    Ok(Changed { rooms, commit: last.filter(|_| more).unwrap_or(head), more })
}

/// Rooms that may have changed.
enum Candidates {
    /// All rooms of the user.
    All,
    /// These.
    Some(Vec<RoomKey>),
}

fn candidates(
    db: &Connection,
    app: AppKey,
    user: UserKey,
    since: CommitNumber,
    head: CommitNumber,
) -> Result<Candidates, Fault> {
    let commits = head.0 - since.0;
    if commits <= COMMITS_FEW {
        let rooms = from_journal(db, app, since, &Sieve::all())?;
        if rooms.len() <= LOOKED_UP_MAX {
            return Ok(Candidates::Some(rooms));
        }
    }
    let mut statement = db.prepare_cached("SELECT room FROM member WHERE user = ? ORDER BY room")?;
    let mine = statement.query_map([user], |row| row.get(0))?.collect::<Result<Vec<RoomKey>, _>>()?;
    if commits > COMMITS_SHORT && commits >= mine.len() as u64 {
        return Ok(Candidates::All);
    }
    let mut rooms = from_journal(db, app, since, &Sieve::of(&mine))?;
    rooms.retain(|room| mine.binary_search(room).is_ok());
    Ok(Candidates::Some(rooms))
}

/// Lets some rooms pass and a few others with them; asking it costs next to nothing.
struct Sieve(Vec<u64>);

impl Sieve {
    fn all() -> Self {
        Self(vec![u64::MAX; SIEVE_WORDS])
    }

    fn of(rooms: &[RoomKey]) -> Self {
        let mut words = vec![0; SIEVE_WORDS];
        rooms.iter().for_each(|room| words[Self::word(*room)] |= 1 << (room.0 % 64));
        Self(words)
    }

    fn passes(&self, room: RoomKey) -> bool {
        self.0[Self::word(room)] & (1 << (room.0 % 64)) != 0
    }

    fn word(room: RoomKey) -> usize {
        (room.0 / 64) as usize % SIEVE_WORDS
    }
}

/// The rooms of the journal since a commit that pass, ascending.
fn from_journal(db: &Connection, app: AppKey, since: CommitNumber, sieve: &Sieve) -> Result<Vec<RoomKey>, Fault> {
    let mut statement = db.prepare_cached("SELECT rooms, touched FROM journal WHERE key > ? AND key <= ?")?;
    let last = journal_key(app, CommitNumber(u64::MAX));
    let mut commits = statement.query([journal_key(app, since), last])?;
    let mut rooms = Vec::new();
    while let Some(row) = commits.next()? {
        let mut gather = |room| rooms.extend(sieve.passes(room).then_some(room));
        each_range(row.get_ref(0)?.as_blob().map_err(rows::sqlite)?, |part| gather(part.room))?;
        each_room(row.get_ref(1)?.as_blob().map_err(rows::sqlite)?, gather)?;
    }
    rooms.sort_unstable();
    rooms.dedup();
    Ok(rooms)
}

/// What [`changed_at`] reads: the member, the last event of the room, and the cursors of the member and their peer.
const LOOK: &str = "SELECT m.room, m.state, m.commit_number,
    (SELECT commit_number FROM log WHERE key BETWEEN m.room << 32 AND (m.room << 32) | 2147483647
        ORDER BY key DESC LIMIT 1),
    (SELECT commit_number FROM log WHERE key = (m.room << 32) | (1 << 31) | m.slot),
    (SELECT l.commit_number FROM member p JOIN log l ON l.key = (p.room << 32) | (1 << 31) | p.slot
        WHERE m.peer IS NOT NULL AND p.user = m.peer AND p.room = m.room),
    m.slot,
    (SELECT p.slot FROM member p WHERE m.peer IS NOT NULL AND p.user = m.peer AND p.room = m.room)
    FROM member m WHERE m.user = ?";

fn of_all(view: View<'_>, user: UserKey, skip_left: bool) -> Result<Vec<(CommitNumber, RoomKey)>, Fault> {
    let mut statement = view.db.prepare_cached(LOOK)?;
    let mut rows = statement.query([user])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        changed.extend(changed_at(view, row, skip_left)?);
    }
    Ok(changed)
}

fn of_some(
    view: View<'_>,
    user: UserKey,
    rooms: &[RoomKey],
    skip_left: bool,
) -> Result<Vec<(CommitNumber, RoomKey)>, Fault> {
    let mut statement = view.db.prepare_cached(&format!("{LOOK} AND m.room = ?"))?;
    let mut changed = Vec::new();
    for room in rooms {
        let mut rows = statement.query(params![user, room])?;
        if let Some(row) = rows.next()? {
            changed.extend(changed_at(view, row, skip_left)?);
        }
    }
    Ok(changed)
}

/// The last commit that changed a room for a user, if they have to do with it.
fn changed_at(view: View<'_>, row: &Row<'_>, skip_left: bool) -> Result<Option<(CommitNumber, RoomKey)>, Fault> {
    let own: u64 = row.get(2)?;
    let last = match record::state_of(row.get_ref(1)?.as_str().map_err(rows::sqlite)?)? {
        MemberState::Invited => own,
        MemberState::Left if skip_left => return Ok(None),
        MemberState::Left => own,
        MemberState::Joined => {
            let commits: [Option<u64>; 3] = [row.get(3)?, row.get(4)?, row.get(5)?];
            let fresh = view.fresh.changed(row.get(0)?, [row.get(6)?, row.get(7)?], view.as_of).map(|commit| commit.0);
            commits.into_iter().flatten().chain(fresh).max().ok_or(Fault::Damaged("a room has no events"))?
        }
    };
    Ok(Some((CommitNumber(last), row.get(0)?)))
}

fn list(view: View<'_>, user: UserKey, key: RoomKey, users: &mut UserIds) -> Result<ListedRoom, Fault> {
    let (room, head) = rooms::load(view, key, users)?;
    let me = rooms::membership(view, user, key, users)?.ok_or(Fault::Damaged("a member is gone"))?;
    let mut last_message = Vec::new();
    if let Some(seq) = head.last_message {
        let range = SeqRange { first: seq, last: seq };
        entries::read_range(view, (key, &room.id), range, Some(user), users, &mut last_message)?;
    }
    let mut peer = view.db.prepare_cached("SELECT peer FROM member WHERE user = ? AND room = ?")?;
    let peer: Option<UserKey> = peer.query_row(params![user, key], |row| row.get(0))?;
    let peer = peer.map(|peer| rooms::membership(view, peer, key, users)).transpose()?.flatten();
    Ok(ListedRoom { room, head, me, last_message: last_message.pop(), peer })
}
