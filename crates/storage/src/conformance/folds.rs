//! What is derived is the fold of the log, also when many units are written together.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Action, CommitNumber, Content, Cursors, EventBody, Head, Member, MemberState, Room, RoomId, Seq, UserId};

use super::world::{PEOPLE, World, keys, range, read_to, room, say, set_level, user};
use crate::{Commit, MovedCursors, Outcome, RoomSnapshot, Store, Work};

const ROOMS: [&str; 3] = ["red", "blue", "green"];
/// Things that each person tries.
const TRIES: u64 = 100;

/// Everybody does this and that at the same time; what the domain refuses is dropped.
async fn bustle(world: &World) {
    for (name, people) in ROOMS.into_iter().zip([&PEOPLE[..4], &PEOPLE[1..], &PEOPLE[2..]]) {
        world.group(name, people).await;
    }
    let mut everybody = tokio::task::JoinSet::new();
    for (person, first) in PEOPLE.into_iter().zip(1_u64..) {
        let world = world.clone();
        everybody.spawn(async move {
            // A fixed sequence for each person; how they meet is up to the scheduler.
            let mut number = first.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for _ in 0..TRIES {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let dice = number >> 33;
                let name = ROOMS[usize::try_from(dice % 3).unwrap()];
                let other = PEOPLE[usize::try_from(dice / 3 % 5).unwrap()];
                let target = Seq(dice / 15 % 60);
                let action = match dice / 900 % 16 {
                    0 | 1 => Action::Join,
                    2 => Action::Leave,
                    3 => Action::Invite { user: user(other) },
                    4 => set_level(other, domain::Level::ADMIN),
                    5 => Action::Redact { target, reason: None },
                    6 | 7 => Action::React { target, keys: keys(&["+1"]) },
                    8 => Action::Edit { target, content: Content::plain("edited") },
                    9 | 10 => read_to(Some(target.0), Some(target.0)),
                    _ => say("hello"),
                };
                // A conflict means that somebody else got through: look again.
                while let Ok(changes) = world.check(person, name, action.clone()).await
                    && !changes.is_empty()
                {
                    match world.commit(Work::Room(world.work(person, name, changes))).await {
                        Outcome::Conflict => {}
                        Outcome::Done(_) => break,
                        other => panic!("there was no client id: {other:?}"),
                    }
                }
            }
        });
    }
    everybody.join_all().await;
    let mut events = 0;
    for name in ROOMS {
        events += world.room(name).await.head.seq.0;
    }
    assert!(events > TRIES, "most of it went through: {events} events");
}

async fn snapshot(world: &World, name: &str) -> RoomSnapshot {
    let people = PEOPLE.map(user);
    let asked: Vec<&UserId> = people.iter().collect();
    world.store.room(&world.app, &room(name), &asked).await.unwrap().expect("the room exists")
}

/// Rooms and members are what their events give, read again from the first.
pub async fn rooms_are_the_fold_of_their_logs(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    bustle(&world).await;
    for name in ROOMS {
        let stored = snapshot(&world, name).await;
        let (entries, at) = world.store.entries(&world.app, &room(name), &[range(1, Seq::MAX.0)], None).await.unwrap();
        assert_eq!((entries.len() as u64, at), (stored.head.seq.0, stored.head.seq));
        let EventBody::Created { kind, settings } = &entries[0].event.body else { panic!("seq 1 makes the room") };
        let mut folded = Room::new(room(name), *kind, None, settings.clone(), entries[0].event.at);
        let (mut head, mut members) = (Head::default(), BTreeMap::<UserId, Member>::new());
        for event in entries.iter().map(|entry| &entry.event) {
            let about = match &event.body {
                EventBody::Member { user, .. } => Some(user),
                _ => None,
            };
            folded.apply(&event.body, about.and_then(|user| members.get(user)));
            head.apply(event);
            if let Some(user) = about {
                let member = members.entry(user.clone()).or_insert_with(|| Member::stranger(user.clone()));
                member.apply(event.seq, event.commit, &event.sender, &event.body);
            }
        }
        assert_eq!((&stored.room, stored.head), (&folded, head));
        for (person, membership) in PEOPLE.into_iter().zip(&stored.members) {
            assert_eq!(membership.as_ref().map(|found| &found.member), members.get(&user(person)));
            let Some(Cursors { delivered, read, read_messages, .. }) = membership.as_ref().map(|found| found.cursors)
            else {
                continue;
            };
            let last_read = entries.iter().map(|entry| &entry.event).rfind(|event| event.seq <= read);
            assert_eq!(read_messages, last_read.map_or(0, |event| event.number));
            assert!(read <= delivered && delivered <= stored.head.seq);
        }
    }
}

/// Who follows the feed has the same events and cursors in the end as who reads.
pub async fn the_feed_leads_to_what_is_stored(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut feed = world.store.feed().unwrap();
    bustle(&world).await;
    let mut cursors: BTreeMap<(RoomId, UserId), Cursors> = BTreeMap::new();
    let mut events: BTreeMap<RoomId, Vec<(Seq, CommitNumber)>> = BTreeMap::new();
    let mut last = CommitNumber(0);
    while let Ok(commit) = feed.try_recv() {
        let Commit { app, number, events: new, cursors: moved, .. } = &*commit;
        assert!(*app == world.app && *number > last);
        last = *number;
        for event in new {
            assert_eq!(event.commit, *number);
            events.entry(event.room.clone()).or_default().push((event.seq, event.commit));
        }
        for MovedCursors { room, user, cursors: now } in moved {
            assert_eq!(now.commit, *number);
            cursors.insert((room.clone(), user.clone()), *now);
        }
    }
    assert_eq!(last, world.store.head(&world.app).await.unwrap());
    for name in ROOMS {
        let entries = world.entries(name, "ann").await;
        let stored: Vec<_> = entries.iter().map(|entry| (entry.event.seq, entry.event.commit)).collect();
        assert_eq!(events.remove(&room(name)), Some(stored));
        for (person, membership) in PEOPLE.into_iter().zip(snapshot(&world, name).await.members) {
            let stored = membership.map(|found| found.cursors).filter(|found| *found != Cursors::default());
            assert_eq!(cursors.get(&(room(name), user(person))).copied(), stored, "{person} in {name}");
        }
    }
}

/// From any commit on, exactly the rooms that changed for a user are told, oldest change first.
pub async fn changes_are_told_exactly(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    bustle(&world).await;
    let head = world.store.head(&world.app).await.unwrap();
    for (place, person) in PEOPLE.into_iter().enumerate() {
        let mut at = Vec::new();
        for name in ROOMS {
            let snapshot = snapshot(&world, name).await;
            let Some(me) = snapshot.members[place].clone() else { continue };
            let commit = match me.member.state {
                MemberState::Joined => snapshot.head.commit.max(me.cursors.commit),
                MemberState::Invited | MemberState::Left => me.member.commit,
            };
            at.push((commit, room(name), me.member.state));
        }
        at.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        for since in (0..=head.0).map(CommitNumber) {
            let changed = world.store.changed_rooms(&world.app, &user(person), since, 100).await.unwrap();
            assert_eq!((changed.commit, changed.more), (head, false));
            let mut told: Vec<_> = changed.rooms.into_iter().map(|listed| listed.room.id).collect();
            let wanted =
                at.iter().filter(|(commit, _, state)| *commit > since && (since.0 > 0 || *state != MemberState::Left));
            let wanted: Vec<_> = wanted.map(|(commit, room, _)| (*commit, room.clone())).collect();
            // Rooms of one commit may come in any order.
            let commit_of = |room: &RoomId| wanted.iter().find(|(_, wanted)| wanted == room).map(|(commit, _)| *commit);
            assert!(told.is_sorted_by_key(commit_of), "{person} since {since}: {told:?}");
            told.sort_by_key(|room| (commit_of(room), room.clone()));
            assert_eq!(told, wanted.into_iter().map(|(_, room)| room).collect::<Vec<_>>(), "{person} since {since}");
        }
    }
}
