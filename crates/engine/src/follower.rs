//! Followers: side effects that read the commits after their own durable cursor, in order, as long as it takes.
//!
//! A follower that was away for a week goes on where it stopped. What it writes and its cursor are one commit.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{AppId, CommitNumber};
use smol_str::SmolStr;
use storage::{FollowerStep, JournalEntry, Outcome, Store, StoreError, Unit, Work};

use crate::Engine;
use crate::engine::stopped;

/// Commits with events that are followed in one step.
const STEP_COMMITS_MAX: usize = 256;
/// Commits that are read for one step. So many without events are worth a step of their own, or every look would read
/// them again; fewer are not, since a step is a commit.
const IDLE_COMMITS_MAX: usize = 1_024;
/// Steps wait this long for more to gather: what follows is not urgent, and each step is a commit.
const GATHER: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Amounts to add, by (day since 1970, name).
pub(crate) type Counts = BTreeMap<(u32, SmolStr), u64>;

/// Something that follows the commits of every app.
pub(crate) trait Follower: Send + Sync + 'static {
    /// Its name, under which its cursor is kept.
    const NAME: &'static str;

    /// Reads what some commits wrote, and says what to count.
    fn step(
        &self,
        store: &dyn Store,
        app: &AppId,
        entries: &[JournalEntry],
    ) -> impl Future<Output = Result<Counts, StoreError>> + Send;
}

/// Runs a follower until the engine stops.
pub(crate) async fn run<F: Follower>(engine: Engine, follower: F) {
    let mut commits = engine.inner.commits.subscribe();
    commits.mark_changed();
    loop {
        tokio::select! {
            () = stopped(engine.inner.stopping.subscribe()) => return,
            changed = commits.changed() => if changed.is_err() { return },
        }
        let pause = match catch_up(&engine, &follower).await {
            Ok(()) => GATHER,
            Err(error) => {
                tracing::warn!(follower = F::NAME, %error, "a follower could not go on");
                commits.mark_changed();
                RETRY
            }
        };
        tokio::select! {
            () = stopped(engine.inner.stopping.subscribe()) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn catch_up<F: Follower>(engine: &Engine, follower: &F) -> Result<(), StoreError> {
    for app in engine.inner.store.apps().await? {
        while !*engine.inner.stopping.borrow() && step(engine, follower, &app.id).await? {}
    }
    Ok(())
}

/// One step; tells whether there may be more.
async fn step<F: Follower>(engine: &Engine, follower: &F, app: &AppId) -> Result<bool, StoreError> {
    let store = &*engine.inner.store;
    let from: CommitNumber = store.follower(app, F::NAME).await?;
    let mut entries = store.journal(app, from, IDLE_COMMITS_MAX).await?;
    let mut full = entries.len() == IDLE_COMMITS_MAX;
    let mut with_events = entries.iter().enumerate().filter(|(_, entry)| !entry.rooms.is_empty());
    let first = with_events.next();
    if first.is_none() && !full {
        return Ok(false);
    }
    if let Some((next, _)) = with_events.nth(STEP_COMMITS_MAX - 1) {
        entries.truncate(next);
        full = true;
    }
    let Some(last) = entries.last() else { return Ok(false) };
    let to = last.commit;
    entries.retain(|entry| !entry.rooms.is_empty());
    let counts = if entries.is_empty() { Counts::new() } else { follower.step(store, app, &entries).await? };
    let work = Work::Follower(FollowerStep { name: F::NAME, from, to, counts });
    let unit = Unit { app: app.clone(), at: engine.inner.clock.now(), work };
    // A conflict means that the step was taken elsewhere; the next look shows from where to go on.
    let done = matches!(store.commit(unit).await?, Outcome::Done(_));
    Ok(full || !done)
}
