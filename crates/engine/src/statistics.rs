//! Statistics: a follower that counts what happens, by day. Its cursor and its counts are one commit, so each event is
//! counted once.

use std::collections::BTreeMap;

use domain::{Actor, AppId, CommitNumber, EventKind};
use smol_str::SmolStr;
use storage::{Store, StoreError, Tallies};

use crate::follower::{Counts, Follower, Read};
use crate::{Engine, EngineError, Query};

/// Days that can be asked for.
pub const STATISTICS_DAYS_MAX: u32 = 366;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Counts events by day and kind.
pub(crate) struct StatisticsFollower;

impl Follower for StatisticsFollower {
    const NAME: &'static str = "statistics";

    async fn read(&self, store: &dyn Store, app: &AppId, after: CommitNumber) -> Result<Read, StoreError> {
        let Tallies { commits, more } = store.tallies(app, after).await?;
        let to = commits.last().map_or(after, |last| last.commit);
        let mut read = Read { to, commits: commits.len(), counts: Counts::new(), more };
        for tally in commits {
            let day = u32::try_from(tally.at.0 / DAY_MS).unwrap_or(0);
            for (kind, events) in tally.events {
                *read.counts.entry((day, counter(kind).into())).or_default() += events;
            }
        }
        Ok(read)
    }
}

fn counter(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Created => "rooms",
        EventKind::Settings => "settings",
        EventKind::Joined => "joins",
        EventKind::Invited => "invitations",
        EventKind::Left => "leaves",
        EventKind::Message => "messages",
        EventKind::Edit => "edits",
        EventKind::Redaction => "deletions",
        EventKind::Reaction => "reactions",
    }
}

/// Counters of the actor's app, for administrators, by (day since 1970, name).
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// How many days, with today.
    pub days: u32,
}

impl Query for Statistics {
    type Answer = BTreeMap<(u32, SmolStr), u64>;

    async fn answer(self, engine: &Engine, actor: &Actor) -> Result<Self::Answer, EngineError> {
        let user = engine.user(&actor.app, &actor.user).await?;
        if !user.is_some_and(|user| user.admin) {
            return Err(EngineError::AdminOnly);
        }
        engine.counts(&actor.app, self.days).await
    }
}

impl Engine {
    pub(crate) async fn counts(&self, app: &AppId, days: u32) -> Result<BTreeMap<(u32, SmolStr), u64>, EngineError> {
        if !(1..=STATISTICS_DAYS_MAX).contains(&days) {
            return Err(EngineError::Invalid { field: "days", problem: "must be from 1 to 366" });
        }
        let today = u32::try_from(self.inner.clock.now().0 / DAY_MS).unwrap_or(0);
        Ok(self.inner.store.counts(app, today.saturating_sub(days - 1)).await?)
    }
}
