//! Reads of the commit journal, the followers and their counters.

use std::collections::{BTreeMap, HashMap};

use domain::{AppId, CommitNumber, RoomId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use smol_str::SmolStr;
use storage::JournalEntry;

use crate::error::Fault;
use crate::key::{RoomKey, journal_commit, journal_key};
use crate::packed::unpack_ranges;
use crate::rows;

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
