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

/// Sends messages until the server is gone; gives those that were acknowledged, as (seq, text).
fn send_until_gone(url: &str, token: &str, sender: usize, count: &AtomicUsize) -> Vec<(u64, String)> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let text = format!("{sender}: {number}");
        let body = json!({ "content": { "type": "text", "text": text } });
        match try_ask(url, token, "POST", "/v1/rooms/r/messages", Some(&body)) {
            Ok(answer) if answer.status == 429 => thread::yield_now(),
            Ok(answer) => {
                acknowledged.push((answer.ok()["seq"].as_u64().unwrap(), text));
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let token = server.register("ada");
    post(&server.url, &token, "/v1/rooms", &json!({ "id": "r" }));
    let count = AtomicUsize::new(0);
    let mut acknowledged: Vec<(u64, String)> = thread::scope(|scope| {
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
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    acknowledged.sort_unstable();
    assert!(acknowledged.len() >= 100, "{}", acknowledged.len());
    let server = Server::start(folder.path());
    let token = server.login("ada");
    let mut stored = Vec::new();
    let mut after = 0;
    loop {
        let page = get(&server.url, &token, &format!("/v1/rooms/r/events?after={after}&limit=100"));
        let events = page["events"].as_array().unwrap();
        for event in events {
            let seq = event["seq"].as_u64().unwrap();
            assert_eq!(seq, after + 1, "seqs are dense");
            after = seq;
            if event["type"] == "message.created" {
                stored.push((seq, event["content"]["text"].as_str().unwrap().to_owned()));
            }
        }
        if page["has_newer"] == false {
            break;
        }
    }
    for message in &acknowledged {
        assert!(stored.contains(message), "{message:?} is lost");
    }
    let mut texts: Vec<_> = stored.iter().map(|(_, text)| text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), stored.len(), "nothing is doubled");
    server.stop();
    let doctor = run(&["doctor", "--data", folder.path().to_str().unwrap()], "");
    assert!(doctor.ok().contains("no findings"));
}
