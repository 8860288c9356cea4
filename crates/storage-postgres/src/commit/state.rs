//! What is so in the database, as far as a group needs it, and as the group changes it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use domain::{AppId, ClientId, CommitNumber, Cursors, DeviceId, Head, Member, Room, RoomId, Seq, UserId};
use smol_str::SmolStr;
use storage::{Outcome, Remembered, StoreError, WINDOW_ENTRIES_MAX};

use super::accounts::Accounts;
use crate::key::{AppKey, DeviceKey, RoomKey};

/// A room by its name.
pub(super) type RoomName = (AppKey, RoomId);
/// A member of a room.
pub(super) type MemberName = (RoomKey, UserId);
/// An event.
pub(super) type EventName = (RoomKey, Seq);

/// An app.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppState {
    pub(super) key: AppKey,
    pub(super) head: CommitNumber,
}

/// A room.
#[derive(Debug, Clone)]
pub(super) struct RoomState {
    pub(super) key: RoomKey,
    pub(super) version: u64,
    pub(super) head: Head,
    /// The whole room, if work of this group may change it.
    pub(super) facts: Option<Room>,
    pub(super) created: bool,
    pub(super) facts_moved: bool,
    pub(super) head_moved: bool,
}

/// Somebody's cursors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CursorState {
    pub(super) cursors: Cursors,
    /// They have a row already.
    pub(super) stored: bool,
    /// This group has changed them.
    pub(super) moved: bool,
}

/// A member.
#[derive(Debug, Clone)]
pub(super) struct MemberState {
    pub(super) member: Member,
    pub(super) app: AppKey,
    pub(super) peer: Option<UserId>,
    pub(super) moved: bool,
}

/// A message or an edit of it, as stored.
#[derive(Debug, Clone)]
pub(super) struct StoredText {
    pub(super) seq: Seq,
    pub(super) kind: u8,
    pub(super) body: String,
    pub(super) by: Option<(DeviceKey, ClientId)>,
}

/// An answer that a device got.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) remembered: Remembered,
    pub(super) room: RoomKey,
    /// How many newer ones the device had before this group; for those of the group less than none.
    pub(super) age: i64,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) apps: HashMap<AppId, AppState>,
    pub(super) rooms: HashMap<RoomName, RoomState>,
    pub(super) cursors: HashMap<MemberName, CursorState>,
    pub(super) members: HashMap<MemberName, MemberState>,
    pub(super) reactions: HashMap<(RoomKey, Seq, UserId), BTreeSet<SmolStr>>,
    pub(super) texts: HashMap<EventName, Vec<StoredText>>,
    pub(super) numbers: HashMap<EventName, u64>,
    pub(super) pairs: HashSet<(AppKey, UserId, UserId)>,
    /// Devices that are alive.
    pub(super) devices: HashMap<(AppKey, DeviceId), DeviceKey>,
    pub(super) answers: HashMap<(DeviceKey, ClientId), Answer>,
    /// How many client ids each device has used in this group.
    pub(super) used: HashMap<DeviceKey, i64>,
    pub(super) accounts: Accounts,
    pub(super) followers: HashMap<(AppKey, &'static str), CommitNumber>,
    /// Numbers for what is new.
    pub(super) room_keys: Vec<RoomKey>,
    pub(super) device_keys: Vec<DeviceKey>,
    pub(super) app_keys: Vec<AppKey>,
    /// Rooms with rows that can't be read.
    pub(super) damaged: HashMap<RoomName, Arc<str>>,
    /// Account rows that can't be read.
    pub(super) damaged_accounts: Option<Arc<str>>,
}

impl State {
    /// The answer to a repeat, if it is one.
    pub(super) fn recall(&self, device: DeviceKey, client_id: &ClientId, fingerprint: u64) -> Option<Outcome> {
        let answer = self.answers.get(&(device, client_id.clone()))?;
        let newer = answer.age + self.used.get(&device).copied().unwrap_or(0);
        if newer >= WINDOW_ENTRIES_MAX as i64 {
            return None;
        }
        storage::Window::from_entries([answer.remembered.clone()]).recall(client_id, fingerprint)
    }

    /// Notes an answer of this group.
    pub(super) fn remember(&mut self, device: DeviceKey, room: RoomKey, remembered: Remembered) {
        let used = self.used.entry(device).or_default();
        *used += 1;
        let age = -*used;
        self.answers.insert((device, remembered.client_id.clone()), Answer { remembered, room, age });
    }

    pub(super) fn check_damage(&self, room: &RoomName) -> Result<(), StoreError> {
        match self.damaged.get(room) {
            Some(what) => Err(StoreError::Damaged(Arc::clone(what))),
            None => Ok(()),
        }
    }
}
