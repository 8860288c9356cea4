//! The store itself: the port on top of the writer and the readers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::{
    App, AppId, ClientId, CommitNumber, Device, DeviceId, Edit, Entry, PasswordHash, RoomId, Seq, SeqRange, Target,
    User, UserId,
};
use smol_str::SmolStr;
use storage::{
    Changed, Commit, FEED_COMMITS_MAX, FoundUsers, JournalEntry, MemberFilter, Membership, Outcome, RoomSnapshot,
    Store, StoreError, Tallies, Unit, UserPlace,
};
use tokio::sync::{mpsc, oneshot};

use crate::backup::make_private;
use crate::connection::{database_path, lock};
use crate::error::OpenError;
use crate::options::Options;
use crate::read::pool::Pool;
use crate::read::{accounts, changed, entries, journal, rooms};
use crate::view::View;
use crate::writer::{Feed, Job, Message, Recall, Writer};

/// Units that may wait for the writer before their senders wait for a place.
const WAITING_UNITS_MAX: usize = 4096;
/// How long a write that failed counts, if none succeeds.
const FAILURE_COUNTS_MS: u64 = 10_000;

/// A store on a SQLite database in a data folder that no other process has open.
#[derive(Debug)]
pub struct SqliteStore {
    folder: PathBuf,
    writer: mpsc::Sender<Message>,
    readers: Pool,
    feed: Arc<Mutex<Feed>>,
    pages_max: Arc<AtomicU32>,
    /// When a write failed, if none has succeeded since.
    failed_at: Mutex<Option<Instant>>,
}

impl SqliteStore {
    /// Opens a data folder, which is created if there is none, and takes it for this process.
    ///
    /// It may take as long as bringing an older database to the newest schema takes.
    pub fn open(folder: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        let folder = folder.as_ref().to_path_buf();
        std::fs::create_dir_all(&folder)?;
        let lock = lock(&folder)?;
        make_private(&database_path(&folder))?;
        let (feed, pages_max) = (Arc::<Mutex<Feed>>::default(), Arc::<AtomicU32>::default());
        let writer = Writer::open(folder.clone(), options.clone(), lock, Arc::clone(&feed), Arc::clone(&pages_max))?;
        let memtable = writer.memtable();
        let readers = Pool::open(database_path(&folder), memtable, options.reader_cache_kib, options.readers)?;
        let (sender, messages) = mpsc::channel(WAITING_UNITS_MAX);
        std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(messages))?;
        Ok(Self { folder, writer: sender, readers, feed, pages_max, failed_at: Mutex::default() })
    }

    /// Limits the size of the database file, in pages of 2 KiB; `None` takes the limit away. What no longer fits is
    /// refused as unavailable, like on a full disk, and reads go on.
    pub fn limit_pages(&self, pages_max: Option<u32>) {
        self.pages_max.store(pages_max.unwrap_or(0), Ordering::Relaxed);
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let message = Message::Unit(Box::new(Job { unit, answer }));
        self.writer.send(message).await.map_err(|_| closed())?;
        let outcome = outcome.await.map_err(|_| closed())?;
        let failed = matches!(outcome, Err(StoreError::Unavailable(_)));
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = failed.then(Instant::now);
        outcome
    }

    async fn recall(
        &self,
        app: &AppId,
        device: &DeviceId,
        client_id: &ClientId,
        fingerprint: u64,
    ) -> Result<Option<Outcome>, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let (app, device, client_id) = (app.clone(), device.clone(), client_id.clone());
        let message = Message::Recall(Box::new(Recall { app, device, client_id, fingerprint, answer }));
        self.writer.send(message).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut feed.taken, true) || self.writer.is_closed() {
            return None;
        }
        let (sender, receiver) = mpsc::channel(FEED_COMMITS_MAX);
        feed.sender = Some(sender);
        Some(receiver)
    }

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        self.readers.read(|view| accounts::epoch(view.db)).await
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.readers.read(|view| accounts::apps(view.db)).await
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        let app = app.clone();
        self.readers.read(move |view| accounts::head(view.db, &app)).await
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let (app, ids) = (app.clone(), ids.to_vec());
        self.readers.read(move |view| accounts::users(view.db, &app, &ids)).await
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        let (app, query, after) = (app.clone(), query.to_owned(), after.cloned());
        self.readers.read(move |view| accounts::search(view.db, &app, &query, after.as_ref(), limit)).await
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.readers.read(move |view| accounts::password(view.db, &app, &user)).await
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        let app = app.clone();
        self.readers.read(move |view| accounts::has_admin(view.db, &app)).await
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        let (app, id) = (app.clone(), id.clone());
        self.readers.read(move |view| accounts::device(view.db, &app, &id)).await
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.readers.read(move |view| accounts::devices(view.db, &app, &user)).await
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        let (app, room) = (app.clone(), room.clone());
        let users: Vec<UserId> = users.iter().map(|user| (*user).clone()).collect();
        self.readers.read(move |view| rooms::snapshot(view, &app, &room, &users)).await
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        let (app, pair) = (app.clone(), pair.map(UserId::clone));
        self.readers.read(move |view| rooms::direct(view.db, &app, [&pair[0], &pair[1]])).await
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let (app, room, after) = (app.clone(), room.clone(), after.cloned());
        self.readers.read(move |view| rooms::members(view, &app, &room, which, after.as_ref(), limit)).await
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        let (app, user) = (app.clone(), user.clone());
        let read =
            move |view: View<'_>| Ok((rooms::rooms_of(view.db, &app, &user, which)?, accounts::head(view.db, &app)?));
        self.readers.read(read).await
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let (app, user, others) = (app.clone(), user.clone(), others.to_vec());
        self.readers.read(move |view| rooms::share_rooms(view.db, &app, &user, &others)).await
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        let (app, room, viewer) = (app.clone(), room.clone(), viewer.clone());
        self.readers.read(move |view| entries::target(view, &app, &room, seq, &viewer)).await
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        let (app, room, ranges, viewer) = (app.clone(), room.clone(), ranges.to_vec(), viewer.cloned());
        self.readers.read(move |view| entries::entries(view, &app, &room, &ranges, viewer.as_ref())).await
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        let (app, room, ranges) = (app.clone(), room.clone(), ranges.to_vec());
        self.readers.read(move |view| entries::last_edit(view.db, &app, &room, target, &ranges)).await
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.readers.read(move |view| changed::changed(view, &app, &user, since, limit)).await
    }

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        let app = app.clone();
        self.readers.read(move |view| journal::tallies(view, &app, after)).await
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        let app = app.clone();
        self.readers.read(move |view| journal::journal(view.db, &app, after, limit)).await
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        let (app, name) = (app.clone(), name.to_owned());
        self.readers.read(move |view| journal::follower(view.db, &app, &name)).await
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        let app = app.clone();
        self.readers.read(move |view| journal::counts(view.db, &app, from_day)).await
    }

    fn is_writable(&self) -> bool {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        failed_at.is_none_or(|at| at.elapsed() > Duration::from_millis(FAILURE_COUNTS_MS))
    }

    async fn close(&self) {
        self.readers.close();
        let (done, closed) = oneshot::channel();
        if self.writer.send(Message::Close(done)).await.is_ok() {
            // An error means that somebody else closed it meanwhile.
            let _ = closed.await;
        }
        self.writer.closed().await;
    }
}
