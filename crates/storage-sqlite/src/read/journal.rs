//! Reads of the commit journal, the followers and their counters.

use std::collections::{BTreeMap, HashMap};

use domain::{AppId, CommitNumber, RoomId, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use smol_str::SmolStr;
use storage::{JournalEntry, TALLY_COMMITS_MAX, TALLY_EVENTS_MAX, Tallies, Tally, record};

use crate::error::Fault;
use crate::key::{RoomKey, journal_commit, journal_key, split_event};
use crate::packed::{RoomRange, unpack_ranges};
use crate::rows;
use crate::view::View;

const LAST_COMMIT: CommitNumber = CommitNumber(u64::MAX);

pub(crate) fn journal(
    db: &Connection,
    app: &AppId,
    after: CommitNumber,
    limit: usize,
) -> Result<Vec<JournalEntry>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached("SELECT key, at, rooms FROM journal WHERE key > ? AND key <= ? ORDER BY key LIMIT ?")?;
    let mut found = statement.query(params![journal_key(app, after), journal_key(app, LAST_COMMIT), limit])?;
    let mut entries = Vec::new();
    let mut ids: HashMap<RoomKey, RoomId> = HashMap::new();
    while let Some(row) = found.next()? {
        let mut rooms = Vec::new();
        for part in unpack_ranges(row.get_ref(2)?.as_blob().map_err(rows::sqlite)?)? {
            let id = match ids.get(&part.room) {
                Some(id) => id.clone(),
                None => {
                    let id = room_id(db, part.room)?;
                    ids.insert(part.room, id.clone());
                    id
                }
            };
            rooms.push((id, part.range));
        }
        entries.push(JournalEntry { commit: journal_commit(row.get(0)?), at: Timestamp(row.get(1)?), rooms });
    }
    Ok(entries)
}

fn room_id(db: &Connection, room: RoomKey) -> Result<RoomId, Fault> {
    let mut statement = db.prepare_cached("SELECT id FROM room WHERE key = ?")?;
    let id = statement.query_row([room], |row| rows::room_id(row, 0)).optional()?;
    id.ok_or(Fault::Damaged("a room of the journal is missing"))
}

pub(crate) fn tallies(view: View<'_>, app: &AppId, after: CommitNumber) -> Result<Tallies, Fault> {
    let db = view.db;
    let Some(app) = rows::app_key(db, app)? else { return Ok(Tallies::default()) };
    let mut commits =
        db.prepare_cached("SELECT key, at, rooms FROM journal WHERE key > ? AND key <= ? ORDER BY key LIMIT ?")?;
    // Only a membership's kind does not tell all, so nothing else is read than numbers.
    let member = record::kind::MEMBER;
    let mut events = db.prepare_cached(
        "SELECT kind, iif(kind = ?, body, NULL), key FROM log WHERE key BETWEEN ? AND ? ORDER BY key",
    )?;
    let limit = TALLY_COMMITS_MAX + 1;
    let mut found = commits.query(params![journal_key(app, after), journal_key(app, LAST_COMMIT), limit])?;
    let (mut tallies, mut counted) = (Tallies::default(), 0);
    while let Some(row) = found.next()? {
        if tallies.commits.len() == TALLY_COMMITS_MAX || counted >= TALLY_EVENTS_MAX {
            tallies.more = true;
            break;
        }
        let mut counts = BTreeMap::new();
        for part in unpack_ranges(row.get_ref(2)?.as_blob().map_err(rows::sqlite)?)? {
            let RoomRange { room, range } = part;
            let mut found = events.query(params![member, room.event(range.first), room.event(range.last)])?;
            let mut last = Seq(range.first.0.saturating_sub(1));
            while let Some(event) = found.next()? {
                let body = event.get_ref(1)?.as_str_or_null().map_err(rows::sqlite)?;
                *counts.entry(record::event_kind(event.get(0)?, body)?).or_default() += 1;
                last = split_event(event.get(2)?).1;
            }
            for fresh in view.fresh_events(room, last, range.last) {
                *counts.entry(fresh.event.body.kind()).or_default() += 1;
            }
        }
        counted += counts.values().sum::<u64>();
        tallies.commits.push(Tally { commit: journal_commit(row.get(0)?), at: Timestamp(row.get(1)?), events: counts });
    }
    Ok(tallies)
}

pub(crate) fn follower(db: &Connection, app: &AppId, name: &str) -> Result<CommitNumber, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT f.commit_number FROM app a JOIN follower f ON f.app = a.key WHERE a.id = ? AND f.name = ?",
    )?;
    Ok(CommitNumber(statement.query_row([app.as_str(), name], |row| row.get(0)).optional()?.unwrap_or(0)))
}

pub(crate) fn counts(db: &Connection, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT c.day, c.name, c.amount FROM app a JOIN counter c ON c.app = a.key WHERE a.id = ? AND c.day >= ?",
    )?;
    let rows = statement
        .query_map(params![app.as_str(), from_day], |row| Ok(((row.get(0)?, rows::text(row, 1)?), row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
