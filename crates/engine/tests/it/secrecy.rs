//! What nobody may see: other rooms, other times, other apps.

use domain::{Action, CommitNumber, Content, HistoryVisibility, Refusal, SettingsChange};
use engine::{EngineError, GetRoom, Members, RoomCursors, Sync};
use testkit::{Person, World};

async fn check_unknown(world: &World, person: &Person, room: &domain::RoomId) {
    let engine = &world.engine;
    let unknown = |result: Result<(), EngineError>, what: &str| match result {
        Err(EngineError::Refused(Refusal::UnknownRoom)) => {}
        other => panic!("{what}: {other:?}"),
    };
    let actor = &person.actor;
    unknown(engine.query(actor, GetRoom { room: room.clone() }).await.map(|_| ()), "get");
    unknown(person.history(room).await.map(|_| ()), "history");
    unknown(engine.query(actor, Members { room: room.clone(), after: None, limit: 10 }).await.map(|_| ()), "members");
    unknown(engine.query(actor, RoomCursors { room: room.clone() }).await.map(|_| ()), "cursors");
    unknown(engine.typing(actor, room, true).await, "typing");
    let target = domain::Seq(3);
    let user = actor.user.clone();
    let actions = [
        Action::Join,
        Action::Leave,
        Action::Invite { user: user.clone() },
        Action::Remove { user: user.clone() },
        Action::SetLevel { user, level: domain::Level::OWNER },
        Action::Settings(SettingsChange { name: Some("x".into()), ..SettingsChange::default() }),
        Action::Send { content: Content::plain("x"), reply_to: None },
        Action::Edit { target, content: Content::plain("x") },
        Action::Redact { target, reason: None },
        Action::React { target, keys: ["👍".into()].into() },
        Action::Cursors { delivered: None, read: Some(target) },
    ];
    for action in actions {
        let what = format!("{action:?}");
        unknown(person.act(room, action).await.map(|_| ()), &what);
    }
    assert!(person.sync(0).await.rooms.iter().all(|view| view.room.id != *room));
}

#[tokio::test]
async fn a_stranger_and_another_app_know_nothing_of_a_private_room() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[]).await;
    ann.say(&room, "private").await;
    check_unknown(&world, &bob, &room).await;
    // The same user id in another app is somebody else.
    check_unknown(&world, &world.foreigner("other", "ann").await, &room).await;
}

#[tokio::test]
async fn a_removed_member_sees_nothing_after_the_removal() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let target = ann.say(&room, "before").await;
    ann.act(&room, Action::Remove { user: bob.actor.user.clone() }).await.unwrap();
    let since = bob.sync(0).await.commit;
    ann.say(&room, "after").await;
    ann.act(&room, Action::Edit { target, content: Content::plain("changed after") }).await.unwrap();
    let rename = SettingsChange { name: Some("renamed after".into()), ..SettingsChange::default() };
    ann.act(&room, Action::Settings(rename)).await.unwrap();

    assert_eq!(bob.texts(&room).await, ["before"]);
    let seen = format!(
        "{:?} {:?}",
        bob.history(&room).await,
        world.engine.query(&bob.actor, GetRoom { room: room.clone() }).await
    );
    assert!(!seen.contains("after"), "{seen}");
    assert!(bob.sync(since.0).await.rooms.is_empty());
    assert!(bob.act(&room, Action::Send { content: Content::plain("x"), reply_to: None }).await.is_err());
}

#[tokio::test]
async fn who_joins_later_sees_by_the_rule_of_the_room() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let check = async |history: HistoryVisibility, expect: &[&str]| {
        let room = ann.group_with(SettingsChange { history: Some(history), ..SettingsChange::default() }, &[]).await;
        let first = ann.say(&room, "before").await;
        ann.act(&room, Action::Invite { user: bob.actor.user.clone() }).await.unwrap();
        ann.say(&room, "invited").await;
        bob.act(&room, Action::Join).await.unwrap();
        ann.say(&room, "joined").await;
        assert_eq!(bob.texts(&room).await, expect, "{history:?}");
        // What can't be seen can't be pointed at.
        let react = bob.act(&room, Action::React { target: first, keys: ["👍".into()].into() }).await;
        assert_eq!(react.is_ok(), expect.contains(&"before"), "{history:?}");
    };
    check(HistoryVisibility::Members, &["before", "invited", "joined"]).await;
    check(HistoryVisibility::Invited, &["invited", "joined"]).await;
    check(HistoryVisibility::Joined, &["joined"]).await;
    check(HistoryVisibility::Anyone, &["before", "invited", "joined"]).await;
}

#[tokio::test]
async fn who_is_invited_and_connects_is_told_nothing_of_the_room() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[]).await;
    let mut anns = ann.listen().await;
    ann.say(&room, "the room is active").await;
    anns.messages_until("the room is active").await;
    ann.act(&room, Action::Invite { user: bob.actor.user.clone() }).await.unwrap();
    let mut bobs = bob.listen().await;
    ann.say(&room, "private").await;
    anns.messages_until("private").await;
    bob.act(&room, Action::Join).await.unwrap();
    ann.say(&room, "welcome").await;
    let told: Vec<String> = bobs.messages_until("welcome").await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(told, ["welcome"]);
}

#[tokio::test]
async fn who_was_away_sees_the_last_edit_from_before() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let joined = SettingsChange { history: Some(HistoryVisibility::Joined), ..SettingsChange::default() };
    ann.act(&room, Action::Settings(joined)).await.unwrap();
    let target = ann.say(&room, "first").await;
    let edit = async |text: &str| {
        ann.act(&room, Action::Edit { target, content: Content::plain(text) }).await.unwrap();
    };
    edit("second").await;
    bob.act(&room, Action::Leave).await.unwrap();
    edit("while bob is away").await;
    ann.act(&room, Action::Invite { user: bob.actor.user.clone() }).await.unwrap();
    bob.act(&room, Action::Join).await.unwrap();
    let history = bob.history(&room).await.unwrap();
    let entry = history.entries.iter().find(|entry| entry.event.seq == target).unwrap();
    assert_eq!(entry.edit.as_ref().map(|edit| &edit.content), Some(&Content::plain("second")));
    // The same as a room's last message, alone and in a list.
    let alone = world.engine.query(&bob.actor, GetRoom { room: room.clone() }).await.unwrap();
    let listed = world.engine.query(&bob.actor, Sync { since: CommitNumber(0) }).await.unwrap().rooms.remove(0);
    for view in [alone, listed] {
        let entry = view.last_message.expect("the room has one");
        assert_eq!(entry.event.seq, target);
        assert_eq!(entry.edit.as_ref().map(|edit| &edit.content), Some(&Content::plain("second")));
    }
}
