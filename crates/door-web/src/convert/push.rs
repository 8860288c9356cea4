//! What the engine tells sessions, as frames of the WebSocket.

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use engine::{Delivery, Format, Happening};
use wire::Push;

use super::to_wire;

/// This door's wire format among those that deliveries are encoded in.
const FORMAT: Format = Format(0);

/// The frame of a delivery, encoded by the first session that needs it.
pub(crate) fn frame(delivery: &Delivery) -> Utf8Bytes {
    let bytes = delivery.encoded(FORMAT, |happening| encode(&push(happening)));
    Utf8Bytes::try_from(Bytes::from_owner(bytes)).expect("serde_json writes UTF-8")
}

pub(crate) fn encode(push: &Push) -> Vec<u8> {
    serde_json::to_vec(push).expect("pushes are strings and numbers")
}

fn push(happening: &Happening) -> Push {
    match happening {
        Happening::Event(event) => Push::Event { event: to_wire::event(event) },
        Happening::Cursors { room, user, cursors, commit } => Push::Cursor {
            room: room.to_string(),
            user: user.to_string(),
            cursors: to_wire::cursors(cursors),
            commit: commit.0,
        },
        Happening::Typing { room, user, typing } => {
            Push::Typing { room: room.to_string(), user: user.to_string(), typing: *typing }
        }
        Happening::Presence(view) => Push::Presence { presence: to_wire::presence(view) },
    }
}
