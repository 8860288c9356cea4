//! The WebSocket: handshake, order, deliveries, resync, revocation, drain, limits.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::http::{PATIENCE, check_problem, read_answer, request};
use crate::websocket::{Came, Socket};
use crate::world::{PASSWORD, Setting, World};

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

async fn pair() -> World {
    let world = World::with(Setting::default(), &["ann", "bob"]).await;
    world.call("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ["bob"]})).await.ok();
    world.call("bob", "POST /v1/rooms/flock/join", Value::Null).await.ok();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat() {
    let world = pair().await;
    let mut bob = Socket::open(world.address).await;
    let connected = bob.ask("connect", json!({"token": world.token("bob"), "since": 0})).await.unwrap();
    let about = world.call("", "GET /v1/server", Value::Null).await.ok();
    let sync = world.call("bob", "GET /v1/sync", Value::Null).await.ok();
    assert!(connected["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    for epoch in [&connected["sync"]["epoch"], &about["epoch"], &sync["epoch"]] {
        assert_eq!(epoch, &connected["epoch"]);
    }
    assert_eq!((&connected["user"], &connected["sync"]["rooms"][0]["id"]), (&json!("bob"), &json!("flock")));
    let mut ann = world.connect("ann").await;

    let sent =
        json!({"room": "flock", "client_id": "c-1", "content": {"type": "text", "text": "hi", "data": {"n": [1, 2]}}});
    let receipt = ann.ask("message.send", sent.clone()).await.unwrap();
    let came = bob.push(|push| push["event"]["type"] == "message.created").await;
    let event = &came["event"];
    assert_eq!((&event["seq"], &event["commit"]), (&receipt["seq"], &receipt["commit"]));
    assert_eq!(event["content"]["data"], json!({"n": [1, 2]}));
    assert_eq!((&event["client_id"], &event["sender"], &event["number"]), (&json!("c-1"), &json!("ann"), &json!(1)));

    let again = ann.ask("message.send", sent).await.unwrap();
    assert_eq!((&again["seq"], &again["duplicate"]), (&receipt["seq"], &json!(true)));

    let seq = receipt["seq"].clone();
    ann.ask("message.edit", json!({"room": "flock", "seq": seq, "content": text("hello")})).await.unwrap();
    bob.push(|push| push["event"]["type"] == "message.edited" && push["event"]["content"]["text"] == "hello").await;
    bob.ask("reaction.set", json!({"room": "flock", "seq": seq, "keys": ["👍"]})).await.unwrap();
    let push = ann.push(|push| push["event"]["type"] == "reaction.updated").await;
    assert_eq!(push["event"]["added"], json!(["👍"]));
    let cursors = bob.ask("cursor.set", json!({"room": "flock", "read": seq})).await.unwrap();
    assert_eq!((&cursors["read"], &cursors["read_messages"]), (&seq, &json!(1)));
    let push = ann.push(|push| push["push"] == "cursor").await;
    assert_eq!((&push["user"], &push["cursors"]["read"]), (&json!("bob"), &seq));
    bob.ask("typing.set", json!({"room": "flock", "typing": true})).await.unwrap();
    ann.push(|push| push["push"] == "typing" && push["user"] == "bob" && push["typing"] == true).await;

    let presence = ann.ask("presence.watch", json!({"users": ["bob"]})).await.unwrap();
    assert_eq!(presence["presence"][0]["online"], true);
    drop(bob);
    ann.push(|push| push["push"] == "presence" && push["presence"]["online"] == false).await;

    ann.ask("message.delete", json!({"room": "flock", "seq": seq, "reason": "typo"})).await.unwrap();
    let page = ann.ask("event.list", json!({"room": "flock", "limit": 2})).await.unwrap();
    assert_eq!(page["events"][1]["type"], "message.deleted");
    let page = ann.ask("event.list", json!({"room": "flock", "around": seq, "limit": 1})).await.unwrap();
    assert_eq!((page["events"][0]["content"].is_null(), &page["events"][0]["deleted"]["seq"].is_u64()), (true, &true));
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_commands_keep_their_order() {
    let world = pair().await;
    world.call("ann", "POST /v1/rooms", json!({"id": "garden"})).await.ok();
    let mut ann = world.connect("ann").await;
    // More than may be in flight, so that reading stops and goes on meanwhile.
    let mut asked = BTreeMap::new();
    for n in 0..120 {
        let room = if n % 3 == 0 { "garden" } else { "flock" };
        let sent = json!({"room": room, "client_id": format!("c-{n}"), "content": text(&n.to_string())});
        asked.insert(ann.send("message.send", sent).await, room);
    }
    let mut last = BTreeMap::from([("flock", (0, 0)), ("garden", (0, 0))]);
    let mut answered = 0;
    while answered < asked.len() {
        let Came::Frame(frame) = ann.next().await else { panic!("closed") };
        let Some(id) = frame["id"].as_u64() else { continue };
        assert!(frame["error"].is_null(), "{frame}");
        let now = (id, frame["result"]["seq"].as_u64().unwrap());
        let before = last.insert(asked[&id], now).unwrap();
        assert!(before.0 < now.0 && before.1 < now.1, "{before:?} {now:?} in {}", asked[&id]);
        answered += 1;
    }
    let page = ann.ask("event.list", json!({"room": "flock", "limit": 80})).await.unwrap();
    let texts: Vec<u64> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["content"]["text"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(texts.is_sorted() && texts.len() == 80, "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_told_to_resync() {
    let mut setting = Setting::default();
    setting.engine.outbox_deliveries_max = 4;
    let world = World::with(setting, &["ann", "bob"]).await;
    world.call("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ["bob"]})).await.ok();
    world.call("bob", "POST /v1/rooms/flock/join", Value::Null).await.ok();
    let mut bob = world.connect("bob").await;
    // What fills the socket's buffers on both sides several times over.
    let long = "x".repeat(16_000);
    let mut ann = world.connect("ann").await;
    for n in 0..1500 {
        ann.ask("message.send", json!({"room": "flock", "client_id": format!("c-{n}"), "content": text(&long)}))
            .await
            .unwrap();
    }
    let mut seqs: Vec<u64> = Vec::new();
    loop {
        let Came::Frame(frame) = bob.next().await else { panic!("closed") };
        match frame["push"].as_str() {
            Some("event") => seqs.push(frame["event"]["seq"].as_u64().unwrap()),
            Some("resync") => break,
            _ => {}
        }
    }
    assert!(seqs.is_sorted() && seqs.len() < 1500, "{}", seqs.len());
    let answer = bob.ask("sync", json!({"since": 0})).await.unwrap();
    assert_eq!(answer["rooms"][0]["messages"], 1500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_dead_within_a_second() {
    let world = pair().await;
    let login = json!({"id": "bob", "password": PASSWORD});
    let second = world.call("", "POST /v1/auth/login", login).await.ok();
    let mut socket = Socket::connect(world.address, second["access_token"].as_str().unwrap()).await;
    let mut own = world.connect("bob").await;
    let started = Instant::now();
    own.ask("device.revoke", json!({"device": second["device"]["id"]})).await.unwrap();
    assert_eq!(socket.closed().await, Some(4401));
    assert!(started.elapsed().as_millis() < 1000);
    let devices = own.ask("device.list", json!({})).await.unwrap();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);

    world.call("bob", "POST /v1/auth/logout", Value::Null).await.ok();
    assert_eq!(own.closed().await, Some(4401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_announced_and_answers_what_is_on_its_way() {
    let world = pair().await;
    let mut ann = world.connect("ann").await;
    let sends: Vec<u64> = {
        let mut ids = Vec::new();
        for n in 0..20 {
            ids.push(
                ann.send("message.send", json!({"room": "flock", "client_id": format!("c-{n}"), "content": text("x")}))
                    .await,
            );
        }
        ids
    };
    ann.response(sends[0]).await.unwrap();
    world.engine.drain(5000);
    let (mut answered, mut drained) = (1, false);
    let code = loop {
        match ann.next().await {
            Came::Frame(frame) if frame["push"] == "draining" => {
                drained = true;
                assert!(frame["reconnect_after_ms"].as_u64().unwrap() <= 5000);
            }
            Came::Frame(frame) if frame["id"].is_u64() => answered += 1,
            Came::Frame(_) => {}
            Came::Closed(code) => break code,
        }
    };
    assert_eq!((code, drained), (Some(1012), true));
    let stored = world.call("ann", "GET /v1/rooms/flock", Value::Null).await.ok()["messages"].as_u64().unwrap();
    assert!(answered <= stored, "nothing is answered that is not stored: {answered} {stored}");
    assert!(world.stop().await, "all connections end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_and_can_be_renewed() {
    let setting = Setting::default();
    // A token that was made long ago, and is good for three seconds more.
    let ago = setting.engine.access_token_ms - 3000;
    let mut world = World::with(setting, &["bob"]).await;
    world.clock.set_ahead(-ago);
    world.register("default", "ann").await;
    let mut renewed = world.connect("ann").await;
    let mut forgotten = world.connect("ann").await;
    world.clock.set_ahead(0);
    let refresh = json!({"refresh_token": world.people["ann"]["refresh_token"]});
    let next = world.call("", "POST /v1/auth/refresh", refresh).await.ok();
    let problem = renewed.ask("token.renew", json!({"token": world.token("bob")})).await.expect_err("another device's");
    assert_eq!(check_problem(&problem), "invalid_request");
    let answer = renewed.ask("token.renew", json!({"token": next["access_token"]})).await.unwrap();
    assert_eq!(answer["expires_at"], next["access_expires_at"]);
    assert_eq!(forgotten.closed().await, Some(4401));
    renewed.ask("me.get", json!({})).await.expect("goes on with the new token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_the_connection() {
    let mut setting = Setting::default();
    setting.door.connect_timeout_ms = 100;
    let world = World::with(setting, &["ann"]).await;

    let mut silent = Socket::open(world.address).await;
    assert_eq!(silent.closed().await, Some(4401));

    let mut hasty = Socket::open(world.address).await;
    let problem = hasty.ask("me.get", json!({})).await.expect_err("not connected");
    assert_eq!(check_problem(&problem), "unauthenticated");
    assert_eq!(hasty.closed().await, Some(4401));

    let mut binary = world.connect("ann").await;
    binary.send_message(Message::Binary(vec![1, 2, 3].into())).await;
    assert_eq!(binary.closed().await, Some(4400));

    let mut garbled = world.connect("ann").await;
    let not_utf8 = Frame::message(vec![b'"', 0xff, b'"'], OpCode::Data(Data::Text), true);
    garbled.send_message(Message::Frame(not_utf8)).await;
    assert_eq!(garbled.closed().await, Some(4400));

    let mut large = world.connect("ann").await;
    large
        .send_text(format!("{{\"id\": 2, \"op\": \"ping\", \"params\": {{\"x\": \"{}\"}}}}", "x".repeat(70_000)))
        .await;
    assert_eq!(large.closed().await, Some(4400));

    let mut malformed = world.connect("ann").await;
    for _ in 0..10 {
        malformed.send_text("nonsense").await;
    }
    for _ in 0..10 {
        assert_eq!(check_problem(&malformed.response(0).await.expect_err("malformed")), "malformed_json");
    }
    assert_eq!(malformed.next().await, Came::Closed(Some(4400)));

    let mut twice = world.connect("ann").await;
    let problem = twice.ask("connect", json!({"token": world.token("ann")})).await.expect_err("connected already");
    assert_eq!(check_problem(&problem), "invalid_request");
    twice.ask("ping", json!({})).await.expect("still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peer_is_pinged_and_then_closed() {
    let mut setting = Setting::default();
    (setting.door.ping_interval_ms, setting.door.silence_timeout_ms) = (50, 400);
    let world = World::with(setting, &["ann", "bob"]).await;
    world.call("ann", "POST /v1/rooms/direct", json!({"user": "bob"})).await.ok();
    // This client answers pings, as it reads all the time, and outlives one that doesn't read.
    let mut alive = world.connect("ann").await;
    alive.ask("presence.watch", json!({"users": ["bob"]})).await.unwrap();
    let mut dead = world.connect("bob").await;
    alive.push(|push| push["presence"]["online"] == true).await;
    alive.push(|push| push["presence"]["online"] == false).await;
    assert_eq!(dead.closed().await, Some(4400));
    alive.ask("ping", json!({})).await.expect("alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_not_connect() {
    let mut setting = Setting::default();
    setting.door.allowed_origins = vec!["https://app.example".to_owned()];
    let world = World::with(setting, &["ann"]).await;
    let own = format!("http://{}", world.address);
    for (origin, expect) in [
        (None, 101),
        (Some(own.as_str()), 101),
        (Some("https://app.example"), 101),
        (Some("https://evil.example"), 422),
    ] {
        let mut headers = vec![
            ("connection", "upgrade, close"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ];
        headers.extend(origin.map(|origin| ("origin", origin)));
        if expect == 101 {
            let mut socket = tokio::net::TcpStream::connect(world.address).await.unwrap();
            let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("GET /v1/ws HTTP/1.1\r\nhost: {}\r\n{lines}\r\n", world.address);
            tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
            let mut first = [0; 12];
            tokio::io::AsyncReadExt::read_exact(&mut socket, &mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 101", "{origin:?}");
        } else {
            let answer = request(world.address, "GET /v1/ws", &headers, b"").await;
            assert_eq!((answer.status, answer.code().as_str()), (expect, "invalid_request"), "{origin:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http_1_0_is_not_upgraded() {
    let world = World::new(Setting::default()).await;
    let mut socket = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET /v1/ws HTTP/1.0\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        world.address
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut socket).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_the_handshake_is_not_lost() {
    let world = World::with(Setting::default(), &["ann"]).await;
    let connect = json!({"id": 1, "op": "connect", "params": {"token": world.token("ann")}}).to_string();
    let head = format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        world.address
    );
    // Text, masked with zeros, of a length in two bytes; and a close frame without a code.
    let length = u16::try_from(connect.len()).unwrap().to_be_bytes();
    let start = [0x81, 0xfe, length[0], length[1], 0, 0, 0, 0];
    let bytes = [head.as_bytes(), &start, connect.as_bytes(), &[0x88, 0x80, 0, 0, 0, 0]].concat();
    let mut socket = tokio::net::TcpStream::connect(world.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, &bytes).await.unwrap();
    let mut came = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut came);
    tokio::time::timeout(PATIENCE, reading).await.expect("the server ends it").unwrap();
    let said = String::from_utf8_lossy(&came);
    assert!(said.starts_with("HTTP/1.1 101") && said.contains("\"user\":\"ann\""), "{said}");
    assert!(came.ends_with(&[0x88, 0]), "its close frame is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_sends_right_before_it_goes_takes_effect() {
    let world = pair().await;
    let mut bob = world.connect("bob").await;
    for (round, says_so) in [(0, true), (1, false)] {
        let mut ann = world.connect("ann").await;
        for n in 0..20 {
            ann.send("message.send", json!({"room": "flock", "content": text(&format!("{round} {n}"))})).await;
        }
        ann.send("cursor.set", json!({"room": "flock", "read": 1})).await;
        if says_so {
            ann.send_message(Message::Close(None)).await;
            assert_eq!(ann.closed().await, None);
        } else {
            ann.gone().await;
        }
        for n in 0..20 {
            bob.push(|push| push["event"]["content"]["text"] == format!("{round} {n}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_is_cut_off() {
    let mut setting = Setting::default();
    setting.door.write_timeout_ms = 200;
    let world = World::with(setting, &["ann", "bob"]).await;
    world.call("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ["bob"]})).await.ok();
    world.call("bob", "POST /v1/rooms/flock/join", Value::Null).await.ok();
    let _bob = world.connect("bob").await;
    let mut ann = world.connect("ann").await;
    ann.ask("presence.watch", json!({"users": ["bob"]})).await.unwrap();
    let long = "x".repeat(16_000);
    for _ in 0..1000 {
        ann.ask("message.send", json!({"room": "flock", "content": text(&long)})).await.unwrap();
    }
    ann.push(|push| push["push"] == "presence" && push["presence"]["online"] == false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_managed_over_the_socket() {
    let world = pair().await;
    let mut ann = world.connect("ann").await;
    let bob = ann.ask("user.get", json!({"user": "bob"})).await.unwrap();
    assert_eq!(bob["id"], "bob");
    let problem = ann.ask("user.get", json!({"user": "nobody"})).await.expect_err("nobody");
    assert_eq!(check_problem(&problem), "unknown_user");
    let page = ann.ask("room.list", json!({})).await.unwrap();
    assert_eq!((&page["rooms"][0]["id"], page["next"].is_null()), (&json!("flock"), true));
    let problem = ann.ask("statistics.get", json!({"days": 2})).await.expect_err("no administrator");
    assert_eq!(check_problem(&problem), "admin_only");

    let mut second = Socket::connect(world.address, world.token("ann")).await;
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple", "revoke_other_devices": false});
    second.ask("auth.password", change.clone()).await.unwrap();
    let problem = second.ask("auth.password", change).await.expect_err("it is another one now");
    assert_eq!(check_problem(&problem), "wrong_credentials");
    second.ask("auth.logout", json!({})).await.expect("the answer comes before the end");
    assert_eq!(second.closed().await, Some(4401));
    assert_eq!(ann.closed().await, Some(4401), "both were of the same device");
    let login = json!({"id": "ann", "password": "battery staple"});
    world.call("", "POST /v1/auth/login", login).await.ok();
}
