//! Accounts of one app in memory: users, passwords, devices.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use domain::{AccountChange, DEVICES_PER_USER_MAX, Device, DeviceId, PasswordHash, User, UserId};

use crate::{Commit, FoundUsers, UserPlace, WORD_SUFFIX_CHARS_MAX};

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
            AccountChange::SetPassword { user, password, revoke } => {
                self.passwords.insert(user.clone(), password.clone());
                let mut devices: Vec<_> = self.devices_of(user).into_iter().map(|device| device.id).collect();
                devices.retain(|device| revoke.ends(device));
                self.revoke(user, &devices, commit);
                self.users.contains_key(user)
            }
            AccountChange::CreateDevice { device, verified } => {
                let is_open = self.users.get(&device.user).is_some_and(|user| !user.disabled);
                let is_verified = verified.is_none() || *verified == self.password(&device.user);
                if !is_open || !is_verified || self.devices.contains_key(&device.id) {
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

    pub(super) fn search(&self, query: &str, after: Option<&UserPlace>, limit: usize) -> FoundUsers {
        let query = query.to_lowercase();
        let place = |user: &User| {
            let id = user.id.as_str().to_owned();
            let words = words_of(&user.display_name).into_iter().chain([id]);
            let word = if query.is_empty() {
                Some(String::new())
            } else {
                words.filter(|word| word.starts_with(&query)).min()
            };
            Some(UserPlace { word: word?.into(), user: user.id.clone() })
        };
        let mut places: Vec<UserPlace> = self.users.values().filter_map(place).collect();
        places.retain(|place| after.is_none_or(|after| place > after));
        places.sort();
        let next = places.get(limit).and_then(|_| places.get(limit.checked_sub(1)?)).cloned();
        let users = places.iter().take(limit).map(|place| self.users[&place.user].clone()).collect();
        FoundUsers { users, next }
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
            words.extend(places.map(|(place, _)| part[place..].chars().take(WORD_SUFFIX_CHARS_MAX).collect()));
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
