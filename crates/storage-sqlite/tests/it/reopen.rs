//! What was acknowledged is there again: after closing, and after a crash.

use domain::{AccountChange, ClientId};
use rusqlite::Connection;
use storage::conformance::world::{device, user};
use storage::{Outcome, Store, WINDOW_ENTRIES_MAX, Work};

use crate::world::{crashed, fresh, lively, messages, on, open, send_as, told};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept_by_closing_and_by_crashing() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let before = told(&*store, &world.app).await;
    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [folder.path(), after_crash.path()] {
        let store = open(folder);
        assert_eq!(told(&*store, &world.app).await, before);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_kept_by_closing_and_by_crashing() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let mut answers = Vec::new();
    // Some before a clean restart, which are in the windows' rows then, and some after, which are in the journal's tail.
    for n in 0..10 {
        answers.push((n, send_as(&world, &format!("c{n}"), n, "red").await));
    }
    store.close().await;
    let store = open(folder.path());
    let world = on(&world, &store);
    for n in 10..20 {
        answers.push((n, send_as(&world, &format!("c{n}"), n, "red").await));
    }
    // A command that writes no event is remembered too, and one with several by its first.
    let version = world.room("red").await.room.version;
    let cursors = storage::conformance::world::cursor_changes(version, None, Some(1_000));
    let quiet = world.work_as("quiet", 77, world.work("bob", "red", cursors));
    let quiet_answer = world.commit(Work::Room(quiet.clone())).await;
    let several = world.work_as("several", 78, world.work("ann", "red", messages(version, &["a", "b", "c"])));
    let several_answer = world.commit(Work::Room(several.clone())).await;

    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [after_crash.path(), folder.path()] {
        let store = open(folder);
        let world = on(&world, &store);
        for (n, answer) in &answers {
            assert_eq!(send_as(&world, &format!("c{n}"), *n, "red").await, repeated(answer), "{n}");
            assert_eq!(send_as(&world, &format!("c{n}"), n + 1, "red").await, Outcome::ClientIdReused, "{n}");
        }
        assert_eq!(world.commit(Work::Room(quiet.clone())).await, repeated(&quiet_answer));
        assert_eq!(world.commit(Work::Room(several.clone())).await, repeated(&several_answer));
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_holds_the_same_ids_after_a_crash() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let count = WINDOW_ENTRIES_MAX as u64 + 50;
    for n in 0..count / 2 {
        send_as(&world, &format!("c{n}"), n, "red").await;
    }
    store.close().await;
    let store = open(folder.path());
    let world = on(&world, &store);
    for n in count / 2..count {
        send_as(&world, &format!("c{n}"), n, "red").await;
    }
    let copy = crashed(folder.path());
    let after = open(copy.path());
    for n in 0..count {
        let id = domain::ClientId::new(format!("c{n}")).unwrap();
        let expected = store.recall(&world.app, &device("ann-1"), &id, n).await.unwrap();
        assert_eq!(after.recall(&world.app, &device("ann-1"), &id, n).await.unwrap(), expected, "{n}");
        assert_eq!(expected.is_some(), n >= 50, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_ended_devices_stay_forgotten() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    send_as(&world, "c1", 1, "red").await;
    let end = AccountChange::RevokeDevices { user: user("ann"), devices: vec![device("ann-1")] };
    world.account_done(vec![end]).await;
    // One that was on its way when the device ended.
    send_as(&world, "c2", 2, "red").await;
    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [after_crash.path(), folder.path()] {
        let store = open(folder);
        for (id, fingerprint) in [("c1", 1), ("c2", 2)] {
            let id = ClientId::new(id).unwrap();
            assert_eq!(store.recall(&world.app, &device("ann-1"), &id, fingerprint).await.unwrap(), None, "{id}");
        }
        store.close().await;
        let db = Connection::open(folder.join("starling.db")).unwrap();
        let sql = "SELECT count(*) FROM device_window WHERE device NOT IN (SELECT key FROM device)";
        assert_eq!(db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }
}

fn repeated(answer: &Outcome) -> Outcome {
    match answer {
        Outcome::Done(receipt) => Outcome::Duplicate(receipt.clone()),
        other => panic!("not written: {other:?}"),
    }
}
