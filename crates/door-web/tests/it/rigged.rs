//! A store in memory that can be told to fail, and a clock that can be told to jump.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Entry, PasswordHash, ROOM_MEMBERS_MAX, RoomId, Seq, SeqRange,
    Target, Timestamp, User, UserId,
};
use engine::{Clock, SystemClock};
use smol_str::SmolStr;
use storage::{Changed, Commit, JournalEntry, Membership, Memory, Outcome, RoomSnapshot, Store, StoreError, Unit};
use tokio::sync::mpsc;

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    /// Nothing can be written.
    Unwritable,
    /// Whatever is written, somebody was faster.
    Conflicts,
    /// Looking users up is a bug.
    Panics,
    /// Rooms have as many members as they can have.
    FullRooms,
}

/// The store.
pub struct Rigged {
    memory: Memory,
    fault: Mutex<Fault>,
}

impl Rigged {
    pub fn new(app: App) -> Self {
        Self { memory: Memory::new(app), fault: Mutex::default() }
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn has(&self, fault: Fault) -> bool {
        *self.fault.lock().unwrap() == fault
    }
}

#[async_trait]
impl Store for Rigged {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        if self.has(Fault::Unwritable) {
            return Err(StoreError::Unavailable("the disk is full".into()));
        }
        if self.has(Fault::Conflicts) {
            return Ok(Outcome::Conflict);
        }
        self.memory.commit(unit).await
    }

    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError> {
        self.memory.recall(app, device, client_id, fingerprint).await
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        self.memory.feed()
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.memory.apps().await
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        self.memory.head(app).await
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        assert!(!self.has(Fault::Panics), "a bug with a secret in its message");
        self.memory.users(app, ids).await
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        self.memory.search_users(app, query, after, limit).await
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.memory.password(app, user).await
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        self.memory.has_admin(app).await
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        self.memory.device(app, id).await
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        self.memory.devices(app, user).await
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        let mut snapshot = self.memory.room(app, room, users).await?;
        if let Some(snapshot) = snapshot.as_mut().filter(|_| self.has(Fault::FullRooms)) {
            snapshot.room.joined = ROOM_MEMBERS_MAX;
            // A version of its own, so that facts kept from before are not taken for these.
            snapshot.room.version += 1_000_000;
        }
        Ok(snapshot)
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        self.memory.direct_room(app, pair).await
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.memory.members(app, room, after, limit).await
    }

    async fn rooms_of(&self, app: &AppId, user: &UserId) -> Result<Vec<RoomId>, StoreError> {
        self.memory.rooms_of(app, user).await
    }

    async fn share_room(&self, app: &AppId, users: [&UserId; 2]) -> Result<bool, StoreError> {
        self.memory.share_room(app, users).await
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        self.memory.target(app, room, seq, viewer).await
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        self.memory.entries(app, room, ranges, viewer).await
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        self.memory.changed_rooms(app, user, since, limit).await
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.memory.journal(app, after, limit).await
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        self.memory.follower(app, name).await
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        self.memory.counts(app, from_day).await
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

/// The system's clock, and a jump.
#[derive(Default)]
pub struct JumpClock(AtomicI64);

impl JumpClock {
    pub fn set_ahead(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

impl Clock for JumpClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}
