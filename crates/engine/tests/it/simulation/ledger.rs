//! The ledger of one run: what was really committed, who asked for what and what they were told, and what was wrong.
//!
//! It sees every commit at the moment it is written, so it knows at each step what any answer may and must say. It keeps
//! its own account of members and redactions instead of the domain's, so that both would have to be wrong in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use domain::{
    Actor, ClientId, Command, CommitNumber, Content, Cursors, DeviceId, Event, EventBody, HistoryVisibility, JoinRule,
    MemberState, RoomId, Seq, UserId,
};
use engine::Receipt;
use storage::Commit;

/// Wrongs that are told of one run.
const WRONGS_MAX: usize = 10;

/// What a client was told of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Done(Receipt),
    Refused(String),
    /// The device is revoked: the engine was not asked.
    TurnedAway,
    /// The connection or the server broke, or it took too long.
    Unknown,
}

/// A command under one client id, and all that was said about it.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) client_id: ClientId,
    pub(super) command: Command,
    /// The step at which it was asked for first.
    pub(super) began: u64,
    pub(super) tries: Vec<Try>,
}

/// One try of a deed: from which step to which, and what was said.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) said: Said,
}

/// A stay in a room, by seq, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) invited: Seq,
    pub(super) joined: Seq,
    pub(super) left: Option<(Seq, CommitNumber)>,
}

/// A user's place in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) state: Option<MemberState>,
    pub(super) invited: Option<Seq>,
    pub(super) stays: Vec<Stay>,
    /// Grows with every change.
    pub(super) changes: u32,
}

/// A room as it really is.
#[derive(Debug)]
pub(super) struct TrueRoom {
    pub(super) events: Vec<Arc<Event>>,
    /// The step at which each event was written.
    pub(super) steps: Vec<u64>,
    pub(super) history: HistoryVisibility,
    pub(super) public: bool,
    pub(super) places: BTreeMap<UserId, Place>,
    pub(super) cursors: BTreeMap<UserId, Cursors>,
    /// When messages were redacted, in steps.
    pub(super) redacted: BTreeMap<Seq, u64>,
}

/// All that is known of a run.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) step: u64,
    pub(super) head: CommitNumber,
    pub(super) rooms: BTreeMap<RoomId, TrueRoom>,
    pub(super) deeds: Vec<Deed>,
    /// Devices that have ended, and when.
    pub(super) gone: BTreeMap<DeviceId, u64>,
    /// Devices whose revocation was acknowledged, and when.
    pub(super) revoked: BTreeMap<DeviceId, u64>,
    /// What was wrong, and at which step.
    pub(super) wrong: Vec<(u64, String)>,
    hash: u64,
    print: bool,
}

/// The ledger of one run.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Book>);

/// The text of a content.
pub(super) fn text_of(content: &Content) -> &str {
    match content {
        Content::Text(text) => &text.text,
    }
}

impl Ledger {
    pub(super) fn new(print: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Book { print, hash: 0xcbf2_9ce4_8422_2325, ..Book::default() })))
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Something has happened: it is a step of the run, and part of its trace.
    pub(super) fn note(&self, what: &str) -> u64 {
        self.book().note(what)
    }

    /// Something has happened that must not.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.book().wrong(what.into());
    }

    /// The hash of the trace: the same for the same run.
    pub(super) fn hash(&self) -> u64 {
        self.book().hash
    }

    /// Notes a deed about to be done and names it.
    pub(super) fn begin(&self, actor: &Actor, client_id: &ClientId, command: &Command) -> usize {
        let mut book = self.book();
        let began = book.note(&format!("{client_id} asks {} {:?}", command.room, command.action));
        let (user, device) = (actor.user.clone(), actor.device.clone());
        let (client_id, command) = (client_id.clone(), command.clone());
        book.deeds.push(Deed { user, device, client_id, command, began, tries: Vec::new() });
        book.deeds.len() - 1
    }

    /// A try that began at this step has ended.
    pub(super) fn said(&self, deed: usize, began: u64, said: Said) {
        let mut book = self.book();
        let client_id = book.deeds[deed].client_id.clone();
        let ended = book.note(&format!("{client_id} is told {said:?}"));
        book.deeds[deed].tries.push(Try { began, ended, said });
    }

    /// A commit has been written.
    pub(super) fn record(&self, commit: &Arc<Commit>) {
        let mut book = self.book();
        if commit.number.0 != book.head.0 + 1 {
            let head = book.head;
            book.wrong(format!("commit {} comes after {}", commit.number.0, head.0));
        }
        book.head = commit.number;
        let revoked = commit.revoked.len();
        let step = book.note(&format!("commit {} ({revoked} revoked)", commit.number.0));
        for device in &commit.revoked {
            book.gone.entry(device.clone()).or_insert(step);
        }
        for event in &commit.events {
            book.note(&format!("  {} {} by {}: {:?}", event.room, event.seq.0, event.sender, event.body));
            book.add(event, step);
        }
        for moved in &commit.cursors {
            let (room, user) = (&moved.room, &moved.user);
            book.note(&format!("  {room} {user} {} {}", moved.cursors.delivered.0, moved.cursors.read.0));
            let now = moved.cursors;
            let before = book.rooms.get_mut(room).map(|truth| truth.cursors.insert(user.clone(), now));
            let before = before.flatten().unwrap_or_default();
            if now.read < before.read || now.delivered < before.delivered || now.read > now.delivered {
                book.wrong(format!("cursors of {user} in {room} moved from {before:?} to {now:?}"));
            }
        }
    }
}

impl Book {
    pub(super) fn note(&mut self, what: &str) -> u64 {
        self.step += 1;
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.print {
            println!("{:6} {what}", self.step);
        }
        self.step
    }

    pub(super) fn wrong(&mut self, what: String) {
        if self.print {
            println!("WRONG: {what}");
        }
        if self.wrong.len() < WRONGS_MAX {
            self.wrong.push((self.step, what));
        }
    }

    fn add(&mut self, event: &Arc<Event>, step: u64) {
        if let EventBody::Created { settings, .. } = &event.body {
            let public = settings.join_rule == JoinRule::Open;
            let room = TrueRoom {
                events: Vec::new(),
                steps: Vec::new(),
                history: settings.history,
                public,
                places: BTreeMap::new(),
                cursors: BTreeMap::new(),
                redacted: BTreeMap::new(),
            };
            if self.rooms.insert(event.room.clone(), room).is_some() {
                self.wrong(format!("{} was created twice", event.room));
            }
        }
        let Some(room) = self.rooms.get_mut(&event.room) else {
            return self.wrong(format!("{} has events before it is created", event.room));
        };
        let dense = event.seq.0 == room.events.len() as u64 + 1;
        room.events.push(event.clone());
        room.steps.push(step);
        let counted = room.messages_to(event.seq) == event.number;
        let live = event.body.target().is_none_or(|target| {
            let is_message = room.event(target).is_some_and(|target| target.body.is_message());
            is_message && target < event.seq && !room.redacted.contains_key(&target)
        });
        match &event.body {
            EventBody::Redaction { target, .. } => {
                room.redacted.insert(*target, step);
            }
            EventBody::Member { user, state, .. } => {
                room.places.entry(user.clone()).or_default().apply(*state, event);
            }
            _ => {}
        }
        if !(dense && counted && live) {
            self.wrong(format!(
                "not dense ({dense}), not counted ({counted}) or at no live message ({live}): {event:?}"
            ));
        }
    }
}

impl Place {
    fn apply(&mut self, state: MemberState, event: &Event) {
        let was_joined = self.state == Some(MemberState::Joined);
        match state {
            MemberState::Joined if !was_joined => {
                let invited = self.invited.unwrap_or(event.seq);
                self.stays.push(Stay { invited, joined: event.seq, left: None });
            }
            MemberState::Left if was_joined => {
                if let Some(stay) = self.stays.last_mut() {
                    stay.left = Some((event.seq, event.commit));
                }
            }
            MemberState::Joined | MemberState::Left | MemberState::Invited => {}
        }
        self.invited = (state == MemberState::Invited).then_some(event.seq);
        self.state = Some(state);
        self.changes += 1;
    }

    pub(super) fn is_joined(&self) -> bool {
        self.state == Some(MemberState::Joined)
    }

    /// Whether an event was written while the user was in the room.
    pub(super) fn was_there(&self, seq: Seq) -> bool {
        self.stays.iter().any(|stay| stay.joined <= seq && stay.left.is_none_or(|(left, _)| seq <= left))
    }
}

impl TrueRoom {
    pub(super) fn head(&self) -> Seq {
        Seq(self.events.len() as u64)
    }

    pub(super) fn event(&self, seq: Seq) -> Option<&Arc<Event>> {
        self.events.get(usize::try_from(seq.0.checked_sub(1)?).ok()?)
    }

    /// The step at which an event was written.
    pub(super) fn step_of(&self, seq: Seq) -> u64 {
        seq.0.checked_sub(1).and_then(|index| self.steps.get(usize::try_from(index).ok()?).copied()).unwrap_or(u64::MAX)
    }

    pub(super) fn place(&self, user: &UserId) -> Place {
        self.places.get(user).cloned().unwrap_or_default()
    }

    /// How many messages there are up to a seq.
    pub(super) fn messages_to(&self, seq: Seq) -> u64 {
        self.events.iter().take_while(|event| event.seq <= seq).filter(|event| event.body.is_message()).count() as u64
    }

    /// Whether a user may see an event by history, as things stand.
    pub(super) fn may_see(&self, place: &Place, seq: Seq) -> bool {
        if seq == Seq(0) || seq > self.head() {
            return false;
        }
        let until = |stay: &Stay| stay.left.map_or(Seq::MAX, |(left, _)| left);
        match self.history {
            HistoryVisibility::Anyone => true,
            HistoryVisibility::Members => place.stays.last().is_some_and(|stay| seq <= until(stay)),
            HistoryVisibility::Invited => place.stays.iter().any(|stay| stay.invited <= seq && seq <= until(stay)),
            HistoryVisibility::Joined => place.stays.iter().any(|stay| stay.joined <= seq && seq <= until(stay)),
        }
    }

    /// The last seq that a user may see.
    pub(super) fn last_visible(&self, place: &Place) -> Seq {
        (1..=self.head().0).rev().map(Seq).find(|seq| self.may_see(place, *seq)).unwrap_or(Seq(0))
    }

    /// The edits of a message, ascending.
    pub(super) fn edits_of(&self, message: Seq) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        let is_edit =
            move |event: &&Arc<Event>| matches!(&event.body, EventBody::Edit { target, .. } if *target == message);
        self.events.iter().filter(is_edit)
    }

    /// Every text of redacted messages and of their edits.
    pub(super) fn forbidden_texts(&self) -> BTreeSet<String> {
        let text = |event: &Arc<Event>| match &event.body {
            EventBody::Message { content: Some(content), .. } if self.redacted.contains_key(&event.seq) => {
                Some(text_of(content).to_owned())
            }
            EventBody::Edit { target, content: Some(content) } if self.redacted.contains_key(target) => {
                Some(text_of(content).to_owned())
            }
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }
}
