//! What the devices see in the end: whole, the same for all, and in agreement with itself.

use std::collections::BTreeMap;

use super::check::{Case, Invariant};
use super::{Body, End, EndRoom, Seen, State};

pub(super) fn check(case: &mut Case<'_>) {
    dense(case);
    for end in &case.history.ends {
        for (name, room) in &end.rooms {
            agrees_with_log(case, end, name, room);
            cursors(case, end, name, room);
        }
    }
    converge(case);
}

fn dense(case: &mut Case<'_>) {
    let mut holes = Vec::new();
    for (room, log) in &case.logs {
        // Who made the room sees it from their own joining on, which is the second event.
        let first = log.keys().next().copied().unwrap_or(1).min(2);
        let missing = (first..).zip(log.keys()).find(|(expected, seq)| expected != *seq);
        if let Some((expected, seq)) = missing {
            holes.push(format!("{room}: after {} comes {seq}", expected - 1));
        }
    }
    for hole in holes {
        case.find(Invariant::SeqsAreDense, &[], hole);
    }
}

fn agrees_with_log(case: &mut Case<'_>, end: &End, name: &str, room: &EndRoom) {
    for event in &room.events {
        let Some(other) = case.event(name, event.seq) else { continue };
        if !same_view(event, other) {
            let what = format!("{name} {}: {} sees {event:?} in the end, another {other:?}", event.seq, end.device);
            case.find(Invariant::OneEventPerSeq, &[], what);
        }
        shows_last_edit(case, end, event);
    }
    if !room.events.is_sorted_by(|a, b| a.seq < b.seq) {
        case.find(Invariant::SeqsAreDense, &[], format!("{name}: {} reads events out of order", end.device));
    }
    let last = case.logs.get(name).and_then(|log| log.keys().last()).copied().unwrap_or(0);
    if room.state == State::Joined && room.head != last {
        let what =
            format!("{name}: {} is told the head {} in the end, but the log ends at {last}", end.device, room.head);
        case.find(Invariant::DevicesConverge, &[], what);
    }
}

/// Whether two devices see the same. Only the sender's devices are told the client id.
fn same_view(one: &Seen, other: &Seen) -> bool {
    let ids = one.client_id.is_none() || other.client_id.is_none() || one.client_id == other.client_id;
    // What a message says depends on which edits one may see.
    let bodies = match (&one.body, &other.body) {
        (Body::Message { text: one }, Body::Message { text: other }) => one.is_none() == other.is_none(),
        (one, other) => one == other,
    };
    ids && bodies
        && (&one.room, one.seq, one.commit, &one.sender) == (&other.room, other.seq, other.commit, &other.sender)
}

/// A message says what the last edit says that the user may see, and nothing once it is deleted.
fn shows_last_edit(case: &mut Case<'_>, end: &End, event: &Seen) {
    let Body::Message { text } = &event.body else { return };
    let states = case.states(&event.room, &end.device.user);
    let (mut expected, mut hidden, mut deleted) = (None, Vec::new(), false);
    for (seq, later) in case.logs.get(event.room.as_str()).into_iter().flat_map(|log| log.range(event.seq..)) {
        match &later.body {
            Body::Edit { target, text } if *target == event.seq => {
                // Whoever is only invited does not read the room yet.
                let joined = states.iter().rev().find(|(at, _)| at <= seq).is_some_and(|(_, is)| *is == State::Joined);
                if joined {
                    expected = Some(text);
                } else {
                    hidden.push(text);
                }
            }
            Body::Redaction { target } if *target == event.seq => deleted = true,
            _ => {}
        }
    }
    let right = match (deleted, expected) {
        (true, _) => text.is_none(),
        (false, Some(edit)) => text == edit,
        (false, None) => text.is_some() && !hidden.contains(&text),
    };
    if !right {
        let what = format!("{} {}: {} sees {text:?}, last edited to {expected:?}", event.room, event.seq, end.device);
        case.find(Invariant::DevicesConverge, &[], what);
    }
}

fn cursors(case: &mut Case<'_>, end: &End, name: &str, room: &EndRoom) {
    if room.state != State::Joined {
        return;
    }
    let Some(log) = case.logs.get(name) else { return };
    let messages =
        |to: u64| log.range(..=to).filter(|(_, event)| matches!(event.body, Body::Message { .. })).count() as u64;
    let (all, read) = (messages(room.head), messages(room.cursors.read));
    let told = (room.messages, room.cursors.read_messages, room.unread);
    if told != (all, read, all - read) {
        let what = format!(
            "{name}: {} is told {told:?} messages, read and unread; by the log and the cursor {} they are {:?}",
            end.device,
            room.cursors.read,
            (all, read, all - read)
        );
        case.find(Invariant::UnreadFollowsCursors, &[], what);
    }
}

fn converge(case: &mut Case<'_>) {
    // All devices of a user: the same in everything. All members of a room: the same members.
    let mut of_user: BTreeMap<&str, &End> = BTreeMap::new();
    let mut members: BTreeMap<&str, (&End, &BTreeMap<String, State>)> = BTreeMap::new();
    for end in &case.history.ends {
        let first = *of_user.entry(&end.device.user).or_insert(end);
        if first.rooms != end.rooms {
            let differ = first.rooms.iter().find(|(name, room)| end.rooms.get(*name) != Some(room));
            let differ = differ.or_else(|| end.rooms.iter().find(|(name, _)| !first.rooms.contains_key(*name)));
            let name = differ.map_or("", |(name, _)| name);
            let summary =
                |end: &End| end.rooms.get(name).map(|room| (room.head, room.unread, room.cursors, room.events.len()));
            let what = format!(
                "{name}: in the end {} sees {:?} and {} sees {:?} (head, unread, cursors, events)",
                first.device,
                summary(first),
                end.device,
                summary(end)
            );
            case.find(Invariant::DevicesConverge, &[], what);
        }
        for (name, room) in end.rooms.iter().filter(|(_, room)| room.state == State::Joined) {
            let (other, first) = *members.entry(name).or_insert((end, &room.members));
            if *first != room.members {
                let what = format!("{name}: {} and {} see different members in the end", other.device, end.device);
                case.find(Invariant::DevicesConverge, &[], what);
            }
        }
    }
    let mut wrong = Vec::new();
    for (name, (end, members)) in &members {
        let mut by_log = BTreeMap::new();
        for event in case.logs.get(name).into_iter().flat_map(BTreeMap::values) {
            if let Body::Member { user, state } = &event.body {
                by_log.insert(user.clone(), *state);
            }
        }
        by_log.retain(|_, state| *state != State::Left);
        if by_log != **members {
            wrong.push(format!("{name}: {} sees members {members:?}, the log says {by_log:?}", end.device));
        }
    }
    for what in wrong {
        case.find(Invariant::DevicesConverge, &[], what);
    }
}
