//! A room with very many members, to have something to measure (`starling dev --members N`).

use anyhow::{Context, Result, ensure};
use domain::{
    AccountChange, Action, Actor, Command, JoinRule, Refusal, RoomId, SettingsChange, User, UserId, UserKind,
};
use engine::{Engine, EngineError};
use storage::{Outcome, Store, Unit, Work};
use tokio::task::JoinSet;

/// The room.
const ROOM: &str = "crowd";
/// Users that are made in one commit.
const USERS_AT_ONCE: u32 = 1000;
/// Members that join at the same time, so that the store can write many of them in one commit.
const JOINS_AT_ONCE: usize = 64;

/// Makes an open room with `members` members, of which `actor` is the first, unless that was done before.
pub async fn gather(engine: &Engine, store: &dyn Store, actor: &Actor, members: u32) -> Result<()> {
    if members == 0 {
        return Ok(());
    }
    let room = RoomId::new(ROOM)?;
    let settings =
        SettingsChange { name: Some("Crowd".into()), join_rule: Some(JoinRule::Open), ..SettingsChange::default() };
    let create = Command { room: room.clone(), action: Action::Create { settings, invite: Vec::new() } };
    match engine.execute(actor, create, None).await {
        Ok(_) => {}
        Err(EngineError::Refused(Refusal::RoomExists)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let at = store.apps().await?.iter().map(|app| app.created_at).max().context("there is an app")?;
    for first in (1..members).step_by(USERS_AT_ONCE as usize) {
        let users = (first..members.min(first + USERS_AT_ONCE)).map(user).collect::<Result<Vec<_>>>()?;
        let changes = users.iter().map(|id| {
            let (id, display_name) = (id.clone(), id.as_str().into());
            let (kind, admin, disabled) = (UserKind::Person, false, false);
            // They can't sign in: so many passwords would take longer than all else.
            let user = User { id, kind, display_name, admin, disabled, created_at: at };
            AccountChange::CreateUser { user, password: None }
        });
        let unit = Unit { app: actor.app.clone(), at, work: Work::Account(changes.collect()) };
        let made = store.commit(unit).await?;
        ensure!(matches!(made, Outcome::Done(_)), "the users of the large room are there already");
        for some in users.chunks(JOINS_AT_ONCE) {
            let mut joining = JoinSet::new();
            for id in some {
                // Nobody has signed in as them, but nothing is asked of the device by which a user joins.
                let member = Actor { user: id.clone(), ..actor.clone() };
                let join = Command { room: room.clone(), action: Action::Join };
                let engine = engine.clone();
                joining.spawn(async move { engine.execute(&member, join, None).await });
            }
            while let Some(joined) = joining.join_next().await {
                joined?.context("join the large room")?;
            }
        }
    }
    Ok(())
}

fn user(number: u32) -> Result<UserId> {
    Ok(UserId::new(format!("member-{number}"))?)
}
