//! The own profile and the own password.

use domain::{AccountChange, Actor, Revoke};

use super::{check_password, checked_name};
use crate::{Engine, EngineError};

/// Asks for another password.
#[derive(Clone)]
pub struct PasswordChange {
    /// The password until now.
    pub current: String,
    /// The password from now on.
    pub new: String,
    /// Whether the actor's other devices are signed out.
    pub revoke_other_devices: bool,
}

impl Engine {
    /// Changes the actor's profile; what is absent stays.
    pub async fn update_profile(&self, actor: &Actor, display_name: Option<String>) -> Result<(), EngineError> {
        let Some(display_name) = display_name else { return Ok(()) };
        let display_name = Some(checked_name("display_name", &display_name)?);
        let user = actor.user.clone();
        let change = AccountChange::UpdateUser { user, display_name, admin: None, disabled: None };
        if self.write(&actor.app, vec![change]).await? { Ok(()) } else { Err(EngineError::TokenRevoked) }
    }

    /// Changes the actor's password, who must know the present one.
    pub async fn change_password(&self, actor: &Actor, change: PasswordChange) -> Result<(), EngineError> {
        check_password("new_password", &change.new)?;
        if change.current.len() > domain::PASSWORD_BYTES_MAX {
            return Err(EngineError::WrongCredentials);
        }
        self.inner.rates.password(&actor.app, &actor.user)?;
        let expected = self.inner.store.password(&actor.app, &actor.user).await?;
        if !self.inner.passwords.verify(change.current, expected).await? {
            return Err(EngineError::WrongCredentials);
        }
        let password = self.inner.passwords.hash(change.new).await?;
        let revoke = if change.revoke_other_devices { Revoke::AllBut(actor.device.clone()) } else { Revoke::None };
        let set = AccountChange::SetPassword { user: actor.user.clone(), password, revoke: revoke.clone() };
        if !self.write(&actor.app, vec![set]).await? {
            return Err(EngineError::TokenRevoked);
        }
        self.devices_ended(&actor.app, &actor.user, &revoke);
        Ok(())
    }
}
