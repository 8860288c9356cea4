//! The checker: what it promises to find, and how a finding is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Body, History, Micros, Op, Outcome, Record, Seen, State, What, calls, ends, sight};

/// A promise that a history may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// What was acknowledged is there in the end, as it was asked for.
    AckedIsKept,
    /// A client id writes once, however often it is sent.
    OncePerClientId,
    /// What was refused is nowhere.
    RefusedIsNowhere,
    /// The seqs of a room are 1, 2, 3 … without a hole.
    SeqsAreDense,
    /// A seq is the same event for everybody, whenever it is looked at.
    OneEventPerSeq,
    /// Of two calls that do not overlap, the later one comes later.
    RealTimeOrder,
    /// On a connection the events of a room come in order, each once, without a hole that was not told of.
    PushesAreInOrder,
    /// Cursors never move back.
    CursorsMoveForward,
    /// Unread messages are those after the read cursor.
    UnreadFollowsCursors,
    /// Who is out of a room sees nothing that happened meanwhile.
    RemovedSeesNothing,
    /// All devices of a user, and all members of a room, see the same in the end.
    DevicesConverge,
    /// The text of a deleted message is in no answer and in no file.
    DeletedIsGone,
    /// A device that was ended can do and see nothing a second later.
    RevokedIsDead,
    /// A read shows all that was acknowledged before it began.
    ReadsAreFresh,
}

impl Invariant {
    /// All of them.
    pub const ALL: &'static [Invariant] = &[
        Invariant::AckedIsKept,
        Invariant::OncePerClientId,
        Invariant::RefusedIsNowhere,
        Invariant::SeqsAreDense,
        Invariant::OneEventPerSeq,
        Invariant::RealTimeOrder,
        Invariant::PushesAreInOrder,
        Invariant::CursorsMoveForward,
        Invariant::UnreadFollowsCursors,
        Invariant::RemovedSeesNothing,
        Invariant::DevicesConverge,
        Invariant::DeletedIsGone,
        Invariant::RevokedIsDead,
        Invariant::ReadsAreFresh,
    ];
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name in words: AckedIsKept → acked-is-kept.
        let name = format!("{self:?}");
        for (index, letter) in name.char_indices() {
            if letter.is_uppercase() && index > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter.to_lowercase())?;
        }
        Ok(())
    }
}

/// A broken promise, with what shows it.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// In words.
    pub what: String,
    /// The records that show it, by their place in the history.
    pub records: Vec<usize>,
}

/// What the parts of the checker look at.
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    /// The log of each room, by seq, as most devices see it in the end.
    pub(super) logs: BTreeMap<&'a str, BTreeMap<u64, &'a Seen>>,
    found: Vec<Violation>,
}

impl<'a> Case<'a> {
    pub(super) fn find(&mut self, invariant: Invariant, records: &[usize], what: String) {
        self.found.push(Violation { invariant, what, records: records.to_vec() });
    }

    /// All calls: their place, the record, room, client id, what and outcome.
    pub(super) fn calls(&self) -> impl Iterator<Item = Call<'a>> + use<'a> {
        self.history.records.iter().enumerate().filter_map(|(index, record)| match &record.what {
            What::Call { room, client_id, op, outcome } => {
                Some(Call { index, record, room, client_id: client_id.as_deref(), op, outcome })
            }
            _ => None,
        })
    }

    pub(super) fn event(&self, room: &str, seq: u64) -> Option<&'a Seen> {
        self.logs.get(room)?.get(&seq).copied()
    }

    /// The changes of a user's membership in a room, in order.
    pub(super) fn states(&self, room: &str, user: &str) -> Vec<(u64, State)> {
        let log = self.logs.get(room).into_iter().flatten();
        log.filter_map(|(seq, event)| match &event.body {
            Body::Member { user: of, state } if of == user => Some((*seq, *state)),
            _ => None,
        })
        .collect()
    }
}

/// A call, taken apart.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) index: usize,
    pub(super) record: &'a Record,
    pub(super) room: &'a str,
    pub(super) client_id: Option<&'a str>,
    pub(super) op: &'a Op,
    pub(super) outcome: &'a Outcome,
}

impl Call<'_> {
    /// The event that it wrote, if it is known.
    pub(super) fn seq(&self) -> Option<u64> {
        match (self.op, self.outcome) {
            (Op::Cursor { .. } | Op::Revoke { .. }, _) => None,
            (_, Outcome::Done { seq, .. }) => Some(*seq),
            (_, Outcome::Refused { .. } | Outcome::Unknown) => None,
        }
    }
}

/// Whether an event was there for somebody with these changes of membership: it is one's own going, or one was not out.
pub(super) fn is_visible(states: &[(u64, State)], seq: u64) -> bool {
    match states.iter().rev().find(|(at, _)| *at <= seq) {
        Some((at, State::Left)) => *at == seq,
        Some(_) => true,
        None => false,
    }
}

/// Checks a history. An empty answer means that nothing contradicts the promises.
pub fn check(history: &History) -> Vec<Violation> {
    let mut logs: BTreeMap<&str, BTreeMap<u64, &Seen>> = BTreeMap::new();
    for (room, end) in history.ends.iter().flat_map(|end| &end.rooms) {
        let log = logs.entry(room).or_default();
        for event in &end.events {
            // A view with the client id tells more.
            if event.client_id.is_some() || !log.contains_key(&event.seq) {
                log.insert(event.seq, event);
            }
        }
    }
    let mut case = Case { history, logs, found: Vec::new() };
    ends::check(&mut case);
    calls::check(&mut case);
    sight::check(&mut case);
    let mut found = case.found;
    found.sort_by_key(|violation| violation.invariant);
    found
}

/// The excerpt of a history that shows a violation, a line for each record.
pub fn excerpt(history: &History, violation: &Violation) -> String {
    let line = |index: &usize| {
        let record: &Record = &history.records[*index];
        let Record { device, connection, start, end, what } = record;
        format!("  [{index}] {}–{} s {device} connection {connection}: {what:?}", seconds(*start), seconds(*end))
    };
    let lines: Vec<_> = violation.records.iter().map(line).collect();
    format!("{}: {}\n{}", violation.invariant, violation.what, lines.join("\n"))
}

fn seconds(time: Micros) -> String {
    format!("{:.6}", time as f64 / 1e6)
}

/// The texts that a message may ever have shown, by room and seq; and those of deleted messages with the first moment at
/// which the deletion was acknowledged.
pub(super) struct Texts<'a> {
    pub(super) of: BTreeMap<(&'a str, u64), BTreeSet<&'a str>>,
    pub(super) deleted: BTreeMap<&'a str, Option<(usize, Micros)>>,
}

pub(super) fn texts<'a>(case: &Case<'a>) -> Texts<'a> {
    let mut seq_of: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for (room, log) in &case.logs {
        for (seq, event) in log {
            if let Some(id) = &event.client_id {
                seq_of.insert((room, &event.sender, id), *seq);
            }
        }
    }
    let mut of: BTreeMap<(&str, u64), BTreeSet<&str>> = BTreeMap::new();
    for call in case.calls() {
        let known = call.client_id.and_then(|id| seq_of.get(&(call.room, call.record.device.user.as_str(), id)));
        match call.op {
            Op::Send { text } => {
                if let Some(seq) = known.copied().or(call.seq()) {
                    of.entry((call.room, seq)).or_default().insert(text);
                }
            }
            Op::Edit { target, text } => {
                of.entry((call.room, *target)).or_default().insert(text);
            }
            _ => {}
        }
    }
    let mut acknowledged: BTreeMap<(&str, u64), (usize, Micros)> = BTreeMap::new();
    for call in case.calls() {
        if let (Op::Redact { target }, Outcome::Done { .. }) = (call.op, call.outcome) {
            let first = acknowledged.entry((call.room, *target)).or_insert((call.index, call.record.end));
            if call.record.end < first.1 {
                *first = (call.index, call.record.end);
            }
        }
    }
    let mut deleted = BTreeMap::new();
    for (room, log) in &case.logs {
        for event in log.values() {
            if let Body::Redaction { target } = &event.body {
                let when = acknowledged.get(&(*room, *target)).copied();
                deleted.extend(of.get(&(*room, *target)).into_iter().flatten().map(|text| (*text, when)));
            }
        }
    }
    Texts { of, deleted }
}
