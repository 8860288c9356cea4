//! The store itself: the port on top of the committer and the pools.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

use crate::commit::{Committer, Feed, Job, Message};
use crate::connect::{Connector, Purpose};
use crate::error::OpenError;
use crate::key::RoomKey;
use crate::options::PostgresOptions;
use crate::pool::{Pool, read};
use crate::read::{accounts, changed, entries, journal, rooms};
use crate::schema::{look_where, migrate};
use crate::sweep::{Sweeper, WAITING_MAX};

/// Units that may wait for the committer before their senders wait for a place.
const WAITING_UNITS_MAX: usize = 4096;
/// How long a write that failed counts, if none succeeds.
const FAILURE_COUNTS: Duration = Duration::from_secs(10);
/// Numbers of rooms that are remembered.
const ROOM_KEYS_MAX: usize = 100_000;

/// A store on a PostgreSQL database that other nodes may use too.
pub struct PostgresStore {
    committer: mpsc::Sender<Message>,
    primary: Pool,
    replicas: Vec<Pool>,
    next_replica: AtomicUsize,
    feed: Arc<Mutex<Feed>>,
    /// When a write failed, if none has succeeded since.
    failed_at: Mutex<Option<Instant>>,
    /// The last commit of each app that this node has told anybody.
    told: Mutex<HashMap<AppId, CommitNumber>>,
    /// Numbers of rooms; they never change.
    room_keys: Mutex<HashMap<(AppId, RoomId), RoomKey>>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No URL: it has a password.
        f.debug_struct("PostgresStore").field("replicas", &self.replicas.len()).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens a database, brings it to the newest schema, and begins to work on the present runtime.
    ///
    /// It is refused if the server can't hold what an acknowledgement promises; see [`OpenError`]. Replicas need not be
    /// there yet.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let timeline = Arc::<AtomicU32>::default();
        let connector = |url: &str, purpose: Purpose| Connector::new(url, purpose, &options, Arc::clone(&timeline));
        let writer = connector(&options.url, Purpose::Commit)?;
        let primary = Pool::new(connector(&options.url, Purpose::Read)?, options.read_connections);
        let mut replicas = Vec::with_capacity(options.replica_urls.len());
        for url in &options.replica_urls {
            replicas.push(Pool::new(connector(url, Purpose::ReadReplica)?, options.read_connections));
        }
        let session = writer.connect().await?;
        migrate(&session).await?;
        look_where(&session).await?;
        let feed = Arc::<Mutex<Feed>>::default();
        let (sender, messages) = mpsc::channel(WAITING_UNITS_MAX);
        let (deleted, events) = mpsc::channel(WAITING_MAX);
        let connector = connector(&options.url, Purpose::Sweep)?;
        tokio::spawn(Sweeper { connector, pause: options.sweep_pause, deleted: events }.run());
        let committer = Committer::new(writer, session, Arc::clone(&feed), deleted, options.patience);
        tokio::spawn(committer.run(messages));
        Ok(Self {
            committer: sender,
            primary,
            replicas,
            next_replica: AtomicUsize::new(0),
            feed,
            failed_at: Mutex::default(),
            told: Mutex::default(),
            room_keys: Mutex::default(),
        })
    }

    /// Notes that somebody has been told of a commit that another node has written, so that no replica is asked that
    /// doesn't have it yet.
    pub fn note_commit(&self, app: &AppId, commit: CommitNumber) {
        let mut told = lock(&self.told);
        match told.get_mut(app) {
            Some(known) => *known = commit.max(*known),
            None => drop(told.insert(app.clone(), commit)),
        }
    }

    fn told(&self, app: &AppId) -> CommitNumber {
        lock(&self.told).get(app).copied().unwrap_or_default()
    }

    /// The replica whose turn it is.
    fn replica(&self) -> Option<&Pool> {
        let turn = self.next_replica.fetch_add(1, Ordering::Relaxed);
        self.replicas.get(turn.checked_rem(self.replicas.len())?)
    }

    fn room_key(&self, app: &AppId, room: &RoomId) -> Option<RoomKey> {
        lock(&self.room_keys).get(&(app.clone(), room.clone())).copied()
    }

    fn note_room_key(&self, app: &AppId, room: &RoomId, key: RoomKey) {
        let mut keys = lock(&self.room_keys);
        if keys.len() >= ROOM_KEYS_MAX {
            keys.clear();
        }
        keys.insert((app.clone(), room.clone()), key);
    }

    async fn entries_of(
        &self,
        pool: &Pool,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<entries::Read, StoreError> {
        let known = self.room_key(app, room);
        let mut key = known;
        let read = read!(pool, session => entries::entries(session, (app, room), &mut key, ranges, viewer))?;
        if let (None, Some(key)) = (known, key) {
            self.note_room_key(app, room, key);
        }
        Ok(read)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, unit: Unit) -> Result<Outcome, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let app = unit.app.clone();
        let message = Message::Unit(Box::new(Job { unit, answer }));
        self.committer.send(message).await.map_err(|_| closed())?;
        let outcome = outcome.await.map_err(|_| closed())?;
        let failed = matches!(outcome, Err(StoreError::Unavailable(_)));
        *lock(&self.failed_at) = failed.then(Instant::now);
        if let Ok(Outcome::Done(receipt) | Outcome::Duplicate(receipt)) = &outcome {
            self.note_commit(&app, receipt.commit);
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
        read!(self.primary, session => accounts::recall(session, app, device, client_id, fingerprint))
    }

    fn feed(&self) -> Option<mpsc::Receiver<Arc<Commit>>> {
        let mut feed = lock(&self.feed);
        if std::mem::replace(&mut feed.taken, true) || self.committer.is_closed() {
            return None;
        }
        let (sender, receiver) = mpsc::channel(FEED_COMMITS_MAX);
        feed.sender = Some(sender);
        Some(receiver)
    }

    async fn epoch(&self) -> Result<SmolStr, StoreError> {
        read!(self.primary, session => accounts::epoch(session))
    }

    async fn apps(&self) -> Result<Vec<App>, StoreError> {
        read!(self.primary, session => accounts::apps(session))
    }

    async fn head(&self, app: &AppId) -> Result<CommitNumber, StoreError> {
        let head = read!(self.primary, session => accounts::head(session, app))?;
        self.note_commit(app, head);
        Ok(head)
    }

    async fn users(&self, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        read!(self.primary, session => accounts::users(session, app, ids))
    }

    async fn search_users(
        &self,
        app: &AppId,
        query: &str,
        after: Option<&UserPlace>,
        limit: usize,
    ) -> Result<FoundUsers, StoreError> {
        read!(self.primary, session => accounts::search(session, app, query, after, limit))
    }

    async fn password(&self, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        read!(self.primary, session => accounts::password(session, app, user))
    }

    async fn has_admin(&self, app: &AppId) -> Result<bool, StoreError> {
        read!(self.primary, session => accounts::has_admin(session, app))
    }

    async fn device(&self, app: &AppId, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        read!(self.primary, session => accounts::device(session, app, id))
    }

    async fn devices(&self, app: &AppId, user: &UserId) -> Result<Vec<Device>, StoreError> {
        read!(self.primary, session => accounts::devices(session, app, user))
    }

    async fn room(&self, app: &AppId, room: &RoomId, users: &[&UserId]) -> Result<Option<RoomSnapshot>, StoreError> {
        let snapshot = read!(self.primary, session => rooms::snapshot(session, app, room, users))?;
        if let Some(snapshot) = &snapshot {
            self.note_commit(app, snapshot.head.commit);
        }
        Ok(snapshot)
    }

    async fn direct_room(&self, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, StoreError> {
        read!(self.primary, session => rooms::direct(session, app, pair))
    }

    async fn members(
        &self,
        app: &AppId,
        room: &RoomId,
        which: MemberFilter,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        read!(self.primary, session => rooms::members(session, app, room, which, after, limit))
    }

    async fn rooms_of(
        &self,
        app: &AppId,
        user: &UserId,
        which: MemberFilter,
    ) -> Result<(Vec<RoomId>, CommitNumber), StoreError> {
        read!(self.primary, session => rooms::rooms_of(session, app, user, which))
    }

    async fn share_rooms(&self, app: &AppId, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        read!(self.primary, session => rooms::share_rooms(session, app, user, others))
    }

    async fn target(
        &self,
        app: &AppId,
        room: &RoomId,
        seq: Seq,
        viewer: &UserId,
    ) -> Result<Option<Target>, StoreError> {
        read!(self.primary, session => entries::target(session, app, room, seq, viewer))
    }

    async fn entries(
        &self,
        app: &AppId,
        room: &RoomId,
        ranges: &[SeqRange],
        viewer: Option<&UserId>,
    ) -> Result<(Vec<Entry>, Seq), StoreError> {
        if let Some(replica) = self.replica() {
            let told = self.told(app);
            // One that fails or is behind is passed over without a word: the primary has everything.
            if let Ok(read) = self.entries_of(replica, app, room, ranges, viewer).await
                && read.commit >= told
            {
                self.note_commit(app, read.commit);
                return Ok((read.entries, read.head));
            }
        }
        let read = self.entries_of(&self.primary, app, room, ranges, viewer).await?;
        self.note_commit(app, read.commit);
        Ok((read.entries, read.head))
    }

    async fn last_edit(
        &self,
        app: &AppId,
        room: &RoomId,
        target: Seq,
        ranges: &[SeqRange],
    ) -> Result<Option<Edit>, StoreError> {
        if let Some(replica) = self.replica() {
            let told = self.told(app);
            if let Ok((edit, commit)) =
                read!(replica, session => entries::last_edit(session, app, room, target, ranges))
                && commit >= told
            {
                return Ok(edit);
            }
        }
        let (edit, _) = read!(self.primary, session => entries::last_edit(session, app, room, target, ranges))?;
        Ok(edit)
    }

    async fn changed_rooms(
        &self,
        app: &AppId,
        user: &UserId,
        since: CommitNumber,
        limit: usize,
    ) -> Result<Changed, StoreError> {
        let known = self.told(app);
        let changed = read!(self.primary, session => changed::changed(session, app, user, since, limit, known))?;
        self.note_commit(app, changed.commit);
        Ok(changed)
    }

    async fn tallies(&self, app: &AppId, after: CommitNumber) -> Result<Tallies, StoreError> {
        read!(self.primary, session => journal::tallies(session, app, after))
    }

    async fn journal(&self, app: &AppId, after: CommitNumber, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        read!(self.primary, session => journal::journal(session, app, after, limit))
    }

    async fn follower(&self, app: &AppId, name: &str) -> Result<CommitNumber, StoreError> {
        read!(self.primary, session => journal::follower(session, app, name))
    }

    async fn counts(&self, app: &AppId, from_day: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, StoreError> {
        read!(self.primary, session => journal::counts(session, app, from_day))
    }

    fn is_writable(&self) -> bool {
        lock(&self.failed_at).is_none_or(|at| at.elapsed() > FAILURE_COUNTS)
    }

    async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.committer.send(Message::Close(done)).await.is_ok() {
            // An error means that somebody else closed it meanwhile.
            let _ = closed.await;
        }
        self.committer.closed().await;
        self.primary.close();
        self.replicas.iter().for_each(Pool::close);
    }
}
