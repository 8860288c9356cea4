//! The statistics follower: counts each event once, also over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{AccountChange, AppSettings, CommitNumber, Timestamp};
use engine::{EngineError, Statistics};
use storage::{Unit, Work};
use testkit::{Person, World};
use tokio::time::timeout;

async fn wait_for_counts(world: &World, person: &Person, expect: &[(&str, u64)]) {
    let expect: BTreeMap<String, u64> = expect.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let wait = async {
        loop {
            let counts = world.engine.operator().statistics(&person.actor.app, 1).await.expect("a known app");
            let counts: BTreeMap<String, u64> =
                counts.into_iter().map(|((_, name), count)| (name.to_string(), count)).collect();
            if counts == expect {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), wait).await.expect("the follower catches up");
}

#[tokio::test]
async fn events_are_counted_once_over_restarts() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    assert!(matches!(world.engine.query(&ann.actor, Statistics { days: 1 }).await, Err(EngineError::AdminOnly)));
    let room = ann.group(&[&bob]).await;
    for n in 0..10 {
        ann.say(&room, &format!("m{n}")).await;
    }
    wait_for_counts(&world, &ann, &[("rooms", 1), ("invitations", 1), ("joins", 2), ("messages", 10)]).await;

    let again = World::over(world.store.clone(), world.clock.clone(), |_| {}).await;
    bob.say(&room, "more").await;
    wait_for_counts(&again, &ann, &[("rooms", 1), ("invitations", 1), ("joins", 2), ("messages", 11)]).await;
    again.engine.operator().set_admin(&ann.actor.app, &ann.actor.user, true).await.unwrap();
    assert_eq!(again.engine.query(&ann.actor, Statistics { days: 1 }).await.unwrap().len(), 4);
}

#[tokio::test]
async fn commits_without_events_are_passed_by() {
    const COMMITS: usize = 1_100;
    let world = World::new().await;
    let ann = world.person("ann").await;
    let app = ann.actor.app.clone();
    for n in 0..COMMITS {
        let name = format!("Test {n}");
        let work = Work::Account(vec![AccountChange::UpdateApp(AppSettings::open(&name))]);
        world.store.commit(Unit { app: app.clone(), at: Timestamp(0), work }).await.unwrap();
    }
    let wait = async {
        while world.store.follower(&app, "statistics").await.unwrap() < CommitNumber(1_000) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), wait).await.expect("the follower goes on");
    ann.group(&[]).await;
    wait_for_counts(&world, &ann, &[("rooms", 1), ("joins", 1)]).await;
}
