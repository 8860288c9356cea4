//! Every error code over REST and, where it applies, over WebSocket: its status and form, and that nothing has changed.

use std::collections::BTreeSet;

use domain::{AppSettings, UserId};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{check_problem, read_answer, request};
use crate::rigged::Fault;
use crate::websocket::{Came, Socket};
use crate::world::{PASSWORD, Setting, World, app};

/// A request that must fail: the code, who asks, the REST call, and the same as an operation.
struct Case(&'static str, &'static str, String, Value, Option<(&'static str, Value)>);

struct Transcript {
    world: World,
    seen: BTreeSet<String>,
}

impl Transcript {
    async fn rest(&mut self, code: &str, person: &str, line: &str, body: Value) {
        let before = self.world.state().await;
        let answer = self.world.call(person, line, body).await;
        assert_eq!(answer.code(), code, "{line}: {}", answer.text());
        assert_eq!(self.world.state().await, before, "{line} changed something");
        self.seen.insert(code.to_owned());
    }

    async fn raw(&mut self, code: &str, line: &str, headers: &[(&str, &str)], body: &[u8]) {
        let before = self.world.state().await;
        let bearer = format!("Bearer {}", self.world.token("ann"));
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let answer = request(self.world.address, line, &all, body).await;
        assert_eq!(answer.code(), code, "{line}: {}", answer.text());
        assert_eq!(self.world.state().await, before, "{line} changed something");
        self.seen.insert(code.to_owned());
    }

    async fn socket(&mut self, code: &str, person: &str, op: &str, params: Value) {
        let mut socket = self.world.connect(person).await;
        let before = self.world.state().await;
        let problem = socket.ask(op, params).await.expect_err(op);
        assert_eq!(check_problem(&problem), code, "{op}: {problem}");
        assert_eq!(self.world.state().await, before, "{op} changed something");
        self.seen.insert(code.to_owned());
    }

    async fn check(&mut self, Case(code, person, line, body, operation): Case) {
        self.rest(code, person, &line, body).await;
        if let Some((op, params)) = operation {
            self.socket(code, person, op, params).await;
        }
    }
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_has_a_case() {
    let people = ["ann", "bob", "carol", "dave", "eve", "pat", "quin", "ray"];
    let mut world = World::with(Setting::default(), &people).await;
    world.engine.operator().create_app(app("other"), AppSettings::open("Other")).await.unwrap();
    world.register("other", "zoe").await;
    let ok = async |person: &str, line: &str, body: Value| world.call(person, line, body).await.ok();

    ok("ann", "POST /v1/rooms", json!({"id": "flock", "invite": ["bob", "eve"]})).await;
    ok("bob", "POST /v1/rooms/flock/join", Value::Null).await;
    ok("eve", "POST /v1/rooms/flock/join", Value::Null).await;
    ok("eve", "POST /v1/rooms/flock/leave", Value::Null).await;
    ok("ann", "POST /v1/rooms", json!({"id": "garden", "settings": {"join_rule": "open"}})).await;
    // Nobody has looked into this one, so nothing of it is kept in memory.
    ok("ann", "POST /v1/rooms", json!({"id": "meadow", "settings": {"join_rule": "open"}})).await;
    let pair = ok("ann", "POST /v1/rooms/direct", json!({"user": "bob"})).await;
    let pair = pair["id"].as_str().unwrap().to_owned();
    ok("zoe", "POST /v1/rooms", json!({"id": "elsewhere"})).await;
    let of_ann = world.say("ann", "flock", "hello").await;
    let deleted = world.say("bob", "flock", "oops").await;
    ok("bob", &format!("DELETE /v1/rooms/flock/messages/{deleted}"), Value::Null).await;
    let sent = json!({"client_id": "c-1", "content": text("once")});
    ok("ann", "POST /v1/rooms/flock/messages", sent).await;
    let liked = world.say("ann", "garden", "like me").await;
    for person in ["bob", "pat", "quin", "ray"] {
        ok(person, "POST /v1/rooms/garden/join", Value::Null).await;
        let keys: Vec<String> = (0..16).map(|n| format!("{person}{n}")).collect();
        ok(person, &format!("PUT /v1/rooms/garden/messages/{liked}/reactions"), json!({"keys": keys})).await;
    }

    let at = |room: &str, rest: &str| format!("/v1/rooms/{room}{rest}");
    let hello = || json!({"content": text("hello")});
    let in_room = |room: &str, mut params: Value| {
        params["room"] = room.into();
        params
    };
    let zoes_device = world.people["zoe"]["device"]["id"].as_str().unwrap().to_owned();
    let cases = vec![
        Case(
            "invalid_request",
            "ann",
            format!("POST {}", at("flock", "/messages")),
            json!({"content": text("")}),
            Some(("message.send", in_room("flock", json!({"content": text(" ")})))),
        ),
        Case(
            "invalid_request",
            "ann",
            format!("GET {}", at("flock", "/events?before=3&after=1")),
            Value::Null,
            Some(("event.list", in_room("flock", json!({"limit": 1000})))),
        ),
        Case("not_found", "ann", "GET /v1/nothing".to_owned(), Value::Null, None),
        Case("method_not_allowed", "ann", "PUT /v1/server".to_owned(), Value::Null, None),
        Case(
            "unknown_user",
            "ann",
            format!("POST {}", at("flock", "/members")),
            json!({"user": "nobody"}),
            Some(("member.invite", in_room("flock", json!({"user": "Not An Id"})))),
        ),
        Case(
            "unknown_user",
            "ann",
            format!("POST {}", at("flock", "/members")),
            json!({"user": "zoe"}),
            Some(("room.direct", json!({"user": "zoe"}))),
        ),
        Case("unknown_user", "ann", "GET /v1/users/zoe".to_owned(), Value::Null, None),
        Case(
            "unknown_device",
            "ann",
            "DELETE /v1/devices/none".to_owned(),
            Value::Null,
            Some(("device.revoke", json!({"device": "none"}))),
        ),
        Case(
            "unknown_device",
            "ann",
            format!("DELETE /v1/devices/{zoes_device}"),
            Value::Null,
            Some(("device.revoke", json!({"device": zoes_device}))),
        ),
        Case(
            "unknown_room",
            "ann",
            format!("GET {}", at("none", "")),
            Value::Null,
            Some(("room.get", json!({"room": "none"}))),
        ),
        Case(
            "unknown_room",
            "carol",
            format!("GET {}", at("flock", "/events")),
            Value::Null,
            Some(("event.list", json!({"room": "flock"}))),
        ),
        Case(
            "unknown_room",
            "carol",
            format!("POST {}", at("flock", "/messages")),
            hello(),
            Some(("message.send", in_room("flock", hello()))),
        ),
        Case(
            "unknown_room",
            "ann",
            format!("POST {}", at("elsewhere", "/messages")),
            hello(),
            Some(("message.send", in_room("elsewhere", hello()))),
        ),
        Case(
            "unknown_room",
            "ann",
            format!("GET {}", at("%20not%20an%20id", "")),
            Value::Null,
            Some(("room.get", json!({"room": "Not An Id"}))),
        ),
        Case(
            "unknown_message",
            "ann",
            format!("PUT {}", at("flock", "/messages/999")),
            hello(),
            Some(("message.edit", in_room("flock", json!({"seq": 999, "content": text("x")})))),
        ),
        Case(
            "unknown_message",
            "ann",
            format!("PUT {}", at("flock", &format!("/messages/{}", u64::MAX))),
            hello(),
            Some(("message.delete", in_room("flock", json!({"seq": u64::MAX})))),
        ),
        Case(
            "message_deleted",
            "bob",
            format!("PUT {}", at("flock", &format!("/messages/{deleted}"))),
            hello(),
            Some(("reaction.set", in_room("flock", json!({"seq": deleted, "keys": ["x"]})))),
        ),
        Case(
            "room_exists",
            "ann",
            "POST /v1/rooms".to_owned(),
            json!({"id": "flock"}),
            Some(("room.create", json!({"id": "flock"}))),
        ),
        Case(
            "not_a_member",
            "eve",
            format!("POST {}", at("flock", "/messages")),
            hello(),
            Some(("typing.set", in_room("flock", json!({"typing": true})))),
        ),
        Case(
            "not_a_member",
            "carol",
            format!("GET {}", at("garden", "/members")),
            Value::Null,
            Some(("cursor.set", in_room("garden", json!({"read": 1})))),
        ),
        Case(
            "not_invited",
            "eve",
            format!("POST {}", at("flock", "/join")),
            Value::Null,
            Some(("room.join", json!({"room": "flock"}))),
        ),
        Case(
            "already_member",
            "ann",
            format!("POST {}", at("flock", "/members")),
            json!({"user": "bob"}),
            Some(("member.invite", in_room("flock", json!({"user": "bob"})))),
        ),
        Case(
            "level_too_low",
            "bob",
            format!("PATCH {}", at("flock", "")),
            json!({"settings": {"name": "Mine"}}),
            Some(("member.level", in_room("flock", json!({"user": "ann", "level": 0})))),
        ),
        Case(
            "not_your_message",
            "bob",
            format!("PUT {}", at("flock", &format!("/messages/{of_ann}"))),
            hello(),
            Some(("message.edit", in_room("flock", json!({"seq": of_ann, "content": text("x")})))),
        ),
        Case(
            "last_owner",
            "ann",
            format!("POST {}", at("flock", "/leave")),
            Value::Null,
            Some(("room.leave", json!({"room": "flock"}))),
        ),
        Case(
            "direct_room_fixed",
            "ann",
            format!("POST {}", at(&pair, "/members")),
            json!({"user": "carol"}),
            Some(("room.update", in_room(&pair, json!({"settings": {"name": "x"}})))),
        ),
        Case(
            "too_many_reactions",
            "ann",
            format!("PUT {}", at("garden", &format!("/messages/{liked}/reactions"))),
            json!({"keys": ["x"]}),
            Some(("reaction.set", in_room("garden", json!({"seq": liked, "keys": ["x"]})))),
        ),
        // The window of client ids is the device's, so the socket of the same device has the same.
        Case(
            "client_id_reused",
            "ann",
            format!("POST {}", at("flock", "/messages")),
            json!({"client_id": "c-1", "content": text("twice")}),
            Some(("message.send", in_room("flock", json!({"client_id": "c-1", "content": text("twice")})))),
        ),
        Case("admin_only", "bob", "GET /v1/statistics".to_owned(), Value::Null, None),
        Case(
            "wrong_credentials",
            "",
            "POST /v1/auth/login".to_owned(),
            json!({"id": "ann", "password": "wrong horse"}),
            None,
        ),
        Case(
            "wrong_credentials",
            "",
            "POST /v1/auth/login".to_owned(),
            json!({"id": "nobody", "password": PASSWORD}),
            None,
        ),
        Case(
            "wrong_credentials",
            "ann",
            "POST /v1/auth/password".to_owned(),
            json!({"current_password": "wrong horse", "new_password": "battery staple"}),
            None,
        ),
        Case("user_exists", "", "POST /v1/auth/register".to_owned(), json!({"id": "ann", "password": PASSWORD}), None),
        Case(
            "setup_token_invalid",
            "",
            "POST /v1/auth/register".to_owned(),
            json!({"id": "admin", "password": PASSWORD, "setup_token": "guessed"}),
            None,
        ),
        Case(
            "unknown_app",
            "",
            "POST /v1/auth/login".to_owned(),
            json!({"app": "none", "id": "ann", "password": PASSWORD}),
            None,
        ),
        Case("unauthenticated", "", "GET /v1/me".to_owned(), Value::Null, None),
        Case("unauthenticated", "", "POST /v1/auth/refresh".to_owned(), json!({"refresh_token": "guessed"}), None),
    ];
    let mut transcript = Transcript { world, seen: BTreeSet::new() };
    for case in cases {
        transcript.check(case).await;
    }
    transcript.socket("unknown_operation", "ann", "room.fly", json!({"room": "flock"})).await;
    malformed(&mut transcript).await;
    apps(&mut transcript).await;
    faults(&mut transcript).await;
    tokens(&mut transcript).await;
    drained(&mut transcript).await;
    rates(&mut transcript.seen).await;
    slow(&mut transcript.seen).await;

    let all: BTreeSet<String> = wire::Code::ALL.iter().map(|code| code.info().code.to_owned()).collect();
    let missing: Vec<&String> = all.difference(&transcript.seen).collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
}

async fn malformed(transcript: &mut Transcript) {
    let json_type = [("content-type", "application/json")];
    let line = "POST /v1/rooms/flock/messages";
    let deep = format!("{{\"content\": {}", "[".repeat(100_000));
    let bodies: [&[u8]; 6] =
        [b"{", b"", b"{\"content\": nonsense}", b"{} {}", deep.as_bytes(), b"{\"client_id\": \"\xff\xfe\"}"];
    for body in bodies {
        transcript.raw("malformed_json", line, &json_type, body).await;
    }
    transcript.raw("invalid_request", line, &json_type, b"[1, 2]").await;
    transcript.raw("invalid_request", line, &json_type, b"{\"content\": 5}").await;
    transcript.raw("invalid_request", line, &json_type, b"{\"content\": {\"type\": \"text\", \"text\": 5}}").await;
    transcript.raw("unsupported_media_type", line, &[("content-type", "text/plain")], b"{}").await;
    transcript.raw("unsupported_media_type", line, &[], b"{}").await;
    transcript.raw("payload_too_large", line, &json_type, &vec![b'x'; 10 * 1024 * 1024]).await;

    let mut socket = transcript.world.connect("ann").await;
    for text in ["nonsense".to_owned(), format!("{{\"id\": 0, \"op\": \"sync\", \"params\": {}", "[".repeat(1000))] {
        socket.send_text(text).await;
        let problem = socket.response(0).await.expect_err("malformed");
        assert_eq!(check_problem(&problem), "malformed_json");
    }
}

/// Codes that depend on an app's settings.
async fn apps(transcript: &mut Transcript) {
    let default = app("default");
    let open = AppSettings::open("Default");
    let closed = AppSettings { registration_open: false, directory_open: false, ..open.clone() };
    transcript.world.engine.operator().update_app(&default, closed).await.unwrap();
    let new = json!({"id": "late", "password": PASSWORD});
    transcript.rest("registration_closed", "", "POST /v1/auth/register", new).await;
    transcript.rest("directory_closed", "ann", "GET /v1/users?query=b", Value::Null).await;
    transcript.socket("directory_closed", "ann", "user.search", json!({"query": "b"})).await;
    transcript.world.engine.operator().update_app(&default, open).await.unwrap();
}

/// Codes that say that it is not the caller's fault.
async fn faults(transcript: &mut Transcript) {
    let line = "POST /v1/rooms/flock/messages";
    let body = json!({"content": {"type": "text", "text": "x"}});
    let params = json!({"room": "flock", "content": {"type": "text", "text": "x"}});
    for (fault, code) in [(Fault::Unwritable, "storage_unavailable"), (Fault::Conflicts, "overloaded")] {
        transcript.world.store.set(fault);
        transcript.rest(code, "ann", line, body.clone()).await;
        transcript.socket(code, "ann", "message.send", params.clone()).await;
    }
    transcript.world.store.set(Fault::FullRooms);
    transcript.rest("room_full", "carol", "POST /v1/rooms/meadow/join", Value::Null).await;
    transcript.socket("room_full", "carol", "room.join", json!({"room": "meadow"})).await;

    transcript.world.store.set(Fault::Panics);
    let answer = transcript.world.call("ann", "GET /v1/users/bob", Value::Null).await;
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    transcript.rest("internal", "ann", "GET /v1/users/bob", Value::Null).await;
    transcript.socket("internal", "ann", "me.get", json!({})).await;
    transcript.world.store.set(Fault::None);
    transcript.world.call("ann", "GET /v1/users/bob", Value::Null).await.ok();
}

async fn tokens(transcript: &mut Transcript) {
    let refused = async |transcript: &mut Transcript, token: &str, code: &str| {
        let mut socket = Socket::open(transcript.world.address).await;
        let problem = socket.ask("connect", json!({"token": token})).await.expect_err("refused");
        assert_eq!(check_problem(&problem), code);
        assert_eq!(socket.closed().await, Some(4401));
        let bearer = format!("Bearer {token}");
        let answer = request(transcript.world.address, "GET /v1/me", &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.code(), code);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        transcript.seen.insert(code.to_owned());
    };
    refused(transcript, "guessed", "unauthenticated").await;

    transcript.world.clock.set_ahead(60 * 60 * 1000);
    let token = transcript.world.token("bob").to_owned();
    refused(transcript, &token, "token_expired").await;
    transcript.world.clock.set_ahead(0);

    let token = transcript.world.token("quin").to_owned();
    transcript.world.call("quin", "POST /v1/auth/logout", Value::Null).await.ok();
    refused(transcript, &token, "token_revoked").await;

    let first = json!({"refresh_token": transcript.world.people["ray"]["refresh_token"]});
    let fresh = transcript.world.call("", "POST /v1/auth/refresh", first.clone()).await.ok();
    let next = json!({"refresh_token": fresh["refresh_token"]});
    transcript.world.call("", "POST /v1/auth/refresh", next).await.ok();
    let answer = transcript.world.call("", "POST /v1/auth/refresh", first).await;
    assert_eq!(answer.code(), "refresh_reused");
    transcript.seen.insert("refresh_reused".to_owned());

    let dave = UserId::new("dave").unwrap();
    transcript.world.engine.operator().set_disabled(&app("default"), &dave, true).await.unwrap();
    transcript.rest("user_disabled", "", "POST /v1/auth/login", json!({"id": "dave", "password": PASSWORD})).await;
}

async fn drained(transcript: &mut Transcript) {
    transcript.world.call("", "GET /readyz", Value::Null).await;
    transcript.world.engine.drain(0);
    transcript.rest("draining", "", "GET /readyz", Value::Null).await;
    transcript.rest("invalid_request", "", "GET /v1/ws", Value::Null).await;
    let upgrade = [
        ("connection", "upgrade, close"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let answer = request(transcript.world.address, "GET /v1/ws", &upgrade, b"").await;
    assert_eq!(answer.code(), "draining");
}

async fn rates(seen: &mut BTreeSet<String>) {
    let mut setting = Setting::default();
    (setting.engine.requests_per_second, setting.engine.requests_burst) = (1, 5);
    setting.door.sign_ins_per_minute = 2.try_into().unwrap();
    setting.door.refused_requests_max = 4;
    let world = World::with(setting, &["ann", "bob"]).await;

    let third = world.call("", "POST /v1/auth/login", json!({"id": "ann", "password": PASSWORD})).await;
    assert_eq!(third.code(), "rate_limited");
    assert!(third.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);

    for left in (0..5).rev() {
        let answer = world.call("ann", "GET /v1/me", Value::Null).await;
        answer.ok();
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=5"));
        let limit = answer.header("ratelimit").unwrap();
        assert!(limit.starts_with(&format!("\"requests\";r={left};t=")), "{limit}");
    }
    let answer = world.call("ann", "GET /v1/me", Value::Null).await;
    assert_eq!(answer.code(), "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("1"));

    let mut socket = world.connect("bob").await;
    for _ in 0..4 {
        socket.ask("ping", json!({})).await.expect("within the rate");
    }
    for _ in 0..4 {
        let problem = socket.ask("ping", json!({})).await.expect_err("too fast");
        assert_eq!(check_problem(&problem), "rate_limited");
        assert!(problem["retry_after_ms"].as_u64().unwrap() > 0);
    }
    assert_eq!(socket.next().await, Came::Closed(Some(4429)));
    seen.insert("rate_limited".to_owned());
}

/// A body that doesn't come, and a head that doesn't.
async fn slow(seen: &mut BTreeSet<String>) {
    let mut setting = Setting::default();
    (setting.net.body_read_timeout_ms, setting.net.header_read_timeout_ms) = (100, 100);
    let world = World::with(setting, &["ann"]).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /v1/rooms HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        world.token("ann")
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut socket).await.code(), "request_timeout");
    seen.insert("request_timeout".to_owned());
}
