//! A disk that fails under the WAL: nothing is acknowledged that is not durable, and work goes on when the disk does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use storage::conformance::world::{World, device, message_changes};
use storage::{Outcome, Store, StoreError, Unit, Work};
use storage_sqlite::{SqliteStore, doctor};
use tempfile::TempDir;
use wal_buffer::faults::{self, Fault};

use crate::world::{crashed, fresh, lively, on, open, send_as, told};

/// Commands that are sent while the disk fails.
const FAILING: u64 = 24;

fn wal_of(folder: &TempDir) -> PathBuf {
    std::fs::canonicalize(folder.path()).unwrap().join("starling.db-wal")
}

/// Sends a message without asking for anything first.
async fn try_send(world: &World, store: &Arc<SqliteStore>, version: u64, n: u64) -> Result<Outcome, StoreError> {
    let work = world.work("ann", "red", message_changes(version, &format!("message {n}")));
    let work = Work::Room(world.work_as(&format!("d{n}"), n, work));
    store.commit(Unit { app: world.app.clone(), at: world.tick(), work }).await
}

/// How often each message that [`try_send`] wrote is in the room.
async fn found(world: &World) -> Vec<u64> {
    let entries = world.entries("red", "ann").await;
    let texts = entries.iter().map(|entry| format!("{:?}", entry.event.body));
    let numbers = texts.filter_map(|text| text.split("message ").nth(1)?.split('"').next()?.parse().ok());
    numbers.collect()
}

async fn check(fault: Fault) {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let version = world.room("red").await.room.version;
    let wal = wal_of(&folder);
    assert!(matches!(try_send(&world, &store, version, 0).await, Ok(Outcome::Done(_))));
    let before = told(&*store, &world.app).await;
    let failed_before = faults::count(&wal);
    let mut feed = store.feed().expect("nobody has taken it");

    faults::set(&wal, fault);
    // Alone, and many in one group.
    assert!(matches!(try_send(&world, &store, version, 1).await, Err(StoreError::Unavailable(_))), "{fault:?}");
    let mut writing = tokio::task::JoinSet::new();
    for n in 2..FAILING {
        let (world, store) = (world.clone(), store.clone());
        writing.spawn(async move { try_send(&world, &store, version, n).await });
    }
    for outcome in writing.join_all().await {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{fault:?}: {outcome:?}");
    }
    assert!(faults::count(&wal) >= failed_before + 2, "{fault:?}: each group has met it");
    assert!(feed.try_recv().is_err(), "{fault:?}: nobody was told");
    // Reads go on, and see what was acknowledged.
    assert_eq!(told(&*store, &world.app).await, before, "{fault:?}");
    // What a crash would leave at this moment: what was acknowledged, and each unknown one once or not at all.
    let crash = crashed(folder.path());

    faults::set(&wal, Fault::None);
    // The unknown ones are sent again, with others.
    let mut acknowledged = BTreeSet::from([0]);
    for n in 1..FAILING + 5 {
        match try_send(&world, &store, version, n).await {
            Ok(Outcome::Done(_) | Outcome::Duplicate(_)) => assert!(acknowledged.insert(n)),
            other => panic!("{fault:?}: {other:?}"),
        }
    }
    let live = found(&world).await;
    assert_eq!(live, acknowledged.iter().copied().collect::<Vec<_>>(), "{fault:?}");
    assert!(feed.try_recv().is_ok(), "{fault:?}: commits are told again");
    let (after, later_crash) = (told(&*store, &world.app).await, crashed(folder.path()));
    store.close().await;
    for folder in [folder.path(), later_crash.path()] {
        let store = open(folder);
        assert_eq!(told(&*store, &world.app).await, after, "{fault:?}");
        store.close().await;
        assert_eq!(doctor(folder).unwrap(), [], "{fault:?}");
    }

    let store = open(crash.path());
    let world = on(&world, &store);
    let kept = found(&world).await;
    let known: BTreeSet<_> = kept.iter().copied().collect();
    assert!(known.len() == kept.len() && known.contains(&0), "{fault:?}: {kept:?}");
    for n in 0..FAILING {
        let id = domain::ClientId::new(format!("d{n}")).unwrap();
        let recalled = store.recall(&world.app, &device("ann-1"), &id, n).await.unwrap();
        assert_eq!(recalled.is_some(), known.contains(&n), "{fault:?}: {n}");
    }
    assert!(matches!(send_as(&world, "after", 1, "red").await, Outcome::Done(_)));
    assert_eq!(store.doctor().unwrap(), [], "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_unavailable() {
    check(Fault::Write).await;
    check(Fault::HalfWrite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_unavailable() {
    check(Fault::Full).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_is_unavailable() {
    check(Fault::Sync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_after_a_failure_leaves_nothing_waiting() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let version = world.room("red").await.room.version;
    assert!(matches!(try_send(&world, &store, version, 0).await, Ok(Outcome::Done(_))));
    let wal = wal_of(&folder);
    faults::set(&wal, Fault::Write);
    assert!(matches!(try_send(&world, &store, version, 1).await, Err(StoreError::Unavailable(_))));
    faults::set(&wal, Fault::None);
    store.close().await;
    let db = rusqlite::Connection::open(folder.path().join("starling.db")).unwrap();
    let waiting: usize = db.query_row("SELECT sum(length(records)) FROM redo", [], |row| row.get(0)).unwrap();
    assert_eq!(waiting, 1, "an empty row");
    let last: String = db.query_row("SELECT body FROM log WHERE client_id = 'd0'", [], |row| row.get(0)).unwrap();
    assert!(last.contains("message 0"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_after_a_failure_leaves_nothing_waiting() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let version = world.room("red").await.room.version;
    let wal = wal_of(&folder);
    for n in 0..40 {
        assert!(matches!(try_send(&world, &store, version, n).await, Ok(Outcome::Done(_))));
    }
    faults::set(&wal, Fault::Write);
    assert!(matches!(try_send(&world, &store, version, 40).await, Err(StoreError::Unavailable(_))));
    faults::set(&wal, Fault::None);
    let before = told(&*store, &world.app).await;
    let db = rusqlite::Connection::open(folder.path().join("starling.db")).unwrap();
    let waiting = || db.query_row("SELECT sum(length(records)) FROM redo", [], |row| row.get::<_, usize>(0)).unwrap();
    assert!(waiting() > 1);
    let given_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while waiting() > 1 {
        assert!(std::time::Instant::now() < given_up, "{} bytes wait still", waiting());
        assert_eq!(told(&*store, &world.app).await, before);
    }
    assert_eq!(told(&*store, &world.app).await, before);
    assert_eq!(store.doctor().unwrap(), []);
}
