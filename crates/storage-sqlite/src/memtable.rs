//! Messages and cursors that are committed and not yet in the table `log`, by room.
//!
//! The newest rows of the rooms lie far apart in `log`, and a page costs the same whether one of its rows changes or ten. So
//! a group is made durable by one row of the table `redo`, which holds its messages and cursors side by side. Here they wait
//! until their room is flushed: then all that waits for it goes into `log` at once. See `docs/adr/0012`.
//!
//! A reader sees this and the database as of one group: it pins the memtable before its transaction begins, reads in the
//! transaction how far the database is, and takes from here only what is not newer. What was flushed stays here for as
//! long as a pinned reader may have a database without it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::{CommitNumber, Cursors, Event, Head, Seq};
use foldhash::fast::RandomState;

use crate::key::{DeviceKey, RoomKey, Slot, UserKey};

/// About what an event takes here besides its content: itself, its ids, its place in the room.
const EVENT_BYTES: usize = size_of::<Event>() + size_of::<FreshEvent>() + 64;
/// About what a member's cursors take.
const CURSORS_BYTES: usize = size_of::<FreshCursors>() + size_of::<(GroupNumber, Cursors)>() + 32;
/// About what it takes in `redo`, not here, that a member's cursors have moved on. It counts as waiting, or the table would
/// grow by all that a thousand readers do while a few messages wait.
const MOVED_ON_BYTES: usize = 24;

/// Number of a group that the writer wrote; it is the key of the group's row in `redo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct GroupNumber(pub(crate) u64);

impl GroupNumber {
    /// Later than all groups.
    pub(crate) const MAX: Self = Self(u64::MAX);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A message that may not be in `log` yet.
#[derive(Debug, Clone)]
pub(crate) struct FreshEvent {
    pub(crate) event: Arc<Event>,
    pub(crate) sender: UserKey,
    pub(crate) device: DeviceKey,
    /// It counts if the event has a client id.
    pub(crate) fingerprint: u64,
    pub(crate) group: GroupNumber,
}

impl FreshEvent {
    pub(crate) fn bytes(&self) -> usize {
        EVENT_BYTES + self.event.body.content_bytes()
    }
}

/// What waits to be written to `log` for one room, or the first events of it.
#[derive(Debug, Default)]
pub(crate) struct Unflushed {
    pub(crate) events: Vec<FreshEvent>,
    /// None if there are more events.
    pub(crate) cursors: Vec<(Slot, Cursors, GroupNumber)>,
    /// Whether it is all.
    pub(crate) whole: bool,
    /// How often cursors have moved on that had not been written.
    moved_on: usize,
}

impl Unflushed {
    pub(crate) fn bytes(&self) -> usize {
        let events = self.events.iter().map(FreshEvent::bytes).sum::<usize>();
        events + self.cursors.len() * CURSORS_BYTES + self.moved_on * MOVED_ON_BYTES
    }
}

/// Cursors of a member as they are, and as they were at some groups, oldest first.
#[derive(Debug)]
struct FreshCursors {
    newest: (GroupNumber, Cursors),
    older: Vec<(GroupNumber, Cursors)>,
    /// Whether the newest are in `log`.
    flushed: bool,
}

#[derive(Debug, Default)]
struct FreshRoom {
    /// With ascending seqs.
    events: VecDeque<FreshEvent>,
    /// Up to this one they are in `log`.
    flushed_to: Seq,
    /// Whose cursors are here.
    slots: Vec<Slot>,
    /// How many of them are not in `log`.
    slots_waiting: usize,
    /// How often cursors have moved on that had not been written to `log`.
    moved_on: usize,
}

#[derive(Debug, Default)]
struct Rooms {
    rooms: BTreeMap<RoomKey, FreshRoom>,
    /// By the key that they have in `log`.
    cursors: HashMap<i64, FreshCursors, RandomState>,
    /// For which something waits that is not here, because it can't be read.
    incomplete: BTreeSet<RoomKey>,
}

impl FreshRoom {
    fn waits(&self) -> bool {
        self.slots_waiting > 0 || self.events.back().is_some_and(|last| last.event.seq > self.flushed_to)
    }

    /// The events after a seq up to another one, of groups up to `as_of`.
    fn events(&self, after: Seq, last: Seq, as_of: GroupNumber) -> impl Iterator<Item = &FreshEvent> {
        let first = self.events.partition_point(|fresh| fresh.event.seq <= after);
        self.events.range(first..).take_while(move |fresh| fresh.event.seq <= last && fresh.group <= as_of)
    }
}

impl FreshCursors {
    fn at(&self, as_of: GroupNumber) -> Option<Cursors> {
        let mut versions = std::iter::once(&self.newest).chain(self.older.iter().rev());
        versions.find(|(group, _)| *group <= as_of).map(|(_, cursors)| *cursors)
    }
}

/// The groups that readers began at, with how many there are of each, and the last one that was committed.
#[derive(Debug, Default)]
struct Pins {
    committed: GroupNumber,
    readers: BTreeMap<GroupNumber, usize>,
}

/// The rooms for which something waits, or that was flushed a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    rooms: RwLock<Rooms>,
    pins: Mutex<Pins>,
}

impl Memtable {
    /// An empty one of a database that is as of this group.
    pub(crate) fn new(committed: GroupNumber) -> Self {
        Self { rooms: RwLock::default(), pins: Mutex::new(Pins { committed, readers: BTreeMap::new() }) }
    }

    fn rooms(&self) -> RwLockReadGuard<'_, Rooms> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms_mut(&self) -> RwLockWriteGuard<'_, Rooms> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a reader needs whose transaction begins after this, until the pin is dropped.
    pub(crate) fn pin(self: &Arc<Self>) -> Pin {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let group = pins.committed;
        *pins.readers.entry(group).or_default() += 1;
        Pin { memtable: Arc::clone(self), group }
    }

    /// A group is in the database.
    pub(crate) fn committed(&self, group: GroupNumber) {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).committed = group;
    }

    /// No reader has a database that is older than this group.
    pub(crate) fn oldest_read(&self) -> GroupNumber {
        let pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.readers.first_key_value().map_or(pins.committed, |(group, _)| *group)
    }

    /// Adds an event; the room's next one.
    pub(crate) fn push(&self, room: RoomKey, event: FreshEvent) {
        self.rooms_mut().rooms.entry(room).or_default().events.push_back(event);
    }

    /// Sets a member's cursors, and drops older ones that nobody needs who reads as of `oldest_read` or later. Gives the bytes
    /// that wait more than before, and the group of cursors that need not be written to `log` any more.
    pub(crate) fn move_cursors(
        &self,
        room: RoomKey,
        slot: Slot,
        newest: (GroupNumber, Cursors),
        oldest_read: GroupNumber,
    ) -> (usize, Option<GroupNumber>) {
        let mut guard = self.rooms_mut();
        let Rooms { rooms, cursors, .. } = &mut *guard;
        let of_room = rooms.entry(room).or_default();
        let member = match cursors.entry(room.cursors(slot)) {
            Entry::Vacant(vacant) => {
                vacant.insert(FreshCursors { newest, older: Vec::new(), flushed: false });
                of_room.slots.push(slot);
                of_room.slots_waiting += 1;
                return (CURSORS_BYTES, None);
            }
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        let before = std::mem::replace(&mut member.newest, newest);
        member.older.push(before);
        let needless = member.older.partition_point(|(group, _)| *group <= oldest_read).saturating_sub(1);
        member.older.drain(..needless);
        if std::mem::replace(&mut member.flushed, false) {
            of_room.slots_waiting += 1;
            return (CURSORS_BYTES, None);
        }
        of_room.moved_on += 1;
        (MOVED_ON_BYTES, Some(before.0))
    }

    /// The first room from this one on for which something waits.
    pub(crate) fn next_waiting(&self, from: RoomKey) -> Option<RoomKey> {
        self.rooms().rooms.range(from..).find(|(_, room)| room.waits()).map(|(key, _)| *key)
    }

    /// What waits for a room; of more than `bytes_max` of events only the first, about so many bytes.
    pub(crate) fn unflushed(&self, key: RoomKey, bytes_max: usize) -> Unflushed {
        let Rooms { rooms, cursors, .. } = &*self.rooms();
        let Some(room) = rooms.get(&key) else { return Unflushed::default() };
        let of_slot = |slot: &Slot| {
            let member = cursors.get(&key.cursors(*slot)).filter(|member| !member.flushed)?;
            Some((*slot, member.newest.1, member.newest.0))
        };
        let (mut events, mut bytes) = (Vec::new(), 0);
        for event in room.events(room.flushed_to, Seq::MAX, GroupNumber::MAX) {
            if bytes >= bytes_max {
                return Unflushed { events, ..Unflushed::default() };
            }
            bytes += event.bytes();
            events.push(event.clone());
        }
        Unflushed {
            events,
            whole: true,
            cursors: if room.slots_waiting == 0 { Vec::new() } else { room.slots.iter().filter_map(of_slot).collect() },
            moved_on: room.moved_on,
        }
    }

    /// Notes that this waits for a room no more.
    pub(crate) fn flushed(&self, key: RoomKey, written: &Unflushed) {
        let mut guard = self.rooms_mut();
        let Rooms { rooms, cursors, .. } = &mut *guard;
        let Some(room) = rooms.get_mut(&key) else { return };
        room.flushed_to = written.events.last().map_or(room.flushed_to, |last| last.event.seq);
        if !written.whole {
            return;
        }
        room.moved_on = 0;
        if std::mem::take(&mut room.slots_waiting) == 0 {
            return;
        }
        for slot in &room.slots {
            if let Some(member) = cursors.get_mut(&key.cursors(*slot)) {
                member.flushed = true;
            }
        }
    }

    /// Forgets what every reader finds in `log`: events up to a seq, cursors up to those of a group.
    pub(crate) fn forget(&self, key: RoomKey, events_to: Seq, cursors_to: GroupNumber) {
        let mut guard = self.rooms_mut();
        let Rooms { rooms, cursors, .. } = &mut *guard;
        let Some(room) = rooms.get_mut(&key) else { return };
        while room.events.front().is_some_and(|first| first.event.seq <= events_to) {
            room.events.pop_front();
        }
        // A room may have many cursors, and often none of them were flushed.
        if cursors_to > GroupNumber::default() {
            room.slots.retain(|slot| {
                let Some(member) = cursors.get_mut(&key.cursors(*slot)) else { return false };
                member.older.retain(|(group, _)| *group > cursors_to);
                let stays = member.newest.0 > cursors_to;
                if !stays {
                    cursors.remove(&key.cursors(*slot));
                }
                stays
            });
        }
        if room.events.is_empty() && room.slots.is_empty() {
            rooms.remove(&key);
        }
    }

    /// Something waits for a room that can't be read.
    pub(crate) fn leave(&self, room: RoomKey) {
        self.rooms_mut().incomplete.insert(room);
    }

    /// Whether something waits for a room that can't be read.
    pub(crate) fn is_incomplete(&self, room: RoomKey) -> bool {
        self.rooms().incomplete.contains(&room)
    }

    /// Where a room's log ends, if its last event is here.
    pub(crate) fn head(&self, room: RoomKey, as_of: GroupNumber) -> Option<Head> {
        let rooms = self.rooms();
        let last = rooms.rooms.get(&room)?.events.iter().rev().find(|fresh| fresh.group <= as_of)?;
        let Event { seq, number, commit, .. } = *last.event;
        Some(Head { seq, messages: number, last_message: Some(seq), commit })
    }

    /// The event of a seq, if it is here.
    pub(crate) fn event(&self, room: RoomKey, seq: Seq, as_of: GroupNumber) -> Option<FreshEvent> {
        let before = Seq(seq.0.checked_sub(1)?);
        let rooms = self.rooms();
        rooms.rooms.get(&room)?.events(before, seq, as_of).find(|fresh| fresh.event.seq == seq).cloned()
    }

    /// The events after a seq up to another one that are here.
    pub(crate) fn events(&self, room: RoomKey, after: Seq, last: Seq, as_of: GroupNumber) -> Vec<FreshEvent> {
        let rooms = self.rooms();
        rooms.rooms.get(&room).map(|room| room.events(after, last, as_of).cloned().collect()).unwrap_or_default()
    }

    /// The last commit that is here of a room's events and of the cursors in these slots.
    pub(crate) fn changed(&self, key: RoomKey, slots: [Option<Slot>; 2], as_of: GroupNumber) -> Option<CommitNumber> {
        let Rooms { rooms, cursors, .. } = &*self.rooms();
        let event = rooms.get(&key)?.events.iter().rev().find(|fresh| fresh.group <= as_of);
        let members = slots.into_iter().flatten().filter_map(|slot| cursors.get(&key.cursors(slot))?.at(as_of));
        members.map(|cursors| cursors.commit).chain(event.map(|fresh| fresh.event.commit)).max()
    }

    /// A member's cursors, if they are here.
    pub(crate) fn cursors(&self, room: RoomKey, slot: Slot, as_of: GroupNumber) -> Option<Cursors> {
        self.rooms().cursors.get(&room.cursors(slot))?.at(as_of)
    }
}

/// The memtable of the writer of this moment; another one takes its place when a group fails.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<Memtable>>);

impl Current {
    pub(crate) fn new(memtable: Arc<Memtable>) -> Self {
        Self(RwLock::new(memtable))
    }

    pub(crate) fn get(&self) -> Arc<Memtable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, memtable: Arc<Memtable>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = memtable;
    }

    pub(crate) fn is(&self, memtable: &Arc<Memtable>) -> bool {
        Arc::ptr_eq(&self.0.read().unwrap_or_else(PoisonError::into_inner), memtable)
    }
}

/// A reader's hold on a memtable.
#[derive(Debug)]
pub(crate) struct Pin {
    memtable: Arc<Memtable>,
    group: GroupNumber,
}

impl Pin {
    pub(crate) fn memtable(&self) -> &Arc<Memtable> {
        &self.memtable
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.memtable.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(readers) = pins.readers.get_mut(&self.group) {
            *readers -= 1;
            if *readers == 0 {
                pins.readers.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{CommitNumber, Content, EventBody, RoomId, Timestamp, UserId};

    use super::*;

    const ROOM: RoomKey = RoomKey(7);
    const SLOT: Slot = Slot(1);

    fn event(seq: u64, group: u64) -> FreshEvent {
        let event = Event {
            room: RoomId::new("r").unwrap(),
            seq: Seq(seq),
            commit: CommitNumber(group),
            at: Timestamp(0),
            sender: UserId::new("ann").unwrap(),
            client_id: None,
            number: seq,
            body: EventBody::message(Content::plain("hi"), None),
        };
        let (sender, device, group) = (UserKey(1), DeviceKey(1), GroupNumber(group));
        FreshEvent { event: Arc::new(event), sender, device, fingerprint: 0, group }
    }

    fn cursors(read: u64, group: u64) -> (GroupNumber, Cursors) {
        let cursors =
            Cursors { delivered: Seq(read), read: Seq(read), read_messages: read, commit: CommitNumber(group) };
        (GroupNumber(group), cursors)
    }

    /// What a reader as of a group finds: where the log ends, the seqs, and what is read.
    fn check(memtable: &Memtable, as_of: u64, head: Option<u64>, seqs: &[u64], read: Option<u64>) {
        let as_of = GroupNumber(as_of);
        assert_eq!(memtable.head(ROOM, as_of).map(|head| head.seq.0), head);
        let events = memtable.events(ROOM, Seq(0), Seq::MAX, as_of);
        assert_eq!(events.iter().map(|fresh| fresh.event.seq.0).collect::<Vec<_>>(), seqs);
        for seq in 0..10 {
            assert_eq!(memtable.event(ROOM, Seq(seq), as_of).is_some(), seqs.contains(&seq), "{seq}");
        }
        assert_eq!(memtable.cursors(ROOM, SLOT, as_of).map(|cursors| cursors.read.0), read);
        let newest = [head, read].into_iter().flatten().max();
        assert_eq!(memtable.changed(ROOM, [Some(SLOT), None], as_of).is_some(), newest.is_some());
    }

    #[test]
    fn readers_see_what_was_there_at_their_group() {
        let memtable = Arc::new(Memtable::new(GroupNumber(10)));
        let early = memtable.pin();
        for (seq, group) in [(3, 11), (4, 11), (5, 12)] {
            memtable.push(ROOM, event(seq, group));
        }
        for (read, group) in [(4, 11), (5, 12)] {
            memtable.move_cursors(ROOM, SLOT, cursors(read, group), memtable.oldest_read());
        }
        memtable.committed(GroupNumber(12));
        check(&memtable, 10, None, &[], None);
        check(&memtable, 11, Some(4), &[3, 4], Some(4));
        check(&memtable, 12, Some(5), &[3, 4, 5], Some(5));

        // They are flushed by group 13, then something else happens in the room (6), and a message (7).
        let waiting = memtable.unflushed(ROOM, usize::MAX);
        assert_eq!((waiting.events.len(), waiting.cursors.len()), (3, 1));
        memtable.flushed(ROOM, &memtable.unflushed(ROOM, usize::MAX));
        assert_eq!(memtable.next_waiting(RoomKey(0)), None);
        memtable.push(ROOM, event(7, 13));
        memtable.move_cursors(ROOM, SLOT, cursors(7, 13), memtable.oldest_read());
        memtable.committed(GroupNumber(13));
        assert_eq!(memtable.next_waiting(RoomKey(0)), Some(ROOM));
        assert_eq!(memtable.next_waiting(RoomKey(ROOM.0 + 1)), None);
        assert_eq!(memtable.oldest_read(), GroupNumber(10));
        check(&memtable, 11, Some(4), &[3, 4], Some(4));
        check(&memtable, 13, Some(7), &[3, 4, 5, 7], Some(7));

        drop(early);
        assert_eq!(memtable.oldest_read(), GroupNumber(13));
        memtable.forget(ROOM, Seq(5), GroupNumber(12));
        check(&memtable, 13, Some(7), &[7], Some(7));
        memtable.flushed(ROOM, &memtable.unflushed(ROOM, usize::MAX));
        memtable.forget(ROOM, Seq(7), GroupNumber(13));
        check(&memtable, 13, None, &[], None);
        assert!(memtable.rooms().rooms.is_empty() && memtable.rooms().cursors.is_empty());
    }

    #[test]
    fn versions_that_nobody_needs_are_dropped() {
        let memtable = Arc::new(Memtable::new(GroupNumber(0)));
        let move_to = |group: u64| {
            let moved = memtable.move_cursors(ROOM, SLOT, cursors(group, group), memtable.oldest_read());
            memtable.committed(GroupNumber(group));
            moved
        };
        assert_eq!(move_to(1), (CURSORS_BYTES, None));
        let pin = memtable.pin();
        for group in 2..50 {
            assert_eq!(move_to(group), (MOVED_ON_BYTES, Some(GroupNumber(group - 1))));
        }
        for group in 1..50 {
            check(&memtable, group, None, &[], Some(group));
        }
        drop(pin);
        move_to(50);
        check(&memtable, 49, None, &[], Some(49));
        check(&memtable, 50, None, &[], Some(50));
        assert_eq!(memtable.rooms().cursors[&ROOM.cursors(SLOT)].older.len(), 1);
        let waiting = memtable.unflushed(ROOM, usize::MAX);
        assert_eq!((waiting.cursors.len(), waiting.bytes()), (1, CURSORS_BYTES + 49 * MOVED_ON_BYTES));
        memtable.flushed(ROOM, &memtable.unflushed(ROOM, usize::MAX));
        assert_eq!(memtable.unflushed(ROOM, usize::MAX).bytes(), 0);
        assert_eq!(move_to(51), (CURSORS_BYTES, None));
    }
}
