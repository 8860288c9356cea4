//! The journal, and the followers that go along it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Action, CommitNumber, EventKind, Seq, SettingsChange};
use smol_str::SmolStr;

use super::world::{World, done, message_changes, range, read_to, room, say, user};
use crate::{FollowerStep, JournalEntry, Outcome, Store, TALLY_COMMITS_MAX, Tallies, Tally, Work};

/// All the journal, in pages.
async fn journal(world: &World, mut after: CommitNumber, limit: usize) -> Vec<JournalEntry> {
    let mut all = Vec::new();
    loop {
        let page = world.store.journal(&world.app, after, limit).await.unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return all };
        assert!(page[0].commit > after && page.is_sorted_by(|a, b| a.commit < b.commit));
        after = last.commit;
        all.extend(page);
    }
}

/// Every event is counted once, under the commit that wrote it, with its kind.
pub async fn tallies_count_every_event_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let before = world.store.head(&world.app).await.unwrap();
    world.group("red", &["ann", "bob"]).await;
    let message = world.act("ann", "red", say("one")).await;
    world.act("ann", "red", say("two")).await;
    world.act("ann", "red", Action::Edit { target: message.seq, content: domain::Content::plain("1") }).await;
    world.act("bob", "red", Action::React { target: message.seq, keys: BTreeSet::from(["+1".into()]) }).await;
    world.act("ann", "red", Action::Redact { target: message.seq, reason: None }).await;
    world.act("bob", "red", read_to(None, Some(4))).await;
    world.act("ann", "red", Action::Invite { user: user("cho") }).await;
    world.act("bob", "red", Action::Leave).await;
    let tallies = world.store.tallies(&world.app, before).await.unwrap();
    let journal = world.store.journal(&world.app, before, 100).await.unwrap();
    assert!(!tallies.more);
    let commits = |tally: &Tally| (tally.commit, tally.at);
    assert!(tallies.commits.iter().map(commits).eq(journal.iter().map(|entry| (entry.commit, entry.at))));
    let mut kinds = BTreeMap::new();
    for (kind, events) in tallies.commits.iter().flat_map(|tally| &tally.events) {
        *kinds.entry(*kind).or_insert(0) += events;
    }
    let expect = [
        (EventKind::Created, 1),
        (EventKind::Joined, 2),
        (EventKind::Invited, 1),
        (EventKind::Left, 1),
        (EventKind::Message, 2),
        (EventKind::Edit, 1),
        (EventKind::Redaction, 1),
        (EventKind::Reaction, 1),
    ];
    assert_eq!(kinds, BTreeMap::from(expect));
    let head = world.store.head(&world.app).await.unwrap();
    assert_eq!(world.store.tallies(&world.app, head).await.unwrap(), Tallies::default());
}

/// So many commits are counted in one call and no more; the next call goes on.
pub async fn tallies_are_bounded(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    for n in 0..=TALLY_COMMITS_MAX as u64 {
        world.act("ann", "red", say(&n.to_string())).await;
    }
    let first = world.store.tallies(&world.app, CommitNumber(0)).await.unwrap();
    assert_eq!((first.commits.len(), first.more), (TALLY_COMMITS_MAX, true));
    let last = first.commits[TALLY_COMMITS_MAX - 1].commit;
    let second = world.store.tallies(&world.app, last).await.unwrap();
    assert!(!second.more);
    assert_eq!(second.commits.last().map(|tally| tally.commit), Some(world.store.head(&world.app).await.unwrap()));
}

/// The ranges of the journal are the events, each once, under the commit that wrote them.
pub async fn the_journal_names_every_event_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let create = Action::Create { settings: SettingsChange::default(), invite: vec![user("bob"), user("cho")] };
    let created = world.act("ann", "red", create).await;
    world.group("blue", &["bob", "ann", "cho"]).await;
    let moved = world.act("ann", "blue", read_to(None, Some(4))).await;
    let mut senders = tokio::task::JoinSet::new();
    for person in ["ann", "bob", "cho"] {
        let world = world.clone();
        senders.spawn(async move {
            for n in 0..10 {
                world.act(person, "blue", say(&n.to_string())).await;
            }
        });
    }
    senders.join_all().await;
    let head = world.store.head(&world.app).await.unwrap();
    for limit in [1, 7, 1_000] {
        let journal = journal(&world, CommitNumber(0), limit).await;
        let commits: Vec<u64> = journal.iter().map(|entry| entry.commit.0).collect();
        assert_eq!(commits, Vec::from_iter(1..=head.0), "every commit");
        let rooms_of = |commit: CommitNumber| {
            journal.iter().find(|entry| entry.commit == commit).map(|entry| entry.rooms.clone()).unwrap()
        };
        assert_eq!(rooms_of(created.commit), [(room("red"), range(1, 4))]);
        assert_eq!(rooms_of(CommitNumber(1)), [], "accounts are no events");
        assert_eq!(rooms_of(moved.commit), [], "cursors are no events");
        let mut next = BTreeMap::new();
        for entry in &journal {
            let rooms: BTreeSet<_> = entry.rooms.iter().map(|(room, _)| room).collect();
            assert_eq!(rooms.len(), entry.rooms.len(), "one range for each room");
            for (room, range) in &entry.rooms {
                let next = next.entry(room.clone()).or_insert(Seq(1));
                assert_eq!(range.first, *next);
                *next = range.last.next();
                let (entries, _) = world.store.entries(&world.app, room, &[*range], None).await.unwrap();
                assert_eq!(entries.len() as u64, range.last.0 - range.first.0 + 1);
                assert!(entries.iter().all(|found| found.event.commit == entry.commit && found.event.at <= entry.at));
            }
        }
        assert_eq!(next, BTreeMap::from([(room("red"), Seq(5)), (room("blue"), Seq(35))]));
    }
    assert_eq!(world.store.journal(&world.app, head, 10).await.unwrap(), []);
}

fn step(from: u64, to: u64, counts: &[(u32, &str, u64)]) -> FollowerStep {
    let counts = counts.iter().map(|(day, name, count)| ((*day, SmolStr::new(name)), *count)).collect();
    FollowerStep { name: "statistics", from: CommitNumber(from), to: CommitNumber(to), counts }
}

/// A step is taken only from where the follower stands: of two that do the same work one counts.
pub async fn followers_step_from_where_they_are(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let at = async |name: &str| world.store.follower(&world.app, name).await.unwrap().0;
    assert_eq!(at("statistics").await, 0);
    done(world.commit(Work::Follower(step(0, 3, &[(1, "messages", 1)]))).await);
    assert_eq!((at("statistics").await, at("other").await), (3, 0));
    for from in [0, 2, 4] {
        let again = Work::Follower(step(from, 9, &[(1, "messages", 100), (2, "rooms", 100)]));
        assert_eq!(world.commit(again).await, Outcome::Conflict);
    }
    let other = FollowerStep { name: "other", ..step(0, 1, &[]) };
    done(world.commit(Work::Follower(other)).await);
    let (first, second) = tokio::join!(
        world.commit(Work::Follower(step(3, 5, &[(1, "messages", 10)]))),
        world.commit(Work::Follower(step(3, 5, &[(1, "messages", 10)]))),
    );
    let won = [first, second].iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    assert_eq!((won, at("statistics").await, at("other").await), (1, 5, 1));
    let counts = world.store.counts(&world.app, 0).await.unwrap();
    assert_eq!(counts, BTreeMap::from([((1, "messages".into()), 11)]), "a conflict counts nothing");
}

/// Counters are sums; reads start at a day.
pub async fn counters_add_up_and_are_read_from_a_day(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    let version = world.room("red").await.room.version;
    let before = world.store.head(&world.app).await.unwrap();
    done(world.commit(Work::Follower(step(0, 1, &[(10, "messages", 5), (9, "rooms", 1), (11, "users", 0)]))).await);
    done(world.commit(Work::Follower(step(1, 2, &[(10, "messages", 2), (11, "messages", 1 << 40)]))).await);
    let check = async |from: u32, expect: &[(u32, &str, u64)]| {
        let mut counts = world.store.counts(&world.app, from).await.unwrap();
        counts.retain(|_, count| *count > 0);
        assert_eq!(counts, step(0, 0, expect).counts, "from {from}");
    };
    check(0, &[(9, "rooms", 1), (10, "messages", 7), (11, "messages", 1 << 40)]).await;
    check(10, &[(10, "messages", 7), (11, "messages", 1 << 40)]).await;
    check(12, &[]).await;
    assert_eq!(journal(&world, before, 9).await, [], "a step is no event for followers");
    assert_eq!(world.store.head(&world.app).await.unwrap(), before, "a step gives followers nothing to follow");
    done(world.commit(Work::Room(world.work("ann", "red", message_changes(version, "on")))).await);
}
