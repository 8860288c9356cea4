//! What was asked for against what is there in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Call, Case, Invariant};
use super::{Body, Micros, Op, Outcome, Seen, State};

/// A device that was ended may go on for so long.
const REVOKED_GRACE: Micros = 1_000_000;

pub(super) fn check(case: &mut Case<'_>) {
    kept(case);
    once(case);
    in_order(case);
    cursors(case);
    revoked(case);
}

fn kept(case: &mut Case<'_>) {
    for call in case.calls() {
        let Some(seq) = call.seq() else { continue };
        let event = case.event(call.room, seq);
        let fits = event.is_some_and(|event| fits(&call, event) || changes_nothing(case, &call, seq));
        if !fits {
            let what = format!("{} {seq} was acknowledged, and there is {event:?} in the end", call.room);
            case.find(Invariant::AckedIsKept, &[call.index], what);
        }
    }
}

/// Whether an event is what a call asked for.
fn fits(call: &Call<'_>, event: &Seen) -> bool {
    let user = &call.record.device.user;
    let ids = match (&event.client_id, call.client_id) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let member =
        |of: &str, is: State| matches!(&event.body, Body::Member { user, state } if user == of && *state == is);
    let body = match (call.op, &event.body) {
        (Op::Create, Body::Created) | (Op::Send { .. }, Body::Message { .. }) => true,
        (Op::Edit { target, .. }, Body::Edit { target: at, .. })
        | (Op::Redact { target }, Body::Redaction { target: at })
        | (Op::React { target, .. }, Body::Reaction { target: at, .. }) => target == at,
        (Op::Invite { user }, _) => member(user, State::Invited),
        (Op::Join, _) => member(user, State::Joined),
        (Op::Leave, _) => member(user, State::Left),
        (Op::Remove { user }, _) => member(user, State::Left),
        _ => false,
    };
    event.sender == *user && ids && body
}

/// Whether all was so already at a seq. Such a call is answered with the room's head.
fn changes_nothing(case: &Case<'_>, call: &Call<'_>, seq: u64) -> bool {
    let log = || case.logs.get(call.room).into_iter().flat_map(|log| log.range(..=seq));
    let is = |user: &str, state: State| {
        case.states(call.room, user).iter().rev().find(|(at, _)| *at <= seq).map(|(_, state)| *state) == Some(state)
    };
    match call.op {
        Op::Join => is(&call.record.device.user, State::Joined),
        Op::Leave => is(&call.record.device.user, State::Left),
        Op::Remove { user } => is(user, State::Left),
        Op::Invite { user } => is(user, State::Invited) || is(user, State::Joined),
        Op::Redact { target } => {
            log().any(|(_, event)| matches!(&event.body, Body::Redaction { target: at } if at == target))
        }
        Op::React { target, keys } => {
            let mut mine = log().filter_map(|(_, event)| match &event.body {
                Body::Reaction { target: at, keys } if at == target && event.sender == call.record.device.user => {
                    Some(keys)
                }
                _ => None,
            });
            let sorted = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
            mine.next_back().map(|keys| sorted(keys)).unwrap_or_default() == sorted(keys)
        }
        Op::Create | Op::Send { .. } | Op::Edit { .. } | Op::Cursor { .. } | Op::Revoke { .. } => false,
    }
}

fn once(case: &mut Case<'_>) {
    let mut events: BTreeMap<(&str, &str), Vec<(&str, u64)>> = BTreeMap::new();
    for (room, log) in &case.logs {
        for (seq, event) in log {
            if let Some(id) = &event.client_id {
                events.entry((&event.sender, id)).or_default().push((room, *seq));
            }
        }
    }
    let mut calls: BTreeMap<(&str, &str), Vec<Call<'_>>> = BTreeMap::new();
    for call in case.calls() {
        if let Some(id) = call.client_id {
            calls.entry((&call.record.device.user, id)).or_default().push(call);
        }
    }
    // Texts are used once too, so a message that lost its client id is still recognised.
    let mut said: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for (room, log) in &case.logs {
        for (seq, event) in log {
            if let Body::Message { text: Some(text) } | Body::Edit { text: Some(text), .. } = &event.body {
                // An edited message shows the text of its edit, which is an event of its own.
                if !matches!(event.body, Body::Message { .. }) || !is_edited(log, *seq) {
                    said.entry(text).or_default().push((room, *seq));
                }
            }
        }
    }
    let twice: Vec<_> = said.into_iter().filter(|(_, places)| places.len() > 1).collect();
    for (text, places) in twice {
        case.find(Invariant::OncePerClientId, &[], format!("{text:?} is there more than once: {places:?}"));
    }
    for (key, places) in events {
        let calls = calls.get(&key).map(Vec::as_slice).unwrap_or_default();
        let records: Vec<_> = calls.iter().map(|call| call.index).collect();
        if places.len() > 1 {
            let what = format!("client id {} of {} is there more than once: {places:?}", key.1, key.0);
            case.find(Invariant::OncePerClientId, &records, what);
        }
        let refused = !calls.is_empty() && calls.iter().all(|call| matches!(call.outcome, Outcome::Refused { .. }));
        if refused {
            let what = format!("client id {} of {} was refused and is there: {places:?}", key.1, key.0);
            case.find(Invariant::RefusedIsNowhere, &records, what);
        }
    }
    let mut answers: BTreeMap<(&str, &str), (usize, u64)> = BTreeMap::new();
    for call in case.calls() {
        let (Some(id), Some(seq)) = (call.client_id, call.seq()) else { continue };
        // What changes nothing is answered with the head of the moment, and need not be remembered.
        if case.event(call.room, seq).is_some_and(|event| !fits(&call, event)) && changes_nothing(case, &call, seq) {
            continue;
        }
        let (first, other) = *answers.entry((&call.record.device.user, id)).or_insert((call.index, seq));
        if other != seq {
            let what = format!("client id {id} of {} was answered with {other} and {seq}", call.record.device.user);
            case.find(Invariant::OncePerClientId, &[first, call.index], what);
        }
    }
}

fn is_edited(log: &BTreeMap<u64, &Seen>, seq: u64) -> bool {
    log.range(seq..).any(|(_, event)| matches!(&event.body, Body::Edit { target, .. } if *target == seq))
}

fn in_order(case: &mut Case<'_>) {
    let mut rooms: BTreeMap<&str, Vec<(Call<'_>, u64)>> = BTreeMap::new();
    for call in case.calls() {
        // A repeat is answered with what was written before it began; so is a call that changes nothing.
        let first = matches!(call.outcome, Outcome::Done { duplicate: false, .. });
        let writes = matches!(call.op, Op::Send { .. } | Op::Edit { .. } | Op::Join | Op::Leave | Op::Create);
        if let (Some(seq), true, true) = (call.seq(), first, writes) {
            rooms.entry(call.room).or_default().push((call, seq));
        }
    }
    for (room, mut calls) in rooms {
        calls.sort_by_key(|(call, _)| call.record.end);
        let mut ended: BTreeMap<Micros, (usize, u64)> = BTreeMap::new();
        let mut highest = (usize::MAX, 0);
        for (call, seq) in &calls {
            if *seq > highest.1 {
                highest = (call.index, *seq);
            }
            ended.insert(call.record.end, highest);
        }
        for (call, seq) in &calls {
            if let Some((_, (before, other))) = ended.range(..call.record.start).next_back()
                && other > seq
            {
                let what = format!("{room}: {other} was acknowledged before {seq} was asked for");
                case.find(Invariant::RealTimeOrder, &[*before, call.index], what);
            }
        }
    }
}

fn cursors(case: &mut Case<'_>) {
    let mut read: BTreeMap<(&str, &str), (usize, u64)> = BTreeMap::new();
    for call in case.calls() {
        if let (Op::Cursor { read: to }, Outcome::Done { .. }) = (call.op, call.outcome) {
            let most = read.entry((&call.record.device.user, call.room)).or_insert((call.index, *to));
            if *to > most.1 {
                *most = (call.index, *to);
            }
        }
    }
    for end in &case.history.ends {
        for (name, room) in end.rooms.iter().filter(|(_, room)| room.state == State::Joined) {
            let Some((index, to)) = read.get(&(end.device.user.as_str(), name.as_str())) else { continue };
            let to = (*to).min(room.head);
            if room.cursors.read < to || room.cursors.delivered < room.cursors.read {
                let what = format!("{name}: {} has read {to}, and in the end {:?}", end.device, room.cursors);
                case.find(Invariant::CursorsMoveForward, &[*index], what);
            }
        }
    }
}

fn revoked(case: &mut Case<'_>) {
    let mut ended: BTreeMap<(&str, u32), (usize, Micros)> = BTreeMap::new();
    for call in case.calls() {
        if let (Op::Revoke { number }, Outcome::Done { .. }) = (call.op, call.outcome) {
            ended.entry((&call.record.device.user, *number)).or_insert((call.index, call.record.end));
        }
    }
    let dead: BTreeSet<_> = ended.keys().copied().collect();
    for (index, record) in case.history.records.iter().enumerate() {
        let key = (record.device.user.as_str(), record.device.number);
        if !dead.contains(&key) {
            continue;
        }
        let (by, at) = ended[&key];
        let alive = match &record.what {
            super::What::Call { outcome: Outcome::Unknown, .. } => false,
            super::What::Call { outcome: Outcome::Refused { code }, .. } => {
                !matches!(code.as_str(), "token_revoked" | "unauthenticated" | "token_expired")
            }
            _ => true,
        };
        if alive && record.start > at + REVOKED_GRACE {
            let what = format!("{} still lives a second after it was ended", record.device);
            case.find(Invariant::RevokedIsDead, &[by, index], what);
        }
    }
}
