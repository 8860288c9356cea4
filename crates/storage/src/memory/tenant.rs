//! One app in memory: its accounts, rooms, journal and followers, and how a unit changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{AccountChange, App, CommitNumber, DeviceId, Event, EventBody, RoomId, Seq, SeqRange, Timestamp, UserId};
use smol_str::SmolStr;

use super::accounts::Accounts;
use super::rooms::RoomLog;
use crate::{
    Changed, Commit, FollowerStep, JournalEntry, MemberFilter, MovedCursors, Outcome, Receipt, Remembered, RoomWork,
    TALLY_COMMITS_MAX, TALLY_EVENTS_MAX, Tallies, Tally, Unit, Window, Work,
};

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) app: App,
    pub(super) head: CommitNumber,
    pub(super) accounts: Accounts,
    pub(super) rooms: BTreeMap<RoomId, RoomLog>,
    pub(super) journal: Vec<JournalEntry>,
    pub(super) followers: BTreeMap<String, CommitNumber>,
    pub(super) counts: BTreeMap<(u32, SmolStr), u64>,
    pub(super) windows: BTreeMap<DeviceId, Window>,
}

impl Tenant {
    pub(super) fn new(app: App) -> Self {
        Self {
            app,
            head: CommitNumber(0),
            accounts: Accounts::default(),
            rooms: BTreeMap::new(),
            journal: Vec::new(),
            followers: BTreeMap::new(),
            counts: BTreeMap::new(),
            windows: BTreeMap::new(),
        }
    }

    /// The app that a unit for an unknown app is to create, still without the unit's effects.
    pub(super) fn of_first_unit(unit: &Unit) -> Option<Self> {
        match &unit.work {
            Work::Account(changes) => match changes.first() {
                Some(AccountChange::CreateApp(app)) if app.id == unit.app => Some(Self::new(app.clone())),
                _ => None,
            },
            Work::Room(_) | Work::Follower(_) => None,
        }
    }

    /// Writes a unit whole or not at all. There is a commit if a reader can see a difference.
    pub(super) fn write(&mut self, unit: &Unit) -> (Outcome, Option<Commit>) {
        match &unit.work {
            Work::Room(work) => self.write_room(unit, work),
            Work::Account(changes) => self.write_accounts(unit, changes),
            Work::Follower(step) => (self.write_follower(step), None),
        }
    }

    fn write_room(&mut self, unit: &Unit, work: &RoomWork) -> (Outcome, Option<Commit>) {
        let window = self.windows.get(&work.device);
        let remembered = work.client_id.as_ref().and_then(|id| window?.recall(id, work.fingerprint));
        if let Some(answer) = remembered {
            return (answer, None);
        }
        if work.client_id.is_some() && self.accounts.device(&work.device).is_none() {
            return (Outcome::DeviceEnded, None);
        }
        if !self.is_as_expected(work) {
            return (Outcome::Conflict, None);
        }
        let number = CommitNumber(self.head.0 + 1);
        let log = match &work.changes.create {
            Some(new) => {
                self.rooms.entry(work.room.clone()).or_insert_with(|| RoomLog::new(work.room.clone(), new, unit.at))
            }
            None => self.rooms.get_mut(&work.room).expect("an expected room that is not created exists"),
        };
        let written = log.write(number, unit.at, work);
        for event in &written.events {
            let EventBody::Redaction { target, .. } = &event.body else { continue };
            for (device, text) in log.texts_of(*target) {
                if let (Some(window), Some(client_id)) = (self.windows.get_mut(device), &text.client_id) {
                    window.forget_fingerprint(client_id, &work.room, text.seq);
                }
            }
        }
        let seq = written.events.first().map_or(log.head.seq, |event| event.seq);
        let commit = if written.events.is_empty() && written.cursors.is_empty() {
            None
        } else {
            let cursors = written.cursors.into_iter();
            let room = &work.room;
            let cursors =
                cursors.map(|(user, cursors)| MovedCursors { room: room.clone(), user, cursors }).collect::<Vec<_>>();
            Some(Commit { events: written.events, cursors, ..self.next_commit() })
        };
        let commit = commit.inspect(|commit| self.close_commit(commit, unit.at));
        let receipt = Receipt { room: Some(work.room.clone()), seq, commit: self.head };
        if let Some(client_id) = work.client_id.clone() {
            self.windows.entry(work.device.clone()).or_default().remember(Remembered {
                client_id,
                fingerprint: work.fingerprint,
                room: work.room.clone(),
                seq,
                commit: self.head,
            });
        }
        (Outcome::Done(receipt), commit)
    }

    fn is_as_expected(&self, work: &RoomWork) -> bool {
        let existing = self.rooms.get(&work.room);
        let expect = &work.changes.expect;
        match (&work.changes.create, existing) {
            (Some(_), Some(_)) | (None, None) => false,
            (Some(new), None) => new.pair.as_ref().is_none_or(|pair| self.direct_room(pair).is_none()),
            (None, Some(log)) => {
                log.room.version == expect.version
                    && expect.reactions.as_ref().is_none_or(|(seq, keys)| log.keys_of(*seq, &work.actor) == *keys)
            }
        }
    }

    fn write_accounts(&mut self, unit: &Unit, changes: &[AccountChange]) -> (Outcome, Option<Commit>) {
        let mut commit = self.next_commit();
        let mut accounts = self.accounts.clone();
        let mut app = self.app.clone();
        for (index, change) in changes.iter().enumerate() {
            let fits = match change {
                // The first change of an app's first unit has made this very tenant.
                AccountChange::CreateApp(new) => index == 0 && self.head == CommitNumber(0) && *new == app,
                AccountChange::UpdateApp(settings) => {
                    app.settings = settings.clone();
                    true
                }
                change => accounts.apply(change, &mut commit),
            };
            if !fits {
                return (Outcome::Conflict, None);
            }
        }
        let commit = (!changes.is_empty()).then_some(commit);
        self.accounts = accounts;
        self.app = app;
        let commit = commit.inspect(|commit| self.close_commit(commit, unit.at));
        for device in commit.iter().flat_map(|commit| &commit.revoked) {
            self.windows.remove(device);
        }
        (Outcome::Done(Receipt { room: None, seq: Seq(0), commit: self.head }), commit)
    }

    fn write_follower(&mut self, step: &FollowerStep) -> Outcome {
        let reached = self.followers.entry(step.name.to_owned()).or_default();
        if *reached != step.from {
            return Outcome::Conflict;
        }
        *reached = step.to;
        for (key, amount) in &step.counts {
            *self.counts.entry(key.clone()).or_default() += amount;
        }
        Outcome::Done(Receipt { room: None, seq: Seq(0), commit: self.head })
    }

    fn next_commit(&self) -> Commit {
        Commit {
            app: self.app.id.clone(),
            number: CommitNumber(self.head.0 + 1),
            events: Vec::new(),
            cursors: Vec::new(),
            revoked: Vec::new(),
            users: Vec::new(),
        }
    }

    fn close_commit(&mut self, commit: &Commit, at: Timestamp) {
        self.head = commit.number;
        let ends = commit.events.first().zip(commit.events.last());
        let range = ends.map(|(first, last)| (first.room.clone(), SeqRange { first: first.seq, last: last.seq }));
        self.journal.push(JournalEntry { commit: commit.number, at, rooms: range.into_iter().collect() });
    }

    pub(super) fn direct_room(&self, pair: &[UserId; 2]) -> Option<RoomId> {
        self.rooms.values().find(|log| log.room.pair.as_ref() == Some(pair)).map(|log| log.room.id.clone())
    }

    pub(super) fn rooms_of(&self, user: &UserId, which: MemberFilter) -> Vec<RoomId> {
        let is_in =
            |log: &&RoomLog| log.members.get(user).is_some_and(|membership| which.takes(membership.member.state));
        self.rooms.values().filter(is_in).map(|log| log.room.id.clone()).collect()
    }

    pub(super) fn tallies(&self, after: CommitNumber) -> Tallies {
        let (mut tallies, mut counted) = (Tallies::default(), 0);
        for entry in self.journal.iter().filter(|entry| entry.commit > after) {
            if tallies.commits.len() == TALLY_COMMITS_MAX || counted >= TALLY_EVENTS_MAX {
                tallies.more = true;
                break;
            }
            let mut events = BTreeMap::new();
            for (room, range) in &entry.rooms {
                if let Some(log) = self.rooms.get(room) {
                    log.count(*range, &mut events);
                }
            }
            counted += events.values().sum::<u64>();
            tallies.commits.push(Tally { commit: entry.commit, at: entry.at, events });
        }
        tallies
    }

    pub(super) fn changed_rooms(&self, user: &UserId, since: CommitNumber, limit: usize) -> Changed {
        let mut changed: Vec<(CommitNumber, &RoomLog)> = self
            .rooms
            .values()
            .filter_map(|log| Some((log.changed_for(user, since == CommitNumber(0))?, log)))
            .filter(|(commit, _)| *commit > since)
            .collect();
        changed.sort_by_key(|(commit, log)| (*commit, log.room.id.clone()));
        let last = changed.get(limit.max(1) - 1).map(|(commit, _)| *commit);
        let (told, rest): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(commit, _)| last.is_none_or(|last| *commit <= last));
        let rooms = told.iter().filter_map(|(_, log)| log.listed(user)).collect();
        let more = !rest.is_empty();
        Changed { rooms, commit: last.filter(|_| more).unwrap_or(self.head), more }
    }
}

/// What a unit wrote to a room.
pub(super) struct Written {
    pub(super) events: Vec<Arc<Event>>,
    pub(super) cursors: BTreeMap<UserId, domain::Cursors>,
}
