//! Sessions: who is connected, and what each of them is told.

use std::collections::HashMap;
use std::future::poll_fn;
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use domain::{Actor, AppId, DeviceId, Revoke, UserId};
use storage::MemberFilter;

use crate::active::{ActiveRooms, Hot};
use crate::outbox::{Delivery, EndReason, Flow, Outbox};
use crate::{Engine, EngineError, PresenceView};

/// A connected device: what happens from now on, in order. Dropped, it is gone.
///
/// A session tells nothing of the past: subscribe first, then [`crate::Sync`], and nothing falls between the two.
pub struct Session {
    engine: Engine,
    state: Arc<SessionState>,
}

#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) number: u64,
    pub(crate) actor: Actor,
    pub(crate) outbox: Outbox,
    pub(crate) watched: Mutex<Vec<UserId>>,
}

/// The sessions of one user.
#[derive(Debug, Default)]
pub(crate) struct UserSessions {
    sessions: Mutex<Vec<Arc<SessionState>>>,
    /// Whether the user has been entered into the active rooms.
    entered: AtomicBool,
}

/// The sessions that watch a user's presence.
type Watchers = HashMap<(AppId, UserId), Vec<Arc<SessionState>>>;

/// All sessions of this node.
pub(crate) struct Hub {
    users: Mutex<HashMap<(AppId, UserId), Arc<UserSessions>>>,
    pub(crate) rooms: ActiveRooms,
    watchers: Mutex<Watchers>,
    numbers: AtomicU64,
    open: AtomicUsize,
}

impl Engine {
    /// Opens a session for the actor.
    pub async fn subscribe(&self, actor: &Actor) -> Result<Session, EngineError> {
        if self.is_draining() {
            return Err(EngineError::Draining);
        }
        let hub = &self.inner.hub;
        let state = Arc::new(SessionState {
            number: hub.numbers.fetch_add(1, Ordering::Relaxed),
            actor: actor.clone(),
            outbox: Outbox::new(self.inner.options.outbox_deliveries_max),
            watched: Mutex::default(),
        });
        let (sessions, first) = hub.add(&state, self.inner.options.sessions_per_user_max);
        // From here on the drop of the session takes it out again, whatever happens.
        let session = Session { engine: self.clone(), state };
        if first {
            self.came(actor).await;
        }
        if !sessions.entered.load(Ordering::Acquire) {
            // Who is only invited is told nothing of what happens there yet.
            let store = &self.inner.store;
            let (rooms, as_of) = store.rooms_of(&actor.app, &actor.user, MemberFilter::Joined).await?;
            // What was committed until here the client learns by its first sync. Of a room that was joined just now some of it
            // is not the user's to see, and the fan-out may still be at it.
            hub.rooms.enter(&actor.app, &actor.user, &sessions, &rooms, as_of);
            sessions.entered.store(true, Ordering::Release);
        }
        // Revoked or drained while it was opening: then the end may have gone past it.
        if self.inner.devices.owner(&*self.inner.store, &actor.app, &actor.device).await?.is_none() {
            return Err(EngineError::TokenRevoked);
        }
        if self.is_draining() {
            return Err(EngineError::Draining);
        }
        Ok(session)
    }
}

impl Session {
    /// Waits for what is next; deliveries are added to `into`. May be dropped and called again, by one caller at a time.
    pub async fn next(&self, into: &mut Vec<Arc<Delivery>>) -> Flow {
        poll_fn(|context| self.poll_next(context, into)).await
    }

    /// [`Session::next`] for who waits for other things as well.
    pub fn poll_next(&self, context: &mut Context<'_>, into: &mut Vec<Arc<Delivery>>) -> Poll<Flow> {
        self.state.outbox.poll_next(context, into)
    }

    /// Watches these users' presence, instead of those before, and says how it is now. Users that the actor shares no
    /// room with are left out.
    pub async fn watch_presence(&self, users: Vec<UserId>) -> Result<Vec<PresenceView>, EngineError> {
        let visible = self.engine.presence_visible(&self.state.actor, users).await?;
        self.engine.inner.hub.watch(&self.state, visible.clone());
        Ok(self.engine.presence_now(&self.state.actor.app, &visible))
    }
}

impl SessionState {
    /// Whose presence the session is told.
    pub(crate) fn watched(&self) -> Vec<UserId> {
        self.watched.lock().expect("no holder of this lock panics").clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.engine.inner.hub.remove(&self.state) {
            self.engine.went(&self.state.actor);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.state.number)
    }
}

impl UserSessions {
    /// Queues a delivery for every session; tells whether there is any.
    pub(crate) fn push(&self, delivery: &Arc<Delivery>) -> bool {
        self.push_all(&iter::once(delivery))
    }

    /// Queues deliveries for every session; tells whether there is any.
    pub(crate) fn push_all<'a>(&self, deliveries: &(impl Iterator<Item = &'a Arc<Delivery>> + Clone)) -> bool {
        let sessions = self.lock();
        for session in sessions.iter() {
            session.outbox.push_all(deliveries.clone());
        }
        !sessions.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<SessionState>>> {
        self.sessions.lock().expect("no holder of this lock panics")
    }
}

impl Hub {
    /// No sessions.
    pub(crate) fn new(hot: Hot) -> Self {
        Self {
            users: Mutex::default(),
            rooms: ActiveRooms::new(hot),
            watchers: Mutex::default(),
            numbers: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// Adds a session; tells whether it is the user's first.
    fn add(&self, state: &Arc<SessionState>, sessions_max: usize) -> (Arc<UserSessions>, bool) {
        let key = (state.actor.app.clone(), state.actor.user.clone());
        let user = {
            let mut users = self.users();
            let user = users.entry(key).or_default().clone();
            user.lock().push(state.clone());
            user
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        let sessions = user.lock();
        let first = sessions.len() == 1;
        let living = sessions.iter().filter(|session| !session.outbox.has_ended());
        if living.clone().count() > sessions_max
            && let Some(oldest) = living.clone().next()
        {
            oldest.outbox.end(Flow::End(EndReason::Replaced));
        }
        drop(sessions);
        (user, first)
    }

    /// Takes a session out; tells whether it was the user's last.
    fn remove(&self, state: &SessionState) -> bool {
        self.watch(state, Vec::new());
        let key = (state.actor.app.clone(), state.actor.user.clone());
        let mut users = self.users();
        let Some(user) = users.get(&key) else { return false };
        let mut sessions = user.lock();
        let before = sessions.len();
        sessions.retain(|session| session.number != state.number);
        if sessions.len() < before {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        let last = sessions.is_empty();
        drop(sessions);
        if last {
            users.remove(&key);
        }
        last
    }

    /// The sessions of a user, if there are any.
    pub(crate) fn of(&self, app: &AppId, user: &UserId) -> Option<Arc<UserSessions>> {
        self.users().get(&(app.clone(), user.clone())).cloned()
    }

    pub(crate) fn is_online(&self, app: &AppId, user: &UserId) -> bool {
        self.of(app, user).is_some()
    }

    /// Ends the sessions of a revoked device; of a known owner, or else of whoever has it.
    pub(crate) fn revoke(&self, app: &AppId, owner: Option<&UserId>, device: &DeviceId) {
        let sessions = match owner {
            Some(owner) => self.of(app, owner).map_or(Vec::new(), |sessions| sessions.lock().clone()),
            None => self.all_sessions(),
        };
        for session in sessions {
            if session.actor.app == *app && session.actor.device == *device {
                session.outbox.end(Flow::End(EndReason::Revoked));
            }
        }
    }

    /// Ends the sessions of a user's devices that have ended.
    pub(crate) fn revoke_of(&self, app: &AppId, user: &UserId, ended: &Revoke) {
        let sessions = self.of(app, user).map(|user| user.lock().clone()).unwrap_or_default();
        for session in sessions.iter().filter(|session| ended.ends(&session.actor.device)) {
            session.outbox.end(Flow::End(EndReason::Revoked));
        }
    }

    pub(crate) fn all_sessions(&self) -> Vec<Arc<SessionState>> {
        self.users().values().flat_map(|user| user.lock().clone()).collect()
    }

    pub(crate) fn sessions_open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn active_rooms(&self) -> usize {
        self.rooms.len()
    }

    pub(crate) fn forget_idle_rooms(&self, idle: std::time::Duration) {
        self.rooms.forget_idle(idle);
    }

    /// Replaces whose presence a session is told.
    fn watch(&self, state: &SessionState, users: Vec<UserId>) {
        let before = {
            let mut watched = state.watched.lock().expect("no holder of this lock panics");
            std::mem::replace(&mut *watched, users.clone())
        };
        if before.is_empty() && users.is_empty() {
            return;
        }
        let own = self.session_of(state);
        let mut watchers = self.watchers.lock().expect("no holder of this lock panics");
        for user in before {
            let key = (state.actor.app.clone(), user);
            if let Some(list) = watchers.get_mut(&key) {
                list.retain(|session| session.number != state.number);
                if list.is_empty() {
                    watchers.remove(&key);
                }
            }
        }
        let Some(own) = own else { return };
        for user in users {
            watchers.entry((state.actor.app.clone(), user)).or_default().push(own.clone());
        }
    }

    fn session_of(&self, state: &SessionState) -> Option<Arc<SessionState>> {
        let user = self.of(&state.actor.app, &state.actor.user)?;
        user.lock().iter().find(|session| session.number == state.number).cloned()
    }

    /// The sessions that watch a user, and the user's own that watch anybody.
    pub(crate) fn watching_or_watched(&self, app: &AppId, user: &UserId) -> Vec<Arc<SessionState>> {
        let mut sessions: Vec<Arc<SessionState>> = match self.of(app, user) {
            Some(own) => own.lock().iter().filter(|session| !session.watched().is_empty()).cloned().collect(),
            None => Vec::new(),
        };
        let watchers = self.watchers.lock().expect("no holder of this lock panics");
        sessions.extend(watchers.get(&(app.clone(), user.clone())).into_iter().flatten().cloned());
        sessions
    }

    /// Takes users off a session's watch list that are not among these.
    pub(crate) fn keep_watching(&self, session: &Arc<SessionState>, visible: &[UserId]) {
        let mut watched = session.watched();
        let before = watched.len();
        watched.retain(|user| visible.contains(user));
        if watched.len() < before {
            self.watch(session, watched);
        }
    }

    /// Tells a delivery to the sessions that watch a user.
    pub(crate) fn tell_watchers(&self, app: &AppId, user: &UserId, delivery: &Arc<Delivery>) {
        let watchers = self.watchers.lock().expect("no holder of this lock panics");
        for session in watchers.get(&(app.clone(), user.clone())).into_iter().flatten() {
            session.outbox.push(delivery);
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<(AppId, UserId), Arc<UserSessions>>> {
        self.users.lock().expect("no holder of this lock panics")
    }
}
