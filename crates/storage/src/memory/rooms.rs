//! One room in memory: its log, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{
    CommitNumber, CursorMove, Cursors, DeviceId, Edit, Entry, Event, EventBody, EventKind, Head, Member, MemberState,
    NewRoom, ReactionCount, Room, RoomId, Seq, SeqRange, Target, Timestamp, UserId,
};
use smol_str::SmolStr;

use super::tenant::Written;
use crate::{ListedRoom, MemberFilter, Membership, READ_BYTES_MAX, RoomSnapshot, RoomWork};

#[derive(Debug)]
pub(super) struct RoomLog {
    pub(super) room: Room,
    pub(super) head: Head,
    /// The event of seq n stands at n − 1.
    events: Vec<Event>,
    /// The device that wrote the event of seq n stands at n − 1.
    devices: Vec<DeviceId>,
    pub(super) members: BTreeMap<UserId, Membership>,
    /// Every user's set of reactions, by message.
    reactions: BTreeMap<Seq, BTreeMap<UserId, BTreeSet<SmolStr>>>,
}

impl RoomLog {
    pub(super) fn new(id: RoomId, new: &NewRoom, at: Timestamp) -> Self {
        Self {
            room: Room::new(id, new.kind, new.pair.clone(), new.settings.clone(), at),
            head: Head::default(),
            events: Vec::new(),
            devices: Vec::new(),
            members: BTreeMap::new(),
            reactions: BTreeMap::new(),
        }
    }

    /// Appends the events of the changes and moves cursors.
    pub(super) fn write(&mut self, commit: CommitNumber, at: Timestamp, work: &RoomWork) -> Written {
        let mut moved = BTreeSet::new();
        let first = self.events.len();
        for (index, body) in work.changes.events.iter().enumerate() {
            let event = Event {
                room: self.room.id.clone(),
                seq: self.head.seq.next(),
                commit,
                at,
                sender: work.actor.clone(),
                client_id: work.client_id.clone().filter(|_| index == 0),
                number: self.head.messages + u64::from(body.is_message()),
                body: body.clone(),
            };
            moved.extend(self.apply(&event));
            self.events.push(event);
            self.devices.push(work.device.clone());
        }
        if let Some(to) = work.changes.cursors {
            let cut = |seq: Seq| seq.min(self.head.seq);
            let to = CursorMove { delivered: to.delivered.map(cut), read: to.read.map(cut) };
            moved.extend(self.move_cursors(&work.actor, to, commit));
        }
        let events = self.events[first..].iter().cloned().map(Arc::new).collect();
        let cursors = moved.into_iter().map(|user| (user.clone(), self.members[&user].cursors)).collect();
        Written { events, cursors }
    }

    /// Folds an event in and tells whose cursors moved.
    fn apply(&mut self, event: &Event) -> Option<UserId> {
        let about = match &event.body {
            EventBody::Member { user, .. } => Some(user),
            _ => None,
        };
        let before = about.and_then(|user| self.members.get(user)).map(|membership| membership.member.clone());
        self.room.apply(&event.body, before.as_ref());
        self.head.apply(event);
        let whole = CursorMove { delivered: Some(event.seq), read: Some(event.seq) };
        match &event.body {
            EventBody::Member { user, state, .. } => {
                let membership = self.members.entry(user.clone()).or_insert_with(|| Membership {
                    member: Member::stranger(user.clone()),
                    cursors: Cursors::default(),
                });
                membership.member.apply(event.seq, event.commit, &event.sender, &event.body);
                let was_joined = before.is_some_and(|member| member.is_joined());
                let joins = *state == MemberState::Joined && !was_joined;
                let moved = joins && membership.cursors.apply(whole, event.number, event.commit);
                moved.then(|| user.clone())
            }
            EventBody::Message { .. } => {
                let moved = self.members.get_mut(&event.sender)?.cursors.apply(whole, event.number, event.commit);
                moved.then(|| event.sender.clone())
            }
            EventBody::Redaction { target, .. } => {
                self.strip(*target, event.seq);
                None
            }
            EventBody::Reaction { target, keys, .. } => {
                self.reactions.entry(*target).or_default().insert(event.sender.clone(), keys.clone());
                None
            }
            EventBody::Created { .. } | EventBody::Settings(_) | EventBody::Edit { .. } => None,
        }
    }

    /// Takes a message's content away, wherever it stands, and its reactions.
    fn strip(&mut self, message: Seq, redaction: Seq) {
        for event in &mut self.events {
            match &mut event.body {
                EventBody::Message { content, redacted_by, .. } if event.seq == message => {
                    *content = None;
                    *redacted_by = Some(redaction);
                }
                EventBody::Edit { target, content } if *target == message => *content = None,
                _ => {}
            }
        }
        self.reactions.remove(&message);
    }

    /// What was written about a message: itself and its edits, with the device that wrote each.
    pub(super) fn texts_of(&self, message: Seq) -> impl Iterator<Item = (&DeviceId, &Event)> {
        let is_text = move |(_, event): &(&DeviceId, &Event)| match &event.body {
            EventBody::Message { .. } => event.seq == message,
            EventBody::Edit { target, .. } => *target == message,
            _ => false,
        };
        self.devices.iter().zip(&self.events).filter(is_text)
    }

    fn move_cursors(&mut self, user: &UserId, to: CursorMove, commit: CommitNumber) -> Option<UserId> {
        let number = to.read.and_then(|seq| self.event(seq)).map_or(0, |event| event.number);
        let moved = self.members.get_mut(user)?.cursors.apply(to, number, commit);
        moved.then(|| user.clone())
    }

    fn event(&self, seq: Seq) -> Option<&Event> {
        self.events.get(usize::try_from(seq.0.checked_sub(1)?).ok()?)
    }

    pub(super) fn is_joined(&self, user: &UserId) -> bool {
        self.members.get(user).is_some_and(|membership| membership.member.is_joined())
    }

    pub(super) fn keys_of(&self, message: Seq, user: &UserId) -> BTreeSet<SmolStr> {
        self.reactions.get(&message).and_then(|sets| sets.get(user)).cloned().unwrap_or_default()
    }

    pub(super) fn snapshot(&self, users: &[&UserId]) -> RoomSnapshot {
        let members = users.iter().map(|user| self.members.get(*user).cloned()).collect();
        RoomSnapshot { room: self.room.clone(), head: self.head, members }
    }

    pub(super) fn members(&self, which: MemberFilter, after: Option<&UserId>, limit: usize) -> Vec<Membership> {
        let is_asked_for = |membership: &&Membership| which.takes(membership.member.state);
        let wanted = self
            .members
            .values()
            .filter(is_asked_for)
            .filter(|membership| after.is_none_or(|after| membership.member.user > *after));
        wanted.take(limit).cloned().collect()
    }

    pub(super) fn target(&self, seq: Seq, viewer: &UserId) -> Option<Target> {
        let event = self.event(seq)?;
        let sets = self.reactions.get(&seq);
        Some(Target {
            sender: event.sender.clone(),
            is_message: event.body.is_message(),
            redacted: matches!(event.body, EventBody::Message { redacted_by: Some(_), .. }),
            my_keys: self.keys_of(seq, viewer),
            kinds: sets.into_iter().flat_map(|sets| sets.values().flatten().cloned()).collect(),
        })
    }

    pub(super) fn entries(&self, ranges: &[SeqRange], viewer: Option<&UserId>) -> Vec<Entry> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for range in ranges {
            if bytes < READ_BYTES_MAX {
                let wanted = |event: &&Event| (range.first..=range.last).contains(&event.seq);
                let read: Vec<Entry> =
                    self.events.iter().filter(wanted).map(|event| self.entry(event, viewer)).collect();
                bytes += read.iter().map(Entry::content_bytes).sum::<usize>();
                entries.extend(read);
            }
        }
        entries
    }

    /// How many events of each kind a range has.
    pub(super) fn count(&self, range: SeqRange, counts: &mut BTreeMap<EventKind, u64>) {
        for event in self.events.iter().filter(|event| (range.first..=range.last).contains(&event.seq)) {
            *counts.entry(event.body.kind()).or_default() += 1;
        }
    }

    pub(super) fn last_edit(&self, of: Seq, ranges: &[SeqRange]) -> Option<Edit> {
        let within = |seq: Seq| ranges.iter().any(|range| (range.first..=range.last).contains(&seq));
        self.events.iter().rev().filter(|later| within(later.seq)).find_map(|later| match &later.body {
            EventBody::Edit { target, content: Some(content) } if *target == of => {
                Some(Edit { seq: later.seq, at: later.at, content: content.clone() })
            }
            _ => None,
        })
    }

    fn entry(&self, event: &Event, viewer: Option<&UserId>) -> Entry {
        let edit = self.events.iter().rev().find_map(|later| match &later.body {
            EventBody::Edit { target, content: Some(content) } if *target == event.seq => {
                Some(Edit { seq: later.seq, at: later.at, content: content.clone() })
            }
            _ => None,
        });
        let mut counts: BTreeMap<&SmolStr, ReactionCount> = BTreeMap::new();
        for (user, keys) in self.reactions.get(&event.seq).into_iter().flatten() {
            for key in keys {
                let count =
                    counts.entry(key).or_insert_with(|| ReactionCount { key: key.clone(), count: 0, mine: false });
                count.count += 1;
                count.mine |= viewer == Some(user);
            }
        }
        let mut reactions: Vec<ReactionCount> = counts.into_values().collect();
        reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.count));
        Entry { event: event.clone(), edit, reactions }
    }

    /// The last commit that changed the room for a user, if they have to do with it.
    pub(super) fn changed_for(&self, user: &UserId, skip_left: bool) -> Option<CommitNumber> {
        let me = self.members.get(user)?;
        match me.member.state {
            MemberState::Joined => {
                let peer = self.peer_of(user).map(|peer| peer.cursors.commit).unwrap_or_default();
                Some(self.head.commit.max(me.cursors.commit).max(peer))
            }
            MemberState::Invited => Some(me.member.commit),
            MemberState::Left => (!skip_left).then_some(me.member.commit),
        }
    }

    pub(super) fn listed(&self, user: &UserId) -> Option<ListedRoom> {
        let last_message = self.head.last_message.and_then(|seq| self.event(seq));
        Some(ListedRoom {
            room: self.room.clone(),
            head: self.head,
            me: self.members.get(user)?.clone(),
            last_message: last_message.map(|event| self.entry(event, Some(user))),
            peer: self.peer_of(user).cloned(),
        })
    }

    fn peer_of(&self, user: &UserId) -> Option<&Membership> {
        self.members.get(self.room.peer_of(user)?)
    }
}
