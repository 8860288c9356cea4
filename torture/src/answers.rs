//! The wire's types as the history's.

use std::collections::BTreeMap;

use testkit::history::{Body, Cursors, Seen, State};
use wire::{Content, EventBody};

pub fn seen(event: &wire::Event) -> Seen {
    let wire::Event { room, seq, commit, sender, client_id, .. } = event;
    Seen {
        room: room.clone(),
        seq: *seq,
        commit: *commit,
        sender: sender.clone(),
        client_id: client_id.clone(),
        body: body(&event.body),
    }
}

fn body(body: &EventBody) -> Body {
    match body {
        EventBody::RoomCreated { .. } => Body::Created,
        EventBody::RoomUpdated { .. } => Body::Settings,
        EventBody::MemberUpdated { user, state, .. } => Body::Member { user: user.clone(), state: self::state(*state) },
        EventBody::MessageCreated(message) => Body::Message { text: message.content.as_ref().map(text) },
        EventBody::MessageEdited { target, content } => {
            Body::Edit { target: *target, text: content.as_ref().map(text) }
        }
        EventBody::MessageDeleted { target, .. } => Body::Redaction { target: *target },
        EventBody::ReactionUpdated { target, keys, .. } => Body::Reaction { target: *target, keys: keys.clone() },
    }
}

fn text(content: &Content) -> String {
    match content {
        Content::Text(text) => text.text.clone(),
    }
}

pub fn state(state: wire::MemberState) -> State {
    match state {
        wire::MemberState::Invited => State::Invited,
        wire::MemberState::Joined => State::Joined,
        wire::MemberState::Left => State::Left,
    }
}

pub fn cursors(cursors: wire::Cursors) -> Cursors {
    let wire::Cursors { delivered, read, read_messages } = cursors;
    Cursors { delivered, read, read_messages }
}

/// What the user is in each room, and its head.
pub fn heads(rooms: &[wire::Room]) -> BTreeMap<String, (State, u64)> {
    let told = rooms.iter().filter_map(|room| {
        let me = room.me.as_ref()?;
        Some((room.id.clone(), (state(me.state), room.head)))
    });
    told.collect()
}

/// The rooms' last messages.
pub fn last_messages(rooms: &[wire::Room]) -> Vec<Seen> {
    rooms.iter().filter_map(|room| room.last_message.as_ref()).map(seen).collect()
}
