//! Lanes: what one connection sends stands in the log in its order, also while the room changes under it.

use std::pin::pin;

use domain::{Action, Command, Content, JoinRule, Level, SettingsChange};
use testkit::World;
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_a_lane_keep_their_order_while_the_room_changes() {
    check_order(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_on_disk() {
    check_order(World::on_disk(|_| {}).await).await;
}

async fn check_order(world: World) {
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let room = ann.group(&[&bob, &eve]).await;
    let disturb = {
        let (ann, eve, room) = (ann.clone(), eve.clone(), room.clone());
        tokio::spawn(async move {
            for n in 0..150 {
                let level = if n % 2 == 0 { Level::MODERATOR } else { Level::MEMBER };
                ann.act(&room, Action::SetLevel { user: eve.actor.user.clone(), level }).await.expect("allowed");
            }
        })
    };
    let lane = world.engine.lane(&bob.actor);
    let (sender, mut receipts) = mpsc::unbounded_channel();
    for n in 0..300 {
        let action = Action::Send { content: Content::plain(format!("m{n}")), reply_to: None };
        let submitted = lane.submit(Command { room: room.clone(), action }, None).await;
        let sender = sender.clone();
        tokio::spawn(async move {
            let receipt = submitted.receipt().await.expect("allowed");
            sender.send((n, receipt.seq)).expect("the test listens");
        });
    }
    drop(sender);
    let mut seqs = Vec::new();
    while let Some(found) = receipts.recv().await {
        seqs.push(found);
    }
    disturb.await.expect("allowed");
    seqs.sort_unstable();
    assert_eq!(seqs.len(), 300);
    assert!(seqs.windows(2).all(|pair| pair[0].1 < pair[1].1), "{seqs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_join_at_once_all_come_in_and_nobody_is_held_up() {
    let world = World::on_disk(|options| options.password_hashes_waiting_max = 1000).await;
    let ann = world.person("ann").await;
    let settings = SettingsChange { join_rule: Some(JoinRule::Open), ..SettingsChange::default() };
    let room = ann.group_with(settings, &[]).await;
    let mut joiners = Vec::new();
    for n in 0..200 {
        joiners.push(world.stranger(&format!("u{n}")).await);
    }
    let mut tasks = Vec::new();
    for joiner in joiners {
        let room = room.clone();
        tasks.push(tokio::spawn(async move { joiner.act(&room, Action::Join).await.map(|_| ()) }));
    }
    for n in 0..50 {
        let (ann, room) = (ann.clone(), room.clone());
        tasks.push(tokio::spawn(async move { ann.say_as(&room, "hello", &format!("c{n}")).await.map(|_| ()) }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let snapshot = world.store.room(&ann.actor.app, &room, &[]).await.unwrap().unwrap();
    assert_eq!((snapshot.room.joined, snapshot.head.messages), (201, 50));
}

#[tokio::test]
async fn a_refusal_keeps_its_turn_and_holds_nobody_up() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.direct(&bob).await;
    let lane = world.engine.lane(&ann.actor);
    let send = |text: &str| Command {
        room: room.clone(),
        action: Action::Send { content: Content::plain(text.to_owned()), reply_to: None },
    };
    let first = lane.submit(send("one"), None).await;
    let refused = lane.submit(send(""), None).await;
    let third = pin!(lane.submit(send("two"), None));
    let (first, refused, third) =
        tokio::join!(first.receipt(), refused.receipt(), async { third.await.receipt().await });
    assert!(first.unwrap().seq < third.unwrap().seq);
    assert!(refused.is_err());
}
