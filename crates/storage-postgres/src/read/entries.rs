//! Reads of events with what has become of them.

use std::collections::HashMap;

use domain::{AppId, Edit, Entry, Event, EventBody, ReactionCount, RoomId, Seq, SeqRange, Target, UserId};
use storage::{READ_BYTES_MAX, record};
use tokio_postgres::Row;

use crate::error::Fault;
use crate::key::{Moment, RoomKey};
use crate::read::{BEGIN, END};
use crate::rows::{self, signed};
use crate::session::{Call, Session};

/// Events that are read at once before it is looked how many bytes they have.
const STEP_EVENTS: u64 = 64;

const HEAD: &str = "select h.seq, a.commit, h.room from app_head a
    left join room_head h on h.room = (select key from room where app = (select key from app where id = $1) and id = $2)
    where a.app = (select key from app where id = $1)";

/// With the last edit of each message; messages that were redacted have none.
const EVENTS: &str = "select q.place, e.seq, e.commit, e.at, e.sender, e.client_id, e.number, e.kind, e.body::text,
        x.seq, x.at, x.kind, x.body::text
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality q(room, first, last, place)
    join event e on e.room = q.room and e.seq between q.first and q.last
    left join lateral (select d.seq from edit d where e.kind = 4 and d.room = e.room and d.target = e.seq
        order by d.seq desc limit 1) d on true
    left join lateral (select * from event x where x.room = e.room and x.seq = d.seq offset 0) x on true
    order by q.place, e.seq";

const REACTIONS: &str = "select q.place, c.target, c.key, c.count, exists (select 1 from reaction x
            where x.room = c.room and x.target = c.target and x.user_id = $4 and c.key = any(x.keys))
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality q(room, first, last, place)
    join reaction_count c on c.room = q.room and c.target between q.first and q.last
    order by q.place, c.target, c.count desc, c.key";

/// How many statements read [`Parts`].
pub(crate) const STATEMENTS: usize = 2;

/// Parts of rooms' logs, as arguments.
#[derive(Default)]
pub(crate) struct Parts {
    ids: Vec<RoomId>,
    rooms: Vec<RoomKey>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
}

impl Parts {
    pub(crate) fn add(&mut self, id: RoomId, room: RoomKey, range: SeqRange) {
        self.ids.push(id);
        self.rooms.push(room);
        self.firsts.push(signed(range.first.0));
        self.lasts.push(signed(range.last.0));
    }

    /// The statements that read them.
    pub(crate) fn calls<'a>(&'a self, viewer: &'a Option<&'a str>) -> [Call<'a>; STATEMENTS] {
        [
            Call::new(EVENTS, [&self.rooms, &self.firsts, &self.lasts]),
            Call::new(REACTIONS, [&self.rooms, &self.firsts, &self.lasts, viewer]),
        ]
    }

    /// What they have answered, part by part.
    pub(crate) fn entries(&self, answers: &[Vec<Row>]) -> Result<Vec<Vec<Entry>>, Fault> {
        let [events, reactions] = answers else {
            return Err(Fault::Damaged("not all statements were answered"));
        };
        let place = |row: &Row| {
            let place = usize::try_from(rows::get::<i64>(row, 0)? - 1).ok().filter(|place| *place < self.ids.len());
            place.ok_or(Fault::Damaged("a row answers nothing"))
        };
        let mut counted: HashMap<_, Vec<ReactionCount>> = HashMap::new();
        for row in reactions {
            let count = u32::try_from(rows::get::<i32>(row, 3)?).unwrap_or(0);
            let reaction = ReactionCount { key: rows::text(row, 2)?, count, mine: rows::get(row, 4)? };
            counted.entry((place(row)?, rows::seq(row, 1)?)).or_default().push(reaction);
        }
        let mut entries: Vec<Vec<Entry>> = self.ids.iter().map(|_| Vec::new()).collect();
        for row in events {
            let place = place(row)?;
            let event: Event = rows::event(self.ids[place].clone(), row, 1)?;
            let name = (place, event.seq);
            let edit = match rows::optional_seq(row, 9)? {
                Some(seq) => edit(seq, row, 10)?,
                None => None,
            };
            let reactions = counted.remove(&name).unwrap_or_default();
            entries[place].push(Entry { event, edit, reactions });
        }
        Ok(entries)
    }
}

/// Entries of a room, with what else is known at the same moment.
pub(crate) struct Read {
    pub(crate) entries: Vec<Entry>,
    /// The head of the room.
    pub(crate) head: Seq,
    /// The last commit of the app.
    pub(crate) commit: domain::CommitNumber,
}

/// Reads entries. `key` is the room's number if it is known; it saves a round trip.
pub(crate) async fn entries(
    session: &Session,
    (app, room): (&AppId, &RoomId),
    key: &mut Option<RoomKey>,
    ranges: &[SeqRange],
    viewer: Option<&UserId>,
) -> Result<Read, Fault> {
    let (app_id, room_id, viewer) = (app.as_str(), room.as_str(), viewer.map(UserId::as_str));
    let mut read = Read { entries: Vec::new(), head: Seq(0), commit: domain::CommitNumber(0) };
    let (mut bytes, mut rest, mut begun) = (0, ranges, false);
    loop {
        let (step, after) = rest.split_at(if key.is_some() { step_of(rest) } else { 0 });
        let mut parts = Parts::default();
        if let Some(key) = *key {
            step.iter().for_each(|range| parts.add(room.clone(), key, *range));
        }
        let (mut calls, mut skipped) = (Vec::new(), 0);
        if !begun {
            calls.push(Call::new(BEGIN, []));
            calls.push(Call::new(HEAD, [&app_id, &room_id]));
            skipped = 2;
        }
        if !step.is_empty() {
            calls.extend(parts.calls(&viewer));
        }
        let is_last = after.is_empty() && (key.is_some() || ranges.is_empty());
        if is_last {
            calls.push(Call::new(END, []));
        }
        let answers = session.pipeline_all(&calls).await?;
        if !begun {
            begun = true;
            if let Some(row) = answers[1].first() {
                read.head = rows::optional_seq(row, 0)?.unwrap_or_default();
                read.commit = rows::commit(row, 1)?;
                *key = rows::get(row, 2)?;
            }
        }
        if !step.is_empty() {
            for part in parts.entries(&answers[skipped..skipped + STATEMENTS])? {
                if bytes >= READ_BYTES_MAX {
                    break;
                }
                bytes += part.iter().map(Entry::content_bytes).sum::<usize>();
                read.entries.extend(part);
            }
        }
        if is_last {
            return Ok(read);
        }
        if bytes >= READ_BYTES_MAX || key.is_none() {
            session.query(END, &[]).await?;
            return Ok(read);
        }
        rest = after;
    }
}

/// How many of these ranges are read at once.
fn step_of(ranges: &[SeqRange]) -> usize {
    let mut events = 0_u64;
    for (index, range) in ranges.iter().enumerate() {
        if events >= STEP_EVENTS {
            return index;
        }
        events = events.saturating_add(range.last.0.saturating_sub(range.first.0)).saturating_add(1);
    }
    ranges.len()
}

pub(crate) async fn target(
    session: &Session,
    app: &AppId,
    room: &RoomId,
    seq: Seq,
    viewer: &UserId,
) -> Result<Option<Target>, Fault> {
    let sql = "select e.sender, e.kind, e.body::text,
            coalesce((select x.keys from reaction x where x.room = e.room and x.target = e.seq and x.user_id = $4), '{}'),
            array(select c.key from reaction_count c where c.room = e.room and c.target = e.seq)
        from event e where e.seq = $3
            and e.room = (select key from room where app = (select key from app where id = $1) and id = $2)";
    let arguments = (app.as_str(), room.as_str(), signed(seq.0), viewer.as_str());
    let row = session.query_opt(sql, &[&arguments.0, &arguments.1, &arguments.2, &arguments.3]).await?;
    let Some(row) = row else { return Ok(None) };
    let body = record::decode(rows::event_kind(&row, 1)?, rows::get(&row, 2)?)?;
    Ok(Some(Target {
        sender: rows::user_id(&row, 0)?,
        is_message: body.is_message(),
        redacted: matches!(body, EventBody::Message { redacted_by: Some(_), .. }),
        my_keys: rows::reaction_keys(&row, 3)?,
        kinds: rows::reaction_keys(&row, 4)?,
    }))
}

/// The last edit of a message among those in these ranges, and the last commit of the app.
pub(crate) async fn last_edit(
    session: &Session,
    app: &AppId,
    room: &RoomId,
    target: Seq,
    ranges: &[SeqRange],
) -> Result<(Option<Edit>, domain::CommitNumber), Fault> {
    let sql = "select h.commit, e.seq, e.at, e.kind, e.body from app_head h
        left join lateral (select e.seq, e.at, e.kind, e.body::text as body
            from edit d
            cross join lateral (select * from event e where e.room = d.room and e.seq = d.seq offset 0) e
            where d.room = (select key from room where app = (select key from app where id = $1) and id = $2)
                and d.target = $3 and exists (select 1 from unnest($4::bigint[], $5::bigint[]) q(first, last)
                    where d.seq between q.first and q.last offset 0)
            order by d.seq desc limit 1) e on true
        where h.app = (select key from app where id = $1)";
    let firsts: Vec<i64> = ranges.iter().map(|range| signed(range.first.0)).collect();
    let lasts: Vec<i64> = ranges.iter().map(|range| signed(range.last.0)).collect();
    let arguments = (app.as_str(), room.as_str(), signed(target.0));
    let row = session.query_opt(sql, &[&arguments.0, &arguments.1, &arguments.2, &firsts, &lasts]).await?;
    let Some(row) = row else { return Ok((None, domain::CommitNumber(0))) };
    let commit = rows::commit(&row, 0)?;
    let Some(seq) = rows::optional_seq(&row, 1)? else { return Ok((None, commit)) };
    Ok((edit(seq, &row, 2)?, commit))
}

/// An edit that has not lost its content. Columns from the given one on: at, kind, body as text.
fn edit(seq: Seq, row: &Row, from: usize) -> Result<Option<Edit>, Fault> {
    let at = rows::get::<Moment>(row, from)?.0;
    Ok(match record::decode(rows::event_kind(row, from + 1)?, rows::get(row, from + 2)?)? {
        EventBody::Edit { content: Some(content), .. } => Some(Edit { seq, at, content }),
        _ => None,
    })
}
