//! Changes of accounts: apps, users, passwords, devices. Each unit is all or nothing.

use domain::{
    AccountChange, App, AppId, AppSettings, DEVICES_PER_USER_MAX, Device, DeviceId, PasswordHash, Timestamp, User,
    UserId,
};
use rusqlite::{Connection, OptionalExtension, params};
use storage::{Outcome, Receipt};

use super::State;
use super::caches::{AppState, create_app};
use super::group::Group;
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, UserKey};
use crate::rows;
use storage::words::words_of;

/// What others must hear of.
#[derive(Debug, Default)]
struct Told {
    revoked: Vec<DeviceId>,
    users: Vec<UserId>,
}

/// Writes all changes in order, or none.
pub(super) fn write(
    state: &mut State,
    group: &mut Group,
    app: &AppId,
    at: Timestamp,
    changes: &[AccountChange],
) -> Result<Outcome, Fault> {
    let exists = state.caches.app(&state.db, app)?.is_some();
    let creates = matches!(changes.first(), Some(AccountChange::CreateApp(new)) if new.id == *app);
    if exists == creates {
        return Ok(Outcome::Conflict);
    }
    if changes.is_empty() {
        let commit = state.caches.app(&state.db, app)?.map(|app| group.reached(app)).unwrap_or_default();
        return Ok(Outcome::Done(Receipt { room: None, seq: domain::Seq(0), commit }));
    }
    state.db.execute_batch("SAVEPOINT account")?;
    let mut told = Told::default();
    let mut fits = true;
    for (index, change) in changes.iter().enumerate() {
        fits = fits && write_change(state, app, index, change, &mut told)?;
    }
    if !fits {
        state.db.execute_batch("ROLLBACK TO account; RELEASE account")?;
        state.caches.forget_accounts(app);
        return Ok(Outcome::Conflict);
    }
    state.db.execute_batch("RELEASE account")?;
    for device in &told.revoked {
        end_window(state, app, device)?;
    }
    let app_state = state.caches.app(&state.db, app)?.ok_or(Fault::Damaged("a changed app is gone"))?;
    let commit = group.commit_of(app, app_state, at);
    commit.written = true;
    commit.revoked.extend(told.revoked);
    for user in told.users {
        if !commit.users.contains(&user) {
            commit.users.push(user);
        }
    }
    Ok(Outcome::Done(Receipt { room: None, seq: domain::Seq(0), commit: commit.number }))
}

/// Writes one change; false if it doesn't fit.
fn write_change(
    state: &mut State,
    app: &AppId,
    index: usize,
    change: &AccountChange,
    told: &mut Told,
) -> Result<bool, Fault> {
    if let AccountChange::CreateApp(new) = change {
        return create_first(state, app, index, new);
    }
    let State { db, caches, .. } = state;
    let Some(AppState { key: app, .. }) = caches.app(db, app)? else { return Ok(false) };
    match change {
        AccountChange::CreateApp(_) => Ok(false),
        AccountChange::UpdateApp(settings) => update_app(db, app, settings),
        AccountChange::CreateUser { user, password } => {
            let key = caches.user(db, app, &user.id)?;
            if exists(db, "SELECT 1 FROM user WHERE key = ?", key)? {
                return Ok(false);
            }
            create_user(db, app, key, user)?;
            if let Some(password) = password {
                set_password(db, key, password)?;
            }
            told.users.push(user.id.clone());
            Ok(true)
        }
        AccountChange::UpdateUser { user, display_name, admin, disabled } => {
            let Some(key) = caches.find_user(db, app, user)? else { return Ok(false) };
            let mut update = db.prepare_cached(
                "UPDATE user SET display_name = coalesce(?2, display_name), admin = coalesce(?3, admin),
                 disabled = coalesce(?4, disabled) WHERE key = ?1",
            )?;
            let name = display_name.as_ref().map(|name| name.as_str());
            if update.execute(params![key, name, admin, disabled])? == 0 {
                return Ok(false);
            }
            if let Some(name) = name {
                write_words(db, app, key, user, name)?;
            }
            if *disabled == Some(true) {
                for device in devices_of(db, key)? {
                    revoke(db, key, &device, told)?;
                }
            }
            told.users.push(user.clone());
            Ok(true)
        }
        AccountChange::SetPassword { user, password, revoke: which } => match caches.find_user(db, app, user)? {
            Some(key) if exists(db, "SELECT 1 FROM user WHERE key = ?", key)? => {
                set_password(db, key, password)?;
                for device in devices_of(db, key)?.iter().filter(|device| which.ends(device)) {
                    revoke(db, key, device, told)?;
                }
                Ok(true)
            }
            Some(_) | None => Ok(false),
        },
        AccountChange::CreateDevice { device, verified } => {
            let Some(user) = caches.find_user(db, app, &device.user)? else { return Ok(false) };
            let key = caches.device(db, app, &device.id)?;
            let stored = if verified.is_some() { password_of(db, user)? } else { None };
            if !exists(db, "SELECT 1 FROM user WHERE key = ? AND disabled = 0", user)?
                || exists(db, "SELECT 1 FROM device WHERE key = ?", key)?
                || verified.as_ref().is_some_and(|verified| stored.as_ref() != Some(verified))
            {
                return Ok(false);
            }
            create_device(db, user, key, device, told)?;
            Ok(true)
        }
        AccountChange::RotateRefresh { device, from, at } => {
            let Some(key) = caches.find_device(db, app, device)? else { return Ok(false) };
            let mut update = db.prepare_cached(
                "UPDATE device SET refresh_generation = refresh_generation + 1, last_seen_at = ?
                 WHERE key = ? AND refresh_generation = ?",
            )?;
            Ok(update.execute(params![at.0, key, from])? == 1)
        }
        AccountChange::RevokeDevices { user, devices } => {
            if let Some(key) = caches.find_user(db, app, user)? {
                for device in devices {
                    revoke(db, key, device, told)?;
                }
            }
            Ok(true)
        }
    }
}

fn exists(db: &Connection, sql: &str, key: impl rusqlite::ToSql) -> Result<bool, Fault> {
    Ok(db.prepare_cached(sql)?.exists([key])?)
}

/// The first change of an app's first unit makes the app.
fn create_first(state: &mut State, app: &AppId, index: usize, new: &App) -> Result<bool, Fault> {
    if index != 0 || new.id != *app {
        return Ok(false);
    }
    let created = create_app(&state.db, new)?;
    state.caches.apps.insert(app.clone(), created);
    Ok(true)
}

fn update_app(db: &Connection, app: AppKey, settings: &AppSettings) -> Result<bool, Fault> {
    let mut update =
        db.prepare_cached("UPDATE app SET name = ?, registration_open = ?, directory_open = ? WHERE key = ?")?;
    let values = params![settings.name.as_str(), settings.registration_open, settings.directory_open, app];
    Ok(update.execute(values)? == 1)
}

fn create_user(db: &Connection, app: AppKey, key: UserKey, user: &User) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO user (key, app, kind, display_name, admin, disabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![
        key,
        app,
        rows::user_kind_name(user.kind),
        user.display_name.as_str(),
        user.admin,
        user.disabled,
        user.created_at.0
    ])?;
    write_words(db, app, key, &user.id, &user.display_name)
}

fn write_words(db: &Connection, app: AppKey, key: UserKey, id: &UserId, name: &str) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM user_word WHERE user = ?")?.execute([key])?;
    let mut insert = db.prepare_cached("INSERT INTO user_word (app, word, user_id, user) VALUES (?, ?, ?, ?)")?;
    for word in words_of(id.as_str(), name) {
        insert.execute(params![app, word, id.as_str(), key])?;
    }
    Ok(())
}

fn set_password(db: &Connection, user: UserKey, password: &PasswordHash) -> Result<(), Fault> {
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO password (user, hash) VALUES (?, ?)")?;
    insert.execute(params![user, password.0.as_str()])?;
    Ok(())
}

fn password_of(db: &Connection, user: UserKey) -> Result<Option<PasswordHash>, Fault> {
    let mut select = db.prepare_cached("SELECT hash FROM password WHERE user = ?")?;
    Ok(select.query_row([user], |row| rows::text(row, 0)).optional()?.map(PasswordHash))
}

/// A new device; if the user has as many as can be, the one unused for longest gives way.
fn create_device(
    db: &Connection,
    user: UserKey,
    key: DeviceKey,
    device: &Device,
    told: &mut Told,
) -> Result<(), Fault> {
    if devices_of(db, user)?.len() >= DEVICES_PER_USER_MAX {
        let mut oldest = db.prepare_cached(
            "SELECT dk.id FROM device d JOIN device_key dk ON dk.key = d.key
             WHERE d.user = ? ORDER BY d.last_seen_at, dk.id LIMIT 1",
        )?;
        if let Some(oldest) = oldest.query_row([user], |row| rows::device_id(row, 0)).optional()? {
            revoke(db, user, &oldest, told)?;
        }
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO device (key, user, name, created_at, last_seen_at, refresh_generation) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![
        key,
        user,
        device.name.as_str(),
        device.created_at.0,
        device.last_seen_at.0,
        device.refresh_generation
    ])?;
    Ok(())
}

fn devices_of(db: &Connection, user: UserKey) -> Result<Vec<DeviceId>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT dk.id FROM device d JOIN device_key dk ON dk.key = d.key WHERE d.user = ? ORDER BY 1",
    )?;
    Ok(statement.query_map([user], |row| rows::device_id(row, 0))?.collect::<Result<_, _>>()?)
}

fn revoke(db: &Connection, user: UserKey, device: &DeviceId, told: &mut Told) -> Result<(), Fault> {
    let mut delete = db.prepare_cached(
        "DELETE FROM device WHERE user = ?1 AND key = (SELECT dk.key FROM device_key dk JOIN user_key k
         ON k.app = dk.app WHERE k.key = ?1 AND dk.id = ?2)",
    )?;
    if delete.execute(params![user, device.as_str()])? == 1 {
        told.revoked.push(device.clone());
    }
    Ok(())
}

/// A device that has ended sends no repeats.
fn end_window(state: &mut State, app: &AppId, device: &DeviceId) -> Result<(), Fault> {
    let State { db, caches, windows, .. } = state;
    if let Some(app) = caches.app(db, app)?
        && let Some(device) = caches.find_device(db, app.key, device)?
    {
        caches.end_device(device);
        windows.forget(db, device)?;
    }
    Ok(())
}
