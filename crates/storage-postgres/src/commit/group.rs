//! What a group writes: one commit for each app in it, and the rows of all its units side by side.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::{
    App, AppId, AppSettings, ClientId, CommitNumber, DeviceId, Event, EventBody, RoomId, Seq, SeqRange, Timestamp,
    UserId,
};
use smol_str::SmolStr;
use storage::{Commit, MovedCursors};

use super::state::{AppState, EventName, MemberName, State};
use crate::key::{AppKey, DeviceKey, RoomKey};

/// An event to be written.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) room: RoomKey,
    pub(super) event: Arc<Event>,
    /// What is written of it: less than it says, if this very group deletes it.
    pub(super) body: Option<EventBody>,
    /// By which device, if it has a client id.
    pub(super) device: Option<DeviceKey>,
}

/// Rows to be written.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) commits: Vec<AppCommit>,
    pub(super) new_apps: Vec<(AppKey, App)>,
    pub(super) app_settings: BTreeMap<AppKey, AppSettings>,
    pub(super) events: Vec<NewEvent>,
    pub(super) event_at: HashMap<EventName, usize>,
    /// Edits: room, message, edit.
    pub(super) edits: Vec<(RoomKey, Seq, Seq)>,
    /// New bodies of events that were there before.
    pub(super) bodies: BTreeMap<EventName, String>,
    /// Messages whose reactions go.
    pub(super) wiped: BTreeSet<EventName>,
    /// Commands whose fingerprints go.
    pub(super) forgotten: Vec<(DeviceKey, ClientId, RoomKey, Seq)>,
    /// Sets of reactions that changed.
    pub(super) reactions: BTreeMap<(RoomKey, Seq, UserId), BTreeSet<SmolStr>>,
    /// By how much counts of reactions change.
    pub(super) counts: BTreeMap<(RoomKey, Seq, SmolStr), i32>,
    /// Client ids that were used, in order.
    pub(super) used: Vec<(DeviceKey, ClientId)>,
    pub(super) steps: BTreeMap<(AppKey, &'static str), CommitNumber>,
    pub(super) counters: BTreeMap<(AppKey, u32, SmolStr), u64>,
}

/// One commit of one app while it gathers.
#[derive(Debug)]
pub(super) struct AppCommit {
    pub(super) app: AppId,
    pub(super) key: AppKey,
    pub(super) number: CommitNumber,
    pub(super) at: Timestamp,
    /// Whether there is anything that a reader could see; else it takes no number.
    pub(super) written: bool,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) ranges: Vec<(RoomKey, SeqRange)>,
    range_of: HashMap<RoomKey, usize>,
    /// Cursors that moved.
    pub(super) cursors: Vec<(RoomId, MemberName)>,
    cursors_known: BTreeSet<MemberName>,
    pub(super) revoked: Vec<DeviceId>,
    pub(super) users: Vec<UserId>,
}

impl AppCommit {
    /// Notes a new event.
    pub(super) fn append(&mut self, room: RoomKey, event: &Arc<Event>) {
        self.written = true;
        self.events.push(Arc::clone(event));
        if let Some(index) = self.range_of.get(&room) {
            self.ranges[*index].1.last = event.seq;
            return;
        }
        self.range_of.insert(room, self.ranges.len());
        self.ranges.push((room, SeqRange { first: event.seq, last: event.seq }));
    }

    /// Notes moved cursors.
    pub(super) fn moved(&mut self, room: &RoomId, name: MemberName) {
        self.written = true;
        if self.cursors_known.insert(name.clone()) {
            self.cursors.push((room.clone(), name));
        }
    }

    /// Rooms where only cursors moved.
    pub(super) fn touched(&self) -> Vec<RoomKey> {
        let rooms: BTreeSet<_> = self.cursors.iter().map(|(_, (room, _))| *room).collect();
        rooms.into_iter().filter(|room| !self.range_of.contains_key(room)).collect()
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
                cursors: Vec::new(),
                cursors_known: BTreeSet::new(),
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

    /// Whether nothing at all is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.commits.iter().all(|commit| !commit.written) && self.used.is_empty() && self.steps.is_empty()
    }

    /// The commits as the feed tells them.
    pub(super) fn told(self, state: &State) -> Vec<Commit> {
        let commits = self.commits.into_iter().filter(|commit| commit.written);
        let told = commits.map(|commit| Commit {
            app: commit.app,
            number: commit.number,
            events: commit.events,
            cursors: commit
                .cursors
                .into_iter()
                .map(|(room, name)| {
                    let cursors = state.cursors.get(&name).map(|state| state.cursors).unwrap_or_default();
                    MovedCursors { room, user: name.1, cursors }
                })
                .collect(),
            revoked: commit.revoked,
            users: commit.users,
        });
        told.collect()
    }
}
