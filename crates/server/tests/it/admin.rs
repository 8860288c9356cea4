//! Admin commands, with the server running and without.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::http::{ask, get, post};
use crate::process::{PASSWORD, Said, Server, run, token};

fn admin(data: &Path, words: &[&str], input: &str) -> Said {
    let mut arguments = words.to_vec();
    arguments.extend(["--data", data.to_str().unwrap()]);
    run(&arguments, input)
}

fn admin_json(data: &Path, words: &[&str], input: &str) -> Value {
    let mut words = words.to_vec();
    words.push("--json");
    serde_json::from_str(&admin(data, &words, input).ok()).unwrap()
}

/// The same commands do the same, whether a server runs or not.
fn check_commands(data: &Path) {
    let added = admin_json(data, &["user", "add", "lin", "--name", "Lin 林", "--admin"], &format!("{PASSWORD}\n"));
    assert_eq!((&added["id"], &added["name"], &added["admin"]), (&json!("lin"), &json!("Lin 林"), &json!(true)));
    let again = admin(data, &["user", "add", "lin"], PASSWORD).failed();
    assert!(again.contains("the user id is taken"), "{again}");
    let short = admin(data, &["user", "add", "bob"], "short").failed();
    assert!(short.contains("password"), "{short}");
    let none = admin(data, &["user", "add", "bob"], "").failed();
    assert!(none.contains("no password"), "{none}");
    let generated = admin(data, &["user", "add", "bob", "--generate", "--json"], "");
    assert_eq!(generated.err.trim().rsplit(' ').next().unwrap().len(), 20, "{generated:?}");
    assert_eq!(admin_json(data, &["user", "promote", "bob"], "")["admin"], true);
    assert_eq!(admin_json(data, &["user", "demote", "bob"], "")["admin"], false);
    assert_eq!(admin_json(data, &["user", "disable", "bob"], "")["disabled"], true);
    assert_eq!(admin_json(data, &["user", "enable", "bob"], "")["disabled"], false);
    assert_eq!(admin_json(data, &["user", "password", "bob"], PASSWORD)["id"], "bob");
    let ids = |value: Value| value.as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(admin_json(data, &["user", "list"], "")), ["bob", "lin"]);
    assert_eq!(ids(admin_json(data, &["user", "list", "--query", "li"], "")), ["lin"]);
    assert_eq!(ids(admin_json(data, &["user", "list", "--after", "bob", "--limit", "1"], "")), ["lin"]);
    assert!(admin(data, &["user", "list", "--limit", "1"], "").ok().contains("more with --after bob"));
    assert!(admin(data, &["user", "list"], "").ok().starts_with("ID   NAME    KIND    ADMIN"));
    assert!(admin(data, &["user", "show", "lin"], "").ok().contains("name      Lin 林"));
    let nobody = admin(data, &["user", "show", "nobody"], "").failed();
    assert!(nobody.contains("there is no user nobody / 没有用户 nobody"), "{nobody}");
    let bad = admin(data, &["user", "show", "No Body"], "").failed();
    assert!(bad.contains("the id of a user"), "{bad}");

    assert_eq!(admin_json(data, &["room", "list", "--user", "lin"], ""), json!([]));
    assert!(admin(data, &["room", "show", "none"], "").failed().contains("there is no room none"));

    assert_eq!(admin_json(data, &["app", "add", "shop", "--name", "Shop"], "")["name"], "Shop");
    assert!(admin(data, &["app", "add", "shop"], "").failed().contains("id"));
    let set = admin_json(data, &["app", "set", "shop", "--registration", "closed"], "");
    assert_eq!(
        (&set["registration_open"], &set["directory_open"], &set["name"]),
        (&json!(false), &json!(true), &json!("Shop"))
    );
    assert_eq!(ids(admin_json(data, &["app", "list"], "")), ["default", "shop"]);
    assert!(admin(data, &["app", "set", "none", "--name", "x"], "").failed().contains("there is no app none"));
    let other = admin_json(data, &["user", "add", "lin", "--app", "shop"], PASSWORD);
    assert_eq!(other["admin"], false);
    assert!(admin_json(data, &["app", "stats"], "").is_object());
}

#[test]
fn commands_work_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let socket = folder.path().join("admin.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    check_commands(folder.path());

    // And the server knows of it at once.
    assert_eq!(get(&server.url, "", "/v1/server")["needs_setup"], false);
    let bob = server.login("bob");
    admin(folder.path(), &["user", "disable", "bob"], "").ok();
    assert_eq!(ask(&server.url, &bob, "GET", "/v1/me", None).status, 401);
    let login = json!({ "id": "bob", "password": PASSWORD });
    assert_eq!(ask(&server.url, "", "POST", "/v1/auth/login", Some(&login)).problem().1, "user_disabled");
    let body = json!({ "id": "eve", "password": PASSWORD, "app": "shop" });
    assert_eq!(ask(&server.url, "", "POST", "/v1/auth/register", Some(&body)).problem().1, "registration_closed");

    admin(folder.path(), &["user", "enable", "bob"], "").ok();
    let lin = server.login("lin");
    post(&server.url, &lin, "/v1/rooms", &json!({ "id": "garden", "settings": { "name": "花园" }, "invite": ["bob"] }));
    let rooms = admin_json(folder.path(), &["room", "list", "--user", "lin"], "");
    assert_eq!(
        (&rooms[0]["id"], &rooms[0]["name"], &rooms[0]["members"]),
        (&json!("garden"), &json!("花园"), &json!(1))
    );
    let shown = admin_json(folder.path(), &["room", "show", "garden"], "");
    let members: Vec<_> =
        shown["members"].as_array().unwrap().iter().map(|row| (&row["user"], &row["state"])).collect();
    assert_eq!(members, [(&json!("bob"), &json!("invited")), (&json!("lin"), &json!("joined"))]);
    server.stop();
}

#[test]
fn another_version_of_the_command_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for line in ["{\"version\":99,\"command\":{\"do\":\"app_list\"}}\n", "nonsense\n"] {
        let mut stream = UnixStream::connect(folder.path().join("admin.sock")).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("is of another version"), "{answer}");
    }
    server.stop();
}

#[test]
fn data_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path()).stop();
    let database = rusqlite::Connection::open(folder.path().join("starling.db")).unwrap();
    database.execute("INSERT INTO migration (number, applied_at) VALUES (999, 0)", []).unwrap();
    drop(database);
    storage_sqlite::seal(folder.path()).unwrap();
    let bytes = std::fs::read(folder.path().join("starling.db")).unwrap();
    let said = admin(folder.path(), &["user", "list"], "").failed();
    assert!(said.contains("schema 999") && said.contains("use a newer program"), "{said}");
    assert!(std::fs::read(folder.path().join("starling.db")).unwrap() == bytes);
}

#[test]
fn commands_work_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let missing = admin(folder.path(), &["user", "list"], "").failed();
    assert!(missing.contains("there is no data in"), "{missing}");
    check_commands(folder.path());

    let server = Server::start(folder.path());
    let session = post(&server.url, "", "/v1/auth/login", &json!({ "id": "lin", "password": PASSWORD }));
    assert_eq!(get(&server.url, &token(&session), "/v1/me")["admin"], true);
}

#[test]
fn a_leftover_socket_of_a_killed_server_is_no_hindrance() {
    // The name is longer than the operating system takes for a socket.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a-very-long-name-of-a-folder-".repeat(4));
    let mut server = Server::start(&data);
    server.register("ada");
    assert_eq!(admin_json(&data, &["user", "show", "ada"], "")["id"], "ada");
    server.signal("KILL");
    server.wait();
    assert!(data.join("admin.sock").exists());
    assert_eq!(admin_json(&data, &["user", "show", "ada"], "")["id"], "ada");
    let server = Server::start(&data);
    assert_eq!(admin_json(&data, &["user", "show", "ada"], "")["id"], "ada");
    server.stop();
}
