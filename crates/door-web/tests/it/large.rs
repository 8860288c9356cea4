//! What a stranger or a greedy client can make the server hold or do: large answers, pings, requests without a token.

use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::http::PATIENCE;
use crate::rigged::READERS;
use crate::websocket::Socket;
use crate::world::{PASSWORD, Setting, World};

async fn pair(setting: Setting) -> World {
    let world = World::with(setting, &["ann", "bob"]).await;
    world.call("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ["bob"]})).await.ok();
    world.call("bob", "POST /v1/rooms/flock/join", Value::Null).await.ok();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_made_one_at_a_time_and_hold_nothing_up() {
    let world = pair(Setting::default()).await;
    let mut ann = world.connect("ann").await;
    world.store.reads.shut(true);
    let mut asked = vec![ann.send("presence.watch", json!({"users": ["bob"]})).await];
    for _ in 0..4 {
        asked.push(ann.send("event.list", json!({"room": "flock"})).await);
    }
    // While all of them wait, small questions are answered and events come.
    ann.ask("me.get", json!({})).await.unwrap();
    world.say("bob", "flock", "meanwhile").await;
    ann.push(|push| push["event"]["content"]["text"] == "meanwhile").await;
    world.store.reads.shut(false);
    for id in asked {
        ann.response(id).await.unwrap();
    }
    assert_eq!(world.store.reads.most.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_not_made() {
    const ASKED: usize = 120;
    let mut setting = Setting::default();
    (setting.door.write_timeout_ms, setting.door.requests_in_flight_max) = (200, ASKED);
    let world = pair(setting).await;
    let long = "x".repeat(16_000);
    let mut ann = world.connect("ann").await;
    for _ in 0..100 {
        let sent = json!({"room": "flock", "content": {"type": "text", "text": long}});
        ann.ask("message.send", sent).await.unwrap();
    }
    ann.ask("presence.watch", json!({"users": ["bob"]})).await.unwrap();
    let mut bob = world.connect("bob").await;
    let before = world.store.reads.came.load(Ordering::Relaxed);
    for _ in 0..ASKED {
        bob.send("event.list", json!({"room": "flock", "limit": 100})).await;
    }
    ann.push(|push| push["push"] == "presence" && push["presence"]["online"] == false).await;
    let made = world.store.reads.came.load(Ordering::Relaxed) - before;
    assert!((1..ASKED / 2).contains(&made), "{made}");
}

/// What the requests of a connection wait for comes to them whether the peer reads or not, and then to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_keeps_no_reader_from_others() {
    let mut setting = Setting::default();
    setting.door.write_timeout_ms = 600_000;
    let world = pair(setting).await;
    let mut bob = world.connect("bob").await;
    let held = world.store.readers.free.acquire_many(READERS).await.unwrap();
    for _ in 0..2 * READERS {
        bob.send("me.get", json!({})).await;
    }
    // Its answer says that those before it have begun.
    bob.ask("ping", json!({})).await.unwrap();
    // More than the buffers between the two take.
    let mut ann = world.connect("ann").await;
    let long = "x".repeat(16_000);
    for _ in 0..1000 {
        ann.ask("message.send", json!({"room": "flock", "content": {"type": "text", "text": long}})).await.unwrap();
    }
    drop(held);
    world.call("ann", "GET /v1/me", Value::Null).await.ok();
}

/// The same while the connection waits for something that it needs itself: here, whose a token is.
#[tokio::test(flavor = "multi_thread")]
async fn requests_on_their_way_go_on_while_a_token_is_renewed() {
    let world = pair(Setting::default()).await;
    let login = json!({"id": "bob", "password": PASSWORD});
    let other = world.call("", "POST /v1/auth/login", login).await.ok();
    let mut bob = world.connect("bob").await;
    let held = world.store.readers.free.acquire_many(READERS).await.unwrap();
    let mut asked = world.store.readers.asked.subscribe();
    let before = *asked.borrow_and_update();
    for _ in 0..2 * READERS {
        bob.send("me.get", json!({})).await;
    }
    bob.send("token.renew", json!({"token": other["access_token"]})).await;
    // All have begun, and the look at a device that is not remembered.
    let all = before + 2 * READERS as usize + 1;
    timeout(PATIENCE, asked.wait_for(|asked| *asked >= all)).await.expect("all are asked").unwrap();
    drop(held);
    world.call("ann", "GET /v1/me", Value::Null).await.ok();
}

/// Nor does one that sends so much that there is always something to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_keeps_no_reader_from_others() {
    let world = pair(Setting::default()).await;
    let mut bob = world.connect("bob").await;
    let held = world.store.readers.free.acquire_many(READERS).await.unwrap();
    for _ in 0..2 * READERS {
        bob.send("me.get", json!({})).await;
    }
    bob.ask("ping", json!({})).await.unwrap();
    bob.send_message(Message::Frame(Frame::message(Vec::new(), OpCode::Data(Data::Text), false))).await;
    let pieces = [0x00, 0x80, 0, 0, 0, 0].repeat(100_000);
    for _ in 0..20 {
        bob.send_bytes(&pieces).await;
    }
    let flooding = tokio::spawn(async move { bob.flood(&pieces).await });
    drop(held);
    world.call("ann", "GET /v1/me", Value::Null).await.ok();
    flooding.abort();
}

/// Pieces of a message that never ends, so many that there is always something to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_does_not_hold_the_clock_up() {
    let mut setting = Setting::default();
    (setting.door.ping_interval_ms, setting.door.silence_timeout_ms) = (50, 400);
    let world = World::with(setting, &["ann"]).await;
    let mut ann = world.connect("ann").await;
    let first = Frame::message(Vec::new(), OpCode::Data(Data::Text), false);
    ann.send_message(Message::Frame(first)).await;
    // Continuations without a payload, masked with zeros.
    let pieces = [0x00, 0x80, 0, 0, 0, 0].repeat(100_000);
    timeout(PATIENCE, ann.flood(&pieces)).await.expect("it is silent for too long");
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_have_a_pace() {
    let world = World::with(Setting::default(), &["ann"]).await;
    for mut socket in [Socket::open(world.address).await, world.connect("ann").await] {
        for _ in 0..25 {
            socket.send_message(Message::Ping(Vec::new().into())).await;
        }
        assert_eq!(socket.closed().await, Some(4429));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sends_short_frames() {
    let world = World::with(Setting::default(), &["ann"]).await;
    let mut socket = Socket::open(world.address).await;
    socket.send("connect", json!({"token": "x".repeat(5000)})).await;
    assert_eq!(socket.closed().await, Some(4400));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_reach_the_store_with_every_request() {
    let world = World::new(Setting::default()).await;
    for path in ["/v1/server", "/readyz"] {
        let (before, started) = (world.store.small_reads.load(Ordering::Relaxed), Instant::now());
        for _ in 0..50 {
            assert_eq!(world.call("", &format!("GET {path}"), Value::Null).await.status, 200);
        }
        let reads = world.store.small_reads.load(Ordering::Relaxed) - before;
        assert!(reads as u64 <= 1 + started.elapsed().as_secs(), "{path}: {reads}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_token_have_a_budget_by_address() {
    let mut setting = Setting::default();
    setting.door.open_requests_per_second = 1.try_into().unwrap();
    let world = World::with(setting, &["ann"]).await;
    let mut left = (0..5).rev();
    for path in ["/v1/server", "/livez", "/v1/openapi.json", "/", "/nowhere"] {
        let answer = world.call("", &format!("GET {path}"), Value::Null).await;
        assert!(answer.status == 200 || answer.code() == "not_found");
        // One more may have come back meanwhile.
        let expect = left.next().unwrap();
        let said = answer.header("ratelimit").unwrap();
        assert!((expect..5).any(|left| said.starts_with(&format!("\"requests\";r={left};t="))), "{path}: {said}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=5"));
    }
    let mut refused = world.call("", "GET /readyz", Value::Null).await;
    while refused.status == 200 {
        refused = world.call("", "GET /readyz", Value::Null).await;
    }
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("rate_limited", Some("1")));
    // Those who have signed in, and who are about to, are not concerned.
    world.call("ann", "GET /v1/me", Value::Null).await.ok();
    let login = world.call("", "POST /v1/auth/login", json!({"id": "ann", "password": PASSWORD})).await;
    assert!(login.status == 200 && login.header("ratelimit").is_some());
}
