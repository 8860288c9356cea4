//! A store in memory that can be told to fail, and a clock that can be told to jump.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Edit, Entry, PasswordHash, ROOM_MEMBERS_MAX, RoomId, Seq,
    SeqRange, Target, Timestamp, User, UserId,
};
use engine::{Clock, SystemClock};
use smol_str::SmolStr;
use storage::{
    Changed, Commit, FoundUsers, JournalEntry, MemberFilter, Membership, Memory, Outcome, RoomSnapshot, Store,
    StoreError, Tallies, Unit, UserPlace,
};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};

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

/// What readers pass one by one or together, and where they can be held up.
pub struct Gate {
    shut: watch::Sender<bool>,
    inside: AtomicUsize,
    /// How many were at it together, at most.
    pub most: AtomicUsize,
    /// How many have come to it.
    pub came: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        let shut = watch::Sender::new(false);
        Self { shut, inside: AtomicUsize::new(0), most: AtomicUsize::new(0), came: AtomicUsize::new(0) }
    }
}

impl Gate {
    pub fn shut(&self, shut: bool) {
        self.shut.send_replace(shut);
    }

    async fn pass(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(inside, Ordering::Relaxed);
        self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The store.
pub struct Rigged {
    memory: Memory,
    fault: Mutex<Fault>,
    /// Reads of logs, and of who shares a room.
    pub reads: Gate,
    /// Reads that tell of the server and its health.
    pub small_reads: AtomicUsize,
    /// Readers of users and devices.
    pub readers: Readers,
}

/// Readers that there are.
pub const READERS: u32 = 4;

/// Few, as in a store on a disk; who waits for one is given it in turn.
pub struct Readers {
    pub free: Semaphore,
    /// How many reads have asked for one.
    pub asked: watch::Sender<usize>,
}

impl Readers {
    async fn take(&self) -> SemaphorePermit<'_> {
        let free = self.free.acquire();
        self.asked.send_modify(|asked| *asked += 1);
        free.await.unwrap()
    }
}

impl Rigged {
    pub fn new(app: App) -> Self {
        let memory = Memory::new(app);
        let readers = Readers { free: Semaphore::new(READERS as usize), asked: watch::Sender::new(0) };
        let small_reads = AtomicUsize::new(0);
        Self { memory, fault: Mutex::default(), reads: Gate::default(), small_reads, readers }
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

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        self.memory.epoch().await
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.small_reads.fetch_add(1, Ordering::Relaxed);
        self.memory.apps().await
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        self.small_reads.fetch_add(1, Ordering::Relaxed);
        self.memory.head(app).await
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        assert!(!self.has(Fault::Panics), "a bug with a secret in its message");
        let _reader = self.readers.take().await;
        self.memory.users(app, ids).await
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        self.memory.search_users(app, query, after, limit).await
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.memory.password(app, user).await
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        self.memory.has_admin(app).await
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        let _reader = self.readers.take().await;
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
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.memory.members(app, room, which, after, limit).await
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        self.memory.rooms_of(app, user, which).await
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        self.reads.pass().await;
        self.memory.share_rooms(app, user, others).await
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
        self.reads.pass().await;
        self.memory.entries(app, room, ranges, viewer).await
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        self.memory.last_edit(app, room, target, ranges).await
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

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        self.memory.tallies(app, after).await
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
