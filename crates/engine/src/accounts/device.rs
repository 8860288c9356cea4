//! Devices: signing out, here and elsewhere.

use domain::{AccountChange, Actor, AppId, DeviceId, Revoke, UserId};
use planted::{Bug, planted};

use crate::{Engine, EngineError};

impl Engine {
    /// Signs the actor's device out.
    pub async fn logout(&self, actor: &Actor) -> Result<(), EngineError> {
        self.end_devices(&actor.app, &actor.user, vec![actor.device.clone()]).await
    }

    /// Signs one of the actor's devices out.
    pub async fn revoke_device(&self, actor: &Actor, device: &DeviceId) -> Result<(), EngineError> {
        match self.inner.store.device(&actor.app, device).await? {
            Some(found) if found.user == actor.user => self.end_devices(&actor.app, &actor.user, vec![found.id]).await,
            _ => Err(EngineError::UnknownDevice),
        }
    }

    /// Devices of a user have ended in the store. When this returns, no token of theirs is good on this node and their
    /// sessions are told to end; elsewhere the fan-out sees to it.
    pub(crate) fn devices_ended(&self, app: &AppId, user: &UserId, ended: &Revoke) {
        if planted(Bug::RevokedTokenLives) {
            return;
        }
        self.inner.devices.revoke_of(app, user, ended);
        self.inner.hub.revoke_of(app, user, ended);
    }

    /// Ends devices. When this returns, no token of theirs is good on this node; open sessions end by the fan-out.
    pub(crate) async fn end_devices(
        &self,
        app: &AppId,
        user: &UserId,
        devices: Vec<DeviceId>,
    ) -> Result<(), EngineError> {
        let change = AccountChange::RevokeDevices { user: user.clone(), devices: devices.clone() };
        self.write(app, vec![change]).await?;
        self.end_sessions(app, &devices);
        Ok(())
    }
}
