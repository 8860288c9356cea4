//! Authentication: from a token to an actor, and the cache of living devices.

use std::sync::Mutex;

use domain::{Actor, AppId, DeviceId, Timestamp, UserId};
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
        let (actor, expires_at) = self.inner.tokens.read_access(token, self.inner.clock.now())?;
        match self.inner.devices.owner(&*self.inner.store, &actor.app, &actor.device).await? {
            Some(user) if user == actor.user => Ok(Authenticated { actor, expires_at }),
            _ => Err(EngineError::TokenRevoked),
        }
    }
}

/// Devices in use: whose they are, or that they are gone.
pub(crate) struct DeviceCache {
    owners: Cache<(AppId, DeviceId), Option<UserId>>,
    /// Revocations seen. What was read before one of them is not remembered, or it might outlive it.
    revocations: Mutex<u64>,
}

impl DeviceCache {
    pub(crate) fn new(devices_max: usize) -> Self {
        Self { owners: Cache::new(devices_max), revocations: Mutex::new(0) }
    }

    /// The owner of a device that is not revoked.
    pub(crate) async fn owner(
        &self,
        store: &dyn Store,
        app: &AppId,
        device: &DeviceId,
    ) -> Result<Option<UserId>, StoreError> {
        let key = (app.clone(), device.clone());
        if let Some(owner) = self.owners.get(&key) {
            return Ok(owner);
        }
        let before = *self.lock();
        let owner = store.device(app, device).await?.map(|device| device.user);
        let revocations = self.lock();
        if *revocations == before {
            self.owners.insert(key, owner.clone());
        }
        Ok(owner)
    }

    /// From now on these devices are gone.
    pub(crate) fn revoke(&self, app: &AppId, devices: &[DeviceId]) {
        let mut revocations = self.lock();
        *revocations += 1;
        for device in devices {
            self.owners.insert((app.clone(), device.clone()), None);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.revocations.lock().expect("no holder of this lock panics")
    }
}
