//! Domain → wire.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{
    Actor, CommitNumber, Content, Cursors, Device, DeviceId, Entry, Event, EventBody, HistoryVisibility, JoinRule,
    Levels, Member, MemberState, RoomKind, RoomSettings, SettingsChange, TextFormat, User, UserId, UserKind,
};
use engine::{HistoryView, MeView, MemberView, PresenceView, Receipt, RoomView, SignedIn, SyncView, UserPlace};
use smol_str::SmolStr;

pub(crate) fn user(user: &User) -> wire::User {
    let kind = match user.kind {
        UserKind::Person => wire::UserKind::Person,
        UserKind::Bot => wire::UserKind::Bot,
        UserKind::Guest => wire::UserKind::Guest,
    };
    wire::User { id: user.id.to_string(), display_name: user.display_name.to_string(), kind }
}

pub(crate) fn users(list: &[User]) -> Vec<wire::User> {
    list.iter().map(user).collect()
}

pub(crate) fn device(device: &Device, current: &DeviceId) -> wire::Device {
    wire::Device {
        id: device.id.to_string(),
        name: device.name.to_string(),
        created_at: device.created_at.0,
        last_seen_at: device.last_seen_at.0,
        current: device.id == *current,
    }
}

pub(crate) fn session(signed_in: SignedIn) -> wire::Session {
    wire::Session {
        user: user(&signed_in.user),
        device: device(&signed_in.device, &signed_in.device.id),
        access_token: signed_in.access_token,
        access_expires_at: signed_in.access_expires_at.0,
        refresh_token: signed_in.refresh_token,
    }
}

pub(crate) fn me(view: &MeView, actor: &Actor) -> wire::Me {
    wire::Me {
        user: user(&view.user),
        app: actor.app.to_string(),
        admin: view.user.admin,
        created_at: view.user.created_at.0,
        device: device(&view.device, &actor.device),
    }
}

pub(crate) fn presence(view: &PresenceView) -> wire::Presence {
    wire::Presence { user: view.user.to_string(), online: view.online, last_seen_at: view.last_seen_at.map(|at| at.0) }
}

pub(crate) fn receipt(receipt: &Receipt) -> wire::Receipt {
    wire::Receipt {
        room: receipt.room.to_string(),
        seq: receipt.seq.0,
        commit: receipt.commit.0,
        duplicate: receipt.duplicate,
    }
}

pub(crate) fn cursors(cursors: &Cursors) -> wire::Cursors {
    wire::Cursors { delivered: cursors.delivered.0, read: cursors.read.0, read_messages: cursors.read_messages }
}

pub(crate) fn member(view: &MemberView) -> wire::Member {
    wire::Member { user: user(&view.user), state: member_state(view.member.state), level: view.member.level.0 }
}

fn membership(member: &Member) -> wire::Membership {
    wire::Membership {
        state: member_state(member.state),
        level: member.level.0,
        invited_by: member.invited_by.as_ref().map(UserId::to_string),
    }
}

fn member_state(state: MemberState) -> wire::MemberState {
    match state {
        MemberState::Invited => wire::MemberState::Invited,
        MemberState::Joined => wire::MemberState::Joined,
        MemberState::Left => wire::MemberState::Left,
    }
}

fn room_kind(kind: RoomKind) -> wire::RoomKind {
    match kind {
        RoomKind::Direct => wire::RoomKind::Direct,
        RoomKind::Group => wire::RoomKind::Group,
    }
}

pub(crate) fn room(view: &RoomView) -> wire::Room {
    wire::Room {
        id: view.room.id.to_string(),
        kind: room_kind(view.room.kind),
        settings: settings(&view.room.settings),
        created_at: view.room.created_at.0,
        members: view.room.joined,
        head: view.head.0,
        messages: view.messages,
        commit: view.commit.0,
        last_message: view.last_message.as_ref().map(entry),
        me: view.me.as_ref().map(membership),
        cursors: cursors(&view.cursors),
        unread: view.unread,
        peer: view.peer.as_ref().map(|(peer, theirs)| wire::Peer { user: user(peer), cursors: cursors(theirs) }),
        receipts: view.room.shares_receipts(),
    }
}

pub(crate) fn sync(view: &SyncView, epoch: &str) -> wire::SyncAnswer {
    wire::SyncAnswer {
        epoch: epoch.to_owned(),
        commit: view.commit.0,
        rooms: view.rooms.iter().map(room).collect(),
        more: view.more,
        users: users(&view.users),
    }
}

pub(crate) fn history(view: &HistoryView) -> wire::EventPage {
    wire::EventPage {
        events: view.entries.iter().map(entry).collect(),
        has_older: view.has_older,
        has_newer: view.has_newer,
        as_of: view.as_of.0,
        users: users(&view.users),
    }
}

fn settings(all: &RoomSettings) -> wire::RoomSettings {
    wire::RoomSettings {
        name: Some(all.name.to_string()),
        topic: Some(all.topic.to_string()),
        join_rule: Some(join_rule(all.join_rule)),
        history: Some(visibility(all.history)),
        levels: Some(levels(&all.levels)),
    }
}

fn settings_change(change: &SettingsChange) -> wire::RoomSettings {
    wire::RoomSettings {
        name: change.name.as_ref().map(SmolStr::to_string),
        topic: change.topic.as_ref().map(SmolStr::to_string),
        join_rule: change.join_rule.map(join_rule),
        history: change.history.map(visibility),
        levels: change.levels.as_ref().map(levels),
    }
}

fn join_rule(rule: JoinRule) -> wire::JoinRule {
    match rule {
        JoinRule::Invite => wire::JoinRule::Invite,
        JoinRule::Open => wire::JoinRule::Open,
    }
}

fn visibility(history: HistoryVisibility) -> wire::HistoryVisibility {
    match history {
        HistoryVisibility::Joined => wire::HistoryVisibility::Joined,
        HistoryVisibility::Invited => wire::HistoryVisibility::Invited,
        HistoryVisibility::Members => wire::HistoryVisibility::Members,
        HistoryVisibility::Anyone => wire::HistoryVisibility::Anyone,
    }
}

fn levels(levels: &Levels) -> wire::Levels {
    let Levels { send, react, invite, remove, redact, settings, levels } = levels;
    wire::Levels {
        send: send.0,
        react: react.0,
        invite: invite.0,
        remove: remove.0,
        redact: redact.0,
        settings: settings.0,
        levels: levels.0,
    }
}

/// An event of which nothing has become yet.
pub(crate) fn event(event: &Event) -> wire::Event {
    with_body(event, body(event))
}

/// An event with what has become of it.
pub(crate) fn entry(entry: &Entry) -> wire::Event {
    let mut body = body(&entry.event);
    if let wire::EventBody::MessageCreated(message) = &mut body {
        message.content = entry.content().map(content);
        message.edited = entry.edit.as_ref().map(|edit| wire::Edited { seq: edit.seq.0, at: edit.at.0 });
        let reaction = |reaction: &domain::ReactionCount| wire::Reaction {
            key: reaction.key.to_string(),
            count: reaction.count,
            mine: reaction.mine,
        };
        message.reactions = entry.reactions.iter().map(reaction).collect();
    }
    with_body(&entry.event, body)
}

fn with_body(event: &Event, body: wire::EventBody) -> wire::Event {
    wire::Event {
        room: event.room.to_string(),
        seq: event.seq.0,
        commit: event.commit.0,
        at: event.at.0,
        sender: event.sender.to_string(),
        client_id: event.client_id.as_ref().map(|id| id.to_string()),
        body,
    }
}

fn body(event: &Event) -> wire::EventBody {
    match &event.body {
        EventBody::Created { kind, settings: first } => {
            wire::EventBody::RoomCreated { kind: room_kind(*kind), settings: settings(first) }
        }
        EventBody::Settings(change) => wire::EventBody::RoomUpdated { settings: settings_change(change) },
        EventBody::Member { user, state, level } => {
            wire::EventBody::MemberUpdated { user: user.to_string(), state: member_state(*state), level: level.0 }
        }
        EventBody::Message { content: said, reply_to, redacted_by } => wire::EventBody::MessageCreated(wire::Message {
            number: event.number,
            content: said.as_ref().map(content),
            reply_to: reply_to.map(|seq| seq.0),
            edited: None,
            deleted: redacted_by.map(|seq| wire::Deleted { seq: seq.0 }),
            reactions: Vec::new(),
        }),
        EventBody::Edit { target, content: said } => {
            wire::EventBody::MessageEdited { target: target.0, content: said.as_ref().map(content) }
        }
        EventBody::Redaction { target, reason } => {
            wire::EventBody::MessageDeleted { target: target.0, reason: reason.as_ref().map(SmolStr::to_string) }
        }
        EventBody::Reaction { target, keys, previous } => wire::EventBody::ReactionUpdated {
            target: target.0,
            keys: keys.iter().map(SmolStr::to_string).collect(),
            added: keys.difference(previous).map(SmolStr::to_string).collect(),
            removed: previous.difference(keys).map(SmolStr::to_string).collect(),
        },
    }
}

fn content(content: &Content) -> wire::Content {
    match content {
        Content::Text(text) => wire::Content::Text(wire::TextContent {
            text: text.text.to_string(),
            format: match text.format {
                TextFormat::Plain => wire::TextFormat::Plain,
                TextFormat::Markdown => wire::TextFormat::Markdown,
            },
            mentions: text.mentions.iter().map(UserId::to_string).collect(),
            data: text.data.as_ref().and_then(|data| {
                let parsed = serde_json::from_str(data);
                if let Err(error) = &parsed {
                    tracing::error!(%error, "data of a message is not JSON");
                }
                parsed.ok()
            }),
        }),
    }
}

/// The cursor of the page after this user.
pub(crate) fn page_cursor(last: &UserId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("u:{last}"))
}

/// The cursor of the page of found users after this place.
pub(crate) fn users_cursor(last: &UserPlace) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("w:{last}"))
}

/// The cursor of the page of rooms after this commit.
pub(crate) fn rooms_cursor(commit: CommitNumber) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("c:{commit}"))
}
