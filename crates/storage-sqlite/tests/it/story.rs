//! A history with everything in it that a store can hold, and all that can be read of it, as text.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::sync::Arc;

use domain::{
    AccountChange, Action, App, AppId, ClientId, CommitNumber, Content, DeviceId, PasswordHash, RoomId, Seq, UserId,
};
use storage::conformance::world::{PEOPLE, World, cursor_changes, device, range, read_to, room, say, user};
use storage::{MemberFilter, Store, Work};

use crate::world::{lively, send_as};

/// Stands in one message of the story, and nowhere else.
pub const SECRET: &str = "canary-2f91c4";
/// More than any story holds.
const MANY: usize = 10_000;
/// Client ids that the story uses are c0, c1 … and fewer than this.
const CLIENT_IDS: u64 = 16;

/// Writes the story into an empty store; its main app is called `one`.
pub async fn tell(store: Arc<dyn Store>, world: &World) {
    for n in 0..12 {
        send_as(world, &format!("c{n}"), n, "red").await;
    }
    let version = world.room("red").await.room.version;
    let quiet = world.work("bob", "red", cursor_changes(version, None, Some(1_000)));
    world.commit(Work::Room(world.work_as("c12", 12, quiet))).await;
    world.group("long", &["bob", "ann", "dan"]).await;
    let mut head = Seq(0);
    for n in 0..40 {
        let actor = ["ann", "bob", "dan"][n % 3];
        // From a line to several pages.
        let text = format!("第 {n} 条 {}", "murmuration ".repeat(if n % 10 == 9 { n * 15 } else { n / 4 }));
        head = world.act(actor, "long", say(&text)).await.seq;
        if n % 7 == 0 {
            world.act(actor, "long", Action::Edit { target: head, content: Content::plain(format!("edit {n}")) }).await;
        }
    }
    world.act("dan", "long", read_to(Some(head.0), Some(head.0 - 10))).await;
    world.act("dan", "long", Action::Leave).await;
    world.act("dan", "long", Action::Join).await;
    world.act("ann", "red", say(&format!("a secret: {SECRET}, {}", "x".repeat(3_000)))).await;
    let more = vec![
        AccountChange::UpdateUser {
            user: user("cho"),
            display_name: Some("赵 Chō Lee".into()),
            admin: Some(true),
            disabled: None,
        },
        world.new_device("cho-2", "cho"),
        AccountChange::UpdateUser { user: user("eve"), display_name: None, admin: None, disabled: Some(true) },
        AccountChange::RotateRefresh { device: device("bob-1"), from: 1, at: world.tick() },
    ];
    world.account_done(more).await;
    let other = World::named(store, "two").await;
    other.group("red", &["eve", "ann"]).await;
    other.act("eve", "red", say("in another app")).await;
}

/// The story in a fresh store.
pub async fn told_in(store: Arc<storage_sqlite::SqliteStore>) -> World {
    let world = lively(store.clone()).await;
    tell(store, &world).await;
    world
}

/// What every read of a store answers, a line each; what can't be read is told as the error's kind.
pub async fn read_all(store: &dyn Store) -> Vec<String> {
    let mut lines = Lines::default();
    lines.add("epoch", store.epoch().await);
    lines.add("apps", store.apps().await);
    // Not those that were found: a line must be the same question in every store.
    for id in ["one", "two"].map(|id| AppId::new(id).expect("it is short")) {
        read_app(store, &id, &mut lines).await;
    }
    lines.0
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add<T: Debug, E: Debug>(&mut self, question: impl Debug, answer: Result<T, E>) {
        let mut line = format!("{question:?} = ");
        match answer {
            Ok(answer) => write!(line, "{answer:?}"),
            Err(error) => write!(line, "{FAILED}{error:?}"),
        }
        .expect("a text takes everything");
        self.0.push(line);
    }
}

/// Stands before errors in what [`read_all`] tells.
pub const FAILED: &str = "failed: ";

async fn read_app(store: &dyn Store, app: &AppId, lines: &mut Lines) {
    let people = PEOPLE.map(user);
    lines.add((app, "head"), store.head(app).await);
    lines.add((app, "users"), store.users(app, &people).await);
    lines.add((app, "admin"), store.has_admin(app).await);
    for query in ["", "ch", "李", "赵", "lee"] {
        lines.add((app, "search", query), store.search_users(app, query, None, MANY).await);
    }
    for (n, one) in people.iter().enumerate() {
        read_person(store, app, one, &people, lines).await;
        for two in &people[n + 1..] {
            lines.add((app, "direct", one, two), store.direct_room(app, [one, two]).await);
        }
    }
    for name in ["red", "pair", "long", "none"].map(room) {
        read_room(store, app, &name, &people, lines).await;
    }
    let journal = store.journal(app, CommitNumber(0), MANY).await;
    lines.add((app, "journal"), journal);
    lines.add((app, "tallies"), store.tallies(app, CommitNumber(0)).await);
    lines.add((app, "follower"), store.follower(app, "statistics").await);
    lines.add((app, "counts"), store.counts(app, 0).await);
}

async fn read_person(store: &dyn Store, app: &AppId, one: &UserId, people: &[UserId], lines: &mut Lines) {
    lines.add((app, one, "password"), store.password(app, one).await.map(|hash: Option<PasswordHash>| hash));
    lines.add((app, one, "devices"), store.devices(app, one).await);
    lines.add((app, one, "rooms"), store.rooms_of(app, one, MemberFilter::Present).await.map(|(rooms, _)| rooms));
    lines.add((app, one, "shares"), store.share_rooms(app, one, people).await);
    for since in [0, 20] {
        lines.add((app, one, "changed", since), store.changed_rooms(app, one, CommitNumber(since), MANY).await);
    }
    for device in [1, 2].map(|n| DeviceId::new(format!("{one}-{n}")).expect("it is short")) {
        lines.add((app, &device), store.device(app, &device).await);
        for n in 0..CLIENT_IDS {
            let id = ClientId::new(format!("c{n}")).expect("it is short");
            lines.add((app, &device, &id), store.recall(app, &device, &id, n).await);
        }
    }
}

async fn read_room(store: &dyn Store, app: &AppId, name: &RoomId, people: &[UserId], lines: &mut Lines) {
    let everybody: Vec<&UserId> = people.iter().collect();
    lines.add((app, name), store.room(app, name, &everybody).await);
    for which in [MemberFilter::Present, MemberFilter::Joined] {
        lines.add((app, name, "members", which), store.members(app, name, which, None, MANY).await);
    }
    // One by one, so that what can't be read hides nothing else.
    for seq in 1..=80 {
        let viewer = Some(&people[seq as usize % people.len()]);
        lines.add((app, name, seq), store.entries(app, name, &[range(seq, seq)], viewer).await);
    }
    for seq in [Seq(1), Seq(4), Seq(8)] {
        lines.add((app, name, "target", seq), store.target(app, name, seq, &people[0]).await);
    }
}

/// Where two accounts of the same story differ in more than in what could not be read.
pub fn differences(found: &[String], expected: &[String]) -> BTreeSet<String> {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let wrong = pairs.filter(|(found, expected)| found != expected && !found.contains(FAILED));
    wrong.map(|(found, expected)| format!("{found}\n  instead of {expected}")).collect()
}

/// The world of a store that holds the story already.
pub async fn world_of(store: &Arc<storage_sqlite::SqliteStore>) -> World {
    let (elsewhere, _folder) = crate::world::fresh();
    let like_it = World::new(elsewhere).await;
    assert!(store.apps().await.expect("it can be read").iter().any(|app: &App| app.id == like_it.app));
    crate::world::on(&like_it, store)
}
