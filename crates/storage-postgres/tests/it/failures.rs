//! Servers that go away and come back, and units that can't be written.

use std::sync::Arc;
use std::time::Duration;

use storage::conformance::world::{World, message_changes, say};
use storage::{Outcome, Store, StoreError, Unit, Work};
use storage_postgres::{PostgresOptions, PostgresStore};

use crate::cluster::{shared, unsteady};
use crate::load::{Load, crowd, on, say_and_see};
use crate::proxy::Proxy;

fn unit(world: &World, version: u64, text: &str) -> Unit {
    let work = world.work("ann", "red", message_changes(version, text));
    Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(work) }
}

/// Crashes under load lose nothing that was acknowledged and double nothing, and everybody goes on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing() {
    let cluster = unsteady().await;
    let database = cluster.database().await;
    let nodes = [database.open().await, database.open().await];
    let one = crowd(&nodes[0]).await;
    let load = Load::start(&[one.clone(), on(&one, &nodes[1])]).await;
    for _ in 0..3 {
        load.wait(100).await;
        cluster.tell_on("crash").await;
        cluster.tell_on("start").await;
    }
    load.wait(100).await;
    let told = load.stop().await;
    assert!(told.len() >= 400);
    told.check(&one).await;
    let again = database.open().await;
    told.check(&on(&one, &again)).await;
}

/// A server that is away is told as such, and is used again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_unavailable() {
    let cluster = unsteady().await;
    let database = cluster.database().await;
    let options = PostgresOptions { patience: Duration::from_millis(50), ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    assert!(node.is_writable());
    cluster.tell_on("stop").await;
    let answer = node.commit(unit(&world, version, "lost")).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(!node.is_writable());
    let read = node.head(&world.app).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    cluster.tell_on("start").await;
    say_and_see(&world, "back").await;
    assert!(node.is_writable());
}

/// With patience a short absence is only a delay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_absence_is_waited_for() {
    let cluster = unsteady().await;
    let database = cluster.database().await;
    let options = PostgresOptions { patience: Duration::from_secs(60), ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    cluster.tell_on("stop").await;
    let waiting = tokio::spawn({
        let (node, unit) = (Arc::clone(&node), unit(&world, version, "patient"));
        async move { node.commit(unit).await }
    });
    cluster.tell_on("start").await;
    let answer = waiting.await.unwrap();
    assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
}

/// Somebody who holds an app's head holds the others up only for so long, and they are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_given_back_is_unavailable() {
    let database = shared().database().await;
    let options = PostgresOptions { stalled_timeout: Duration::from_millis(100), ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    let holder = shared().client(&database.name).await;
    holder.batch_execute("begin; select * from app_head for update").await.unwrap();
    let answer = node.commit(unit(&world, version, "kept waiting")).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    holder.batch_execute("rollback").await.unwrap();
    say_and_see(&world, "free").await;
}

/// Connections that end in the middle of things are made anew, and nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_are_made_anew() {
    let database = shared().database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let load = Load::start(std::slice::from_ref(&world)).await;
    let client = shared().client(&database.name).await;
    for _ in 0..5 {
        load.wait(30).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        client.query(cut, &[]).await.unwrap();
    }
    load.wait(30).await;
    load.stop().await.check(&world).await;
}

/// A node that stalls, maybe while it has the lock, holds the others up for a moment only. Nothing of what it was about to
/// write is there twice or lost, and it goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_node_does_not_stop_the_others() {
    let database = shared().database().await;
    let proxy = Proxy::start(shared().port).await;
    let stalled_timeout = Duration::from_millis(300);
    let url = database.url.replace(&shared().port.to_string(), &proxy.port.to_string());
    let options = PostgresOptions { stalled_timeout, ..PostgresOptions::new(url) };
    let stalling = Arc::new(PostgresStore::open(options).await.unwrap());
    let options = PostgresOptions { stalled_timeout, ..database.options() };
    let other = Arc::new(PostgresStore::open(options).await.unwrap());
    let world = crowd(&other).await;
    let load = Load::start(&[world.clone(), on(&world, &stalling)]).await;
    for _ in 0..4 {
        load.wait(100).await;
        proxy.stop(true);
        // What the stalling node may still be told, and more than that by the other.
        load.wait(100).await;
        proxy.stop(false);
    }
    load.wait(100).await;
    load.stop().await.check(&world).await;
}

/// What the server refuses of one unit fails that unit only, also when others are written in the same group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_can_t_be_written_fails_alone() {
    let database = shared().database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    let client = shared().client(&database.name).await;
    let refuse = |code: &str| {
        format!(
            "create or replace function refuse() returns trigger language plpgsql as $$ begin
                if new.body ->> 'text' = 'refused' then raise exception 'no' using errcode = '{code}'; end if;
                return new; end $$;
            create or replace trigger refuse before insert on event for each row execute function refuse()"
        )
    };
    client.batch_execute(&refuse("22023")).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..30 {
        let text = if n % 10 == 5 { "refused".to_owned() } else { n.to_string() };
        let (node, unit) = (Arc::clone(&node), unit(&world, version, &text));
        writers.spawn(async move { (text, node.commit(unit).await) });
    }
    for (text, answer) in writers.join_all().await {
        let expected = match &answer {
            Ok(Outcome::Done(_)) => text != "refused",
            Err(StoreError::Damaged(_)) => text == "refused",
            _ => false,
        };
        assert!(expected, "{text}: {answer:?}");
    }
    assert!(node.is_writable(), "nothing speaks against other units");
    // A full disk is everybody's matter, and passes.
    client.batch_execute(&refuse("53100")).await.unwrap();
    let answer = node.commit(unit(&world, version, "refused")).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(!node.is_writable());
    client.batch_execute("drop trigger refuse on event").await.unwrap();
    say_and_see(&world, "refused").await;
    assert!(node.is_writable());
}

/// Rows that can't be read are told as damage, and concern only who needs them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_rows_concern_who_needs_them() {
    let database = shared().database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let client = shared().client(&database.name).await;
    client.batch_execute("update room set settings = '{\"join\": \"never\"}' where id = 'red'").await.unwrap();
    let read = node.room(&world.app, &storage::conformance::world::room("red"), &[]).await;
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    let mut changes = world.check("bob", "blue", domain::Action::Leave).await.unwrap();
    changes.expect.version = 5;
    let damaged = world.work("bob", "red", changes);
    let unit = |work| Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(work) };
    let fine = world.work("ann", "blue", world.check("ann", "blue", say("fine")).await.unwrap());
    let (damaged, fine) = tokio::join!(node.commit(unit(damaged)), node.commit(unit(fine)));
    assert!(matches!(damaged, Err(StoreError::Damaged(_))), "{damaged:?}");
    assert!(matches!(fine, Ok(Outcome::Done(_))), "{fine:?}");
}
