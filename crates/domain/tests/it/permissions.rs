//! Who may do what: each command for each standing of the actor in each kind of room.

use std::collections::BTreeSet;

use domain::{Action, Content, Level, Refusal, RoomFacts, Seq, SettingsChange};

use crate::facts::{Place, Standing, act, facts, member, user};

/// The columns of the tables below.
const STANDINGS: [Standing; 8] = [
    Standing::Stranger,
    Standing::Invited,
    Standing::Left,
    Standing::Joined(Level::READER),
    Standing::Joined(Level::MEMBER),
    Standing::Joined(Level::MODERATOR),
    Standing::Joined(Level::ADMIN),
    Standing::Joined(Level::OWNER),
];

/// Checks a row for each place: `ok` writes, `so` is so already, the rest are refusals.
fn check(action: &Action, prepare: impl Fn(&mut RoomFacts), rows: [(Place, &str); 3]) {
    for (place, expect) in rows {
        let row: Vec<_> = STANDINGS
            .into_iter()
            .map(|standing| {
                let mut facts = facts(place, standing);
                prepare(&mut facts);
                match act(&facts, action) {
                    Ok(changes) if changes.is_empty() => "so",
                    Ok(changes) => {
                        assert_eq!(changes.expect.version, facts.room.version, "{action:?}");
                        "ok"
                    }
                    Err(Refusal::UnknownRoom) => "room",
                    Err(Refusal::NotAMember) => "out",
                    Err(Refusal::NotInvited) => "rule",
                    Err(Refusal::LevelTooLow) => "level",
                    Err(Refusal::DirectRoomFixed) => "fixed",
                    Err(Refusal::NotYourMessage) => "other",
                    Err(Refusal::RoomExists) => "exists",
                    Err(other) => panic!("{action:?} {place:?} {standing:?}: {other:?}"),
                }
            })
            .collect();
        let expect: Vec<_> = expect.split_whitespace().collect();
        assert_eq!(row, expect, "{action:?} {place:?}");
    }
}

fn nothing_else(_: &mut RoomFacts) {}

fn bob_joined(facts: &mut RoomFacts) {
    facts.other = member("bob", Standing::Joined(Level::MEMBER));
}

fn by_bob(facts: &mut RoomFacts) {
    facts.target.as_mut().unwrap().sender = user("bob");
}

#[test]
#[rustfmt::skip]
fn coming_and_going() {
    //                         stranger invited left reader member moderator admin owner
    check(&Action::Join, nothing_else, [
        (Place::Private, "      room     ok      rule so     so     so        so    so"),
        (Place::Open, "         ok       ok      ok   so     so     so        so    so"),
        (Place::Direct, "       room     ok      rule so     so     so        so    so"),
    ]);
    check(&Action::Leave, nothing_else, [
        (Place::Private, "      room     ok      out  ok     ok     ok        ok    ok"),
        (Place::Open, "         out      ok      out  ok     ok     ok        ok    ok"),
        (Place::Direct, "       room     fixed   out  fixed  fixed  fixed     fixed fixed"),
    ]);
    check(&Action::Invite { user: user("bob") }, nothing_else, [
        (Place::Private, "      room     out     out  level  ok     ok        ok    ok"),
        (Place::Open, "         out      out     out  level  ok     ok        ok    ok"),
        (Place::Direct, "       room     out     out  fixed  fixed  fixed     fixed fixed"),
    ]);
    check(&Action::Remove { user: user("bob") }, bob_joined, [
        (Place::Private, "      room     out     out  level  level  ok        ok    ok"),
        (Place::Open, "         out      out     out  level  level  ok        ok    ok"),
        (Place::Direct, "       room     out     out  fixed  fixed  fixed     fixed fixed"),
    ]);
    check(&Action::SetLevel { user: user("bob"), level: Level(20) }, bob_joined, [
        (Place::Private, "      room     out     out  level  level  level     ok    ok"),
        (Place::Open, "         out      out     out  level  level  level     ok    ok"),
        (Place::Direct, "       room     out     out  fixed  fixed  fixed     fixed fixed"),
    ]);
    let settings = SettingsChange { name: Some("new".into()), ..SettingsChange::default() };
    check(&Action::Settings(settings), nothing_else, [
        (Place::Private, "      room     out     out  level  level  ok        ok    ok"),
        (Place::Open, "         out      out     out  level  level  ok        ok    ok"),
        (Place::Direct, "       room     out     out  fixed  fixed  fixed     fixed fixed"),
    ]);
    for action in [
        Action::Create { settings: SettingsChange::default(), invite: Vec::new() },
        Action::Direct { user: user("bob") },
    ] {
        check(&action, nothing_else, [
            (Place::Private, "  exists   exists  exists exists exists exists  exists exists"),
            (Place::Open, "     exists   exists  exists exists exists exists  exists exists"),
            (Place::Direct, "   exists   exists  exists exists exists exists  exists exists"),
        ]);
    }
}

#[test]
#[rustfmt::skip]
fn messages_and_what_becomes_of_them() {
    let content = Content::plain("hello");
    let target = Seq(9);
    let keys = BTreeSet::from(["+1".into()]);
    let as_member = [
        //                     stranger invited left reader member moderator admin owner
        (Place::Private, "     room     out     out  level  ok     ok        ok    ok"),
        (Place::Open, "        out      out     out  level  ok     ok        ok    ok"),
        (Place::Direct, "      room     out     out  level  ok     ok        ok    ok"),
    ];
    check(&Action::Send { content: content.clone(), reply_to: None }, nothing_else, as_member);
    check(&Action::Send { content: content.clone(), reply_to: Some(target) }, by_bob, as_member);
    check(&Action::Edit { target, content: content.clone() }, nothing_else, as_member);
    check(&Action::React { target, keys: keys.clone() }, by_bob, as_member);
    check(&Action::Edit { target, content }, by_bob, [
        (Place::Private, "     room     out     out  level  other  other     other other"),
        (Place::Open, "        out      out     out  level  other  other     other other"),
        (Place::Direct, "      room     out     out  level  other  other     other other"),
    ]);
    let redact = Action::Redact { target, reason: Some("why".into()) };
    let as_anybody_in_it = [
        (Place::Private, "     room     out     out  ok     ok     ok        ok    ok"),
        (Place::Open, "        out      out     out  ok     ok     ok        ok    ok"),
        (Place::Direct, "      room     out     out  ok     ok     ok        ok    ok"),
    ];
    check(&redact, nothing_else, as_anybody_in_it);
    check(&redact, by_bob, [
        (Place::Private, "     room     out     out  level  level  ok        ok    ok"),
        (Place::Open, "        out      out     out  level  level  ok        ok    ok"),
        (Place::Direct, "      room     out     out  level  level  ok        ok    ok"),
    ]);
    check(&Action::Cursors { delivered: Some(Seq(3)), read: None }, nothing_else, as_anybody_in_it);
    // What is so already is no change, whoever of the members asks.
    let so_for_members = [
        (Place::Private, "     room     out     out  level  so     so        so    so"),
        (Place::Open, "        out      out     out  level  so     so        so    so"),
        (Place::Direct, "      room     out     out  level  so     so        so    so"),
    ];
    let reacted = |facts: &mut RoomFacts| facts.target.as_mut().unwrap().my_keys = keys.clone();
    check(&Action::React { target, keys: keys.clone() }, reacted, so_for_members);
    let so_for_all = so_for_members.map(|(place, _)| (place, match place {
        Place::Private | Place::Direct => "room out out so so so so so",
        Place::Open => "out out out so so so so so",
    }));
    check(&redact, |facts| facts.target.as_mut().unwrap().redacted = true, so_for_all);
    let read = |facts: &mut RoomFacts| facts.cursors.delivered = Seq(3);
    check(&Action::Cursors { delivered: Some(Seq(3)), read: Some(Seq(0)) }, read, so_for_all);
}

/// A member's level, the other's level now, and the level to be: who may set it.
#[test]
fn levels_go_up_to_ones_own_and_down_from_below() {
    let check = |mine: u8, others: u8, level: u8, expect: Result<bool, Refusal>| {
        let mut facts = facts(Place::Private, Standing::Joined(Level(mine)));
        facts.other = member("bob", Standing::Joined(Level(others)));
        let done = act(&facts, &Action::SetLevel { user: user("bob"), level: Level(level) });
        assert_eq!(done.map(|changes| !changes.is_empty()), expect, "{mine} sets {others} to {level}");
    };
    check(90, 10, 90, Ok(true));
    check(90, 10, 91, Err(Refusal::LevelTooLow));
    check(90, 89, 0, Ok(true));
    check(90, 90, 10, Err(Refusal::LevelTooLow));
    check(90, 100, 10, Err(Refusal::LevelTooLow));
    check(89, 10, 20, Err(Refusal::LevelTooLow));
    check(100, 90, 100, Ok(true));
    check(100, 100, 90, Err(Refusal::LevelTooLow));
    check(100, 10, 10, Ok(false));
    let own = |mine: u8, owners: u32, level: u8, expect: Result<bool, Refusal>| {
        let mut facts = facts(Place::Private, Standing::Joined(Level(mine)));
        facts.room.owners = owners;
        facts.other = facts.me.clone();
        let done = act(&facts, &Action::SetLevel { user: user("ann"), level: Level(level) });
        assert_eq!(done.map(|changes| !changes.is_empty()), expect, "{mine} sets own to {level}");
    };
    own(90, 1, 10, Ok(true));
    own(90, 1, 100, Err(Refusal::LevelTooLow));
    own(90, 1, 90, Ok(false));
    own(100, 2, 10, Ok(true));
    own(100, 1, 10, Err(Refusal::LastOwner));
    own(100, 1, 100, Ok(false));
}

/// A member can be removed by who is above them, an invitation taken back likewise.
#[test]
fn removal_needs_a_higher_level() {
    let check = |mine: u8, other: Standing, expect: Result<(), Refusal>| {
        let mut facts = facts(Place::Private, Standing::Joined(Level(mine)));
        facts.other = member("bob", other);
        let done = act(&facts, &Action::Remove { user: user("bob") });
        assert_eq!(done.map(|changes| assert_eq!(changes.events.len(), 1)), expect, "{mine} removes {other:?}");
    };
    check(50, Standing::Joined(Level(49)), Ok(()));
    check(50, Standing::Joined(Level(50)), Err(Refusal::LevelTooLow));
    check(100, Standing::Joined(Level(100)), Err(Refusal::LevelTooLow));
    check(50, Standing::Invited, Ok(()));
    check(50, Standing::Left, Err(Refusal::UnknownUser));
    check(50, Standing::Stranger, Err(Refusal::UnknownUser));
    let mut myself = facts(Place::Private, Standing::Joined(Level::ADMIN));
    myself.other = myself.me.clone();
    assert_eq!(act(&myself, &Action::Remove { user: user("ann") }), Err(Refusal::LevelTooLow));
}
