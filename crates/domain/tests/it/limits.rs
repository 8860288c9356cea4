//! What is just within a limit is taken; what commands write and how they are told apart.

use std::collections::BTreeSet;

use domain::{
    Action, Command, Content, EventBody, Level, RoomId, Seq, SettingsChange, TEXT_BYTES_MAX, TextContent, TextFormat,
    is_name, is_password,
};

use crate::facts::{Place, Standing, act, facts, room_id, user};

#[test]
fn what_is_within_the_limits_is_taken() {
    let facts = facts(Place::Open, Standing::Joined(Level::OWNER));
    let text = TextContent {
        text: "x".repeat(TEXT_BYTES_MAX).into(),
        format: TextFormat::Markdown,
        mentions: vec![user("bob"); 50],
        data: Some("x".repeat(16_384).into()),
    };
    let keys: BTreeSet<_> = (0..16).map(|n| format!("{n:032}").into()).collect();
    let settings = SettingsChange {
        name: Some("名".repeat(128).into()),
        topic: Some("题\n".repeat(512).into()),
        ..SettingsChange::default()
    };
    for action in [
        Action::Send { content: Content::Text(text), reply_to: None },
        Action::React { target: Seq(9), keys },
        Action::Redact { target: Seq(9), reason: Some("由".repeat(256).into()) },
        Action::Settings(settings),
    ] {
        assert!(act(&facts, &action).is_ok_and(|changes| changes.events.len() == 1), "{action:?}");
    }
}

#[test]
fn names_and_passwords_have_limits() {
    for (name, expect) in [("a", true), ("小 明", true), ("", false), (" \u{3000}", false), ("a\nb", false)] {
        assert_eq!(is_name(name), expect, "{name:?}");
    }
    assert!(is_name(&"名".repeat(128)) && !is_name(&"名".repeat(129)));
    for (bytes, expect) in [(7, false), (8, true), (256, true), (257, false)] {
        assert_eq!(is_password(&"x".repeat(bytes)), expect, "{bytes}");
    }
}

#[test]
fn settings_events_hold_only_what_is_new() {
    let facts = facts(Place::Open, Standing::Joined(Level::OWNER));
    let same = SettingsChange { topic: Some("".into()), join_rule: Some(domain::JoinRule::Open), ..Default::default() };
    assert!(act(&facts, &Action::Settings(same.clone())).unwrap().is_empty());
    let change = SettingsChange { name: Some("new".into()), ..same };
    let expected = SettingsChange { name: Some("new".into()), ..SettingsChange::default() };
    assert_eq!(act(&facts, &Action::Settings(change)).unwrap().events, [EventBody::Settings(expected)]);
}

#[test]
fn fingerprints_tell_commands_apart() {
    let say = |room: &str, text: &str| Command {
        room: RoomId::new(room).unwrap(),
        action: Action::Send { content: Content::plain(text), reply_to: None },
    };
    assert_eq!(say("red", "a").fingerprint(), say("red", "a").fingerprint());
    assert_ne!(say("red", "a").fingerprint(), say("red", "b").fingerprint());
    assert_ne!(say("red", "a").fingerprint(), say("blue", "a").fingerprint());
    let direct =
        |room: &str, id: &str| Command { room: RoomId::new(room).unwrap(), action: Action::Direct { user: user(id) } };
    assert_eq!(direct("fresh-1", "bob").fingerprint(), direct("fresh-2", "bob").fingerprint(), "a new id on each try");
    assert_ne!(direct("fresh-1", "bob").fingerprint(), direct("fresh-1", "cho").fingerprint());
    let join = Command { room: room_id(), action: Action::Join };
    let leave = Command { room: room_id(), action: Action::Leave };
    assert_ne!(join.fingerprint(), leave.fingerprint());
}
