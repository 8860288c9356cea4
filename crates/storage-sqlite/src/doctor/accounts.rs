//! Checks of what belongs to users, devices and followers.

use std::collections::BTreeSet;

use domain::Seq;
use rusqlite::Connection;

use super::{Findings, Rule};
use crate::error::Fault;
use crate::key::DeviceKey;
use crate::packed::unpack_answers;
use crate::read::accounts as read;
use crate::rows;
use storage::words::words_of;

/// Each user has exactly the words of their id and name.
pub(super) fn check_words(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut users =
        db.prepare("SELECT u.key, k.id, u.display_name FROM user u JOIN user_key k ON k.key = u.key ORDER BY u.key")?;
    let mut stored =
        db.prepare("SELECT word FROM user_word WHERE user = ? AND app = (SELECT app FROM user WHERE key = ?1)")?;
    let mut elsewhere = db.prepare(
        "SELECT count(*) FROM user_word WHERE user = ?1
         AND (user_id <> ?2 OR app <> (SELECT app FROM user WHERE key = ?1))",
    )?;
    let mut users = users.query([])?;
    while let Some(row) = users.next()? {
        let (key, id, name): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let words = stored.query_map([key], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
        let strays: i64 = elsewhere.query_row(rusqlite::params![key, id], |row| row.get(0))?;
        if words != words_of(&id, &name) || strays != 0 {
            findings.add(Rule::UserWords, format_args!("user {id}"), "is found by the wrong words");
        }
    }
    Ok(())
}

/// The epoch, apps, users, passwords and devices can be read, as the store reads them.
pub(super) fn check_readable(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    read::epoch(db)?;
    for app in read::apps(db)? {
        read::head(db, &app.id)?;
        let mut users = db.prepare(
            "SELECT k.id FROM user u JOIN user_key k ON k.key = u.key JOIN app a ON a.key = u.app WHERE a.id = ?",
        )?;
        let mut users = users.query([app.id.as_str()])?;
        while let Some(row) = users.next()? {
            let id = rows::user_id(row, 0)?;
            let user = read::users(db, &app.id, std::slice::from_ref(&id)).map(drop);
            let password = read::password(db, &app.id, &id).map(drop);
            let devices = read::devices(db, &app.id, &id).map(drop);
            for fault in [user, password, devices].into_iter().filter_map(Result::err) {
                findings.add(Rule::Readable, format_args!("user {id} of {}", app.id), fault);
            }
        }
    }
    Ok(())
}

/// No follower is ahead of its app, and what they have counted are counts.
pub(super) fn check_followers(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement =
        db.prepare("SELECT a.id, f.name, f.commit_number, a.head FROM follower f JOIN app a ON a.key = f.app")?;
    // Every row is read as the store reads it, whether its numbers are right or not.
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (app, name): (String, String) = (row.get(0)?, row.get(1)?);
        let (reached, head): (i64, i64) = (row.get(2)?, row.get(3)?);
        if !(0..=head).contains(&reached) {
            let problem = format_args!("is at {reached}, the app at {head}");
            findings.add(Rule::Followers, format_args!("{name} of {app}"), problem);
        }
    }
    let mut statement = db.prepare("SELECT app, name, amount >= 0 AND day BETWEEN 0 AND ? FROM counter")?;
    let mut rows = statement.query([u32::MAX])?;
    while let Some(row) = rows.next()? {
        let (app, name, counts): (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if !counts {
            findings.add(Rule::Followers, format_args!("{name} of app {app}"), "is no count of a day");
        }
    }
    Ok(())
}

/// Windows can be read, in order, and tell of rooms and seqs that exist.
pub(super) fn check_windows(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut ahead = db.prepare("SELECT id FROM app WHERE windows_commit > head")?;
    let mut ahead = ahead.query([])?;
    while let Some(row) = ahead.next()? {
        let app: String = row.get(0)?;
        findings.add(
            Rule::Windows,
            format_args!("app {app}"),
            "windows are complete up to a commit that doesn't exist",
        );
    }
    let mut statement = db.prepare("SELECT device, chunk, entries FROM device_window ORDER BY device, chunk")?;
    let mut exists = db.prepare("SELECT 1 FROM log WHERE key = ?")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (device, chunk): (DeviceKey, i64) = (row.get(0)?, row.get(1)?);
        let subject = format!("device {} chunk {chunk}", device.0);
        let Ok(answers) = unpack_answers(row.get_ref(2)?.as_blob().map_err(rows::sqlite)?) else {
            findings.add(Rule::Windows, subject, "can't be read");
            continue;
        };
        for answer in answers {
            if answer.seq > Seq::MAX || !exists.exists([answer.room.event(answer.seq)])? {
                findings.add(Rule::Windows, &subject, format_args!("{} points at no event", answer.client_id));
            }
        }
    }
    Ok(())
}
