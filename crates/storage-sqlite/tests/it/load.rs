//! Many at once, and a disk that is full.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::Seq;
use storage::conformance::world::{World, message_changes, say};
use storage::{Outcome, Store, StoreError, Unit, Work};
use storage_sqlite::SqliteStore;

use crate::world::{fresh, lively, send_as};

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
