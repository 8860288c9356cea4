//! Redacted text is in no byte of the data folder once it is closed, wherever it was stored in between.

use std::path::Path;
use std::sync::Arc;

use domain::{Action, Changes, Content, EventBody, Expectation, Seq};
use storage::conformance::world::{World, say};
use storage::{Outcome, Store, Unit, Work};
use storage_sqlite::{Options, SqliteStore, doctor};
use wal_buffer::faults::{self, Fault};

use crate::world::{crashed, fresh, fresh_with, lively, on, open, send_as};

/// Stands in redacted texts only.
const CANARY: &str = "canary-5d1e77";
/// The fingerprint of a redacted message.
const HASH: u64 = 0x5d1e_77ca_11ab_1e55;
/// Messages, enough for many pages that are split and joined.
const MESSAGES: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn redacted_text_is_nowhere() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let mut redacted = Vec::new();
    for n in 0..MESSAGES {
        // In two rooms, so that pages of one grow in the middle of the table.
        let name = ["red", "pair"][n % 2];
        let filler = "x".repeat(n * 7 % 300);
        let secret = n % 5 == 0;
        let text = if secret { format!("{filler} {CANARY} {filler}") } else { format!("{filler} {n}") };
        let actor = "ann";
        let sent = world.act(actor, name, say(&text)).await.seq;
        if secret {
            if n % 2 == 0 {
                let content = Content::plain(format!("{CANARY} again, {}", "y".repeat(n * 13 % 500)));
                world.act(actor, name, Action::Edit { target: sent, content }).await;
            }
            redacted.push((name, sent));
        }
    }
    for (name, seq) in redacted {
        world.act("ann", name, Action::Redact { target: seq, reason: None }).await;
    }
    let (entry, _) = (world.entry("red", Seq(5), "ann").await, ());
    assert!(entry.event.body.is_message());
    store.close().await;
    assert_eq!(places_of(CANARY.as_bytes(), folder.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hash_of_redacted_text_is_kept() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let Outcome::Done(sent) = send_as(&world, "secret", HASH, "red").await else { panic!("it is new") };
    send_as(&world, "other", 7, "red").await;
    // The window is in its rows then, which must be written anew.
    store.close().await;
    let store = open(folder.path());
    let world = on(&world, &store);
    world.act("ann", "red", Action::Redact { target: sent.seq, reason: None }).await;
    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [folder.path(), after_crash.path()] {
        let store = open(folder);
        let world = on(&world, &store);
        for fingerprint in [HASH, HASH + 1] {
            assert_eq!(send_as(&world, "secret", fingerprint, "red").await, Outcome::Duplicate(sent.clone()));
        }
        assert_eq!(send_as(&world, "other", 8, "red").await, Outcome::ClientIdReused);
        store.close().await;
        for bytes in [HASH.to_be_bytes(), HASH.to_le_bytes()] {
            assert_eq!(places_of(&bytes, folder), Vec::<String>::new());
        }
        assert_eq!(doctor(folder).unwrap(), []);
    }
}

/// Messages that wait, on their way to their place or there already, are redacted at once, many in a group, some in the group
/// that sends them; the disk fails once. After closing, after a crash, and in a backup nothing is left of them.
async fn check_waiting(memtable_bytes: usize) {
    let (store, folder) = fresh_with(memtable_bytes);
    let world = lively(store.clone()).await;
    let wal = std::fs::canonicalize(folder.path()).unwrap().join("starling.db-wal");
    for n in 0..60 {
        let mut sent = Vec::new();
        for k in 0..3 {
            let text = format!("{} {CANARY} {}", "x".repeat(n * 17 % 900), "y".repeat(k * n * 29 % 3_000));
            sent.push(world.act("ann", ["red", "pair"][n % 2], say(&text)).await.seq);
            world.act("bob", ["red", "pair"][(n + k) % 2], say("between them")).await;
        }
        if n % 4 == 0 {
            let bad = world.act("ann", ["red", "pair"][n % 2], say("edited")).await.seq;
            let content = Content::plain("what waits goes to its place");
            world.act("ann", ["red", "pair"][n % 2], Action::Edit { target: bad, content }).await;
        }
        if n == 30 {
            // What the redactions of a group that fails have written stays until the WAL begins anew.
            faults::set(&wal, Fault::Sync);
            let version = world.room("red").await.room.version;
            assert!(store.commit(unit_of(&world, "red", version, redaction(sent[0]))).await.is_err());
            faults::set(&wal, Fault::None);
        }
        let name = ["red", "pair"][n % 2];
        let version = world.room(name).await.room.version;
        // Each redaction is a version of the room.
        let units = sent.iter().zip(version..).map(|(seq, version)| unit_of(&world, name, version, redaction(*seq)));
        commit_in_order(&store, units.collect()).await;
    }
    let backup = tempfile::tempdir().unwrap();
    store.backup(&backup.path().join("starling.db")).unwrap();
    assert_eq!(places_of(CANARY.as_bytes(), backup.path()), Vec::<String>::new());
    let after_crash = crashed(folder.path());
    store.close().await;
    open(after_crash.path()).close().await;
    for folder in [folder.path(), after_crash.path(), backup.path()] {
        assert_eq!(places_of(CANARY.as_bytes(), folder), Vec::<String>::new());
        assert_eq!(doctor(folder).unwrap(), []);
    }
}

fn redaction(target: Seq) -> EventBody {
    EventBody::Redaction { target, reason: None }
}

fn unit_of(world: &World, name: &str, version: u64, event: EventBody) -> Unit {
    let changes =
        Changes { events: vec![event], expect: Expectation { version, reactions: None }, ..Changes::default() };
    Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(world.work("ann", name, changes)) }
}

/// Commits units of which each supposes the ones before it, as few groups as it happens. On the one thread of a test they
/// reach the writer in order.
async fn commit_in_order(store: &Arc<SqliteStore>, units: Vec<Unit>) {
    let mut writing = tokio::task::JoinSet::new();
    for unit in units {
        let store = Arc::clone(store);
        writing.spawn(async move { store.commit(unit).await });
    }
    for outcome in writing.join_all().await {
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn redacted_text_that_waits_is_nowhere() {
    check_waiting(Options::default().memtable_bytes).await;
}

#[tokio::test]
async fn redacted_text_on_its_way_to_its_place_is_nowhere() {
    check_waiting(0).await;
    check_waiting(6_000).await;
}

#[tokio::test]
async fn what_is_redacted_by_the_group_that_sends_it_is_nowhere() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    for _ in 0..20 {
        let red = world.room("red").await;
        let (head, version) = (red.head.seq.0, red.room.version);
        let unit = |n: u64| match n % 2 {
            0 => {
                let secret = EventBody::message(Content::plain(format!("{n} {CANARY}")), None);
                unit_of(&world, "red", version + n / 2, secret)
            }
            _ => unit_of(&world, "red", version + n / 2, redaction(Seq(head + n))),
        };
        commit_in_order(&store, (0..8).map(unit).collect()).await;
    }
    let after_crash = crashed(folder.path());
    store.close().await;
    open(after_crash.path()).close().await;
    for folder in [folder.path(), after_crash.path()] {
        assert_eq!(places_of(CANARY.as_bytes(), folder), Vec::<String>::new());
        assert_eq!(doctor(folder).unwrap(), []);
    }
}

/// Where some bytes stand in the files of a folder.
pub fn places_of(text: &[u8], folder: &Path) -> Vec<String> {
    let mut places = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(file.path()).unwrap();
        let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text);
        places.extend(found.map(|(at, _)| format!("{} at byte {at} (page {})", file.path().display(), at / 2048 + 1)));
    }
    places
}
