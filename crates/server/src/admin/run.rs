//! Carries admin commands out, by the engine's own operations.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use domain::{App, AppId, AppSettings, JoinRule, MemberState, RoomId, RoomKind, User, UserId, UserKind};
use engine::{Engine, NewUser, Operator, UserPlace};
use storage::{Membership, RoomSnapshot};
use storage_sqlite::SqliteStore;
use tokio::task::spawn_blocking;

use super::{AdminAnswer, AdminCommand, AppRow, MemberRow, RoomRow, UserRow};
use crate::calendar;

/// Members of a room that are listed.
const MEMBERS_LISTED_MAX: usize = 1000;
/// Rooms of a user that are listed.
const ROOMS_LISTED_MAX: usize = 1000;

/// What admin commands work on.
pub struct AdminContext {
    pub engine: Engine,
    pub store: Arc<SqliteStore>,
}

/// Carries a command out.
pub async fn run(context: &AdminContext, command: AdminCommand) -> Result<AdminAnswer> {
    let operator = context.engine.operator();
    match command {
        AdminCommand::UserAdd { app, id, password, display_name, admin } => {
            let new = NewUser { id: user_id(&id)?, password, display_name, admin };
            Ok(AdminAnswer::User(user_row(&operator.create_user(&app_id(app.as_deref())?, new).await?)))
        }
        AdminCommand::UserList { app, query, after, limit } => {
            let place =
                |after: String| UserPlace::parse(&after).with_context(|| format!("the place {after:?} in the list"));
            let after = after.map(place).transpose()?;
            let users =
                operator.users(&app_id(app.as_deref())?, &query, after.as_ref(), usize::try_from(limit)?).await?;
            let next = users.next.map(|place| place.to_string());
            Ok(AdminAnswer::Users { rows: users.items.iter().map(user_row).collect(), next })
        }
        AdminCommand::UserShow { app, id } => show_user(&operator, &app_id(app.as_deref())?, &user_id(&id)?).await,
        AdminCommand::UserPassword { app, id, password } => {
            let (app, id) = (app_id(app.as_deref())?, user_id(&id)?);
            operator.set_password(&app, &id, password).await?;
            show_user(&operator, &app, &id).await
        }
        AdminCommand::UserAdmin { app, id, admin } => {
            let (app, id) = (app_id(app.as_deref())?, user_id(&id)?);
            operator.set_admin(&app, &id, admin).await?;
            show_user(&operator, &app, &id).await
        }
        AdminCommand::UserDisabled { app, id, disabled } => {
            let (app, id) = (app_id(app.as_deref())?, user_id(&id)?);
            operator.set_disabled(&app, &id, disabled).await?;
            show_user(&operator, &app, &id).await
        }
        AdminCommand::RoomList { app, user } => list_rooms(&operator, &app_id(app.as_deref())?, &user_id(&user)?).await,
        AdminCommand::RoomShow { app, id } => show_room(&operator, &app_id(app.as_deref())?, &room_id(&id)?).await,
        AdminCommand::AppAdd { id, name } => {
            let settings = AppSettings::open(name.as_deref().unwrap_or(&id));
            let id = app_id(Some(&id))?;
            operator.create_app(id.clone(), settings).await?;
            show_app(&operator, &id).await
        }
        AdminCommand::AppList => Ok(AdminAnswer::Apps(operator.apps().await?.iter().map(app_row).collect())),
        AdminCommand::AppSet { id, name, registration_open, directory_open } => {
            let id = app_id(Some(&id))?;
            let now = find_app(&operator, &id).await?.settings;
            let settings = AppSettings {
                name: name.map_or(now.name, Into::into),
                registration_open: registration_open.unwrap_or(now.registration_open),
                directory_open: directory_open.unwrap_or(now.directory_open),
            };
            operator.update_app(&id, settings).await?;
            show_app(&operator, &id).await
        }
        AdminCommand::AppStatistics { id, days } => {
            let mut by_day: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
            for ((day, name), count) in operator.statistics(&app_id(Some(&id))?, days).await? {
                by_day.entry(calendar::day(i64::from(day))).or_default().insert(name.to_string(), count);
            }
            Ok(AdminAnswer::Statistics(by_day))
        }
        AdminCommand::Backup { file } => back_up(&context.store, &file).await,
    }
}

async fn back_up(store: &Arc<SqliteStore>, file: &Path) -> Result<AdminAnswer> {
    // The server may have another current folder than the command.
    if !file.is_absolute() {
        bail!("the path of a backup must be absolute here");
    }
    let (store, to) = (store.clone(), file.to_path_buf());
    let written = spawn_blocking(move || store.backup(&to)).await.context("the backup broke off")?;
    written.with_context(|| format!("back up to {}", file.display()))?;
    let bytes = std::fs::metadata(file).with_context(|| format!("look at {}", file.display()))?.len();
    Ok(AdminAnswer::Backup { file: file.to_path_buf(), bytes })
}

async fn show_user(operator: &Operator<'_>, app: &AppId, id: &UserId) -> Result<AdminAnswer> {
    let user = operator.user(app, id).await?;
    let user = user.ok_or_else(|| anyhow!("there is no user {id} / 没有用户 {id}"))?;
    Ok(AdminAnswer::User(user_row(&user)))
}

async fn list_rooms(operator: &Operator<'_>, app: &AppId, user: &UserId) -> Result<AdminAnswer> {
    show_user(operator, app, user).await?;
    let mut rows = Vec::new();
    for id in operator.rooms_of(app, user).await?.into_iter().take(ROOMS_LISTED_MAX) {
        rows.extend(operator.room(app, &id).await?.as_ref().map(room_row));
    }
    Ok(AdminAnswer::Rooms(rows))
}

async fn show_room(operator: &Operator<'_>, app: &AppId, id: &RoomId) -> Result<AdminAnswer> {
    let room = operator.room(app, id).await?;
    let room = room.ok_or_else(|| anyhow!("there is no room {id} / 没有房间 {id}"))?;
    let members = operator.members(app, id, None, MEMBERS_LISTED_MAX).await?;
    Ok(AdminAnswer::Room { room: room_row(&room), members: members.iter().map(member_row).collect() })
}

async fn find_app(operator: &Operator<'_>, id: &AppId) -> Result<App> {
    let app = operator.apps().await?.into_iter().find(|app| app.id == *id);
    app.ok_or_else(|| anyhow!("there is no app {id} / 没有应用 {id}"))
}

async fn show_app(operator: &Operator<'_>, id: &AppId) -> Result<AdminAnswer> {
    Ok(AdminAnswer::App(app_row(&find_app(operator, id).await?)))
}

fn app_id(id: Option<&str>) -> Result<AppId> {
    let id = id.unwrap_or(domain::DEFAULT_APP);
    AppId::new(id).with_context(|| format!("the id of an app, {id:?}"))
}

fn user_id(id: &str) -> Result<UserId> {
    UserId::new(id).with_context(|| format!("the id of a user, {id:?}"))
}

fn room_id(id: &str) -> Result<RoomId> {
    RoomId::new(id).with_context(|| format!("the id of a room, {id:?}"))
}

fn user_row(user: &User) -> UserRow {
    let kind = match user.kind {
        UserKind::Person => "person",
        UserKind::Bot => "bot",
        UserKind::Guest => "guest",
    };
    UserRow {
        id: user.id.to_string(),
        name: user.display_name.to_string(),
        kind: kind.to_owned(),
        admin: user.admin,
        disabled: user.disabled,
        created_at: user.created_at.0,
    }
}

fn room_row(snapshot: &RoomSnapshot) -> RoomRow {
    let RoomSnapshot { room, head, .. } = snapshot;
    let kind = match room.kind {
        RoomKind::Direct => "direct",
        RoomKind::Group => "group",
    };
    let join_rule = match room.settings.join_rule {
        JoinRule::Invite => "invite",
        JoinRule::Open => "open",
    };
    let name = match &room.pair {
        Some([one, other]) => format!("{one} & {other}"),
        None => room.settings.name.to_string(),
    };
    RoomRow {
        id: room.id.to_string(),
        kind: kind.to_owned(),
        name,
        join_rule: join_rule.to_owned(),
        members: room.joined,
        invited: room.invited,
        messages: head.messages,
        created_at: room.created_at.0,
    }
}

fn member_row(membership: &Membership) -> MemberRow {
    let state = match membership.member.state {
        MemberState::Invited => "invited",
        MemberState::Joined => "joined",
        MemberState::Left => "left",
    };
    MemberRow {
        user: membership.member.user.to_string(),
        state: state.to_owned(),
        level: membership.member.level.0,
        read: membership.cursors.read.0,
    }
}

fn app_row(app: &App) -> AppRow {
    AppRow {
        id: app.id.to_string(),
        name: app.settings.name.to_string(),
        registration_open: app.settings.registration_open,
        directory_open: app.settings.directory_open,
        created_at: app.created_at.0,
    }
}
