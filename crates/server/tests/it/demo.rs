//! `starling dev`: what it makes, that it makes it once, and that its lines can be pasted.

use std::process::Command;

use serde_json::json;

use crate::http::{get, post};
use crate::process::{Server, run, token};

#[test]
fn the_demo_is_lively_and_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let data = data.to_str().unwrap();
    let counts = || {
        let server = Server::start_with(&["dev", "--metrics-listen", "off", "--data", data]);
        let session = post(&server.url, "", "/v1/auth/login", &json!({ "id": "ada", "password": "starling-demo" }));
        let rooms = get(&server.url, &token(&session), "/v1/sync")["rooms"].clone();
        let rooms = rooms.as_array().unwrap().clone();
        let messages: u64 = rooms.iter().map(|room| room["messages"].as_u64().unwrap()).sum();
        let unread: u64 = rooms.iter().map(|room| room["unread"].as_u64().unwrap()).sum();
        server.stop();
        (rooms.len(), messages, unread)
    };
    let first = counts();
    assert!(first.0 >= 6 && first.1 >= 150 && (1..20).contains(&first.2), "{first:?}");
    assert_eq!(counts(), first);
    assert!(run(&["doctor", "--data", data], "").ok().contains("no findings"));
}

#[test]
fn the_printed_lines_can_be_pasted() {
    let server = Server::start_with(&["dev", "--metrics-listen", "off"]);
    let mut script = String::from("set -eu\n");
    server.line("Try it from a shell");
    for beginning in ["    TOKEN=", "    curl -s ", "    curl -s ", "    curl -s "] {
        script.push_str(&format!("{beginning}{}\necho\n", server.line(beginning)));
    }
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<serde_json::Value> =
        out.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3, "{out}");
    assert!(answers[0]["rooms"].as_array().unwrap().len() >= 6);
    assert_eq!(answers[1]["events"].as_array().unwrap().len(), 5);
    assert!(answers[2]["seq"].as_u64().unwrap() > 50);
    server.stop();
}

#[test]
fn messages_for_measurements_are_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    // The first time is as if it had been interrupted.
    for messages in ["400", "1500", "1500"] {
        run(&["dev", "--seed-only", "--messages", messages, "--data", data], "").ok();
    }
    let rooms: serde_json::Value =
        serde_json::from_str(&run(&["room", "list", "--user", "ada", "--json", "--data", data], "").ok()).unwrap();
    let count = |id: &str| rooms.as_array().unwrap().iter().find(|room| room["id"] == id).unwrap()["messages"].clone();
    assert_eq!((count("load-0"), count("load-1")), (json!(1000), json!(500)));
}

#[test]
fn people_own_rooms_in_turn_and_have_quiet_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (data, tokens) = (folder.path().join("data"), folder.path().join("tokens"));
    let (data, tokens) = (data.to_str().unwrap(), tokens.to_str().unwrap());
    let counts = ["--people", "3", "--messages", "45", "--room-messages", "10", "--rooms", "4"];
    for _ in 0..2 {
        let seed = ["dev", "--seed-only", "--data", data, "--tokens", tokens];
        run(&[&seed[..], &counts].concat(), "").ok();
    }
    let rooms = |user: &str| {
        let text = run(&["room", "list", "--user", user, "--json", "--data", data], "").ok();
        let rooms: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let mut rooms: Vec<String> =
            rooms.iter().map(|room| format!("{} {}", room["id"].as_str().unwrap(), room["messages"])).collect();
        rooms.sort();
        rooms
    };
    assert_eq!(rooms("person-0"), ["load-0 10", "load-3 10", "quiet-0 1", "quiet-2 1", "quiet-3 1"]);
    assert_eq!(rooms("person-1"), ["load-1 10", "load-4 5", "quiet-0 1", "quiet-1 1", "quiet-3 1"]);
    assert_eq!(std::fs::read_to_string(tokens).unwrap().lines().count(), 3);
    let alone = ["dev", "--seed-only", "--data", data, "--tokens", tokens, "--people", "1", "--rooms", "1"];
    assert!(run(&alone, "").failed().contains("two people"));
}
