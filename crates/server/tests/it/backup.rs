//! Backup while messages are written, restore, doctor.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::http::{ask, get, post};
use crate::process::{Server, run};

fn texts(server: &Server, token: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = 0;
    loop {
        let page = get(&server.url, token, &format!("/v1/rooms/r/events?after={after}&limit=100"));
        for event in page["events"].as_array().unwrap() {
            after = event["seq"].as_u64().unwrap();
            texts.extend(event["content"]["text"].as_str().map(str::to_owned));
        }
        if page["has_newer"] == Value::Bool(false) {
            return texts;
        }
    }
}

fn epoch(server: &Server) -> String {
    get(&server.url, "", "/v1/server")["epoch"].as_str().unwrap().to_owned()
}

fn send(url: &str, token: &str, text: &str) {
    send_to(url, token, "r", text);
}

/// Sends until it is taken, and gives the commit.
fn send_to(url: &str, token: &str, room: &str, text: &str) -> u64 {
    let body = json!({ "content": { "type": "text", "text": text } });
    loop {
        let answer = ask(url, token, "POST", &format!("/v1/rooms/{room}/messages"), Some(&body));
        if answer.status != 429 {
            return answer.ok()["commit"].as_u64().unwrap();
        }
        thread::yield_now();
    }
}

/// Texts of a room with their commits.
fn log_of(server: &Server, token: &str, room: &str) -> Vec<(u64, String)> {
    let (mut log, mut after) = (Vec::new(), 0);
    loop {
        let page = get(&server.url, token, &format!("/v1/rooms/{room}/events?after={after}&limit=100"));
        for event in page["events"].as_array().unwrap() {
            after = event["seq"].as_u64().unwrap();
            let text = event["content"]["text"].as_str().map(str::to_owned);
            log.extend(text.map(|text| (event["commit"].as_u64().unwrap(), text)));
        }
        if page["has_newer"] == Value::Bool(false) {
            return log;
        }
    }
}

/// Rooms that are written to at the same time, each by one person.
const ROOMS: [&str; 4] = ["r0", "r1", "r2", "r3"];

#[test]
fn a_backup_of_a_running_server_is_a_prefix_of_its_commits() {
    let folder = tempfile::tempdir().unwrap();
    let (data, restored) = (folder.path().join("data"), folder.path().join("restored"));
    let file = folder.path().join("backup.db");
    let file = file.to_str().unwrap();
    let server = Server::start(&data);
    let tokens = ROOMS.map(|room| server.register(room));
    for (room, token) in ROOMS.iter().zip(&tokens) {
        post(&server.url, token, "/v1/rooms", &json!({ "id": room }));
        send_to(&server.url, token, room, "before");
    }
    let enough = AtomicBool::new(false);
    let acknowledged: Vec<Vec<(u64, String)>> = thread::scope(|scope| {
        let writers: Vec<_> = ROOMS
            .iter()
            .zip(&tokens)
            .map(|(room, token)| {
                let (url, enough) = (&server.url, &enough);
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    while !enough.load(Ordering::Relaxed) {
                        let text = format!("{room} {}", sent.len());
                        sent.push((send_to(url, token, room, &text), text));
                    }
                    // Something that the backup can't have.
                    sent.push((send_to(url, token, room, "after"), "after".to_owned()));
                    sent
                })
            })
            .collect();
        run(&words(&["backup", file], &data), "").ok();
        enough.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    server.stop();

    assert!(run(&words(&["restore", file], &restored), "").ok().contains("restored to"));
    assert!(run(&words(&["doctor"], &restored), "").ok().contains("no findings"));
    let server = Server::start(&restored);
    let kept: Vec<_> = ROOMS.iter().map(|room| log_of(&server, &server.login(room), room)).collect();
    // All that is of a commit up to the last one that the backup has, and nothing else.
    let head = kept.iter().flatten().map(|(commit, _)| *commit).max().unwrap();
    for (kept, acknowledged) in kept.iter().zip(&acknowledged) {
        let expected: Vec<_> = acknowledged.iter().filter(|(commit, _)| *commit <= head).collect();
        assert_eq!(kept[0].1, "before");
        assert_eq!(kept[1..].iter().collect::<Vec<_>>(), expected);
        assert!(!kept.iter().any(|(_, text)| text == "after"));
    }
    server.stop();
}

fn words<'a>(words: &[&'a str], data: &'a Path) -> Vec<&'a str> {
    [words, &["--data", data.to_str().unwrap()]].concat()
}

#[test]
fn a_backup_under_load_restores_to_the_same_messages() {
    let folder = tempfile::tempdir().unwrap();
    let (data, restored) = (folder.path().join("data"), folder.path().join("restored"));
    let file = folder.path().join("backup.db");
    let file = file.to_str().unwrap();
    let server = Server::start(&data);
    let (url, token) = (server.url.clone(), server.register("ada"));
    post(&server.url, &token, "/v1/rooms", &json!({ "id": "r" }));
    for number in 0..40 {
        send(&url, &token, &format!("before {number}"));
    }
    let before = texts(&server, &token);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !enough.load(Ordering::Relaxed) {
                send(&url, &token, &format!("during {number}"));
                number += 1;
            }
        });
        let said = run(&words(&["backup", file], &data), "");
        enough.store(true, Ordering::Relaxed);
        assert!(said.ok().contains("backup written to"));
    });
    let after = texts(&server, &token);
    let epoch_before = epoch(&server);
    assert!(run(&words(&["backup", file], &data), "").failed().contains("is there already"));
    assert!(run(&words(&["restore", file], &data), "").failed().contains("holds data already"));
    server.stop();

    assert!(run(&["doctor", "--file", file], "").ok().contains("no findings"));
    assert!(run(&words(&["restore", file], &restored), "").ok().contains("restored to"));
    assert!(run(&words(&["doctor"], &restored), "").ok().contains("no findings"));
    let server = Server::start(&restored);
    let (url, token) = (server.url.clone(), server.login("ada"));
    let kept = texts(&server, &token);
    assert!(kept.starts_with(&before), "all that was there when the backup began");
    assert_eq!(kept, after[..kept.len()], "and a beginning of what came meanwhile");
    send(&url, &token, "after the restore");
    let epoch_after = epoch(&server);
    assert_ne!(epoch_after, epoch_before, "what clients have kept of the other history is worth nothing");
    server.stop();
    let server = Server::start(&restored);
    assert_eq!(epoch(&server), epoch_after, "a restart changes nothing");
    server.stop();

    let offline = folder.path().join("offline.db");
    run(&words(&["backup", offline.to_str().unwrap()], &restored), "").ok();
    assert!(run(&["doctor", "--file", offline.to_str().unwrap()], "").ok().contains("no findings"));
}

#[test]
fn what_is_no_backup_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "this is not a database").unwrap();
    let file = file.to_str().unwrap();
    assert!(run(&words(&["restore", file], &data), "").failed().contains("restore"));
    assert!(!data.join("starling.db").exists());
    assert!(run(&words(&["restore", "nothing.db"], &data), "").failed().contains("nothing.db"));
    assert_ne!(run(&["doctor", "--file", file], "").code, Some(0));
    assert!(run(&words(&["doctor"], &data), "").failed().contains("there is no data"));
}
