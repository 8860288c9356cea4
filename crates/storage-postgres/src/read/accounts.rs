//! Reads of apps, users and devices.

use domain::{App, AppId, ClientId, CommitNumber, Device, DeviceId, PasswordHash, User, UserId};
use smol_str::SmolStr;
use storage::words::fold;
use storage::{FoundUsers, Outcome, Remembered, UserPlace, WINDOW_ENTRIES_MAX, Window};

use crate::error::Fault;
use crate::rows::{self, signed};
use crate::session::Session;

/// Words that are looked at for each user of a page: most users have fewer that begin alike.
const SEARCH_LOOKS_PER_USER: usize = 8;
/// Words that are looked at for a page however small it is.
const SEARCH_LOOKS_MIN: usize = 256;

pub(crate) async fn epoch(session: &Session) -> Result<SmolStr, Fault> {
    let row = session.query_opt("select epoch from store", &[]).await?;
    rows::text(&row.ok_or(Fault::Damaged("the store has no epoch"))?, 0)
}

pub(crate) async fn apps(session: &Session) -> Result<Vec<App>, Fault> {
    let sql = "select id, name, registration_open, directory_open, created_at from app order by id";
    session.query(sql, &[]).await?.iter().map(rows::app).collect()
}

pub(crate) async fn head(session: &Session, app: &AppId) -> Result<CommitNumber, Fault> {
    let sql = "select commit from app_head where app = (select key from app where id = $1)";
    let row = session.query_opt(sql, &[&app.as_str()]).await?;
    row.map_or(Ok(CommitNumber(0)), |row| rows::commit(&row, 0))
}

pub(crate) async fn users(session: &Session, app: &AppId, ids: &[UserId]) -> Result<Vec<User>, Fault> {
    let mut ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let sql = "select u.id, u.kind, u.display_name, u.admin, u.disabled, u.created_at
        from app_user u where u.app = (select key from app where id = $1) and u.id = any($2::text[]) order by u.id";
    session.query(sql, &[&app.as_str(), &ids]).await?.iter().map(|row| rows::user(row, 0)).collect()
}

pub(crate) async fn search(
    session: &Session,
    app: &AppId,
    query: &str,
    after: Option<&UserPlace>,
    limit: usize,
) -> Result<FoundUsers, Fault> {
    let query = fold(query);
    let is_nowhere = query.contains('\0') || after.is_some_and(|after| after.word.contains('\0'));
    if is_nowhere {
        Ok(FoundUsers::default())
    } else if query.is_empty() {
        list(session, app, after, limit).await
    } else {
        search_words(session, app, &query, after, limit).await
    }
}

async fn list(session: &Session, app: &AppId, after: Option<&UserPlace>, limit: usize) -> Result<FoundUsers, Fault> {
    let sql = "select u.id, u.kind, u.display_name, u.admin, u.disabled, u.created_at
        from app_user u where u.app = (select key from app where id = $1) and u.id > $2 order by u.id limit $3";
    let after = after.map_or("", |after| after.user.as_str());
    let found = session.query(sql, &[&app.as_str(), &after, &size(limit.saturating_add(1))]).await?;
    let users = found.iter().map(|row| rows::user(row, 0)).collect::<Result<Vec<User>, _>>()?;
    let places = users.iter().map(|user| UserPlace { word: "".into(), user: user.id.clone() }).collect();
    Ok(page(users, places, limit))
}

/// Walks along the words, in order. A user with several such words is told at the first of them.
async fn search_words(
    session: &Session,
    app: &AppId,
    query: &str,
    after: Option<&UserPlace>,
    limit: usize,
) -> Result<FoundUsers, Fault> {
    // No character is larger than this one, so the range holds every word that begins with the query.
    let last = format!("{query}{}", char::MAX);
    let from = after.map_or((query, ""), |after| (after.word.as_str(), after.user.as_str())).max((query, ""));
    let looks = limit.saturating_mul(SEARCH_LOOKS_PER_USER).max(SEARCH_LOOKS_MIN);
    let sql = "select w.word, w.word = (select min(f.word) from user_word f
                where f.app = w.app and f.user_id = w.user_id and f.word >= $6),
            u.id, u.kind, u.display_name, u.admin, u.disabled, u.created_at
        from (select w.app, w.word, w.user_id from user_word w
            where w.app = (select key from app where id = $1) and (w.word, w.user_id) > ($2, $3) and w.word <= $4
            order by w.word, w.user_id limit $5) w
        cross join lateral (select * from app_user u where u.app = w.app and u.id = w.user_id offset 0) u
        order by w.word, w.user_id";
    let words = session.query(sql, &[&app.as_str(), &from.0, &from.1, &last, &size(looks), &query]).await?;
    let (mut users, mut places) = (Vec::new(), Vec::new());
    for row in &words {
        if rows::get(row, 1)? {
            users.push(rows::user(row, 2)?);
            places.push(place_of(row)?);
            if users.len() > limit {
                return Ok(page(users, places, limit));
            }
        }
    }
    match words.last() {
        Some(row) if words.len() == looks => Ok(FoundUsers { users, next: Some(place_of(row)?) }),
        Some(_) | None => Ok(page(users, places, limit)),
    }
}

fn place_of(row: &tokio_postgres::Row) -> Result<UserPlace, Fault> {
    Ok(UserPlace { word: rows::text(row, 0)?, user: rows::user_id(row, 2)? })
}

/// A page of users of which one more than its size was read, if there is one.
fn page(mut users: Vec<User>, mut places: Vec<UserPlace>, limit: usize) -> FoundUsers {
    let more = users.len() > limit;
    users.truncate(limit);
    places.truncate(limit);
    FoundUsers { users, next: places.pop().filter(|_| more) }
}

fn size(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) async fn password(session: &Session, app: &AppId, user: &UserId) -> Result<Option<PasswordHash>, Fault> {
    let sql = "select hash from password where app = (select key from app where id = $1) and user_id = $2";
    let row = session.query_opt(sql, &[&app.as_str(), &user.as_str()]).await?;
    row.map(|row| Ok(PasswordHash(rows::text(&row, 0)?))).transpose()
}

pub(crate) async fn has_admin(session: &Session, app: &AppId) -> Result<bool, Fault> {
    let sql =
        "select 1 from app_user where app = (select key from app where id = $1) and admin and not disabled limit 1";
    Ok(session.query_opt(sql, &[&app.as_str()]).await?.is_some())
}

pub(crate) async fn device(session: &Session, app: &AppId, id: &DeviceId) -> Result<Option<Device>, Fault> {
    let sql = "select d.id, d.user_id, d.name, d.created_at, d.last_seen_at, d.refresh_generation
        from device d where d.app = (select key from app where id = $1) and d.id = $2";
    let row = session.query_opt(sql, &[&app.as_str(), &id.as_str()]).await?;
    row.map(|row| rows::device(&row, 0)).transpose()
}

pub(crate) async fn devices(session: &Session, app: &AppId, user: &UserId) -> Result<Vec<Device>, Fault> {
    let sql = "select d.id, d.user_id, d.name, d.created_at, d.last_seen_at, d.refresh_generation
        from device d where d.app = (select key from app where id = $1) and d.user_id = $2
        order by d.created_at desc, d.id desc";
    session.query(sql, &[&app.as_str(), &user.as_str()]).await?.iter().map(|row| rows::device(row, 0)).collect()
}

pub(crate) async fn recall(
    session: &Session,
    app: &AppId,
    device: &DeviceId,
    client_id: &ClientId,
    fingerprint: u64,
) -> Result<Option<Outcome>, Fault> {
    let sql = "select m.fingerprint, r.id, m.seq, m.commit, (select count(*) from
            (select 1 from remembered n where n.device = m.device and n.number > m.number limit $4) newer)
        from remembered m join room r on r.key = m.room
        where m.device = (select key from device where app = (select key from app where id = $1) and id = $2)
            and m.client_id = $3";
    let window = size(WINDOW_ENTRIES_MAX);
    let row = session.query_opt(sql, &[&app.as_str(), &device.as_str(), &client_id.as_str(), &window]).await?;
    let Some(row) = row else { return Ok(None) };
    if rows::get::<i64>(&row, 4)? >= signed(WINDOW_ENTRIES_MAX as u64) {
        return Ok(None);
    }
    let remembered = Remembered {
        client_id: client_id.clone(),
        fingerprint: rows::get::<i64>(&row, 0)?.cast_unsigned(),
        room: rows::room_id(&row, 1)?,
        seq: rows::seq(&row, 2)?,
        commit: rows::commit(&row, 3)?,
    };
    Ok(Window::from_entries([remembered]).recall(client_id, fingerprint))
}
