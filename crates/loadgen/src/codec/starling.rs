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
    SendMessage, SyncRequest, TextContent, TextFormat,
};

use super::{Codec, Event, Person, Question, To};

/// Where the driver's people come from: `starling dev --people`.
pub fn user(person: Person) -> String {
    format!("person-{person}")
}

fn group_room(group: u32) -> String {
    format!("group-{group}")
}

/// Where the frames of a connection stand.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The answer to the upgrade is to come.
    Upgrade,
    /// The answer to `connect` is to come.
    Connect,
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
    /// A sync that is on its way.
    syncing: Option<u64>,
    /// Which one the others don't have: the name of this connection in client ids.
    name: String,
}

impl Starling {
    pub fn new(host: String, token: String, since: u64, name: String) -> Self {
        let (rooms, joining) = (HashMap::new(), HashMap::new());
        Self { host, token, since, stage: Stage::Upgrade, next_id: 1, rooms, joining, syncing: None, name }
    }

    fn request(&mut self, operation: Operation, out: &mut Vec<u8>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let json = serde_json::to_vec(&Request { id, operation }).expect("operations have string keys only");
        put_frame(OPCODE_TEXT, &json, out);
        id
    }

    fn read_text(&mut self, text: &str, see: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if let Some(push) = text.strip_prefix(r#"{"push":""#) {
            if push.starts_with("event")
                && let Some(text) = message_text(push)
            {
                see(Event::Message(text));
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
            self.since = answer["result"]["sync"]["commit"].as_u64().unwrap_or(self.since);
            self.stage = Stage::Open;
            see(Event::Ready);
            return Ok(());
        }
        if let Some(to) = self.joining.remove(&id) {
            let answer: Value = serde_json::from_str(text)?;
            let room = answer["result"]["id"].as_str().or(answer["result"]["room"].as_str());
            self.rooms.insert(to, room.context("an answer that names no room")?.to_owned());
        }
        if self.syncing.take_if(|syncing| *syncing == id).is_some() {
            let answer: Value = serde_json::from_str(text)?;
            self.since = answer["result"]["commit"].as_u64().context("a sync without a commit")?;
        }
        see(Event::Done(id));
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
        let room = match (self.rooms.get(&to), to) {
            (Some(room), _) => room.clone(),
            // Joined by a connection before this one.
            (None, To::Group(group)) => group_room(group),
            (None, To::Person(_)) => bail!("has not joined"),
        };
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
            Question::Sync { since } => Operation::Sync(SyncRequest { since: Some(*since) }),
            Question::History { room, before, limit } => {
                let rest = EventRange { before: Some(*before), limit: Some(*limit), ..EventRange::default() };
                Operation::EventList(InRoom { room: room.clone(), rest })
            }
        };
        let id = self.request(operation, out);
        self.syncing = matches!(question, Question::Sync { .. }).then_some(id);
        Ok(id)
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
                Frame::Text(text) => self.read_text(text, see)?,
                Frame::Ping(payload) => put_frame(OPCODE_PONG, payload, out),
                Frame::Close(reason) => bail!("the server closes the connection: {}", String::from_utf8_lossy(reason)),
                Frame::Other => {}
            }
        }
        Ok(used)
    }
}

/// The text of a new message, if it has nothing in it that JSON escapes: what the driver writes has not.
fn message_text(push: &str) -> Option<&str> {
    let kind = memmem::find(push.as_bytes(), br#""type":"message.created""#)?;
    let rest = &push[kind..];
    let start = memmem::find(rest.as_bytes(), br#""text":""#)? + br#""text":""#.len();
    let end = memchr::memchr(b'"', &rest.as_bytes()[start..])?;
    rest.get(start..start + end)
}

const OPCODE_TEXT: u8 = 1;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_16: usize = 126;
const LENGTH_64: usize = 127;

enum Frame<'a> {
    Text(&'a str),
    Ping(&'a [u8]),
    Close(&'a [u8]),
    Other,
}

/// Writes a frame as a client does, masked by a key of zeros, which leaves it as it is.
fn put_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FINAL | opcode);
    match payload.len() {
        length if length < LENGTH_16 => out.push(MASKED | length as u8),
        length => match u16::try_from(length) {
            Ok(short) => {
                out.push(MASKED | LENGTH_16 as u8);
                out.extend_from_slice(&short.to_be_bytes());
            }
            Err(_) => {
                out.push(MASKED | LENGTH_64 as u8);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The first frame, if it is there as a whole, and its length. A server masks nothing and, this one, divides nothing.
fn take_frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    ensure!(first & FINAL != 0 && second & MASKED == 0, "a frame that is divided or masked");
    let (length, head) = match usize::from(*second) {
        LENGTH_16 => match rest.first_chunk::<2>() {
            Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.first_chunk::<8>() {
            Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
            None => return Ok(None),
        },
        length => (length, 2),
    };
    let Some(payload) = bytes.get(head..head + length) else { return Ok(None) };
    let frame = match first & !FINAL {
        OPCODE_TEXT => Frame::Text(std::str::from_utf8(payload)?),
        OPCODE_PING => Frame::Ping(payload),
        OPCODE_CLOSE => Frame::Close(payload),
        _ => Frame::Other,
    };
    Ok(Some((frame, head + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        let mut bytes = vec![FINAL | OPCODE_TEXT];
        assert!(text.len() < 65_536);
        if text.len() < LENGTH_16 {
            bytes.push(text.len() as u8);
        } else {
            bytes.push(LENGTH_16 as u8);
            bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

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

    #[test]
    fn long_frames_are_masked_with_their_length() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            put_frame(OPCODE_TEXT, &vec![b'x'; length], &mut out);
            let head = if length < 126 {
                2
            } else if length < 65_536 {
                4
            } else {
                10
            };
            assert_eq!(out.len(), head + 4 + length);
            assert_eq!(out[1] & MASKED, MASKED);
        }
    }
}
