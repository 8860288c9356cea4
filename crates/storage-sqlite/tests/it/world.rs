//! Stores in temporary folders, and a small history in which everything happens that can happen.

use std::path::Path;
use std::sync::Arc;

use domain::{Action, AppId, Changes, CommitNumber, EventBody, Expectation, Level, Seq, SettingsChange, UserId};
use storage::conformance::world::{World, keys, message_changes, range, read_to, room, say, user};
use storage::{FollowerStep, Outcome, Store, Work};
use storage_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

/// A fresh store in a folder of its own.
pub fn fresh() -> (Arc<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(folder.path()), folder)
}

pub fn open(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(folder, &Options::default()).unwrap())
}

/// A fresh store in which no more than so many bytes wait to be written to their place: with 0 nothing does.
pub fn fresh_with(memtable_bytes: usize) -> (Arc<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memtable_bytes, ..Options::default() };
    (Arc::new(SqliteStore::open(folder.path(), &options).unwrap()), folder)
}

/// The world on another store that has it.
pub fn on(world: &World, store: &Arc<SqliteStore>) -> World {
    let mut world = world.clone();
    world.store = store.clone();
    world
}

/// A folder as a crash at this moment would leave it.
pub fn crashed(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        // The index of the WAL lies in memory that a crash takes away.
        if !file.file_name().to_str().unwrap().ends_with("-shm") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

/// Two rooms in which everything has happened once, and a follower that has come half way.
pub async fn lively(store: Arc<SqliteStore>) -> World {
    let world = World::new(store as Arc<dyn Store>).await;
    world.group("red", &["ann", "bob", "cho"]).await;
    let direct = Action::Direct { user: user("bob") };
    world.act("ann", "pair", direct).await;
    for text in ["one", "two", "three", "four"] {
        world.act("ann", "red", say(text)).await;
        world.act("bob", "pair", say(text)).await;
    }
    let head = world.room("red").await.head.seq;
    let edit =
        |back: u64, text: &str| Action::Edit { target: Seq(head.0 - back), content: domain::Content::plain(text) };
    world.act("ann", "red", edit(0, "four, better")).await;
    world.act("ann", "red", edit(1, "three, better")).await;
    world.act("bob", "red", Action::React { target: head, keys: keys(&["👍", "🎉"]) }).await;
    world.act("cho", "red", Action::React { target: head, keys: keys(&["👍"]) }).await;
    world.act("cho", "red", Action::React { target: Seq(head.0 - 1), keys: keys(&["👎"]) }).await;
    world.act("ann", "red", Action::Redact { target: Seq(head.0 - 1), reason: Some("sorry".into()) }).await;
    world.act("ann", "red", Action::Invite { user: user("dan") }).await;
    world.act("ann", "red", Action::SetLevel { user: user("bob"), level: Level::MODERATOR }).await;
    let settings = SettingsChange { topic: Some("colours".into()), ..SettingsChange::default() };
    world.act("ann", "red", Action::Settings(settings)).await;
    world.act("cho", "red", Action::Leave).await;
    world.act("bob", "red", read_to(Some(head.0), Some(head.0 - 2))).await;
    let to = world.store.head(&world.app).await.unwrap();
    let counts = [((20_000, "messages".into()), 8)].into();
    let step = FollowerStep { name: "statistics", from: CommitNumber(0), to, counts };
    assert!(matches!(world.commit(Work::Follower(step)).await, Outcome::Done(_)));
    world
}

/// Everything that can be read of the world, as text.
pub async fn told(store: &dyn Store, app: &AppId) -> String {
    let mut told = vec![
        format!("{:?}", store.apps().await.unwrap()),
        format!("{:?}", store.head(app).await.unwrap()),
        format!("{:?}", store.search_users(app, "", None, 100).await.unwrap()),
        format!("{:?}", store.journal(app, CommitNumber(0), 1000).await.unwrap()),
        format!("{:?}", store.follower(app, "statistics").await.unwrap()),
        format!("{:?}", store.counts(app, 0).await.unwrap()),
    ];
    for id in ["ann", "bob", "cho", "dan", "eve"].map(|id| UserId::new(id).unwrap()) {
        told.push(format!("{:?}", store.devices(app, &id).await.unwrap()));
        told.push(format!("{:?}", store.password(app, &id).await.unwrap()));
        told.push(format!("{:?}", store.changed_rooms(app, &id, CommitNumber(0), 100).await.unwrap()));
        for name in ["red", "pair"] {
            let entries = store.entries(app, &room(name), &[range(1, 1000)], Some(&id)).await.unwrap();
            told.push(format!("{entries:?}"));
            told.push(format!("{:?}", store.room(app, &room(name), &[&id]).await.unwrap()));
        }
    }
    told.join("\n")
}

/// A message with a client id, and what became of it.
pub async fn send_as(world: &World, client_id: &str, fingerprint: u64, name: &str) -> Outcome {
    let version = world.room(name).await.room.version;
    let work = world.work("ann", name, message_changes(version, client_id));
    world.commit(Work::Room(world.work_as(client_id, fingerprint, work))).await
}

/// Changes of several messages at once.
pub fn messages(version: u64, texts: &[&str]) -> Changes {
    let message = |text: &&str| EventBody::message(domain::Content::plain(*text), None);
    let expect = Expectation { version, reactions: None };
    Changes { events: texts.iter().map(message).collect(), expect, ..Changes::default() }
}
