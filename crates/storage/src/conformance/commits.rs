//! Units and commits: whole or not at all, in one order, told by the feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Action, Changes, CommitNumber, EventBody, Expectation, Room, Seq, SettingsChange};

use super::world::{World, cursor_changes, done, keys, message_changes, range, read_to, room, say, user};
use crate::{Commit, FEED_COMMITS_MAX, MovedCursors, Outcome, Receipt, RoomSnapshot, Store, StoreError, Unit, Work};

/// Many senders at once get seqs without holes, each seq once.
pub async fn seqs_are_dense_under_concurrency(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let people = ["ann", "bob", "cho", "dan"];
    for name in ["red", "blue", "green"] {
        world.group(name, &people).await;
    }
    let first = world.room("red").await.head.seq.next();
    let mut senders = tokio::task::JoinSet::new();
    for (name, person) in ["red", "blue", "green"].into_iter().flat_map(|name| people.map(|person| (name, person))) {
        let world = world.clone();
        senders.spawn(async move {
            let version = world.room(name).await.room.version;
            let mut receipts = Vec::new();
            for n in 0..20 {
                let work = world.work(person, name, message_changes(version, &format!("{person} {n}")));
                receipts.push(done(world.commit(Work::Room(work)).await));
            }
            receipts
        });
    }
    let mut receipts: BTreeMap<_, Vec<Receipt>> = BTreeMap::new();
    for receipt in senders.join_all().await.into_iter().flatten() {
        receipts.entry(receipt.room.clone().unwrap()).or_default().push(receipt);
    }
    for (name, mut receipts) in receipts {
        receipts.sort_by_key(|receipt| receipt.seq);
        let seqs: Vec<u64> = receipts.iter().map(|receipt| receipt.seq.0).collect();
        assert_eq!(seqs, (first.0..first.0 + 80).collect::<Vec<_>>());
        assert!(receipts.is_sorted_by_key(|receipt| receipt.commit), "later seqs have later commits");
        let entries = world.entries(name.as_str(), "ann").await;
        assert_eq!(entries.len() as u64, first.0 - 1 + 80);
        for (entry, seq) in entries.iter().zip(1..) {
            assert_eq!(entry.event.seq, Seq(seq));
        }
        for receipt in receipts {
            let entry = &entries[usize::try_from(receipt.seq.0).unwrap() - 1];
            assert_eq!((entry.event.seq, entry.event.commit), (receipt.seq, receipt.commit));
        }
    }
}

/// Commit numbers grow by one order; who has a receipt sees everything up to it.
pub async fn commits_form_one_order(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut last = world.store.head(&world.app).await.unwrap();
    world.group("red", &["ann", "bob"]).await;
    world.group("blue", &["bob", "ann"]).await;
    for n in 0..10 {
        for (person, name) in [("ann", "red"), ("bob", "blue"), ("bob", "red")] {
            let receipt = world.act(person, name, say(&format!("{n}"))).await;
            assert!(receipt.commit > last, "{} after {last}", receipt.commit);
            last = receipt.commit;
            assert_eq!(world.store.head(&world.app).await.unwrap(), last);
            let snapshot = world.room(name).await;
            assert_eq!((snapshot.head.seq, snapshot.head.commit), (receipt.seq, receipt.commit));
        }
    }
    let account = world.account_done(vec![world.new_user("fay")]).await;
    assert!(account.commit > last, "account changes stand in the same order");
}

/// What doesn't fit the world is a conflict, and nothing of it is there.
pub async fn a_conflict_writes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.act("ann", "pair", Action::Direct { user: user("bob") }).await;
    let head = world.store.head(&world.app).await.unwrap();
    let before = (world.room("red").await, world.entries("red", "ann").await);
    let version = before.0.room.version;

    let create = |changes: Result<Changes, _>| changes.unwrap();
    let group = Action::Create { settings: SettingsChange::default(), invite: vec![user("cho")] };
    let group = create(world.check("dan", "fresh", group).await);
    let pair = create(world.check("bob", "fresh", Action::Direct { user: user("ann") }).await);
    let many = Changes {
        events: vec![EventBody::message(domain::Content::plain("1"), None); 3],
        cursors: Some(domain::CursorMove { delivered: None, read: Some(Seq(1)) }),
        expect: Expectation { version: version + 1, reactions: None },
        ..Changes::default()
    };
    for (what, name, changes) in [
        ("the room id exists", "red", group),
        ("the pair exists", "fresh", pair),
        ("an older version", "red", message_changes(version - 1, "old")),
        ("a version that never was", "red", many),
        ("cursors of an older version", "red", cursor_changes(version - 1, None, Some(3))),
        ("no such room", "nowhere", message_changes(version, "lost")),
    ] {
        let outcome = world.commit(Work::Room(world.work("ann", name, changes))).await;
        assert_eq!(outcome, Outcome::Conflict, "{what}");
    }
    assert_eq!((world.room("red").await, world.entries("red", "ann").await), before);
    assert_eq!(world.store.head(&world.app).await.unwrap(), head, "a conflict takes no commit number");
    for name in ["fresh", "nowhere"] {
        assert_eq!(world.store.room(&world.app, &room(name), &[]).await.unwrap(), None);
    }
}

/// A version, or the own reactions, that have moved since the check make a conflict; messages don't move the version.
pub async fn expectations_are_held(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob", "cho"]).await;
    let message = world.act("ann", "red", say("hello")).await.seq;

    let early = world.check("bob", "red", say("from before")).await.unwrap();
    world.act("ann", "red", say("between")).await;
    let react = |set: &[&str]| Action::React { target: message, keys: keys(set) };
    let early_reaction = world.check("bob", "red", react(&["+1"])).await.unwrap();
    let own_reaction = world.check("cho", "red", react(&["+1"])).await.unwrap();
    done(world.commit(Work::Room(world.work("bob", "red", early))).await);

    world.act("bob", "red", react(&["-1"])).await;
    let outcome = world.commit(Work::Room(world.work("bob", "red", early_reaction))).await;
    assert_eq!(outcome, Outcome::Conflict, "bob's reactions have moved");
    done(world.commit(Work::Room(world.work("cho", "red", own_reaction))).await);

    let before_redaction = world.check("bob", "red", react(&["new"])).await.unwrap();
    let before_leave = world.check("cho", "red", say("late")).await.unwrap();
    world.act("ann", "red", Action::Redact { target: message, reason: None }).await;
    let outcome = world.commit(Work::Room(world.work("bob", "red", before_redaction))).await;
    assert_eq!(outcome, Outcome::Conflict, "the message is redacted");
    world.act("cho", "red", Action::Leave).await;
    let outcome = world.commit(Work::Room(world.work("cho", "red", before_leave))).await;
    assert_eq!(outcome, Outcome::Conflict, "cho has left");
}

/// Two people who write each other first at the same time make one room.
pub async fn a_pair_has_one_direct_room_under_a_race(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (a, b) in [("ann", "bob"), ("cho", "bob"), ("dan", "eve")] {
        let rooms = [format!("{a}-{b}"), format!("{b}-{a}")];
        let mine = world.check(a, &rooms[0], Action::Direct { user: user(b) }).await.unwrap();
        let theirs = world.check(b, &rooms[1], Action::Direct { user: user(a) }).await.unwrap();
        let (first, second) = tokio::join!(
            world.commit(Work::Room(world.work(a, &rooms[0], mine))),
            world.commit(Work::Room(world.work(b, &rooms[1], theirs))),
        );
        let winner = match (first, second) {
            (Outcome::Done(receipt), Outcome::Conflict) | (Outcome::Conflict, Outcome::Done(receipt)) => receipt.room,
            other => panic!("one is to win: {other:?}"),
        };
        let found = world.store.direct_room(&world.app, [&user(a), &user(b)]).await.unwrap();
        assert_eq!(found, winner);
        for name in rooms {
            let exists = world.store.room(&world.app, &room(&name), &[]).await.unwrap().is_some();
            assert_eq!(exists, winner == Some(room(&name)));
        }
    }
}

/// Of many who create a room of one id one is the creator.
pub async fn a_room_id_is_created_once_under_a_race(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut creators = tokio::task::JoinSet::new();
    for person in super::world::PEOPLE {
        let world = world.clone();
        creators.spawn(async move {
            let action = Action::Create { settings: SettingsChange::default(), invite: Vec::new() };
            let command = domain::Command { room: room("red"), action };
            let changes = domain::check_new_room(&user(person), &command, false, false).unwrap();
            (person, world.commit(Work::Room(world.work(person, "red", changes))).await)
        });
    }
    let (winners, losers): (Vec<_>, Vec<_>) =
        creators.join_all().await.into_iter().partition(|(_, outcome)| matches!(outcome, Outcome::Done(_)));
    assert_eq!((winners.len(), losers.len()), (1, super::world::PEOPLE.len() - 1));
    assert!(losers.iter().all(|(_, outcome)| *outcome == Outcome::Conflict));
    let entries = world.entries("red", "ann").await;
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry.event.sender == user(winners[0].0)));
}

/// The feed has every commit, in order, once the answer is there.
pub async fn the_feed_tells_before_the_answer(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let before = world.store.head(&world.app).await.unwrap();
    let mut feed = world.store.feed().expect("nobody has taken it");
    let mut told = |commit: CommitNumber| {
        let next = feed.try_recv().expect("the commit is told no later than its answer");
        assert_eq!((next.number, &next.app), (commit, &world.app));
        next
    };

    let action = Action::Create { settings: SettingsChange::default(), invite: vec![user("bob")] };
    let receipt = world.act("ann", "red", action).await;
    assert!(receipt.commit > before);
    let commit = told(receipt.commit);
    let seqs: Vec<_> = commit.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [Seq(1), Seq(2), Seq(3)]);
    assert_eq!(moved(&commit), [("red".into(), "ann".into(), 2, 2, 0)]);

    let receipt = world.act("bob", "red", Action::Join).await;
    let commit = told(receipt.commit);
    assert_eq!(moved(&commit), [("red".into(), "bob".into(), 4, 4, 0)]);
    let receipt = world.act("ann", "red", say("hello")).await;
    let commit = told(receipt.commit);
    assert_eq!(commit.events.len(), 1);
    assert_eq!(*commit.events[0], world.entry("red", Seq(5), "ann").await.event);
    assert_eq!(moved(&commit), [("red".into(), "ann".into(), 5, 5, 1)]);
    let receipt = world.act("bob", "red", read_to(Some(5), None)).await;
    assert_eq!(receipt.seq, Seq(5), "the head, since nothing was appended");
    let commit = told(receipt.commit);
    assert!(commit.events.is_empty());
    assert_eq!(moved(&commit), [("red".into(), "bob".into(), 5, 4, 0)]);

    let mut senders = tokio::task::JoinSet::new();
    for person in ["ann", "bob"] {
        let world = world.clone();
        senders.spawn(async move {
            let version = world.room("red").await.room.version;
            for n in 0..30 {
                let work = world.work(person, "red", message_changes(version, &n.to_string()));
                done(world.commit(Work::Room(work)).await);
            }
        });
    }
    senders.join_all().await;
    let mut commits = Vec::new();
    while let Ok(commit) = feed.try_recv() {
        commits.push(commit);
    }
    assert!(commits.is_sorted_by(|a, b| a.number < b.number));
    let seqs: Vec<_> = commits.iter().flat_map(|commit| &commit.events).map(|event| event.seq.0).collect();
    assert_eq!(seqs, (6..66).collect::<Vec<_>>());
    assert_eq!(commits.last().unwrap().number, world.store.head(&world.app).await.unwrap());
}

fn moved(commit: &Commit) -> Vec<(String, String, u64, u64, u64)> {
    let row = |MovedCursors { room, user, cursors }: &MovedCursors| {
        assert_eq!(cursors.commit, commit.number);
        (room.to_string(), user.to_string(), cursors.delivered.0, cursors.read.0, cursors.read_messages)
    };
    let rows: BTreeSet<_> = commit.cursors.iter().map(row).collect();
    assert_eq!(rows.len(), commit.cursors.len(), "each is told once");
    rows.into_iter().collect()
}

/// There is one reader, and what came before it is not told.
pub async fn the_feed_has_one_reader(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut feed = world.store.feed().expect("nobody has taken it");
    assert!(world.store.feed().is_none());
    assert!(feed.try_recv().is_err());
    let receipt = world.account_done(vec![world.new_user("fay")]).await;
    assert_eq!(feed.recv().await.unwrap().number, receipt.commit);
}

/// A reader of the feed that has gone doesn't hold the writer up.
pub async fn a_store_without_reader_goes_on(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    drop(world.store.feed().expect("nobody has taken it"));
    world.group("red", &["ann"]).await;
    let version = world.room("red").await.room.version;
    let mut last = None;
    for n in 0..FEED_COMMITS_MAX + 10 {
        let work = world.work("ann", "red", message_changes(version, &n.to_string()));
        last = Some(done(world.commit(Work::Room(work)).await).seq);
    }
    assert_eq!(last, Some(world.room("red").await.head.seq));
}

/// A slow reader makes the writer wait, and gets every commit.
pub async fn a_full_feed_loses_nothing(store: Arc<dyn Store>) {
    const COMMITS: usize = FEED_COMMITS_MAX + 50;
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    let RoomSnapshot { room: Room { version, .. }, head, .. } = world.room("red").await;
    let mut feed = world.store.feed().expect("nobody has taken it");
    let writer = tokio::spawn({
        let world = world.clone();
        async move {
            for n in 0..COMMITS {
                let work = world.work("ann", "red", message_changes(version, &n.to_string()));
                done(world.commit(Work::Room(work)).await);
            }
        }
    });
    while feed.len() < FEED_COMMITS_MAX {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished(), "there is no room for the rest");
    for n in 1..=COMMITS as u64 {
        let commit = feed.recv().await.expect("the store is open");
        assert_eq!(commit.events[0].seq, Seq(head.seq.0 + n));
    }
    writer.await.unwrap();
}

/// Empty changes, and cursors that are there already, are done with the head as their seq.
pub async fn work_that_changes_nothing_is_done(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let head = world.act("ann", "red", say("hello")).await;
    let before = (world.room("red").await, world.membership("red", "ann").await);
    let version = before.0.room.version;
    let expect = Expectation { version, reactions: None };
    for changes in [Changes { expect, ..Changes::default() }, cursor_changes(version, Some(2), Some(99))] {
        let receipt = done(world.commit(Work::Room(world.work("ann", "red", changes))).await);
        assert_eq!((receipt.room, receipt.seq), (Some(room("red")), head.seq));
        assert!(receipt.commit >= head.commit);
    }
    assert_eq!((world.room("red").await, world.membership("red", "ann").await), before);
    let (entries, seq) = world.store.entries(&world.app, &room("red"), &[range(1, 99)], None).await.unwrap();
    assert_eq!((entries.len() as u64, seq), (head.seq.0, head.seq));
}

/// A closed store writes nothing more.
pub async fn after_close_commits_are_unavailable(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    let version = world.room("red").await.room.version;
    world.store.close().await;
    let work = Work::Room(world.work("ann", "red", message_changes(version, "late")));
    let unit = Unit { app: world.app.clone(), at: world.tick(), work };
    let answer = world.store.commit(unit).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}
