//! A store whose disk fails now and then, that is closed and that crashes in between, answers as the in-memory model does.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Edit, Entry, PasswordHash, RoomId, Seq, SeqRange, Target,
    User, UserId,
};
use smol_str::SmolStr;
use storage::{
    Changed, Commit, FoundUsers, JournalEntry, MemberFilter, Membership, Outcome, RoomSnapshot, Store, StoreError,
    Tallies, Unit, UserPlace, Work,
};
use storage_sqlite::{Options, SqliteStore, doctor};
use tempfile::TempDir;
use tokio::sync::mpsc;
use wal_buffer::faults::{self, Fault};

use crate::flips::Dice;
use crate::world::crashed;

/// What may wait, another choice whenever the store is opened: from nothing to everything.
const MEMTABLE_BYTES: [usize; 5] = [900, 0, 4_000, 20_000, 16 * 1024 * 1024];
/// One commit in so many is preceded by something bad, on average.
const BAD_EVERY: usize = 10;
/// Earlier units that come again in a group that fails.
const AGAIN_MAX: usize = 6;
/// More commits than one unit makes.
const FEED_MAX: usize = 1024;

struct Unsteady {
    inner: Mutex<Inner>,
    /// Commits are told by it, whichever store they come from.
    teller: mpsc::Sender<Arc<Commit>>,
    listener: Mutex<Option<mpsc::Receiver<Arc<Commit>>>>,
}

struct Inner {
    store: Arc<SqliteStore>,
    folder: TempDir,
    feed: mpsc::Receiver<Arc<Commit>>,
    units: VecDeque<Unit>,
    /// The last commit that was answered with, by app.
    reached: BTreeMap<AppId, CommitNumber>,
    /// Whether an answer was given that the next failure or crash may forget, since nothing was changed.
    quiet: bool,
    /// Whether a crash may leave more than what was answered with.
    unknown: bool,
}

fn open(folder: &Path, memtable_bytes: usize) -> (Arc<SqliteStore>, mpsc::Receiver<Arc<Commit>>) {
    let options = Options { memtable_bytes, ..Options::default() };
    let store = Arc::new(SqliteStore::open(folder, &options).expect("the folder is sound"));
    let feed = store.feed().expect("nobody has taken it");
    (store, feed)
}

async fn make() -> (Arc<dyn Store>, ()) {
    let folder = tempfile::tempdir().expect("there is room");
    let (store, feed) = open(folder.path(), MEMTABLE_BYTES[0]);
    let (teller, listener) = mpsc::channel(FEED_MAX);
    let (units, reached) = (VecDeque::new(), BTreeMap::new());
    let inner = Mutex::new(Inner { store, folder, feed, units, reached, quiet: false, unknown: false });
    (Arc::new(Unsteady { inner, teller, listener: Mutex::new(Some(listener)) }), ())
}

/// What happens depends on the unit alone, so that a history that fails can be made smaller.
fn dice_of(unit: &Unit) -> Dice {
    let mut hasher = DefaultHasher::new();
    format!("{unit:?}").hash(&mut hasher);
    Dice(hasher.finish())
}

/// Whether it may be remembered without changing anything, so that there is nothing that could fail.
fn may_be_quiet(unit: &Unit) -> bool {
    matches!(&unit.work, Work::Room(work) if work.client_id.is_some() && work.changes.events.is_empty())
}

impl Unsteady {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.inner().store)
    }

    /// A group with this unit and earlier ones fails; nothing of it is there afterwards.
    async fn fail(&self, unit: &Unit, dice: &mut Dice) {
        let (store, wal, fault, units) = {
            let Inner { store, folder, units, quiet, unknown, .. } = &mut *self.inner();
            if *quiet {
                return;
            }
            let fault = [Fault::Write, Fault::HalfWrite, Fault::Full, Fault::Sync][dice.roll(4)];
            *unknown |= fault == Fault::Sync;
            let again = dice.roll(AGAIN_MAX + 1);
            let units: Vec<_> =
                units.iter().rev().take(again).chain([unit]).filter(|unit| !may_be_quiet(unit)).cloned().collect();
            let wal = std::fs::canonicalize(folder.path()).expect("it exists").join("starling.db-wal");
            (Arc::clone(store), wal, fault, units)
        };
        let before = store.head(&unit.app).await.expect("it can be read");
        faults::set(&wal, fault);
        let mut writing = tokio::task::JoinSet::new();
        for unit in units {
            let store = Arc::clone(&store);
            writing.spawn(async move { drop(store.commit(unit).await) });
        }
        writing.join_all().await;
        assert_eq!(store.head(&unit.app).await.expect("it can be read"), before, "{fault:?}");
        faults::set(&wal, Fault::None);
    }

    /// Closes the store or leaves it as a crash would, and goes on with what there is then.
    async fn end(&self, crash: bool, dice: &mut Dice) {
        let (store, copy) = {
            let inner = self.inner();
            (Arc::clone(&inner.store), (crash && !inner.quiet && !inner.unknown).then(|| crashed(inner.folder.path())))
        };
        store.close().await;
        let mut inner = self.inner();
        inner.folder = copy.unwrap_or_else(|| std::mem::replace(&mut inner.folder, TempDir::new().expect("room")));
        assert_eq!(doctor(inner.folder.path()).expect("it can be examined"), []);
        (inner.store, inner.feed) = open(inner.folder.path(), MEMTABLE_BYTES[dice.roll(MEMTABLE_BYTES.len())]);
        (inner.quiet, inner.unknown) = (false, false);
    }
}

/// Asks the store of this moment.
macro_rules! ask {
    ($self:ident.$method:ident($($argument:expr),*)) => {{
        let store = $self.store();
        store.$method($($argument),*).await
    }};
}

#[async_trait]
impl Store for Unsteady {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        let mut dice = dice_of(&unit);
        match dice.roll(4 * BAD_EVERY) {
            0 => self.fail(&unit, &mut dice).await,
            1 => self.end(false, &mut dice).await,
            2 => self.end(true, &mut dice).await,
            3 => {
                self.fail(&unit, &mut dice).await;
                self.end(false, &mut dice).await;
            }
            _ => {}
        }
        let outcome = ask!(self.commit(unit.clone()));
        let mut inner = self.inner();
        while let Ok(commit) = inner.feed.try_recv() {
            if self.listener.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                self.teller.try_send(commit).expect("there is room for so few");
            }
        }
        if let Ok(Outcome::Done(receipt)) = &outcome {
            let before = inner.reached.insert(unit.app.clone(), receipt.commit);
            inner.quiet |= may_be_quiet(&unit) && before.is_some_and(|before| before >= receipt.commit);
        }
        inner.units.push_back(unit);
        if inner.units.len() > AGAIN_MAX {
            inner.units.pop_front();
        }
        outcome
    }

    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError> {
        ask!(self.recall(app, device, client_id, fingerprint))
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        ask!(self.epoch())
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        ask!(self.apps())
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        ask!(self.head(app))
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        ask!(self.users(app, ids))
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        ask!(self.search_users(app, query, after, limit))
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        ask!(self.password(app, user))
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        ask!(self.has_admin(app))
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        ask!(self.device(app, id))
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        ask!(self.devices(app, user))
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        ask!(self.room(app, room, users))
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        ask!(self.direct_room(app, pair))
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        ask!(self.members(app, room, which, after, limit))
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        ask!(self.rooms_of(app, user, which))
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        ask!(self.share_rooms(app, user, others))
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        ask!(self.target(app, room, seq, viewer))
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        ask!(self.entries(app, room, ranges, viewer))
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        ask!(self.last_edit(app, room, target, ranges))
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        ask!(self.changed_rooms(app, user, since, limit))
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        ask!(self.journal(app, after, limit))
    }

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        ask!(self.tallies(app, after))
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        ask!(self.follower(app, name))
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        ask!(self.counts(app, from_day))
    }

    async fn close(&self) {
        self.store().close().await;
    }
}

#[test]
fn a_store_on_an_unsteady_disk_does_as_the_model() {
    storage::conformance::model::run(make);
}
