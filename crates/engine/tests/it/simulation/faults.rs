//! A disk that outlives crashes, and the store that one run of the engine has on it: slow, forgetful and late at the will
//! of the dice.
//!
//! It keeps the port's contract to the letter: units are written in the order in which they were handed in, an answer is
//! given after the write, and `Unavailable` leaves open whether it was written. Reads may be answered late, so that what
//! they say is old by then, and the feed's reader may be slow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Edit, Entry, PasswordHash, RoomId, Seq, SeqRange, Target,
    User, UserId,
};
use smol_str::SmolStr;
use storage::{
    Changed, Commit, FEED_COMMITS_MAX, FoundUsers, JournalEntry, MemberFilter, Membership, Memory, Outcome,
    RoomSnapshot, Store, StoreError, Tallies, Unit, UserPlace,
};
use tokio::sync::{mpsc, oneshot};

use super::dice::Dice;
use super::ledger::Ledger;

/// Units that are written together at most.
const GROUP_UNITS_MAX: u64 = 6;

/// How the store behaves, in percent of calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) slow_percent: u64,
    pub(super) slow_ms_max: u64,
    pub(super) read_fails_percent: u64,
    /// Also the reads on which live push depends; without them no push may be missing.
    pub(super) members_fail: bool,
    pub(super) write_fails_percent: u64,
    pub(super) answer_lost_percent: u64,
}

/// What was written, by whichever run of the engine.
pub(super) struct Disk {
    pub(super) memory: Memory,
    feed: Mutex<mpsc::Receiver<Arc<Commit>>>,
    ledger: Arc<Ledger>,
    weather: Weather,
    calm: AtomicBool,
    dice: Mutex<Dice>,
    pub(super) faults: AtomicU64,
}

/// The store as one run of the engine has it.
pub(super) struct FaultyStore {
    disk: Arc<Disk>,
    alive: Arc<AtomicBool>,
    queue: mpsc::UnboundedSender<Waiting>,
    feed: Mutex<Option<mpsc::Receiver<Arc<Commit>>>>,
}

struct Waiting {
    unit: Unit,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.into())
}

impl Disk {
    pub(super) fn new(memory: Memory, ledger: Arc<Ledger>, weather: Weather, dice: Dice) -> Arc<Self> {
        let feed = Mutex::new(memory.feed().expect("nobody has taken it"));
        let (dice, calm) = (Mutex::new(dice), AtomicBool::new(true));
        Arc::new(Self { memory, feed, ledger, weather, calm, dice, faults: AtomicU64::new(0) })
    }

    pub(super) fn weather(&self) -> Weather {
        self.weather
    }

    /// Ends or begins the faults.
    pub(super) fn set_calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::Relaxed);
    }

    fn throw(&self, percent: u64) -> bool {
        let hit = !self.calm.load(Ordering::Relaxed) && self.dice.lock().expect("nobody panics").percent(percent);
        self.faults.fetch_add(u64::from(hit), Ordering::Relaxed);
        hit
    }

    /// Lets others go first, for a while or for long.
    async fn pause(&self) {
        let (yields, sleep_ms) = {
            let mut dice = self.dice.lock().expect("nobody panics");
            let slow = !self.calm.load(Ordering::Relaxed) && dice.percent(self.weather.slow_percent);
            let sleep_ms = if slow { dice.between(1, self.weather.slow_ms_max.max(1)) } else { 0 };
            (if dice.percent(30) { dice.between(1, 4) } else { 0 }, sleep_ms)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if sleep_ms > 0 {
            tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
        }
    }

    /// Writes a unit; what the commit was goes into the ledger and to the feed.
    pub(super) async fn write(&self, unit: Unit, feed: Option<&mpsc::UnboundedSender<Arc<Commit>>>) -> Outcome {
        let outcome = self.memory.commit(unit).await.expect("memory does not fail");
        let mut commits = self.feed.lock().expect("nobody panics");
        while let Ok(commit) = commits.try_recv() {
            self.ledger.record(&commit);
            if let Some(feed) = feed {
                // Its reader may be gone with its engine.
                let _ = feed.send(commit);
            }
        }
        outcome
    }
}

impl FaultyStore {
    /// Opens the disk for a new run of the engine.
    pub(super) fn open(disk: &Arc<Disk>) -> Arc<Self> {
        let alive = Arc::new(AtomicBool::new(true));
        let (queue, waiting) = mpsc::unbounded_channel();
        let (written, late) = mpsc::unbounded_channel();
        let (told, feed) = mpsc::channel(FEED_COMMITS_MAX);
        tokio::spawn(write_groups(disk.clone(), alive.clone(), waiting, written));
        tokio::spawn(tell_late(disk.clone(), late, told));
        Arc::new(Self { disk: disk.clone(), alive, queue, feed: Mutex::new(Some(feed)) })
    }

    /// The process is dead: nothing more is written or answered.
    pub(super) fn kill(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    fn check_alive(&self) -> Result<(), StoreError> {
        if self.alive.load(Ordering::Relaxed) { Ok(()) } else { Err(unavailable("the process has ended")) }
    }

    /// Reads something of the disk as it is at one moment, between two pauses.
    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        self.read_failing(true, read).await
    }

    async fn read_failing<T>(
        &self,
        may_fail: bool,
        read: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.check_alive()?;
        self.disk.pause().await;
        if may_fail && self.disk.throw(self.disk.weather.read_fails_percent) {
            return Err(unavailable("a read has failed"));
        }
        let answer = read.await;
        self.disk.pause().await;
        self.check_alive()?;
        answer
    }
}

/// Writes what waits, in order, in groups that fail or succeed together.
async fn write_groups(
    disk: Arc<Disk>,
    alive: Arc<AtomicBool>,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
    feed: mpsc::UnboundedSender<Arc<Commit>>,
) {
    while let Some(first) = waiting.recv().await {
        disk.pause().await;
        let units_max = disk.dice.lock().expect("nobody panics").between(1, GROUP_UNITS_MAX);
        let mut group = vec![first];
        while (group.len() as u64) < units_max
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        let fails = disk.throw(disk.weather.write_fails_percent);
        let lost = disk.throw(disk.weather.answer_lost_percent);
        let mut answers = Vec::new();
        for Waiting { unit, answer } in group {
            if !alive.load(Ordering::Relaxed) {
                return;
            }
            let outcome =
                if fails { Err(unavailable("a write has failed")) } else { Ok(disk.write(unit, Some(&feed)).await) };
            answers.push((outcome, answer));
        }
        disk.pause().await;
        if !alive.load(Ordering::Relaxed) {
            return;
        }
        for (outcome, answer) in answers {
            // Whoever asked may have gone.
            let _ = answer.send(if lost { Err(unavailable("a sync has failed")) } else { outcome });
        }
    }
}

/// Hands commits to the feed, late.
async fn tell_late(disk: Arc<Disk>, mut late: mpsc::UnboundedReceiver<Arc<Commit>>, told: mpsc::Sender<Arc<Commit>>) {
    while let Some(commit) = late.recv().await {
        disk.pause().await;
        if told.send(commit).await.is_err() {
            return;
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        self.check_alive()?;
        let (answer, answered) = oneshot::channel();
        // At the first poll: the order of the queue is the order in which units are written.
        self.queue.send(Waiting { unit, answer }).map_err(|_| unavailable("the process has ended"))?;
        let outcome = answered.await.map_err(|_| unavailable("the process has ended"))?;
        self.disk.pause().await;
        self.check_alive()?;
        outcome
    }

    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError> {
        self.read(self.disk.memory.recall(app, device, client_id, fingerprint)).await
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        self.feed.lock().expect("nobody panics").take()
    }

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        self.read(self.disk.memory.epoch()).await
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.read(self.disk.memory.apps()).await
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        self.read(self.disk.memory.head(app)).await
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        self.read(self.disk.memory.users(app, ids)).await
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        self.read(self.disk.memory.search_users(app, query, after, limit)).await
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.read(self.disk.memory.password(app, user)).await
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        self.read(self.disk.memory.has_admin(app)).await
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        self.read(self.disk.memory.device(app, id)).await
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        self.read(self.disk.memory.devices(app, user)).await
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        self.read(self.disk.memory.room(app, room, users)).await
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        self.read(self.disk.memory.direct_room(app, pair)).await
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let read = self.disk.memory.members(app, room, which, after, limit);
        self.read_failing(self.disk.weather.members_fail, read).await
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        self.read(self.disk.memory.rooms_of(app, user, which)).await
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        self.read(self.disk.memory.share_rooms(app, user, others)).await
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        self.read(self.disk.memory.target(app, room, seq, viewer)).await
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        self.read(self.disk.memory.entries(app, room, ranges, viewer)).await
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        self.read(self.disk.memory.last_edit(app, room, target, ranges)).await
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        // Small answers, so that clients have to come back for more.
        let limit = limit.min(2);
        self.read(self.disk.memory.changed_rooms(app, user, since, limit)).await
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        self.read(self.disk.memory.journal(app, after, limit)).await
    }

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        self.read(self.disk.memory.tallies(app, after)).await
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        self.read(self.disk.memory.follower(app, name)).await
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        self.read(self.disk.memory.counts(app, from_day)).await
    }

    async fn close(&self) {
        self.kill();
    }
}
