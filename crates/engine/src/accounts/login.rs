//! Signing in by password, and going on by refresh tokens.

use domain::{AccountChange, UserId};

use super::SignedIn;
use crate::{Engine, EngineError};

/// Asks to sign a device in.
#[derive(Clone, Default)]
pub struct Login {
    /// The app; the default app without one.
    pub app: Option<String>,
    /// The user.
    pub id: String,
    /// The password.
    pub password: String,
    /// What the device list shows.
    pub device_name: Option<String>,
}

impl Engine {
    /// Signs a device in.
    pub async fn login(&self, login: Login) -> Result<SignedIn, EngineError> {
        let app = self.app(login.app.as_deref()).await?.id;
        let id = UserId::new(&login.id).map_err(|_| EngineError::WrongCredentials)?;
        if login.password.len() > domain::PASSWORD_BYTES_MAX {
            return Err(EngineError::WrongCredentials);
        }
        let device = self.new_device(&id, login.device_name.as_deref())?;
        self.inner.rates.password(&app, &id)?;
        let expected = self.inner.store.password(&app, &id).await?;
        if !self.inner.passwords.verify(login.password, expected.clone()).await? {
            return Err(EngineError::WrongCredentials);
        }
        let user = self.user(&app, &id).await?.ok_or(EngineError::WrongCredentials)?;
        if user.disabled {
            return Err(EngineError::UserDisabled);
        }
        // Whoever changes a password signs out who came by the old one, so nobody may come by it afterwards.
        let create = AccountChange::CreateDevice { device: device.clone(), verified: expected };
        if !self.write(&app, vec![create]).await? {
            return Err(EngineError::WrongCredentials);
        }
        Ok(self.signed_in(&app, user, device))
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// Every refresh token works once. The one before the present is still answered for a while, and as long as nobody has
    /// shown an access token that came with the present one: the answer may have got lost on its way, and a laptop may
    /// sleep before it asks again. Any other that turns up again was copied, and ends the device.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn, EngineError> {
        let claims = self.inner.tokens.read_refresh(refresh_token).ok_or(EngineError::Unauthenticated)?;
        let now = self.inner.clock.now();
        loop {
            let device =
                self.inner.store.device(&claims.app, &claims.device).await?.ok_or(EngineError::TokenRevoked)?;
            let user = self.user(&claims.app, &device.user).await?.ok_or(EngineError::TokenRevoked)?;
            if user.disabled {
                return Err(EngineError::UserDisabled);
            }
            let current = device.refresh_generation;
            if claims.generation == current {
                let rotate = AccountChange::RotateRefresh { device: device.id.clone(), from: current, at: now };
                if !self.write(&claims.app, vec![rotate]).await? {
                    continue;
                }
                let mut device = device;
                device.refresh_generation = current + 1;
                device.last_seen_at = now;
                return Ok(self.signed_in(&claims.app, user, device));
            }
            let recent = now.0.saturating_sub(device.last_seen_at.0) <= self.inner.options.refresh_grace_ms;
            let lost = !self.inner.devices.has_seen(&claims.app, &device.id, current);
            if claims.generation.checked_add(1) == Some(current) && (recent || lost) {
                return Ok(self.signed_in(&claims.app, user, device));
            }
            tracing::warn!(app = %claims.app, user = %user.id, device = %device.id, "refresh token reused, device revoked");
            self.end_devices(&claims.app, &user.id, vec![device.id]).await?;
            return Err(EngineError::RefreshReused);
        }
    }
}
