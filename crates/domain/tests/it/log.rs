//! A tiny log: what a store does with changes, in memory, for one room.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Action, Changes, Command, CommitNumber, Content, CursorMove, Cursors, Event, EventBody, Head, Member, MemberState,
    Refusal, Room, RoomFacts, RoomKind, RoomSettings, Seq, Target, Timestamp, UserId, check, check_new_room,
};
use smol_str::SmolStr;

use crate::facts::room_id;

/// What one command wrote.
#[derive(Debug, Clone)]
pub struct Commit {
    pub events: Vec<Event>,
    pub cursors: Option<(UserId, CursorMove)>,
}

/// All that follows from the commits. Two that were folded differently can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub room: Room,
    pub head: Head,
    pub members: BTreeMap<UserId, (Member, Cursors)>,
    /// What each message says, who sent it, and how many messages there were with it.
    pub messages: BTreeMap<Seq, (UserId, Option<Content>)>,
    pub reactions: BTreeMap<(Seq, UserId), BTreeSet<SmolStr>>,
    /// The number of messages up to each seq.
    pub numbers: Vec<u64>,
}

/// A room's log and its state.
#[derive(Debug, Clone)]
pub struct Log {
    pub first: State,
    pub state: State,
    pub commits: Vec<Commit>,
}

impl State {
    fn new(kind: RoomKind, pair: Option<[UserId; 2]>, settings: RoomSettings) -> Self {
        Self {
            room: Room::new(room_id(), kind, pair, settings, Timestamp(0)),
            head: Head::default(),
            members: BTreeMap::new(),
            messages: BTreeMap::new(),
            reactions: BTreeMap::new(),
            numbers: vec![0],
        }
    }

    /// Folds a commit in.
    pub fn apply(&mut self, number: CommitNumber, commit: &Commit) {
        for event in &commit.events {
            self.apply_event(event);
        }
        if let Some((user, to)) = &commit.cursors {
            let cut = |seq: Seq| seq.min(self.head.seq);
            let to = CursorMove { delivered: to.delivered.map(cut), read: to.read.map(cut) };
            let messages = to.read.map_or(0, |seq| self.numbers[usize::try_from(seq.0).unwrap()]);
            self.move_cursors(user, to, messages, number);
        }
    }

    fn move_cursors(&mut self, user: &UserId, to: CursorMove, messages: u64, commit: CommitNumber) {
        let (_, cursors) = self.members.get_mut(user).expect("a member");
        let before = *cursors;
        let moved = cursors.apply(to, messages, commit);
        assert_eq!(moved, (before.delivered, before.read) != (cursors.delivered, cursors.read));
        assert!(cursors.delivered >= before.delivered && cursors.read >= before.read, "cursors only move forward");
        assert!(cursors.read_messages >= before.read_messages && cursors.commit >= before.commit);
    }

    fn apply_event(&mut self, event: &Event) {
        self.numbers.push(event.number);
        let here = CursorMove { delivered: Some(event.seq), read: Some(event.seq) };
        let before = match &event.body {
            EventBody::Member { user, .. } => self.members.get(user).map(|(member, _)| member.clone()),
            _ => None,
        };
        self.room.apply(&event.body, before.as_ref());
        self.head.apply(event);
        match &event.body {
            EventBody::Member { user, state, .. } => {
                let entry = self.members.entry(user.clone());
                let (member, _) = entry.or_insert_with(|| (Member::stranger(user.clone()), Cursors::default()));
                member.apply(event.seq, event.commit, &event.sender, &event.body);
                if *state == MemberState::Joined && !before.is_some_and(|member| member.is_joined()) {
                    self.move_cursors(user, here, event.number, event.commit);
                }
            }
            EventBody::Message { content, .. } => {
                self.messages.insert(event.seq, (event.sender.clone(), content.clone()));
                self.move_cursors(&event.sender, here, event.number, event.commit);
            }
            EventBody::Edit { target, content } => {
                self.messages.get_mut(target).expect("a message").1 = content.clone();
            }
            EventBody::Redaction { target, .. } => {
                self.messages.get_mut(target).expect("a message").1 = None;
                self.reactions.retain(|(message, _), _| message != target);
            }
            EventBody::Reaction { target, keys, previous } => {
                let key = (*target, event.sender.clone());
                assert_eq!(self.reactions.get(&key).cloned().unwrap_or_default(), *previous);
                self.reactions.insert(key, keys.clone());
            }
            EventBody::Created { .. } | EventBody::Settings(_) => {}
        }
    }

    fn facts(&self, me: &UserId, action: &Action) -> RoomFacts {
        let target = |seq: Seq| {
            let (sender, content) = self.messages.get(&seq)?;
            let reactions = self.reactions.iter().filter(|((message, _), _)| *message == seq);
            Some(Target {
                sender: sender.clone(),
                is_message: true,
                redacted: content.is_none(),
                my_keys: self.reactions.get(&(seq, me.clone())).cloned().unwrap_or_default(),
                kinds: reactions.flat_map(|(_, keys)| keys.clone()).collect(),
            })
        };
        RoomFacts {
            room: self.room.clone(),
            me: self.members.get(me).map(|(member, _)| member.clone()),
            cursors: self.members.get(me).map(|(_, cursors)| *cursors).unwrap_or_default(),
            other: action.other().and_then(|user| self.members.get(user)).map(|(member, _)| member.clone()),
            target: action.target().and_then(target),
        }
    }
}

impl Log {
    /// A room made by a command.
    pub fn new(me: &UserId, action: Action) -> Result<Self, Refusal> {
        let command = Command { room: room_id(), action };
        let changes = check_new_room(me, &command, false, false)?;
        let new = changes.create.clone().expect("it makes a room");
        let first = State::new(new.kind, new.pair, new.settings);
        let mut log = Self { state: first.clone(), first, commits: Vec::new() };
        log.write(me, changes);
        Ok(log)
    }

    /// Does what the domain allows.
    pub fn act(&mut self, me: &UserId, action: Action) -> Result<(), Refusal> {
        let facts = self.state.facts(me, &action);
        let changes = check(me, &Command { room: room_id(), action }, &facts, false)?;
        if !changes.is_empty() {
            assert_eq!(changes.expect.version, self.state.room.version);
            self.write(me, changes);
        }
        Ok(())
    }

    fn write(&mut self, me: &UserId, changes: Changes) {
        let commit = CommitNumber(self.commits.len() as u64 + 1);
        let (mut head, mut events) = (self.state.head, Vec::new());
        for body in changes.events {
            let number = head.messages + u64::from(body.is_message());
            let (room, sender) = (room_id(), me.clone());
            let at = Timestamp(i64::try_from(commit.0).unwrap());
            let event = Event { room, seq: head.seq.next(), commit, at, sender, client_id: None, number, body };
            head.apply(&event);
            events.push(event);
        }
        let written = Commit { events, cursors: changes.cursors.map(|to| (me.clone(), to)) };
        let version = self.state.room.version;
        self.state.apply(commit, &written);
        let facts_changed = written.events.iter().filter(|event| event.body.changes_facts()).count() as u64;
        assert_eq!(self.state.room.version, version + facts_changed);
        self.commits.push(written);
        self.strip();
    }

    /// Takes the content of deleted messages out of the log, as stores do.
    fn strip(&mut self) {
        let Some(redaction) = self.commits.last().and_then(|commit| commit.events.last()).cloned() else { return };
        let EventBody::Redaction { target: gone, .. } = redaction.body else { return };
        for event in self.commits.iter_mut().flat_map(|commit| &mut commit.events) {
            match &mut event.body {
                EventBody::Message { content, redacted_by, .. } if event.seq == gone => {
                    *content = None;
                    *redacted_by = Some(redaction.seq);
                }
                EventBody::Edit { target, content } if *target == gone => *content = None,
                _ => {}
            }
        }
    }

    /// All events.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.commits.iter().flat_map(|commit| &commit.events)
    }

    /// The state after the first commits, by folding them; and the rest of them folded in after.
    pub fn refold(&self, first: usize) -> (State, State) {
        let mut state = self.first.clone();
        let mut numbered = (1..).map(CommitNumber).zip(&self.commits);
        for (number, commit) in numbered.by_ref().take(first) {
            state.apply(number, commit);
        }
        let snapshot = state.clone();
        for (number, commit) in numbered {
            state.apply(number, commit);
        }
        (snapshot, state)
    }
}
