//! What must be known to write a group of units, gathered from the units alone, so that all of it can be read at once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use domain::{AccountChange, AppId, ClientId, DeviceId, EventBody, RoomId, Seq, UserId};
use storage::{RoomWork, Unit, Work};

use crate::key::AppKey;

/// Things of one kind, each once, in the order in which they came.
#[derive(Debug)]
pub(super) struct Each<T> {
    list: Vec<T>,
    known: HashSet<T>,
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self { list: Vec::new(), known: HashSet::new() }
    }
}

impl<T: Copy + Eq + Hash> Each<T> {
    fn add(&mut self, thing: T) {
        if self.known.insert(thing) {
            self.list.push(thing);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn list(&self) -> &[T] {
        &self.list
    }

    /// One column of it.
    pub(super) fn column<C>(&self, of: impl Fn(&T) -> C) -> Vec<C> {
        self.list.iter().map(of).collect()
    }
}

/// A room by its name.
pub(super) type RoomOf<'a> = (AppKey, &'a RoomId);

/// What a group needs.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    /// Apps to lock.
    pub(super) apps: Each<AppKey>,
    /// Rooms with the cursors of those who act in them.
    pub(super) rooms: Each<(RoomOf<'a>, &'a UserId)>,
    /// Rooms of which more than the version is needed.
    pub(super) facts: Each<RoomOf<'a>>,
    /// Members that events are about.
    pub(super) members: Each<(RoomOf<'a>, &'a UserId)>,
    /// Devices that act by client ids.
    pub(super) commands: Each<(AppKey, &'a DeviceId, &'a ClientId)>,
    /// Sets of reactions.
    pub(super) reactions: Each<(RoomOf<'a>, Seq, &'a UserId)>,
    /// Messages that are to be deleted.
    pub(super) redacted: Each<(RoomOf<'a>, Seq)>,
    /// Events whose count of messages is needed.
    pub(super) numbers: Each<(RoomOf<'a>, Seq)>,
    /// Pairs that may have a room.
    pub(super) pairs: Each<(AppKey, &'a UserId, &'a UserId)>,
    /// Users with their passwords.
    pub(super) users: Each<(AppKey, &'a UserId)>,
    /// Devices.
    pub(super) devices: Each<(AppKey, &'a DeviceId)>,
    /// Users whose devices are all needed.
    pub(super) owners: Each<(AppKey, &'a UserId)>,
    /// Followers.
    pub(super) followers: Each<(AppKey, &'static str)>,
    /// Rooms and devices that may come to be.
    pub(super) new_rooms: usize,
    pub(super) new_devices: usize,
}

impl<'a> Needs<'a> {
    /// What these units need. Of apps that don't exist nothing is needed, but by those who make them.
    pub(super) fn of(units: impl Iterator<Item = &'a Unit>, apps: &HashMap<AppId, AppKey>) -> Self {
        let mut needs = Self::default();
        for unit in units {
            let Some(app) = apps.get(&unit.app) else {
                needs.count_new(&unit.work);
                continue;
            };
            needs.apps.add(*app);
            match &unit.work {
                Work::Room(work) => needs.room(*app, work),
                Work::Account(changes) => changes.iter().for_each(|change| needs.account(*app, change)),
                Work::Follower(step) => needs.followers.add((*app, step.name)),
            }
            needs.count_new(&unit.work);
        }
        needs
    }

    /// Counts what may come to be, also in an app that another unit of the group makes.
    fn count_new(&mut self, work: &Work) {
        match work {
            Work::Room(work) => self.new_rooms += usize::from(work.changes.create.is_some()),
            Work::Account(changes) => {
                let is_device = |change: &&AccountChange| matches!(change, AccountChange::CreateDevice { .. });
                self.new_devices += changes.iter().filter(is_device).count();
            }
            Work::Follower(_) => {}
        }
    }

    fn room(&mut self, app: AppKey, work: &'a RoomWork) {
        let (room, actor) = ((app, &work.room), &work.actor);
        self.rooms.add((room, actor));
        if let Some(client_id) = &work.client_id {
            self.commands.add((app, &work.device, client_id));
        }
        let new = work.changes.create.as_ref();
        if let Some([low, high]) = new.and_then(|new| new.pair.as_ref()) {
            self.pairs.add((app, low, high));
        }
        if let Some((target, _)) = &work.changes.expect.reactions {
            self.reactions.add((room, *target, actor));
        }
        if let Some(read) = work.changes.cursors.and_then(|cursors| cursors.read) {
            self.numbers.add((room, read));
        }
        for event in &work.changes.events {
            if event.changes_facts() {
                self.facts.add(room);
            }
            match event {
                EventBody::Member { user, .. } => self.members.add((room, user)),
                EventBody::Redaction { target, .. } => self.redacted.add((room, *target)),
                EventBody::Reaction { target, .. } => self.reactions.add((room, *target, actor)),
                EventBody::Created { .. }
                | EventBody::Settings(_)
                | EventBody::Message { .. }
                | EventBody::Edit { .. } => {}
            }
        }
    }

    fn account(&mut self, app: AppKey, change: &'a AccountChange) {
        match change {
            AccountChange::CreateApp(_) | AccountChange::UpdateApp(_) => {}
            AccountChange::CreateUser { user, .. } => self.users.add((app, &user.id)),
            AccountChange::UpdateUser { user, disabled, .. } => {
                self.users.add((app, user));
                if *disabled == Some(true) {
                    self.owners.add((app, user));
                }
            }
            AccountChange::SetPassword { user, .. } => {
                self.users.add((app, user));
                self.owners.add((app, user));
            }
            AccountChange::CreateDevice { device, .. } => {
                self.users.add((app, &device.user));
                self.owners.add((app, &device.user));
                self.devices.add((app, &device.id));
            }
            AccountChange::RotateRefresh { device, .. } => self.devices.add((app, device)),
            AccountChange::RevokeDevices { devices, .. } => {
                devices.iter().for_each(|device| self.devices.add((app, device)));
            }
        }
    }
}
