//! What changed for a user since a commit.
//!
//! There are two ways to the rooms that may have changed: the journal since then, if it is short, or all rooms of the user.
//! Either way each room found is looked at closely, so both give the same answer.

use domain::{AppId, CommitNumber, Seq, SeqRange, UserId};
use storage::{Changed, ListedRoom};

use crate::error::Fault;
use crate::key::RoomKey;
use crate::read::entries::{Parts, STATEMENTS};
use crate::read::{BEGIN, END};
use crate::rows::{self, signed};
use crate::session::{Call, Session};

/// Commits whose rooms are looked up one by one; with more of them the rooms of the user are gone through.
const COMMITS_FEW: u64 = 16;

const HEAD: &str = "select commit from app_head where app = (select key from app where id = $1)";

const ALL: &str = "select x.room, r.id, x.changed, h.last_message, count(*) over ()
    from (select m.room, case when m.state = 'joined' then greatest(h.commit, c.commit, p.commit)
            else m.commit end as changed
        from (select * from member where app = (select key from app where id = $1) and user_id = $2 offset 0) m
        join room_head h on h.room = m.room
        cross join lateral (select * from member_cursor c where c.room = m.room and c.user_id = m.user_id offset 0) c
        left join lateral (select * from member_cursor p where p.room = m.room and p.user_id = m.peer offset 0) p on true
        where not ($4 and m.state = 'left')) x
    join room r on r.key = x.room join room_head h on h.room = x.room
    where x.changed > $3
    order by x.changed fetch first ($5::bigint) rows with ties";

const OF_JOURNAL: &str = "select x.room, r.id, x.changed, h.last_message, count(*) over ()
    from (select m.room, case when m.state = 'joined' then greatest(h.commit, c.commit, p.commit)
            else m.commit end as changed
        from (select distinct unnest(j.rooms || j.touched) as room from journal j
            where j.app = (select key from app where id = $1) and j.commit > $3) n
        cross join lateral (select * from member m where m.room = n.room and m.user_id = $2 offset 0) m
        join room_head h on h.room = m.room
        cross join lateral (select * from member_cursor c where c.room = m.room and c.user_id = m.user_id offset 0) c
        left join lateral (select * from member_cursor p where p.room = m.room and p.user_id = m.peer offset 0) p on true
        where not ($4 and m.state = 'left')) x
    join room r on r.key = x.room join room_head h on h.room = x.room
    where x.changed > $3
    order by x.changed fetch first ($5::bigint) rows with ties";

const ROOMS: &str =
    "select r.kind, r.low, r.high, r.settings::text, r.created_at, r.joined, r.invited, r.owners, r.version,
        h.seq, h.messages, h.last_message, h.commit,
        m.user_id, m.state, m.level, m.invited_by, m.invited_at, m.stays::text, m.commit,
        c.delivered, c.read, c.read_messages, c.commit,
        p.user_id, p.state, p.level, p.invited_by, p.invited_at, p.stays::text, p.commit,
        d.delivered, d.read, d.read_messages, d.commit
    from unnest($1::bigint[]) with ordinality q(room, place)
    join room r on r.key = q.room
    join room_head h on h.room = q.room
    cross join lateral (select * from member m where m.room = q.room and m.user_id = $2 offset 0) m
    cross join lateral (select * from member_cursor c where c.room = m.room and c.user_id = m.user_id offset 0) c
    left join lateral (select * from member p where p.room = m.room and p.user_id = m.peer offset 0) p on true
    left join lateral (select * from member_cursor d where d.room = p.room and d.user_id = p.user_id offset 0) d on true
    order by q.place";

/// What changed. `known` is a commit that the app has reached, if one is known.
pub(crate) async fn changed(
    session: &Session,
    app: &AppId,
    user: &UserId,
    since: CommitNumber,
    limit: usize,
    known: CommitNumber,
) -> Result<Changed, Fault> {
    let (app, user) = (app.as_str(), user.as_str());
    let (since, skip_left) = (signed(since.0), since == CommitNumber(0));
    let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let few = known.0 > 0 && signed(known.0) - since <= signed(COMMITS_FEW);
    let look = if few { OF_JOURNAL } else { ALL };
    let calls =
        [Call::new(BEGIN, []), Call::new(HEAD, [&app]), Call::new(look, [&app, &user, &since, &skip_left, &limit])];
    let answers = session.pipeline_all(&calls).await?;
    let head = answers[1].first().map_or(Ok(CommitNumber(0)), |row| rows::commit(row, 0))?;
    let mut told = Vec::new();
    let mut total = 0;
    for row in &answers[2] {
        let (room, last_message) = (rows::get::<RoomKey>(row, 0)?, rows::optional_seq(row, 3)?);
        told.push((rows::commit(row, 2)?, rows::room_id(row, 1)?, room, last_message));
        total = rows::get::<i64>(row, 4)?;
    }
    told.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let more = i64::try_from(told.len()).is_ok_and(|told| told < total);
    let commit = told.last().filter(|_| more).map_or(head, |(commit, ..)| *commit);

    let rooms: Vec<RoomKey> = told.iter().map(|(_, _, room, _)| *room).collect();
    let mut parts = Parts::default();
    for (_, id, room, last_message) in &told {
        // A room without messages has none at seq 0 either.
        let seq = last_message.unwrap_or(Seq(0));
        parts.add(id.clone(), *room, SeqRange { first: seq, last: seq });
    }
    let viewer = Some(user);
    let mut calls = Vec::new();
    if !told.is_empty() {
        calls.push(Call::new(ROOMS, [&rooms, &user]));
        calls.extend(parts.calls(&viewer));
    }
    calls.push(Call::new(END, []));
    let answers = session.pipeline_all(&calls).await?;
    let mut listed = Vec::with_capacity(told.len());
    if !told.is_empty() {
        if answers[0].len() != told.len() {
            return Err(Fault::Damaged("a room that changed is gone"));
        }
        let messages = parts.entries(&answers[1..=STATEMENTS])?;
        for ((row, (_, id, ..)), mut messages) in answers[0].iter().zip(told).zip(messages) {
            let peer = match rows::optional_user(row, 24)? {
                Some(_) => Some(rows::membership(row, 24)?),
                None => None,
            };
            listed.push(ListedRoom {
                room: rows::room(id, row, 0)?,
                head: rows::head(row, 9)?,
                me: rows::membership(row, 13)?,
                last_message: messages.pop(),
                peer,
            });
        }
    }
    Ok(Changed { rooms: listed, commit, more })
}
