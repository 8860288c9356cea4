//! Standbys: pages of history from them, and the change to one of them when the primary fails.

use std::sync::Arc;

use domain::Seq;
use storage::conformance::world::{message_changes, range, room, say};
use storage::{Outcome, Store, StoreError, Unit, Work};
use storage_postgres::{OpenError, PostgresOptions, PostgresStore, SynchronousCommit};

use crate::cluster::{Cluster, client, unsteady};
use crate::load::{Load, crowd, on, say_and_see};

async fn connections(url: &str) -> i64 {
    let count = "select count(*) from pg_stat_activity where application_name = 'starling'";
    client(url).await.query_one(count, &[]).await.unwrap().get(0)
}

/// History is read from a standby, but never less of it than was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_serves_history_that_is_new_enough() {
    let cluster = Arc::new(Cluster::start());
    let database = cluster.database().await;
    let world = crowd(&database.open().await).await;
    cluster.tell_on("standby").await;
    let standby = cluster.standby_url(&database.name);
    let options = PostgresOptions { replica_urls: vec![standby.clone()], ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
    let world = on(&world, &node);
    assert_eq!(connections(&standby).await, 0);
    for n in 0..20 {
        say_and_see(&world, &n.to_string()).await;
    }
    assert!(connections(&standby).await > 0, "it was asked");

    let admin = client(&standby).await;
    admin.query("select pg_wal_replay_pause()", &[]).await.unwrap();
    let last = say_and_see(&world, "the standby doesn't know").await;
    let (entries, head) = node.entries(&world.app, &room("red"), &[range(1, Seq::MAX.0)], None).await.unwrap();
    assert_eq!((entries.len() as u64, head), (last.seq.0, last.seq));
    // Also what another node has told is not taken back.
    let other = on(&world, &database.open().await);
    let unknown = other.act("bob", "red", say("by another node")).await;
    node.note_commit(&world.app, unknown.commit);
    assert_eq!(node.entries(&world.app, &room("red"), &[], None).await.unwrap().1, unknown.seq);

    // With a standby that is gone everything goes on.
    admin.query("select pg_wal_replay_resume()", &[]).await.unwrap();
    let error = PostgresStore::open(PostgresOptions::new(&standby)).await.unwrap_err();
    assert!(matches!(error, OpenError::NotPrimary(_)), "{error:?}");
    let options = PostgresOptions { replica_urls: vec!["postgres://a@127.0.0.1:1/x".into()], ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
    say_and_see(&on(&world, &node), "alone").await;
}

/// A commit that stops waiting for its standby is told by PostgreSQL as done, with a warning. It is not acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_on_the_primary_alone_is_not_acknowledged() {
    let cluster = unsteady().await;
    let database = cluster.database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    cluster.tell_on("setting synchronous_standby_names = 'nobody'").await;
    cluster.tell_on("reload").await;
    let admin = cluster.client("postgres").await;
    let cancel = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
    let mut number = 0;
    // The server takes the new setting up when it gets round to it.
    let (unit, answer) = loop {
        number += 1;
        let work = world.work("ann", "red", message_changes(version, "alone"));
        let work = world.work_as(&format!("c{number}"), number, work);
        let unit = Unit { app: world.app.clone(), at: world.tick(), work: Work::Room(work) };
        let waiting = tokio::spawn({
            let (node, unit) = (Arc::clone(&node), unit.clone());
            async move { node.commit(unit).await }
        });
        let mut cancelled = false;
        while !waiting.is_finished() {
            cancelled |= !admin.query(cancel, &[]).await.unwrap().is_empty();
        }
        let answer = waiting.await.unwrap();
        if cancelled {
            break (unit, answer);
        }
        assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
    };
    cluster.tell_on("setting synchronous_standby_names = ''").await;
    cluster.tell_on("reload").await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let again = node.commit(unit).await.unwrap();
    assert!(matches!(again, Outcome::Duplicate(_)), "it was written after all: {again:?}");
}

/// The primary fails under load and its synchronous standby takes over: nothing acknowledged is lost, and the old primary
/// can't be written to when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_nothing() {
    let cluster = Arc::new(Cluster::start());
    let database = cluster.database().await;
    cluster.tell_on("standby").await;
    cluster.tell_on("setting synchronous_standby_names = 'standby'").await;
    cluster.tell_on("reload").await;
    let url = cluster.both_url(&database.name);
    let options = PostgresOptions { synchronous_commit: SynchronousCommit::RemoteApply, ..PostgresOptions::new(&url) };
    let nodes = [
        Arc::new(PostgresStore::open(options.clone()).await.unwrap()),
        Arc::new(PostgresStore::open(options.clone()).await.unwrap()),
    ];
    let one = crowd(&nodes[0]).await;
    let load = Load::start(&[one.clone(), on(&one, &nodes[1])]).await;
    load.wait(200).await;
    cluster.tell_on("crash").await;
    cluster.tell_on("promote").await;
    load.wait(200).await;
    // It has lost its standby, and knows nothing of having been replaced.
    cluster.tell_on("start").await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'starling'";
    client(&cluster.standby_url(&database.name)).await.query(cut, &[]).await.unwrap();
    load.wait(200).await;
    let told = load.stop().await;
    told.check(&one).await;
    assert_eq!(connections(&cluster.url(&database.name)).await, 0, "nobody has stayed with the old primary");
    // A node that comes up now finds the new one.
    let late = Arc::new(PostgresStore::open(options).await.unwrap());
    told.check(&on(&one, &late)).await;
    say_and_see(&on(&one, &late), "on the new one").await;
}
