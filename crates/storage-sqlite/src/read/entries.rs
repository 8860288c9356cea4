//! Reads of events with what has become of them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AppId, Edit, Entry, Event, EventBody, ReactionCount, RoomId, Seq, SeqRange, Target, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use smol_str::SmolStr;
use storage::{READ_BYTES_MAX, record};

use crate::error::Fault;
use crate::key::{RoomKey, UserKey, split_event};
use crate::read::rooms;
use crate::rows::{self, EVENT, UserIds};
use crate::view::View;

pub(crate) fn target(
    view: View<'_>,
    app: &AppId,
    room: &RoomId,
    seq: Seq,
    viewer: &UserId,
) -> Result<Option<Target>, Fault> {
    let db = view.db;
    let Some((app, room)) = rooms::find(db, app, room)? else { return Ok(None) };
    let key = match seq {
        Seq(1..) if seq <= Seq::MAX => room.event(seq),
        Seq(_) => return Ok(None),
    };
    let Some((sender, body)) = sender_and_body(view, room, seq)? else { return Ok(None) };
    let my_keys = match rows::user_key(db, app, viewer)? {
        Some(viewer) => rows::load_reactions(db, key, viewer)?,
        None => BTreeSet::new(),
    };
    let mut kinds = db.prepare_cached("SELECT key FROM reaction_count WHERE event = ?")?;
    let kinds = kinds.query_map([key], |row| rows::text(row, 0))?.collect::<Result<_, _>>()?;
    Ok(Some(Target {
        sender,
        is_message: body.is_message(),
        redacted: matches!(body, EventBody::Message { redacted_by: Some(_), .. }),
        my_keys,
        kinds,
    }))
}

fn sender_and_body(view: View<'_>, room: RoomKey, seq: Seq) -> Result<Option<(UserId, EventBody)>, Fault> {
    let mut statement = view
        .db
        .prepare_cached("SELECT k.id, e.kind, e.body FROM log e JOIN user_key k ON k.key = e.sender WHERE e.key = ?")?;
    let mut found = statement.query([room.event(seq)])?;
    let Some(row) = found.next()? else {
        return Ok(view.fresh_event(room, seq).map(|fresh| (fresh.event.sender.clone(), fresh.event.body.clone())));
    };
    let body = record::decode(row.get(1)?, row.get_ref(2)?.as_str().map_err(rows::sqlite)?)?;
    Ok(Some((rows::user_id(row, 0)?, body)))
}

pub(crate) fn entries(
    view: View<'_>,
    app: &AppId,
    room: &RoomId,
    ranges: &[SeqRange],
    viewer: Option<&UserId>,
) -> Result<(Vec<Entry>, Seq), Fault> {
    let Some((app, key)) = rooms::find(view.db, app, room)? else { return Ok((Vec::new(), Seq(0))) };
    let head = view.head(key)?.seq;
    let viewer = viewer.map(|viewer| rows::user_key(view.db, app, viewer)).transpose()?.flatten();
    let (mut entries, mut users) = (Vec::new(), UserIds::default());
    let mut bytes = 0;
    for range in ranges {
        let last = range.last.min(head);
        if range.first <= last && bytes < READ_BYTES_MAX {
            let range = SeqRange { first: range.first.max(Seq(1)), last };
            let known = entries.len();
            read_range(view, (key, room), range, viewer, &mut users, &mut entries)?;
            bytes += entries[known..].iter().map(Entry::content_bytes).sum::<usize>();
        }
    }
    Ok((entries, head))
}

/// Adds the entries of a range that lies within the log.
pub(crate) fn read_range(
    view: View<'_>,
    (key, id): (RoomKey, &RoomId),
    range: SeqRange,
    viewer: Option<UserKey>,
    users: &mut UserIds,
    entries: &mut Vec<Entry>,
) -> Result<(), Fault> {
    let db = view.db;
    let keys = [key.event(range.first), key.event(range.last)];
    let mut edits = read_edits(db, key, keys)?;
    let mut reactions = read_reactions(db, keys, viewer)?;
    let mut statement =
        db.prepare_cached(&format!("SELECT {EVENT} FROM log WHERE key BETWEEN ? AND ? ORDER BY key"))?;
    let mut found = statement.query(keys)?;
    let mut last = Seq(range.first.0.saturating_sub(1));
    let mut entry = |event: Event| {
        let edit = edits.remove(&event.seq);
        let reactions = reactions.remove(&event.seq).unwrap_or_default();
        entries.push(Entry { event, edit, reactions });
    };
    while let Some(row) = found.next()? {
        let event = rows::event(db, row, id, users)?;
        last = event.seq;
        entry(event);
    }
    for fresh in view.fresh_events(key, last, range.last) {
        entry(Event::clone(&fresh.event));
    }
    Ok(())
}

/// The last edit of each message of a range; messages that were redacted have none.
fn read_edits(db: &Connection, room: RoomKey, keys: [i64; 2]) -> Result<BTreeMap<Seq, Edit>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT target, max(seq) FROM edit WHERE target BETWEEN ? AND ? GROUP BY target")?;
    let mut body = db.prepare_cached("SELECT at, kind, body FROM log WHERE key = ?")?;
    let mut found = statement.query(keys)?;
    let mut edits = BTreeMap::new();
    while let Some(row) = found.next()? {
        let (_, target) = split_event(row.get(0)?);
        let seq = Seq(row.get(1)?);
        let mut event = body.query([room.event(seq)])?;
        let event = event.next()?.ok_or(Fault::Damaged("an edit is missing"))?;
        let text = event.get_ref(2)?.as_str().map_err(rows::sqlite)?;
        if let EventBody::Edit { content: Some(content), .. } = record::decode(event.get(1)?, text)? {
            edits.insert(target, Edit { seq, at: Timestamp(event.get(0)?), content });
        }
    }
    Ok(edits)
}

/// The last edit of a message among those in these ranges.
pub(crate) fn last_edit(
    db: &Connection,
    app: &AppId,
    room: &RoomId,
    target: Seq,
    ranges: &[SeqRange],
) -> Result<Option<Edit>, Fault> {
    let Some((_, key)) = rooms::find(db, app, room)? else { return Ok(None) };
    let mut edits = db.prepare_cached("SELECT seq FROM edit WHERE target = ? ORDER BY seq DESC")?;
    let mut body = db.prepare_cached("SELECT at, kind, body FROM log WHERE key = ?")?;
    let mut found = edits.query([key.event(target)])?;
    while let Some(row) = found.next()? {
        let seq = Seq(row.get(0)?);
        if !ranges.iter().any(|range| (range.first..=range.last).contains(&seq)) {
            continue;
        }
        let mut event = body.query([key.event(seq)])?;
        let event = event.next()?.ok_or(Fault::Damaged("an edit is missing"))?;
        let text = event.get_ref(2)?.as_str().map_err(rows::sqlite)?;
        if let EventBody::Edit { content: Some(content), .. } = record::decode(event.get(1)?, text)? {
            return Ok(Some(Edit { seq, at: Timestamp(event.get(0)?), content }));
        }
    }
    Ok(None)
}

/// The reactions on each message of a range, most used first.
fn read_reactions(
    db: &Connection,
    keys: [i64; 2],
    viewer: Option<UserKey>,
) -> Result<BTreeMap<Seq, Vec<ReactionCount>>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT event, key, count FROM reaction_count WHERE event BETWEEN ? AND ? ORDER BY event, key",
    )?;
    let mut mine = db.prepare_cached("SELECT keys FROM reaction WHERE event = ? AND user = ?")?;
    let mut found = statement.query(keys)?;
    let mut counts: BTreeMap<i64, Vec<(SmolStr, u32)>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        counts.entry(row.get(0)?).or_default().push((rows::text(row, 1)?, row.get(2)?));
    }
    let mut reactions = BTreeMap::new();
    for (event, counts) in counts {
        let my_keys: Option<String> = match viewer {
            Some(viewer) => mine.query_row(params![event, viewer], |row| row.get(0)).optional()?,
            None => None,
        };
        let my_keys = my_keys.map(|json| rows::parse_keys(&json)).transpose()?.unwrap_or_default();
        let of_key = |(key, count): (SmolStr, u32)| ReactionCount { mine: my_keys.contains(&key), key, count };
        let mut list: Vec<_> = counts.into_iter().map(of_key).collect();
        list.sort_by_key(|reaction| std::cmp::Reverse(reaction.count));
        reactions.insert(split_event(event).1, list);
    }
    Ok(reactions)
}
