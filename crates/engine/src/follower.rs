//! Followers: side effects that read the commits after their own durable cursor, in order, as long as it takes.
//!
//! A follower that was away for a week goes on where it stopped. What it writes and its cursor are one commit.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{AppId, CommitNumber};
use smol_str::SmolStr;
use storage::{FollowerStep, Outcome, Store, StoreError, Unit, Work};

use crate::Engine;
use crate::engine::stopped;

/// So many commits without events are worth a step of their own, or every look would read them again; fewer are not, since
/// a step is a write.
const IDLE_COMMITS: usize = 1_000;
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

    /// Reads what the commits after `after` wrote, or the first of them.
    fn read(
        &self,
        store: &dyn Store,
        app: &AppId,
        after: CommitNumber,
    ) -> impl Future<Output = Result<Read, StoreError>> + Send;
}

/// What a follower read.
#[derive(Debug)]
pub(crate) struct Read {
    /// The last commit of it.
    pub(crate) to: CommitNumber,
    /// How many commits it is.
    pub(crate) commits: usize,
    /// What to count for it.
    pub(crate) counts: Counts,
    /// Whether there are later ones.
    pub(crate) more: bool,
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
    let Read { to, commits, counts, more } = follower.read(store, app, from).await?;
    if counts.is_empty() && commits < IDLE_COMMITS {
        return Ok(false);
    }
    let work = Work::Follower(FollowerStep { name: F::NAME, from, to, counts });
    let unit = Unit { app: app.clone(), at: engine.inner.clock.now(), work };
    // A conflict means that the step was taken elsewhere; the next look shows from where to go on.
    let done = matches!(store.commit(unit).await?, Outcome::Done(_));
    Ok(more || !done)
}
