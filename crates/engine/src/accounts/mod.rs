//! Accounts: registering, signing in and out, tokens, devices, profiles.

mod device;
mod login;
mod operator;
mod profile;
mod register;
mod setup;

use domain::{AccountChange, Actor, App, AppId, Device, DeviceId, Timestamp, User, UserId};
use smol_str::SmolStr;
use storage::{Outcome, Unit, Work};

pub use login::Login;
pub use operator::{NewUser, Operator};
pub use profile::PasswordChange;
pub use register::Register;
pub use setup::ServerState;
pub(crate) use setup::Setup;

use crate::engine::random_text;
use crate::token::RefreshClaims;
use crate::{Engine, EngineError};

/// Characters of a device id: 80 bits of chance.
const DEVICE_ID_CHARS: usize = 16;

/// A device that has just signed in, or refreshed its tokens.
#[derive(Clone)]
pub struct SignedIn {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: User,
    /// The device.
    pub device: Device,
    /// Good for requests, for a while.
    pub access_token: String,
    /// When it ends.
    pub access_expires_at: Timestamp,
    /// Good for one refresh.
    pub refresh_token: String,
}

impl Engine {
    /// The app of this id; the default app without one.
    pub(crate) async fn app(&self, id: Option<&str>) -> Result<App, EngineError> {
        let id = match id {
            Some(id) => AppId::new(id).map_err(|_| EngineError::UnknownApp)?,
            None => self.inner.options.default_app.clone(),
        };
        let apps = self.inner.store.apps().await?;
        apps.into_iter().find(|app| app.id == id).ok_or(EngineError::UnknownApp)
    }

    pub(crate) async fn user(&self, app: &AppId, id: &UserId) -> Result<Option<User>, EngineError> {
        Ok(self.inner.store.users(app, std::slice::from_ref(id)).await?.pop())
    }

    /// Writes changes of accounts; false if the world is not as they suppose.
    pub(crate) async fn write(&self, app: &AppId, changes: Vec<AccountChange>) -> Result<bool, EngineError> {
        let unit = Unit { app: app.clone(), at: self.inner.clock.now(), work: Work::Account(changes) };
        Ok(matches!(self.inner.store.commit(unit).await?, Outcome::Done(_)))
    }

    fn new_device(&self, user: &UserId, name: Option<&str>) -> Result<Device, EngineError> {
        let now = self.inner.clock.now();
        let id = DeviceId::new(random_text(DEVICE_ID_CHARS)).expect("the alphabet of random text is that of ids");
        let name = checked_name("device_name", name.unwrap_or("device"))?;
        Ok(Device { id, user: user.clone(), name, created_at: now, last_seen_at: now, refresh_generation: 1 })
    }

    fn signed_in(&self, app: &AppId, user: User, device: Device) -> SignedIn {
        let actor = Actor { app: app.clone(), user: user.id.clone(), device: device.id.clone() };
        let (now, lasts_ms) = (self.inner.clock.now(), self.inner.options.access_token_ms);
        let generation = device.refresh_generation;
        let (access_token, access_expires_at) = self.inner.tokens.access(&actor, generation, now, lasts_ms);
        let claims = RefreshClaims { app: app.clone(), device: device.id.clone(), generation };
        let refresh_token = self.inner.tokens.refresh(&claims);
        SignedIn { app: app.clone(), user, device, access_token, access_expires_at, refresh_token }
    }
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedIn({}, {})", self.user.id, self.device.id)
    }
}

fn checked_name(field: &'static str, name: &str) -> Result<SmolStr, EngineError> {
    let problem = "must have 1 to 128 characters and no control characters";
    if domain::is_name(name) { Ok(name.trim().into()) } else { Err(EngineError::Invalid { field, problem }) }
}

fn check_password(field: &'static str, password: &str) -> Result<(), EngineError> {
    let problem = "must have 8 to 256 bytes";
    if domain::is_password(password) { Ok(()) } else { Err(EngineError::Invalid { field, problem }) }
}
