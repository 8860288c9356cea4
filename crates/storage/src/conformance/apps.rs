//! Apps, and the walls between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{AccountChange, Action, App, AppId, AppSettings, CommitNumber, Seq, Timestamp};

use super::world::{World, device, done, message_changes, range, room, say, user};
use crate::{FollowerStep, FoundUsers, MemberFilter, Outcome, Store, Unit, Work};

/// The same ids in two apps are two things.
pub async fn another_app_sees_nothing(store: Arc<dyn Store>) {
    let one = World::named(store.clone(), "one").await;
    let two = World::named(store.clone(), "two").await;
    let (heads, mut numbers) = ((store.head(&one.app).await.unwrap(), store.head(&two.app).await.unwrap()), Vec::new());
    assert_eq!(heads.0, heads.1, "each app has its own numbers");
    one.group("red", &["ann", "bob"]).await;
    one.act("ann", "pair", Action::Direct { user: user("bob") }).await;
    one.act("ann", "red", say("for one")).await;
    let version = one.room("red").await.room.version;
    let work = one.work_as("c1", 1, one.work("ann", "red", message_changes(version, "for one")));
    done(one.commit(Work::Room(work.clone())).await);
    one.account_done(vec![one.new_user("fay"), one.new_device("fay-1", "fay")]).await;
    let counts = BTreeMap::from([((1, "messages".into()), 2)]);
    let (from, to) = (CommitNumber(0), CommitNumber(1));
    done(one.commit(Work::Follower(FollowerStep { name: "statistics", from, to, counts })).await);

    let app = &two.app;
    assert_eq!(store.head(app).await.unwrap(), heads.1);
    assert_eq!(store.room(app, &room("red"), &[&user("ann")]).await.unwrap(), None);
    assert_eq!(store.entries(app, &room("red"), &[range(1, 9)], None).await.unwrap(), (vec![], Seq(0)));
    assert_eq!(store.target(app, &room("red"), Seq(4), &user("ann")).await.unwrap(), None);
    assert_eq!(store.members(app, &room("red"), MemberFilter::Present, None, 9).await.unwrap(), []);
    assert_eq!(store.rooms_of(app, &user("ann"), MemberFilter::Present).await.unwrap().0, []);
    assert_eq!(store.share_rooms(app, &user("ann"), &[user("bob")]).await.unwrap(), []);
    assert_eq!(store.direct_room(app, [&user("ann"), &user("bob")]).await.unwrap(), None);
    assert_eq!(store.changed_rooms(app, &user("ann"), CommitNumber(0), 9).await.unwrap().rooms, []);
    assert_eq!(store.users(app, &[user("fay")]).await.unwrap(), []);
    assert_eq!(store.search_users(app, "fay", None, 9).await.unwrap(), FoundUsers::default());
    assert_eq!(store.password(app, &user("fay")).await.unwrap(), None);
    assert_eq!(store.device(app, &device("fay-1")).await.unwrap(), None);
    assert_eq!(store.devices(app, &user("fay")).await.unwrap(), []);
    assert_eq!(store.follower(app, "statistics").await.unwrap(), CommitNumber(0));
    assert!(store.counts(app, 0).await.unwrap().is_empty());
    let client_id = work.client_id.clone().unwrap();
    assert_eq!(store.recall(app, &device("ann-1"), &client_id, 1).await.unwrap(), None);
    let tallies = store.tallies(app, CommitNumber(0)).await.unwrap();
    assert!(tallies.commits.iter().all(|tally| tally.events.is_empty()));
    let journal = store.journal(app, CommitNumber(0), 99).await.unwrap();
    assert!(journal.iter().all(|entry| entry.rooms.is_empty()));
    let admin =
        AccountChange::UpdateUser { user: user("ann"), display_name: None, admin: Some(true), disabled: Some(false) };
    one.account_done(vec![admin]).await;
    assert!(!store.has_admin(app).await.unwrap());
    assert_eq!(two.commit(Work::Room(work.clone())).await, Outcome::Conflict, "no such room there");

    two.group("red", &["bob"]).await;
    two.act("ann", "red", Action::Join).await;
    two.act("bob", "pair", Action::Direct { user: user("ann") }).await;
    assert_eq!(one.room("red").await.room.joined, 2);
    let there = two.work_as("c1", 1, two.work("ann", "red", message_changes(two.room("red").await.room.version, "x")));
    numbers.push(done(two.commit(Work::Room(there)).await).seq);
    assert_eq!(numbers, [Seq(4)], "a client id is new in another app");
    two.account_done(vec![AccountChange::RevokeDevices { user: user("ann"), devices: vec![device("ann-1")] }]).await;
    assert!(store.device(&one.app, &device("ann-1")).await.unwrap().is_some());
}

/// Apps are made once, listed by id, and their settings change; nobody writes to an app that doesn't exist.
pub async fn apps_are_listed_and_updated(store: Arc<dyn Store>) {
    let mut expected = store.apps().await.unwrap();
    let two = World::named(store.clone(), "two").await;
    let one = World::named(store.clone(), "one").await;
    let app = |id: &str, settings| App { id: AppId::new(id).unwrap(), settings, created_at: Timestamp(1_000) };
    let settings = AppSettings { name: "改".into(), registration_open: false, directory_open: false };
    one.account_done(vec![AccountChange::UpdateApp(settings.clone())]).await;
    expected.extend([app("one", settings), app("two", AppSettings::open("two"))]);
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(store.apps().await.unwrap(), expected);
    let again = vec![AccountChange::CreateApp(app("two", AppSettings::open("again")))];
    assert_eq!(two.account(again).await, Outcome::Conflict);
    assert_eq!(store.apps().await.unwrap(), expected);

    let nowhere = AppId::new("nowhere").unwrap();
    assert_eq!(store.head(&nowhere).await.unwrap(), CommitNumber(0));
    assert_eq!(store.rooms_of(&nowhere, &user("ann"), MemberFilter::Present).await.unwrap(), (vec![], CommitNumber(0)));
    let changes = one.check("ann", "red", Action::Direct { user: user("bob") }).await.unwrap();
    let works = [Work::Room(one.work("ann", "red", changes)), Work::Account(vec![one.new_user("fay")])];
    for work in works {
        let unit = Unit { app: nowhere.clone(), at: Timestamp(1), work };
        assert_eq!(store.commit(unit).await.unwrap(), Outcome::Conflict);
    }
    assert_eq!(store.apps().await.unwrap(), expected);
}

/// A store has one epoch, which its writes don't change.
pub async fn the_epoch_stays(store: Arc<dyn Store>) {
    let epoch = store.epoch().await.unwrap();
    assert!((16..=64).contains(&epoch.len()) && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{epoch}");
    World::new(store.clone()).await;
    assert_eq!(store.epoch().await.unwrap(), epoch);
}
