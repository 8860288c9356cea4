//! What one session was pushed, held against the ledger: the right things, in order, without a gap, and nothing that is
//! not the user's to know.

use std::collections::{BTreeMap, BTreeSet};

use domain::{CommitNumber, Event, EventBody, MemberState, RoomId, Seq, UserId};
use engine::Happening;

use super::ledger::Ledger;

/// What a session was pushed.
pub(super) struct Heard {
    user: UserId,
    /// Everything after this commit must be pushed.
    from: CommitNumber,
    rooms: BTreeMap<RoomId, HeardRoom>,
}

#[derive(Default)]
struct HeardRoom {
    seqs: BTreeSet<Seq>,
    /// The session was told that its user is no longer there.
    out: bool,
}

impl Heard {
    /// Of a session that is open from now on.
    pub(super) fn new(user: &UserId, ledger: &Ledger) -> Self {
        Self { user: user.clone(), from: ledger.book().head, rooms: BTreeMap::new() }
    }

    /// The session was told to resync: what was written until now may be missing.
    pub(super) fn resync(&mut self, ledger: &Ledger) {
        self.from = ledger.book().head;
        self.rooms.values_mut().for_each(|room| room.out = false);
    }

    /// Something was pushed.
    pub(super) fn hear(&mut self, happening: &Happening, ledger: &Ledger) {
        match happening {
            Happening::Event(event) => self.hear_event(event, ledger),
            Happening::Cursors { room, user, cursors, commit } => {
                self.hear_other(room, user, "cursors", ledger);
                let mut book = ledger.book();
                let place = book.rooms.get(room).map(|truth| truth.place(&self.user)).unwrap_or_default();
                let last_left = place.stays.last().and_then(|stay| stay.left).map(|(_, commit)| commit);
                if *user != self.user && !place.is_joined() && last_left.is_none_or(|left| *commit > left) {
                    let me = &self.user;
                    book.wrong(format!("{me} is pushed cursors of {user} in {room} from after leaving: {cursors:?}"));
                }
            }
            Happening::Typing { room, user, .. } => self.hear_other(room, user, "typing", ledger),
            Happening::Presence(_) => {}
        }
    }

    fn hear_event(&mut self, event: &Event, ledger: &Ledger) {
        let me = self.user.clone();
        let heard = self.rooms.entry(event.room.clone()).or_default();
        let mut book = ledger.book();
        let Some(truth) = book.rooms.get(&event.room) else {
            return book.wrong(format!("{me} is pushed an event of a room that there is not: {event:?}"));
        };
        let about_me = match &event.body {
            EventBody::Member { user, state, .. } if *user == me => Some(*state),
            _ => None,
        };
        let real = truth.event(event.seq).is_some_and(|written| **written == *event);
        let in_order = heard.seqs.last().is_none_or(|last| *last < event.seq);
        let was_there = truth.place(&me).was_there(event.seq);
        if !real {
            book.wrong(format!("{me} is pushed what was not written so: {event:?}"));
        }
        if !in_order {
            book.wrong(format!("{me} is pushed out of order, after {:?}: {event:?}", heard.seqs.last()));
        }
        if about_me.is_none() && (!was_there || heard.out) {
            book.wrong(format!("{me} is pushed what is not theirs (in the room: {was_there}): {event:?}"));
        }
        heard.seqs.insert(event.seq);
        match about_me {
            Some(MemberState::Joined) => heard.out = false,
            Some(MemberState::Left | MemberState::Invited) => heard.out = true,
            None => {}
        }
    }

    fn hear_other(&mut self, room: &RoomId, about: &UserId, what: &str, ledger: &Ledger) {
        let out = self.rooms.get(room).is_some_and(|heard| heard.out);
        let ever = ledger.book().rooms.get(room).is_some_and(|truth| !truth.place(&self.user).stays.is_empty());
        if *about != self.user && (out || !ever) {
            ledger.wrong(format!("{} is pushed {what} of {about} in {room}, where they are not", self.user));
        }
    }

    /// Nothing may be missing up to what was heard last in each room; or at all, if the session has been quiet since.
    pub(super) fn check_complete(&self, ledger: &Ledger, quiet: bool) {
        let mut book = ledger.book();
        let mut missing = Vec::new();
        for (id, truth) in &book.rooms {
            let heard = self.rooms.get(id);
            let last = heard.and_then(|heard| heard.seqs.last()).copied().unwrap_or(Seq(0));
            // Who leaves while it is still being read who is in the room is told only that they have left, and can read
            // the rest; so only the stay that goes on must be told without a gap.
            let place = truth.place(&self.user);
            let Some(stay) = place.stays.last().filter(|_| place.is_joined()) else { continue };
            for event in truth.events.iter().filter(|event| event.commit > self.from) {
                let expected = event.seq >= stay.joined && (quiet || event.seq < last);
                if expected && !heard.is_some_and(|heard| heard.seqs.contains(&event.seq)) {
                    missing.push(format!(
                        "{} is not pushed {} {} (commit {})",
                        self.user, id, event.seq.0, event.commit.0
                    ));
                }
            }
        }
        missing.into_iter().for_each(|missing| book.wrong(missing));
    }
}
