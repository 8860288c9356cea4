//! Reads of apps, users and devices.

use domain::{App, AppId, CommitNumber, Device, DeviceId, PasswordHash, User, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use smol_str::SmolStr;
use storage::{FoundUsers, UserPlace};

use crate::error::Fault;
use crate::key::{AppKey, UserKey};
use crate::rows::{self, APP, DEVICE, USER};
use storage::words::fold;

/// Words that are looked at for each user of a page: most users have fewer that begin alike.
const SEARCH_LOOKS_PER_USER: usize = 8;
/// Words that are looked at for a page however small it is.
const SEARCH_LOOKS_MIN: usize = 256;

pub(crate) fn epoch(db: &Connection) -> Result<SmolStr, Fault> {
    Ok(db.prepare_cached("SELECT epoch FROM store")?.query_row([], |row| rows::text(row, 0))?)
}

pub(crate) fn apps(db: &Connection) -> Result<Vec<App>, Fault> {
    let mut statement = db.prepare_cached(&format!("SELECT {APP} FROM app ORDER BY id"))?;
    Ok(statement.query_map([], rows::app)?.collect::<Result<_, _>>()?)
}

pub(crate) fn head(db: &Connection, app: &AppId) -> Result<CommitNumber, Fault> {
    let mut statement = db.prepare_cached("SELECT head FROM app WHERE id = ?")?;
    Ok(CommitNumber(statement.query_row([app.as_str()], |row| row.get(0)).optional()?.unwrap_or(0)))
}

pub(crate) fn users(db: &Connection, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let mut ids: Vec<_> = ids.iter().collect();
    ids.sort();
    ids.dedup();
    let sql = format!("SELECT {USER} FROM user_key k JOIN user u ON u.key = k.key WHERE k.app = ? AND k.id = ?");
    let mut statement = db.prepare_cached(&sql)?;
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        users.extend(statement.query_row(params![app, id.as_str()], rows::user).optional()?);
    }
    Ok(users)
}

pub(crate) fn search(
    db: &Connection,
    app: &AppId,
    query: &str,
    after: Option<&UserPlace>,
    limit: usize,
) -> Result<FoundUsers, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(FoundUsers::default()) };
    let query = fold(query);
    if query.is_empty() { list(db, app, after, limit) } else { search_words(db, app, &query, after, limit) }
}

fn list(db: &Connection, app: AppKey, after: Option<&UserPlace>, limit: usize) -> Result<FoundUsers, Fault> {
    let sql = format!(
        "SELECT {USER} FROM user_key k JOIN user u ON u.key = k.key WHERE k.app = ? AND k.id > ? ORDER BY k.id LIMIT ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let after = after.map_or("", |after| after.user.as_str());
    let users = statement.query_map(params![app, after, limit + 1], rows::user)?.collect::<Result<Vec<User>, _>>()?;
    let places: Vec<_> = users.iter().map(|user| UserPlace { word: "".into(), user: user.id.clone() }).collect();
    Ok(page(users, places, limit))
}

/// Walks along the words, in order. A user with several such words is told at the first of them.
fn search_words(
    db: &Connection,
    app: AppKey,
    query: &str,
    after: Option<&UserPlace>,
    limit: usize,
) -> Result<FoundUsers, Fault> {
    // No character is larger than this one, so the range holds every word that begins with the query.
    let last = format!("{query}{}", char::MAX);
    let from = after.map_or((query, ""), |after| (after.word.as_str(), after.user.as_str())).max((query, ""));
    let mut walk = db.prepare_cached(
        "SELECT word, user_id, user FROM user_word
         WHERE app = ?1 AND (word, user_id) > (?2, ?3) AND word <= ?4 ORDER BY word, user_id",
    )?;
    let mut first_word = db.prepare_cached("SELECT min(word) FROM user_word WHERE user = ? AND word >= ?")?;
    let mut load =
        db.prepare_cached(&format!("SELECT {USER} FROM user_key k JOIN user u ON u.key = k.key WHERE k.key = ?"))?;
    let (mut users, mut places) = (Vec::new(), Vec::new());
    let looks_max = limit.saturating_mul(SEARCH_LOOKS_PER_USER).max(SEARCH_LOOKS_MIN);
    let mut words = walk.query(params![app, from.0, from.1, last])?;
    let mut looks = 0;
    while let Some(row) = words.next()? {
        let (word, user): (_, UserKey) = (rows::text(row, 0)?, row.get(2)?);
        looks += 1;
        if word == first_word.query_row(params![user, query], |row| rows::text(row, 0))? {
            users.push(load.query_row([user], rows::user)?);
            places.push(UserPlace { word, user: rows::user_id(row, 1)? });
            if users.len() > limit {
                break;
            }
        } else if looks >= looks_max {
            return Ok(FoundUsers { users, next: Some(UserPlace { word, user: rows::user_id(row, 1)? }) });
        }
    }
    Ok(page(users, places, limit))
}

/// A page of users of which one more than its size was read, if there is one.
fn page(mut users: Vec<User>, mut places: Vec<UserPlace>, limit: usize) -> FoundUsers {
    let more = users.len() > limit;
    users.truncate(limit);
    places.truncate(limit);
    FoundUsers { users, next: places.pop().filter(|_| more) }
}

pub(crate) fn password(db: &Connection, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT p.hash FROM app a JOIN user_key k ON k.app = a.key JOIN password p ON p.user = k.key
         WHERE a.id = ? AND k.id = ?",
    )?;
    let found = statement.query_row([app.as_str(), user.as_str()], |row| rows::text(row, 0)).optional()?;
    Ok(found.map(PasswordHash))
}

pub(crate) fn has_admin(db: &Connection, app: &AppId) -> Result<bool, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM app a JOIN user u ON u.app = a.key WHERE a.id = ? AND u.admin = 1 AND u.disabled = 0 LIMIT 1",
    )?;
    Ok(statement.exists([app.as_str()])?)
}

pub(crate) fn device(db: &Connection, app: &AppId, id: &DeviceId) -> Result<Option<Device>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(None) };
    let sql = format!(
        "SELECT {DEVICE} FROM device_key dk JOIN device d ON d.key = dk.key JOIN user_key k ON k.key = d.user
         WHERE dk.app = ? AND dk.id = ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row(params![app, id.as_str()], rows::device).optional()?)
}

pub(crate) fn devices(db: &Connection, app: &AppId, user: &UserId) -> Result<Vec<Device>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let Some(user) = rows::user_key(db, app, user)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {DEVICE} FROM device d JOIN device_key dk ON dk.key = d.key JOIN user_key k ON k.key = d.user
         WHERE d.user = ? ORDER BY d.created_at DESC, dk.id DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_map([user], rows::device)?.collect::<Result<_, _>>()?)
}
