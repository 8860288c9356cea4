//! Rooms and members as they follow from the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{
    AccountChange, Action, HistoryVisibility, Interval, JoinRule, Level, Levels, Member, MemberState, Room, RoomKind,
    Seq, SettingsChange, pair_of,
};

use super::world::{World, open_settings, room, say, set_level, user};
use crate::{MemberFilter, Membership, Store};

/// The room and a member through a whole life.
pub async fn rooms_follow_the_domain(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let create = Action::Create {
        settings: SettingsChange { name: Some("红 room".into()), ..SettingsChange::default() },
        invite: vec![user("bob"), user("cho")],
    };
    world.act("ann", "red", create).await;
    let settings = SettingsChange {
        topic: Some("话题".into()),
        join_rule: Some(JoinRule::Open),
        history: Some(HistoryVisibility::Joined),
        levels: Some(Levels { send: Level(20), ..Levels::default() }),
        ..SettingsChange::default()
    };
    world.act("ann", "red", Action::Settings(settings)).await;
    world.act("bob", "red", Action::Join).await;
    world.act("ann", "red", set_level("bob", Level::OWNER)).await;
    world.act("cho", "red", Action::Leave).await;
    world.act("dan", "red", Action::Join).await;
    world.act("ann", "red", Action::Remove { user: user("dan") }).await;
    let last = world.act("dan", "red", Action::Join).await;

    let snapshot = world.room("red").await;
    let Room { id, kind, pair, settings, created_at: _, joined, invited, owners, version } = snapshot.room;
    assert_eq!((id, kind, pair), (room("red"), RoomKind::Group, None));
    assert_eq!((joined, invited, owners, version), (3, 0, 2, 11));
    let mut expected = open_settings();
    expected.name = "红 room".into();
    expected.topic = "话题".into();
    expected.history = HistoryVisibility::Joined;
    expected.levels.send = Level(20);
    assert_eq!(settings, expected);
    assert_eq!((snapshot.head.seq, snapshot.head.commit, snapshot.head.messages), (Seq(11), last.commit, 0));
    assert_eq!(snapshot.head.last_message, None);

    let check = async |id: &str, state, level, intervals: &[(u64, u64, Option<u64>)]| {
        let interval = |(invited, joined, left): &(u64, u64, Option<u64>)| Interval {
            invited: Seq(*invited),
            joined: Seq(*joined),
            left: left.map(Seq),
        };
        let member = world.membership("red", id).await.member;
        let Member { user: of, state: at_state, level: at_level, invited_by, invited_at, intervals: at, commit } =
            member;
        assert_eq!((of, at_state, at_level), (user(id), state, level));
        assert_eq!(at, intervals.iter().map(interval).collect::<Vec<_>>(), "{id}");
        assert_eq!((invited_by, invited_at), (None, None));
        let about = |entry: &&domain::Entry| matches!(&entry.event.body, domain::EventBody::Member { user: about, .. } if *about == user(id));
        let events = world.entries("red", "ann").await;
        assert_eq!(commit, events.iter().rfind(about).unwrap().event.commit);
    };
    check("ann", MemberState::Joined, Level::OWNER, &[(2, 2, None)]).await;
    check("bob", MemberState::Joined, Level::OWNER, &[(3, 6, None)]).await;
    check("cho", MemberState::Left, Level::READER, &[]).await;
    check("dan", MemberState::Joined, Level::MEMBER, &[(9, 9, Some(10)), (11, 11, None)]).await;

    world.act("bob", "red", Action::Invite { user: user("eve") }).await;
    let Membership { member, cursors } = world.membership("red", "eve").await;
    assert_eq!(
        (member.state, member.invited_by, member.invited_at),
        (MemberState::Invited, Some(user("bob")), Some(Seq(12)))
    );
    assert_eq!(cursors, domain::Cursors::default());
    assert_eq!(world.room("red").await.room.invited, 1);
}

/// The users asked for come in the order asked, strangers as `None`.
pub async fn snapshots_answer_in_the_order_asked(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.act("bob", "red", Action::Leave).await;
    let asked = [user("eve"), user("bob"), user("nobody"), user("ann")];
    let asked: Vec<_> = asked.iter().collect();
    let snapshot = world.store.room(&world.app, &room("red"), &asked).await.unwrap().unwrap();
    let states: Vec<_> =
        snapshot.members.iter().map(|member| member.as_ref().map(|found| found.member.state)).collect();
    assert_eq!(states, [None, Some(MemberState::Left), None, Some(MemberState::Joined)]);
    assert_eq!(world.store.room(&world.app, &room("nowhere"), &asked).await.unwrap(), None);
}

/// Pages of members go by id, without those who left.
pub async fn members_are_paged_by_id(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["cho", "ann", "eve", "bob"]).await;
    world.act("cho", "red", Action::Invite { user: user("dan") }).await;
    world.act("bob", "red", Action::Leave).await;
    let page_of = async |which: MemberFilter, after: Option<&str>, limit: usize| {
        let after = after.map(user);
        let members = world.store.members(&world.app, &room("red"), which, after.as_ref(), limit).await.unwrap();
        for membership in &members {
            assert_eq!(*membership, world.membership("red", membership.member.user.as_str()).await);
        }
        members.into_iter().map(|membership| membership.member.user.to_string()).collect::<Vec<_>>()
    };
    let page = async |after: Option<&str>, limit: usize| page_of(MemberFilter::Present, after, limit).await;
    assert_eq!(page(None, 10).await, ["ann", "cho", "dan", "eve"]);
    assert_eq!(page(None, 2).await, ["ann", "cho"]);
    assert_eq!(page(Some("cho"), 2).await, ["dan", "eve"]);
    assert_eq!(page(Some("bob"), 1).await, ["cho"], "after somebody who is not in it");
    assert_eq!(page(Some("eve"), 2).await, [""; 0]);
    let joined = async |after: Option<&str>, limit: usize| page_of(MemberFilter::Joined, after, limit).await;
    assert_eq!(joined(None, 10).await, ["ann", "cho", "eve"]);
    assert_eq!(joined(Some("ann"), 2).await, ["cho", "eve"], "who is invited takes no place");
    world.act("dan", "red", Action::Join).await;
    world.act("ann", "red", Action::Leave).await;
    assert_eq!(joined(None, 10).await, ["cho", "dan", "eve"]);
    let nowhere = world.store.members(&world.app, &room("nowhere"), MemberFilter::Present, None, 9).await.unwrap();
    assert_eq!(nowhere, []);
}

/// Joined and invited rooms are a user's rooms; left ones are not.
pub async fn rooms_of_a_user_are_joined_or_invited(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for name in ["red", "blue", "green"] {
        world.group(name, &["ann", "bob"]).await;
    }
    world.act("bob", "pair", Action::Direct { user: user("cho") }).await;
    world.act("bob", "green", Action::Leave).await;
    world.act("ann", "red", Action::Invite { user: user("cho") }).await;
    world.act("ann", "red", Action::Invite { user: user("dan") }).await;
    world.act("dan", "red", Action::Leave).await;
    let check = async |id: &str, which: MemberFilter, expect: &[&str]| {
        let (rooms, as_of) = world.store.rooms_of(&world.app, &user(id), which).await.unwrap();
        assert_eq!(as_of, world.store.head(&world.app).await.unwrap());
        let set: BTreeSet<_> = rooms.iter().map(|room| room.as_str()).collect();
        assert_eq!((set, rooms.len()), (expect.iter().copied().collect(), expect.len()), "{id} {which:?}");
    };
    for which in [MemberFilter::Present, MemberFilter::Joined] {
        check("ann", which, &["red", "blue", "green"]).await;
        check("bob", which, &["red", "blue", "pair"]).await;
        check("dan", which, &[]).await;
        check("nobody", which, &[]).await;
    }
    check("cho", MemberFilter::Present, &["pair", "red"]).await;
    check("cho", MemberFilter::Joined, &["pair"]).await;
}

/// An invitation is not yet a shared room, and a room left is none.
pub async fn sharing_needs_both_joined(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.act("ann", "red", Action::Invite { user: user("cho") }).await;
    world.act("dan", "pair", Action::Direct { user: user("cho") }).await;
    let check = async |a: &str, b: &str, expect: bool| {
        for (a, b) in [(user(a), user(b)), (user(b), user(a))] {
            let shared = world.store.share_rooms(&world.app, &a, std::slice::from_ref(&b)).await.unwrap();
            assert_eq!(shared.contains(&b), expect, "{a} and {b}");
        }
    };
    check("ann", "bob", true).await;
    check("ann", "cho", false).await;
    check("dan", "cho", true).await;
    check("dan", "ann", false).await;
    check("ann", "nobody", false).await;
    world.act("cho", "red", Action::Join).await;
    check("ann", "cho", true).await;
    world.act("bob", "red", Action::Leave).await;
    check("ann", "bob", false).await;
    let others = ["cho", "nobody", "bob", "dan", "eve", "ann"].map(user);
    let shared = async |id: &str| world.store.share_rooms(&world.app, &user(id), &others).await.unwrap();
    assert_eq!(shared("cho").await, ["cho", "dan", "ann"].map(user), "in the order given");
    assert_eq!(shared("eve").await, []);
    assert_eq!(shared("nobody").await, []);
}

/// A pair's room is found whoever asks; other pairs have others.
pub async fn direct_rooms_are_found_in_either_order(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    // Ids that sort differently by bytes and by length, and one that begins another.
    world
        .account_done(vec![world.new_user("an"), AccountChange::RevokeDevices { user: user("an"), devices: vec![] }])
        .await;
    for (name, a, b) in [("p1", "bob", "ann"), ("p2", "ann", "cho"), ("p3", "cho", "an")] {
        world.act(a, name, Action::Direct { user: user(b) }).await;
        let snapshot = world.room(name).await;
        assert_eq!((snapshot.room.kind, snapshot.room.pair), (RoomKind::Direct, Some(pair_of(&user(a), &user(b)))));
        assert_eq!((snapshot.room.joined, snapshot.room.owners), (2, 0));
        for pair in [[&user(a), &user(b)], [&user(b), &user(a)]] {
            let found = world.store.direct_room(&world.app, pair).await.unwrap();
            assert_eq!(found, Some(room(name)));
        }
    }
    world.group("red", &["ann", "dan"]).await;
    world.act("ann", "red", say("hello")).await;
    let none = world.store.direct_room(&world.app, [&user("ann"), &user("dan")]).await.unwrap();
    assert_eq!(none, None, "a group of two is no direct room");
}
