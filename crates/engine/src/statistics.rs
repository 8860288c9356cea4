//! Statistics: a follower that counts what happens, by day. Its cursor and its counts are one commit, so each event is
//! counted once.

use std::collections::BTreeMap;

use domain::{Actor, AppId, EventBody, MemberState};
use smol_str::SmolStr;
use storage::{JournalEntry, Store, StoreError};

use crate::follower::{Counts, Follower};
use crate::{Engine, EngineError, Query};

/// Days that can be asked for.
pub const STATISTICS_DAYS_MAX: u32 = 366;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Counts events by day and kind.
pub(crate) struct StatisticsFollower;

impl Follower for StatisticsFollower {
    const NAME: &'static str = "statistics";

    async fn step(&self, store: &dyn Store, app: &AppId, entries: &[JournalEntry]) -> Result<Counts, StoreError> {
        let mut counts = Counts::new();
        for entry in entries {
            let day = u32::try_from(entry.at.0 / DAY_MS).unwrap_or(0);
            for (room, range) in &entry.rooms {
                for body in store.bodies(app, room, *range).await? {
                    *counts.entry((day, counter(&body).into())).or_default() += 1;
                }
            }
        }
        Ok(counts)
    }
}

fn counter(body: &EventBody) -> &'static str {
    match body {
        EventBody::Created { .. } => "rooms",
        EventBody::Settings(_) => "settings",
        EventBody::Member { state: MemberState::Joined, .. } => "joins",
        EventBody::Member { state: MemberState::Invited, .. } => "invitations",
        EventBody::Member { state: MemberState::Left, .. } => "leaves",
        EventBody::Message { .. } => "messages",
        EventBody::Edit { .. } => "edits",
        EventBody::Redaction { .. } => "deletions",
        EventBody::Reaction { .. } => "reactions",
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
