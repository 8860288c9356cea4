//! Serving: the first start, health and metrics, signals, the lock, and what survives a kill.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::http::{ask, get, post, try_ask};
use crate::process::{PASSWORD, PATIENCE, Server, run};
use crate::socket::Socket;

#[test]
fn the_setup_link_makes_one_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let link = server.line("    ");
    let (base, setup) = link.split_once("/#/setup/").unwrap();
    assert_eq!(base, server.url);
    assert_eq!(get(&server.url, "", "/v1/server")["needs_setup"], true);
    let register = |id: &str| {
        let body = json!({ "id": id, "password": PASSWORD, "setup_token": setup });
        ask(&server.url, "", "POST", "/v1/auth/register", Some(&body))
    };
    let session = register("ada").ok();
    let me = get(&server.url, session["access_token"].as_str().unwrap(), "/v1/me");
    assert_eq!((&me["id"], &me["admin"]), (&json!("ada"), &json!(true)));
    assert_eq!(register("eve").problem().1, "setup_token_invalid");
    assert_eq!(get(&server.url, "", "/v1/server")["needs_setup"], false);
    server.stop();
    let mut server = Server::start(folder.path());
    server.signal("TERM");
    server.wait();
    assert!(!server.rest().contains("/#/setup/"));
}

#[test]
fn health_and_metrics_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start_with(&["serve", "--metrics-listen", "127.0.0.1:0", "--data", data]);
    let entry: Value = serde_json::from_str(&server.logged("\"message\":\"metrics\"")).expect("the log is JSON");
    let metrics = format!("http://{}", entry["address"].as_str().expect("the address is logged"));
    server.register("ada");
    for base in [&server.url, &metrics] {
        for path in ["/livez", "/readyz"] {
            assert_eq!(ask(base, "", "GET", path, None).status, 200, "{base}{path}");
        }
    }
    let page = ask(&metrics, "", "GET", "/metrics", None).body;
    for name in [
        "starling_build_info{version=",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "starling_connections ",
    ] {
        assert!(page.lines().any(|line| line.starts_with(name)), "{name} in {page}");
    }
    assert!(!ask(&server.url, "", "GET", "/metrics", None).body.contains("starling_build_info"));
}

#[test]
fn a_taken_default_address_of_metrics_is_no_reason_not_to_serve() {
    // Either this takes it or somebody has it already.
    let _taken = TcpListener::bind("127.0.0.1:9464");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start_with(&["serve", "--data", data]);
    server.logged("no metrics");
    let said = run(
        &["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:9464", "--data", &format!("{data}/b")],
        "",
    );
    assert!(said.failed().contains("for metrics"));
}

#[test]
fn a_data_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let data = folder.path().to_str().unwrap();
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data", data], "").failed();
    assert!(said.contains(&format!("in use by process {}", server.process())), "{said}");
    let port = server.url.rsplit_once('/').unwrap().1;
    let said =
        run(&["serve", "--listen", port, "--metrics-listen", "off", "--data", &format!("{data}/other")], "").failed();
    assert!(said.contains(&format!("can't listen on {port}")), "{said}");
    get(&server.url, "", "/v1/server");
}

#[test]
fn signals_end_it_in_order() {
    for name in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path());
        server.signal("HUP");
        let token = server.register("ada");
        assert_eq!(get(&server.url, &token, "/v1/me")["id"], "ada");
        server.signal(name);
        assert_eq!(server.wait().code(), Some(0), "{name}: {}", server.log());
        assert!(!folder.path().join("admin.sock").exists());
        server.logged("\"store_closed\":true");
        assert!(!server.log().contains(&token) && !server.log().contains(PASSWORD));
    }
}

#[test]
fn open_sockets_are_told_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--metrics-listen", "off", "--data", data, "--drain-spread-ms", "777"];
    let mut server = Server::start_with(&arguments);
    let token = server.register("ada");
    let mut socket = Socket::open(&server.url);
    socket.send(&json!({ "id": 1, "op": "connect", "params": { "token": token } }));
    assert_eq!(socket.receive().unwrap()["result"]["user"], "ada");
    server.signal("TERM");
    let mut pushes = std::iter::from_fn(|| socket.receive());
    let drained = pushes.find(|frame| frame["push"] == "draining").expect("it is told before the end");
    assert!(drained["reconnect_after_ms"].as_u64().unwrap() <= 777, "{drained}");
    assert_eq!(pushes.count(), 0, "and then the connection ends");
    assert_eq!(server.wait().code(), Some(0));
}

/// What a client that sends knows: the messages that were acknowledged, by seq, and the one that got no answer.
struct Sent {
    acknowledged: Vec<(u64, String)>,
    unanswered: String,
}

/// A message whose repetition is known by its client id.
fn message(text: &str) -> Value {
    json!({ "client_id": text, "content": { "type": "text", "text": text } })
}

/// Sends messages until the server is gone.
fn send_until_gone(url: &str, token: &str, sender: usize, count: &AtomicUsize) -> Sent {
    let mut acknowledged = Vec::new();
    let mut number = 0;
    loop {
        let text = format!("{sender}-{number}");
        match try_ask(url, token, "POST", "/v1/rooms/r/messages", Some(&message(&text))) {
            Ok(answer) if answer.status == 429 => thread::yield_now(),
            Ok(answer) => {
                acknowledged.push((answer.ok()["seq"].as_u64().unwrap(), text));
                count.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
            Err(_) => return Sent { acknowledged, unanswered: text },
        }
    }
}

/// The messages of the room, by seq.
fn stored(url: &str, token: &str) -> Vec<(u64, String)> {
    let mut stored = Vec::new();
    let mut after = 0;
    loop {
        let page = get(url, token, &format!("/v1/rooms/r/events?after={after}&limit=100"));
        for event in page["events"].as_array().unwrap() {
            let seq = event["seq"].as_u64().unwrap();
            assert_eq!(seq, after + 1, "seqs are dense");
            after = seq;
            if event["type"] == "message.created" {
                stored.push((seq, event["content"]["text"].as_str().unwrap().to_owned()));
            }
        }
        if page["has_newer"] == false {
            return stored;
        }
    }
}

#[test]
fn a_kill_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let token = server.register("ada");
    post(&server.url, &token, "/v1/rooms", &json!({ "id": "r" }));
    let count = AtomicUsize::new(0);
    let sent: Vec<Sent> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let (url, token, count) = (server.url.clone(), token.clone(), &count);
                scope.spawn(move || send_until_gone(&url, &token, sender, count))
            })
            .collect();
        // In mid-conversation means: after some messages, while more are under way.
        let started = Instant::now();
        while count.load(Ordering::Relaxed) < 100 && started.elapsed() < PATIENCE {
            thread::yield_now();
        }
        server.signal("KILL");
        server.wait();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let mut expected: Vec<(u64, String)> = sent.iter().flat_map(|sent| sent.acknowledged.clone()).collect();
    assert!(expected.len() >= 100, "{}", expected.len());
    // The access token is still good: the device is the same, and with it the memory of its client ids.
    let server = Server::start(folder.path());
    let survived = stored(&server.url, &token);
    for Sent { unanswered, .. } in &sent {
        let receipt = post(&server.url, &token, "/v1/rooms/r/messages", &message(unanswered));
        let seq = receipt["seq"].as_u64().unwrap();
        let known = survived.iter().find(|(_, text)| text == unanswered);
        assert_eq!(known.map_or(seq, |(seq, _)| *seq), seq, "the answer that got lost");
        assert_eq!(receipt["duplicate"].as_bool().unwrap_or(false), known.is_some(), "{receipt}");
        expected.push((seq, unanswered.clone()));
    }
    for Sent { acknowledged, .. } in &sent {
        let (seq, text) = acknowledged.last().unwrap();
        let receipt = post(&server.url, &token, "/v1/rooms/r/messages", &message(text));
        assert_eq!((&receipt["seq"], &receipt["duplicate"]), (&json!(seq), &json!(true)));
    }
    expected.sort_unstable();
    assert_eq!(stored(&server.url, &token), expected);
    server.stop();
    let doctor = run(&["doctor", "--data", folder.path().to_str().unwrap()], "");
    assert!(doctor.ok().contains("no findings"));
}

#[test]
fn there_are_as_many_connections_as_open_files_allow() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--metrics-listen", "off", "--data", data];
    let server = Server::start_limited("ulimit -S -n 200; ulimit -H -n 400", &arguments);
    let entry: Value = serde_json::from_str(&server.logged("fewer connections fit")).unwrap();
    assert_eq!((&entry["open_files_max"], &entry["fitting"]), (&json!(400), &json!(272)), "{entry}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().take(2).collect::<Vec<_>>(), ["400", "400"], "{limits}");
}
