//! Backups while the store serves, and their way back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Action, CommitNumber, Content, Cursors, Event, EventBody, RoomId, Seq, UserId};
use storage::conformance::world::{World, range, read_to, room, say, user};
use storage::{Commit, MemberFilter, Outcome, Store, Work};
use storage_sqlite::{OpenError, SqliteStore, doctor, restore};

use crate::world::{fresh, lively, open, send_as, told};

/// Rooms in which people write at the same time while backups are taken, and the people.
const BUSY_ROOMS: [&str; 4] = ["b0", "b1", "b2", "b3"];
const WRITERS: [&str; 2] = ["ann", "bob"];
/// Backups that are taken one after the other.
const BACKUPS: usize = 4;
/// Commits between two of them, at least.
const NEW_COMMITS: u64 = 100;

/// What the first commits of a history make: each room's log, and the cursors.
#[derive(Default, PartialEq, Debug)]
struct Prefix {
    logs: BTreeMap<RoomId, Vec<Event>>,
    cursors: BTreeMap<(RoomId, UserId), Cursors>,
}

impl Prefix {
    /// By what the feed has told.
    fn of(history: &[Arc<Commit>], head: CommitNumber) -> Self {
        let mut prefix = Self::default();
        for commit in history.iter().filter(|commit| commit.number <= head) {
            for event in &commit.events {
                prefix.append(event);
            }
            for moved in &commit.cursors {
                prefix.cursors.insert((moved.room.clone(), moved.user.clone()), moved.cursors);
            }
        }
        prefix
    }

    fn append(&mut self, event: &Event) {
        let log = self.logs.entry(event.room.clone()).or_default();
        assert_eq!(event.seq.0, log.len() as u64 + 1, "seqs are dense");
        if let EventBody::Redaction { target, .. } = event.body {
            for (index, earlier) in log.iter_mut().enumerate() {
                match &mut earlier.body {
                    EventBody::Message { content, redacted_by, .. } if index as u64 + 1 == target.0 => {
                        (*content, *redacted_by) = (None, Some(event.seq));
                    }
                    EventBody::Edit { target: of, content } if *of == target => *content = None,
                    _ => {}
                }
            }
        }
        log.push(event.clone());
    }

    /// By what a store answers.
    async fn read(world: &World, store: &SqliteStore) -> Self {
        let mut prefix = Self::default();
        for name in BUSY_ROOMS.map(room) {
            let (entries, _) = store.entries(&world.app, &name, &[range(1, Seq::MAX.0)], None).await.unwrap();
            prefix.logs.insert(name.clone(), entries.into_iter().map(|entry| entry.event).collect());
            let members = store.members(&world.app, &name, MemberFilter::Present, None, 100).await.unwrap();
            let of = |name: &RoomId, user| (name.clone(), user);
            prefix.cursors.extend(members.into_iter().map(|found| (of(&name, found.member.user), found.cursors)));
        }
        prefix
    }
}

/// Does what is allowed, again when somebody else was faster.
async fn act(world: &World, actor: &str, name: &str, action: Action) -> Seq {
    loop {
        let changes = world.check(actor, name, action.clone()).await.unwrap();
        if changes.events.is_empty() && changes.cursors.is_none() {
            // Read already: there is nothing to write.
            return Seq(0);
        }
        match world.commit(Work::Room(world.work(actor, name, changes))).await {
            Outcome::Done(receipt) => return receipt.seq,
            Outcome::Conflict => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Writes, edits, deletes and reads until it is told to stop.
async fn be_busy(world: World, actor: &str, name: &str, stop: Arc<AtomicBool>) {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let seq = act(&world, actor, name, say(&format!("{n} {}", "x".repeat(n * 7 % 900)))).await;
        let then = match n % 5 {
            1 => Some(Action::Edit { target: seq, content: Content::plain("edited") }),
            2 => Some(Action::Redact { target: seq, reason: None }),
            3 => Some(read_to(None, Some(seq.0 + 1))),
            _ => None,
        };
        if let Some(then) = then {
            act(&world, actor, name, then).await;
        }
        n += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_under_load_are_exact_prefixes_of_the_commits() {
    let (store, _folder) = fresh();
    let mut feed = store.feed().expect("nobody has taken it");
    let (reached, mut head) = tokio::sync::watch::channel(CommitNumber(0));
    let told = tokio::spawn(async move {
        let mut history = Vec::new();
        while let Some(commit) = feed.recv().await {
            reached.send_replace(commit.number);
            history.push(commit);
        }
        history
    });
    let world = World::new(store.clone()).await;
    for name in BUSY_ROOMS {
        world.group(name, &WRITERS).await;
    }
    let stop = Arc::<AtomicBool>::default();
    let mut writing = tokio::task::JoinSet::new();
    for name in BUSY_ROOMS {
        for actor in WRITERS {
            writing.spawn(be_busy(world.clone(), actor, name, Arc::clone(&stop)));
        }
    }
    let outside = tempfile::tempdir().unwrap();
    let file = |n: usize| outside.path().join(format!("backup-{n}.db"));
    for n in 0..BACKUPS {
        let (store, file) = (store.clone(), file(n));
        let before = store.head(&world.app).await.unwrap();
        let task = {
            let store = store.clone();
            tokio::task::spawn_blocking(move || store.backup(&file))
        };
        task.await.unwrap().unwrap();
        // The next one has something new.
        head.wait_for(|head| head.0 >= before.0 + NEW_COMMITS).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(finished) = writing.join_next().await {
        finished.unwrap();
    }
    store.close().await;
    let history = told.await.unwrap();

    let mut heads = BTreeSet::new();
    for n in 0..BACKUPS {
        let folder = outside.path().join(format!("restored-{n}"));
        restore(&file(n), &folder).unwrap();
        assert_eq!(doctor(&folder).unwrap(), []);
        let restored = open(&folder);
        let head = restored.head(&world.app).await.unwrap();
        heads.insert(head);
        let found = Prefix::read(&world, &restored).await;
        assert_eq!(found, Prefix::of(&history, head), "the backup at commit {head}");
        let journal = restored.journal(&world.app, CommitNumber(0), usize::MAX >> 1).await.unwrap();
        let commits: Vec<_> = journal.iter().map(|line| line.commit.0).collect();
        assert_eq!(commits, (1..=head.0).collect::<Vec<_>>(), "the journal is dense");
        restored.close().await;
    }
    assert!(heads.len() == BACKUPS && heads.last() < history.last().map(|commit| &commit.number), "{heads:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_prefix() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (world, stop) = (world.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                assert!(matches!(send_as(&world, &format!("c{sent}"), sent, "red").await, Outcome::Done(_)));
                sent += 1;
            }
        })
    };
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    let backing_up = {
        let (store, file) = (store.clone(), file.clone());
        tokio::task::spawn_blocking(move || store.backup(&file))
    };
    backing_up.await.unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();

    let restored_folder = outside.path().join("restored");
    restore(&file, &restored_folder).unwrap();
    assert_eq!(doctor(&restored_folder).unwrap(), []);
    let restored = open(&restored_folder);
    let all = |store: Arc<SqliteStore>| {
        let app = world.app.clone();
        async move { store.entries(&app, &room("red"), &[range(1, Seq::MAX.0)], Some(&user("ann"))).await.unwrap() }
    };
    let ((prefix, _), (whole, _)) = (all(restored.clone()).await, all(store.clone()).await);
    assert!(prefix.len() <= whole.len() && prefix.len() >= 10);
    assert_eq!(prefix, whole[..prefix.len()]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    store.backup(&file).unwrap();
    assert!(matches!(store.backup(&file), Err(OpenError::NotEmpty)));
    assert!(matches!(restore(&file, folder.path()), Err(OpenError::Locked)));
    let before = told(&*store, &world.app).await;
    store.close().await;
    assert!(matches!(restore(&file, folder.path()), Err(OpenError::NotEmpty)));
    assert!(matches!(restore(&outside.path().join("absent.db"), &outside.path().join("x")), Err(OpenError::Missing)));
    let restored = outside.path().join("restored");
    restore(&file, &restored).unwrap();
    let reopened = open(&restored);
    assert_eq!(told(&*reopened, &world.app).await, before);
    reopened.close().await;
    // The same content, but what comes after it is another history.
    let again = outside.path().join("again");
    restore(&file, &again).unwrap();
    let new = outside.path().join("new");
    let mut epochs = Vec::new();
    for folder in [folder.path(), &restored, &again, &new, folder.path()] {
        let store = open(folder);
        epochs.push(store.epoch().await.unwrap());
        store.close().await;
    }
    assert_eq!(epochs.pop().as_ref(), epochs.first(), "opening changes nothing");
    assert_eq!(epochs.iter().collect::<BTreeSet<_>>().len(), epochs.len(), "{epochs:?}");
    let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().contains("partial")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_not_restored() {
    let (store, _folder) = fresh();
    lively(store.clone()).await;
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    store.backup(&file).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 2048 * 2048;
    bytes[middle..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let restored = outside.path().join("restored");
    assert!(restore(&file, &restored).is_err());
    assert!(!restored.join("starling.db").exists());
}
