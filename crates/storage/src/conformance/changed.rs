//! What changed for a user since a commit: the heart of every sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{Action, CommitNumber, Content, MemberState, Seq};

use super::world::{World, keys, read_to, room, say, set_level, user};
use crate::{Changed, ListedRoom, Membership, Store};

async fn changed(world: &World, id: &str, since: CommitNumber, limit: usize) -> Changed {
    world.store.changed_rooms(&world.app, &user(id), since, limit).await.unwrap()
}

/// The names of the rooms that changed, with all pages.
async fn names(world: &World, id: &str, since: CommitNumber) -> Vec<String> {
    let changed = changed(world, id, since, 100).await;
    assert_eq!((changed.commit, changed.more), (world.store.head(&world.app).await.unwrap(), false));
    changed.rooms.iter().map(|listed| listed.room.id.to_string()).collect()
}

/// New events and own cursors tell a room; another's cursors only in a direct room.
pub async fn a_room_is_told_once_for_each_reason(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.group("blue", &["bob", "ann"]).await;
    world.group("green", &["cho"]).await;
    world.act("bob", "pair", Action::Direct { user: user("ann") }).await;
    assert_eq!(names(&world, "ann", CommitNumber(0)).await, ["red", "blue", "pair"], "oldest change first");
    assert_eq!(names(&world, "dan", CommitNumber(0)).await, [""; 0]);

    let since = world.store.head(&world.app).await.unwrap();
    assert_eq!(names(&world, "ann", since).await, [""; 0], "nothing is new");
    let text = Content::plain("edited");
    let steps = [
        ("bob", "red", say("hello"), &["red"][..]),
        ("bob", "red", Action::Edit { target: Seq(4), content: text }, &["red"]),
        ("ann", "red", Action::React { target: Seq(4), keys: keys(&["+1"]) }, &["red"]),
        ("ann", "red", read_to(None, Some(5)), &["red"]),
        ("bob", "blue", read_to(None, Some(3)), &[]),
        ("bob", "pair", say("hi"), &["pair"]),
        ("ann", "pair", read_to(Some(4), None), &["pair"]),
        ("ann", "pair", read_to(None, Some(4)), &["pair"]),
        ("ann", "pair", say("yes"), &["pair"]),
        ("bob", "pair", read_to(Some(5), Some(5)), &["pair"]),
        ("bob", "blue", set_level("ann", domain::Level::READER), &["blue"]),
        ("cho", "green", say("alone"), &[]),
        ("dan", "blue", Action::Join, &["blue"]),
    ];
    let mut all = Vec::new();
    for (person, name, action, expect) in steps {
        let before = world.store.head(&world.app).await.unwrap();
        let said = format!("{person} in {name}: {action:?}");
        world.act(person, name, action).await;
        assert_eq!(names(&world, "ann", before).await, expect, "{said}");
        assert_eq!(names(&world, "eve", before).await, [""; 0]);
        all.retain(|known| known != name);
        all.extend(expect.iter().map(|name| name.to_string()));
    }
    assert_eq!(all, ["red", "pair", "blue"]);
    assert_eq!(names(&world, "ann", since).await, all, "each once, oldest last change first");
    assert_eq!(names(&world, "ann", world.store.head(&world.app).await.unwrap()).await, [""; 0]);
    // Account changes move the head, and no room.
    world.account_done(vec![world.new_user("fay")]).await;
    assert_eq!(names(&world, "ann", since).await, all);
}

/// A room that the user is not in is told when that came about, and not for what happens in it.
pub async fn invited_and_left_rooms_are_told_by_membership(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let states = async |id: &str, since: CommitNumber| {
        let rooms = changed(&world, id, since, 100).await.rooms;
        rooms.into_iter().map(|listed| (listed.room.id, listed.me.member.state)).collect::<Vec<_>>()
    };
    let start = world.store.head(&world.app).await.unwrap();
    let invited = world.act("ann", "red", Action::Invite { user: user("cho") }).await.commit;
    world.act("ann", "red", say("not for cho")).await;
    assert_eq!(states("cho", start).await, [(room("red"), MemberState::Invited)]);
    assert_eq!(states("cho", CommitNumber(0)).await, [(room("red"), MemberState::Invited)]);
    assert_eq!(states("cho", invited).await, [], "messages are not told to who is invited");

    world.act("cho", "red", Action::Join).await;
    assert_eq!(states("cho", invited).await, [(room("red"), MemberState::Joined)]);
    let before = world.store.head(&world.app).await.unwrap();
    let left = world.act("cho", "red", Action::Leave).await.commit;
    world.act("ann", "red", say("still not for cho")).await;
    assert_eq!(states("cho", before).await, [(room("red"), MemberState::Left)]);
    assert_eq!(states("cho", start).await, [(room("red"), MemberState::Left)]);
    assert_eq!(states("cho", left).await, []);
    assert_eq!(states("cho", CommitNumber(0)).await, [], "a fresh client needs no rooms left");

    let before = world.store.head(&world.app).await.unwrap();
    world.act("ann", "red", Action::Remove { user: user("bob") }).await;
    assert_eq!(states("bob", before).await, [(room("red"), MemberState::Left)]);
    world.act("ann", "red", Action::Invite { user: user("dan") }).await;
    world.act("dan", "red", Action::Leave).await;
    assert_eq!(states("dan", before).await, [(room("red"), MemberState::Left)], "declined");
}

/// A listed room is what the single reads tell.
pub async fn listed_rooms_are_whole(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let message = world.act("ann", "red", say("one")).await.seq;
    world.act("ann", "red", Action::Edit { target: message, content: Content::plain("two") }).await;
    world.act("bob", "red", Action::React { target: message, keys: keys(&["+1"]) }).await;
    world.act("bob", "pair", Action::Direct { user: user("ann") }).await;
    world.group("empty", &["ann"]).await;
    world.act("ann", "gone", Action::Direct { user: user("cho") }).await;
    let gone = world.act("cho", "gone", say("secret")).await.seq;
    world.act("cho", "gone", Action::Redact { target: gone, reason: None }).await;
    for id in ["ann", "bob", "cho"] {
        for listed in changed(&world, id, CommitNumber(0), 100).await.rooms {
            let name = listed.room.id.to_string();
            let snapshot = world.room(&name).await;
            let last_message = match snapshot.head.last_message {
                Some(seq) => Some(world.entry(&name, seq, id).await),
                None => None,
            };
            let peer: Option<Membership> = match snapshot.room.peer_of(&user(id)) {
                Some(peer) => Some(world.membership(&name, peer.as_str()).await),
                None => None,
            };
            assert_eq!(last_message.is_some(), ["red", "gone"].contains(&name.as_str()));
            assert_eq!(peer.is_some(), ["pair", "gone"].contains(&name.as_str()));
            let me = world.membership(&name, id).await;
            let expect = ListedRoom { room: snapshot.room, head: snapshot.head, me, last_message, peer };
            assert_eq!(listed, expect);
        }
    }
}

/// Following `commit` while there is `more` gives every room once and ends at the head.
pub async fn pages_lead_to_the_head(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let all: Vec<String> = (0..17).map(|n| format!("room-{n:02}")).collect();
    for name in &all {
        world.group(name, &["ann", "bob"]).await;
    }
    // Many rooms change at once, as likely as not by common commits.
    let mut senders = tokio::task::JoinSet::new();
    for name in all.clone().into_iter().skip(5) {
        let world = world.clone();
        senders.spawn(async move { world.act("bob", &name, say("at once")).await });
    }
    senders.join_all().await;
    for limit in [1, 2, 5, 16, 17, 100] {
        let (mut since, mut told, mut last) = (CommitNumber(0), Vec::new(), CommitNumber(0));
        loop {
            let page = changed(&world, "ann", since, limit).await;
            let at = |listed: &ListedRoom| listed.head.commit.max(listed.me.cursors.commit);
            for listed in &page.rooms {
                assert!(at(listed) >= last && at(listed) > since && at(listed) <= page.commit);
                last = at(listed);
                told.push(listed.room.id.to_string());
            }
            if !page.more {
                assert_eq!(page.commit, world.store.head(&world.app).await.unwrap());
                break;
            }
            assert!(page.commit > since && page.rooms.len() >= limit.min(2), "a page that is not the last is full");
            assert_eq!(page.commit, last, "rooms of one commit are not divided");
            since = page.commit;
        }
        assert_eq!(told.len(), all.len());
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), all.iter().cloned().collect());
    }
}
