//! Several nodes on one database.

use std::sync::Arc;

use domain::{AccountChange, Action, App, AppId, AppSettings, CommitNumber, Timestamp};
use storage::conformance::world::{World, device, done, message_changes, read_to, say, user};
use storage::{Commit, FollowerStep, Outcome, Store, Unit, Work};
use storage_postgres::PostgresStore;
use tokio::sync::mpsc::Receiver;

use crate::cluster::{Database, shared};
use crate::load::{Load, on, say_and_see};

async fn two() -> (Database, World, World, [Arc<PostgresStore>; 2]) {
    let database = shared().database().await;
    let nodes = [database.open().await, database.open().await];
    let one = crate::load::crowd(&nodes[0]).await;
    let other = on(&one, &nodes[1]);
    (database, one, other, nodes)
}

/// All that a node tells until it is closed.
async fn numbers(mut feed: Receiver<Arc<Commit>>) -> Vec<CommitNumber> {
    let mut numbers = Vec::new();
    while let Some(commit) = feed.recv().await {
        numbers.push(commit.number);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_all_nodes_form_one_order() {
    let (_database, one, other, nodes) = two().await;
    let readers = nodes.each_ref().map(|node| tokio::spawn(numbers(node.feed().unwrap())));
    let before = one.store.head(&one.app).await.unwrap();
    let load = Load::start(&[one.clone(), other.clone()]).await;
    load.wait(400).await;
    let told = load.stop().await;
    told.check(&one).await;
    told.check(&other).await;
    let head = one.store.head(&one.app).await.unwrap();
    assert_eq!(other.store.head(&one.app).await.unwrap(), head);
    for node in nodes {
        node.close().await;
    }
    let [first, second] = readers;
    let told = [first.await.unwrap(), second.await.unwrap()];
    assert!(told.iter().all(|numbers| numbers.is_sorted() && !numbers.is_empty()), "each tells its own in order");
    let mut all = told.concat();
    all.sort();
    assert_eq!(all, (before.0 + 1..=head.0).map(CommitNumber).collect::<Vec<_>>(), "each is told by one node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_recognised_on_every_node() {
    let (_database, one, other, _nodes) = two().await;
    let version = one.room("red").await.room.version;
    let unit = |world: &World, number: u64| {
        let work = world.work("ann", "red", message_changes(version, "hello"));
        let work = world.work_as(&format!("c{number}"), number, work);
        Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(work) }
    };
    for number in 0..20 {
        let unit = unit(&one, number);
        let outcomes = tokio::join!(one.store.commit(unit.clone()), other.store.commit(unit.clone()));
        let (Ok(first), Ok(second)) = outcomes else { panic!("{outcomes:?}") };
        match (&first, &second) {
            (Outcome::Done(done), Outcome::Duplicate(again)) | (Outcome::Duplicate(again), Outcome::Done(done)) => {
                assert_eq!(done, again);
            }
            other => panic!("one is to write: {other:?}"),
        }
        for world in [&one, &other] {
            let Work::Room(work) = &unit.work else { unreachable!() };
            let client_id = work.client_id.as_ref().unwrap();
            let known = world.store.recall(&world.app, &device("ann-1"), client_id, number).await.unwrap();
            assert!(matches!(known, Some(Outcome::Duplicate(_))), "{known:?}");
            let mixed = world.store.recall(&world.app, &device("ann-1"), client_id, number + 1).await.unwrap();
            assert_eq!(mixed, Some(Outcome::ClientIdReused));
        }
    }
    // What one node deletes, the other doesn't know the fingerprint of any more.
    let sent = done(one.store.commit(unit(&one, 77)).await.unwrap());
    other.act("ann", "red", Action::Redact { target: sent.seq, reason: None }).await;
    let mut repeat = unit(&one, 77);
    let Work::Room(work) = &mut repeat.work else { unreachable!() };
    work.fingerprint = 78;
    assert_eq!(one.store.commit(repeat).await.unwrap(), Outcome::Duplicate(sent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_acknowledged_every_node_sees() {
    let (_database, one, other, _nodes) = two().await;
    for n in 0..20 {
        let (here, there) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let since = there.store.head(&there.app).await.unwrap();
        let receipt = here.act("ann", "red", say(&n.to_string())).await;
        assert_eq!(there.store.head(&there.app).await.unwrap(), receipt.commit);
        let changed = there.store.changed_rooms(&there.app, &user("bob"), since, 10).await.unwrap();
        assert_eq!(changed.rooms[0].last_message.as_ref().unwrap().event.seq, receipt.seq);
        there.act("bob", "red", read_to(None, Some(receipt.seq.0))).await;
        assert_eq!(here.membership("red", "bob").await.cursors.read, receipt.seq);
    }
    say_and_see(&other, "the end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_s_facts_are_held_against_another_s_writes() {
    let (_database, one, other, _nodes) = two().await;
    let early = one.check("bob", "red", say("from before")).await.unwrap();
    other.act("ann", "red", Action::Remove { user: user("bob") }).await;
    assert_eq!(one.commit(Work::Room(one.work("bob", "red", early))).await, Outcome::Conflict);

    let revoke = AccountChange::RevokeDevices { user: user("ann"), devices: vec![device("ann-1")] };
    other.account_done(vec![revoke]).await;
    let version = one.room("blue").await.room.version;
    let late = one.work_as("late", 1, one.work("ann", "blue", message_changes(version, "late")));
    assert_eq!(one.commit(Work::Room(late)).await, Outcome::DeviceEnded);
    assert_eq!(one.store.device(&one.app, &device("ann-1")).await.unwrap(), None);
}

/// Of two who make the same thing at the same time on two nodes, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_made_once_is_made_once() {
    let (_database, one, other, _nodes) = two().await;
    for n in 0..10 {
        let room = format!("new-{n}");
        let action = Action::Create { settings: domain::SettingsChange::default(), invite: Vec::new() };
        let changes = one.check("eve", &room, action).await.unwrap();
        let group = |world: &World| {
            let (world, work) = (world.clone(), world.work("eve", &room, changes.clone()));
            async move { world.commit(Work::Room(work)).await }
        };
        let app = |world: &World| {
            let id = AppId::new(format!("app-{n}")).unwrap();
            let app = App { id: id.clone(), settings: AppSettings::open("new"), created_at: Timestamp(1) };
            let work = Work::Account(vec![AccountChange::CreateApp(app)]);
            let (store, unit) = (Arc::clone(&world.store), Unit { app: id, at: Timestamp(1), work });
            async move { store.commit(unit).await.unwrap() }
        };
        let from = one.store.follower(&one.app, "statistics").await.unwrap();
        let step = |world: &World| {
            let counts = [((1, "messages".into()), 1)].into_iter().collect();
            let step = FollowerStep { name: "statistics", from, to: CommitNumber(from.0 + 1), counts };
            let world = world.clone();
            async move { world.commit(Work::Follower(step)).await }
        };
        let name = format!("fay-{n}");
        let account = |world: &World| {
            let (world, name) = (world.clone(), name.clone());
            async move { world.account(vec![world.new_user(&name), world.new_device(&name, &name)]).await }
        };
        let pairs = [
            tokio::join!(group(&one), group(&other)),
            tokio::join!(app(&one), app(&other)),
            tokio::join!(step(&one), step(&other)),
            tokio::join!(account(&one), account(&other)),
        ];
        for (first, second) in pairs {
            let won = [&first, &second].into_iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
            assert!(won == 1 && [first, second].contains(&Outcome::Conflict), "{n}");
        }
    }
    let counts = other.store.counts(&other.app, 0).await.unwrap();
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [10]);
    assert_eq!(one.store.apps().await.unwrap().len(), 11);
}
