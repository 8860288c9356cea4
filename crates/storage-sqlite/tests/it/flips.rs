//! A byte that has changed in the file is found by the doctor, and is never served: every answer is the right one or an
//! error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use storage::conformance::world::say;
use storage::{Outcome, Store, StoreError};
use storage_sqlite::{Options, SqliteStore, doctor};
use tokio::runtime::Runtime;

use crate::story::{differences, read_all, told_in, world_of};
use crate::world::{fresh, fresh_with, lively, on, open, send_as};

/// Pages for each of which there is one flip in the short form.
const PAGES_PER_FLIP: usize = 2;
/// Flips in the file's header for each in a page; all of its bytes in the long form.
const HEADER_FLIPS: usize = 12;
const HEADER_BYTES: usize = 100;
/// Flips for each page in the long form, by `STARLING_FLIPS_PER_PAGE`.
const FLIPS_VARIABLE: &str = "STARLING_FLIPS_PER_PAGE";
const SEED: u64 = 0x5eed_f11b;
const PAGE_BYTES: usize = 2048;

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

/// What a byte at this place becomes.
#[derive(Debug, Clone, Copy)]
struct Flip {
    at: usize,
    change: u8,
}

/// Some bytes of the file's header and of each page: half of them one bit, which often makes another letter.
fn flips(bytes: usize, per_page: usize) -> Vec<Flip> {
    let mut dice = Dice(SEED);
    let step = (HEADER_BYTES / (HEADER_FLIPS * per_page.max(1))).max(1);
    let mut flips: Vec<_> = (0..HEADER_BYTES).step_by(step).map(|at| Flip { at, change: 1 << dice.roll(8) }).collect();
    let pages_step = if per_page == 0 { PAGES_PER_FLIP } else { 1 };
    for page in (0..bytes / PAGE_BYTES).step_by(pages_step) {
        for _ in 0..per_page.max(1) {
            let change = if dice.roll(2) == 0 { 1 << dice.roll(8) } else { 1 + dice.roll(255) as u8 };
            flips.push(Flip { at: page * PAGE_BYTES + dice.roll(PAGE_BYTES), change });
        }
    }
    flips
}

/// What became of a flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The store does not open.
    NotOpened,
    /// Some reads fail, the others are right.
    ReadsFail,
    /// All reads are right.
    Unread,
}

async fn fate_of(folder: &Path, expected: &[String], flip: Flip) -> Fate {
    let store = match SqliteStore::open(folder, &Options::default()) {
        Ok(store) => store,
        Err(_) => return Fate::NotOpened,
    };
    let found = read_all(&store).await;
    let wrong = differences(&found, expected);
    assert!(wrong.is_empty(), "{flip:?} is served: {wrong:#?}");
    let fate = if found == *expected { Fate::Unread } else { Fate::ReadsFail };
    store.close().await;
    fate
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

#[test]
fn a_flipped_byte_is_found_and_never_served() {
    let (healthy, expected) = runtime().block_on(async {
        let (store, folder) = fresh();
        told_in(store.clone()).await;
        store.close().await;
        // The windows are read from their rows then.
        let store = open(folder.path());
        let expected = read_all(&*store).await;
        store.close().await;
        (std::fs::read(folder.path().join("starling.db")).unwrap(), expected)
    });
    check(&healthy, &expected);
}

#[test]
fn a_flipped_byte_of_what_waits_is_found_and_never_served() {
    let (healthy, expected) = runtime().block_on(async {
        let (store, folder) = fresh();
        told_in(store.clone()).await;
        store.close().await;
        // The windows are read from their rows then.
        let store = open(folder.path());
        let world = world_of(&store).await;
        for n in 0..30 {
            let actor = ["ann", "bob", "dan"][n % 3];
            world.act(actor, ["long", "red"][n % 2 * usize::from(n % 3 == 0)], say(&format!("{n} waits"))).await;
        }
        let backup = folder.path().join("backup.db");
        store.backup(&backup).unwrap();
        let expected = read_all(&*store).await;
        store.close().await;
        (std::fs::read(backup).unwrap(), expected)
    });
    check(&healthy, &expected);
}

/// Flips bytes of a healthy file of which all reads are as expected.
fn check(healthy: &[u8], expected: &[String]) {
    let per_page = std::env::var(FLIPS_VARIABLE).map_or(0, |text| text.parse().unwrap());
    let flips = flips(healthy.len(), per_page);
    let (next, fates) = (AtomicUsize::new(0), Mutex::<BTreeMap<Fate, usize>>::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = runtime();
                while let Some(flip) = flips.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = tempfile::tempdir().unwrap();
                    let mut bytes = healthy.to_vec();
                    bytes[flip.at] ^= flip.change;
                    std::fs::write(folder.path().join("starling.db"), bytes).unwrap();
                    // It may be an error, if not even the header can be read.
                    let found = doctor(folder.path());
                    assert!(!matches!(&found, Ok(findings) if findings.is_empty()), "{flip:?} is not found");
                    let fate = runtime.block_on(fate_of(folder.path(), expected, *flip));
                    *fates.lock().unwrap_or_else(PoisonError::into_inner).entry(fate).or_default() += 1;
                }
            });
        }
    });
    let fates = fates.into_inner().unwrap();
    println!("{} flips in {} pages: {fates:?}", flips.len(), healthy.len() / PAGE_BYTES);
    assert!(fates.get(&Fate::ReadsFail).is_some_and(|count| *count > flips.len() / 10), "{fates:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_room_is_nobody_elses_matter() {
    let (store, folder) = fresh();
    told_in(store.clone()).await;
    store.close().await;
    let file = folder.path().join("starling.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // One letter of the newest message of a room, so that the room's head can't be read.
    let text = "第 39 条".as_bytes();
    let at = bytes.windows(text.len()).position(|window| window == text).expect("it is stored as it is");
    bytes[at + text.len() + 1] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let store = open(folder.path());
    let world = world_of(&store).await;
    let seen = store.room(&world.app, &storage::conformance::world::room("long"), &[]).await;
    assert!(matches!(seen, Err(StoreError::Damaged(_))), "{seen:?}");
    let version = world.room("red").await.room.version;
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (world, store) = (world.clone(), store.clone());
        writing.spawn(async move {
            let name = if n % 2 == 0 { "red" } else { "long" };
            let changes = storage::conformance::world::message_changes(version, "hello");
            let work = storage::Work::Room(world.work("ann", name, changes));
            (name, store.commit(storage::Unit { app: world.app.clone(), at: world.tick(), work }).await)
        });
    }
    for (name, outcome) in writing.join_all().await {
        match name {
            "red" => assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}"),
            _ => assert!(matches!(outcome, Err(StoreError::Damaged(_))), "{outcome:?}"),
        }
    }
    assert!(matches!(send_as(&world, "later", 1, "red").await, Outcome::Done(_)));
    let backup = folder.path().join("backup.db");
    assert!(store.backup(&backup).is_err() && !backup.exists(), "damage is not copied");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_damaged_page_knows_is_not_done_twice() {
    let (store, folder) = fresh_with(0);
    let world = lively(store.clone()).await;
    for n in 0..10 {
        send_as(&world, &format!("once-{n}"), n, "red").await;
    }
    for _ in 0..20 {
        world.act("ann", "red", say(&"on another page ".repeat(40))).await;
    }
    // Not closed, so the client ids stand in the log and in no window.
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("starling.db");
    store.backup(&file).unwrap();
    let version = world.room("red").await.room.version;
    store.close().await;
    drop(folder);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|window| window == b"once-3").expect("it is stored as it is");
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for run in 0..3 {
        let store = open(copy.path());
        let changes = storage::conformance::world::message_changes(version, "once-3");
        let work = storage::Work::Room(world.work_as("once-3", 3, world.work("ann", "red", changes)));
        let again = store.commit(storage::Unit { app: world.app.clone(), at: world.tick(), work }).await;
        assert!(matches!(again, Err(StoreError::Damaged(_))), "run {run}: {again:?}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_damaged_room_hinders_nobody() {
    let (store, folder) = fresh();
    told_in(store.clone()).await;
    store.close().await;
    // A cache so small that the room's rows are not in it when they are needed.
    let options = Options { writer_cache_kib: 64, ..Options::default() };
    let store = Arc::new(SqliteStore::open(folder.path(), &options).unwrap());
    let world = world_of(&store).await;
    for name in ["red", "long"] {
        world.act("ann", name, say("it waits")).await;
    }
    for n in 0..200 {
        world.group(&format!("other-{n}"), &["ann", "bob"]).await;
    }
    let file = folder.path().join("starling.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let text = "第 39 条".as_bytes();
    let at = bytes.windows(text.len()).position(|window| window == text).expect("it is stored as it is");
    bytes[at + text.len() + 1] ^= 1;
    {
        use std::os::unix::fs::FileExt;
        let damaged = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        damaged.write_all_at(&bytes[at..at + 40], at as u64).unwrap();
    }
    let head = world.room("red").await.head;
    store.close().await;
    for _ in 0..2 {
        let store = open(folder.path());
        let world = on(&world, &store);
        assert!(world.room("red").await.head.seq >= head.seq, "what waited for another room is there");
        let version = world.room("red").await.room.version;
        let changes = storage::conformance::world::message_changes(version, "hello");
        let work = storage::Work::Room(world.work("ann", "long", changes));
        let refused = store.commit(storage::Unit { app: world.app.clone(), at: world.tick(), work }).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
        assert!(matches!(send_as(&world, "later", 1, "red").await, Outcome::Done(_) | Outcome::Duplicate(_)));
        let head = world.room("red").await.head;
        store.close().await;
        let db = rusqlite::Connection::open_with_flags(&file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let sql = "SELECT max(seq) FROM (SELECT l.key & 0x7fffffff AS seq FROM log l JOIN room r ON r.key = l.key >> 32
                   WHERE r.id = 'red' AND l.kind > 0)";
        assert_eq!(db.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap(), head.seq.0);
        let kept: i64 = db.query_row("SELECT sum(length(records)) FROM redo", [], |row| row.get(0)).unwrap();
        assert!(kept > 8, "what can't be written to its place is kept");
    }
}
