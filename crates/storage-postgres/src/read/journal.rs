//! Reads of the commit journal, the followers and their counters.

use std::collections::BTreeMap;

use domain::{AppId, CommitNumber, EventKind, MemberState, Seq, SeqRange};
use smol_str::SmolStr;
use storage::record::{self, kind};
use storage::{JournalEntry, TALLY_COMMITS_MAX, TALLY_EVENTS_MAX, Tallies, Tally};

use crate::error::Fault;
use crate::key::Moment;
use crate::read::{BEGIN, END};
use crate::rows::{self, signed};
use crate::session::{Call, Session};

pub(crate) async fn journal(
    session: &Session,
    app: &AppId,
    after: CommitNumber,
    limit: usize,
) -> Result<Vec<JournalEntry>, Fault> {
    let sql = "select j.commit, j.at, j.first_seqs, j.last_seqs,
            array(select r.id from unnest(j.rooms) with ordinality u(key, place) join room r on r.key = u.key
                order by u.place)
        from journal j where j.app = (select key from app where id = $1) and j.commit > $2
        order by j.commit limit $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = session.query(sql, &[&app.as_str(), &signed(after.0), &limit]).await?;
    let mut entries = Vec::with_capacity(found.len());
    for row in &found {
        let (firsts, lasts) = (rows::get::<Vec<i64>>(row, 2)?, rows::get::<Vec<i64>>(row, 3)?);
        let ids: Vec<&str> = rows::get(row, 4)?;
        if (ids.len(), ids.len()) != (firsts.len(), lasts.len()) {
            return Err(Fault::Damaged("a line of the journal has lists of unequal length"));
        }
        let mut rooms = Vec::with_capacity(ids.len());
        for (id, (first, last)) in ids.into_iter().zip(firsts.into_iter().zip(lasts)) {
            let id = domain::RoomId::new(id).map_err(|_| Fault::Damaged("what should be a RoomId is none"))?;
            rooms.push((id, SeqRange { first: Seq(first.cast_unsigned()), last: Seq(last.cast_unsigned()) }));
        }
        entries.push(JournalEntry { commit: rows::commit(row, 0)?, at: rows::get::<Moment>(row, 1)?.0, rooms });
    }
    Ok(entries)
}

const TALLIED: &str = "select j.commit, j.at, j.rooms, j.first_seqs, j.last_seqs
    from journal j where j.app = (select key from app where id = $1) and j.commit > $2 order by j.commit limit $3";

const KINDS: &str = "select q.commit, e.kind, case when e.kind = 3 then e.body ->> 'state' end, count(*)
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) q(commit, room, first, last)
    join event e on e.room = q.room and e.seq between q.first and q.last
    group by 1, 2, 3";

pub(crate) async fn tallies(session: &Session, app: &AppId, after: CommitNumber) -> Result<Tallies, Fault> {
    let limit = TALLY_COMMITS_MAX as i64 + 1;
    // What has been committed stays: the journal needs no snapshot with the events, whose kinds don't change.
    let found = session.query(TALLIED, &[&app.as_str(), &signed(after.0), &limit]).await?;
    let (mut tallies, mut counted) = (Tallies::default(), 0_u64);
    let [mut commits, mut rooms, mut firsts, mut lasts] = [const { Vec::<i64>::new() }; 4];
    for row in &found {
        if tallies.commits.len() == TALLY_COMMITS_MAX || counted >= TALLY_EVENTS_MAX {
            tallies.more = true;
            break;
        }
        let commit = rows::commit(row, 0)?;
        let (first, last) = (rows::get::<Vec<i64>>(row, 3)?, rows::get::<Vec<i64>>(row, 4)?);
        counted += first.iter().zip(&last).map(|(first, last)| (last - first + 1).max(0).cast_unsigned()).sum::<u64>();
        commits.extend(first.iter().map(|_| signed(commit.0)));
        rooms.extend(rows::get::<Vec<i64>>(row, 2)?);
        firsts.extend(first);
        lasts.extend(last);
        tallies.commits.push(Tally { commit, at: rows::get::<Moment>(row, 1)?.0, events: BTreeMap::new() });
    }
    if commits.is_empty() {
        return Ok(tallies);
    }
    let calls = [Call::new(BEGIN, []), Call::new(KINDS, [&commits, &rooms, &firsts, &lasts]), Call::new(END, [])];
    for row in &session.pipeline_all(&calls).await?[1] {
        let commit = rows::commit(row, 0)?;
        let kind = event_kind(rows::event_kind(row, 1)?, rows::get(row, 2)?)?;
        if let Ok(index) = tallies.commits.binary_search_by_key(&commit, |tally| tally.commit) {
            *tallies.commits[index].events.entry(kind).or_default() += rows::number(row, 3)?;
        }
    }
    Ok(tallies)
}

fn event_kind(kind: u8, state: Option<&str>) -> Result<EventKind, Fault> {
    if kind != kind::MEMBER {
        return Ok(record::event_kind(kind, None)?);
    }
    Ok(match record::state_of(state.unwrap_or_default())? {
        MemberState::Joined => EventKind::Joined,
        MemberState::Invited => EventKind::Invited,
        MemberState::Left => EventKind::Left,
    })
}

pub(crate) async fn follower(session: &Session, app: &AppId, name: &str) -> Result<CommitNumber, Fault> {
    let sql = "select commit from follower where app = (select key from app where id = $1) and name = $2";
    let row = session.query_opt(sql, &[&app.as_str(), &name]).await?;
    row.map_or(Ok(CommitNumber(0)), |row| rows::commit(&row, 0))
}

pub(crate) async fn counts(
    session: &Session,
    app: &AppId,
    from_day: u32,
) -> Result<BTreeMap<(u32, SmolStr), u64>, Fault> {
    let sql = "select day, name, amount from counter where app = (select key from app where id = $1) and day >= $2";
    let from_day = i32::try_from(from_day).unwrap_or(i32::MAX);
    let mut counts = BTreeMap::new();
    for row in &session.query(sql, &[&app.as_str(), &from_day]).await? {
        let day = u32::try_from(rows::get::<i32>(row, 0)?).map_err(|_| Fault::Damaged("a day is negative"))?;
        counts.insert((day, rows::text(row, 1)?), rows::number(row, 2)?);
    }
    Ok(counts)
}
