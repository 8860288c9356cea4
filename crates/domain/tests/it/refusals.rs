//! Every refusal is reached, each by the command that names it.

use std::collections::BTreeSet;

use domain::{
    Action, CREATE_INVITES_MAX, Changes, Command, Content, DATA_BYTES_MAX, EventBody, HistoryVisibility, Level, Levels,
    MENTIONS_MAX, MemberState, ROOM_MEMBERS_MAX, Refusal, RoomFacts, RoomKind, Seq, SettingsChange, TextContent,
    TextFormat, check, check_new_room, pair_of,
};

use crate::facts::{Place, Standing, act, facts, member, room_id, user};

const OWNER: Standing = Standing::Joined(Level::OWNER);

/// A refusal's name; a new variant has to be named here and reached below.
fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid { field, .. } => field,
        Refusal::UnknownRoom => "unknown room",
        Refusal::UnknownUser => "unknown user",
        Refusal::UnknownMessage => "unknown message",
        Refusal::MessageDeleted => "message deleted",
        Refusal::RoomExists => "room exists",
        Refusal::RoomFull => "room full",
        Refusal::NotAMember => "not a member",
        Refusal::NotInvited => "not invited",
        Refusal::AlreadyMember => "already member",
        Refusal::LevelTooLow => "level too low",
        Refusal::NotYourMessage => "not your message",
        Refusal::LastOwner => "last owner",
        Refusal::DirectRoomFixed => "direct room fixed",
        Refusal::TooManyReactions => "too many reactions",
        // By the store's window of client ids, not by a check.
        Refusal::ClientIdReused => unreachable!("no check knows client ids"),
    }
}

fn text(change: impl FnOnce(&mut TextContent)) -> Content {
    let mut text = TextContent { text: "x".into(), format: TextFormat::Plain, mentions: Vec::new(), data: None };
    change(&mut text);
    Content::Text(text)
}

fn settings(change: impl FnOnce(&mut SettingsChange)) -> Action {
    let mut settings = SettingsChange::default();
    change(&mut settings);
    Action::Settings(settings)
}

fn keys(keys: &[&str]) -> BTreeSet<smol_str::SmolStr> {
    keys.iter().map(|key| (*key).into()).collect()
}

#[test]
fn every_refusal_is_reached() {
    let target = Seq(9);
    let send = |content: Content| Action::Send { content, reply_to: None };
    let react = |set: &[&str]| Action::React { target, keys: keys(set) };
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let none = |_: &mut RoomFacts| {};
    let full = |facts: &mut RoomFacts| (facts.room.joined, facts.room.invited) = (ROOM_MEMBERS_MAX - 5, 5);
    let bob_is = |standing: Standing| move |facts: &mut RoomFacts| facts.other = member("bob", standing);
    let invite = Action::Invite { user: user("bob") };
    let levels = |levels: Levels| settings(move |change| change.levels = Some(levels));
    type Prepare = Box<dyn Fn(&mut RoomFacts)>;
    #[rustfmt::skip]
    let cases: Vec<(&str, Place, Standing, Prepare, Action)> = vec![
        ("content.text", Place::Open, OWNER, Box::new(none), send(text(|text| text.text = " \n".into()))),
        ("content.text", Place::Open, OWNER, Box::new(none), send(text(|text| text.text = "x".repeat(16_385).into()))),
        ("content.text", Place::Open, OWNER, Box::new(none), Action::Edit { target, content: text(|text| text.text = "".into()) }),
        ("content.mentions", Place::Open, OWNER, Box::new(none), send(text(|text| text.mentions = vec![user("bob"); MENTIONS_MAX + 1]))),
        ("content.data", Place::Open, OWNER, Box::new(none), send(text(|text| text.data = Some("x".repeat(DATA_BYTES_MAX + 1).into())))),
        ("settings", Place::Open, OWNER, Box::new(none), settings(|_| {})),
        ("settings.name", Place::Open, OWNER, Box::new(none), settings(|change| change.name = Some("名".repeat(129).into()))),
        ("settings.topic", Place::Open, OWNER, Box::new(none), settings(|change| change.topic = Some("\u{7}".into()))),
        ("settings.levels", Place::Open, OWNER, Box::new(none), levels(Levels { send: Level(101), ..Levels::default() })),
        ("level", Place::Open, OWNER, Box::new(bob_is(Standing::Joined(Level::MEMBER))), Action::SetLevel { user: user("bob"), level: Level(101) }),
        ("reason", Place::Open, OWNER, Box::new(none), Action::Redact { target, reason: Some("x".repeat(257).into()) }),
        ("keys", Place::Open, OWNER, Box::new(none), react(&many)),
        ("keys", Place::Open, OWNER, Box::new(none), react(&[""])),
        ("keys", Place::Open, OWNER, Box::new(none), react(&["a b"])),
        ("keys", Place::Open, OWNER, Box::new(none), react(&["012345678901234567890123456789012"])),
        ("unknown room", Place::Private, Standing::Stranger, Box::new(none), send(Content::plain("x"))),
        ("unknown room", Place::Private, Standing::Stranger, Box::new(none), Action::Join),
        ("unknown user", Place::Open, OWNER, Box::new(none), Action::Remove { user: user("bob") }),
        ("unknown user", Place::Open, OWNER, Box::new(bob_is(Standing::Invited)), Action::SetLevel { user: user("bob"), level: Level(20) }),
        ("unknown message", Place::Open, OWNER, Box::new(|facts| facts.target = None), react(&["+1"])),
        ("unknown message", Place::Open, OWNER, Box::new(|facts| facts.target = None), Action::Redact { target, reason: None }),
        ("unknown message", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().is_message = false), Action::Edit { target, content: Content::plain("x") }),
        ("unknown message", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().is_message = false), Action::Send { content: Content::plain("x"), reply_to: Some(target) }),
        ("message deleted", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().redacted = true), react(&["+1"])),
        ("message deleted", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().redacted = true), Action::Edit { target, content: Content::plain("x") }),
        ("room exists", Place::Open, OWNER, Box::new(none), Action::Direct { user: user("bob") }),
        ("room full", Place::Open, OWNER, Box::new(full), invite.clone()),
        ("room full", Place::Open, Standing::Stranger, Box::new(full), Action::Join),
        ("not a member", Place::Open, Standing::Stranger, Box::new(none), send(Content::plain("x"))),
        ("not a member", Place::Private, Standing::Stranger, Box::new(|facts| facts.room.settings.history = HistoryVisibility::Anyone), send(Content::plain("x"))),
        ("not invited", Place::Private, Standing::Left, Box::new(none), Action::Join),
        ("not invited", Place::Private, Standing::Stranger, Box::new(|facts| facts.room.settings.history = HistoryVisibility::Anyone), Action::Join),
        ("already member", Place::Open, OWNER, Box::new(bob_is(Standing::Invited)), invite.clone()),
        ("already member", Place::Open, OWNER, Box::new(bob_is(Standing::Joined(Level::READER))), invite.clone()),
        ("level too low", Place::Open, Standing::Joined(Level(9)), Box::new(none), invite),
        ("level too low", Place::Open, Standing::Joined(Level(60)), Box::new(none), levels(Levels { send: Level(61), ..Levels::default() })),
        ("level too low", Place::Open, Standing::Joined(Level(60)), Box::new(none), levels(Levels { levels: Level(10), ..Levels::default() })),
        ("not your message", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().sender = user("bob")), Action::Edit { target, content: Content::plain("x") }),
        ("last owner", Place::Open, OWNER, Box::new(|facts| facts.room.owners = 1), Action::Leave),
        ("direct room fixed", Place::Direct, OWNER, Box::new(none), Action::Leave),
        ("too many reactions", Place::Open, OWNER, Box::new(|facts| facts.target.as_mut().unwrap().kinds = (0..64).map(|n| n.to_string().into()).collect()), react(&["+1"])),
    ];
    let mut reached = BTreeSet::new();
    for (expect, place, standing, prepare, action) in cases {
        let mut facts = facts(place, standing);
        prepare(&mut facts);
        let refusal = act(&facts, &action).expect_err(expect);
        assert_eq!(name(&refusal), expect, "{action:?}");
        reached.insert(expect);
    }
    let missing = check(&user("ann"), &command(Action::Invite { user: user("bob") }), &facts(Place::Open, OWNER), true);
    assert_eq!(missing, Err(Refusal::UnknownUser));
    for (refusal, action, room_exists, missing) in new_room_refusals() {
        let refused = check_new_room(&user("ann"), &command(action), room_exists, missing).expect_err(refusal);
        assert_eq!(name(&refused), refusal);
        reached.insert(refusal);
    }
    #[rustfmt::skip]
    let all = [
        "already member", "content.data", "content.mentions", "content.text", "direct room fixed", "invite", "keys",
        "last owner", "level", "level too low", "message deleted", "not a member", "not invited", "not your message",
        "reason", "room exists", "room full", "settings", "settings.levels", "settings.name", "settings.topic",
        "too many reactions", "unknown message", "unknown room", "unknown user", "user",
    ];
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), all);
}

fn command(action: Action) -> Command {
    Command { room: room_id(), action }
}

fn create(invite: &[&str]) -> Action {
    Action::Create { settings: SettingsChange::default(), invite: invite.iter().map(|id| user(id)).collect() }
}

fn new_room_refusals() -> Vec<(&'static str, Action, bool, bool)> {
    let named = SettingsChange { name: Some("\u{7}".into()), ..SettingsChange::default() };
    vec![
        ("room exists", create(&["bob"]), true, false),
        ("unknown user", create(&["bob"]), false, true),
        ("unknown user", Action::Direct { user: user("bob") }, false, true),
        ("user", Action::Direct { user: user("ann") }, false, false),
        ("invite", create(&["bob"; CREATE_INVITES_MAX + 1]), false, false),
        ("settings.name", Action::Create { settings: named, invite: Vec::new() }, false, false),
        ("unknown room", Action::Join, false, false),
    ]
}

#[test]
fn a_new_group_has_an_owner_and_its_invited() {
    let Changes { create: new, events, cursors, .. } =
        check_new_room(&user("ann"), &command(create(&["cho", "ann", "bob", "cho"])), false, false).unwrap();
    let new = new.unwrap();
    assert_eq!((new.kind, new.pair, cursors), (RoomKind::Group, None, None));
    let member = |id: &str, state, level| EventBody::Member { user: user(id), state, level };
    let expected = [
        EventBody::Created { kind: RoomKind::Group, settings: new.settings },
        member("ann", MemberState::Joined, Level::OWNER),
        member("bob", MemberState::Invited, Level::MEMBER),
        member("cho", MemberState::Invited, Level::MEMBER),
    ];
    assert_eq!(events, expected, "each once, without the creator");
}

#[test]
fn a_new_direct_room_has_both_in_it() {
    for (me, other) in [("ann", "bob"), ("bob", "ann")] {
        let action = Action::Direct { user: user(other) };
        let changes = check_new_room(&user(me), &command(action), false, false).unwrap();
        let new = changes.create.unwrap();
        assert_eq!((new.kind, new.pair), (RoomKind::Direct, Some(pair_of(&user("ann"), &user("bob")))));
        let joined = |id: &str| EventBody::Member { user: user(id), state: MemberState::Joined, level: Level::MEMBER };
        assert_eq!(changes.events[1..], [joined(me), joined(other)]);
    }
}

#[test]
fn the_last_owner_may_leave_an_empty_room() {
    let mut alone = facts(Place::Private, OWNER);
    (alone.room.joined, alone.room.owners) = (1, 1);
    assert!(act(&alone, &Action::Leave).is_ok());
}

#[test]
fn who_comes_into_an_empty_group_owns_it() {
    for (standing, joined, level) in [
        (Standing::Stranger, 0, Level::OWNER),
        (Standing::Left, 0, Level::OWNER),
        (Standing::Invited, 0, Level::OWNER),
        (Standing::Stranger, 1, Level::MEMBER),
        (Standing::Invited, 1, Level::MEMBER),
    ] {
        let mut facts = facts(Place::Open, standing);
        (facts.room.joined, facts.room.owners) = (joined, joined);
        let event = EventBody::Member { user: user("ann"), state: MemberState::Joined, level };
        assert_eq!(act(&facts, &Action::Join).unwrap().events, [event], "{standing:?}");
    }
}
