//! Answers to queries, held against the ledger: as new as when they were asked for, true, and of nothing that is not the
//! actor's to see.

use std::collections::BTreeMap;

use domain::{CommitNumber, Entry, EventBody, HistoryVisibility, MemberState, RoomId, Seq, UserId};
use engine::{HistoryView, RoomView, SyncView};

use super::ledger::{Book, Ledger, Place, TrueRoom, text_of};

/// How things stood when somebody began to ask.
pub(super) struct Glance {
    user: UserId,
    step: u64,
    head: CommitNumber,
    rooms: BTreeMap<RoomId, (Place, Seq)>,
}

impl Glance {
    pub(super) fn of(user: &UserId, ledger: &Ledger) -> Self {
        let book = ledger.book();
        let rooms = book.rooms.iter().map(|(id, room)| (id.clone(), (room.place(user), room.head()))).collect();
        Self { user: user.clone(), step: book.step, head: book.head, rooms }
    }

    fn place(&self, room: &RoomId) -> (Place, Seq) {
        self.rooms.get(room).cloned().unwrap_or_default()
    }
}

/// A room as its viewer may see it, from when they asked until now.
struct Window<'a> {
    truth: &'a TrueRoom,
    before: Place,
    head_before: Seq,
    now: Place,
    asked: u64,
}

impl<'a> Window<'a> {
    fn open(book: &'a Book, glance: &Glance, room: &RoomId) -> Option<Self> {
        let truth = book.rooms.get(room)?;
        let (before, head_before) = glance.place(room);
        Some(Self { truth, before, head_before, now: truth.place(&glance.user), asked: glance.step })
    }

    /// Whether the viewer's place is still what it was when they asked.
    fn is_settled(&self) -> bool {
        self.before == self.now
    }

    fn may_see(&self, seq: Seq) -> bool {
        let came_or_went = !self.is_settled()
            && self.now.stays.iter().any(|stay| {
                let from = if self.truth.history == HistoryVisibility::Members { Seq(1) } else { stay.invited };
                from <= seq && stay.left.is_none_or(|(left, _)| seq <= left)
            });
        came_or_went
            || self.truth.may_see(&self.now, seq)
            || self.truth.may_see(&self.before, seq) && !self.is_settled()
    }

    fn was_redacted(&self, seq: Seq) -> bool {
        self.truth.redacted.get(&seq).is_some_and(|step| *step <= self.asked)
    }

    fn check_entry(&self, entry: &Entry) -> Result<(), String> {
        let event = &entry.event;
        let Some(written) = self.truth.event(event.seq) else { return Err("was never written".into()) };
        if !self.may_see(event.seq) {
            return Err("is not the viewer's to see".into());
        }
        let about = |event: &domain::Event| {
            (event.room.clone(), event.commit, event.sender.clone(), event.client_id.clone(), event.number, event.at)
        };
        if about(event) != about(written) || event.body.kind() != written.body.kind() {
            return Err(format!("was written as {written:?}"));
        }
        let target = event.body.target().unwrap_or(event.seq);
        let gone = self.was_redacted(target);
        let same = match (&event.body, &written.body) {
            (EventBody::Message { content: None, .. }, _) => self.truth.redacted.contains_key(&event.seq),
            (EventBody::Edit { content: None, .. }, _) => self.truth.redacted.contains_key(&target),
            (EventBody::Message { content, reply_to, .. }, EventBody::Message { content: said, reply_to: to, .. }) => {
                !gone && content == said && reply_to == to
            }
            (EventBody::Edit { .. }, said) => !gone && event.body == *said,
            (body, said) => body == said,
        };
        if !same {
            return Err(format!("(redacted: {gone}) was written as {written:?}"));
        }
        if gone && (entry.edit.is_some() || !entry.reactions.is_empty()) {
            return Err("is redacted and still has an edit or reactions".into());
        }
        self.check_edit(entry)
    }

    fn check_edit(&self, entry: &Entry) -> Result<(), String> {
        let seq = entry.event.seq;
        // The last one that is the viewer's to see, whatever was made while they were away.
        let was_written = |edit: &&std::sync::Arc<domain::Event>| self.truth.step_of(edit.seq) <= self.asked;
        let old = self.truth.edits_of(seq).filter(|edit| self.may_see(edit.seq)).rfind(was_written);
        let Some(edit) = &entry.edit else {
            let shown = old.is_none() || !self.is_settled();
            let gone = self.truth.redacted.contains_key(&seq);
            return if shown || gone { Ok(()) } else { Err(format!("does not show its edit {old:?}")) };
        };
        let written = self.truth.event(edit.seq).map(|event| &event.body);
        let said = EventBody::Edit { target: seq, content: Some(edit.content.clone()) };
        if written != Some(&said) || !self.may_see(edit.seq) {
            return Err("shows an edit that is not its own or not the viewer's to see".into());
        }
        if old.is_some_and(|old| old.seq > edit.seq) {
            return Err(format!("shows an edit older than {old:?}"));
        }
        Ok(())
    }
}

/// Checks a page of history.
pub(super) fn check_history(ledger: &Ledger, glance: &Glance, room: &RoomId, view: &HistoryView) {
    let mut book = ledger.book();
    let wrongs = match Window::open(&book, glance, room) {
        Some(window) => history_wrongs(&window, view),
        None => vec!["there is no such room".to_owned()],
    };
    for wrong in wrongs {
        book.wrong(format!("{} reads {room}: {wrong}", glance.user));
    }
}

fn history_wrongs(window: &Window<'_>, view: &HistoryView) -> Vec<String> {
    let mut wrongs = Vec::new();
    for entry in &view.entries {
        if let Err(wrong) = window.check_entry(entry) {
            wrongs.push(format!("{wrong}: {entry:?}"));
        }
    }
    for pair in view.entries.windows(2) {
        let (one, next) = (pair[0].event.seq, pair[1].event.seq);
        let skipped = (one.0 + 1..next.0).find(|seq| window.is_settled() && window.may_see(Seq(*seq)));
        if next <= one || skipped.is_some() {
            wrongs.push(format!("{} is followed by {} ({skipped:?} is skipped)", one.0, next.0));
        }
    }
    if window.is_settled() {
        let (joined, as_of) = (window.now.is_joined(), view.as_of);
        if joined && as_of < window.head_before {
            wrongs.push(format!("it is as of {}, and {} was written before", as_of.0, window.head_before.0));
        }
        if !joined && as_of > window.truth.last_visible(&window.now) {
            wrongs.push(format!("who is not in the room is told that it has {} events", as_of.0));
        }
    }
    wrongs
}

/// Checks an answer to a sync: all of its parts together.
pub(super) fn check_sync(ledger: &Ledger, glance: &Glance, view: &SyncView) {
    let mut book = ledger.book();
    if view.commit < glance.head || view.commit > book.head {
        let (from, to) = (glance.head.0, book.head.0);
        book.wrong(format!("a sync is up to {} while the head went from {from} to {to}", view.commit.0));
    }
    for room in &view.rooms {
        check_room(&mut book, glance, room);
    }
}

/// Checks a room as it was told.
pub(super) fn check_room_view(ledger: &Ledger, glance: &Glance, view: &RoomView) {
    check_room(&mut ledger.book(), glance, view);
}

fn check_room(book: &mut Book, glance: &Glance, view: &RoomView) {
    let wrongs = match Window::open(book, glance, &view.room.id) {
        Some(window) => room_wrongs(&window, &glance.user, view),
        None => vec!["there is no such room".to_owned()],
    };
    for wrong in wrongs {
        book.wrong(format!("{} is told of {}: {wrong}", glance.user, view.room.id));
    }
}

fn room_wrongs(window: &Window<'_>, user: &UserId, view: &RoomView) -> Vec<String> {
    let mut wrongs = Vec::new();
    let truth = window.truth;
    let state = view.me.as_ref().map(|me| me.state);
    let joined = state == Some(MemberState::Joined);
    if let Some(entry) = &view.last_message
        && let Err(wrong) = window.check_entry(entry)
    {
        wrongs.push(format!("its last message {wrong}: {entry:?}"));
    }
    let settled = window.is_settled();
    if settled && state != window.now.state {
        wrongs.push(format!("the viewer is {state:?} and not {:?}", window.now.state));
    }
    if joined {
        let total = truth.messages_to(view.head);
        let unread = total - truth.messages_to(view.cursors.read).min(total);
        if (view.messages, view.unread) != (total, unread) {
            let told = (view.messages, view.unread);
            wrongs.push(format!("(messages, unread) are {told:?} and not {:?}", (total, unread)));
        }
        if view.head > truth.head() || (settled && view.head < window.head_before) {
            wrongs.push(format!("its head is {}", view.head.0));
        }
        let now = truth.cursors.get(user).copied().unwrap_or_default();
        if view.cursors.read > now.read || view.cursors.delivered > now.delivered {
            wrongs.push(format!("the cursors are {:?} and not {now:?}", view.cursors));
        }
    } else if settled {
        if view.head > truth.last_visible(&window.now) {
            wrongs.push(format!("who is not in the room is told its head {}", view.head.0));
        }
        if view.unread > 0 {
            wrongs.push("who is not in the room has unread messages".into());
        }
        if state == Some(MemberState::Left) && !truth.public && !view.room.settings.name.is_empty() {
            wrongs.push("who has left is told what the room is called".into());
        }
    }
    wrongs
}

/// Checks an answer word by word: nothing of a redacted message may stand in it. For answers asked for when all was quiet.
pub(super) fn check_words(ledger: &Ledger, what: &str, answer: &str) {
    let mut book = ledger.book();
    let forbidden = book.rooms.values().flat_map(TrueRoom::forbidden_texts).find(|text| answer.contains(text.as_str()));
    if let Some(text) = forbidden {
        book.wrong(format!("{what} still says {text:?}, which is redacted"));
    }
}

/// What the messages that a user may see must say at the end, by seq.
pub(super) fn true_texts(truth: &TrueRoom, user: &UserId) -> BTreeMap<Seq, Option<String>> {
    let place = truth.place(user);
    let visible = truth.events.iter().filter(|event| truth.may_see(&place, event.seq));
    let said = visible.filter_map(|event| match &event.body {
        EventBody::Message { content: Some(content), .. } => {
            // An edit that was made while the user was away is not theirs to see, and the one before it stands.
            let last = truth.edits_of(event.seq).rfind(|edit| truth.may_see(&place, edit.seq));
            let edited = last.and_then(|edit| match &edit.body {
                EventBody::Edit { content, .. } => content.as_ref(),
                _ => None,
            });
            let text = text_of(edited.unwrap_or(content)).to_owned();
            Some((event.seq, (!truth.redacted.contains_key(&event.seq)).then_some(text)))
        }
        _ => None,
    });
    said.collect()
}
