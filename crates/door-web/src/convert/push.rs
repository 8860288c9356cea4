//! What the engine tells sessions, as frames of the WebSocket.

use engine::{Delivery, Format, Happening};
use websocket::Frame;
use wire::Push;

use super::to_wire;

/// This door's wire format among those that deliveries are encoded in.
const FORMAT: Format = Format(0);

/// Room for most pushes: without it, each one is moved some times while it grows.
const USUAL_BYTES: usize = 512;

/// The frame of a delivery, encoded by the first session that needs it.
pub(crate) fn frame(delivery: &Delivery) -> Frame {
    Frame::from_bytes(delivery.encoded(FORMAT, |happening| encode(&push(happening)).into_bytes()))
}

pub(crate) fn encode(push: &Push) -> Frame {
    let write = |out: &mut Vec<u8>| {
        out.reserve(USUAL_BYTES);
        serde_json::to_writer(out, push)
    };
    Frame::write_text(write).expect("pushes are strings and numbers")
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
