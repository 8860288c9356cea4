//! Reading request frames.
//!
//! Not by `Request`'s own `Deserialize`: flattened and tagged types buffer what they read and lose the path to a mistake.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use wire::{Code, InRoom, OnMember, OnMessage, Operation};

use crate::failure::Failure;
use crate::json;

#[derive(Deserialize)]
struct Envelope<'a> {
    id: u64,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// A request, or what is wrong with it.
pub(super) struct Frame {
    /// 0 if the frame could not be read that far.
    pub(super) id: u64,
    pub(super) operation: Result<Operation, Failure>,
    /// Whether the frame was not a request at all.
    pub(super) malformed: bool,
}

pub(super) fn frame(text: &str) -> Frame {
    match json::parse::<Envelope<'_>>(text.as_bytes()) {
        Ok(Envelope { id, op, params }) => {
            let params = params.map_or("{}", RawValue::get);
            Frame { id, operation: operation(&op, params.as_bytes()), malformed: false }
        }
        Err(failure) => {
            let value = serde_json::from_str::<Value>(text).unwrap_or_default();
            let id = value["id"].as_u64().unwrap_or(0);
            Frame { id, operation: Err(failure), malformed: true }
        }
    }
}

fn operation(op: &str, params: &[u8]) -> Result<Operation, Failure> {
    let operation = match op {
        "connect" => Operation::Connect(json::parse(params)?),
        "token.renew" => Operation::TokenRenew(json::parse(params)?),
        "ping" => Operation::Ping(json::parse(params)?),
        "sync" => Operation::Sync(json::parse(params)?),
        "auth.logout" => Operation::Logout(json::parse(params)?),
        "auth.password" => Operation::PasswordChange(json::parse(params)?),
        "me.get" => Operation::MeGet(json::parse(params)?),
        "me.update" => Operation::MeUpdate(json::parse(params)?),
        "device.list" => Operation::DeviceList(json::parse(params)?),
        "device.revoke" => Operation::DeviceRevoke(json::parse(params)?),
        "user.get" => Operation::UserGet(json::parse(params)?),
        "user.search" => Operation::UserSearch(json::parse(params)?),
        "presence.watch" => Operation::PresenceWatch(json::parse(params)?),
        "room.list" => Operation::RoomList(json::parse(params)?),
        "room.create" => Operation::RoomCreate(json::parse(params)?),
        "room.direct" => Operation::RoomDirect(json::parse(params)?),
        "room.get" => Operation::RoomGet(in_room(params)?),
        "room.update" => Operation::RoomUpdate(in_room(params)?),
        "room.join" => Operation::RoomJoin(in_room(params)?),
        "room.leave" => Operation::RoomLeave(in_room(params)?),
        "member.list" => Operation::MemberList(in_room(params)?),
        "member.invite" => Operation::MemberInvite(in_room(params)?),
        "member.remove" => Operation::MemberRemove(on_member(params)?),
        "member.level" => Operation::MemberLevel(on_member(params)?),
        "event.list" => Operation::EventList(in_room(params)?),
        "message.send" => Operation::MessageSend(in_room(params)?),
        "message.edit" => Operation::MessageEdit(on_message(params)?),
        "message.delete" => Operation::MessageDelete(on_message(params)?),
        "reaction.set" => Operation::ReactionSet(on_message(params)?),
        "cursor.set" => Operation::CursorSet(in_room(params)?),
        "cursor.list" => Operation::CursorList(in_room(params)?),
        "typing.set" => Operation::TypingSet(in_room(params)?),
        "statistics.get" => Operation::StatisticsGet(json::parse(params)?),
        _ => return Err(Code::UnknownOperation.into()),
    };
    Ok(operation)
}

fn in_room<T: DeserializeOwned>(params: &[u8]) -> Result<InRoom<T>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        room: String,
    }
    let Place { room } = json::parse(params)?;
    Ok(InRoom { room, rest: json::parse(params)? })
}

fn on_message<T: DeserializeOwned>(params: &[u8]) -> Result<OnMessage<T>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        room: String,
        seq: u64,
    }
    let Place { room, seq } = json::parse(params)?;
    Ok(OnMessage { room, seq, rest: json::parse(params)? })
}

fn on_member<T: DeserializeOwned>(params: &[u8]) -> Result<OnMember<T>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        room: String,
        user: String,
    }
    let Place { room, user } = json::parse(params)?;
    Ok(OnMember { room, user, rest: json::parse(params)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation of the wire is read as the wire's own reader reads it.
    #[test]
    fn all_operations_are_known() {
        let params = serde_json::json!({
            "token": "t", "since": 3, "device": "d", "ids": "a", "users": ["a"], "user": "b", "room": "r", "seq": 4, "level": 10,
            "settings": {"name": "n"}, "content": {"type": "text", "text": "x"}, "keys": ["k"], "typing": true, "read": 2,
            "current_password": "p", "new_password": "q",
        });
        let document = serde_json::to_value(wire::schema::document()).unwrap();
        let variants = document["components"]["schemas"]["Operation"]["oneOf"].as_array().unwrap();
        assert!(variants.len() >= 33);
        for variant in variants {
            let op = variant["properties"]["op"]["enum"][0].as_str().unwrap();
            let text = serde_json::json!({"id": 7, "op": op, "params": params}).to_string();
            let frame = frame(&text);
            let expected: wire::Request = serde_json::from_str(&text).unwrap();
            let operation = frame.operation.unwrap_or_else(|failure| panic!("{op}: {failure:?}"));
            assert_eq!((frame.id, frame.malformed), (7, false));
            let value = |operation: &Operation| serde_json::to_value(operation).unwrap();
            assert_eq!(value(&operation), value(&expected.operation), "{op}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expect: (u64, &str, &str, bool)| {
            let frame = frame(text);
            let failure = frame.operation.expect_err("the frame is wrong");
            let field = failure.errors.first().map_or("", |error| error.field.as_str());
            assert_eq!((frame.id, failure.code.info().code, field, frame.malformed), expect, "{text}");
        };
        check("nonsense", (0, "malformed_json", "", true));
        check("[1]", (0, "invalid_request", "", true));
        check("{\"op\": \"ping\"}", (0, "invalid_request", "id", true));
        check("{\"id\": 3}", (3, "invalid_request", "op", true));
        check("{\"id\": 3, \"op\": \"room.fly\"}", (3, "unknown_operation", "", false));
        check("{\"id\": 3, \"op\": \"room.get\"}", (3, "invalid_request", "room", false));
        check("{\"id\": 3, \"op\": \"room.get\", \"params\": [\"r\"]}", (3, "invalid_request", "", false));
        let send = |content: &str| {
            format!("{{\"id\":3,\"op\":\"message.send\",\"params\":{{\"room\":\"r\",\"content\":{content}}}}}")
        };
        check(&send("{\"type\":\"text\",\"text\":5}"), (3, "invalid_request", "content.text", false));
        check(&send("5"), (3, "invalid_request", "content", false));
    }
}
