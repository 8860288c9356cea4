//! A small true history, and one lie for each promise.

use super::*;

const SECOND: Micros = 1_000_000;

fn device(user: &str, number: u32) -> Device {
    Device { user: user.into(), number }
}

fn event(seq: u64, sender: &str, client_id: Option<&str>, body: Body) -> Seen {
    Seen {
        room: "r".into(),
        seq,
        commit: seq + 10,
        sender: sender.into(),
        client_id: client_id.map(str::to_owned),
        body,
    }
}

fn member(seq: u64, sender: &str, user: &str, state: State) -> Seen {
    event(seq, sender, None, Body::Member { user: user.into(), state })
}

fn message(seq: u64, sender: &str, id: &str, text: Option<&str>) -> Seen {
    event(seq, sender, Some(id), Body::Message { text: text.map(str::to_owned) })
}

fn record(of: Device, start: u64, what: What) -> Record {
    Record { device: of, connection: 1, start: start * SECOND, end: (start + 1) * SECOND, what }
}

fn call(of: Device, start: u64, client_id: &str, op: Op, outcome: Outcome) -> Record {
    record(of, start, What::Call { room: "r".into(), client_id: Some(client_id.into()), op, outcome })
}

fn done(seq: u64) -> Outcome {
    Outcome::Done { seq, commit: seq + 10, duplicate: false }
}

fn send(text: &str) -> Op {
    Op::Send { text: text.into() }
}

/// Ann and Bob are in the room of Keeper. Ann says three things and deletes the second; Bob is removed, and Ann says one
/// more. All messages but those are 4 seqs: 5, 6, 7 and 10.
fn truth() -> History {
    let log = vec![
        event(1, "keeper", None, Body::Created),
        member(2, "keeper", "keeper", State::Joined),
        member(3, "ann", "ann", State::Joined),
        member(4, "bob", "bob", State::Joined),
        message(5, "ann", "a", Some("one")),
        message(6, "ann", "b", None),
        message(7, "ann", "c", Some("three")),
        event(8, "ann", Some("d"), Body::Redaction { target: 6 }),
        member(9, "keeper", "bob", State::Left),
        message(10, "ann", "e", Some("four")),
    ];
    let (ann, bob) = (device("ann", 1), device("bob", 3));
    let mut records = vec![
        call(ann.clone(), 0, "a", send("one"), done(5)),
        call(ann.clone(), 2, "b", send("two"), Outcome::Unknown),
        call(ann.clone(), 4, "b", send("two"), Outcome::Done { seq: 6, commit: 16, duplicate: true }),
        call(ann.clone(), 6, "c", send("three"), done(7)),
        call(ann.clone(), 8, "d", Op::Redact { target: 6 }, done(8)),
        call(ann.clone(), 10, "x", send("no"), Outcome::Refused { code: "level_too_low".into() }),
        call(ann.clone(), 12, "e", send("four"), done(10)),
        call(ann.clone(), 14, "f", Op::Cursor { read: 7 }, done(0)),
    ];
    for seq in 5..=9 {
        let mut seen = log[seq as usize - 1].clone();
        seen.client_id = None;
        if seq == 6 {
            seen.body = Body::Message { text: Some("two".into()) };
        }
        records.push(record(bob.clone(), seq, What::Pushed(seen)));
    }
    records.push(record(ann, 20, What::Read { room: "r".into(), head: 10, events: log[2..].to_vec() }));
    let members = BTreeMap::from([("keeper".into(), State::Joined), ("ann".into(), State::Joined)]);
    let room = |first: usize, read: u64| {
        let read_messages = [5, 6, 7, 10].iter().filter(|seq| **seq <= read).count() as u64;
        let cursors = Cursors { delivered: read, read, read_messages };
        let (state, members, events) = (State::Joined, members.clone(), log[first..].to_vec());
        EndRoom { state, head: 10, messages: 4, unread: 4 - read_messages, cursors, members, events }
    };
    let end = |user: &str, number, room| End {
        device: device(user, number),
        rooms: BTreeMap::from([("r".to_owned(), room)]),
    };
    let ends = vec![
        end("keeper", 0, room(1, 2)),
        end("ann", 1, room(2, 10)),
        end("ann", 2, room(2, 10)),
        End { device: bob, rooms: BTreeMap::new() },
    ];
    History { records, ends, leftovers: Vec::new() }
}

/// With this lie in it, the history breaks this promise.
#[track_caller]
fn check_lie(expect: Invariant, lie: impl FnOnce(&mut History)) {
    let mut history = truth();
    lie(&mut history);
    let found = check(&history);
    assert!(found.iter().any(|violation| violation.invariant == expect), "{found:#?}");
    for violation in &found {
        assert!(!excerpt(&history, violation).is_empty());
    }
}

fn everywhere(history: &mut History, change: impl Fn(&mut Vec<Seen>)) {
    for room in history.ends.iter_mut().flat_map(|end| end.rooms.values_mut()) {
        change(&mut room.events);
    }
}

fn room_of(history: &mut History, end: usize) -> &mut EndRoom {
    history.ends[end].rooms.get_mut("r").expect("it is there")
}

#[test]
fn the_truth_breaks_nothing() {
    let found = check(&truth());
    assert!(found.is_empty(), "{found:#?}");
    let text = serde_json::to_string(&truth()).unwrap();
    assert!(check(&serde_json::from_str(&text).unwrap()).is_empty());
}

#[test]
fn what_was_acknowledged_must_be_there() {
    check_lie(Invariant::AckedIsKept, |history| {
        everywhere(history, |events| events.retain(|event| event.seq != 10));
        for room in history.ends.iter_mut().flat_map(|end| end.rooms.values_mut()) {
            (room.head, room.messages) = (9, 3);
        }
    });
    check_lie(Invariant::AckedIsKept, |history| {
        everywhere(history, |events| {
            if let Some(event) = events.iter_mut().find(|event| event.seq == 10) {
                event.sender = "keeper".into();
            }
        });
    });
    check_lie(Invariant::AckedIsKept, |history| {
        history.records.push(record(device("bob", 3), 3, What::Pushed(message(11, "ann", "q", Some("one")))));
    });
}

#[test]
fn a_client_id_writes_once() {
    check_lie(Invariant::OncePerClientId, |history| {
        everywhere(history, |events| events.push(message(11, "ann", "b", Some("five"))));
    });
    check_lie(Invariant::OncePerClientId, |history| {
        everywhere(history, |events| events.push(message(11, "ann", "z", Some("one"))));
    });
    check_lie(Invariant::OncePerClientId, |history| {
        history.records.push(call(device("ann", 1), 30, "a", send("one"), done(7)));
    });
}

#[test]
fn what_was_refused_must_not_be_there() {
    check_lie(Invariant::RefusedIsNowhere, |history| {
        everywhere(history, |events| events.push(message(11, "ann", "x", Some("no"))));
    });
}

#[test]
fn seqs_have_no_hole() {
    check_lie(Invariant::SeqsAreDense, |history| {
        everywhere(history, |events| events.push(message(12, "ann", "y", Some("one"))));
    });
}

#[test]
fn a_seq_is_one_event() {
    check_lie(Invariant::OneEventPerSeq, |history| {
        room_of(history, 0).events[3].sender = "bob".into();
    });
    check_lie(Invariant::OneEventPerSeq, |history| {
        let other = message(7, "keeper", "c", Some("three"));
        history.records.push(record(device("ann", 2), 30, What::Pushed(other)));
    });
    check_lie(Invariant::OneEventPerSeq, |history| {
        let other = message(7, "ann", "c", Some("nobody said this"));
        history.records.push(record(device("ann", 2), 30, What::Pushed(other)));
    });
}

#[test]
fn later_calls_come_later() {
    check_lie(Invariant::RealTimeOrder, |history| {
        history.records[6] = call(device("ann", 1), 0, "e", send("four"), done(10));
        history.records[0] = call(device("ann", 1), 2, "a", send("one"), done(5));
    });
}

#[test]
fn pushes_come_in_order() {
    for lie in [7, 5, 10] {
        // Again, back, and one left out.
        check_lie(Invariant::PushesAreInOrder, |history| {
            let log = room_of(history, 0).events.clone();
            let of = device("ann", 2);
            let first = log.iter().find(|event| event.seq == if lie == 10 { 8 } else { 7 }).expect("it is there");
            let second = log.iter().find(|event| event.seq == lie).expect("it is there");
            history.records.push(record(of.clone(), 30, What::Pushed(first.clone())));
            history.records.push(record(of, 31, What::Pushed(second.clone())));
        });
    }
    let mut history = truth();
    let log = room_of(&mut history, 0).events.clone();
    history.records.push(record(device("ann", 2), 30, What::Pushed(log[5].clone())));
    history.records.push(record(device("ann", 2), 31, What::Resync));
    history.records.push(record(device("ann", 2), 32, What::Pushed(log[8].clone())));
    assert!(check(&history).is_empty(), "a resync tells of the hole");
}

#[test]
fn cursors_go_forward() {
    check_lie(Invariant::CursorsMoveForward, |history| {
        for end in [1, 2] {
            let room = room_of(history, end);
            room.cursors = Cursors { delivered: 5, read: 5, read_messages: 1 };
            room.unread = 3;
        }
    });
    check_lie(Invariant::CursorsMoveForward, |history| {
        for read in [7, 6] {
            let cursors = Cursors { delivered: 7, read, read_messages: 0 };
            let pushed = What::CursorPushed { room: "r".into(), user: "ann".into(), cursors };
            history.records.push(record(device("keeper", 0), 30, pushed));
        }
    });
}

#[test]
fn unread_is_what_is_not_read() {
    check_lie(Invariant::UnreadFollowsCursors, |history| room_of(history, 0).unread = 3);
    check_lie(Invariant::UnreadFollowsCursors, |history| room_of(history, 0).cursors.read_messages = 1);
}

#[test]
fn who_is_out_sees_nothing() {
    check_lie(Invariant::RemovedSeesNothing, |history| {
        history.records.push(record(device("bob", 3), 30, What::Pushed(message(10, "ann", "e", Some("four")))));
    });
    check_lie(Invariant::RemovedSeesNothing, |history| {
        let events = vec![message(10, "ann", "e", Some("four"))];
        history.records.push(record(device("bob", 3), 30, What::Read { room: "r".into(), head: 10, events }));
    });
    for (head, lie) in [(10, true), (9, false)] {
        let mut history = truth();
        let rooms = BTreeMap::from([("r".to_owned(), (State::Left, head))]);
        let connected = What::Connected { since: 14, rooms, commit: 20, last: Vec::new() };
        history.records.push(record(device("bob", 3), 30, connected));
        let broken = check(&history).iter().any(|violation| violation.invariant == Invariant::RemovedSeesNothing);
        assert_eq!(broken, lie, "head {head}");
    }
}

#[test]
fn devices_see_the_same_in_the_end() {
    check_lie(Invariant::DevicesConverge, |history| {
        room_of(history, 2).events.pop();
    });
    check_lie(Invariant::DevicesConverge, |history| {
        room_of(history, 0).members.insert("bob".into(), State::Joined);
    });
    check_lie(Invariant::DevicesConverge, |history| room_of(history, 0).head = 9);
}

#[test]
fn what_is_deleted_is_gone() {
    check_lie(Invariant::DeletedIsGone, |history| {
        everywhere(history, |events| {
            if let Some(event) = events.iter_mut().find(|event| event.seq == 6) {
                event.body = Body::Message { text: Some("two".into()) };
            }
        });
    });
    check_lie(Invariant::DeletedIsGone, |history| {
        let events = vec![message(6, "ann", "b", Some("two"))];
        history.records.push(record(device("ann", 2), 30, What::Read { room: "r".into(), head: 10, events }));
    });
    check_lie(Invariant::DeletedIsGone, |history| history.leftovers.push(("two".into(), "starling.db".into())));
}

#[test]
fn an_ended_device_is_dead() {
    let revoke = |history: &mut History| {
        let outcome = done(0);
        history.records.push(call(device("ann", 1), 30, "r", Op::Revoke { number: 2 }, outcome));
    };
    check_lie(Invariant::RevokedIsDead, |history| {
        revoke(history);
        history.records.push(call(
            device("ann", 2),
            33,
            "s",
            send("six"),
            Outcome::Refused { code: "room_full".into() },
        ));
    });
    check_lie(Invariant::RevokedIsDead, |history| {
        revoke(history);
        history.records.push(record(device("ann", 2), 33, What::Resync));
    });
}

#[test]
fn reads_show_what_was_acknowledged() {
    check_lie(Invariant::ReadsAreFresh, |history| {
        let events = room_of(history, 0).events[..6].to_vec();
        history.records.push(record(device("keeper", 0), 30, What::Read { room: "r".into(), head: 7, events }));
    });
    check_lie(Invariant::ReadsAreFresh, |history| {
        let connected = What::Connected { since: 12, rooms: BTreeMap::new(), commit: 20, last: Vec::new() };
        history.records.push(record(device("keeper", 0), 30, connected));
    });
}
