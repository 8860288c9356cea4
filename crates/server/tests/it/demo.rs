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
    for _ in 0..2 {
        run(&["dev", "--seed-only", "--messages", "1500", "--data", data], "").ok();
    }
    let rooms: serde_json::Value =
        serde_json::from_str(&run(&["room", "list", "--user", "ada", "--json", "--data", data], "").ok()).unwrap();
    let count = |id: &str| rooms.as_array().unwrap().iter().find(|room| room["id"] == id).unwrap()["messages"].clone();
    assert_eq!((count("load-0"), count("load-1")), (json!(1000), json!(500)));
}
