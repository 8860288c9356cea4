//! Idempotency: a device's repeat is answered with the first receipt.

use std::sync::Arc;

use domain::{Action, ClientId, RoomId, SettingsChange};

use super::world::{World, device, done, message_changes, range, read_to, room, say};
use crate::{Outcome, Receipt, RoomWork, Store, WINDOW_ENTRIES_MAX, Work};

async fn say_as(world: &World, person: &str, client_id: &str, fingerprint: u64, text: &str) -> Outcome {
    let version = world.room("red").await.room.version;
    let work = world.work(person, "red", message_changes(version, text));
    world.commit(Work::Room(world.work_as(client_id, fingerprint, work))).await
}

async fn recall(world: &World, by: &str, client_id: &str, fingerprint: u64) -> Option<Outcome> {
    let client_id = ClientId::new(client_id).unwrap();
    world.store.recall(&world.app, &device(by), &client_id, fingerprint).await.unwrap()
}

/// A repeat is known even when the world has moved on; another command under the same id is a mix-up.
pub async fn repeats_are_recognised_before_conflicts(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    assert_eq!(recall(&world, "ann-1", "c1", 7).await, None);
    let message = world.work_as("c1", 7, world.work("ann", "red", world.check("ann", "red", say("hi")).await.unwrap()));
    let create = Action::Create { settings: SettingsChange::default(), invite: Vec::new() };
    let create = world.work_as("c2", 8, world.work("ann", "blue", world.check("ann", "blue", create).await.unwrap()));
    let first = done(world.commit(Work::Room(message.clone())).await);
    let read = world.check("bob", "red", read_to(None, Some(4))).await.unwrap();
    let read = world.work_as("c3", 9, world.work("bob", "red", read));
    let created = done(world.commit(Work::Room(create.clone())).await);
    let moved = done(world.commit(Work::Room(read.clone())).await);

    // The id stands on the event that the receipt names, and on no other.
    for (name, receipt, client_id) in [("red", &first, "c1"), ("blue", &created, "c2")] {
        for entry in world.entries(name, "ann").await {
            let expect = (entry.event.seq == receipt.seq).then_some(client_id);
            assert_eq!(entry.event.client_id.as_ref().map(|id| id.as_str()), expect);
        }
    }

    // The version moves on: without the client id all of these would be conflicts.
    world.act("bob", "red", Action::Leave).await;
    let before = (world.room("red").await, world.store.head(&world.app).await.unwrap());
    let elsewhere = RoomWork { room: room("green"), ..create.clone() };
    for (work, receipt) in [(&message, &first), (&create, &created), (&elsewhere, &created), (&read, &moved)] {
        let id = work.client_id.clone().unwrap();
        assert_eq!(world.commit(Work::Room(work.clone())).await, Outcome::Duplicate(receipt.clone()), "{id}");
        let device = work.device.as_str();
        assert_eq!(
            recall(&world, device, id.as_str(), work.fingerprint).await,
            Some(Outcome::Duplicate(receipt.clone()))
        );
        let other = RoomWork { fingerprint: work.fingerprint + 1, ..work.clone() };
        assert_eq!(world.commit(Work::Room(other)).await, Outcome::ClientIdReused, "{id}");
        assert_eq!(recall(&world, device, id.as_str(), 1).await, Some(Outcome::ClientIdReused));
    }
    assert_eq!((world.room("red").await, world.store.head(&world.app).await.unwrap()), before);

    // What was refused by a conflict is not remembered.
    let late = world.work_as("c4", 10, world.work("ann", "red", message_changes(0, "late")));
    assert_eq!(world.commit(Work::Room(late)).await, Outcome::Conflict);
    assert_eq!(recall(&world, "ann-1", "c4", 10).await, None);
    done(say_as(&world, "ann", "c4", 10, "in time").await);
}

/// When a text is deleted its hash is, too: a repeat is still one, whatever it says.
pub async fn repeats_of_deleted_texts_are_recognised(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let sent = done(say_as(&world, "ann", "c1", 7, "secret").await);
    let kept = done(say_as(&world, "ann", "c2", 7, "no secret").await);
    let edit = Action::Edit { target: sent.seq, content: domain::Content::plain("more secret") };
    let edit = world.work_as("c3", 7, world.work("ann", "red", world.check("ann", "red", edit).await.unwrap()));
    let edited = done(world.commit(Work::Room(edit)).await);
    for id in ["c1", "c2", "c3"] {
        assert_eq!(recall(&world, "ann-1", id, 8).await, Some(Outcome::ClientIdReused), "{id}");
    }
    let redact = Action::Redact { target: sent.seq, reason: None };
    let redact = world.work_as("c4", 7, world.work("ann", "red", world.check("ann", "red", redact).await.unwrap()));
    let redacted = done(world.commit(Work::Room(redact)).await);
    for (id, receipt, is_kept) in
        [("c1", &sent, false), ("c2", &kept, true), ("c3", &edited, false), ("c4", &redacted, true)]
    {
        for fingerprint in [7, 8] {
            let expect = match is_kept && fingerprint == 8 {
                true => Outcome::ClientIdReused,
                false => Outcome::Duplicate(receipt.clone()),
            };
            assert_eq!(recall(&world, "ann-1", id, fingerprint).await, Some(expect.clone()), "{id}");
            assert_eq!(say_as(&world, "ann", id, fingerprint, "secret").await, expect, "{id}");
        }
    }
    // Of a device that ended nothing is known, and what it said is deleted all the same.
    let sent = done(say_as(&world, "bob", "c1", 7, "secret").await);
    let end = domain::AccountChange::RevokeDevices { user: super::world::user("bob"), devices: vec![device("bob-1")] };
    world.account_done(vec![end]).await;
    assert_eq!(recall(&world, "bob-1", "c1", 7).await, None);
    // So nothing that could be a repeat is written, neither the same nor another.
    assert_eq!(say_as(&world, "bob", "c1", 7, "secret").await, Outcome::DeviceEnded);
    assert_eq!(say_as(&world, "bob", "c2", 8, "more").await, Outcome::DeviceEnded);
    world.act("bob", "red", Action::Redact { target: sent.seq, reason: None }).await;
    assert_eq!(recall(&world, "bob-1", "c1", 7).await, None);
}

/// The same client id by another device is another command.
pub async fn client_ids_belong_to_a_device(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    world.account_done(vec![world.new_device("ann-2", "ann")]).await;
    let first = done(say_as(&world, "ann", "c1", 1, "one").await);
    let by_bob = done(say_as(&world, "bob", "c1", 2, "two").await);
    let version = world.room("red").await.room.version;
    let second = world.work_as("c1", 3, world.work("ann", "red", message_changes(version, "three")));
    let by_second = done(world.commit(Work::Room(RoomWork { device: device("ann-2"), ..second })).await);
    assert!(first.seq < by_bob.seq && by_bob.seq < by_second.seq);
    for (by, fingerprint, receipt) in [("ann-1", 1, first), ("bob-1", 2, by_bob), ("ann-2", 3, by_second)] {
        assert_eq!(recall(&world, by, "c1", fingerprint).await, Some(Outcome::Duplicate(receipt)));
    }
}

/// Each device's last [`WINDOW_ENTRIES_MAX`] client ids are known; older ones are new again.
pub async fn the_last_client_ids_are_remembered(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    done(say_as(&world, "bob", "c0", 0, "by bob").await);
    let mut receipts = Vec::new();
    for n in 0..=WINDOW_ENTRIES_MAX as u64 {
        receipts.push(done(say_as(&world, "ann", &format!("c{n}"), n, "first").await));
    }
    let duplicate = |n: usize| Outcome::Duplicate(Receipt { ..receipts[n].clone() });
    assert_eq!(say_as(&world, "ann", "c1", 1, "again").await, duplicate(1), "the oldest that is remembered");
    assert_eq!(say_as(&world, "ann", "c256", 256, "again").await, duplicate(256), "the newest");
    assert_eq!(recall(&world, "ann-1", "c0", 0).await, None);
    let again = done(say_as(&world, "ann", "c0", 0, "again").await);
    assert!(again.seq > receipts[256].seq);
    assert_eq!(recall(&world, "ann-1", "c1", 1).await, None, "it gave way to the new one");
    assert!(matches!(recall(&world, "bob-1", "c0", 0).await, Some(Outcome::Duplicate(_))), "windows are apart");
}

/// A command that is sent twice at the same time is written once.
pub async fn concurrent_repeats_write_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let version = world.room("red").await.room.version;
    let head = world.room("red").await.head.seq.0;
    for n in 0..20_u64 {
        let work = world.work_as(&format!("c{n}"), n, world.work("ann", "red", message_changes(version, "twice")));
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (world, work) = (world.clone(), work.clone());
            tries.spawn(async move { world.commit(Work::Room(work)).await });
        }
        let outcomes = tries.join_all().await;
        let written: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).collect();
        assert_eq!(written.len(), 1, "{outcomes:?}");
        let Outcome::Done(receipt) = written[0].clone() else { unreachable!("it was filtered") };
        let repeats = outcomes.iter().filter(|outcome| **outcome == Outcome::Duplicate(receipt.clone())).count();
        assert_eq!(repeats, 3, "{outcomes:?}");
    }
    let whole = [range(head + 1, head + 100)];
    let room: RoomId = room("red");
    let (entries, _) = world.store.entries(&world.app, &room, &whole, None).await.unwrap();
    assert_eq!(entries.len(), 20);
}
