//! Reads of rooms and their members.

use std::collections::{HashMap, HashSet};

use domain::{AppId, CommitNumber, RoomId, UserId, pair_of};
use storage::{MemberFilter, Membership, RoomSnapshot};

use crate::error::Fault;
use crate::read::{BEGIN, END};
use crate::rows;
use crate::session::{Call, Session};

const ROOM: &str =
    "select r.kind, r.low, r.high, r.settings::text, r.created_at, r.joined, r.invited, r.owners, r.version,
        h.seq, h.messages, h.last_message, h.commit
    from room r join room_head h on h.room = r.key
    where r.app = (select key from app where id = $1) and r.id = $2";

const MEMBERS: &str = "select m.user_id, m.state, m.level, m.invited_by, m.invited_at, m.stays::text, m.commit,
        c.delivered, c.read, c.read_messages, c.commit
    from unnest($3::text[]) q(user_id)
    cross join lateral (select * from member m
        where m.room = (select key from room where app = (select key from app where id = $1) and id = $2)
            and m.user_id = q.user_id offset 0) m
    cross join lateral (select * from member_cursor c where c.room = m.room and c.user_id = m.user_id offset 0) c";

pub(crate) async fn snapshot(
    session: &Session,
    app: &AppId,
    id: &RoomId,
    asked: &[&UserId],
) -> Result<Option<RoomSnapshot>, Fault> {
    let (app, room) = (app.as_str(), id.as_str());
    if asked.is_empty() {
        let Some(row) = session.query_opt(ROOM, &[&app, &room]).await? else { return Ok(None) };
        return Ok(Some(RoomSnapshot {
            room: rows::room(id.clone(), &row, 0)?,
            head: rows::head(&row, 9)?,
            members: vec![],
        }));
    }
    let users: Vec<&str> = asked.iter().map(|user| user.as_str()).collect::<HashSet<_>>().into_iter().collect();
    let calls = [
        Call::new(BEGIN, []),
        Call::new(ROOM, [&app, &room]),
        Call::new(MEMBERS, [&app, &room, &users]),
        Call::new(END, []),
    ];
    let answers = session.pipeline_all(&calls).await?;
    let Some(row) = answers[1].first() else { return Ok(None) };
    let mut found = HashMap::new();
    for row in &answers[2] {
        let membership = rows::membership(row, 0)?;
        found.insert(membership.member.user.clone(), membership);
    }
    let members = asked.iter().map(|user| found.get(*user).cloned()).collect();
    Ok(Some(RoomSnapshot { room: rows::room(id.clone(), row, 0)?, head: rows::head(row, 9)?, members }))
}

pub(crate) async fn direct(session: &Session, app: &AppId, pair: [&UserId; 2]) -> Result<Option<RoomId>, Fault> {
    let [low, high] = pair_of(pair[0], pair[1]);
    let sql = "select r.id from room r where r.app = (select key from app where id = $1) and r.low = $2 and r.high = $3 and r.low is not null";
    let row = session.query_opt(sql, &[&app.as_str(), &low.as_str(), &high.as_str()]).await?;
    row.map(|row| rows::room_id(&row, 0)).transpose()
}

macro_rules! members {
    ($states:literal) => {
        concat!(
            "select m.user_id, m.state, m.level, m.invited_by, m.invited_at, m.stays::text, m.commit,
                c.delivered, c.read, c.read_messages, c.commit
            from (select m.* from member m
                where m.room = (select key from room where app = (select key from app where id = $1) and id = $2)
                    and m.user_id > $3 and m.state ",
            $states,
            " order by m.user_id limit $4) m
            cross join lateral (select * from member_cursor c
                where c.room = m.room and c.user_id = m.user_id offset 0) c order by m.user_id"
        )
    };
}

pub(crate) async fn members(
    session: &Session,
    app: &AppId,
    room: &RoomId,
    which: MemberFilter,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<Membership>, Fault> {
    // The states stand in the text, or the index of those who are joined can't be used.
    let sql = match which {
        MemberFilter::Present => members!("<> 'left'"),
        MemberFilter::Joined => members!("= 'joined'"),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let after = after.map_or("", UserId::as_str);
    let found = session.query(sql, &[&app.as_str(), &room.as_str(), &after, &limit]).await?;
    found.iter().map(|row| rows::membership(row, 0)).collect()
}

/// By one statement, so that both are of one moment.
pub(crate) async fn rooms_of(
    session: &Session,
    app: &AppId,
    user: &UserId,
    which: MemberFilter,
) -> Result<(Vec<RoomId>, CommitNumber), Fault> {
    let sql = match which {
        MemberFilter::Present => {
            "select a.commit, array(select r.id from member m join room r on r.key = m.room
                where m.app = a.app and m.user_id = $2 and m.state <> 'left')
            from app_head a where a.app = (select key from app where id = $1)"
        }
        MemberFilter::Joined => {
            "select a.commit, array(select r.id from member m join room r on r.key = m.room
                where m.app = a.app and m.user_id = $2 and m.state = 'joined')
            from app_head a where a.app = (select key from app where id = $1)"
        }
    };
    let Some(row) = session.query_opt(sql, &[&app.as_str(), &user.as_str()]).await? else {
        return Ok((Vec::new(), CommitNumber(0)));
    };
    let ids = rows::get::<Vec<&str>>(&row, 1)?.into_iter();
    let ids = ids.map(|id| RoomId::new(id).map_err(|_| Fault::Damaged("what should be a RoomId is none")));
    Ok((ids.collect::<Result<_, _>>()?, rows::commit(&row, 0)?))
}

pub(crate) async fn share_rooms(
    session: &Session,
    app: &AppId,
    user: &UserId,
    others: &[UserId],
) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<&str> = others.iter().map(UserId::as_str).collect();
    let sql = "select q.place from unnest($3::text[]) with ordinality q(user_id, place)
        where exists (select 1 from (select o.room from member o
                where o.app = (select key from app where id = $1) and o.user_id = q.user_id and o.state = 'joined'
                offset 0) o
            cross join lateral (select 1 from member m
                where m.room = o.room and m.user_id = $2 and m.state = 'joined' offset 0) m
            offset 0)
        order by q.place";
    let found = session.query(sql, &[&app.as_str(), &user.as_str(), &ids]).await?;
    let mut shared = Vec::with_capacity(found.len());
    for row in &found {
        let place = usize::try_from(rows::get::<i64>(row, 0)? - 1).ok();
        shared.extend(place.and_then(|place| others.get(place)).cloned());
    }
    Ok(shared)
}
