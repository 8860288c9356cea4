//! Presence: who is there. Never stored; short absences are not told.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{Actor, AppId, Timestamp, UserId};
use quick_cache::sync::Cache;

use bus::Notice;

use crate::{Engine, EngineError, PresenceView};

/// Most users whose presence can be asked for at once.
pub const PRESENCE_USERS_MAX: usize = 500;
/// Users whose last time here is remembered.
const LAST_SEEN_USERS_MAX: usize = 100_000;

/// When users went away.
pub(crate) struct LastSeen(Cache<(AppId, UserId), Timestamp>);

impl Default for LastSeen {
    fn default() -> Self {
        Self(Cache::new(LAST_SEEN_USERS_MAX))
    }
}

impl LastSeen {
    pub(crate) fn went(&self, app: &AppId, user: &UserId, at: Timestamp) {
        self.0.insert((app.clone(), user.clone()), at);
    }
}

impl Engine {
    /// A user's first session is open.
    pub(crate) async fn came(&self, actor: &Actor) {
        let (app, user, at) = (actor.app.clone(), actor.user.clone(), self.inner.clock.now());
        self.inner.bus.publish(Notice::Presence { app, user, online: true, at }).await;
    }

    /// A user's last session is gone. If none comes back within the grace time, it is told.
    pub(crate) fn went(&self, actor: &Actor) {
        let (app, user, at) = (actor.app.clone(), actor.user.clone(), self.inner.clock.now());
        self.inner.last_seen.went(&app, &user, at);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let engine = self.clone();
        let grace = Duration::from_millis(self.inner.options.presence_grace_ms);
        runtime.spawn(async move {
            tokio::time::sleep(grace).await;
            if !engine.inner.hub.is_online(&app, &user) {
                engine.inner.bus.publish(Notice::Presence { app, user, online: false, at }).await;
            }
        });
    }

    /// Those of the users whose presence the actor may see: who shares a room with them.
    pub(crate) async fn presence_visible(&self, actor: &Actor, users: Vec<UserId>) -> Result<Vec<UserId>, EngineError> {
        if users.len() > PRESENCE_USERS_MAX {
            return Err(EngineError::Invalid { field: "users", problem: "must have at most 500 users" });
        }
        let mut others = BTreeSet::from_iter(users);
        let own = others.take(&actor.user);
        if others.is_empty() {
            return Ok(own.into_iter().collect());
        }
        let mut visible = self.inner.store.share_rooms(&actor.app, &actor.user, &Vec::from_iter(others)).await?;
        visible.extend(own);
        visible.sort();
        Ok(visible)
    }

    /// Somebody has left a room: who watches them, and whom they watch, may share no room with them any more.
    pub(crate) fn recheck_presence(&self, app: &AppId, user: &UserId) {
        for session in self.inner.hub.watching_or_watched(app, user) {
            let engine = self.clone();
            tokio::spawn(async move {
                let watched = session.watched();
                match engine.presence_visible(&session.actor, watched).await {
                    Ok(visible) => engine.inner.hub.keep_watching(&session, &visible),
                    Err(error) => tracing::warn!(%error, "presence could not be rechecked"),
                }
            });
        }
    }

    /// How it is with these users now.
    pub(crate) fn presence_now(&self, app: &AppId, users: &[UserId]) -> Vec<PresenceView> {
        let view = |user: &UserId| {
            let online = self.inner.hub.is_online(app, user);
            let last_seen = self.inner.last_seen.0.get(&(app.clone(), user.clone()));
            PresenceView { user: user.clone(), online, last_seen_at: last_seen.filter(|_| !online) }
        };
        users.iter().map(view).collect()
    }
}
