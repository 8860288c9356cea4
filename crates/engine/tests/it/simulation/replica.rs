//! What a device keeps: a client's cache, by the rules that clients are given. It applies pushes in order, reads the log
//! when it sees a gap, and takes over what a sync says.

use std::collections::{BTreeMap, BTreeSet};

use domain::{CommitNumber, Content, Cursors, Entry, Event, EventBody, MemberState, RoomId, Seq, UserId};
use engine::{HistoryView, RoomView, SyncView};
use smol_str::SmolStr;

use super::ledger::text_of;

/// A device's cache.
#[derive(Debug, Clone, Default)]
pub(super) struct Replica {
    /// The commit of the last sync.
    pub(super) since: CommitNumber,
    pub(super) rooms: BTreeMap<RoomId, CachedRoom>,
}

/// A room in it.
#[derive(Debug, Clone)]
pub(super) struct CachedRoom {
    pub(super) state: Option<MemberState>,
    state_commit: CommitNumber,
    stays: usize,
    name: SmolStr,
    name_at: Seq,
    items: BTreeMap<Seq, Item>,
    /// Everything up to here is known, as far as it may be seen.
    pub(super) known: Seq,
    /// So far the log goes, as was told.
    head: Seq,
    messages: u64,
    pub(super) cursors: Cursors,
    peer: Option<(UserId, Cursors)>,
}

#[derive(Debug, Clone)]
struct Item {
    sender: UserId,
    kind: domain::EventKind,
    text: Option<String>,
    redacted: bool,
    reactions: BTreeMap<SmolStr, (u32, bool)>,
    /// What came later than this has not been applied to it.
    as_of: Seq,
}

/// What a push meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It was the next event, or an old one.
    Fine,
    /// Something is missing before it, or the device's own place has changed: sync and read.
    Behind,
}

impl Default for CachedRoom {
    fn default() -> Self {
        Self {
            state: None,
            state_commit: CommitNumber(0),
            stays: 0,
            name: SmolStr::default(),
            name_at: Seq(0),
            items: BTreeMap::new(),
            known: Seq(0),
            head: Seq(0),
            messages: 0,
            cursors: Cursors::default(),
            peer: None,
        }
    }
}

impl Replica {
    /// Takes over an answer to a sync.
    pub(super) fn sync(&mut self, view: &SyncView) {
        for room in &view.rooms {
            self.rooms.entry(room.room.id.clone()).or_default().sync(room);
        }
        self.since = view.commit;
    }

    /// The rooms of which events are missing; also those that could not be read the last time.
    pub(super) fn behind(&self) -> Vec<RoomId> {
        let behind = |room: &CachedRoom| room.state == Some(MemberState::Joined) && room.head > room.known;
        self.rooms.iter().filter(|(_, room)| behind(room)).map(|(id, _)| id.clone()).collect()
    }

    /// Applies an event that was pushed.
    pub(super) fn event(&mut self, me: &UserId, event: &Event) -> Applied {
        let about_me = matches!(&event.body, EventBody::Member { user, .. } if user == me);
        let Some(room) = self.rooms.get_mut(&event.room) else { return Applied::Behind };
        if event.seq <= room.known {
            return Applied::Fine;
        }
        if about_me || room.state != Some(MemberState::Joined) || event.seq.0 > room.known.0 + 1 {
            return Applied::Behind;
        }
        room.apply(me, event);
        Applied::Fine
    }

    /// Takes over cursors that were pushed.
    pub(super) fn cursors(
        &mut self,
        me: &UserId,
        room: &RoomId,
        user: &UserId,
        cursors: Cursors,
    ) -> Result<(), String> {
        let Some(room) = self.rooms.get_mut(room) else { return Ok(()) };
        let peer = room.peer.as_mut().filter(|(peer, _)| peer == user).map(|(_, cursors)| cursors);
        let Some(mine) = (if user == me { Some(&mut room.cursors) } else { peer }) else { return Ok(()) };
        if cursors.commit > mine.commit {
            if cursors.read < mine.read || cursors.delivered < mine.delivered {
                return Err(format!("cursors pushed of {user}: {cursors:?} after {mine:?}"));
            }
            *mine = cursors;
        }
        Ok(())
    }

    /// What the device shows, of the rooms that its user is in or invited to.
    pub(super) fn shown(&self) -> BTreeMap<RoomId, String> {
        let present = |room: &&CachedRoom| matches!(room.state, Some(MemberState::Joined | MemberState::Invited));
        let rooms = self.rooms.iter().filter(|(_, room)| present(room));
        rooms.map(|(id, room)| (id.clone(), room.shown())).collect()
    }
}

impl CachedRoom {
    /// Takes over a view.
    fn sync(&mut self, view: &RoomView) {
        let member = view.me.as_ref().expect("a sync tells of one's own rooms");
        let stays = member.intervals.len();
        if member.commit >= self.state_commit {
            (self.state, self.state_commit) = (Some(member.state), member.commit);
            if stays != self.stays && self.stays > 0 {
                // What happened to old messages meanwhile may not be told as events, and pages that were read while the
                // user was away have no reactions.
                self.items.clear();
                self.known = Seq(0);
            }
            self.stays = stays;
        }
        if view.cursors.commit > self.cursors.commit {
            self.cursors = view.cursors;
        }
        if let Some((peer, cursors)) = &view.peer
            && self.peer.as_ref().is_none_or(|(_, known)| cursors.commit >= known.commit)
        {
            self.peer = Some((peer.id.clone(), *cursors));
        }
        let joined = self.state == Some(MemberState::Joined);
        if joined && view.head >= self.known {
            (self.name, self.name_at) = (view.room.settings.name.clone(), view.head);
            self.messages = view.messages;
        }
        if joined {
            self.head = self.head.max(view.head);
        }
    }

    /// Takes over a page that follows what is known.
    pub(super) fn page(&mut self, me: &UserId, view: &HistoryView) {
        for Entry { event, edit, reactions } in &view.entries {
            if event.seq <= self.known {
                continue;
            }
            self.apply(me, event);
            let Some(item) = self.items.get_mut(&event.seq).filter(|_| event.body.is_message()) else { continue };
            if let Some(edit) = edit {
                item.text = Some(text_of(&edit.content).to_owned());
            }
            item.reactions =
                reactions.iter().map(|reaction| (reaction.key.clone(), (reaction.count, reaction.mine))).collect();
            item.as_of = view.as_of.max(event.seq);
        }
    }

    fn apply(&mut self, me: &UserId, event: &Event) {
        let mut item = Item {
            sender: event.sender.clone(),
            kind: event.body.kind(),
            text: None,
            redacted: false,
            reactions: BTreeMap::new(),
            as_of: event.seq,
        };
        let target = event.body.target().and_then(|target| self.items.get_mut(&target));
        let target = target.filter(|target| target.as_of < event.seq && !target.redacted);
        match (&event.body, target) {
            (EventBody::Message { content, redacted_by, .. }, _) => {
                item.text = content.as_ref().map(|content| text_of(content).to_owned());
                item.redacted = redacted_by.is_some();
            }
            (EventBody::Edit { content: Some(content), .. }, Some(target)) => {
                let Content::Text(text) = content;
                target.text = Some(text.text.to_string());
            }
            (EventBody::Redaction { .. }, Some(target)) => {
                (target.text, target.redacted) = (None, true);
                target.reactions.clear();
            }
            (EventBody::Reaction { keys, previous, .. }, Some(target)) => {
                target.react(keys, previous, event.sender == *me);
            }
            (EventBody::Settings(change), _) => {
                if let Some(name) = &change.name
                    && event.seq > self.name_at
                {
                    (self.name, self.name_at) = (name.clone(), event.seq);
                }
            }
            _ => {}
        }
        self.messages = self.messages.max(event.number);
        self.known = event.seq;
        self.items.insert(event.seq, item);
    }

    fn shown(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{:?}", self.state);
        if self.state != Some(MemberState::Joined) {
            return text;
        }
        let unread = self.messages - self.cursors.read_messages;
        let peer = self.peer.as_ref().map(|(user, cursors)| (user, cursors.delivered.0, cursors.read.0));
        let cursors = (self.cursors.delivered.0, self.cursors.read.0);
        let _ =
            write!(text, " {:?} known {} unread {unread} cursors {cursors:?} peer {peer:?}", self.name, self.known.0);
        for (seq, item) in &self.items {
            let Item { sender, kind, text: said, redacted, reactions, as_of: _ } = item;
            let _ = write!(text, "\n  {} {sender} {kind:?} {said:?} {redacted} {reactions:?}", seq.0);
        }
        text
    }

    /// What the messages say, by seq; redacted ones nothing.
    pub(super) fn texts(&self) -> BTreeMap<Seq, Option<String>> {
        let messages = self.items.iter().filter(|(_, item)| item.kind == domain::EventKind::Message);
        messages.map(|(seq, item)| (*seq, item.text.clone())).collect()
    }

    /// How many have reacted to a message how.
    pub(super) fn reactions(&self, seq: Seq) -> BTreeMap<SmolStr, u32> {
        let reactions = self.items.get(&seq).map(|item| &item.reactions);
        reactions.into_iter().flatten().map(|(key, (count, _))| (key.clone(), *count)).collect()
    }
}

impl Item {
    fn react(&mut self, keys: &BTreeSet<SmolStr>, previous: &BTreeSet<SmolStr>, mine: bool) {
        for key in previous.difference(keys) {
            if let Some(reaction) = self.reactions.get_mut(key) {
                reaction.0 = reaction.0.saturating_sub(1);
                reaction.1 &= !mine;
            }
        }
        for key in keys.difference(previous) {
            let reaction = self.reactions.entry(key.clone()).or_default();
            reaction.0 += 1;
            reaction.1 |= mine;
        }
        self.reactions.retain(|_, reaction| reaction.0 > 0);
    }
}
