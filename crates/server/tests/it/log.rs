//! The log of a whole session at debug level: lines of JSON with fields, and nothing in them that is nobody's business.

use serde_json::{Value, json};

use crate::http::{ask, get, post};
use crate::process::{PASSWORD, Server, run, token};
use crate::socket::Socket;

const SECRET_WORDS: &str = "the eagle flies at midnight";

#[test]
fn the_log_has_fields_and_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--metrics-listen", "off", "--log-level", "debug", "--data", data];
    let mut server = Server::start_with(&arguments);
    let setup = server.line("    ").rsplit_once('/').unwrap().1.to_owned();
    let mut secrets = vec![PASSWORD.to_owned(), SECRET_WORDS.to_owned(), setup.clone()];
    let mut keep = |session: &Value| {
        secrets.extend(["access_token", "refresh_token"].map(|name| session[name].as_str().unwrap().to_owned()));
        token(session)
    };
    let body = json!({ "id": "ada", "password": PASSWORD, "setup_token": setup });
    let ada = keep(&post(&server.url, "", "/v1/auth/register", &body));
    let added = run(&["user", "add", "bob", "--data", data], &format!("{PASSWORD}\n"));
    added.ok();
    let session = post(&server.url, "", "/v1/auth/login", &json!({ "id": "bob", "password": PASSWORD }));
    keep(&session);
    let bob = keep(&post(&server.url, "", "/v1/auth/refresh", &json!({ "refresh_token": session["refresh_token"] })));
    let wrong = json!({ "id": "bob", "password": format!("not {PASSWORD}") });
    assert_eq!(ask(&server.url, "", "POST", "/v1/auth/login", Some(&wrong)).status, 401);
    assert_eq!(ask(&server.url, &format!("{bob}x"), "GET", "/v1/me", None).status, 401);

    let words = json!({ "type": "text", "text": SECRET_WORDS });
    post(
        &server.url,
        &ada,
        "/v1/rooms",
        &json!({ "id": "r", "invite": ["bob"], "settings": { "name": SECRET_WORDS } }),
    );
    let mut socket = Socket::open(&server.url);
    let mut number = 0;
    let mut request = |op: &str, params: Value| {
        number += 1;
        socket.send(&json!({ "id": number, "op": op, "params": params }));
        loop {
            let frame = socket.receive().expect("the connection goes on");
            if frame["id"] == number {
                return frame;
            }
        }
    };
    request("connect", json!({ "token": bob, "since": 0 }));
    request("room.join", json!({ "room": "r" }));
    let seq = request("message.send", json!({ "room": "r", "content": words }))["result"]["seq"].clone();
    request("message.edit", json!({ "room": "r", "seq": seq, "content": words }));
    let refused = request("message.send", json!({ "room": "nowhere", "content": words }));
    assert_eq!(refused["error"]["code"], "unknown_room");
    let refused = request("message.send", json!({ "room": "r", "content": { "type": SECRET_WORDS } }));
    assert_eq!(refused["error"]["code"], "invalid_request");
    request("event.list", json!({ "room": "r" }));
    request("message.delete", json!({ "room": "r", "seq": seq, "reason": SECRET_WORDS }));
    get(&server.url, &ada, "/v1/sync");
    let search = format!("/v1/users?query={}", SECRET_WORDS.replace(' ', "%20"));
    get(&server.url, &ada, &search);
    let bad = json!({ "content": { "type": "text", "text": 5, "x": SECRET_WORDS } });
    assert_eq!(ask(&server.url, &ada, "POST", "/v1/rooms/r/messages", Some(&bad)).status, 422);
    ask(&server.url, &ada, "POST", "/v1/auth/logout", None);
    server.signal("TERM");
    server.wait();
    server.logged("\"stopped\"");

    let log = server.log();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(entry[field].is_string(), "{field} in {line}");
        }
    }
    let answered = log.lines().filter(|line| line.contains("\"answered\"")).count();
    assert!(answered >= 10, "requests are logged at this level: {answered}");
    for secret in secrets.iter().flat_map(|secret| [secret.clone(), secret.replace(' ', "%20")]) {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret:?} is nobody's business");
    }
}
