//! A follower's step: its effects and its cursor, together. It takes no commit number, or it would follow itself.

use domain::{AppId, Seq};
use rusqlite::{OptionalExtension, params};
use storage::{FollowerStep, Outcome, Receipt};

use super::State;
use super::group::Group;
use crate::error::Fault;

pub(super) fn write(state: &mut State, group: &Group, app: &AppId, step: &FollowerStep) -> Result<Outcome, Fault> {
    let State { db, caches, .. } = state;
    let Some(app) = caches.app(db, app)? else { return Ok(Outcome::Conflict) };
    let mut select = db.prepare_cached("SELECT commit_number FROM follower WHERE app = ? AND name = ?")?;
    let reached: Option<u64> = select.query_row(params![app.key, step.name], |row| row.get(0)).optional()?;
    if reached.unwrap_or(0) != step.from.0 {
        return Ok(Outcome::Conflict);
    }
    db.prepare_cached("INSERT OR REPLACE INTO follower (app, name, commit_number) VALUES (?, ?, ?)")?
        .execute(params![app.key, step.name, step.to.0])?;
    let mut add = db.prepare_cached(
        "INSERT INTO counter (app, day, name, amount) VALUES (?, ?, ?, ?)
         ON CONFLICT (app, day, name) DO UPDATE SET amount = amount + excluded.amount",
    )?;
    for ((day, name), amount) in &step.counts {
        add.execute(params![app.key, day, name.as_str(), amount])?;
    }
    Ok(Outcome::Done(Receipt { room: None, seq: Seq(0), commit: group.reached(app) }))
}
