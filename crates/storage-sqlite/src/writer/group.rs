//! What one transaction writes besides the rows that its units write themselves: one commit for each app in it, and the
//! rows that are written once for all units (cursors, journal).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::{AppId, CommitNumber, DeviceId, Event, RoomId, Seq, SeqRange, Timestamp, UserId};
use rusqlite::params;
use storage::{Commit, MovedCursors};

use super::State;
use super::caches::AppState;
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey, Slot, journal_key};
use crate::packed::{RoomRange, pack_answers_of_devices, pack_ranges, pack_rooms};
use crate::redo::CommitKey;
use crate::window::Answer;

/// The commits of one transaction, in the order in which their apps came.
#[derive(Debug, Default)]
pub(super) struct Group {
    commits: Vec<AppCommit>,
}

/// One commit of one app while it gathers.
#[derive(Debug)]
pub(super) struct AppCommit {
    app: AppId,
    key: AppKey,
    pub(super) number: CommitNumber,
    at: Timestamp,
    /// Whether there is anything that a reader could see; else it takes no number.
    pub(super) written: bool,
    pub(super) events: Vec<Arc<Event>>,
    ranges: Vec<RoomRange>,
    range_of: HashMap<RoomKey, usize>,
    /// Rooms in which cursors moved.
    pub(super) touched: BTreeSet<RoomKey>,
    /// Client ids of commands that wrote no event.
    pub(super) answers: Vec<(DeviceKey, Answer)>,
    /// Cursors that moved, with their rooms.
    pub(super) cursors: Vec<(RoomId, Moved)>,
    pub(super) revoked: Vec<DeviceId>,
    pub(super) users: Vec<UserId>,
}

/// Cursors that moved in this group.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) user: UserId,
    /// Where the writer keeps them.
    pub(super) member: i64,
    pub(super) room: RoomKey,
    pub(super) slot: Slot,
}

impl AppCommit {
    pub(super) fn key(&self) -> CommitKey {
        (self.key, self.number)
    }

    /// Notes new events of a room.
    pub(super) fn append(&mut self, room: RoomKey, first: Seq, last: Seq) {
        if let Some(index) = self.range_of.get(&room) {
            self.ranges[*index].range.last = last;
            return;
        }
        self.range_of.insert(room, self.ranges.len());
        self.ranges.push(RoomRange { room, range: SeqRange { first, last } });
    }
}

impl Group {
    /// The commit of an app in this group.
    pub(super) fn commit_of(&mut self, app: &AppId, state: AppState, at: Timestamp) -> &mut AppCommit {
        let index = self.commits.iter().position(|commit| commit.key == state.key).unwrap_or_else(|| {
            self.commits.push(AppCommit {
                app: app.clone(),
                key: state.key,
                number: CommitNumber(state.head.0 + 1),
                at,
                written: false,
                events: Vec::new(),
                ranges: Vec::new(),
                range_of: HashMap::new(),
                touched: BTreeSet::new(),
                answers: Vec::new(),
                cursors: Vec::new(),
                revoked: Vec::new(),
                users: Vec::new(),
            });
            self.commits.len() - 1
        });
        let commit = &mut self.commits[index];
        commit.at = commit.at.max(at);
        commit
    }

    /// The last commit that readers of an app will see once this group is written.
    pub(super) fn reached(&self, state: AppState) -> CommitNumber {
        let written = self.commits.iter().find(|commit| commit.key == state.key && commit.written);
        written.map_or(state.head, |commit| commit.number)
    }

    /// Writes what is written once per transaction, and gives the commits for the feed.
    pub(super) fn finish(mut self, state: &mut State) -> Result<Vec<Commit>, Fault> {
        self.commits.retain(|commit| commit.written);
        let mut work = 0;
        for commit in &mut self.commits {
            work += 1 + commit.events.len() as u64;
            commit.write_journal(state)?;
        }
        state.windows.flush(&state.db, &state.caches.apps, work, false)?;
        let commits = self.commits.into_iter().map(|commit| commit.move_cursors(state)).collect();
        state.flusher.finish(&state.db)?;
        commits
    }
}

impl AppCommit {
    fn write_journal(&mut self, state: &mut State) -> Result<(), Fault> {
        self.touched.retain(|room| !self.range_of.contains_key(room));
        let mut journal =
            state.db.prepare_cached("INSERT INTO journal (key, at, rooms, touched, answers) VALUES (?, ?, ?, ?, ?)")?;
        journal.execute(params![
            journal_key(self.key, self.number),
            self.at.0,
            pack_ranges(&self.ranges),
            pack_rooms(self.touched.iter().copied()),
            pack_answers_of_devices(&self.answers)
        ])?;
        state.db.prepare_cached("UPDATE app SET head = ? WHERE key = ?")?.execute(params![self.number.0, self.key])?;
        if let Some(app) = state.caches.apps.get_mut(&self.app) {
            app.head = self.number;
        }
        Ok(())
    }

    /// Notes the cursors as they are now, and tells the feed.
    fn move_cursors(self, State { caches, flusher, .. }: &mut State) -> Result<Commit, Fault> {
        let key = self.key();
        let mut cursors = Vec::with_capacity(self.cursors.len());
        for (room, Moved { user, member, room: room_key, slot }) in self.cursors {
            let state = caches.cursors.get_mut(&member).ok_or(Fault::Damaged("moved cursors are gone"))?;
            state.moved = false;
            flusher.move_cursors(key, room_key, slot, state.cursors);
            cursors.push(MovedCursors { room, user, cursors: state.cursors });
        }
        Ok(Commit {
            app: self.app,
            number: self.number,
            events: self.events,
            cursors,
            revoked: self.revoked,
            users: self.users,
        })
    }
}
