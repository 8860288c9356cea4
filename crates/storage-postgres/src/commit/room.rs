//! Room work: held against what is so at this moment, then folded in. The rules themselves are the domain's.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{
    AppId, CommitNumber, CursorMove, Event, EventBody, Head, Member, MemberState as Membership, NewRoom, Room, RoomId,
    Seq, Timestamp, UserId,
};
use smol_str::SmolStr;
use storage::{FINGERPRINT_FORGOTTEN, Outcome, Receipt, Remembered, RoomWork, StoreError, record};

use super::group::{Group, NewEvent};
use super::state::{AppState, CursorState, EventName, MemberState, RoomName, RoomState, State};
use crate::key::{AppKey, DeviceKey};

/// Writes room work, or says why not.
pub(super) fn write(
    state: &mut State,
    group: &mut Group,
    app: &AppId,
    at: Timestamp,
    work: &RoomWork,
) -> Result<Outcome, StoreError> {
    let Some(app_state) = state.apps.get(app).copied() else { return Ok(Outcome::Conflict) };
    let device = match &work.client_id {
        Some(client_id) => {
            let Some(device) = state.devices.get(&(app_state.key, work.device.clone())).copied() else {
                return Ok(Outcome::DeviceEnded);
            };
            if let Some(outcome) = state.recall(device, client_id, work.fingerprint) {
                return Ok(outcome);
            }
            Some(device)
        }
        None => None,
    };
    let name = (app_state.key, work.room.clone());
    state.check_damage(&name)?;
    let room = match (&work.changes.create, state.rooms.get(&name)) {
        (Some(_), Some(_)) | (None, None) => return Ok(Outcome::Conflict),
        (Some(new), None) => match create(state, app_state.key, &work.room, new, at) {
            Some(room) => room,
            None => return Ok(Outcome::Conflict),
        },
        (None, Some(room)) if !is_as_expected(state, room, work) => return Ok(Outcome::Conflict),
        (None, Some(room)) => room.clone(),
    };
    if room.head.seq.0 + work.changes.events.len() as u64 > Seq::MAX.0 {
        return Err(StoreError::Unavailable("the room's log is full".into()));
    }
    check_complete(state, group, &room, work)?;
    Ok(Outcome::Done(fold(state, group, (app, app_state, at), (name, room), work, device)))
}

fn is_as_expected(state: &State, room: &RoomState, work: &RoomWork) -> bool {
    let expect = &work.changes.expect;
    room.version == expect.version
        && expect.reactions.as_ref().is_none_or(|(target, keys)| {
            let stored = state.reactions.get(&(room.key, *target, work.actor.clone()));
            stored.map_or(keys.is_empty(), |stored| stored == keys)
        })
}

fn create(state: &mut State, app: AppKey, id: &RoomId, new: &NewRoom, at: Timestamp) -> Option<RoomState> {
    if let Some([low, high]) = &new.pair
        && !state.pairs.insert((app, low.clone(), high.clone()))
    {
        return None;
    }
    Some(RoomState {
        key: state.room_keys.pop()?,
        version: 0,
        head: Head::default(),
        facts: Some(Room::new(id.clone(), new.kind, new.pair.clone(), new.settings.clone(), at)),
        created: true,
        facts_moved: true,
        head_moved: true,
    })
}

/// Whether everything was read that the work leans on. After this nothing can go wrong.
fn check_complete(state: &State, group: &Group, room: &RoomState, work: &RoomWork) -> Result<(), StoreError> {
    let damaged = |what: &str| Err(StoreError::Damaged(what.into()));
    if room.facts.is_none() && work.changes.events.iter().any(EventBody::changes_facts) {
        return damaged("a room has a head and is none");
    }
    if let Some(read) = work.changes.cursors.and_then(|cursors| cursors.read)
        && (Seq(1)..room.head.seq).contains(&read)
        && number_of(state, group, (room.key, read)).is_none()
    {
        return damaged("an event of a room is missing");
    }
    let bad_key = |key: &SmolStr| key.contains('\0');
    for event in &work.changes.events {
        if let EventBody::Reaction { keys, .. } = event
            && keys.iter().any(bad_key)
        {
            return damaged("a reaction has the character U+0000");
        }
    }
    if let Some(new) = &work.changes.create
        && let Some([low, high]) = &new.pair
        && low >= high
    {
        return damaged("a pair is not in order");
    }
    Ok(())
}

/// How many messages a room has up to an event.
fn number_of(state: &State, group: &Group, event: EventName) -> Option<u64> {
    match group.event_at.get(&event) {
        Some(index) => Some(group.events[*index].event.number),
        None => state.numbers.get(&event).copied(),
    }
}

fn fold(
    state: &mut State,
    group: &mut Group,
    (app, app_state, at): (&AppId, AppState, Timestamp),
    (name, room): (RoomName, RoomState),
    work: &RoomWork,
    device: Option<DeviceKey>,
) -> Receipt {
    let number = group.commit_of(app, app_state, at).number;
    let mut folding = Folding { state, group, app: app_state.key, number, name, room, moved: BTreeSet::new() };
    let first = folding.room.head.seq.next();
    for (index, body) in work.changes.events.iter().enumerate() {
        let event = Event {
            room: work.room.clone(),
            seq: folding.room.head.seq.next(),
            commit: number,
            at,
            sender: work.actor.clone(),
            client_id: work.client_id.clone().filter(|_| index == 0),
            number: folding.room.head.messages + u64::from(body.is_message()),
            body: body.clone(),
        };
        folding.append(event, device.filter(|_| index == 0));
    }
    if let Some(to) = work.changes.cursors {
        folding.move_own(&work.actor, to);
    }
    let Folding { name, room, moved, .. } = folding;
    let commit = group.commit_of(app, app_state, at);
    for user in moved {
        commit.moved(&work.room, (room.key, user));
    }
    let wrote = !work.changes.events.is_empty();
    let seq = if wrote { first } else { room.head.seq };
    let reached = group.reached(app_state);
    if let (Some(client_id), Some(device)) = (&work.client_id, device) {
        group.used.push((device, client_id.clone()));
        let remembered = Remembered {
            client_id: client_id.clone(),
            fingerprint: work.fingerprint,
            room: work.room.clone(),
            seq,
            commit: reached,
        };
        state.remember(device, room.key, remembered);
    }
    state.rooms.insert(name, room);
    Receipt { room: Some(work.room.clone()), seq, commit: reached }
}

/// One piece of room work while it is being folded in.
struct Folding<'a> {
    state: &'a mut State,
    group: &'a mut Group,
    app: AppKey,
    number: CommitNumber,
    name: RoomName,
    room: RoomState,
    moved: BTreeSet<UserId>,
}

impl Folding<'_> {
    fn append(&mut self, event: Event, device: Option<DeviceKey>) {
        let event = Arc::new(event);
        let key = self.room.key;
        self.group.event_at.insert((key, event.seq), self.group.events.len());
        self.group.events.push(NewEvent { room: key, event: Arc::clone(&event), body: None, device });
        if let Some(commit) = self.group.commits.iter_mut().find(|commit| commit.key == self.app) {
            commit.append(key, &event);
        }
        let mut before = None;
        match &event.body {
            EventBody::Member { user, state, .. } => before = self.change_member(&event, user, *state),
            EventBody::Message { .. } => self.move_cursors(&event.sender, whole(event.seq), event.number),
            EventBody::Edit { target, .. } => self.group.edits.push((key, *target, event.seq)),
            EventBody::Redaction { target, .. } => self.redact(*target, event.seq),
            EventBody::Reaction { target, keys, .. } => self.react(*target, &event.sender, keys),
            EventBody::Created { .. } | EventBody::Settings(_) => {}
        }
        if let Some(facts) = self.room.facts.as_mut().filter(|_| event.body.changes_facts()) {
            facts.apply(&event.body, before.as_ref());
            self.room.version = facts.version;
            self.room.facts_moved = true;
        }
        self.room.head.apply(&event);
        self.room.head_moved = true;
    }

    /// Folds a membership event in and gives the member as it was before.
    fn change_member(&mut self, event: &Event, user: &UserId, to: Membership) -> Option<Member> {
        let name = (self.room.key, user.clone());
        let before = self.state.members.get(&name).map(|state| state.member.clone());
        let mut member = before.clone().unwrap_or_else(|| Member::stranger(user.clone()));
        member.apply(event.seq, event.commit, &event.sender, &event.body);
        let peer = self.room.facts.as_ref().and_then(|facts| facts.peer_of(user)).cloned();
        self.state.members.insert(name.clone(), MemberState { member, app: self.app, peer, moved: true });
        // Every member has cursors, also if they never move.
        self.state.cursors.entry(name).or_insert(CursorState { moved: true, ..CursorState::default() });
        let was_joined = before.as_ref().is_some_and(Member::is_joined);
        if to == Membership::Joined && !was_joined {
            self.move_cursors(user, whole(event.seq), event.number);
        }
        before
    }

    /// Moves the actor's cursors as asked, to the head at most.
    fn move_own(&mut self, actor: &UserId, to: CursorMove) {
        let head = self.room.head;
        let cut = |seq: Seq| seq.min(head.seq);
        let to = CursorMove { delivered: to.delivered.map(cut), read: to.read.map(cut) };
        let number = match to.read {
            Some(seq) if seq == head.seq => head.messages,
            Some(seq) => number_of(self.state, self.group, (self.room.key, seq)).unwrap_or(0),
            None => 0,
        };
        self.move_cursors(actor, to, number);
    }

    fn move_cursors(&mut self, user: &UserId, to: CursorMove, number: u64) {
        let Some(state) = self.state.cursors.get_mut(&(self.room.key, user.clone())) else { return };
        if state.cursors.apply(to, number, self.number) {
            state.moved = true;
            self.moved.insert(user.clone());
        }
    }

    /// Takes a message's content away, wherever it stands, and its reactions.
    ///
    /// No hash of it is kept either. Its commands are still known by their client ids.
    fn redact(&mut self, target: Seq, redaction: Seq) {
        let name = (self.room.key, target);
        let stripped = match self.group.event_at.get(&name) {
            Some(index) => {
                let new = &self.group.events[*index];
                stripped_message(new.body.as_ref().unwrap_or(&new.event.body), redaction)
            }
            None => {
                let texts = self.state.texts.get(&name).into_iter().flatten();
                let message = texts.filter(|text| text.seq == target && text.kind == record::kind::MESSAGE);
                let body = message.filter_map(|text| record::decode(text.kind, &text.body).ok()).next();
                body.and_then(|body| stripped_message(&body, redaction))
            }
        };
        let Some(stripped) = stripped else { return };
        self.strip(target, target, stripped);
        let stored = self.state.texts.get(&name).into_iter().flatten().map(|text| text.seq);
        let fresh = self.group.edits.iter().filter(|(room, of, _)| (*room, *of) == name).map(|(_, _, seq)| *seq);
        let edits: BTreeSet<Seq> = stored.chain(fresh).filter(|seq| *seq != target).collect();
        for seq in edits {
            self.strip(target, seq, EventBody::Edit { target, content: None });
        }
        self.group.wiped.insert(name);
        self.group.reactions.retain(|(room, of, _), _| (*room, *of) != name);
        self.group.counts.retain(|(room, of, _), _| (*room, *of) != name);
        self.state.reactions.retain(|(room, of, _), _| (*room, *of) != name);
    }

    /// Gives a message or an edit of it another body.
    fn strip(&mut self, message: Seq, seq: Seq, body: EventBody) {
        let key = self.room.key;
        let by = match self.group.event_at.get(&(key, seq)) {
            Some(index) => {
                let new = &mut self.group.events[*index];
                new.body = Some(body);
                new.device.zip(new.event.client_id.clone())
            }
            None => {
                let mut texts = self.state.texts.get(&(key, message)).into_iter().flatten();
                let text = texts.find(|text| text.seq == seq);
                let by = text.and_then(|text| text.by.clone());
                self.group.bodies.insert((key, seq), record::encode(&body).1);
                by
            }
        };
        let Some((device, client_id)) = by else { return };
        let name = (device, client_id.clone());
        if let Some(answer) = self.state.answers.get_mut(&name)
            && (answer.room, answer.remembered.seq) == (key, seq)
        {
            answer.remembered.fingerprint = FINGERPRINT_FORGOTTEN;
        }
        self.group.forgotten.push((device, client_id, key, seq));
    }

    /// Replaces a user's set of reactions and corrects the counts.
    fn react(&mut self, target: Seq, user: &UserId, keys: &BTreeSet<SmolStr>) {
        let name = (self.room.key, target, user.clone());
        let before = self.state.reactions.insert(name.clone(), keys.clone()).unwrap_or_default();
        let mut count = |key: &SmolStr, by: i32| {
            *self.group.counts.entry((self.room.key, target, key.clone())).or_default() += by;
        };
        keys.difference(&before).for_each(|key| count(key, 1));
        before.difference(keys).for_each(|key| count(key, -1));
        self.group.reactions.insert(name, keys.clone());
    }
}

fn stripped_message(body: &EventBody, redaction: Seq) -> Option<EventBody> {
    match body {
        EventBody::Message { reply_to, .. } => {
            Some(EventBody::Message { content: None, reply_to: *reply_to, redacted_by: Some(redaction) })
        }
        _ => None,
    }
}

fn whole(seq: Seq) -> CursorMove {
    CursorMove { delivered: Some(seq), read: Some(seq) }
}
