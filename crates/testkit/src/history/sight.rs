//! What was pushed and read on the way against what is there in the end.

use std::collections::BTreeMap;

use super::check::{self, Call, Case, Invariant, Texts, texts};
use super::{Body, Cursors, Micros, Op, Outcome, Record, Seen, State, What};

pub(super) fn check(case: &mut Case<'_>) {
    let texts = texts(case);
    let history = case.history;
    for (index, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Pushed(event) => seen(case, &texts, index, record, event),
            What::Read { events, .. } | What::Connected { last: events, .. } => {
                for event in events {
                    seen(case, &texts, index, record, event);
                }
            }
            _ => {}
        }
    }
    for end in &history.ends {
        for event in end.rooms.values().flat_map(|room| &room.events) {
            is_as_said(case, &texts, &[], event);
            hidden_from(case, &[], &end.device.user, event);
            if let Some(text) = text_of(event)
                && texts.deleted.contains_key(text)
            {
                let what =
                    format!("{} {}: {} sees {text:?} in the end, which is deleted", event.room, event.seq, end.device);
                case.find(Invariant::DeletedIsGone, &[], what);
            }
        }
    }
    for (text, file) in &history.leftovers {
        case.find(Invariant::DeletedIsGone, &[], format!("{text:?} is deleted and in {file}"));
    }
    deleted_in_answers(case, &texts);
    pushes(case);
    pushed_cursors(case);
    fresh(case);
}

fn text_of(event: &Seen) -> Option<&str> {
    match &event.body {
        Body::Message { text } | Body::Edit { text, .. } => text.as_deref(),
        _ => None,
    }
}

/// One event as it was seen on the way.
fn seen(case: &mut Case<'_>, texts: &Texts<'_>, index: usize, record: &Record, event: &Seen) {
    if let Some(end) = case.event(&event.room, event.seq) {
        let ids = event.client_id.is_none() || end.client_id.is_none() || event.client_id == end.client_id;
        if !ids || (event.commit, &event.sender) != (end.commit, &end.sender) || !same_kind(&event.body, &end.body) {
            let what = format!("{} {}: seen as {event:?}, in the end {end:?}", event.room, event.seq);
            case.find(Invariant::OneEventPerSeq, &[index], what);
        }
    } else if case.logs.contains_key(event.room.as_str()) {
        let what = format!("{} {}: {event:?} was seen and is not there in the end", event.room, event.seq);
        case.find(Invariant::AckedIsKept, &[index], what);
    }
    is_as_said(case, texts, &[index], event);
    hidden_from(case, &[index], &record.device.user, event);
}

/// The same but for what edits and deletions change.
fn same_kind(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (Body::Message { .. }, Body::Message { .. }) => true,
        (Body::Edit { target: a, .. }, Body::Edit { target: b, .. }) => a == b,
        _ => one == other,
    }
}

/// A message says what its sender wrote, or an edit of it.
fn is_as_said(case: &mut Case<'_>, texts: &Texts<'_>, records: &[usize], event: &Seen) {
    let Some(text) = text_of(event).filter(|_| case.logs.contains_key(event.room.as_str())) else { return };
    let message = match &event.body {
        Body::Edit { target, .. } => *target,
        _ => event.seq,
    };
    let said = texts.of.get(&(event.room.as_str(), message));
    if !said.is_some_and(|said| said.contains(text)) {
        let what = format!("{} {}: shows {text:?}, which nobody said there", event.room, event.seq);
        case.find(Invariant::OneEventPerSeq, records, what);
    }
}

/// What happened between leaving and coming back is not seen.
fn hidden_from(case: &mut Case<'_>, records: &[usize], user: &str, event: &Seen) {
    if !case.logs.contains_key(event.room.as_str()) {
        return;
    }
    let states = case.states(&event.room, user);
    if !check::is_visible(&states, event.seq) {
        let what = format!("{} {}: {user} sees it and was out of the room ({states:?})", event.room, event.seq);
        case.find(Invariant::RemovedSeesNothing, records, what);
    }
}

/// No answer that was asked for after the deletion was acknowledged shows the text.
fn deleted_in_answers(case: &mut Case<'_>, texts: &Texts<'_>) {
    let history = case.history;
    for (index, record) in history.records.iter().enumerate() {
        let shown: Vec<&str> = match &record.what {
            What::Read { events, .. } | What::Connected { last: events, .. } => {
                events.iter().filter_map(text_of).collect()
            }
            _ => continue,
        };
        for text in shown {
            if let Some(Some((by, at))) = texts.deleted.get(text)
                && *at < record.start
            {
                let what = format!("{text:?} was deleted before this was asked for");
                case.find(Invariant::DeletedIsGone, &[*by, index], what);
            }
        }
    }
}

/// How far the pushes of a room have come on a connection.
#[derive(Clone, Copy)]
struct Reached {
    seq: u64,
    by: usize,
    /// The next push may leave some out: a resync was told, or the user came back.
    may_skip: bool,
}

fn pushes(case: &mut Case<'_>) {
    let history = case.history;
    let mut reached: BTreeMap<(&super::Device, u32, &str), Reached> = BTreeMap::new();
    for (index, record) in history.records.iter().enumerate() {
        let key = |room| (&record.device, record.connection, room);
        match &record.what {
            What::Resync => {
                for (_, reached) in reached.range_mut(key("")..).take_while(|((device, connection, _), _)| {
                    *device == &record.device && *connection == record.connection
                }) {
                    reached.may_skip = true;
                }
            }
            What::Pushed(event) => {
                let own = matches!(&event.body, Body::Member { user, .. } if *user == record.device.user);
                if let Some(last) = reached.get(&key(&event.room)) {
                    let hole = event.seq > last.seq + 1 && !last.may_skip && !own;
                    if event.seq <= last.seq || hole {
                        let what =
                            format!("{}: {} is pushed {} after {}", event.room, record.device, event.seq, last.seq);
                        case.find(Invariant::PushesAreInOrder, &[last.by, index], what);
                    }
                }
                reached.insert(key(&event.room), Reached { seq: event.seq, by: index, may_skip: own });
            }
            _ => {}
        }
    }
}

fn pushed_cursors(case: &mut Case<'_>) {
    let history = case.history;
    let mut last: BTreeMap<(&super::Device, u32, &str, &str), (usize, Cursors)> = BTreeMap::new();
    for (index, record) in history.records.iter().enumerate() {
        let What::CursorPushed { room, user, cursors } = &record.what else { continue };
        let key = (&record.device, record.connection, room.as_str(), user.as_str());
        if let Some((before, old)) = last.insert(key, (index, *cursors))
            && (cursors.read < old.read || cursors.delivered < old.delivered)
        {
            let what = format!("{room}: {user}'s cursors go from {old:?} to {cursors:?}");
            case.find(Invariant::CursorsMoveForward, &[before, index], what);
        }
    }
}

/// Reads and syncs show what was acknowledged before they began.
fn fresh(case: &mut Case<'_>) {
    let mut acks: BTreeMap<&str, Vec<(Micros, usize, u64, u64)>> = BTreeMap::new();
    for Call { index, record, room, op, outcome, .. } in case.calls() {
        if let (Op::Send { .. } | Op::Edit { .. }, Outcome::Done { seq, commit, .. }) = (op, outcome) {
            acks.entry(room).or_default().push((record.end, index, *seq, *commit));
        }
    }
    // With the highest seq and commit of all that ended up to each.
    for acks in acks.values_mut() {
        acks.sort_unstable();
        let mut highest = (0, 0, 0);
        for (_, index, seq, commit) in acks.iter_mut() {
            if *seq > highest.1 {
                highest = (*index, *seq, *commit);
            }
            (*index, *seq, *commit) = highest;
        }
    }
    let before = |room: &str, start: Micros| {
        let acks = acks.get(room)?;
        let count = acks.partition_point(|(end, ..)| *end < start);
        acks.get(count.checked_sub(1)?).copied()
    };
    let history = case.history;
    for (index, record) in history.records.iter().enumerate() {
        match &record.what {
            What::Read { room, head, events } => {
                let Some((_, by, seq, _)) = before(room, record.start) else { continue };
                // Who is out sees older ones only.
                let out = case.states(room, &record.device.user).iter().any(|(_, state)| *state == State::Left);
                let last = events.last().map_or(0, |event| event.seq);
                if !out && (*head < seq || last < seq) {
                    let what = format!("{room}: {seq} was acknowledged before, and a read shows {last} of {head}");
                    case.find(Invariant::ReadsAreFresh, &[by, index], what);
                }
            }
            What::Connected { since, rooms, commit, .. } => {
                for (room, (state, head)) in rooms {
                    let states = case.states(room, &record.device.user);
                    // Who was invited only and never in is told no head.
                    let told_right = *head == 0 || states.contains(&(*head, State::Left));
                    if *state == State::Left && case.logs.contains_key(room.as_str()) && !told_right {
                        let what = format!("{room}: {} is out, and is told the head {head}", record.device);
                        case.find(Invariant::RemovedSeesNothing, &[index], what);
                    }
                }
                let names: Vec<&str> = case.logs.keys().copied().collect();
                for room in names {
                    let Some((_, by, seq, acked)) = before(room, record.start) else { continue };
                    let states = case.states(room, &record.device.user);
                    let in_all_along = matches!(states.as_slice(), [.., (_, State::Joined)])
                        && states.iter().all(|(at, state)| *state != State::Left && *at < seq);
                    let told = rooms.get(room).map(|(_, head)| *head);
                    if in_all_along && acked > *since && (told.is_none_or(|head| head < seq) || *commit < acked) {
                        let what = format!(
                            "{room}: {seq} (commit {acked}) was acknowledged before; {} syncs since {since} up to {commit} \
                             and is told {told:?}",
                            record.device
                        );
                        case.find(Invariant::ReadsAreFresh, &[by, index], what);
                    }
                }
            }
            _ => {}
        }
    }
}
