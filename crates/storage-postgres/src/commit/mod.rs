//! The committer: one task that writes, with group commit.
//!
//! It takes all units that wait and writes them in one transaction of two round trips. The first takes the heads of the
//! apps, which are locks: so the commits of all nodes form one order, and what is read after it can't change any more. It
//! also reads all that the units need. Then it is decided, without waiting, what becomes of each unit. The second round
//! trip writes it, each table once, and commits. Nothing is remembered from group to group that another node could
//! change.
//!
//! As long as the commit has not been sent, a group can be tried again when the server goes away. After that it is unknown
//! whether it is written, and its units are answered so.

mod accounts;
mod decide;
mod group;
mod load;
mod need;
mod room;
mod state;
mod write;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{AccountChange, AppId, Seq};
use seldom::Seldom;
use storage::{Commit, Outcome, StoreError, Unit, Work};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::error::SqlState;

use self::group::Group;
use self::load::load;
use self::need::Needs;
use self::state::State;
use self::write::Batch;
use crate::connect::Connector;
use crate::error::{Fault, OpenError};
use crate::key::{AppKey, RoomKey};
use crate::rows;
use crate::session::{Call, Session};

/// Units in one transaction.
const GROUP_UNITS_MAX: usize = 1024;
/// Bytes of content in one transaction, about.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a commit may take: with synchronous standbys it waits for one of them.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pauses between tries to reach the server: the first, and the longest.
const PAUSE_MS: (u64, u64) = (10, 500);
/// A device's old client ids are thrown away once in so many new ones.
const CLEANED_EVERY: u64 = 64;
/// For the lock under which apps are made.
const NEW_APP_LOCK: i64 = 0x7374_6172_6c69_6e67;

const BEGIN: &str = "begin";
const LOCK_NEW_APPS: &str = "select pg_advisory_xact_lock($1)";
const APP_KEYS: &str = "select id, key from app where id = any($1::text[])";
const LAST_APP_KEY: &str = "select coalesce(max(key), 0) from app";

/// What the committer is asked to do.
pub(crate) enum Message {
    /// Write a unit and answer.
    Unit(Box<Job>),
    /// Write what waits and end.
    Close(oneshot::Sender<()>),
}

/// A unit that waits to be written.
pub(crate) struct Job {
    pub(crate) unit: Unit,
    pub(crate) answer: oneshot::Sender<Answer>,
}

type Answer = Result<Outcome, StoreError>;

/// Where commits are told, once somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) taken: bool,
    pub(crate) sender: Option<mpsc::Sender<Arc<Commit>>>,
}

/// What a group came to.
struct Written {
    outcomes: Vec<Answer>,
    commits: Vec<Commit>,
}

/// Why a group was not written, or perhaps not.
enum Failure {
    /// Nothing of it is written.
    NotWritten(Fault),
    /// It is unknown.
    Unknown(Arc<str>),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::NotWritten(fault)
    }
}

/// The writing half of the store.
pub(crate) struct Committer {
    connector: Connector,
    session: Option<Session>,
    feed: Arc<Mutex<Feed>>,
    /// Who is told of deletions.
    deleted: mpsc::Sender<(RoomKey, Seq)>,
    patience: Duration,
    /// Numbers of apps; they never change.
    apps: HashMap<AppId, AppKey>,
    dice: RandomState,
    rolls: u64,
}

impl Committer {
    pub(crate) fn new(
        connector: Connector,
        session: Session,
        feed: Arc<Mutex<Feed>>,
        deleted: mpsc::Sender<(RoomKey, Seq)>,
        patience: Duration,
    ) -> Self {
        let (apps, dice) = (HashMap::new(), RandomState::new());
        Self { connector, session: Some(session), feed, deleted, patience, apps, dice, rolls: 0 }
    }

    /// Works until it is told to close or nobody is left to tell it.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut closer = None;
        while closer.is_none() {
            let Some(first) = messages.recv().await else { break };
            let (mut jobs, mut bytes) = (Vec::new(), 0);
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Unit(job) => {
                        bytes += weight(&job.unit);
                        jobs.push(*job);
                    }
                    Message::Close(done) => closer = Some(done),
                }
                if closer.is_some() || jobs.len() >= GROUP_UNITS_MAX || bytes >= GROUP_BYTES_MAX {
                    break;
                }
                next = messages.try_recv().ok();
            }
            if !jobs.is_empty() {
                self.write_jobs(jobs).await;
            }
        }
        messages.close();
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender = None;
        // What came too late is dropped, and its sender learns that it is unavailable.
        drop((self, messages));
        if let Some(done) = closer {
            let _ = done.send(());
        }
    }

    async fn write_jobs(&mut self, jobs: Vec<Job>) {
        let (units, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.unit, job.answer)).unzip();
        let written = self.write_group(&units).await;
        for commit in written.commits {
            self.tell(Arc::new(commit)).await;
        }
        for (answer, outcome) in answers.into_iter().zip(written.outcomes) {
            // Whoever does not wait any more does not want the answer.
            let _ = answer.send(outcome);
        }
    }

    /// Writes units, and tries again where that is safe.
    async fn write_group(&mut self, units: &[Unit]) -> Written {
        let (begun, mut pause) = (Instant::now(), PAUSE_MS.0);
        loop {
            let error = match self.try_group(units).await {
                Ok(written) => return written,
                Err(Failure::Unknown(what)) => StoreError::Unavailable(what),
                Err(Failure::NotWritten(fault)) => {
                    if fault.is_about_values() && units.len() > 1 {
                        // One of them can't be written, and that is nobody else's matter.
                        let (first, second) = units.split_at(units.len() / 2);
                        let mut written = Box::pin(self.write_group(first)).await;
                        let rest = Box::pin(self.write_group(second)).await;
                        written.outcomes.extend(rest.outcomes);
                        written.commits.extend(rest.commits);
                        return written;
                    }
                    if is_passing(&fault) && begun.elapsed() < self.patience {
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                        pause = (pause * 2).min(PAUSE_MS.1);
                        continue;
                    }
                    StoreError::from(&fault)
                }
            };
            static FAILED: Seldom = Seldom::new();
            if let Some(left_out) = FAILED.due() {
                tracing::error!(%error, units = units.len(), left_out, "a group could not be written");
            }
            return Written { outcomes: units.iter().map(|_| Err(error.clone())).collect(), commits: Vec::new() };
        }
    }

    async fn try_group(&mut self, units: &[Unit]) -> Result<Written, Failure> {
        // Put back only if all went well: what may be left on a connection after a failure is not worth knowing.
        let session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => self.connector.connect().await.map_err(Fault::from)?,
        };
        let read = tokio::time::timeout(COMMIT_TIMEOUT, self.read(&session, units)).await;
        let mut state = read.map_err(|_| Fault::Busy("the database takes too long to answer"))??;
        let mut group = Group::default();
        let outcomes: Vec<_> = units.iter().map(|unit| decide::decide(&mut state, &mut group, unit)).collect();
        self.commit(&session, &group, &state).await?;
        self.session = Some(session);
        for event in group.bodies.keys() {
            // If it can't take more, it has enough to know where to look.
            let _ = self.deleted.try_send(*event);
        }
        Ok(Written { outcomes, commits: group.told(&state) })
    }

    /// Begins a transaction, takes the heads of the apps and reads what the units need.
    async fn read(&mut self, session: &Session, units: &[Unit]) -> Result<State, Fault> {
        self.find_apps(session, units).await?;
        let creates = units.iter().any(|unit| !self.apps.contains_key(&unit.app) && creates_app(unit));
        if !creates {
            return load(session, &Needs::of(units.iter(), &self.apps), Some(BEGIN)).await;
        }
        session.pipeline_all(&[Call::new(BEGIN, []), Call::new(LOCK_NEW_APPS, [&NEW_APP_LOCK])]).await?;
        self.find_apps(session, units).await?;
        let last = session.query(LAST_APP_KEY, &[]).await?;
        let last = last.first().map(|row| rows::get::<i32>(row, 0)).transpose()?.unwrap_or(0);
        let mut state = load(session, &Needs::of(units.iter(), &self.apps), None).await?;
        let new = i32::try_from(units.len()).unwrap_or(i32::MAX);
        state.app_keys = (1..=new).rev().filter_map(|n| last.checked_add(n)).map(AppKey).collect();
        Ok(state)
    }

    /// Looks up the numbers of apps that have not been seen.
    async fn find_apps(&mut self, session: &Session, units: &[Unit]) -> Result<(), Fault> {
        let unknown = units.iter().map(|unit| &unit.app).filter(|app| !self.apps.contains_key(app));
        let mut unknown: Vec<&str> = unknown.map(AppId::as_str).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        for row in session.query(APP_KEYS, &[&unknown]).await? {
            self.apps.insert(rows::app_id(&row, 0)?, rows::get(&row, 1)?);
        }
        Ok(())
    }

    /// Writes what has been decided and commits.
    async fn commit(&mut self, session: &Session, group: &Group, state: &State) -> Result<(), Failure> {
        let batch = if group.is_empty() {
            Batch::nothing()
        } else {
            let (dice, rolls) = (&self.dice, &mut self.rolls);
            Batch::of(group, state, || {
                *rolls += 1;
                dice.hash_one(*rolls) % CLEANED_EVERY == 0
            })
        };
        let calls = batch.calls();
        session.prepare_all(&calls).await?;
        session.take_doubt();
        if session.is_closed() {
            return Err(Fault::Busy("the connection was lost").into());
        }
        let answers = match tokio::time::timeout(COMMIT_TIMEOUT, session.pipeline(&calls)).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(fault)) => return Err(fault.into()),
            Err(_) => return Err(Failure::Unknown("the commit takes too long".into())),
        };
        for answer in answers {
            match answer {
                Ok(_) => {}
                Err(fault) if group.is_empty() || !fault.is_disconnect() => return Err(Failure::NotWritten(fault)),
                Err(fault) => return Err(Failure::Unknown(fault.to_string().into())),
            }
        }
        if session.take_doubt() {
            return Err(Failure::Unknown("the commit may be on the primary only".into()));
        }
        Ok(())
    }

    async fn tell(&self, commit: Arc<Commit>) {
        let sender = self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender.clone();
        if let Some(sender) = sender
            && sender.send(commit).await.is_err()
        {
            self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender = None;
        }
    }
}

/// Whether a fault may be over in a moment.
fn is_passing(fault: &Fault) -> bool {
    match fault {
        Fault::Open(error) => matches!(**error, OpenError::Unreachable(_) | OpenError::NotPrimary(_)),
        Fault::Postgres(error) => match error.code() {
            Some(code) => {
                let passing = [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                ];
                passing.contains(code) || fault.is_disconnect()
            }
            None => fault.is_disconnect(),
        },
        Fault::Busy(_) => true,
        Fault::Record(_) | Fault::Damaged(_) | Fault::Full(_) => false,
    }
}

fn creates_app(unit: &Unit) -> bool {
    matches!(&unit.work, Work::Account(changes) if matches!(changes.first(), Some(AccountChange::CreateApp(_))))
}

/// About how many bytes a unit will write.
fn weight(unit: &Unit) -> usize {
    const ROW_BYTES: usize = 200;
    match &unit.work {
        Work::Room(work) => work.changes.events.iter().map(|event| ROW_BYTES + event.content_bytes()).sum(),
        Work::Account(changes) => changes.len() * ROW_BYTES,
        Work::Follower(step) => step.counts.len() * ROW_BYTES,
    }
}
