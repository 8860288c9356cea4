//! Accounts as a group changes them: users, passwords, devices. Each unit is all or nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{AccountChange, DEVICES_PER_USER_MAX, Device, DeviceId, PasswordHash, User, UserId};

use crate::key::{AppKey, DeviceKey};

type UserName = (AppKey, UserId);
type DeviceName = (AppKey, DeviceId);

/// What others must hear of.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) revoked: Vec<DeviceId>,
    pub(super) created: Vec<DeviceId>,
    pub(super) users: Vec<UserId>,
}

/// A device and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) key: DeviceKey,
    pub(super) device: Device,
}

/// What was there before a change, to go back.
#[derive(Debug)]
enum Before {
    User(UserName, Option<User>),
    Password(UserName, Option<PasswordHash>),
    Device(DeviceName, Option<Keyed>),
}

/// The accounts that a group touches.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: HashMap<UserName, User>,
    passwords: HashMap<UserName, PasswordHash>,
    devices: HashMap<DeviceName, Keyed>,
    devices_of: BTreeMap<UserName, BTreeSet<DeviceId>>,
    before: Vec<Before>,
    users_changed: BTreeSet<UserName>,
    names_changed: BTreeSet<UserName>,
    passwords_changed: BTreeSet<UserName>,
    devices_changed: BTreeSet<DeviceName>,
    /// The numbers that devices had before the group.
    stored: HashMap<DeviceName, DeviceKey>,
}

impl Accounts {
    pub(super) fn load_user(&mut self, app: AppKey, user: User, password: Option<PasswordHash>) {
        let name = (app, user.id.clone());
        self.passwords.extend(password.map(|password| (name.clone(), password)));
        self.users.insert(name, user);
    }

    pub(super) fn load_device(&mut self, app: AppKey, key: DeviceKey, device: Device) {
        let name = (app, device.id.clone());
        self.stored.insert(name.clone(), key);
        self.devices_of.entry((app, device.user.clone())).or_default().insert(device.id.clone());
        self.devices.insert(name, Keyed { key, device });
    }

    /// The number of a device that is alive.
    pub(super) fn key_of(&self, name: &DeviceName) -> Option<DeviceKey> {
        self.devices.get(name).map(|found| found.key)
    }

    /// From here on [`Accounts::undo`] goes back to here.
    pub(super) fn begin(&mut self) {
        self.before.clear();
    }

    pub(super) fn undo(&mut self) {
        while let Some(before) = self.before.pop() {
            match before {
                Before::User(name, user) => put(&mut self.users, name, user),
                Before::Password(name, password) => put(&mut self.passwords, name, password),
                Before::Device(name, device) => self.put_device(name, device),
            }
        }
    }

    /// Makes a change; false if it doesn't fit. `key` is a number for a new device.
    pub(super) fn apply(
        &mut self,
        app: AppKey,
        change: &AccountChange,
        key: Option<DeviceKey>,
        told: &mut Told,
    ) -> bool {
        match change {
            AccountChange::CreateApp(_) | AccountChange::UpdateApp(_) => false,
            AccountChange::CreateUser { user, password } => {
                let name = (app, user.id.clone());
                if self.users.contains_key(&name) {
                    return false;
                }
                self.names_changed.insert(name.clone());
                if password.is_some() {
                    self.set_password(name.clone(), password.clone());
                }
                self.set_user(name, user.clone());
                told.users.push(user.id.clone());
                true
            }
            AccountChange::UpdateUser { user: id, display_name, admin, disabled } => {
                let name = (app, id.clone());
                let Some(user) = self.users.get(&name) else { return false };
                let user = User {
                    display_name: display_name.clone().unwrap_or_else(|| user.display_name.clone()),
                    admin: admin.unwrap_or(user.admin),
                    disabled: disabled.unwrap_or(user.disabled),
                    ..user.clone()
                };
                if display_name.is_some() {
                    self.names_changed.insert(name.clone());
                }
                self.set_user(name.clone(), user);
                told.users.push(id.clone());
                if *disabled == Some(true) {
                    for device in self.devices_of(&name) {
                        self.revoke(&name, &device, told);
                    }
                }
                true
            }
            AccountChange::SetPassword { user, password, revoke } => {
                let name = (app, user.clone());
                if !self.users.contains_key(&name) {
                    return false;
                }
                self.set_password(name.clone(), Some(password.clone()));
                for device in self.devices_of(&name).into_iter().filter(|device| revoke.ends(device)) {
                    self.revoke(&name, &device, told);
                }
                true
            }
            AccountChange::CreateDevice { device, verified } => {
                let owner = (app, device.user.clone());
                let is_open = self.users.get(&owner).is_some_and(|user| !user.disabled);
                let is_verified = verified.is_none() || verified.as_ref() == self.passwords.get(&owner);
                let name = (app, device.id.clone());
                let Some(key) = key.filter(|_| is_open && is_verified && !self.devices.contains_key(&name)) else {
                    return false;
                };
                self.make_place(&owner, told);
                told.created.push(device.id.clone());
                self.set_device(name, Some(Keyed { key, device: device.clone() }));
                true
            }
            AccountChange::RotateRefresh { device, from, at } => {
                let name = (app, device.clone());
                let found = self.devices.get(&name).filter(|found| found.device.refresh_generation == *from);
                let Some(mut found) = found.cloned() else { return false };
                found.device.refresh_generation += 1;
                found.device.last_seen_at = *at;
                self.set_device(name, Some(found));
                true
            }
            AccountChange::RevokeDevices { user, devices } => {
                for device in devices {
                    self.revoke(&(app, user.clone()), device, told);
                }
                true
            }
        }
    }

    /// If the user has as many devices as can be, the one unused for longest gives way.
    fn make_place(&mut self, owner: &UserName, told: &mut Told) {
        let others = self.devices_of(owner);
        if others.len() < DEVICES_PER_USER_MAX {
            return;
        }
        let last_seen = |id: &DeviceId| self.devices.get(&(owner.0, id.clone())).map(|found| found.device.last_seen_at);
        if let Some(oldest) = others.iter().min_by_key(|id| (last_seen(id), (*id).clone())).cloned() {
            self.revoke(owner, &oldest, told);
        }
    }

    fn revoke(&mut self, owner: &UserName, id: &DeviceId, told: &mut Told) {
        let name = (owner.0, id.clone());
        if self.devices.get(&name).is_some_and(|found| found.device.user == owner.1) {
            self.set_device(name, None);
            told.revoked.push(id.clone());
        }
    }

    fn devices_of(&self, owner: &UserName) -> Vec<DeviceId> {
        self.devices_of.get(owner).into_iter().flatten().cloned().collect()
    }

    fn set_user(&mut self, name: UserName, user: User) {
        self.users_changed.insert(name.clone());
        let before = self.users.insert(name.clone(), user);
        self.before.push(Before::User(name, before));
    }

    fn set_password(&mut self, name: UserName, password: Option<PasswordHash>) {
        self.passwords_changed.insert(name.clone());
        let before = self.passwords.get(&name).cloned();
        put(&mut self.passwords, name.clone(), password);
        self.before.push(Before::Password(name, before));
    }

    fn set_device(&mut self, name: DeviceName, device: Option<Keyed>) {
        self.devices_changed.insert(name.clone());
        self.before.push(Before::Device(name.clone(), self.devices.get(&name).cloned()));
        self.put_device(name, device);
    }

    fn put_device(&mut self, name: DeviceName, device: Option<Keyed>) {
        if let Some(old) = self.devices.remove(&name)
            && let Some(devices) = self.devices_of.get_mut(&(name.0, old.device.user))
        {
            devices.remove(&name.1);
        }
        if let Some(new) = device {
            self.devices_of.entry((name.0, new.device.user.clone())).or_default().insert(name.1.clone());
            self.devices.insert(name, new);
        }
    }

    /// What is to be written.
    pub(super) fn written(&self) -> Written<'_> {
        let mut written = Written::default();
        for name in &self.users_changed {
            // A user of a unit that came to nothing may be none.
            if let Some(user) = self.users.get(name) {
                written.users.push((name.0, user));
                if self.names_changed.contains(name) {
                    written.names.push((name.0, user));
                }
            }
        }
        for name in &self.passwords_changed {
            if let Some(password) = self.passwords.get(name) {
                written.passwords.push((name.0, &name.1, password));
            }
        }
        for name in &self.devices_changed {
            let (stored, now) = (self.stored.get(name).copied(), self.devices.get(name));
            let stays = now.is_some_and(|now| Some(now.key) == stored);
            written.ended.extend(stored.filter(|_| !stays));
            if let Some(now) = now {
                let list = if stays { &mut written.rotated } else { &mut written.devices };
                list.push((name.0, now));
            }
        }
        written
    }
}

fn put<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

/// Rows to be written.
#[derive(Debug, Default)]
pub(super) struct Written<'a> {
    pub(super) users: Vec<(AppKey, &'a User)>,
    pub(super) names: Vec<(AppKey, &'a User)>,
    pub(super) passwords: Vec<(AppKey, &'a UserId, &'a PasswordHash)>,
    pub(super) ended: Vec<DeviceKey>,
    pub(super) devices: Vec<(AppKey, &'a Keyed)>,
    pub(super) rotated: Vec<(AppKey, &'a Keyed)>,
}
