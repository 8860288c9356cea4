//! Cursors: how far each member has got.

use std::sync::Arc;

use domain::{Action, Cursors, Seq};

use super::world::{World, cursor_changes, done, read_to, say, set_level, user};
use crate::{Store, Work};

async fn check(world: &World, person: &str, delivered: u64, read: u64, read_messages: u64) {
    let Cursors { delivered: d, read: r, read_messages: m, commit: _ } = world.membership("red", person).await.cursors;
    assert_eq!((d.0, r.0, m), (delivered, read, read_messages), "{person}");
}

/// Who writes has read everything up to it; others have not.
pub async fn a_message_moves_its_senders_cursors(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    check(&world, "ann", 2, 2, 0).await;
    check(&world, "bob", 3, 3, 0).await;
    let message = world.act("ann", "red", say("one")).await;
    check(&world, "ann", 4, 4, 1).await;
    assert_eq!(world.membership("red", "ann").await.cursors.commit, message.commit);
    check(&world, "bob", 3, 3, 0).await;
    world.act("ann", "red", say("two")).await;
    world.act("bob", "red", say("three")).await;
    check(&world, "ann", 5, 5, 2).await;
    check(&world, "bob", 6, 6, 3).await;
    let before = world.membership("red", "ann").await.cursors;
    world.act("ann", "red", Action::React { target: Seq(6), keys: super::world::keys(&["+1"]) }).await;
    world.act("ann", "red", Action::Redact { target: Seq(6), reason: None }).await;
    assert_eq!(world.membership("red", "ann").await.cursors, before, "only messages move them");
}

/// A new member starts at the join; a change of level doesn't move anything; who comes back starts anew.
pub async fn joining_starts_at_the_join(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    world.act("ann", "red", say("one")).await;
    world.act("ann", "red", say("two")).await;
    world.act("ann", "red", Action::Invite { user: user("bob") }).await;
    check(&world, "bob", 0, 0, 0).await;
    let join = world.act("bob", "red", Action::Join).await;
    check(&world, "bob", 6, 6, 2).await;
    assert_eq!(world.membership("red", "bob").await.cursors.commit, join.commit);
    world.act("ann", "red", say("three")).await;
    world.act("ann", "red", set_level("bob", domain::Level::MODERATOR)).await;
    check(&world, "bob", 6, 6, 2).await;
    world.act("bob", "red", Action::Leave).await;
    world.act("ann", "red", say("four")).await;
    check(&world, "bob", 6, 6, 2).await;
    world.act("bob", "red", Action::Join).await;
    check(&world, "bob", 11, 11, 4).await;
    world.act("dan", "pair", Action::Direct { user: user("eve") }).await;
    for (person, seq) in [("dan", 2), ("eve", 3)] {
        let cursors = world.membership("pair", person).await.cursors;
        assert_eq!((cursors.delivered, cursors.read, cursors.read_messages), (Seq(seq), Seq(seq), 0));
    }
}

/// Unread is the messages at the head less the messages up to what is read, wherever that lies.
pub async fn messages_are_counted_up_to_what_is_read(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    for text in ["one", "two", "three"] {
        let message = world.act("ann", "red", say(text)).await;
        world.act("ann", "red", Action::React { target: message.seq, keys: super::world::keys(&["+1"]) }).await;
    }
    // Messages are 4, 6, 8; reactions 5, 7, 9.
    for (read, messages) in [(4, 1), (5, 1), (7, 2), (8, 3), (9, 3)] {
        world.act("bob", "red", read_to(None, Some(read))).await;
        check(&world, "bob", read, read, messages).await;
        assert_eq!(world.room("red").await.head.messages - messages, 3 - messages);
    }
    assert_eq!(world.room("red").await.head.last_message, Some(Seq(8)));
}

/// Values past the head are cut to it, so that later messages are not read before they are there.
pub async fn cursors_are_cut_to_the_head(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.act("ann", "red", say("one")).await;
    let version = world.room("red").await.room.version;
    for changes in [cursor_changes(version, Some(99), None), cursor_changes(version, None, Some(Seq::MAX.0 + 7))] {
        done(world.commit(Work::Room(world.work("bob", "red", changes))).await);
    }
    check(&world, "bob", 4, 4, 1).await;
    world.act("ann", "red", say("two")).await;
    check(&world, "bob", 4, 4, 1).await;
    // Message and cursors in one unit: the head is the one after the message.
    let mut both = world.check("bob", "red", say("three")).await.unwrap();
    both.cursors = cursor_changes(version, Some(99), Some(99)).cursors;
    done(world.commit(Work::Room(world.work("bob", "red", both))).await);
    check(&world, "bob", 6, 6, 3).await;
}

/// Back is no way to go, and `read` pulls `delivered` along.
pub async fn cursors_only_move_forward(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    for text in ["one", "two", "three", "four"] {
        world.act("ann", "red", say(text)).await;
    }
    let version = world.room("red").await.room.version;
    let expected =
        [(Some(6), None, 6, 3, 0), (None, Some(5), 6, 5, 2), (Some(4), Some(4), 6, 5, 2), (None, Some(7), 7, 7, 4)];
    for (delivered, read, delivered_now, read_now, messages) in expected {
        let before = world.membership("red", "bob").await.cursors;
        let changes = cursor_changes(version, delivered, read);
        let receipt = done(world.commit(Work::Room(world.work("bob", "red", changes))).await);
        check(&world, "bob", delivered_now, read_now, messages).await;
        let now = world.membership("red", "bob").await.cursors;
        let moved = (before.delivered, before.read) != (now.delivered, now.read);
        assert_eq!(now.commit, if moved { receipt.commit } else { before.commit });
    }
}
