//! Users, passwords and devices.

use std::sync::Arc;

use domain::{AccountChange, App, AppSettings, DEVICES_PER_USER_MAX, Device, PasswordHash, Revoke, Timestamp, User};

use super::world::{World, device, device_of, person, user};
use crate::{Outcome, Store, UserPlace};

fn update(id: &str, name: Option<&str>, admin: Option<bool>, disabled: Option<bool>) -> AccountChange {
    AccountChange::UpdateUser { user: user(id), display_name: name.map(Into::into), admin, disabled }
}

async fn one(world: &World, id: &str) -> User {
    world.store.users(&world.app, &[user(id)]).await.unwrap().remove(0)
}

/// Users are made once; changes leave the fields that are not named; ids that don't exist are left out.
pub async fn users_change(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut feed = world.store.feed().unwrap();
    let fay = User { kind: domain::UserKind::Bot, display_name: "费 Fay".into(), ..person("fay", Timestamp(77)) };
    let create = AccountChange::CreateUser { user: fay.clone(), password: None };
    world.account_done(vec![create.clone()]).await;
    assert_eq!(feed.try_recv().unwrap().users, [user("fay")]);
    assert_eq!(one(&world, "fay").await, fay);
    assert_eq!(world.account(vec![create]).await, Outcome::Conflict, "the id exists");

    world.account_done(vec![update("fay", Some("Faye"), None, None)]).await;
    let faye = User { display_name: "Faye".into(), ..fay };
    assert_eq!(one(&world, "fay").await, faye);
    world.account_done(vec![update("fay", None, Some(true), Some(true))]).await;
    assert_eq!(one(&world, "fay").await, User { admin: true, disabled: true, ..faye.clone() });
    world.account_done(vec![update("fay", None, None, Some(false))]).await;
    assert_eq!(one(&world, "fay").await, User { admin: true, ..faye });
    for _ in 0..3 {
        assert_eq!(feed.try_recv().unwrap().users, [user("fay")]);
    }
    assert_eq!(world.account(vec![update("nobody", Some("No"), None, None)]).await, Outcome::Conflict);

    let asked = ["fay", "nobody", "ann", "fay", "bob"].map(user);
    let users = world.store.users(&world.app, &asked).await.unwrap();
    assert_eq!(users.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["ann", "bob", "fay"]);
    assert_eq!(world.store.users(&world.app, &[]).await.unwrap(), []);
}

/// A unit of several changes is all or nothing; later changes see earlier ones.
pub async fn units_of_account_changes_are_whole(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let head = world.store.head(&world.app).await.unwrap();
    let password = PasswordHash("new".into());
    let set =
        |id: &str| AccountChange::SetPassword { user: user(id), password: password.clone(), revoke: Revoke::None };
    let revoke = AccountChange::RevokeDevices { user: user("ann"), devices: vec![device("ann-1")] };
    let changes = vec![
        world.new_user("fay"),
        update("ann", Some("Changed"), None, None),
        set("ann"),
        revoke,
        AccountChange::UpdateApp(AppSettings::open("changed")),
        set("nobody"),
    ];
    assert_eq!(world.account(changes).await, Outcome::Conflict);
    assert_eq!(world.store.users(&world.app, &[user("fay")]).await.unwrap(), []);
    assert_eq!(one(&world, "ann").await.display_name, "ann");
    assert_ne!(world.store.password(&world.app, &user("ann")).await.unwrap(), Some(password.clone()));
    assert!(world.store.device(&world.app, &device("ann-1")).await.unwrap().is_some());
    assert_eq!(world.store.head(&world.app).await.unwrap(), head);
    let apps: Vec<App> = world.store.apps().await.unwrap();
    assert!(apps.iter().all(|app| app.settings.name != "changed"));
    // What the failed unit would have made can be made.
    let receipt = world.account_done(vec![world.new_user("fay"), set("fay"), world.new_device("fay-1", "fay")]).await;
    assert_eq!((receipt.room, receipt.seq.0), (None, 0));
    assert!(receipt.commit > head);
    assert_eq!(world.store.password(&world.app, &user("fay")).await.unwrap(), Some(password));
    assert_eq!(world.store.devices(&world.app, &user("fay")).await.unwrap().len(), 1);
}

/// The id, or any word of the display name, begins with the query, whatever its case.
pub async fn users_are_found_by_prefix_of_id_and_words(store: Arc<dyn Store>) {
    let world = World::named(store, "people").await;
    let people = [
        ("k1", "Ada Lovelace"),
        ("k2", "Grace  Hopper"),
        ("k3", "王小明"),
        ("k4", "李 小龙"),
        ("k5", "ÉMILE Zola"),
        ("k6", "100% real_name"),
        ("ada", "Somebody"),
        ("lov.e", "Else"),
    ];
    for (id, name) in people {
        let user = User { display_name: name.into(), ..person(id, Timestamp(1)) };
        world.account_done(vec![AccountChange::CreateUser { user, password: None }]).await;
    }
    let find = async |query: &str, after: Option<&str>, limit: usize| {
        let after = after.map(|place| UserPlace::parse(place).unwrap());
        let found = world.store.search_users(&world.app, query, after.as_ref(), limit).await.unwrap();
        found.users.into_iter().map(|user| user.id.to_string()).collect::<Vec<_>>()
    };
    for (query, expect) in [
        // By the word, then by the id.
        ("ada", &["ada", "k1"][..]),
        ("ADA", &["ada", "k1"]),
        ("lov", &["lov.e", "k1"]),
        ("Hop", &["k2"]),
        ("oppe", &[]),
        ("lace", &[]),
        ("王", &["k3"]),
        ("王小", &["k3"]),
        ("小龙", &["k4"]),
        ("小", &["k3", "k4"]),
        ("明", &["k3"]),
        ("王明", &[]),
        ("name", &["k6"]),
        ("émile", &["k5"]),
        ("zo", &["k5"]),
        ("k", &["k1", "k2", "k3", "k4", "k5", "k6"]),
        ("100%", &["k6"]),
        ("%", &[]),
        ("_", &[]),
        ("*", &[]),
        ("'", &[]),
        ("real_", &["k6"]),
        ("some", &["ada"]),
    ] {
        assert_eq!(find(query, None, 50).await, expect, "{query}");
    }
    let all = find("", None, 50).await;
    assert_eq!(all.len(), people.len() + super::world::PEOPLE.len());
    assert!(all.is_sorted());
    assert_eq!(find("", Some("bob"), 3).await, ["cho", "dan", "eve"]);
    assert_eq!(find("k", Some("k2/k2"), 2).await, ["k3", "k4"]);
    assert_eq!(find("k", Some("k5zzz/k1"), 9).await, ["k6"]);
    assert_eq!(find("k", Some("a/k5"), 1).await, ["k1"], "a place before all that is found");
    world.account_done(vec![update("k1", Some("Countess"), None, None)]).await;
    assert_eq!(find("lov", None, 50).await, ["lov.e"], "the old name is forgotten");
    assert_eq!(find("count", None, 50).await, ["k1"]);
}

/// Pages go by word and id and tell each user once, whatever their size, though most users have several such words.
pub async fn pages_of_users_tell_each_once(store: Arc<dyn Store>) {
    let world = World::named(store, "crowd").await;
    let mut expect = Vec::new();
    for n in 0..400 {
        let (id, name) = (format!("u{n}"), format!("Una u{} Ulf u", n % 3));
        let user = User { display_name: name.into(), ..person(&id, Timestamp(1)) };
        world.account_done(vec![AccountChange::CreateUser { user, password: None }]).await;
        expect.push(id);
    }
    // All have the word "u", so that they come by id; half of them then go by another word.
    expect.sort();
    for n in 0..200 {
        world
            .account_done(vec![update(
                &format!("u{n}"),
                Some(if n % 2 == 0 { "Una Ulf" } else { "Ulf Una" }),
                None,
                None,
            )])
            .await;
    }
    expect.sort_by_key(|id| {
        let renamed = id[1..].parse::<u32>().unwrap() < 200;
        (if renamed { id.clone().min("ulf".into()) } else { "u".into() }, id.clone())
    });
    for limit in [1, 7, 100, 1_000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.store.search_users(&world.app, "U", after.as_ref(), limit).await.unwrap();
            assert!(page.users.len() <= limit);
            found.extend(page.users.into_iter().map(|user| user.id.to_string()));
            let Some(next) = page.next else { break };
            assert!(after.is_none_or(|after| after < next), "it goes on");
            after = Some(next);
        }
        assert_eq!(found, expect, "in pages of {limit}");
    }
}

/// A new password ends the devices it is told to end, at once; a login against the old one comes too late.
pub async fn a_new_password_ends_devices_and_logins(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.account_done(vec![world.new_device("ann-2", "ann"), world.new_device("ann-3", "ann")]).await;
    let mut feed = world.store.feed().unwrap();
    let hash = |n: u32| PasswordHash(format!("hash {n}").into());
    let set = |n: u32, revoke: Revoke| AccountChange::SetPassword { user: user("ann"), password: hash(n), revoke };
    let mut check = async |change: AccountChange, ended: &[&str]| {
        world.account_done(vec![change]).await;
        let mut revoked = feed.try_recv().unwrap().revoked.clone();
        revoked.sort();
        assert_eq!(revoked, ended.iter().map(|id| device(id)).collect::<Vec<_>>());
    };
    check(set(1, Revoke::None), &[]).await;
    check(set(2, Revoke::AllBut(device("ann-2"))), &["ann-1", "ann-3"]).await;
    check(set(3, Revoke::AllBut(device("bob-1"))), &["ann-2"]).await;
    assert_eq!((names(&world, "ann").await, names(&world, "bob").await), (vec![], vec!["bob-1".to_owned()]));

    let login = |id: &str, verified: Option<PasswordHash>| {
        vec![AccountChange::CreateDevice { device: device_of(id, "ann", Timestamp(9)), verified }]
    };
    assert_eq!(world.account(login("late", Some(hash(2)))).await, Outcome::Conflict);
    world.account_done(login("ann-4", Some(hash(3)))).await;
    world.account_done(login("ann-5", None)).await;
    world.account_done(vec![AccountChange::CreateUser { user: person("fay", Timestamp(1)), password: None }]).await;
    let fay = AccountChange::CreateDevice { device: device_of("fay-1", "fay", Timestamp(9)), verified: Some(hash(3)) };
    assert_eq!(world.account(vec![fay]).await, Outcome::Conflict, "there is no password at all");

    // The whole unit or nothing of it.
    let nobody = AccountChange::SetPassword { user: user("nobody"), password: hash(4), revoke: Revoke::All };
    assert_eq!(world.account(vec![set(4, Revoke::All), nobody]).await, Outcome::Conflict);
    assert_eq!(names(&world, "ann").await.len(), 2);
    assert_eq!(world.store.password(&world.app, &user("ann")).await.unwrap(), Some(hash(3)));
    world.account_done(vec![set(5, Revoke::All)]).await;
    assert_eq!(names(&world, "ann").await, [""; 0]);
}

/// Passwords come back as they were set last.
pub async fn passwords_are_kept_and_replaced(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let set = |id: &str, password: PasswordHash| AccountChange::SetPassword {
        user: user(id),
        password,
        revoke: Revoke::None,
    };
    let get = async |id: &str| world.store.password(&world.app, &user(id)).await.unwrap();
    assert_eq!(get("ann").await, Some(PasswordHash("hash of ann".into())));
    assert_eq!(get("nobody").await, None);
    let fay = AccountChange::CreateUser { user: person("fay", Timestamp(1)), password: None };
    world.account_done(vec![fay]).await;
    assert_eq!(get("fay").await, None);
    let hash = PasswordHash("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".into());
    for id in ["ann", "fay"] {
        world.account_done(vec![set(id, hash.clone())]).await;
        assert_eq!(get(id).await, Some(hash.clone()));
    }
    assert_eq!(world.account(vec![set("nobody", hash)]).await, Outcome::Conflict);
    assert_eq!(get("nobody").await, None);
}

/// There is an admin as long as one of them is not disabled.
pub async fn admins_are_counted_unless_disabled(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (change, expect) in [
        (update("ann", None, None, None), false),
        (update("ann", None, Some(true), None), true),
        (update("ann", None, None, Some(true)), false),
        (update("bob", None, Some(true), None), true),
        (update("bob", None, Some(false), None), false),
        (update("ann", None, None, Some(false)), true),
    ] {
        world.account_done(vec![change.clone()]).await;
        assert_eq!(world.store.has_admin(&world.app).await.unwrap(), expect, "{change:?}");
    }
}

async fn names(world: &World, id: &str) -> Vec<String> {
    let devices = world.store.devices(&world.app, &user(id)).await.unwrap();
    for found in &devices {
        assert_eq!(world.store.device(&world.app, &found.id).await.unwrap().as_ref(), Some(found));
    }
    devices.into_iter().map(|device| device.id.to_string()).collect()
}

/// Devices are listed newest first, and end by being revoked by their owner.
pub async fn devices_come_newest_first_and_end(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (id, owner) in [("z", "ann"), ("a", "ann"), ("b", "bob")] {
        world.account_done(vec![world.new_device(id, owner)]).await;
    }
    assert_eq!(names(&world, "ann").await, ["a", "z", "ann-1"]);
    assert_eq!(names(&world, "nobody").await, [""; 0]);
    let full = Device {
        name: "手机".into(),
        refresh_generation: 5,
        last_seen_at: Timestamp(9),
        ..device_of("c", "cho", Timestamp(3))
    };
    world.account_done(vec![AccountChange::CreateDevice { device: full.clone(), verified: None }]).await;
    assert_eq!(world.store.device(&world.app, &device("c")).await.unwrap(), Some(full));
    for (id, owner) in [("a", "ann"), ("b", "ann"), ("fresh", "nobody")] {
        assert_eq!(world.account(vec![world.new_device(id, owner)]).await, Outcome::Conflict, "{id} of {owner}");
    }

    let mut feed = world.store.feed().unwrap();
    let revoke = |owner: &str, ids: &[&str]| AccountChange::RevokeDevices {
        user: user(owner),
        devices: ids.iter().map(|id| device(id)).collect(),
    };
    world.account_done(vec![revoke("ann", &["a", "gone", "b", "ann-1"])]).await;
    let mut revoked = feed.try_recv().unwrap().revoked.clone();
    revoked.sort();
    assert_eq!(revoked, [device("a"), device("ann-1")], "not what is gone, nor what is bob's");
    assert_eq!(names(&world, "ann").await, ["z"]);
    assert_eq!(names(&world, "bob").await, ["b", "bob-1"]);
    assert_eq!(world.store.device(&world.app, &device("a")).await.unwrap(), None);
    world.account_done(vec![revoke("ann", &["a"])]).await;
}

/// A refresh token is good once; a wrong generation changes nothing.
pub async fn refresh_generations_are_used_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let rotate = |id: &str, from: u64, at: i64| {
        vec![AccountChange::RotateRefresh { device: device(id), from, at: Timestamp(at) }]
    };
    let before = world.store.device(&world.app, &device("ann-1")).await.unwrap().unwrap();
    assert_eq!(before.refresh_generation, 1);
    for from in [0, 2] {
        assert_eq!(world.account(rotate("ann-1", from, 9_000)).await, Outcome::Conflict);
    }
    assert_eq!(world.account(rotate("gone", 1, 9_000)).await, Outcome::Conflict);
    world.account_done(rotate("ann-1", 1, 9_001)).await;
    let after = world.store.device(&world.app, &device("ann-1")).await.unwrap().unwrap();
    assert_eq!(after, Device { refresh_generation: 2, last_seen_at: Timestamp(9_001), ..before });
    let (first, second) =
        tokio::join!(world.account(rotate("ann-1", 2, 9_002)), world.account(rotate("ann-1", 2, 9_003)));
    let won = [first, second].iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    assert_eq!(won, 1, "two who show the same token: one is a thief");
    world.account_done(vec![AccountChange::RevokeDevices { user: user("ann"), devices: vec![device("ann-1")] }]).await;
    assert_eq!(world.account(rotate("ann-1", 3, 9_004)).await, Outcome::Conflict);
}

/// A device too many makes the one end that was unused for longest.
pub async fn the_device_unused_for_longest_gives_way(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for n in 2..=DEVICES_PER_USER_MAX {
        world.account_done(vec![world.new_device(&format!("ann-{n}"), "ann")]).await;
    }
    let rotate = AccountChange::RotateRefresh { device: device("ann-1"), from: 1, at: world.tick() };
    world.account_done(vec![rotate]).await;
    assert_eq!(names(&world, "ann").await.len(), DEVICES_PER_USER_MAX);
    let mut feed = world.store.feed().unwrap();
    for (new, ended) in [("new-1", "ann-2"), ("new-2", "ann-3")] {
        world.account_done(vec![world.new_device(new, "ann")]).await;
        assert_eq!(feed.try_recv().unwrap().revoked, [device(ended)]);
        let now = names(&world, "ann").await;
        assert_eq!((now.len(), now[0].as_str()), (DEVICES_PER_USER_MAX, new));
        assert!(!now.iter().any(|id| id == ended));
    }
    assert_eq!(names(&world, "bob").await, ["bob-1"]);
}

/// Who is disabled has no devices, and gets none.
pub async fn disabling_a_user_ends_their_devices(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.account_done(vec![world.new_device("ann-2", "ann")]).await;
    let mut feed = world.store.feed().unwrap();
    world.account_done(vec![update("ann", None, None, Some(true))]).await;
    let commit = feed.try_recv().unwrap();
    let mut revoked = commit.revoked.clone();
    revoked.sort();
    assert_eq!((revoked, commit.users.clone()), (vec![device("ann-1"), device("ann-2")], vec![user("ann")]));
    assert_eq!(names(&world, "ann").await, [""; 0]);
    assert_eq!(names(&world, "bob").await, ["bob-1"]);
    assert_eq!(world.account(vec![world.new_device("ann-3", "ann")]).await, Outcome::Conflict);
    world.account_done(vec![update("ann", None, None, Some(false))]).await;
    assert_eq!(names(&world, "ann").await, [""; 0], "they don't come back");
    world.account_done(vec![world.new_device("ann-3", "ann")]).await;
}
