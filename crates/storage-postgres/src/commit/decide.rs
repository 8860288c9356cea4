//! Decides what becomes of each unit of a group, in order, on what is so and what the group has written before it. Nothing
//! here waits or reads: the rows that follow are written afterwards, all at once.

use domain::{AccountChange, AppId, CommitNumber, Seq, Timestamp};
use storage::{FollowerStep, Outcome, Receipt, StoreError, Unit, Work};

use super::accounts::Told;
use super::group::Group;
use super::room;
use super::state::{AppState, State};

/// The outcome of a unit. An error concerns this unit only, and nothing of it is written.
pub(super) fn decide(state: &mut State, group: &mut Group, unit: &Unit) -> Result<Outcome, StoreError> {
    match &unit.work {
        Work::Room(work) => room::write(state, group, &unit.app, unit.at, work),
        Work::Account(changes) => account(state, group, &unit.app, unit.at, changes),
        Work::Follower(step) => Ok(follower(state, group, &unit.app, step)),
    }
}

/// Writes all changes in order, or none.
fn account(
    state: &mut State,
    group: &mut Group,
    app: &AppId,
    at: Timestamp,
    changes: &[AccountChange],
) -> Result<Outcome, StoreError> {
    check_texts(changes)?;
    let creates = match changes.first() {
        Some(AccountChange::CreateApp(new)) if new.id == *app => Some(new),
        _ => None,
    };
    let (app_state, rest) = match (state.apps.get(app).copied(), creates) {
        (Some(_), Some(_)) | (None, None) => return Ok(Outcome::Conflict),
        (Some(app_state), None) => (app_state, changes),
        (None, Some(_)) => {
            let Some(key) = state.app_keys.pop() else { return Ok(Outcome::Conflict) };
            (AppState { key, head: CommitNumber(0) }, &changes[1..])
        }
    };
    if changes.is_empty() {
        return Ok(Outcome::Done(Receipt { room: None, seq: Seq(0), commit: group.reached(app_state) }));
    }
    if let Some(what) = &state.damaged_accounts {
        return Err(StoreError::Damaged(what.clone()));
    }
    let mut told = Told::default();
    let mut settings = None;
    state.accounts.begin();
    for change in rest {
        let fits = match change {
            AccountChange::UpdateApp(new) => {
                settings = Some(new.clone());
                true
            }
            change => {
                let key = match change {
                    AccountChange::CreateDevice { .. } => state.device_keys.pop(),
                    _ => None,
                };
                state.accounts.apply(app_state.key, change, key, &mut told)
            }
        };
        if !fits {
            state.accounts.undo();
            return Ok(Outcome::Conflict);
        }
    }
    if let Some(new) = creates {
        state.apps.insert(app.clone(), app_state);
        group.new_apps.push((app_state.key, new.clone()));
    }
    if let Some(settings) = settings {
        group.app_settings.insert(app_state.key, settings);
    }
    for id in told.created.iter().chain(&told.revoked) {
        let name = (app_state.key, id.clone());
        match state.accounts.key_of(&name) {
            Some(key) => state.devices.insert(name, key),
            None => state.devices.remove(&name),
        };
    }
    let commit = group.commit_of(app, app_state, at);
    commit.written = true;
    commit.revoked.extend(told.revoked);
    for user in told.users {
        if !commit.users.contains(&user) {
            commit.users.push(user);
        }
    }
    Ok(Outcome::Done(Receipt { room: None, seq: Seq(0), commit: commit.number }))
}

/// A text in a column can't have the character NUL. No check of the domain lets one pass, but for an app's name.
fn check_texts(changes: &[AccountChange]) -> Result<(), StoreError> {
    let has_nul = |change: &AccountChange| match change {
        AccountChange::CreateApp(app) => app.settings.name.contains('\0'),
        AccountChange::UpdateApp(settings) => settings.name.contains('\0'),
        AccountChange::CreateUser { user, password } => {
            user.display_name.contains('\0') || password.as_ref().is_some_and(|password| password.0.contains('\0'))
        }
        AccountChange::UpdateUser { display_name, .. } => display_name.as_ref().is_some_and(|name| name.contains('\0')),
        AccountChange::SetPassword { password, .. } => password.0.contains('\0'),
        AccountChange::CreateDevice { device, .. } => device.name.contains('\0'),
        AccountChange::RotateRefresh { .. } | AccountChange::RevokeDevices { .. } => false,
    };
    if changes.iter().any(has_nul) {
        return Err(StoreError::Damaged("a name has the character U+0000".into()));
    }
    Ok(())
}

/// A follower's step: its effects and its cursor, together. It takes no commit number, or it would follow itself.
fn follower(state: &mut State, group: &mut Group, app: &AppId, step: &FollowerStep) -> Outcome {
    let Some(app) = state.apps.get(app).copied() else { return Outcome::Conflict };
    let reached = state.followers.entry((app.key, step.name)).or_default();
    if *reached != step.from {
        return Outcome::Conflict;
    }
    *reached = step.to;
    group.steps.insert((app.key, step.name), step.to);
    for ((day, name), amount) in &step.counts {
        *group.counters.entry((app.key, *day, name.clone())).or_default() += amount;
    }
    Outcome::Done(Receipt { room: None, seq: Seq(0), commit: group.reached(app) })
}
