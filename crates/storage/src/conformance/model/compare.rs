//! All that can be read, from both stores, held side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{ClientId, CommitNumber, Seq, UserId};
use tokio::sync::mpsc;

use super::step::{CLIENT_IDS, DEVICES, OTHERS, ROOMS};
use crate::conformance::world::{PEOPLE, World, device, range, room, user};
use crate::{Commit, MemberFilter, Unit};

/// More than any history writes.
const JOURNAL_LIMIT: usize = 100_000;

/// The feeds of both.
pub struct Readers {
    pub model: mpsc::Receiver<Arc<Commit>>,
    pub backend: mpsc::Receiver<Arc<Commit>>,
}

impl Readers {
    /// After a unit both have been told the same.
    pub fn compare(&mut self, unit: &Unit) {
        let (model, backend) = (told(&mut self.model), told(&mut self.backend));
        assert_eq!(backend, model, "the feeds of backend (left) and model (right) after {unit:?}");
    }
}

/// What a feed has, written out in an order that doesn't matter to readers.
fn told(feed: &mut mpsc::Receiver<Arc<Commit>>) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(commit) = feed.try_recv() {
        let Commit { app, number, events, cursors, revoked, users } = &*commit;
        let cursors: BTreeSet<_> = cursors.iter().map(|moved| format!("{moved:?}")).collect();
        let (revoked, users): (BTreeSet<_>, BTreeSet<_>) = (revoked.iter().collect(), users.iter().collect());
        all.push(format!("{app} {number} {events:?} {cursors:?} {revoked:?} {users:?}"));
    }
    all
}

/// Reads by the same arguments and compares.
macro_rules! same {
    ($model:expr, $backend:expr, $method:ident($($argument:expr),*)) => {{
        let expected = $model.store.$method($($argument),*).await.unwrap();
        let answer = $backend.store.$method($($argument),*).await.unwrap();
        assert_eq!(answer, expected, "{} of backend (left) and model (right): {:?}", stringify!($method), ($(&$argument,)*));
        expected
    }};
}

/// Compares every read of the world's app.
pub async fn compare(model: &World, backend: &World) {
    let app = &model.app;
    let people: Vec<UserId> = PEOPLE.iter().chain(&OTHERS).copied().map(user).collect();
    accounts(model, backend, &people).await;
    for name in ROOMS {
        one_room(model, backend, name, &people).await;
    }
    for one in &people {
        for which in [MemberFilter::Present, MemberFilter::Joined] {
            let expected: BTreeSet<_> = model.store.rooms_of(app, one, which).await.unwrap().0.into_iter().collect();
            let (rooms, as_of) = backend.store.rooms_of(app, one, which).await.unwrap();
            assert_eq!(as_of, backend.store.head(app).await.unwrap());
            assert_eq!(
                (rooms.len(), rooms.into_iter().collect()),
                (expected.len(), expected),
                "rooms_of {one} {which:?}"
            );
        }
        for other in people.iter().filter(|other| *other != one) {
            same!(model, backend, direct_room(app, [one, other]));
        }
        same!(model, backend, share_rooms(app, one, &people));
        let head = same!(model, backend, head(app));
        for since in [0, head.0 / 3, head.0 / 2, head.0.saturating_sub(5), head.0.saturating_sub(1), head.0] {
            for limit in [1, 2, 100] {
                same!(model, backend, changed_rooms(app, one, CommitNumber(since), limit));
            }
        }
    }
    followers(model, backend).await;
}

async fn accounts(model: &World, backend: &World, people: &[UserId]) {
    let app = &model.app;
    let apps = backend.store.apps().await.unwrap();
    let expected = model.store.apps().await.unwrap();
    assert_eq!(apps.iter().find(|found| found.id == *app), expected.iter().find(|found| found.id == *app));
    same!(model, backend, users(app, people));
    same!(model, backend, has_admin(app));
    for query in ["", "a", "ADA", "小", "王", "love", "1", "%", "f"] {
        let mut after = None;
        for limit in [2, 1, 100] {
            after = same!(model, backend, search_users(app, query, after.as_ref(), limit)).next;
        }
    }
    for one in people {
        same!(model, backend, password(app, one));
        same!(model, backend, devices(app, one));
    }
    for id in DEVICES {
        same!(model, backend, device(app, &device(id)));
    }
    for (person, id) in PEOPLE.iter().flat_map(|person| CLIENT_IDS.map(|id| (person, id))) {
        let (device, id) = (device(&format!("{person}-1")), ClientId::new(id).unwrap());
        same!(model, backend, recall(app, &device, &id, 1));
    }
}

async fn one_room(model: &World, backend: &World, name: &str, people: &[UserId]) {
    let (app, id) = (&model.app, &room(name));
    let asked: Vec<_> = people.iter().collect();
    let head = same!(model, backend, room(app, id, &asked)).map_or(Seq(0), |snapshot| snapshot.head.seq);
    for (after, limit) in [(None, 100), (None, 2), (Some(&people[1]), 2)] {
        for which in [MemberFilter::Present, MemberFilter::Joined] {
            same!(model, backend, members(app, id, which, after, limit));
        }
    }
    let middle = head.0 / 2;
    let holes = [range(1, 1), range(middle.max(3), middle.max(3) + 2), range(middle + 9, middle + 30)];
    for viewer in people.iter().take(3).map(Some).chain([None]) {
        same!(model, backend, entries(app, id, &[range(1, head.0 + 1)], viewer));
        same!(model, backend, entries(app, id, &holes, viewer));
    }
    for seq in 0..=head.0 + 1 {
        same!(model, backend, last_edit(app, id, Seq(seq), &[range(1, middle)]));
        same!(model, backend, last_edit(app, id, Seq(seq), &holes));
        same!(model, backend, target(app, id, Seq(seq), &people[usize::try_from(seq % 3).unwrap()]));
    }
}

async fn followers(model: &World, backend: &World) {
    let app = &model.app;
    same!(model, backend, follower(app, "statistics"));
    for day in 0..4 {
        same!(model, backend, counts(app, day));
    }
    let head = same!(model, backend, head(app));
    for after in [CommitNumber(0), CommitNumber(head.0 / 2), head] {
        same!(model, backend, journal(app, after, JOURNAL_LIMIT));
        same!(model, backend, tallies(app, after));
    }
}
