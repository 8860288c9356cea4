//! Registering: a new user and their first device, in one commit.

use domain::{AccountChange, AppId, Device, PasswordHash, User, UserId, UserKind};
use smol_str::SmolStr;

use super::{SignedIn, check_password, checked_name};
use crate::{Engine, EngineError};

/// Asks for an account.
#[derive(Clone, Default)]
pub struct Register {
    /// The app; the default app without one.
    pub app: Option<String>,
    /// The id wanted.
    pub id: String,
    /// The password.
    pub password: String,
    /// The name to show; the id without one.
    pub display_name: Option<String>,
    /// What the device list shows.
    pub device_name: Option<String>,
    /// Makes the user an administrator, if it is the server's setup token.
    pub setup_token: Option<String>,
}

impl Engine {
    /// Makes an account and signs its first device in.
    pub async fn register(&self, register: Register) -> Result<SignedIn, EngineError> {
        let app = self.app(register.app.as_deref()).await?;
        let id = UserId::new(&register.id).map_err(|_| EngineError::Invalid {
            field: "id",
            problem: "must be 1 to 64 of a-z, 0-9, '.', '_', '=', '-'",
        })?;
        check_password("password", &register.password)?;
        let display_name = checked_name("display_name", register.display_name.as_deref().unwrap_or(&register.id))?;
        let device = self.new_device(&id, register.device_name.as_deref())?;
        if register.setup_token.is_none() && !app.settings.registration_open {
            return Err(EngineError::RegistrationClosed);
        }
        if self.user(&app.id, &id).await?.is_some() {
            return Err(EngineError::UserExists);
        }
        let password = self.inner.passwords.hash(register.password.clone()).await?;
        match &register.setup_token {
            None => self.add_user(&app.id, id, display_name, password, device, false).await,
            Some(token) => {
                let is_default = app.id == self.inner.options.default_app;
                let taken = if is_default { self.inner.setup.take(token) } else { None };
                let taken = taken.ok_or(EngineError::SetupTokenInvalid)?;
                let added = self.add_user(&app.id, id, display_name, password, device, true).await?;
                taken.used();
                Ok(added)
            }
        }
    }

    async fn add_user(
        &self,
        app: &AppId,
        id: UserId,
        display_name: SmolStr,
        password: PasswordHash,
        device: Device,
        admin: bool,
    ) -> Result<SignedIn, EngineError> {
        let created_at = self.inner.clock.now();
        let user = User { id, kind: UserKind::Person, display_name, admin, disabled: false, created_at };
        let create = AccountChange::CreateUser { user: user.clone(), password: Some(password) };
        let done = self
            .write(app, vec![create, AccountChange::CreateDevice { device: device.clone(), verified: None }])
            .await?;
        if done { Ok(self.signed_in(app, user, device)) } else { Err(EngineError::UserExists) }
    }
}
