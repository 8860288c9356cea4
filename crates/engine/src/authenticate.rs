//! Authentication: from a token to an actor, and the cache of living devices.

use std::sync::Mutex;

use domain::{Actor, AppId, DeviceId, Revoke, Timestamp, UserId};
use quick_cache::sync::Cache;
use storage::{Store, StoreError};

use crate::{Engine, EngineError};

/// Who a token is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Who an access token is of. The device must not be revoked.
    pub async fn authenticate(&self, token: &str) -> Result<Authenticated, EngineError> {
        let (actor, generation, expires_at) = self.inner.tokens.read_access(token, self.inner.clock.now())?;
        match self.inner.devices.owner(&*self.inner.store, &actor.app, &actor.device).await? {
            Some(user) if user == actor.user => {
                self.inner.devices.saw(&actor.app, &actor.device, generation);
                Ok(Authenticated { actor, expires_at })
            }
            _ => Err(EngineError::TokenRevoked),
        }
    }
}

/// Devices in use.
pub(crate) struct DeviceCache {
    devices: Cache<(AppId, DeviceId), Known>,
    /// The last generation of tokens that a device has shown here.
    generations: Cache<(AppId, DeviceId), u64>,
    /// Revocations seen. What was read before one of them is not remembered, or it might outlive it.
    revocations: Mutex<u64>,
}

/// What is known of a device.
#[derive(Debug, Clone)]
enum Known {
    /// It is good, and of this user.
    Lives(UserId),
    /// It is gone; it was of this user, if that is known.
    Gone(Option<UserId>),
}

impl DeviceCache {
    pub(crate) fn new(devices_max: usize) -> Self {
        Self { devices: Cache::new(devices_max), generations: Cache::new(devices_max), revocations: Mutex::new(0) }
    }

    /// A device has shown a token of this generation, so the answer that gave it has arrived.
    fn saw(&self, app: &AppId, device: &DeviceId, generation: u64) {
        if !self.has_seen(app, device, generation) {
            self.generations.insert((app.clone(), device.clone()), generation);
        }
    }

    /// Whether a device has shown a token of this generation, or of a later one, since this process began.
    pub(crate) fn has_seen(&self, app: &AppId, device: &DeviceId, generation: u64) -> bool {
        self.generations.get(&(app.clone(), device.clone())).is_some_and(|seen| seen >= generation)
    }

    /// The owner of a device that is not revoked.
    pub(crate) async fn owner(
        &self,
        store: &dyn Store,
        app: &AppId,
        device: &DeviceId,
    ) -> Result<Option<UserId>, StoreError> {
        let key = (app.clone(), device.clone());
        match self.devices.get(&key) {
            Some(Known::Lives(owner)) => return Ok(Some(owner)),
            Some(Known::Gone(_)) => return Ok(None),
            None => {}
        }
        let before = *self.lock();
        let owner = store.device(app, device).await?.map(|device| device.user);
        let revocations = self.lock();
        if *revocations == before {
            self.devices.insert(key, owner.clone().map_or(Known::Gone(None), Known::Lives));
        }
        Ok(owner)
    }

    /// From now on this device is gone. Gives its owner, if that is known.
    pub(crate) fn revoke(&self, app: &AppId, device: &DeviceId) -> Option<UserId> {
        let mut revocations = self.lock();
        *revocations += 1;
        let key = (app.clone(), device.clone());
        let owner = match self.devices.get(&key) {
            Some(Known::Lives(owner)) => Some(owner),
            Some(Known::Gone(owner)) => owner,
            None => None,
        };
        self.devices.insert(key, Known::Gone(owner.clone()));
        owner
    }

    /// From now on a user's devices that have ended are gone.
    pub(crate) fn revoke_of(&self, app: &AppId, user: &UserId, ended: &Revoke) {
        let mut revocations = self.lock();
        *revocations += 1;
        let is_meant = |((of, device), known): &((AppId, DeviceId), Known)| {
            of == app && ended.ends(device) && matches!(known, Known::Lives(owner) if owner == user)
        };
        let gone: Vec<_> = self.devices.iter().filter(is_meant).map(|(key, _)| key).collect();
        for key in gone {
            self.devices.insert(key, Known::Gone(Some(user.clone())));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.revocations.lock().expect("no holder of this lock panics")
    }
}
