//! The store in memory: the model that says what a backend must do.
//!
//! It is meant to be obviously right, not fast: plain maps behind one lock, every read a walk over them. The conformance
//! suite holds it against every backend, and tests of the layers above use it where durability is no matter.
//!
//! What it decides where the port leaves room:
//!
//! * Each unit is a commit of its own. A unit that writes nothing a reader could see (empty changes, cursors that don't
//!   move, a follower's step) takes no number: its receipt has the last commit.
//! * The client id stands on the first event of its command, the one the receipt names.
//! * Reactions of equal count stand in the order of their keys.

mod accounts;
mod rooms;
mod tenant;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Edit, Entry, PasswordHash, RoomId, Seq, SeqRange, Target,
    User, UserId,
};
use smol_str::SmolStr;
use tokio::sync::mpsc;

use self::tenant::Tenant;
use crate::{
    Changed, Commit, FEED_COMMITS_MAX, FoundUsers, JournalEntry, MemberFilter, Membership, Outcome, RoomSnapshot,
    Store, StoreError, Tallies, Unit, UserPlace,
};

/// A store that forgets everything when its last clone is dropped.
#[derive(Debug, Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    epoch: SmolStr,
    tenants: BTreeMap<AppId, Tenant>,
    feed: Feed,
    closed: bool,
}

/// Commits go nowhere until somebody has taken the feed.
#[derive(Debug, Default)]
enum Feed {
    #[default]
    NotTaken,
    Taken(mpsc::Sender<Arc<Commit>>),
    Closed,
}

impl Memory {
    /// A store with this app, at commit 0.
    pub fn new(app: App) -> Self {
        let tenants = BTreeMap::from([(app.id.clone(), Tenant::new(app))]);
        // Each hasher of this kind has keys of its own.
        let epoch = format!("{:016x}", RandomState::new().hash_one(())).into();
        Self { state: Arc::new(Mutex::new(State { epoch, tenants, ..State::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads of an app; one that doesn't exist has nothing.
    fn read<T: Default>(&self, app: &AppId, read: impl FnOnce(&Tenant) -> T) -> T {
        self.lock().tenants.get(app).map(read).unwrap_or_default()
    }

    /// A place in the feed, taken before anything is written so that the lock needs not be held while waiting for it.
    async fn place_in_feed(&self) -> Option<mpsc::OwnedPermit<Arc<Commit>>> {
        let sender = match &self.lock().feed {
            Feed::Taken(sender) => sender.clone(),
            Feed::NotTaken | Feed::Closed => return None,
        };
        // An error means that the reader is gone: nobody is left to be told.
        sender.reserve_owned().await.ok()
    }
}

impl State {
    fn write(&mut self, unit: &Unit) -> Result<(Outcome, Option<Commit>), StoreError> {
        if self.closed {
            return Err(StoreError::Unavailable("it is closed".into()));
        }
        if let Some(tenant) = self.tenants.get_mut(&unit.app) {
            return Ok(tenant.write(unit));
        }
        let Some(mut tenant) = Tenant::of_first_unit(unit) else { return Ok((Outcome::Conflict, None)) };
        let (outcome, commit) = tenant.write(unit);
        if commit.is_some() {
            self.tenants.insert(unit.app.clone(), tenant);
        }
        Ok((outcome, commit))
    }
}

#[async_trait]
impl Store for Memory {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        loop {
            let place = self.place_in_feed().await;
            let mut state = self.lock();
            if place.is_none() && matches!(&state.feed, Feed::Taken(sender) if !sender.is_closed()) {
                // The feed was taken a moment ago, and its reader wants this commit too.
                continue;
            }
            let (outcome, commit) = state.write(&unit)?;
            if let (Some(place), Some(commit)) = (place, commit) {
                place.send(Arc::new(commit));
            }
            return Ok(outcome);
        }
    }

    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError> {
        Ok(self.read(app, |tenant| tenant.windows.get(device)?.recall(client_id, fingerprint)))
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        let mut state = self.lock();
        match state.feed {
            Feed::NotTaken if !state.closed => {
                let (sender, receiver) = mpsc::channel(FEED_COMMITS_MAX);
                state.feed = Feed::Taken(sender);
                Some(receiver)
            }
            Feed::NotTaken | Feed::Taken(_) | Feed::Closed => None,
        }
    }

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        Ok(self.lock().epoch.clone())
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        Ok(self.lock().tenants.values().map(|tenant| tenant.app.clone()).collect())
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        Ok(self.read(app, |tenant| tenant.head))
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.users(ids)))
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.search(query, after, limit)))
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.password(user)))
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.has_admin()))
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.device(id)))
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        Ok(self.read(app, |tenant| tenant.accounts.devices_of(user)))
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        Ok(self.read(app, |tenant| tenant.rooms.get(room).map(|log| log.snapshot(users))))
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        Ok(self.read(app, |tenant| tenant.direct_room(&domain::pair_of(pair[0], pair[1]))))
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        Ok(self
            .read(app, |tenant| tenant.rooms.get(room).map(|log| log.members(which, after, limit)).unwrap_or_default()))
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        Ok(self.read(app, |tenant| (tenant.rooms_of(user, which), tenant.head)))
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        Ok(self.read(app, |tenant| {
            let shares = |other: &&UserId| tenant.rooms.values().any(|log| log.is_joined(user) && log.is_joined(other));
            others.iter().filter(shares).cloned().collect()
        }))
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        Ok(self.read(app, |tenant| tenant.rooms.get(room)?.target(seq, viewer)))
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        Ok(self
            .read(app, |tenant| {
                let log = tenant.rooms.get(room)?;
                Some((log.entries(ranges, viewer), log.head.seq))
            })
            .unwrap_or_default())
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        Ok(self.read(app, |tenant| tenant.rooms.get(room)?.last_edit(target, ranges)))
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        let nothing = Changed { rooms: Vec::new(), commit: CommitNumber(0), more: false };
        Ok(self.read(app, |tenant| Some(tenant.changed_rooms(user, since, limit))).unwrap_or(nothing))
    }

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        Ok(self.read(app, |tenant| tenant.tallies(after)))
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        Ok(self.read(app, |tenant| {
            tenant.journal.iter().filter(|entry| entry.commit > after).take(limit).cloned().collect()
        }))
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        Ok(self.read(app, |tenant| tenant.followers.get(name).copied().unwrap_or_default()))
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        Ok(self.read(app, |tenant| {
            let counts = tenant.counts.iter().filter(|((day, _), _)| *day >= from_day);
            counts.map(|(key, count)| (key.clone(), *count)).collect()
        }))
    }

    async fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.feed = Feed::Closed;
    }
}
