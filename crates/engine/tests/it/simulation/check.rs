//! The end of a run: when all is quiet again, everybody must know the same, and it must be what was committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Action, Cut, Event, EventBody, EventKind, RoomId, Seq};
use engine::{GetRoom, HISTORY_EVENTS_MAX};
use smol_str::SmolStr;
use storage::Store as _;

use super::answers::{check_words, true_texts};
use super::dice::Dice;
use super::ledger::{Book, Deed, Ledger, Said, Try};
use super::person::Device;
use super::world::World;

/// Checks everything that can be checked at the end of a run.
pub(super) async fn check(world: &Arc<World>, dice: &mut Dice, mut devices: Vec<Device>) {
    let ledger = &world.ledger;
    for device in &mut devices {
        device.listen().await;
        match &device.open {
            Some(open) if world.is_complete() => open.heard.check_complete(ledger, true),
            _ => {}
        }
    }
    if dice.percent(30) {
        world.reboot().await;
    }
    // Half of the unknown outcomes are cleared up; of the others, too, nothing may have happened twice.
    for device in &mut devices {
        while dice.percent(70) && !device.unknown.is_empty() {
            device.again().await;
        }
    }
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    for device in &mut devices {
        device.listen().await;
        check_device(world, dice, device).await;
    }
    check_deeds(ledger);
    check_real_time(ledger);
    check_pairs(ledger);
    check_counts(world).await;
}

/// A device that has synced since its last connection must show what a new one shows, and both what was written.
async fn check_device(world: &Arc<World>, dice: &mut Dice, device: &mut Device) {
    let ledger = &world.ledger;
    let gone = ledger.book().revoked.contains_key(&device.actor.device);
    if gone && device.open.is_some() {
        ledger.wrong(format!("{} is revoked and still connected", device.actor.device));
    }
    if device.open.is_none() && !device.ended {
        device.connect().await;
    }
    if device.ended {
        return;
    }
    let id = device.actor.device.clone();
    if device.catch_up().await.is_err() {
        return ledger.wrong(format!("{id} can't sync though all is well"));
    }
    let mut fresh = world.device(device.actor.clone(), Vec::new(), dice.fork());
    if fresh.catch_up().await.is_err() {
        return ledger.wrong(format!("{id} can't sync anew though all is well"));
    }
    let (shown, expected) = (device.replica.shown(), fresh.replica.shown());
    let rooms: BTreeSet<&RoomId> = shown.keys().chain(expected.keys()).collect();
    for room in rooms {
        let (shown, expected) = (shown.get(room), expected.get(room));
        if shown != expected {
            let lines =
                |shown: Option<&String>| shown.map(|text| text.lines().map(str::to_owned).collect::<BTreeSet<_>>());
            let (shown, expected) = (lines(shown).unwrap_or_default(), lines(expected).unwrap_or_default());
            let (only, missing): (Vec<_>, Vec<_>) =
                (shown.difference(&expected).collect(), expected.difference(&shown).collect());
            ledger.wrong(format!("{id} shows of {room} {only:#?} where a new device shows {missing:#?}"));
        }
    }
    check_truth(ledger, &fresh);
    check_answers(world, &fresh).await;
}

/// What a new device shows is what was written.
fn check_truth(ledger: &Ledger, fresh: &Device) {
    let mut wrongs = Vec::new();
    let book = ledger.book();
    let user = &fresh.actor.user;
    for (id, truth) in &book.rooms {
        let place = truth.place(user);
        let cached = fresh.replica.rooms.get(id).filter(|cached| cached.state.is_some());
        let Some(cached) = cached else {
            if matches!(place.state, Some(domain::MemberState::Joined | domain::MemberState::Invited)) {
                wrongs.push(format!("{user} is not told of {id}, where they are {:?}", place.state));
            }
            continue;
        };
        if cached.state != place.state {
            wrongs.push(format!("{user} is told to be {:?} in {id} and is {:?}", cached.state, place.state));
        }
        if !place.is_joined() {
            continue;
        }
        let (shown, expected) = (cached.texts(), true_texts(truth, user));
        if shown != expected {
            wrongs.push(format!("{user} reads in {id}\n{shown:?}\nand not\n{expected:?}"));
        }
        for seq in expected.keys() {
            let (shown, expected) = (cached.reactions(*seq), reactions(&truth.events, *seq));
            if shown != expected {
                wrongs.push(format!("{user} sees on {id} {} {shown:?} and not {expected:?}", seq.0));
            }
        }
        let cursors = truth.cursors.get(user).copied().unwrap_or_default();
        if cached.cursors != cursors {
            wrongs.push(format!("{user} has in {id} {:?} and not {cursors:?}", cached.cursors));
        }
    }
    drop(book);
    wrongs.into_iter().for_each(|wrong| ledger.wrong(wrong));
}

/// How many have reacted how: each user's last word counts.
fn reactions(events: &[Arc<Event>], message: Seq) -> BTreeMap<SmolStr, u32> {
    let mut sets: BTreeMap<_, &BTreeSet<SmolStr>> = BTreeMap::new();
    for event in events {
        match &event.body {
            EventBody::Reaction { target, keys, .. } if *target == message => {
                sets.insert(&event.sender, keys);
            }
            EventBody::Redaction { target, .. } if *target == message => return BTreeMap::new(),
            _ => {}
        }
    }
    let mut counts: BTreeMap<SmolStr, u32> = BTreeMap::new();
    sets.values().flat_map(|keys| keys.iter()).for_each(|key| *counts.entry(key.clone()).or_default() += 1);
    counts
}

/// No answer says anything that is redacted.
async fn check_answers(world: &Arc<World>, fresh: &Device) {
    let ledger = &world.ledger;
    let Some((engine, _)) = world.engine() else { return };
    let user = &fresh.actor.user;
    if let Ok(view) = fresh.sync(&engine, 0).await {
        check_words(ledger, &format!("a sync of {user}"), &format!("{view:?}"));
    }
    let rooms: Vec<RoomId> = ledger.book().rooms.keys().cloned().collect();
    for room in rooms {
        if let Ok(view) = fresh.read(&engine, &room, Cut::Newest, HISTORY_EVENTS_MAX).await {
            check_words(ledger, &format!("the history of {room} for {user}"), &format!("{view:?}"));
        }
        if let Ok(view) = engine.query(&fresh.actor, GetRoom { room: room.clone() }).await {
            check_words(ledger, &format!("{room} for {user}"), &format!("{view:?}"));
        }
    }
}

/// Every command took effect as its answers say: acknowledged ones once, unknown ones at most once, refused ones never.
fn check_deeds(ledger: &Ledger) {
    let mut book = ledger.book();
    let wrongs: Vec<String> = book.deeds.iter().filter_map(|deed| deed_wrong(&book, deed)).collect();
    wrongs.into_iter().for_each(|wrong| book.wrong(wrong));
}

fn deed_wrong(book: &Book, deed: &Deed) -> Option<String> {
    let is_its = |event: &&Arc<Event>| event.client_id.as_ref() == Some(&deed.client_id);
    let events: Vec<_> = book.rooms.values().flat_map(|room| &room.events).filter(is_its).collect();
    let wrong = |what: &str| Some(format!("{} {what}: {deed:?} {events:?}", deed.client_id));
    // Of devices that have ended nothing is remembered, and nothing may be written by them.
    let after_end = |event: &Arc<Event>| {
        book.gone.get(&deed.device).is_some_and(|gone| *gone < book.rooms[&event.room].step_of(event.seq))
    };
    if events.iter().any(|event| after_end(event)) {
        return wrong("took effect after the end of its device");
    }
    if events.len() > 1 {
        return wrong("took effect more than once");
    }
    let speaks = matches!(deed.command.action, Action::Send { .. } | Action::Edit { .. });
    let event = events.first();
    if let Some(event) = event {
        if event.sender != deed.user {
            return wrong("is another user's");
        }
        if !matches!(deed.command.action, Action::Create { .. } | Action::Direct { .. })
            && event.room != deed.command.room
        {
            return wrong("is in another room");
        }
        let said = match (&event.body, &deed.command.action) {
            (EventBody::Message { content, .. }, Action::Send { content: said, .. })
            | (EventBody::Edit { content, .. }, Action::Edit { content: said, .. }) => content.as_ref() == Some(said),
            (EventBody::Message { .. } | EventBody::Edit { .. }, _) => false,
            _ => !speaks,
        };
        if !said {
            return wrong("says something else");
        }
        if !deed.tries.is_empty() && deed.tries.iter().all(|one| matches!(one.said, Said::Refused(_))) {
            return wrong("was refused and took effect");
        }
        let step = book.rooms[&event.room].step_of(event.seq);
        // Of devices that have ended nothing is remembered.
        let remembered = |one: &Try| book.gone.get(&deed.device).is_none_or(|gone| one.ended < *gone);
        if deed.tries.iter().any(|one| one.began > step && remembered(one) && matches!(one.said, Said::Refused(_))) {
            return wrong("had taken effect when it was repeated, and was refused");
        }
    }
    for one in &deed.tries {
        let Said::Done(receipt) = &one.said else { continue };
        let as_said = events
            .iter()
            .any(|event| (&event.room, event.seq, event.commit) == (&receipt.room, receipt.seq, receipt.commit));
        if speaks && !as_said {
            return wrong("was acknowledged and is not there");
        }
    }
    None
}

/// What was acknowledged before something else was asked for stands before it in the order of commits.
fn check_real_time(ledger: &Ledger) {
    let mut book = ledger.book();
    let mut written = Vec::new();
    for deed in
        book.deeds.iter().filter(|deed| matches!(deed.command.action, Action::Send { .. } | Action::Edit { .. }))
    {
        let done = deed.tries.iter().find_map(|one| match &one.said {
            Said::Done(receipt) => Some((one.ended, receipt.commit)),
            Said::Refused(_) | Said::TurnedAway | Said::Unknown => None,
        });
        written.extend(done.map(|(step, commit)| (deed.began, step, commit, deed.client_id.clone())));
    }
    let mut wrongs = Vec::new();
    for (_, acknowledged, commit, id) in &written {
        let overtaken = written.iter().find(|(began, _, later, _)| began > acknowledged && later < commit);
        wrongs
            .extend(overtaken.map(|(_, _, _, later)| format!("{later} was asked for after {id} and stands before it")));
    }
    wrongs.into_iter().for_each(|wrong| book.wrong(wrong));
}

/// Two people have one direct room.
fn check_pairs(ledger: &Ledger) {
    let mut book = ledger.book();
    let mut pairs: BTreeMap<Vec<_>, u32> = BTreeMap::new();
    for room in book.rooms.values() {
        if matches!(room.events[0].body, EventBody::Created { kind: domain::RoomKind::Direct, .. }) {
            *pairs.entry(room.places.keys().cloned().collect()).or_default() += 1;
        }
    }
    let double: Vec<_> = pairs.into_iter().filter(|(_, rooms)| *rooms > 1).collect();
    double.into_iter().for_each(|(pair, rooms)| book.wrong(format!("{pair:?} have {rooms} direct rooms")));
}

/// The follower has counted every event once, through all faults.
async fn check_counts(world: &Arc<World>) {
    let counts = world.disk.memory.counts(&world.app, 0).await.expect("memory does not fail");
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    counts.into_iter().for_each(|((_, name), count)| *counted.entry(name.to_string()).or_default() += count);
    let mut book = world.ledger.book();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for event in book.rooms.values().flat_map(|room| &room.events) {
        let name = match event.body.kind() {
            EventKind::Created => "rooms",
            EventKind::Settings => "settings",
            EventKind::Joined => "joins",
            EventKind::Invited => "invitations",
            EventKind::Left => "leaves",
            EventKind::Message => "messages",
            EventKind::Edit => "edits",
            EventKind::Redaction => "deletions",
            EventKind::Reaction => "reactions",
        };
        *expected.entry(name.to_owned()).or_default() += 1;
    }
    if counted != expected {
        book.wrong(format!("{counted:?} were counted of {expected:?}"));
    }
}
