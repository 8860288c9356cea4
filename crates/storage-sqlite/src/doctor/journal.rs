//! Checks of the journal: it names exactly the events that each commit wrote.

use std::collections::HashMap;

use domain::CommitNumber;
use rusqlite::Connection;

use super::{Findings, Rule};
use crate::error::Fault;
use crate::key::{AppKey, RoomKey, journal_app, journal_commit};
use crate::packed::{unpack_answers_of_devices, unpack_ranges, unpack_rooms};
use crate::rows;

pub(super) fn check(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let apps = read_pairs(db, "SELECT key, head FROM app")?;
    let app_of: HashMap<i64, i64> = read_pairs(db, "SELECT key, app FROM room")?;
    let mut named: HashMap<AppKey, u64> = HashMap::new();
    let mut last: HashMap<AppKey, CommitNumber> = HashMap::new();
    let mut wrong =
        db.prepare("SELECT count(*), coalesce(sum(commit_number = ?3), 0) FROM log WHERE key BETWEEN ?1 AND ?2")?;
    let mut statement = db.prepare("SELECT key, rooms, touched, answers FROM journal ORDER BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        let (app, commit) = (journal_app(key), journal_commit(key));
        let subject = format!("commit {commit} of app {}", app.0);
        let before = last.insert(app, commit).unwrap_or_default();
        if commit.0 != before.0 + 1 {
            findings.add(Rule::Journal, &subject, format_args!("comes after commit {before}"));
        }
        let blob = |index: usize| Ok::<_, Fault>(row.get_ref(index)?.as_blob().map_err(rows::sqlite)?);
        let (Ok(ranges), Ok(_), Ok(_)) =
            (unpack_ranges(blob(1)?), unpack_rooms(blob(2)?), unpack_answers_of_devices(blob(3)?))
        else {
            findings.add(Rule::Journal, &subject, "can't be read");
            continue;
        };
        for part in ranges {
            let (first, last) = (part.room.event(part.range.first), part.room.event(part.range.last));
            let length = part.range.last.0 - part.range.first.0 + 1;
            let (found, of_commit): (u64, u64) =
                wrong.query_row(rusqlite::params![first, last, commit.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if found != length || of_commit != length || !belongs(&app_of, part.room, app) {
                findings.add(
                    Rule::Journal,
                    &subject,
                    format_args!("names other events than it wrote in room {}", part.room.0),
                );
            }
            *named.entry(app).or_default() += length;
        }
    }
    for (app, head) in apps {
        let app = AppKey(app as u32);
        let reached = last.get(&app).copied().unwrap_or_default();
        if i64::try_from(reached.0).ok() != Some(head) {
            findings.add(
                Rule::Journal,
                format_args!("app {}", app.0),
                format_args!("ends at {reached}, the app at {head}"),
            );
        }
        let sql = "SELECT count(*) FROM room r JOIN log e ON e.key BETWEEN r.key << 32 AND (r.key << 32) | 2147483647 WHERE r.app = ?";
        let events: u64 = db.query_row(sql, [app], |row| row.get(0))?;
        let named = named.get(&app).copied().unwrap_or(0);
        if named != events {
            let problem = format!("{named} events are named, there are {events}");
            findings.add(Rule::Journal, format_args!("app {}", app.0), problem);
        }
    }
    Ok(())
}

fn belongs(app_of: &HashMap<i64, i64>, room: RoomKey, app: AppKey) -> bool {
    app_of.get(&i64::from(room.0)) == Some(&i64::from(app.0))
}

fn read_pairs(db: &Connection, sql: &str) -> Result<HashMap<i64, i64>, Fault> {
    let mut statement = db.prepare(sql)?;
    let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(pairs.collect::<Result<_, _>>()?)
}
