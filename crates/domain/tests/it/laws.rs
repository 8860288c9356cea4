//! Laws that hold whatever is done: random commands through check, numbering and apply.

use std::collections::BTreeSet;

use domain::{
    Action, Content, EventBody, HistoryVisibility, JoinRule, Level, Levels, MemberState, RoomKind, Seq, SeqRange,
    SettingsChange, UserId, visible_ranges,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::facts::user;
use crate::log::Log;

const PEOPLE: [&str; 5] = ["ann", "bob", "cho", "dan", "eve"];
const KEYS: [&str; 3] = ["+1", "🐦", "b"];
const LEVELS: [Level; 5] = [Level::READER, Level::MEMBER, Level::MODERATOR, Level::ADMIN, Level::OWNER];

/// How a history begins.
#[derive(Debug, Clone)]
enum Beginning {
    Group { open: bool, history: HistoryVisibility, invite: Vec<u8> },
    Direct,
}

/// What somebody tries; small numbers stand for people and messages.
#[derive(Debug, Clone)]
enum Try {
    Join,
    Leave,
    Invite(u8),
    Remove(u8),
    SetLevel(u8, u8),
    Settings(Option<bool>, Option<HistoryVisibility>, Option<u8>),
    Send(Option<u8>),
    Edit(u8),
    Redact(u8),
    React(u8, Vec<u8>),
    Cursors(Option<u8>, Option<u8>),
}

fn any_history() -> impl Strategy<Value = HistoryVisibility> {
    use HistoryVisibility::{Anyone, Invited, Joined, Members};
    prop_oneof![Just(Joined), Just(Invited), Just(Members), Just(Anyone)]
}

fn any_beginning() -> impl Strategy<Value = Beginning> {
    let group = (any::<bool>(), any_history(), vec(any::<u8>(), 0..4))
        .prop_map(|(open, history, invite)| Beginning::Group { open, history, invite });
    prop_oneof![5 => group, 1 => Just(Beginning::Direct)]
}

fn any_try() -> impl Strategy<Value = (u8, Try)> {
    let n = any::<u8>;
    let action = prop_oneof![
        4 => Just(Try::Join),
        2 => Just(Try::Leave),
        3 => n().prop_map(Try::Invite),
        2 => n().prop_map(Try::Remove),
        3 => (n(), n()).prop_map(|(who, level)| Try::SetLevel(who, level)),
        1 => (any::<Option<bool>>(), option::of(any_history()), option::of(n()))
            .prop_map(|(open, history, level)| Try::Settings(open, history, level)),
        8 => option::of(n()).prop_map(Try::Send),
        4 => n().prop_map(Try::Edit),
        2 => n().prop_map(Try::Redact),
        4 => (n(), vec(n(), 0..3)).prop_map(|(target, keys)| Try::React(target, keys)),
        4 => (option::of(n()), option::of(n())).prop_map(|(delivered, read)| Try::Cursors(delivered, read)),
    ];
    (n(), action)
}

fn pick<T: Copy>(from: &[T], n: u8) -> T {
    from[usize::from(n) % from.len()]
}

fn somebody(n: u8) -> UserId {
    user(pick(&PEOPLE, n))
}

/// A text that is nowhere else: the digits end with a mark, so that none begins another.
fn secret(number: usize) -> String {
    format!("secret-{number};")
}

fn action(log: &Log, what: &Try, number: usize) -> Action {
    let messages: Vec<Seq> = log.state.messages.keys().rev().copied().collect();
    let message = |n: u8| messages.get(usize::from(n % 8)).copied().unwrap_or(Seq(u64::from(n)));
    let seq = |n: &u8| Seq(log.state.head.seq.0.saturating_sub(u64::from(*n % 8)) + u64::from(*n / 200));
    match what {
        Try::Join => Action::Join,
        Try::Leave => Action::Leave,
        Try::Invite(n) => Action::Invite { user: somebody(*n) },
        Try::Remove(n) => Action::Remove { user: somebody(*n) },
        Try::SetLevel(n, level) => Action::SetLevel { user: somebody(*n), level: pick(&LEVELS, *level) },
        Try::Settings(open, history, level) => Action::Settings(SettingsChange {
            join_rule: open.map(|open| if open { JoinRule::Open } else { JoinRule::Invite }),
            history: *history,
            levels: level.map(|n| Levels { invite: pick(&LEVELS, n), ..Levels::default() }),
            ..SettingsChange::default()
        }),
        Try::Send(reply_to) => {
            Action::Send { content: Content::plain(secret(number)), reply_to: reply_to.map(message) }
        }
        Try::Edit(n) => Action::Edit { target: message(*n), content: Content::plain(secret(number)) },
        Try::Redact(n) => Action::Redact { target: message(*n), reason: None },
        Try::React(n, keys) => {
            let keys = keys.iter().map(|n| pick(&KEYS, *n).into()).collect();
            Action::React { target: message(*n), keys }
        }
        Try::Cursors(delivered, read) => {
            Action::Cursors { delivered: delivered.as_ref().map(seq), read: read.as_ref().map(seq) }
        }
    }
}

fn begin(beginning: &Beginning) -> Log {
    let action = match beginning {
        Beginning::Direct => Action::Direct { user: user("bob") },
        Beginning::Group { open, history, invite } => {
            let join_rule = Some(if *open { JoinRule::Open } else { JoinRule::Invite });
            let settings = SettingsChange { join_rule, history: Some(*history), ..SettingsChange::default() };
            Action::Create { settings, invite: invite.iter().map(|n| somebody(*n)).collect() }
        }
    };
    Log::new(&user("ann"), action).unwrap()
}

/// Goes through a history and checks the laws of the moment after each step.
fn go(beginning: &Beginning, tries: &[(u8, Try)], mut moment: impl FnMut(&Log)) -> Log {
    let mut log = begin(beginning);
    moment(&log);
    for (number, (who, what)) in tries.iter().enumerate() {
        let action = action(&log, what, number);
        if log.act(&somebody(*who), action).is_ok() {
            moment(&log);
        }
    }
    log
}

proptest! {
    // A failing history is printed whole, as small as it gets: as a test of its own it says more than a stored seed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn seqs_are_dense_and_messages_are_counted(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        let log = go(&beginning, &tries, |_| {});
        let mut messages = 0;
        for (event, seq) in log.events().zip(1..) {
            messages += u64::from(event.body.is_message());
            assert_eq!((event.seq, event.number), (Seq(seq), messages));
        }
        let head = log.state.head;
        assert_eq!((head.seq.0, head.messages), (log.events().count() as u64, messages));
        assert_eq!(head.last_message, log.state.messages.keys().last().copied());
        assert!(log.events().all(|event| matches!(event.body, EventBody::Created { .. }) == (event.seq == Seq(1))));
    }

    /// With redacted events as they are now in the log, at that: the snapshot may be older than the redaction.
    #[test]
    fn a_snapshot_and_the_events_after_it_are_a_fresh_fold(
        beginning in any_beginning(), tries in vec(any_try(), 0..80), cut in any::<u16>()
    ) {
        let mut snapshots = Vec::new();
        let log = go(&beginning, &tries, |log| snapshots.push((log.commits.len(), log.state.clone())));
        let (_, fresh) = log.refold(0);
        assert_eq!(fresh, log.state);
        let (commits, mut state) = snapshots.swap_remove(usize::from(cut) % snapshots.len());
        for (number, commit) in (1..).map(domain::CommitNumber).zip(&log.commits).skip(commits) {
            state.apply(number, commit);
        }
        assert_eq!(state, log.state);
    }

    #[test]
    fn a_redacted_body_is_nowhere(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        let mut said: Vec<(Seq, String)> = Vec::new();
        let mut seen = 0;
        let log = go(&beginning, &tries, |log| {
            for event in log.events().skip(seen) {
                let (message, content) = match &event.body {
                    EventBody::Message { content, .. } => (event.seq, content),
                    EventBody::Edit { target, content } => (*target, content),
                    _ => continue,
                };
                let Some(Content::Text(text)) = content else { panic!("a new message says something") };
                said.push((message, text.text.to_string()));
            }
            seen = log.events().count();
        });
        let all = format!("{:?} {:?}", log.commits, log.state);
        let redacted: BTreeSet<Seq> = log.events().filter_map(|event| match &event.body {
            EventBody::Redaction { target, .. } => Some(*target),
            _ => None,
        }).collect();
        for (message, text) in said {
            assert_eq!(all.contains(&text), !redacted.contains(&message), "{text} of {message}");
        }
        for (event, message) in log.events().filter_map(|event| Some((event, event.body.target()?))) {
            let late = matches!(event.body, EventBody::Edit { .. } | EventBody::Reaction { .. })
                && log.events().any(|other| other.seq < event.seq
                    && matches!(other.body, EventBody::Redaction { target, .. } if target == message));
            assert!(!late, "nothing happens to a deleted message");
        }
    }

    #[test]
    fn who_left_sees_nothing_after(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        go(&beginning, &tries, |log| {
            let head = log.state.head.seq;
            let anyone = log.state.room.settings.history == HistoryVisibility::Anyone;
            assert_eq!(visible_ranges(&log.state.room, None, head).is_empty(), !anyone);
            for (id, (member, _)) in &log.state.members {
                let ranges = visible_ranges(&log.state.room, Some(member), head);
                assert!(ranges.iter().all(|range| Seq(1) <= range.first && range.first <= range.last));
                assert!(ranges.is_sorted_by(|a, b| a.last < b.first), "ascending and apart: {ranges:?}");
                let end = ranges.last().map(|range| range.last);
                let last_change = log.events().filter(|event| {
                    matches!(&event.body, EventBody::Member { user, .. } if user == id)
                }).last().unwrap().seq;
                let was_in = !member.intervals.is_empty();
                match member.state {
                    _ if anyone => assert_eq!(ranges, [SeqRange { first: Seq(1), last: head }]),
                    MemberState::Joined => assert_eq!(end, Some(head)),
                    MemberState::Left | MemberState::Invited if was_in => {
                        let left = member.intervals.last().unwrap().left.expect("who is out has left");
                        assert!(left <= last_change);
                        assert_eq!(end, Some(left));
                    }
                    MemberState::Left | MemberState::Invited => assert_eq!(end, None, "never was in"),
                }
            }
        });
    }

    #[test]
    fn counters_are_what_a_recount_gives(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        go(&beginning, &tries, |log| {
            let room = &log.state.room;
            let count = |state: MemberState, level: Option<Level>| {
                let members = log.state.members.values().map(|(member, _)| member);
                let of = members.filter(|member| member.state == state && level.is_none_or(|level| member.level == level));
                u32::try_from(of.count()).unwrap()
            };
            assert_eq!(room.joined, count(MemberState::Joined, None));
            assert_eq!(room.invited, count(MemberState::Invited, None));
            assert_eq!(room.owners, count(MemberState::Joined, Some(Level::OWNER)));
            for (member, _) in log.state.members.values() {
                let open = member.intervals.iter().filter(|interval| interval.left.is_none()).count();
                assert_eq!(open, usize::from(member.is_joined()));
                assert_eq!(member.invited_at.is_some(), member.state == MemberState::Invited);
            }
        });
    }

    #[test]
    fn a_group_has_an_owner_and_a_direct_room_its_two(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        go(&beginning, &tries, |log| {
            let room = &log.state.room;
            match room.kind {
                RoomKind::Group => assert!(room.owners > 0 || room.joined == 0),
                RoomKind::Direct => {
                    assert_eq!((room.joined, room.invited, room.owners, log.state.members.len()), (2, 0, 0, 2));
                }
            }
        });
    }

    /// That they only move forward is asserted where the log moves them.
    #[test]
    fn cursors_stay_within_the_log(beginning in any_beginning(), tries in vec(any_try(), 0..80)) {
        go(&beginning, &tries, |log| {
            for (_, cursors) in log.state.members.values() {
                assert!(cursors.read <= cursors.delivered && cursors.delivered <= log.state.head.seq);
                let messages = log.events().filter(|event| event.body.is_message() && event.seq <= cursors.read).count();
                assert_eq!(cursors.read_messages, messages as u64);
                assert!(cursors.read_messages <= log.state.head.messages);
            }
        });
    }
}
