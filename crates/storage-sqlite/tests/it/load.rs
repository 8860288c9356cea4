//! Many at once, and a disk that is full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Head, Seq};
use storage::conformance::world::{World, message_changes, range, read_to, room, say, user};
use storage::{MemberFilter, Outcome, Store, StoreError, Unit, Work};
use storage_sqlite::{Options, SqliteStore, doctor};
use wal_buffer::faults::{self, Fault};

use crate::world::{crashed, fresh, fresh_with, lively, on, open, send_as};

/// Tasks that write at the same time.
const WRITERS: usize = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_commits_and_get_dense_seqs() {
    let (store, _folder) = fresh();
    let world = lively(store.clone()).await;
    let before = (world.room("red").await.head, store.head(&world.app).await.unwrap());
    let version = world.room("red").await.room.version;
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..WRITERS {
        let world = world.clone();
        writing.spawn(async move {
            let work = world.work("ann", "red", message_changes(version, "hello"));
            let outcome = world.commit(Work::Room(world.work_as(&format!("c{n}"), n as u64, work))).await;
            storage::conformance::world::done(outcome)
        });
    }
    let receipts = writing.join_all().await;
    let seqs: BTreeSet<_> = receipts.iter().map(|receipt| receipt.seq).collect();
    let expected: BTreeSet<_> = (1..=WRITERS as u64).map(|n| Seq(before.0.seq.0 + n)).collect();
    assert_eq!(seqs, expected);
    let commits: BTreeSet<_> = receipts.iter().map(|receipt| receipt.commit).collect();
    assert!(commits.len() < WRITERS / 2, "{} commits for {WRITERS} messages", commits.len());
    assert_eq!(store.head(&world.app).await.unwrap().0, before.1.0 + commits.len() as u64);
    assert_eq!(store.doctor().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_within_one_group_are_recognised() {
    let (store, _folder) = fresh();
    let world = lively(store.clone()).await;
    let head = world.room("red").await.head.seq;
    let version = world.room("red").await.room.version;
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..64_u64 {
        let world = world.clone();
        writing.spawn(async move {
            // Eight client ids, each sent eight times, one of them with another command.
            let fingerprint = u64::from(n == 63);
            let work = world.work("ann", "red", message_changes(version, "hello"));
            world.commit(Work::Room(world.work_as(&format!("c{}", n % 8), fingerprint, work))).await
        });
    }
    let outcomes = writing.join_all().await;
    let written = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    assert_eq!(written, 8);
    assert!(outcomes.contains(&Outcome::ClientIdReused));
    assert_eq!(world.room("red").await.head.seq, Seq(head.0 + 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writing_and_heals() {
    let (store, _folder) = fresh();
    let world = lively(store.clone()).await;
    store.limit_pages(Some(60));
    let (mut written, mut refused) = (0, 0);
    for n in 0..400 {
        match try_send(&world, &store, n).await {
            Ok(Outcome::Done(_)) => written += 1,
            Ok(other) => panic!("{other:?}"),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert!(written > 0 && refused == 5, "{written} written, {refused} refused");
    assert!(!store.is_writable());
    let head = world.room("red").await.head;
    assert_eq!(world.entries("red", "ann").await.len() as u64, head.seq.0);
    assert_eq!(store.doctor().unwrap(), []);

    store.limit_pages(None);
    assert!(matches!(send_as(&world, "after", 1, "red").await, Outcome::Done(_)));
    assert!(store.is_writable());
    world.act("bob", "red", say("back again")).await;
    assert_eq!(world.room("red").await.head.seq, Seq(head.seq.0 + 2));
    // What was acknowledged before is still remembered, and what was refused is not.
    assert!(matches!(send_as(&world, "c0", 0, "red").await, Outcome::Duplicate(_)));
    let refused = send_as(&world, &format!("c{written}"), written, "red").await;
    assert!(matches!(refused, Outcome::Done(_)), "{refused:?}");
    assert_eq!(store.doctor().unwrap(), []);
}

async fn try_send(world: &World, store: &Arc<SqliteStore>, n: u64) -> Result<Outcome, StoreError> {
    let version = world.room("red").await.room.version;
    let work = world.work("ann", "red", message_changes(version, &"long ".repeat(300)));
    let work = Work::Room(world.work_as(&format!("c{n}"), n, work));
    store.commit(Unit { app: world.app.clone(), at: world.tick(), work }).await
}

/// Rooms that are written to while they are read.
const ROOMS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Messages in each of them.
const MESSAGES: usize = 150;

/// Whatever waits to be written to its place and whatever is on its way there, a reader sees all of one moment.
async fn check_moments(memtable_bytes: usize) {
    let (store, folder) = fresh_with(memtable_bytes);
    let world = World::new(store.clone() as Arc<dyn Store>).await;
    for name in ROOMS {
        world.group(name, &["ann", "bob"]).await;
    }
    let mut writing = tokio::task::JoinSet::new();
    for name in ROOMS {
        let world = world.clone();
        writing.spawn(async move {
            for n in 0..MESSAGES {
                let sent = world.act("ann", name, say(&format!("{n} {}", "x".repeat(n % 40)))).await.seq;
                if n % 25 == 24 {
                    // What is no message goes to its place at once, and what waits before it.
                    let content = domain::Content::plain(format!("{n} anew"));
                    world.act("ann", name, domain::Action::Edit { target: sent, content }).await;
                }
                if n % 3 == 0 {
                    world.act("bob", name, read_to(Some(sent.0), Some(sent.0))).await;
                }
            }
        });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut reading = tokio::task::JoinSet::new();
    for name in ROOMS {
        let (world, stop) = (world.clone(), stop.clone());
        reading.spawn(async move {
            let mut seen = Head::default();
            while !stop.load(Ordering::Relaxed) {
                seen = look(&world, name, seen).await;
            }
            seen
        });
    }
    writing.join_all().await;
    stop.store(true, Ordering::Relaxed);
    reading.join_all().await;
    for name in ROOMS {
        assert_eq!(look(&world, name, Head::default()).await.messages, MESSAGES as u64);
    }
    let before = all_of(&world).await;
    assert_eq!(store.doctor().unwrap(), []);
    let after_crash = crashed(folder.path());
    assert_eq!(doctor(after_crash.path()).unwrap(), []);
    store.close().await;
    for folder in [folder.path(), after_crash.path()] {
        let store = open(folder);
        assert_eq!(all_of(&on(&world, &store)).await, before);
        store.close().await;
        assert_eq!(doctor(folder).unwrap(), []);
    }
}

/// All that can be read of the rooms, as text.
async fn all_of(world: &World) -> Vec<String> {
    let (store, app) = (&world.store, &world.app);
    let mut all = vec![format!("{:?}", store.tallies(app, domain::CommitNumber(0)).await.unwrap())];
    for name in ROOMS.map(room) {
        all.push(format!("{:?}", store.entries(app, &name, &[range(1, 100_000)], None).await.unwrap()));
        all.push(format!("{:?}", store.members(app, &name, MemberFilter::Present, None, 10).await.unwrap()));
    }
    for id in ["ann", "bob"].map(user) {
        all.push(format!("{:?}", store.changed_rooms(app, &id, domain::CommitNumber(0), 100).await.unwrap()));
    }
    all
}

/// Reads a room in some ways; gives its head, which is not before the one that was seen.
async fn look(world: &World, name: &str, seen: Head) -> Head {
    let store = &world.store;
    let (ann, bob) = (user("ann"), user("bob"));
    let snapshot = store.room(&world.app, &room(name), &[&ann, &bob]).await.unwrap().unwrap();
    assert!(snapshot.head.seq >= seen.seq && snapshot.head.commit >= seen.commit, "{snapshot:?} after {seen:?}");
    // She sends all messages, and a message moves its sender's cursors.
    let cursors = snapshot.members[0].as_ref().unwrap().cursors;
    let last = snapshot.head.last_message.unwrap_or(cursors.read);
    assert_eq!((cursors.read, cursors.delivered), (last, last), "{snapshot:?}");
    let bobs = snapshot.members[1].as_ref().unwrap().cursors;
    assert!(bobs.read <= snapshot.head.seq, "{snapshot:?}");
    let (entries, head) = store.entries(&world.app, &room(name), &[range(1, 100_000)], Some(&bob)).await.unwrap();
    assert!(head >= snapshot.head.seq);
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.event.seq.0).collect();
    assert_eq!(seqs, (1..=head.0).collect::<Vec<_>>());
    assert!(entries.is_sorted_by_key(|entry| entry.event.commit), "{entries:?}");
    let members = store.members(&world.app, &room(name), MemberFilter::Joined, None, 10).await.unwrap();
    assert!(members[0].cursors.read >= last);
    let changed = store.changed_rooms(&world.app, &ann, snapshot.head.commit, 100).await.unwrap();
    let told = changed.rooms.iter().find(|listed| listed.room.id == room(name));
    assert!(told.is_none_or(|listed| listed.head.commit > snapshot.head.commit || listed.me.cursors != cursors));
    snapshot.head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_moment_of_what_waits() {
    check_moments(Options::default().memtable_bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_moment_while_rooms_are_flushed_at_once() {
    check_moments(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_moment_while_rooms_take_turns() {
    check_moments(40_000).await;
}

/// Sends a message until it is known to be written, by the same client id.
async fn send_surely(world: &World, name: &str, n: usize) {
    loop {
        let version = world.room(name).await.room.version;
        let work = world.work("ann", name, message_changes(version, &format!("{name} {n}")));
        let work = Work::Room(world.work_as(&format!("{name}-{n}"), n as u64, work));
        let unit = Unit { app: world.app.clone(), at: world.tick(), work };
        match world.store.commit(unit).await {
            Ok(Outcome::Done(_) | Outcome::Duplicate(_)) => return,
            Ok(Outcome::Conflict) | Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}

/// How often the disk fails.
const FAILURES: u64 = 12;

/// Groups of many rooms fail while others read; each message is there once, and a reader sees one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_moment_while_groups_fail() {
    let (store, folder) = fresh_with(6_000);
    let world = World::new(store.clone() as Arc<dyn Store>).await;
    for name in ROOMS {
        world.group(name, &["ann", "bob"]).await;
    }
    let wal = std::fs::canonicalize(folder.path()).unwrap().join("starling.db-wal");
    let stop = Arc::new(AtomicBool::new(false));
    let mut writing = tokio::task::JoinSet::new();
    for name in ROOMS {
        let (world, stop) = (world.clone(), stop.clone());
        writing.spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                send_surely(&world, name, sent).await;
                sent += 1;
            }
            sent
        });
    }
    let mut reading = tokio::task::JoinSet::new();
    for name in ROOMS {
        let (world, stop) = (world.clone(), stop.clone());
        reading.spawn(async move {
            let mut seen = Head::default();
            while !stop.load(Ordering::Relaxed) {
                seen = look(&world, name, seen).await;
            }
        });
    }
    for fault in [Fault::Write, Fault::Sync, Fault::HalfWrite, Fault::Full].into_iter().cycle().take(FAILURES as usize)
    {
        let (failed, head) = (faults::count(&wal), store.head(&world.app).await.unwrap());
        faults::set(&wal, fault);
        while faults::count(&wal) < failed + 3 {
            tokio::task::yield_now().await;
        }
        faults::set(&wal, Fault::None);
        while store.head(&world.app).await.unwrap().0 < head.0 + 10 {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sent: u64 = writing.join_all().await.into_iter().sum::<usize>() as u64;
    reading.join_all().await;
    let mut found = 0;
    for name in ROOMS {
        found += look(&world, name, Head::default()).await.messages;
    }
    assert_eq!(found, sent);
    let before = all_of(&world).await;
    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [folder.path(), after_crash.path()] {
        assert_eq!(doctor(folder).unwrap(), []);
        let store = open(folder);
        assert_eq!(all_of(&on(&world, &store)).await, before);
        store.close().await;
    }
}
