//! Accounts of one app in memory: users, passwords, devices.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use domain::{AccountChange, DEVICES_PER_USER_MAX, Device, DeviceId, PasswordHash, User, UserId};

use crate::Commit;

#[derive(Debug, Clone, Default)]
pub(super) struct Accounts {
    users: BTreeMap<UserId, User>,
    passwords: BTreeMap<UserId, PasswordHash>,
    devices: BTreeMap<DeviceId, Device>,
}

impl Accounts {
    /// Makes a change and notes in the commit what others must hear of; false if it doesn't fit.
    pub(super) fn apply(&mut self, change: &AccountChange, commit: &mut Commit) -> bool {
        match change {
            AccountChange::CreateApp(_) | AccountChange::UpdateApp(_) => false,
            AccountChange::CreateUser { user, password } => {
                if self.users.contains_key(&user.id) {
                    return false;
                }
                self.users.insert(user.id.clone(), user.clone());
                self.passwords.extend(password.clone().map(|password| (user.id.clone(), password)));
                tell_user(commit, &user.id);
                true
            }
            AccountChange::UpdateUser { user: id, display_name, admin, disabled } => {
                let Some(user) = self.users.get_mut(id) else { return false };
                user.display_name = display_name.clone().unwrap_or_else(|| user.display_name.clone());
                user.admin = admin.unwrap_or(user.admin);
                user.disabled = disabled.unwrap_or(user.disabled);
                tell_user(commit, id);
                if *disabled == Some(true) {
                    let devices: Vec<_> = self.devices_of(id).into_iter().map(|device| device.id).collect();
                    self.revoke(id, &devices, commit);
                }
                true
            }
            AccountChange::SetPassword { user, password } => {
                self.passwords.insert(user.clone(), password.clone());
                self.users.contains_key(user)
            }
            AccountChange::CreateDevice(device) => {
                let is_open = self.users.get(&device.user).is_some_and(|user| !user.disabled);
                if !is_open || self.devices.contains_key(&device.id) {
                    return false;
                }
                let others = self.devices_of(&device.user);
                if others.len() >= DEVICES_PER_USER_MAX
                    && let Some(oldest) = others.iter().min_by_key(|other| (other.last_seen_at, other.id.clone()))
                {
                    self.revoke(&device.user, std::slice::from_ref(&oldest.id), commit);
                }
                self.devices.insert(device.id.clone(), device.clone());
                true
            }
            AccountChange::RotateRefresh { device, from, at } => {
                let Some(device) = self.devices.get_mut(device).filter(|device| device.refresh_generation == *from)
                else {
                    return false;
                };
                device.refresh_generation += 1;
                device.last_seen_at = *at;
                true
            }
            AccountChange::RevokeDevices { user, devices } => {
                self.revoke(user, devices, commit);
                true
            }
        }
    }

    fn revoke(&mut self, user: &UserId, devices: &[DeviceId], commit: &mut Commit) {
        for id in devices {
            if self.devices.get(id).is_some_and(|device| device.user == *user) {
                self.devices.remove(id);
                commit.revoked.push(id.clone());
            }
        }
    }

    pub(super) fn users(&self, ids: &[UserId]) -> Vec<User> {
        self.users.values().filter(|user| ids.contains(&user.id)).cloned().collect()
    }

    pub(super) fn search(&self, query: &str, after: Option<&UserId>, limit: usize) -> Vec<User> {
        let query = query.to_lowercase();
        let is_wanted = |user: &&User| {
            user.id.as_str().starts_with(&query)
                || words_of(&user.display_name).iter().any(|word| word.starts_with(&query))
        };
        let later = self.users.values().filter(|user| after.is_none_or(|after| user.id > *after));
        later.filter(is_wanted).take(limit).cloned().collect()
    }

    pub(super) fn password(&self, user: &UserId) -> Option<PasswordHash> {
        self.passwords.get(user).cloned()
    }

    pub(super) fn has_admin(&self) -> bool {
        self.users.values().any(|user| user.admin && !user.disabled)
    }

    pub(super) fn device(&self, id: &DeviceId) -> Option<Device> {
        self.devices.get(id).cloned()
    }

    pub(super) fn devices_of(&self, user: &UserId) -> Vec<Device> {
        let mut devices: Vec<_> = self.devices.values().filter(|device| device.user == *user).cloned().collect();
        devices.sort_by_key(|device| Reverse((device.created_at, device.id.clone())));
        devices
    }
}

fn tell_user(commit: &mut Commit, user: &UserId) {
    if !commit.users.contains(user) {
        commit.users.push(user.clone());
    }
}

/// The words of a name, folded: what white space divides, again divided by punctuation; and since Chinese, Japanese and
/// Korean are written without spaces, what is left of a word from each of their characters on.
fn words_of(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in name.to_lowercase().split_whitespace() {
        words.push(word.to_owned());
        for part in word.split(|character: char| !character.is_alphanumeric()) {
            words.push(part.to_owned());
            let places = part.char_indices().filter(|(_, character)| is_ideographic(*character));
            words.extend(places.map(|(place, _)| part[place..].to_owned()));
        }
    }
    words
}

fn is_ideographic(character: char) -> bool {
    let kana = '\u{3040}'..='\u{30ff}';
    let han = ['\u{3400}'..='\u{4dbf}', '\u{4e00}'..='\u{9fff}', '\u{f900}'..='\u{faff}', '\u{20000}'..='\u{323af}'];
    let hangul = '\u{ac00}'..='\u{d7af}';
    kana.contains(&character) || hangul.contains(&character) || han.iter().any(|range| range.contains(&character))
}
