//! What a stranger or a greedy client can make the server hold or do: large answers, pings, requests without a token.

use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

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
