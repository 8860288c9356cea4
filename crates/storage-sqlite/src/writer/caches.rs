//! What the writer knows without asking the database: heads, rooms, cursors, and the keys of ids.
//!
//! It is the only writer, so what it has loaded and changed is the truth of the moment, also in the middle of a group
//! whose rows are not written yet. If a group fails, all of this is thrown away.

use std::collections::HashMap;

use domain::{AppId, CommitNumber, Cursors, DeviceId, Head, Room, RoomId, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::cache::Generations;
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey, Slot, UserKey, check_app_key, member_key};
use crate::rows::{self, UserIds};
use crate::view::View;

/// Rooms, with their heads, that are kept (about 400 bytes each).
const ROOMS_MAX: usize = 32_768;
/// Users' cursors in rooms that are kept (about 60 bytes each).
const CURSORS_MAX: usize = 131_072;
/// Ids of users and of devices, each, that are kept (about 60 bytes each).
const IDS_MAX: usize = 65_536;

/// An app as the writer sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppState {
    pub(super) key: AppKey,
    pub(super) head: CommitNumber,
}

/// A room as the writer sees it.
#[derive(Debug)]
pub(super) struct RoomState {
    pub(super) key: RoomKey,
    pub(super) room: Room,
    pub(super) head: Head,
    /// Whether the room's row is behind.
    pub(super) facts_moved: bool,
}

/// A member's cursors as the writer sees them.
#[derive(Debug)]
pub(super) struct CursorState {
    pub(super) slot: Slot,
    pub(super) cursors: Cursors,
    /// Whether the row is behind.
    pub(super) moved: bool,
}

pub(super) type RoomName = (AppKey, RoomId);

#[derive(Debug)]
pub(super) struct Caches {
    pub(super) apps: HashMap<AppId, AppState>,
    pub(super) users: Generations<(AppKey, UserId), UserKey>,
    pub(super) devices: Generations<(AppKey, DeviceId), DeviceKey>,
    /// Those that have not ended.
    living: Generations<DeviceKey, ()>,
    /// In boxes, since a room is taken out while it is worked on.
    pub(super) rooms: Generations<RoomName, Box<RoomState>>,
    pub(super) cursors: Generations<i64, CursorState>,
}

impl Caches {
    pub(super) fn new() -> Self {
        Self {
            apps: HashMap::new(),
            users: Generations::new(IDS_MAX),
            devices: Generations::new(IDS_MAX),
            living: Generations::new(IDS_MAX),
            rooms: Generations::new(ROOMS_MAX),
            cursors: Generations::new(CURSORS_MAX),
        }
    }

    /// Forgets what has not been used for long. Not while a group is being written.
    pub(super) fn tidy(&mut self) {
        self.users.tidy();
        self.devices.tidy();
        self.living.tidy();
        self.rooms.tidy();
        self.cursors.tidy();
    }

    /// Forgets what may have been undone by rolling back a part of a group.
    pub(super) fn forget_accounts(&mut self, app: &AppId) {
        self.users.clear();
        self.devices.clear();
        self.living.clear();
        self.apps.remove(app);
    }

    pub(super) fn app(&mut self, db: &Connection, id: &AppId) -> Result<Option<AppState>, Fault> {
        if let Some(app) = self.apps.get(id) {
            return Ok(Some(*app));
        }
        let mut statement = db.prepare_cached("SELECT key, head FROM app WHERE id = ?")?;
        let load = |row: &rusqlite::Row<'_>| Ok(AppState { key: row.get(0)?, head: CommitNumber(row.get(1)?) });
        let found = statement.query_row([id.as_str()], load).optional()?;
        if let Some(app) = found {
            self.apps.insert(id.clone(), app);
        }
        Ok(found)
    }

    pub(super) fn find_user(&mut self, db: &Connection, app: AppKey, id: &UserId) -> Result<Option<UserKey>, Fault> {
        let name = (app, id.clone());
        if let Some(key) = self.users.get_mut(&name) {
            return Ok(Some(*key));
        }
        let found = rows::user_key(db, app, id)?;
        if let Some(key) = found {
            self.users.insert(name, key);
        }
        Ok(found)
    }

    /// The key of a user id, a new one if it is seen for the first time.
    pub(super) fn user(&mut self, db: &Connection, app: AppKey, id: &UserId) -> Result<UserKey, Fault> {
        if let Some(key) = self.find_user(db, app, id)? {
            return Ok(key);
        }
        let mut statement = db.prepare_cached("INSERT INTO user_key (app, id) VALUES (?, ?) RETURNING key")?;
        let key = statement.query_row(params![app, id.as_str()], |row| row.get(0))?;
        self.users.insert((app, id.clone()), key);
        Ok(key)
    }

    pub(super) fn find_device(
        &mut self,
        db: &Connection,
        app: AppKey,
        id: &DeviceId,
    ) -> Result<Option<DeviceKey>, Fault> {
        let name = (app, id.clone());
        if let Some(key) = self.devices.get_mut(&name) {
            return Ok(Some(*key));
        }
        let mut statement = db.prepare_cached("SELECT key FROM device_key WHERE app = ? AND id = ?")?;
        let found = statement.query_row(params![app, id.as_str()], |row| row.get(0)).optional()?;
        if let Some(key) = found {
            self.devices.insert(name, key);
        }
        Ok(found)
    }

    /// Whether there is such a device, and it has not ended.
    pub(super) fn device_lives(&mut self, db: &Connection, app: AppKey, id: &DeviceId) -> Result<bool, Fault> {
        let Some(key) = self.find_device(db, app, id)? else { return Ok(false) };
        if self.living.get_mut(&key).is_some() {
            return Ok(true);
        }
        let lives = db.prepare_cached("SELECT 1 FROM device WHERE key = ?")?.exists([key])?;
        if lives {
            self.living.insert(key, ());
        }
        Ok(lives)
    }

    pub(super) fn end_device(&mut self, device: DeviceKey) {
        self.living.remove(&device);
    }

    /// The key of a device id, a new one if it is seen for the first time.
    pub(super) fn device(&mut self, db: &Connection, app: AppKey, id: &DeviceId) -> Result<DeviceKey, Fault> {
        if let Some(key) = self.find_device(db, app, id)? {
            return Ok(key);
        }
        let mut statement = db.prepare_cached("INSERT INTO device_key (app, id) VALUES (?, ?) RETURNING key")?;
        let key = statement.query_row(params![app, id.as_str()], |row| row.get(0))?;
        self.devices.insert((app, id.clone()), key);
        Ok(key)
    }

    /// A room that exists.
    pub(super) fn room(&mut self, view: View<'_>, name: &RoomName) -> Result<Option<&mut RoomState>, Fault> {
        if self.rooms.get_mut(name).is_none() {
            let db = view.db;
            let Some(key) = rows::room_key(db, name.0, &name.1)? else { return Ok(None) };
            let room = rows::load_room(db, key, &mut UserIds::default())?;
            let room = room.ok_or(Fault::Damaged("a room is gone"))?;
            let head = view.head(key)?;
            let state = RoomState { key, room, head, facts_moved: false };
            self.rooms.insert(name.clone(), Box::new(state));
        }
        Ok(self.rooms.get_mut(name).map(|room| &mut **room))
    }
}

/// A member's cursors; `None` for who is no member.
pub(super) fn cursors_of<'a>(
    cache: &'a mut Generations<i64, CursorState>,
    view: View<'_>,
    user: UserKey,
    room: RoomKey,
) -> Result<Option<&'a mut CursorState>, Fault> {
    let key = member_key(user, room);
    if cache.get_mut(&key).is_none() {
        let Some((slot, cursors)) = view.cursors(user, room)? else { return Ok(None) };
        cache.insert(key, CursorState { slot, cursors, moved: false });
    }
    Ok(cache.get_mut(&key))
}

/// A new app's state, its row written.
pub(super) fn create_app(db: &Connection, app: &domain::App) -> Result<AppState, Fault> {
    let mut statement = db.prepare_cached(
        "INSERT INTO app (id, name, registration_open, directory_open, created_at, head, windows_commit)
         VALUES (?, ?, ?, ?, ?, 0, 0) RETURNING key",
    )?;
    let settings = &app.settings;
    let values = params![
        app.id.as_str(),
        settings.name.as_str(),
        settings.registration_open,
        settings.directory_open,
        app.created_at.0
    ];
    let key = check_app_key(statement.query_row(values, |row| row.get(0))?)?;
    Ok(AppState { key, head: CommitNumber(0) })
}
