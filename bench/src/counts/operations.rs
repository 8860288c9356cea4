//! The operations that are counted.

use std::pin::Pin;
use std::sync::Arc;

use domain::{CommitNumber, Content, Cut, Event, EventBody, RECEIPTS_MEMBERS_MAX, RoomId, Seq, Timestamp, UserId};
use engine::{Delivery, Flow, Happening, History, Sync};
use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::marks;
use crate::socket::{Socket, serve};
use crate::world::{TEXT_BYTES, World, client_id, message, text};

/// The room, where there is one only.
const ROOM: &str = "room-0000";
/// Messages before the first that counts: by then the memtable is full, and takes as much as it gives.
const WARM_UP: u64 = 1024;

/// Members of the group that is told something.
const MEMBERS: usize = 1000;
/// Connections of the group that is told something over sockets.
const SOCKETS: usize = 200;
/// Rooms in which people talk.
const ROOMS: usize = 64;
/// Rooms of the user who syncs.
const READER_ROOMS: usize = 1000;
/// Messages of the room that is read.
const HISTORY_MESSAGES: u64 = 1000;
/// Events of a page.
const PAGE: usize = 50;
/// Commits elsewhere after the one that a client knows.
const COMMITS_ELSEWHERE: u64 = 10;

/// What is counted.
pub struct Operation {
    pub name: &'static str,
    pub what: &'static str,
    /// How many times it is done while it is counted.
    pub times: u64,
    /// What it is counted for: messages of a group, receivers of a message.
    pub each: u64,
    pub run: fn(u64) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

macro_rules! operation {
    ($name:ident, $times:expr, $each:expr, $what:expr) => {
        Operation {
            name: stringify!($name),
            what: $what,
            times: $times,
            each: $each as u64,
            run: |times| Box::pin($name(times)),
        }
    };
}

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    operation!(read_frame, 10_000, 1, "read a message.send frame into a command"),
    operation!(encode_push, 10_000, 1, "encode the push of a message"),
    operation!(authenticate, 5_000, 1, "authenticate an access token"),
    operation!(message_in_memory, 2_000, 1, "check and commit a message, store in memory"),
    operation!(message_on_disk, 500, 1, "check and commit a message, SQLite, one by one"),
    operation!(message_on_disk_in_64, 50, 64, "the same, groups of 64; each message"),
    operation!(fan_out, 30, MEMBERS, "tell 1,000 members' sessions of a message; each member"),
    operation!(sync_nothing, 1_000, 1, "sync of 1,000 rooms, nothing new, 10 commits elsewhere"),
    operation!(history_page, 150, 1, "a page of 50 messages"),
    operation!(connect_socket, 100, 1, "connect a WebSocket: TCP, upgrade, token, session"),
    operation!(message_over_socket, 1_000, 1, "a message over a WebSocket: answer and own push, store in memory"),
    operation!(deliver_over_socket, 25, SOCKETS, "a message to 200 WebSockets; each of them"),
];

/// The operation of this name.
pub fn find(name: &str) -> Result<&'static Operation, String> {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        format!("there is no operation `{name}`; there are {}", names.join(", "))
    })
}

async fn read_frame(times: u64) {
    let frame = send_frame(7);
    marks::begin();
    for _ in 0..times {
        assert!(door_web::counted::reads_command(std::hint::black_box(&frame)));
    }
    marks::end();
}

async fn encode_push(times: u64) {
    let event = Arc::new(Event {
        room: RoomId::new(ROOM).expect("an id"),
        seq: Seq(1234),
        commit: CommitNumber(56_789),
        at: Timestamp(1_800_000_000_000),
        sender: UserId::new("person-0000").expect("an id"),
        client_id: Some(client_id(7)),
        number: 1000,
        body: EventBody::message(Content::plain(text()), None),
    });
    marks::begin();
    for _ in 0..times {
        let delivery = Delivery::new(Happening::Event(event.clone()));
        assert!(door_web::counted::push_bytes(std::hint::black_box(&delivery)) > TEXT_BYTES);
    }
    marks::end();
}

async fn authenticate(times: u64) {
    let world = World::in_memory(0).await;
    let (_, token) = world.registered().await;
    // The first time the store is asked for the device.
    for number in 0..=times {
        if number == 1 {
            marks::begin();
        }
        world.engine.authenticate(std::hint::black_box(&token)).await.expect("the token is good");
    }
    marks::end();
}

async fn message_in_memory(times: u64) {
    one_by_one(&World::in_memory(1).await, times).await;
}

async fn message_on_disk(times: u64) {
    one_by_one(&World::on_disk(1).await, times).await;
}

async fn one_by_one(world: &World, times: u64) {
    let speaker = &world.people[0];
    let rooms = world.rooms("room", ROOMS, speaker).await;
    for number in 0..WARM_UP + times {
        if number == WARM_UP {
            marks::begin();
        }
        world.say(speaker, &rooms[number as usize % ROOMS], number).await;
    }
    marks::end();
}

async fn message_on_disk_in_64(times: u64) {
    let world = World::on_disk(1).await;
    let rooms = world.rooms("room", ROOMS, &world.people[0]).await;
    let lane = world.engine.lane(&world.people[0]);
    let warm_up = WARM_UP / ROOMS as u64;
    for round in 0..warm_up + times {
        if round == warm_up {
            marks::begin();
        }
        let mut receipts = JoinSet::new();
        for (number, room) in (0..).zip(&rooms) {
            let client_id = client_id(round * ROOMS as u64 + number);
            receipts.spawn(lane.submit(message(room), Some(client_id)).await.receipt());
        }
        for receipt in receipts.join_all().await {
            receipt.expect("may speak");
        }
    }
    marks::end();
}

async fn fan_out(times: u64) {
    let world = World::in_memory(MEMBERS).await;
    let room = world.group(ROOM, &world.people).await;
    let mut sessions = Vec::new();
    for person in &world.people {
        sessions.push(world.engine.subscribe(person).await.expect("the device lives"));
    }
    let mut told = Vec::new();
    // With the first message the room becomes active.
    for number in 0..=times {
        if number == 1 {
            marks::begin();
        }
        world.say(&world.people[0], &room, number).await;
        for session in &sessions {
            assert_eq!(session.next(&mut told).await, Flow::Deliver);
            assert!(!told.is_empty());
            told.clear();
        }
    }
    marks::end();
}

async fn sync_nothing(times: u64) {
    let world = World::on_disk(2).await;
    world.rooms("mine", READER_ROOMS, &world.people[0]).await;
    let elsewhere = world.group("elsewhere", &world.people[1..]).await;
    let since = world.head().await;
    for number in 0..COMMITS_ELSEWHERE {
        world.say(&world.people[1], &elsewhere, number).await;
    }
    let world = world.opened_again().await;
    let reader = &world.people[0];
    // The first one reads the pages of the file.
    for number in 0..=times {
        if number == 1 {
            marks::begin();
        }
        let view = world.engine.query(reader, Sync { since }).await.expect("the store answers");
        assert!(view.rooms.is_empty());
    }
    marks::end();
}

async fn history_page(times: u64) {
    let world = World::on_disk(1).await;
    let room = world.group(ROOM, &world.people).await;
    join_all((0..HISTORY_MESSAGES).map(|number| world.say(&world.people[0], &room, number))).await;
    let world = world.opened_again().await;
    let reader = &world.people[0];
    let page = async |number: u64| {
        let before = Seq(PAGE as u64 + 1 + number * 7 % (HISTORY_MESSAGES / 2));
        let query = History { room: room.clone(), cut: Cut::Before(before), limit: PAGE };
        let view = world.engine.query(reader, query).await.expect("may read");
        assert_eq!(view.entries.len(), PAGE);
    };
    for number in 0..times {
        page(number).await;
    }
    marks::begin();
    for number in 0..times {
        page(number).await;
    }
    marks::end();
}

async fn connect_socket(times: u64) {
    let world = World::in_memory(0).await;
    let (_, token) = world.registered().await;
    let address = serve(&world.engine).await;
    for number in 0..=times {
        if number == 1 {
            marks::begin();
        }
        drop(Socket::connect(address, &token).await);
        // Its end is a part of it.
        while world.engine.sessions_open() > 0 {
            tokio::task::yield_now().await;
        }
    }
    marks::end();
}

async fn message_over_socket(times: u64) {
    let world = World::in_memory(0).await;
    let (ann, token) = world.registered().await;
    world.group(ROOM, &[ann]).await;
    let mut socket = Socket::connect(serve(&world.engine).await, &token).await;
    let frames: Vec<String> = (0..WARM_UP + times).map(send_frame).collect();
    for (number, frame) in (0..).zip(&frames) {
        if number == WARM_UP {
            marks::begin();
        }
        socket.send(frame).await;
        // The answer, the push of the message, and that of the sender's cursors.
        for _ in 0..3 {
            socket.read(b"{").await;
        }
    }
    marks::end();
}

async fn deliver_over_socket(times: u64) {
    // So many that they don't see each other's cursors.
    let world = World::in_memory(RECEIPTS_MEMBERS_MAX as usize + 1).await;
    let (listener, token) = world.registered().await;
    let room = world.group(ROOM, &world.people).await;
    world.join(&room, &[listener]).await;
    let address = serve(&world.engine).await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(Socket::connect(address, &token).await);
    }
    for number in 0..=times {
        if number == 1 {
            marks::begin();
        }
        world.say(&world.people[0], &room, number).await;
        for socket in &mut sockets {
            socket.read(br#"{"push":"event""#).await;
        }
    }
    marks::end();
}

fn send_frame(number: u64) -> String {
    let (client_id, text) = (client_id(number), text());
    let content = format!(r#"{{"type":"text","text":"{text}"}}"#);
    let params = format!(r#"{{"room":"{ROOM}","client_id":"{client_id}","content":{content}}}"#);
    format!(r#"{{"id":{number},"op":"message.send","params":{params}}}"#)
}
