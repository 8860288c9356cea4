//! Reads of apps, users and devices.

use domain::{App, AppId, CommitNumber, Device, DeviceId, PasswordHash, User, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Fault;
use crate::rows::{self, APP, DEVICE, USER};
use crate::words::fold;

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
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<User>, Fault> {
    let Some(app) = rows::app_key(db, app)? else { return Ok(Vec::new()) };
    let after = after.map_or("", UserId::as_str);
    let first = fold(query);
    if first.is_empty() {
        let sql = format!(
            "SELECT {USER} FROM user_key k JOIN user u ON u.key = k.key WHERE k.app = ? AND k.id > ? ORDER BY k.id LIMIT ?"
        );
        let mut statement = db.prepare_cached(&sql)?;
        return Ok(statement.query_map(params![app, after, limit], rows::user)?.collect::<Result<_, _>>()?);
    }
    // No character is larger than this one, so the range holds every word that begins with the query.
    let last = format!("{first}{}", char::MAX);
    let sql = format!(
        "SELECT {USER} FROM (SELECT DISTINCT user FROM user_word WHERE app = ?1 AND word >= ?2 AND word <= ?3) w
         JOIN user u ON u.key = w.user JOIN user_key k ON k.key = w.user
         WHERE k.id > ?4 ORDER BY k.id LIMIT ?5"
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_map(params![app, first, last, after, limit], rows::user)?.collect::<Result<_, _>>()?)
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
