//! What the operator of the server may do, who has its machine: no actor, no limits of users.

use std::collections::BTreeMap;

use domain::{AccountChange, App, AppId, AppSettings, Revoke, RoomId, User, UserId, UserKind};
use smol_str::SmolStr;
use storage::{FoundUsers, MemberFilter, Membership, RoomSnapshot};

use super::{SignedIn, check_password, checked_name};
use crate::{Engine, EngineError, Page, UserPlace};

/// The operator's view of an engine.
#[derive(Debug, Clone, Copy)]
pub struct Operator<'a>(&'a Engine);

/// A user to add.
#[derive(Clone)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The password.
    pub password: String,
    /// The name to show; the id without one.
    pub display_name: Option<String>,
    /// Whether an administrator.
    pub admin: bool,
}

impl Engine {
    /// What the operator may do.
    pub fn operator(&self) -> Operator<'_> {
        Operator(self)
    }
}

impl Operator<'_> {
    /// All apps.
    pub async fn apps(&self) -> Result<Vec<App>, EngineError> {
        Ok(self.0.inner.store.apps().await?)
    }

    /// Makes an app.
    pub async fn create_app(&self, id: AppId, settings: AppSettings) -> Result<(), EngineError> {
        let app = App { id: id.clone(), settings, created_at: self.0.inner.clock.now() };
        let problem = "is the id of another app";
        let done = self.0.write(&id, vec![AccountChange::CreateApp(app)]).await?;
        if done { Ok(()) } else { Err(EngineError::Invalid { field: "id", problem }) }
    }

    /// Changes an app's settings.
    pub async fn update_app(&self, id: &AppId, settings: AppSettings) -> Result<(), EngineError> {
        self.known(id).await?;
        let done = self.0.write(id, vec![AccountChange::UpdateApp(settings)]).await?;
        if done { Ok(()) } else { Err(EngineError::UnknownApp) }
    }

    /// Makes a user.
    pub async fn create_user(&self, app: &AppId, new: NewUser) -> Result<User, EngineError> {
        self.known(app).await?;
        check_password("password", &new.password)?;
        let display_name = checked_name("display_name", new.display_name.as_deref().unwrap_or(new.id.as_str()))?;
        let password = Some(self.0.inner.passwords.hash(new.password).await?);
        let created_at = self.0.inner.clock.now();
        let (id, admin) = (new.id, new.admin);
        let user = User { id, kind: UserKind::Person, display_name, admin, disabled: false, created_at };
        let change = AccountChange::CreateUser { user: user.clone(), password };
        if !self.0.write(app, vec![change]).await? {
            return Err(EngineError::UserExists);
        }
        self.close_setup(app, admin);
        Ok(user)
    }

    /// Makes a user who can't sign in by a password.
    pub async fn create_user_without_password(&self, app: &AppId, id: &UserId) -> Result<(), EngineError> {
        self.known(app).await?;
        let (created_at, display_name) = (self.0.inner.clock.now(), id.as_str().into());
        let (kind, admin, disabled) = (UserKind::Person, false, false);
        let user = User { id: id.clone(), kind, display_name, admin, disabled, created_at };
        let done = self.0.write(app, vec![AccountChange::CreateUser { user, password: None }]).await?;
        if done { Ok(()) } else { Err(EngineError::UserExists) }
    }

    /// Signs a user in, without their password.
    pub async fn sign_in(&self, app: &AppId, id: &UserId, device_name: &str) -> Result<SignedIn, EngineError> {
        let user = self.user(app, id).await?.ok_or(domain::Refusal::UnknownUser)?;
        if user.disabled {
            return Err(EngineError::UserDisabled);
        }
        let device = self.0.new_device(id, Some(device_name))?;
        let verified = self.0.inner.store.password(app, id).await?;
        let create = AccountChange::CreateDevice { device: device.clone(), verified };
        if !self.0.write(app, vec![create]).await? {
            return Err(domain::Refusal::UnknownUser.into());
        }
        Ok(self.0.signed_in(app, user, device))
    }

    /// A user.
    pub async fn user(&self, app: &AppId, id: &UserId) -> Result<Option<User>, EngineError> {
        self.0.user(app, id).await
    }

    /// Users by the beginning of id or name, in the order of [`storage::Store::search_users`].
    pub async fn users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<Page<User, UserPlace>, EngineError> {
        self.known(app).await?;
        let FoundUsers { users, next } = self.0.inner.store.search_users(app, query, after, limit).await?;
        Ok(Page { items: users, next })
    }

    /// Sets a password and ends the user's devices.
    pub async fn set_password(&self, app: &AppId, user: &UserId, password: String) -> Result<(), EngineError> {
        check_password("password", &password)?;
        let password = self.0.inner.passwords.hash(password).await?;
        self.change(app, AccountChange::SetPassword { user: user.clone(), password, revoke: Revoke::All }).await?;
        self.0.devices_ended(app, user, &Revoke::All);
        Ok(())
    }

    /// Makes a user an administrator, or no longer one.
    pub async fn set_admin(&self, app: &AppId, user: &UserId, admin: bool) -> Result<(), EngineError> {
        let (user, admin_now) = (user.clone(), Some(admin));
        self.change(app, AccountChange::UpdateUser { user, display_name: None, admin: admin_now, disabled: None })
            .await?;
        self.close_setup(app, admin);
        Ok(())
    }

    /// Closes or reopens an account. Closing ends its devices.
    pub async fn set_disabled(&self, app: &AppId, user: &UserId, disabled: bool) -> Result<(), EngineError> {
        let change =
            AccountChange::UpdateUser { user: user.clone(), display_name: None, admin: None, disabled: Some(disabled) };
        self.change(app, change).await?;
        if disabled {
            self.0.devices_ended(app, user, &Revoke::All);
        }
        Ok(())
    }

    /// A room, as it is.
    pub async fn room(&self, app: &AppId, room: &RoomId) -> Result<Option<RoomSnapshot>, EngineError> {
        Ok(self.0.inner.store.room(app, room, &[]).await?)
    }

    /// Members of a room, by user id.
    pub async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, EngineError> {
        Ok(self.0.inner.store.members(app, room, MemberFilter::Present, after, limit).await?)
    }

    /// The rooms that a user is in or invited to.
    pub async fn rooms_of(&self, app: &AppId, user: &UserId) -> Result<Vec<RoomId>, EngineError> {
        let (rooms, _) = self.0.inner.store.rooms_of(app, user, MemberFilter::Present).await?;
        Ok(rooms)
    }

    /// Counters by day (days since 1970) and name, for today and the days before.
    pub async fn statistics(&self, app: &AppId, days: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, EngineError> {
        self.known(app).await?;
        self.0.counts(app, days).await
    }

    async fn known(&self, app: &AppId) -> Result<(), EngineError> {
        self.0.app(Some(app.as_str())).await.map(|_| ())
    }

    async fn change(&self, app: &AppId, change: AccountChange) -> Result<(), EngineError> {
        self.known(app).await?;
        let done = self.0.write(app, vec![change]).await?;
        if done { Ok(()) } else { Err(domain::Refusal::UnknownUser.into()) }
    }

    fn close_setup(&self, app: &AppId, admin: bool) {
        if admin && *app == self.0.inner.options.default_app {
            self.0.inner.setup.close();
        }
    }
}
