//! The doctor: checks every invariant of the data, by SQLite's own means and by folding every log anew.
//!
//! It reads one moment of the database and changes nothing. What it finds is a list; an empty list means healthy.

mod accounts;
mod journal;
mod pages;
mod reactions;
mod room_log;

use std::fmt;
use std::path::Path;

use domain::EventBody;
use rusqlite::{Connection, ErrorCode};

use crate::connection::{database_path, open_unchecked};
use crate::error::{Fault, OpenError};
use crate::redo::{Record, Records};
use crate::rows;
use crate::schema::{SCHEMA, check_schema};
use crate::store::SqliteStore;
use crate::writer::show_waiting;

/// Page cache of the connection that examines, in KiB.
const CACHE_KIB: u32 = 16 * 1024;
/// Findings after which it stops: whoever has so many needs a backup, not a longer list.
const FINDINGS_MAX: usize = 1000;
/// Lines of SQLite's own check that are told.
const SQLITE_LINES_MAX: u32 = 50;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that doesn't hold.
    pub rule: Rule,
    /// What it is about, as a table and keys, or as ids.
    pub subject: String,
    /// What was found.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule.name(), self.subject, self.problem)
    }
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The file is a sound SQLite database.
    Integrity,
    /// What rows refer to exists.
    References,
    /// Rows can be read as what they stand for.
    Readable,
    /// Seqs of a room are 1, 2, 3 … without a gap.
    SeqsDense,
    /// Each event's number is the count of messages up to it.
    Numbers,
    /// Commits don't decrease in a room, and none is after the app's last.
    Commits,
    /// A room's head is where its log ends.
    Heads,
    /// A room is what its log makes of it.
    Rooms,
    /// Members are what the log makes of them.
    Members,
    /// Cursors stand within the log and count what is up to them.
    Cursors,
    /// The table of edits names exactly the edits of the logs.
    Edits,
    /// Reactions and their counts are what the log makes of them.
    Reactions,
    /// A redacted message has no content, and neither have its edits.
    Redactions,
    /// The journal names exactly the events of each commit.
    Journal,
    /// There is one direct room for each pair, and it is the right one.
    Directs,
    /// Users are found by exactly their words.
    UserWords,
    /// The windows of client ids can be read and tell of answers that exist.
    Windows,
    /// Followers have not come further than the app, and have counted what can be counted.
    Followers,
}

impl Rule {
    /// A name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Integrity => "integrity",
            Rule::References => "references",
            Rule::Readable => "readable",
            Rule::SeqsDense => "seqs-dense",
            Rule::Numbers => "numbers",
            Rule::Commits => "commits",
            Rule::Heads => "heads",
            Rule::Rooms => "rooms",
            Rule::Members => "members",
            Rule::Cursors => "cursors",
            Rule::Edits => "edits",
            Rule::Reactions => "reactions",
            Rule::Redactions => "redactions",
            Rule::Journal => "journal",
            Rule::Directs => "directs",
            Rule::UserWords => "user-words",
            Rule::Windows => "windows",
            Rule::Followers => "followers",
        }
    }
}

impl SqliteStore {
    /// Examines the database while the store serves. This blocks until it is done.
    pub fn doctor(&self) -> Result<Vec<Finding>, OpenError> {
        doctor(self.folder())
    }
}

/// Examines the database of a data folder. This blocks until it is done.
pub fn doctor(folder: &Path) -> Result<Vec<Finding>, OpenError> {
    let database = database_path(folder);
    if !database.is_file() {
        return Err(OpenError::Missing);
    }
    match examine_file(&database) {
        // So damaged that not even the schema can be read.
        Err(OpenError::Sqlite(error)) if is_corrupt(&error) => {
            Ok(vec![Finding { rule: Rule::Integrity, subject: "the file".into(), problem: error.to_string() }])
        }
        result => result,
    }
}

fn examine_file(database: &Path) -> Result<Vec<Finding>, OpenError> {
    let db = open_unchecked(database, CACHE_KIB)?;
    let schema = check_schema(&db)?;
    if schema != SCHEMA {
        return Err(OpenError::Damaged(format!(
            "the database has schema {schema}: open it once to bring it to {SCHEMA}"
        )));
    }
    db.execute_batch("BEGIN")?;
    let findings = examine(&db);
    db.execute_batch("COMMIT")?;
    Ok(findings)
}

type Check = fn(&Connection, &mut Findings) -> Result<(), Fault>;

fn examine(db: &Connection) -> Vec<Finding> {
    let mut findings = Findings::default();
    let checks: [Check; 10] = [
        pages::check,
        check_integrity,
        check_redo,
        check_references,
        accounts::check_readable,
        accounts::check_words,
        accounts::check_followers,
        accounts::check_windows,
        room_log::check,
        journal::check,
    ];
    for check in checks {
        match check(db, &mut findings) {
            Ok(()) => {}
            // A table that can't be read to its end is a finding; the other checks still have something to say.
            Err(Fault::Sqlite(error)) if is_corrupt(&error) => findings.add(Rule::Integrity, "the file", error),
            Err(fault) => findings.add(Rule::Readable, "a table", fault),
        }
        if findings.0.len() >= FINDINGS_MAX {
            break;
        }
    }
    findings.0
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: Rule, subject: impl fmt::Display, problem: impl fmt::Display) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(Finding { rule, subject: subject.to_string(), problem: problem.to_string() });
        }
    }
}

fn check_integrity(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement = db.prepare(&format!("PRAGMA integrity_check({SQLITE_LINES_MAX})"))?;
    let mut lines = statement.query([])?;
    while let Some(line) = lines.next()? {
        let line: String = line.get(0)?;
        if line != "ok" {
            findings.add(Rule::Integrity, "the file", line);
        }
    }
    Ok(())
}

/// What groups have brought can be read, and holds nothing that was redacted. From here on it is seen as if it were in `log`,
/// where it will be.
fn check_redo(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT key, records FROM redo")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // What can't be read is told of below.
        let Ok(records) = Records::of(row.get_ref(1)?.as_blob().map_err(rows::sqlite)?) else { continue };
        for record in records {
            let Ok(Record::Event { room, seq, .. }) = record else { continue };
            if let Ok(Some((_, EventBody::Message { redacted_by: Some(_), .. }))) = rows::load_body(db, room.event(seq))
            {
                let here = format_args!("redo {}", row.get::<_, i64>(0)?);
                findings.add(Rule::Redactions, here, format_args!("has seq {seq} of room {} still", room.0));
            }
        }
    }
    if let Err(fault) = show_waiting(db) {
        findings.add(Rule::Readable, "redo", fault);
    }
    Ok(())
}

/// What the schema declares, and what it leaves undeclared because checking it with every message would cost too much.
fn check_references(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        findings.add(Rule::References, table, format_args!("a row refers to a {parent} that doesn't exist"));
    }
    const UNDECLARED: [(&str, &str); 9] = [
        ("log", "SELECT key FROM log WHERE key >> 32 NOT IN (SELECT key FROM room)"),
        ("log sender", "SELECT key FROM log WHERE sender NOT IN (SELECT key FROM user_key)"),
        ("log device", "SELECT key FROM log WHERE device NOT IN (SELECT key FROM device_key)"),
        (
            "cursors",
            "SELECT key FROM log c WHERE key & (1 << 31) AND NOT EXISTS
          (SELECT 1 FROM member m WHERE m.user = c.sender AND m.room = c.key >> 32 AND m.slot = c.key & 0x7fffffff)",
        ),
        (
            "member",
            "SELECT m.user FROM member m WHERE NOT EXISTS
          (SELECT 1 FROM log c WHERE c.key = (m.room << 32) | (1 << 31) | m.slot AND c.sender = m.user)",
        ),
        ("log kind", "SELECT key FROM log WHERE (kind = 0) <> ((key >> 31) & 1)"),
        ("device_window", "SELECT device FROM device_window WHERE device NOT IN (SELECT key FROM device_key)"),
        ("user", "SELECT u.key FROM user u JOIN user_key k ON k.key = u.key WHERE k.app <> u.app"),
        ("member", "SELECT m.user FROM member m JOIN user_key k ON k.key = m.user WHERE k.id <> m.user_id"),
    ];
    for (table, sql) in UNDECLARED {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(0)?;
            findings.add(Rule::References, format_args!("{table} {key}"), "refers to something that doesn't exist");
        }
    }
    Ok(())
}
