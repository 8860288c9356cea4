//! Starling's WebSocket (RFC 6455): JSON in text frames.
//!
//! Frames are recognised by how Starling's answers begin, and read as JSON only where something in them is needed, so that the
//! driver takes as little of the machine as it can.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use serde_json::Value;
use wire::{
    Connect, Content, CreateRoom, EventRange, InRoom, JoinRule, OpenDirect, Operation, Plain, Request, RoomSettings,
    SendMessage, SetCursors, SetTyping, SyncRequest, TextContent, TextFormat,
};

use super::websocket::{Frame, put_pong, put_text, take_frame};
use super::{CROWD, Codec, Event, Person, Question, STORED, To};

/// Where the driver's people come from: `starling dev --people`.
pub fn user(person: Person) -> String {
    format!("person-{person}")
}

fn group_room(group: u32) -> String {
    match group {
        CROWD => "crowd".to_owned(),
        STORED.. => format!("load-{}", group - STORED),
        _ => format!("group-{group}"),
    }
}

/// Where the frames of a connection stand.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The answer to the upgrade is to come.
    Upgrade,
    /// The answer to `connect` is to come.
    Connect,
    /// More of what was missed is to come.
    CatchUp,
    Open,
}

/// A connection of one device.
#[derive(Debug)]
pub struct Starling {
    host: String,
    token: String,
    /// The commit that is known; everything after it is asked for when connecting.
    since: u64,
    stage: Stage,
    next_id: u64,
    rooms: HashMap<To, String>,
    /// Questions for rooms that are on their way.
    joining: HashMap<u64, To>,
    /// Usually none, or one.
    syncing: Vec<Syncing>,
    /// Which one the others don't have: the name of this connection in client ids.
    name: String,
    /// The last seq of each room that is known, where somebody wants to know it.
    heads: Option<HashMap<String, u64>>,
}

/// A sync that is on its way.
#[derive(Debug)]
struct Syncing {
    /// What was asked.
    asked: u64,
    /// The request for its next part.
    part: u64,
}

impl Starling {
    pub fn new(host: String, token: String, since: u64, name: String) -> Self {
        let (rooms, joining) = (HashMap::new(), HashMap::new());
        Self {
            host,
            token,
            since,
            stage: Stage::Upgrade,
            next_id: 1,
            rooms,
            joining,
            syncing: Vec::new(),
            name,
            heads: None,
        }
    }

    /// The same, and it looks at how far the rooms are, to be able to say that they have been read.
    pub fn with_heads(mut self) -> Self {
        self.heads = Some(HashMap::new());
        self
    }

    fn request(&mut self, operation: Operation, out: &mut Vec<u8>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let json = serde_json::to_vec(&Request { id, operation }).expect("operations have string keys only");
        put_text(&json, out);
        id
    }

    fn room(&self, to: To) -> Result<String> {
        match (self.rooms.get(&to), to) {
            (Some(room), _) => Ok(room.clone()),
            // Joined by a connection before this one.
            (None, To::Group(group)) => Ok(group_room(group)),
            (None, To::Person(_)) => bail!("has not joined"),
        }
    }

    fn read_text(&mut self, text: &str, out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if let Some(push) = text.strip_prefix(r#"{"push":""#) {
            if push.starts_with("event") {
                if let (Some(heads), Some((room, seq))) = (&mut self.heads, place(push)) {
                    heads.insert(room.to_owned(), seq);
                }
                if let Some(text) = message_text(push) {
                    see(Event::Message(text));
                }
            } else if push.starts_with("resync") {
                bail!("the driver is too slow: the server dropped what it should have got");
            }
            return Ok(());
        }
        let rest = text.strip_prefix(r#"{"id":"#).context("a frame that is neither a push nor an answer")?;
        let (id, rest) = rest.split_once(',').context("an answer without anything in it")?;
        let id: u64 = id.parse().context("an answer without a number")?;
        if rest.starts_with(r#""error""#) {
            let answer: Value = serde_json::from_str(text)?;
            let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
            ensure!(self.stage == Stage::Open, "can't connect: {code}");
            see(Event::Refused(id, code));
            return Ok(());
        }
        if self.stage == Stage::Connect {
            let answer: Value = serde_json::from_str(text)?;
            self.stage = Stage::CatchUp;
            self.syncing.push(Syncing { asked: id, part: id });
            return self.read_sync(id, &answer["result"]["sync"], out, see);
        }
        if let Some(to) = self.joining.remove(&id) {
            let answer: Value = serde_json::from_str(text)?;
            let result = &answer["result"];
            let room = result["id"].as_str().or(result["room"].as_str());
            let room = room.context("an answer that names no room")?.to_owned();
            if let (Some(heads), Some(head)) = (&mut self.heads, result["head"].as_u64().or(result["seq"].as_u64())) {
                heads.insert(room.clone(), head);
            }
            self.rooms.insert(to, room);
        }
        if self.syncing.iter().any(|syncing| syncing.part == id) {
            let answer: Value = serde_json::from_str(text)?;
            return self.read_sync(id, &answer["result"], out, see);
        }
        see(Event::Done(id));
        Ok(())
    }

    /// Reads a part of what has changed, and asks for the next one if there is more.
    fn read_sync(
        &mut self,
        part: u64,
        answer: &Value,
        out: &mut Vec<u8>,
        see: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        self.since = answer["commit"].as_u64().context("a sync without a commit")?;
        if let Some(heads) = &mut self.heads {
            for room in answer["rooms"].as_array().into_iter().flatten() {
                if let (Some(id), Some(head)) = (room["id"].as_str(), room["head"].as_u64()) {
                    heads.insert(id.to_owned(), head);
                }
            }
        }
        let Some(place) = self.syncing.iter().position(|syncing| syncing.part == part) else { return Ok(()) };
        let Syncing { asked, .. } = self.syncing.swap_remove(place);
        if answer["more"] == true {
            let part = self.request(Operation::Sync(SyncRequest { since: Some(self.since) }), out);
            self.syncing.push(Syncing { asked, part });
        } else if self.stage == Stage::CatchUp {
            self.stage = Stage::Open;
            see(Event::Ready);
        } else {
            see(Event::Done(asked));
        }
        Ok(())
    }
}

impl Codec for Starling {
    fn open(&mut self, out: &mut Vec<u8>) {
        let upgrade = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RhcmxpbmctbG9hZC1rZQ==\r\n\r\n",
            self.host
        );
        out.extend_from_slice(upgrade.as_bytes());
    }

    fn make(&mut self, group: u32, out: &mut Vec<u8>) -> u64 {
        let settings = RoomSettings { join_rule: Some(JoinRule::Open), ..RoomSettings::default() };
        let id = Some(group_room(group));
        let id =
            self.request(Operation::RoomCreate(CreateRoom { client_id: None, id, settings, invite: Vec::new() }), out);
        self.joining.insert(id, To::Group(group));
        id
    }

    fn join(&mut self, to: To, out: &mut Vec<u8>) -> u64 {
        let operation = match to {
            To::Person(person) => Operation::RoomDirect(OpenDirect { user: user(person) }),
            To::Group(group) => {
                Operation::RoomJoin(InRoom { room: group_room(group), rest: Plain { client_id: None } })
            }
        };
        let id = self.request(operation, out);
        self.joining.insert(id, to);
        id
    }

    fn stays(&self) -> bool {
        true
    }

    fn send(&mut self, to: To, text: &str, out: &mut Vec<u8>) -> Result<u64> {
        let room = self.room(to)?;
        let client_id = Some(format!("{}-{}", self.name, self.next_id));
        let content = Content::Text(TextContent {
            text: text.to_owned(),
            format: TextFormat::Plain,
            mentions: Vec::new(),
            data: None,
        });
        let rest = SendMessage { client_id, content, reply_to: None };
        Ok(self.request(Operation::MessageSend(InRoom { room, rest }), out))
    }

    fn ask(&mut self, question: &Question, out: &mut Vec<u8>) -> Result<u64> {
        let operation = match question {
            Question::Sync { since } => {
                let id = self.request(Operation::Sync(SyncRequest { since: Some(*since) }), out);
                self.syncing.push(Syncing { asked: id, part: id });
                return Ok(id);
            }
            Question::History { of, before, limit } => {
                let rest = EventRange { before: *before, limit: Some(*limit), ..EventRange::default() };
                Operation::EventList(InRoom { room: self.room(*of)?, rest })
            }
            Question::Read { of } => {
                let room = self.room(*of)?;
                let head = self.heads.as_ref().and_then(|heads| heads.get(&room)).copied();
                let rest = SetCursors { delivered: None, read: Some(head.unwrap_or(1)) };
                Operation::CursorSet(InRoom { room, rest })
            }
            Question::Typing { to } => {
                Operation::TypingSet(InRoom { room: self.room(*to)?, rest: SetTyping { typing: true } })
            }
        };
        Ok(self.request(operation, out))
    }

    fn again(&self) -> Option<Box<dyn Codec>> {
        let (rooms, joining, heads) = (self.rooms.clone(), HashMap::new(), self.heads.clone());
        let (host, token, name) = (self.host.clone(), self.token.clone(), self.name.clone());
        // Numbers go on, because a client id must not come twice.
        let Self { since, next_id, .. } = *self;
        Some(Box::new(Self {
            host,
            token,
            since,
            stage: Stage::Upgrade,
            next_id,
            rooms,
            joining,
            syncing: Vec::new(),
            name,
            heads,
        }))
    }

    fn known(&self) -> Option<u64> {
        Some(self.since)
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<usize> {
        let mut used = 0;
        if self.stage == Stage::Upgrade {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            ensure!(bytes.starts_with(b"HTTP/1.1 101"), "no upgrade: {}", String::from_utf8_lossy(&bytes[..end]));
            used = end + 4;
            self.stage = Stage::Connect;
            let connect = Connect { token: self.token.clone(), since: Some(self.since) };
            self.request(Operation::Connect(connect), out);
        }
        while let Some((frame, length)) = take_frame(&bytes[used..])? {
            used += length;
            match frame {
                Frame::Text(text) => self.read_text(text, out, see)?,
                Frame::Ping(payload) => put_pong(payload, out),
                Frame::Close(reason) => bail!("the server closes the connection: {}", String::from_utf8_lossy(reason)),
                Frame::Other => {}
            }
        }
        Ok(used)
    }
}

/// Room and seq of an event.
fn place(push: &str) -> Option<(&str, u64)> {
    let (room, rest) = push.strip_prefix(r#"event","event":{"room":""#)?.split_once('"')?;
    let seq = rest.strip_prefix(r#","seq":"#)?;
    Some((room, seq[..memchr::memchr(b',', seq.as_bytes())?].parse().ok()?))
}

/// The text of a new message, if it has nothing in it that JSON escapes: what the driver writes has not.
fn message_text(push: &str) -> Option<&str> {
    let kind = memmem::find(push.as_bytes(), br#""type":"message.created""#)?;
    let rest = &push[kind..];
    let start = memmem::find(rest.as_bytes(), br#""text":""#)? + br#""text":""#.len();
    let end = memchr::memchr(b'"', &rest.as_bytes()[start..])?;
    rest.get(start..start + end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec::websocket::tests::{frame, taken};

    fn connected() -> Starling {
        let mut codec = Starling::new("h".into(), "t".into(), 5, "c".into());
        let mut out = Vec::new();
        codec.open(&mut out);
        assert!(out.starts_with(b"GET /v1/ws"));
        out.clear();
        let upgrade = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
        assert_eq!(codec.read(upgrade, &mut out, &mut |_| panic!("nothing yet")).unwrap(), upgrade.len());
        assert!(out.windows(9).any(|window| window == br#""connect""#));
        let mut ready = 0;
        let answer = frame(r#"{"id":1,"result":{"sync":{"commit":9}}}"#);
        codec.read(&answer, &mut out, &mut |event| ready += i32::from(event == Event::Ready)).unwrap();
        assert_eq!((ready, codec.since), (1, 9));
        codec
    }

    /// What comes of frames, however they are cut.
    fn check(codec: &mut Starling, frames: &[&str], expect: &[&str]) {
        let bytes: Vec<u8> = frames.iter().flat_map(|text| frame(text)).collect();
        for cut in 0..bytes.len() {
            let mut told = Vec::new();
            let mut see = |event: Event<'_>| told.push(format!("{event:?}"));
            let mut out = Vec::new();
            let used = codec.read(&bytes[..cut], &mut out, &mut see).unwrap();
            let rest = codec.read(&bytes[used..], &mut out, &mut see).unwrap();
            assert_eq!(used + rest, bytes.len());
            assert_eq!(told, expect, "cut at {cut}");
        }
    }

    #[test]
    fn frames_tell_what_happened() {
        let mut codec = connected();
        let message = r#"{"push":"event","event":{"room":"r","seq":3,"type":"message.created","number":1,"content":{"type":"text","text":"42 x"}}}"#;
        check(&mut codec, &[message], &[r#"Message("42 x")"#]);
        let joined = r#"{"push":"event","event":{"room":"r","seq":3,"type":"member.updated","user":"a"}}"#;
        let cursor = r#"{"push":"cursor","room":"r","user":"a","cursors":{"delivered":1,"read":1,"read_messages":1},"commit":4}"#;
        check(&mut codec, &[joined, cursor, r#"{"id":7,"result":{"seq":1}}"#], &["Done(7)"]);
        check(&mut codec, &[r#"{"id":8,"error":{"code":"not_a_member"}}"#], &[r#"Refused(8, "not_a_member")"#]);
        let mut out = Vec::new();
        assert!(codec.read(&frame(r#"{"push":"resync"}"#), &mut out, &mut |_| {}).is_err());
        assert!(codec.send(To::Person(9), "x", &mut out).is_err(), "not joined");
        let id = codec.join(To::Person(3), &mut out);
        check(&mut codec, &[&format!(r#"{{"id":{id},"result":{{"id":"room-x"}}}}"#)], &[&format!("Done({id})")]);
        assert!(codec.send(To::Person(3), "x", &mut out).is_ok());
    }

    /// What a codec writes, as JSON.
    #[track_caller]
    fn check_says(out: &mut Vec<u8>, expect: &[Value]) {
        let said: Vec<Value> = taken(out).iter().map(|json| serde_json::from_slice(json).unwrap()).collect();
        out.clear();
        assert_eq!(said, expect);
    }

    #[test]
    fn a_sync_is_done_when_there_is_no_more() {
        let (mut codec, mut out) = (connected(), Vec::new());
        let id = codec.ask(&Question::Sync { since: 9 }, &mut out).unwrap();
        check_says(&mut out, &[json!({ "id": id, "op": "sync", "params": { "since": 9 } })]);
        let part = frame(&format!(r#"{{"id":{id},"result":{{"commit":20,"rooms":[],"more":true}}}}"#));
        codec.read(&part, &mut out, &mut |event| panic!("not yet: {event:?}")).unwrap();
        check_says(&mut out, &[json!({ "id": id + 1, "op": "sync", "params": { "since": 20 } })]);
        let rest = format!(r#"{{"id":{},"result":{{"commit":31,"rooms":[],"more":false}}}}"#, id + 1);
        let mut told = Vec::new();
        codec.read(&frame(&rest), &mut out, &mut |event| told.push(format!("{event:?}"))).unwrap();
        assert_eq!((told, codec.known()), (vec![format!("Done({id})")], Some(31)));
    }

    #[test]
    fn who_comes_back_goes_on() {
        let mut codec = connected().with_heads();
        let mut out = Vec::new();
        let id = codec.join(To::Person(3), &mut out);
        let room = format!(r#"{{"id":{id},"result":{{"id":"room-x","head":7}}}}"#);
        codec.read(&frame(&room), &mut out, &mut |_| {}).unwrap();
        let sent = codec.send(To::Person(3), "x", &mut out).unwrap();
        let mut again = codec.again().unwrap();
        out.clear();
        again.open(&mut out);
        out.clear();
        // It connects from where it was, and is ready when it has all that was missed.
        again.read(b"HTTP/1.1 101 x\r\n\r\n", &mut out, &mut |_| panic!("nothing yet")).unwrap();
        let connect = json!({ "id": sent + 1, "op": "connect", "params": { "token": "t", "since": 9 } });
        check_says(&mut out, &[connect]);
        let answers = [
            format!(
                r#"{{"id":{},"result":{{"sync":{{"commit":11,"rooms":[{{"id":"room-x","head":9}}],"more":true}}}}}}"#,
                sent + 1
            ),
            format!(r#"{{"id":{},"result":{{"commit":12,"rooms":[],"more":false}}}}"#, sent + 2),
        ];
        let mut told = Vec::new();
        for answer in answers {
            again.read(&frame(&answer), &mut out, &mut |event| told.push(format!("{event:?}"))).unwrap();
        }
        assert_eq!((told, again.known()), (vec!["Ready".to_owned()], Some(12)));
        out.clear();
        let push = r#"{"push":"event","event":{"room":"room-y","seq":30,"commit":1,"type":"message.created"}}"#;
        again.read(&frame(push), &mut out, &mut |_| {}).unwrap();
        // It knows its rooms, and how far they are; client ids go on.
        again.ask(&Question::Read { of: To::Person(3) }, &mut out).unwrap();
        again.ask(&Question::Typing { to: To::Group(5) }, &mut out).unwrap();
        again.ask(&Question::History { of: To::Group(STORED + 4), before: Some(8), limit: 5 }, &mut out).unwrap();
        again.ask(&Question::Read { of: To::Group(CROWD) }, &mut out).unwrap();
        let id = sent + 3;
        check_says(
            &mut out,
            &[
                json!({ "id": id, "op": "cursor.set", "params": { "room": "room-x", "read": 9 } }),
                json!({ "id": id + 1, "op": "typing.set", "params": { "room": "group-5", "typing": true } }),
                json!({ "id": id + 2, "op": "event.list", "params": { "room": "load-4", "before": 8, "limit": 5 } }),
                json!({ "id": id + 3, "op": "cursor.set", "params": { "room": "crowd", "read": 1 } }),
            ],
        );
        assert_eq!(place(&push[9..]), Some(("room-y", 30)));
        assert_eq!(place("cursor"), None);
    }
}
