//! REST: repeats, headers, languages, other origins, pages, the web client.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::{PATIENCE, request};
use crate::world::{Setting, World};

fn text(text: &str) -> Value {
    json!({"content": {"type": "text", "text": text}})
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_get_the_first_answer() {
    let world = World::with(Setting::default(), &["ann", "bob"]).await;
    let check = async |line: &str, body: Value| {
        let key = [("idempotency-key", format!("\"key-{}\"", line.len()))];
        let key = [(key[0].0, key[0].1.as_str())];
        let first = world.call_with("ann", line, &key, body.clone()).await;
        let (receipt, state) = (first.ok(), world.state().await);
        assert_eq!(first.header("idempotent-replay"), None, "{line}");
        let second = world.call_with("ann", line, &key, body.clone()).await;
        assert_eq!(second.header("idempotent-replay"), Some("true"), "{line}");
        assert_eq!((second.status, world.state().await), (first.status, state), "{line}");
        let mut repeated = second.ok();
        if repeated["duplicate"] == true {
            repeated["duplicate"] = false.into();
        }
        assert_eq!(repeated, receipt, "{line}");
        receipt
    };
    let room = check("POST /v1/rooms", json!({"settings": {"name": "Flock"}})).await;
    let room = room["id"].as_str().unwrap();
    let seq = check(&format!("POST /v1/rooms/{room}/messages"), text("once")).await["seq"].clone();
    check(&format!("POST /v1/rooms/{room}/members"), json!({"user": "bob"})).await;
    check(&format!("PATCH /v1/rooms/{room}"), json!({"settings": {"topic": "x"}})).await;
    check(&format!("PUT /v1/rooms/{room}/messages/{seq}"), text("twice")).await;
    check(&format!("PUT /v1/rooms/{room}/messages/{seq}/reactions"), json!({"keys": ["x"]})).await;
    check(&format!("DELETE /v1/rooms/{room}/messages/{seq}?reason=typo"), Value::Null).await;
    check(&format!("DELETE /v1/rooms/{room}/members/bob"), Value::Null).await;

    let mut body = text("x");
    body["client_id"] = "one".into();
    let line = format!("POST /v1/rooms/{room}/messages");
    let differs = world.call_with("ann", &line, &[("idempotency-key", "other")], body.clone()).await;
    assert_eq!(differs.code(), "invalid_request");
    assert_eq!(differs.json()["errors"][0]["field"], "client_id");
    world.call_with("ann", &line, &[("idempotency-key", "one")], body).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_members_and_events_are_paged() {
    let mut world = World::with(Setting::default(), &["ann"]).await;
    let ids: Vec<String> = (0..7).map(|n| format!("user{n}")).collect();
    for id in &ids {
        world.register("default", id).await;
    }
    let created = world.call("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ids})).await;
    assert_eq!((created.status, created.header("location")), (201, Some("/v1/rooms/flock")));

    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.call("ann", &format!("GET /v1/rooms/flock/members?limit=3{cursor}"), Value::Null).await.ok();
        found.extend(
            page["members"].as_array().unwrap().iter().map(|member| member["user"]["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<String> = std::iter::once("ann".to_owned()).chain(ids).collect();
    assert_eq!(found, expected);
    let page = world.call("ann", "GET /v1/users?query=user&limit=5", Value::Null).await.ok();
    assert_eq!((page["users"].as_array().unwrap().len(), page["next"].is_string()), (5, true));
    let page = world.call("ann", "GET /v1/users?ids=ann,%20user1,nobody", Value::Null).await.ok();
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    for line in [
        "GET /v1/rooms/flock/members?cursor=none",
        "GET /v1/rooms?cursor=none",
        "GET /v1/users?limit=x",
        "GET /v1/users?limit=0",
        "GET /v1/users?ids=a&query=b",
        "GET /v1/rooms/flock/messages/x",
        "GET /v1/statistics?days=x",
    ] {
        let answer = world.call("ann", line, Value::Null).await;
        let expected = if line.contains("messages") { "method_not_allowed" } else { "invalid_request" };
        assert_eq!(answer.code(), expected, "{line}");
    }
    let wrong = world.call("ann", "GET /v1/users/%ff", Value::Null).await;
    assert_eq!((wrong.code().as_str(), &wrong.json()["errors"][0]["field"]), ("invalid_request", &json!("user")));
    let wrong = world.call("ann", "DELETE /v1/rooms/flock/messages/x", Value::Null).await;
    assert_eq!((wrong.code().as_str(), &wrong.json()["errors"][0]["field"]), ("invalid_request", &json!("seq")));

    let rooms = world.call("user1", "GET /v1/rooms", Value::Null).await.ok();
    assert_eq!((&rooms["rooms"][0]["id"], &rooms["rooms"][0]["me"]["state"]), (&json!("flock"), &json!("invited")));
    world.call("user1", "POST /v1/rooms/flock/leave", Value::Null).await.ok();
    let rooms = world.call("user1", "GET /v1/rooms", Value::Null).await.ok();
    assert_eq!(rooms["rooms"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_devices() {
    let mut world = World::with(Setting::default(), &["bob"]).await;
    let token = world.engine.setup_token().unwrap();
    let server = world.call("", "GET /v1/server", Value::Null).await.ok();
    assert_eq!((&server["server"], &server["needs_setup"]), (&json!("starling"), &json!(true)));
    let register = json!({"id": "ann", "password": "correct horse", "display_name": "Ann", "setup_token": token});
    let session = world.call("", "POST /v1/auth/register", register).await;
    assert_eq!(session.status, 201);
    world.people.insert("ann".to_owned(), session.ok());
    let me = world.call("ann", "PATCH /v1/me", json!({"display_name": "Ann B."})).await.ok();
    assert_eq!((&me["admin"], &me["display_name"], &me["app"]), (&json!(true), &json!("Ann B."), &json!("default")));
    let days = world.call("ann", "GET /v1/statistics?days=7", Value::Null).await.ok();
    assert!(days["days"].is_array());
    let change = json!({"current_password": "correct horse", "new_password": "battery staple"});
    assert_eq!(world.call("ann", "POST /v1/auth/password", change).await.status, 204);
    let devices = world.call("ann", "GET /v1/devices", Value::Null).await.ok();
    assert_eq!(devices["devices"][0]["current"], true);
    let presence = world.call("ann", "POST /v1/presence", json!({"users": ["bob"]})).await.ok();
    assert_eq!(presence["presence"], json!([]), "they share no room");
    assert_eq!(world.call("ann", "POST /v1/auth/logout", Value::Null).await.status, 204);
    assert_eq!(world.call("ann", "GET /v1/me", Value::Null).await.code(), "token_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers() {
    let mut setting = Setting::default();
    setting.door.allowed_origins = vec!["https://app.example".to_owned()];
    let world = World::with(setting, &["ann"]).await;
    for line in ["GET /", "GET /v1/server", "GET /v1/nothing", "GET /livez", "GET /readyz", "GET /v1/docs", "DELETE /"]
    {
        let answer = world.call("", line, Value::Null).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{line}");
        assert!(answer.header("x-request-id").is_some(), "{line}");
        let policy = answer.header("content-security-policy").unwrap();
        let expected = format!(
            "default-src 'self'; connect-src 'self' ws://{0} wss://{0}; img-src 'self' data: blob:; object-src 'none'; \
             base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
            world.address
        );
        assert_eq!(policy, expected, "{line}");
    }
    let allowed = async |origin: &str, line: &str, preflight: bool| {
        let mut headers = vec![("origin", origin)];
        if preflight {
            headers.extend([
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type"),
            ]);
        }
        request(world.address, line, &headers, b"").await
    };
    let answer = allowed("https://app.example", "OPTIONS /v1/rooms", true).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("https://app.example")));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    let answer = allowed("https://app.example", "GET /v1/server", false).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("vary").unwrap().contains("origin"));
    for preflight in [true, false] {
        let line = if preflight { "OPTIONS /v1/rooms" } else { "GET /v1/server" };
        let answer = allowed("https://evil.example", line, preflight).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{line}");
    }
    let answer = request(world.address, "GET /v1/nothing", &[("accept-language", "zh-CN,zh;q=0.9")], b"").await;
    assert_eq!(answer.json()["title"], wire::Code::NotFound.info().zh);
    let answer = world.call("", "DELETE /v1/server", Value::Null).await;
    assert_eq!((answer.code().as_str(), answer.header("allow")), ("method_not_allowed", Some("GET,HEAD")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_client_answers_what_is_no_route() {
    let world = World::with(Setting::default(), &[]).await;
    let html = [("accept", "text/html,*/*")];
    for line in ["GET /", "GET /rooms/flock"] {
        let answer = request(world.address, line, &html, b"").await;
        assert_eq!(answer.status, 200, "{line}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{line}");
    }
    for line in ["GET /assets/none.js", "POST /", "GET /v1/none"] {
        let headers: &[(&str, &str)] = if line.starts_with("GET /v1") { &html } else { &[] };
        assert_eq!(request(world.address, line, headers, b"").await.code(), "not_found", "{line}");
    }
    let first = request(world.address, "GET /", &html, b"").await;
    if let Some(etag) = first.header("etag") {
        let again = request(world.address, "GET /", &[("accept", "text/html"), ("if-none-match", etag)], b"").await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_greedy_clients_are_cut_off() {
    let mut setting = Setting::default();
    (setting.net.header_read_timeout_ms, setting.net.keep_alive_idle_ms) = (100, 300);
    setting.net.connections_per_address_max = 3;
    let world = World::with(setting, &[]).await;
    // A head that trickles in, byte by byte, for ever.
    let mut slow = TcpStream::connect(world.address).await.unwrap();
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(10));
    let trickle = async {
        for byte in b"GET / HTTP/1.1\r\nx-slow: ".iter().chain(std::iter::repeat(&b'x')) {
            if slow.write_all(&[*byte]).await.is_err() {
                return;
            }
            pace.tick().await;
        }
    };
    timeout(PATIENCE, trickle).await.expect("the connection is closed");

    // Answered and then silent: stays for a while, and is closed.
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, idle.read_to_end(&mut bytes)).await.expect("the connection is closed").unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));

    let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(40_000));
    let mut large = TcpStream::connect(world.address).await.unwrap();
    large.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    large.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 431");
    drop(large);

    // As many as may be open, and one more.
    let mut held = Vec::new();
    while held.len() < 3 {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        let taken = socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok()
            && socket.read_exact(&mut first).await.is_ok();
        if taken {
            held.push(socket);
        }
    }
    let mut refused = TcpStream::connect(world.address).await.unwrap();
    let read = timeout(PATIENCE, refused.read(&mut first)).await.expect("closed at once");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
