//! People who write to rooms through nodes and note what they were told, and the comparison of that with the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{CommitNumber, Seq};
use storage::conformance::world::{World, message_changes, room, say};
use storage::{Outcome, Receipt, Store, StoreError, Unit, Work};
use storage_postgres::PostgresStore;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub const ROOMS: [&str; 3] = ["red", "blue", "green"];
pub const WRITERS: [&str; 4] = ["ann", "bob", "cho", "dan"];

/// The world on another node.
pub fn on(world: &World, node: &Arc<PostgresStore>) -> World {
    let mut world = world.clone();
    world.store = Arc::clone(node) as Arc<dyn Store>;
    world
}

/// A world with the rooms, and everybody in them.
pub async fn crowd(node: &Arc<PostgresStore>) -> World {
    let world = World::new(Arc::clone(node) as Arc<dyn Store>).await;
    for name in ROOMS {
        world.group(name, &WRITERS).await;
    }
    world
}

/// What writers were told: the receipt of each client id.
#[derive(Default)]
pub struct Told(BTreeMap<(String, String), Receipt>);

/// Writers on each of these nodes who go on until they are told to stop, and repeat what they don't know the fate of.
pub struct Load {
    writers: JoinSet<Vec<((String, String), Receipt)>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<watch::Sender<usize>>,
}

impl Load {
    pub async fn start(worlds: &[World]) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::new(watch::Sender::new(0)));
        let mut writers = JoinSet::new();
        let mut known = BTreeMap::new();
        for name in ROOMS {
            known.insert(name, worlds[0].room(name).await.room.version);
        }
        for (index, world) in worlds.iter().enumerate() {
            for (person, name) in WRITERS.into_iter().flat_map(|person| ROOMS.map(|name| (person, name))) {
                let (world, stop, acknowledged) = (world.clone(), Arc::clone(&stop), Arc::clone(&acknowledged));
                let version = known[name];
                writers.spawn(async move {
                    let mut told = Vec::new();
                    let mut number = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        let client_id = format!("{index}.{name}.{number}");
                        let work = world.work(person, name, message_changes(version, &client_id));
                        let work = world.work_as(&client_id, number, work);
                        let unit = Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(work) };
                        let receipt = loop {
                            match world.store.commit(unit.clone()).await {
                                Ok(Outcome::Done(receipt) | Outcome::Duplicate(receipt)) => break receipt,
                                Ok(other) => panic!("{client_id}: {other:?}"),
                                Err(StoreError::Unavailable(_)) => {}
                                Err(error) => panic!("{client_id}: {error}"),
                            }
                        };
                        acknowledged.send_modify(|count| *count += 1);
                        told.push(((person.to_owned(), client_id), receipt));
                        number += 1;
                    }
                    told
                });
            }
        }
        Self { writers, stop, acknowledged }
    }

    /// Waits until so many more are acknowledged.
    pub async fn wait(&self, more: usize) {
        let mut acknowledged = self.acknowledged.subscribe();
        let goal = *acknowledged.borrow() + more;
        acknowledged.wait_for(|count| *count >= goal).await.unwrap();
    }

    pub async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        Told(self.writers.join_all().await.into_iter().flatten().collect())
    }
}

impl Told {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Everything acknowledged is there, once, where it was said to be; nothing else is; and the journal knows all of it.
    pub async fn check(&self, world: &World) {
        let mut found = BTreeSet::new();
        let mut commits = BTreeMap::new();
        for name in ROOMS {
            let entries = world.entries(name, "ann").await;
            let head = world.room(name).await.head;
            assert_eq!(entries.len() as u64, head.seq.0);
            for (entry, seq) in entries.iter().zip(1..) {
                let event = &entry.event;
                assert_eq!(event.seq, Seq(seq), "seqs of {name} are dense");
                commits.insert((name, seq), event.commit);
                let Some(client_id) = &event.client_id else { continue };
                let key = (event.sender.to_string(), client_id.to_string());
                assert!(found.insert(key.clone()), "{key:?} is there twice");
                let receipt = self.0.get(&key).unwrap_or_else(|| panic!("{key:?} was never acknowledged"));
                assert_eq!((receipt.room.as_ref(), receipt.seq), (Some(&room(name)), event.seq), "{key:?}");
                assert_eq!(receipt.commit, event.commit, "{key:?}");
            }
        }
        assert_eq!(found.len(), self.0.len(), "something that was acknowledged is gone");
        let journal = world.store.journal(&world.app, CommitNumber(0), usize::MAX).await.unwrap();
        let numbers: Vec<u64> = journal.iter().map(|entry| entry.commit.0).collect();
        assert_eq!(numbers, Vec::from_iter(1..=numbers.len() as u64), "commits have one order without holes");
        let listed = journal.iter().flat_map(|entry| entry.rooms.iter().map(move |line| (entry.commit, line)));
        let mut listed_events = 0;
        for (commit, (id, range)) in listed {
            let name = ROOMS.into_iter().find(|name| room(name) == *id).unwrap();
            for seq in range.first.0..=range.last.0 {
                assert_eq!(commits.get(&(name, seq)), Some(&commit));
                listed_events += 1;
            }
        }
        assert_eq!(listed_events, commits.len());
    }
}

/// Somebody says something, and it is there.
pub async fn say_and_see(world: &World, text: &str) -> Receipt {
    let receipt = world.act("ann", "red", say(text)).await;
    assert_eq!(world.entry("red", receipt.seq, "bob").await.event.commit, receipt.commit);
    receipt
}
