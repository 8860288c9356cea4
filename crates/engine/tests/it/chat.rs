//! Chatting: rooms, messages, receipts, sync.

use std::collections::BTreeSet;

use domain::{Action, Content, Level, MemberState, Refusal, Seq, SettingsChange, UserId};
use engine::{EngineError, GetRoom, RoomCursors};
use testkit::World;

fn refusal<T: std::fmt::Debug>(result: Result<T, EngineError>) -> Refusal {
    match result {
        Err(EngineError::Refused(refusal)) => refusal,
        other => panic!("refused, not {other:?}"),
    }
}

#[tokio::test]
async fn two_people_chat() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.direct(&bob).await;
    assert_eq!(bob.direct(&ann).await, room);
    let hello = ann.say(&room, "hello").await;
    bob.say(&room, "hi").await;
    let edit = Action::Edit { target: hello, content: Content::plain("hello, Bob") };
    ann.act(&room, edit).await.unwrap();
    assert_eq!(bob.texts(&room).await, ["hello, Bob", "hi"]);

    let list = ann.sync(0).await;
    assert_eq!(list.rooms.len(), 1);
    let view = &list.rooms[0];
    assert_eq!((view.unread, view.messages, view.head), (1, 2, Seq(6)));
    assert_eq!(view.peer.as_ref().unwrap().0.id, bob.actor.user);
    ann.act(&room, Action::Cursors { delivered: None, read: Some(Seq(1000)) }).await.unwrap();
    let again = ann.sync(list.commit.0).await;
    assert_eq!(again.rooms[0].unread, 0);
    assert_eq!(ann.sync(again.commit.0).await.rooms.len(), 0);

    // Bob sees that Ann has read.
    let cursors = world.engine.query(&bob.actor, RoomCursors { room: room.clone() }).await.unwrap();
    assert_eq!(cursors.iter().find(|(user, _)| *user == ann.actor.user).unwrap().1.read, Seq(6));
    assert_eq!(bob.sync(again.commit.0 - 1).await.rooms[0].peer.as_ref().unwrap().1.read, Seq(6));
}

#[tokio::test]
async fn a_direct_room_is_one_under_a_race() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let opened = (0..40).map(|n| {
        let (one, other) = if n % 2 == 0 { (ann.clone(), bob.clone()) } else { (bob.clone(), ann.clone()) };
        tokio::spawn(async move { one.direct(&other).await })
    });
    let mut rooms = BTreeSet::new();
    for room in Vec::from_iter(opened) {
        rooms.insert(room.await.unwrap().to_string());
    }
    assert_eq!(rooms.len(), 1);
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_even_after_a_restart() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let first = bob.say_as(&room, "once", "c1").await.unwrap();
    assert!(!first.duplicate);
    // Even if it would be refused now.
    ann.act(&room, Action::Remove { user: bob.actor.user.clone() }).await.unwrap();
    let repeat = bob.say_as(&room, "once", "c1").await.unwrap();
    assert_eq!((repeat.seq, repeat.commit, repeat.duplicate), (first.seq, first.commit, true));
    assert_eq!(refusal(bob.say_as(&room, "another", "c1").await), Refusal::ClientIdReused);
    assert_eq!(refusal(bob.say_as(&room, "once", "c2").await), Refusal::NotAMember);

    let again = World::over(world.store.clone(), world.clock.clone(), |_| {}).await;
    let result = again.engine.execute(
        &bob.actor,
        domain::Command {
            room: room.clone(),
            action: Action::Send { content: Content::plain("once"), reply_to: None },
        },
        Some(domain::ClientId::new("c1").unwrap()),
    );
    assert_eq!(result.await.unwrap().seq, first.seq);
    assert_eq!(ann.texts(&room).await, ["once"]);
}

#[tokio::test]
async fn concurrent_commands_keep_the_log_dense_and_the_rules_true() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let room = ann.group(&[&bob, &eve]).await;
    let mut tasks = Vec::new();
    for n in 0..100 {
        let (bob, room) = (bob.clone(), room.clone());
        tasks
            .push(tokio::spawn(async move { bob.say_as(&room, &format!("m{n}"), &format!("c{n}")).await.map(|_| ()) }));
    }
    for n in 0..20 {
        let (ann, room, eve) = (ann.clone(), room.clone(), eve.clone());
        tasks.push(tokio::spawn(async move {
            let level = if n % 2 == 0 { Level::MODERATOR } else { Level::MEMBER };
            ann.act(&room, Action::SetLevel { user: eve.actor.user.clone(), level }).await.map(|_| ())
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let history = ann.history(&room).await.unwrap();
    let seqs: Vec<u64> = history.entries.iter().map(|entry| entry.event.seq.0).collect();
    assert_eq!(seqs, Vec::from_iter(1..=seqs.len() as u64));
    let texts: BTreeSet<String> = ann.texts(&room).await.into_iter().collect();
    assert_eq!(texts.len(), 100);
}

#[tokio::test]
async fn reactions_are_sets_and_redaction_takes_all_away() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let target = ann.say(&room, "secret").await;
    let react = |keys: &[&str]| Action::React { target, keys: keys.iter().map(|key| (*key).into()).collect() };
    bob.act(&room, react(&["👍", "🎉"])).await.unwrap();
    ann.act(&room, react(&["👍"])).await.unwrap();
    bob.act(&room, react(&["👍"])).await.unwrap();
    let entry =
        |view: &engine::HistoryView| view.entries.iter().find(|entry| entry.event.seq == target).unwrap().clone();
    let reactions = entry(&ann.history(&room).await.unwrap()).reactions;
    assert_eq!(reactions.iter().map(|r| (r.key.as_str(), r.count, r.mine)).collect::<Vec<_>>(), [("👍", 2, true)]);

    ann.act(&room, Action::Edit { target, content: Content::plain("secret too") }).await.unwrap();
    ann.act(&room, Action::Redact { target, reason: None }).await.unwrap();
    let view = ann.history(&room).await.unwrap();
    assert_eq!(entry(&view).content(), None);
    assert!(entry(&view).reactions.is_empty());
    assert!(!format!("{view:?}").contains("secret"));
    assert_eq!(refusal(bob.act(&room, react(&["👍"])).await), Refusal::MessageDeleted);
    let edit = Action::Edit { target, content: Content::plain("back") };
    assert_eq!(refusal(ann.act(&room, edit).await), Refusal::MessageDeleted);
}

#[tokio::test]
async fn groups_are_created_joined_and_left() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = world.engine.fresh_room_id();
    let settings = SettingsChange { name: Some("Team".into()), ..SettingsChange::default() };
    let nobody = UserId::new("nobody").unwrap();
    let create = |invite: Vec<UserId>| Action::Create { settings: settings.clone(), invite };
    assert_eq!(refusal(ann.act(&room, create(vec![nobody.clone()])).await), Refusal::UnknownUser);
    ann.act(&room, create(vec![bob.actor.user.clone()])).await.unwrap();
    assert_eq!(refusal(ann.act(&room, create(vec![])).await), Refusal::RoomExists);
    assert_eq!(refusal(ann.act(&room, Action::Invite { user: nobody }).await), Refusal::UnknownUser);

    let view = &bob.sync(0).await.rooms[0];
    let me = view.me.as_ref().unwrap();
    assert_eq!((me.state, me.invited_by.as_ref()), (MemberState::Invited, Some(&ann.actor.user)));
    assert_eq!((view.head, view.unread, view.room.settings.name.as_str()), (Seq(0), 0, "Team"));
    assert_eq!(
        refusal(bob.act(&room, Action::Send { content: Content::plain("x"), reply_to: None }).await),
        Refusal::NotAMember
    );
    bob.act(&room, Action::Join).await.unwrap();
    assert_eq!(refusal(ann.act(&room, Action::Leave).await), Refusal::LastOwner);
    bob.act(&room, Action::Leave).await.unwrap();
    ann.act(&room, Action::Leave).await.unwrap();
    let view = world.engine.query(&ann.actor, GetRoom { room }).await.unwrap();
    assert_eq!(view.me.unwrap().state, MemberState::Left);
}
