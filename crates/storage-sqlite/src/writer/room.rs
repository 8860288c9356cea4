//! Room work: checked against what is so at this moment, then written. The rules themselves are the domain's.

use std::sync::Arc;

use domain::{
    AppId, ClientId, CursorMove, Cursors, DeviceId, Event, EventBody, Member, MemberState, NewRoom, Room, Seq,
    Timestamp, UserId, pair_of,
};
use planted::{Bug, planted, planted_each};
use rusqlite::{Connection, OptionalExtension, params};
use storage::{FINGERPRINT_FORGOTTEN, Outcome, Receipt, RoomWork, record};

use super::State;
use super::caches::{AppState, Caches, CursorState, RoomName, RoomState, cursors_of};
use super::flush::{Flusher, INSERT_EVENT, insert_event};
use super::group::{AppCommit, Group, Moved};
use super::windows::Windows;
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey, Slot, UserKey, member_key, slot_of};
use crate::memtable::{FreshEvent, GroupNumber, Memtable};
use crate::rows::{self, UserIds};
use crate::view::View;
use crate::window::Answer;

/// Whether work can be written.
pub(super) enum Verdict {
    /// It can; to this app.
    Fits(AppState),
    /// It can't, and this is the answer.
    Answer(Outcome),
}

/// The outcome of an earlier command, if it is remembered.
pub(super) fn recall(
    state: &mut State,
    app: &AppId,
    device: &DeviceId,
    client_id: &ClientId,
    fingerprint: u64,
) -> Result<Option<Outcome>, Fault> {
    let State { db, caches, windows, .. } = state;
    let Some(app) = caches.app(db, app)? else { return Ok(None) };
    let Some(device) = caches.find_device(db, app.key, device)? else { return Ok(None) };
    let Some(answer) = windows.recall(db, device, client_id)? else { return Ok(None) };
    repeat(db, &answer, fingerprint).map(Some)
}

/// Looks whether the world is as the work supposes. Writes nothing.
pub(super) fn check(state: &mut State, app: &AppId, work: &RoomWork) -> Result<Verdict, Fault> {
    if let Some(client_id) = &work.client_id
        && let Some(outcome) = recall(state, app, &work.device, client_id, work.fingerprint)?
    {
        return Ok(Verdict::Answer(outcome));
    }
    let State { db, fresh, flusher, caches, .. } = state;
    let conflict = Ok(Verdict::Answer(Outcome::Conflict));
    let Some(app) = caches.app(db, app)? else { return conflict };
    if work.client_id.is_some() && !caches.device_lives(db, app.key, &work.device)? {
        return Ok(Verdict::Answer(Outcome::DeviceEnded));
    }
    let name = (app.key, work.room.clone());
    let expect = &work.changes.expect;
    match (&work.changes.create, caches.room(view(db, fresh), &name)?) {
        (Some(_), Some(_)) | (None, None) => conflict,
        (Some(new), None) => match &new.pair {
            Some(pair) if direct_exists(caches, db, app.key, pair)? => conflict,
            _ => Ok(Verdict::Fits(app)),
        },
        (None, Some(room)) => {
            if flusher.is_stuck(room.key) {
                return Err(Fault::Damaged("what waits for the room can't be written to its place"));
            }
            if room.room.version != expect.version {
                return conflict;
            }
            if room.head.seq.0 + work.changes.events.len() as u64 > Seq::MAX.0 {
                return Err(Fault::Full("the room's log is full"));
            }
            if let Some((seq, keys)) = &expect.reactions {
                let event = room.key.event(*seq);
                let stored = match caches.find_user(db, app.key, &work.actor)? {
                    Some(actor) => rows::load_reactions(db, event, actor)?,
                    None => Default::default(),
                };
                if stored != *keys {
                    return conflict;
                }
            }
            Ok(Verdict::Fits(app))
        }
    }
}

/// What the writer sees, also in the middle of a group.
fn view<'a>(db: &'a Connection, fresh: &'a Memtable) -> View<'a> {
    View { db, fresh, as_of: GroupNumber::MAX }
}

fn repeat(db: &Connection, answer: &Answer, fingerprint: u64) -> Result<Outcome, Fault> {
    if answer.fingerprint != fingerprint && answer.fingerprint != FINGERPRINT_FORGOTTEN {
        return Ok(Outcome::ClientIdReused);
    }
    let mut statement = db.prepare_cached("SELECT id FROM room WHERE key = ?")?;
    let room = statement.query_row([answer.room], |row| rows::room_id(row, 0)).optional()?;
    let room = room.ok_or(Fault::Damaged("a remembered room is gone"))?;
    Ok(Outcome::Duplicate(Receipt { room: Some(room), seq: answer.seq, commit: answer.commit }))
}

fn direct_exists(caches: &mut Caches, db: &Connection, app: AppKey, pair: &[UserId; 2]) -> Result<bool, Fault> {
    let (Some(low), Some(high)) = (caches.find_user(db, app, &pair[0])?, caches.find_user(db, app, &pair[1])?) else {
        return Ok(false);
    };
    let mut statement = db.prepare_cached("SELECT 1 FROM direct WHERE low = ? AND high = ?")?;
    Ok(statement.exists(params![low, high])?)
}

/// Writes work that fits.
pub(super) fn write(
    state: &mut State,
    group: &mut Group,
    app: (&AppId, AppState),
    at: Timestamp,
    work: RoomWork,
) -> Result<Outcome, Fault> {
    state.redacts |= work.changes.events.iter().any(|event| matches!(event, EventBody::Redaction { .. }));
    let State { db, fresh, flusher, caches, windows, .. } = state;
    let (app_id, app) = app;
    let name: RoomName = (app.key, work.room);
    if let Some(new) = &work.changes.create {
        create_room(caches, db, &name, new, at)?;
    }
    let actor = caches.user(db, app.key, &work.actor)?;
    let device = caches.device(db, app.key, &work.device)?;
    // Out of the map while it is worked on, so that the rest of the caches can be used beside it.
    let mut room = caches.rooms.remove(&name).ok_or(Fault::Damaged("a checked room is gone"))?;
    let commit = group.commit_of(app_id, app, at);
    if !work.changes.events.is_empty() && room.head.seq > Seq(0) && planted_each(Bug::GapInSeqs, 25) {
        room.head.seq = room.head.seq.next();
    }
    let first = room.head.seq.next();
    let wrote = !work.changes.events.is_empty();
    let messages_only = work.changes.events.iter().all(EventBody::is_message);
    if !messages_only && !planted(Bug::FlushLeftOut) {
        flusher.flush_room(db, room.key)?;
    }
    let view = view(db, fresh);
    let (room_state, cursors_moved) = (&mut *room, Vec::new());
    let mut writing = Writing {
        db,
        view,
        flusher,
        caches,
        windows,
        app: app.key,
        commit,
        room: room_state,
        actor,
        messages_only,
        cursors_moved,
    };
    for (index, body) in work.changes.events.into_iter().enumerate() {
        let own = (index == 0).then_some(work.client_id.as_ref()).flatten();
        writing.append(&work.actor, device, own, work.fingerprint, at, body)?;
    }
    if let Some(to) = work.changes.cursors {
        writing.move_own(&work.actor, to)?;
    }
    let Writing { cursors_moved, commit, room: state, .. } = writing;
    if wrote {
        commit.append(state.key, first, state.head.seq);
        if std::mem::take(&mut state.facts_moved) {
            write_facts(db, state)?;
        }
    } else if !cursors_moved.is_empty() {
        commit.touched.insert(state.key);
    }
    commit.written |= wrote || !cursors_moved.is_empty();
    let reached = if commit.written { commit.number } else { app.head };
    commit.cursors.extend(cursors_moved.into_iter().map(|moved| (name.1.clone(), moved)));
    let seq = if wrote { first } else { state.head.seq };
    let receipt = Receipt { room: Some(name.1.clone()), seq, commit: reached };
    if let Some(client_id) = work.client_id {
        let answer = Answer { client_id, fingerprint: work.fingerprint, room: state.key, seq, commit: reached };
        if !wrote {
            commit.answers.push((device, answer.clone()));
        }
        windows.remember(db, app.key, device, answer)?;
    }
    caches.rooms.insert(name, room);
    Ok(Outcome::Done(receipt))
}

fn create_room(
    caches: &mut Caches,
    db: &Connection,
    name: &RoomName,
    new: &NewRoom,
    at: Timestamp,
) -> Result<(), Fault> {
    let (app, id) = name;
    let room = Room::new(id.clone(), new.kind, new.pair.clone(), new.settings.clone(), at);
    let pair = match &room.pair {
        Some([low, high]) => {
            debug_assert_eq!(pair_of(low, high), [low.clone(), high.clone()]);
            Some((caches.user(db, *app, low)?, caches.user(db, *app, high)?))
        }
        None => None,
    };
    let mut statement = db.prepare_cached(
        "INSERT INTO room (app, id, kind, low, high, settings, created_at, joined, invited, owners, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0) RETURNING key",
    )?;
    let settings = record::encode_settings(&room.settings);
    let kind = record::room_kind_name(room.kind);
    let (low, high) = pair.unzip();
    let key: RoomKey =
        statement.query_row(params![app, id.as_str(), kind, low, high, settings, at.0], |row| row.get(0))?;
    if let Some((low, high)) = pair {
        db.prepare_cached("INSERT INTO direct (low, high, room) VALUES (?, ?, ?)")?.execute(params![low, high, key])?;
    }
    let head = domain::Head::default();
    caches.rooms.insert(name.clone(), Box::new(RoomState { key, room, head, facts_moved: false }));
    Ok(())
}

/// One piece of room work while it is being written.
struct Writing<'a> {
    db: &'a Connection,
    view: View<'a>,
    flusher: &'a mut Flusher,
    caches: &'a mut Caches,
    windows: &'a mut Windows,
    app: AppKey,
    commit: &'a mut AppCommit,
    room: &'a mut RoomState,
    actor: UserKey,
    /// Whether its events may wait to be written to `log`.
    messages_only: bool,
    /// Cursors that this group had not moved before.
    cursors_moved: Vec<Moved>,
}

impl Writing<'_> {
    fn append(
        &mut self,
        sender: &UserId,
        device: DeviceKey,
        client_id: Option<&ClientId>,
        fingerprint: u64,
        at: Timestamp,
        body: EventBody,
    ) -> Result<(), Fault> {
        let event = Event {
            room: self.room.room.id.clone(),
            seq: self.room.head.seq.next(),
            commit: self.commit.number,
            at,
            sender: sender.clone(),
            client_id: client_id.cloned(),
            number: self.room.head.messages + u64::from(body.is_message()),
            body,
        };
        let event = self.insert(event, device, fingerprint)?;
        let mut before = None;
        match &event.body {
            EventBody::Member { user, state, .. } => before = self.change_member(&event, user, *state)?,
            EventBody::Message { .. } => {
                self.move_cursors(sender, self.actor, whole(event.seq), event.number)?;
            }
            EventBody::Edit { target, .. } => {
                let mut statement = self.db.prepare_cached("INSERT INTO edit (target, seq) VALUES (?, ?)")?;
                statement.execute(params![self.room.key.event(*target), event.seq.0])?;
            }
            EventBody::Redaction { target, .. } => {
                self.redact(*target, event.seq)?;
            }
            EventBody::Reaction { target, keys, .. } => {
                react(self.db, self.room.key.event(*target), self.actor, keys)?;
            }
            EventBody::Created { .. } | EventBody::Settings(_) => {}
        }
        self.room.room.apply(&event.body, before.as_ref());
        self.room.head.apply(&event);
        self.room.facts_moved |= event.body.changes_facts();
        self.commit.events.push(event);
        Ok(())
    }

    fn insert(&mut self, event: Event, device: DeviceKey, fingerprint: u64) -> Result<Arc<Event>, Fault> {
        let event = Arc::new(event);
        let (sender, group) = (self.actor, self.flusher.group());
        let fresh = FreshEvent { event: Arc::clone(&event), sender, device, fingerprint, group };
        if self.messages_only {
            self.flusher.add_event(self.commit.key(), self.room.key, fresh);
        } else {
            let last_message = if event.body.is_message() { None } else { self.room.head.last_message };
            let mut insert = self.db.prepare_cached(INSERT_EVENT)?;
            insert_event(&mut insert, self.room.key, &fresh, last_message)?;
        }
        Ok(event)
    }

    /// Folds a membership event in and gives the member as it was before.
    fn change_member(&mut self, event: &Event, user: &UserId, state: MemberState) -> Result<Option<Member>, Fault> {
        let (db, room) = (self.db, self.room.key);
        let key = self.caches.user(db, self.app, user)?;
        let before = rows::load_member(db, key, room, &mut UserIds::default())?;
        let mut member = before.clone().unwrap_or_else(|| Member::stranger(user.clone()));
        member.apply(event.seq, event.commit, &event.sender, &event.body);
        let peer = match self.room.room.peer_of(user) {
            Some(peer) => Some(self.caches.user(db, self.app, &peer.clone())?),
            None => None,
        };
        let invited_by = member.invited_by.as_ref().map(|by| self.caches.user(db, self.app, by)).transpose()?;
        let slot = match cursors_of(&mut self.caches.cursors, self.view, key, room)? {
            Some(cursors) => cursors.slot,
            None => self.add_cursors(key)?,
        };
        let mut statement = db.prepare_cached(
            "INSERT OR REPLACE INTO member
             (user, room, user_id, peer, state, level, slot, invited_by, invited_at, intervals, commit_number)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        statement.execute(params![
            key,
            room,
            user.as_str(),
            peer,
            record::state_name(member.state),
            member.level.0,
            slot,
            invited_by,
            member.invited_at.map(|seq| seq.0),
            rows::intervals_json(&member),
            member.commit.0,
        ])?;
        let was_joined = before.as_ref().is_some_and(Member::is_joined);
        if state == MemberState::Joined && !was_joined {
            self.move_cursors(user, key, whole(event.seq), event.number)?;
        }
        Ok(before)
    }

    /// Cursors for a new member, in the next slot. Every member has some, also if they never move.
    fn add_cursors(&mut self, user: UserKey) -> Result<Slot, Fault> {
        let room = self.room.key;
        let mut last =
            self.db.prepare_cached("SELECT key FROM log WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1")?;
        let last = last.query_row(room.all_cursors(), |row| row.get(0)).optional()?;
        let slot = Slot(last.map_or(0, |key| slot_of(key).0) + 1);
        let mut insert = self.db.prepare_cached(
            "INSERT INTO log (key, kind, commit_number, number, sender, delivered, read) VALUES (?, 0, 0, 0, ?, 0, 0)",
        )?;
        insert.execute(params![room.cursors(slot), user])?;
        let state = CursorState { slot, cursors: Cursors::default(), moved: false };
        self.caches.cursors.insert(member_key(user, room), state);
        Ok(slot)
    }

    /// Moves the actor's cursors as asked, to the head at most.
    fn move_own(&mut self, actor: &UserId, to: CursorMove) -> Result<(), Fault> {
        let head = self.room.head;
        let cut = |seq: Seq| seq.min(head.seq);
        let to = CursorMove { delivered: to.delivered.map(cut), read: to.read.map(cut) };
        let number = match to.read {
            Some(seq) if seq == head.seq => head.messages,
            Some(seq) if seq > Seq(0) => {
                let number = self.view.number(self.room.key, seq)?;
                number.ok_or(Fault::Damaged("an event of a room is missing"))?
            }
            Some(_) | None => 0,
        };
        if planted(Bug::CursorMovedBack)
            && let Some(state) = cursors_of(&mut self.caches.cursors, self.view, self.actor, self.room.key)?
        {
            forget_place(&mut state.cursors, to);
        }
        self.move_cursors(actor, self.actor, to, number)
    }

    fn move_cursors(&mut self, user: &UserId, key: UserKey, to: CursorMove, number: u64) -> Result<(), Fault> {
        let (commit, room) = (self.commit.number, self.room.key);
        let Some(state) = cursors_of(&mut self.caches.cursors, self.view, key, room)? else { return Ok(()) };
        if state.cursors.apply(to, number, commit) && !std::mem::replace(&mut state.moved, true) {
            let (slot, member) = (state.slot, member_key(key, room));
            self.cursors_moved.push(Moved { user: user.clone(), member, room, slot });
        }
        Ok(())
    }

    /// Takes a message's content away, wherever it stands, and its reactions.
    ///
    /// No hash of it is kept either. Its commands are still known by their client ids.
    fn redact(&mut self, target: Seq, redaction: Seq) -> Result<(), Fault> {
        let (db, room) = (self.db, self.room.key);
        let key = room.event(target);
        let Some((commit, EventBody::Message { content, reply_to, .. })) = rows::load_body(db, key)? else {
            return Ok(());
        };
        self.flusher.erase((self.app, commit), room, target);
        let content = if planted(Bug::BodyKeptAfterRedaction) { content } else { None };
        self.strip(target, &EventBody::Message { content, reply_to, redacted_by: Some(redaction) })?;
        let mut edits = db.prepare_cached("SELECT seq FROM edit WHERE target = ?")?;
        for seq in edits.query_map([key], |row| row.get(0))?.collect::<Result<Vec<u64>, _>>()? {
            self.strip(Seq(seq), &EventBody::Edit { target, content: None })?;
        }
        db.prepare_cached("DELETE FROM reaction WHERE event = ?")?.execute([key])?;
        db.prepare_cached("DELETE FROM reaction_count WHERE event = ?")?.execute([key])?;
        Ok(())
    }

    /// Writes an event that is in `log` anew.
    fn strip(&mut self, seq: Seq, body: &EventBody) -> Result<(), Fault> {
        let (db, room) = (self.db, self.room.key);
        let mut strip = db.prepare_cached(
            "UPDATE log SET body = ?, fingerprint = iif(client_id IS NULL, NULL, ?) WHERE key = ? RETURNING device, client_id",
        )?;
        let values = params![record::encode(body).1, FINGERPRINT_FORGOTTEN.cast_signed(), room.event(seq)];
        let by = strip.query_row(values, |row| Ok((row.get(0)?, rows::client_id(row, 1)?))).optional()?;
        if let Some((device, Some(client_id))) = by {
            self.windows.forget_fingerprint(db, device, &client_id, (room, seq))?;
        }
        Ok(())
    }
}

/// So that a cursor goes wherever it is told to, also back: [`Bug::CursorMovedBack`].
fn forget_place(cursors: &mut Cursors, to: CursorMove) {
    if to.read.is_some_and(|read| read > Seq(0)) {
        (cursors.read, cursors.read_messages) = (Seq(0), 0);
    }
    if to.delivered.is_some_and(|delivered| delivered > Seq(0)) {
        cursors.delivered = Seq(0);
    }
}

/// Writes what a room has become.
fn write_facts(db: &Connection, state: &RoomState) -> Result<(), Fault> {
    let RoomState { key, room, .. } = state;
    let mut statement = db.prepare_cached(
        "UPDATE room SET settings = ?, joined = ?, invited = ?, owners = ?, version = ? WHERE key = ?",
    )?;
    let settings = record::encode_settings(&room.settings);
    statement.execute(params![settings, room.joined, room.invited, room.owners, room.version, key])?;
    Ok(())
}

fn whole(seq: Seq) -> CursorMove {
    CursorMove { delivered: Some(seq), read: Some(seq) }
}

/// Replaces a user's set of reactions and corrects the counts.
fn react(
    db: &Connection,
    event: i64,
    user: UserKey,
    keys: &std::collections::BTreeSet<smol_str::SmolStr>,
) -> Result<(), Fault> {
    let before = rows::load_reactions(db, event, user)?;
    if keys.is_empty() {
        db.prepare_cached("DELETE FROM reaction WHERE event = ? AND user = ?")?.execute(params![event, user])?;
    } else {
        db.prepare_cached("INSERT OR REPLACE INTO reaction (event, user, keys) VALUES (?, ?, ?)")?.execute(params![
            event,
            user,
            rows::keys_json(keys)
        ])?;
    }
    let mut more = db.prepare_cached(
        "INSERT INTO reaction_count (event, key, count) VALUES (?, ?, 1)
         ON CONFLICT (event, key) DO UPDATE SET count = count + 1",
    )?;
    for key in keys.difference(&before) {
        more.execute(params![event, key.as_str()])?;
    }
    let mut less = db.prepare_cached("UPDATE reaction_count SET count = count - 1 WHERE event = ? AND key = ?")?;
    let mut none = db.prepare_cached("DELETE FROM reaction_count WHERE event = ? AND key = ? AND count <= 0")?;
    for key in before.difference(keys) {
        less.execute(params![event, key.as_str()])?;
        none.execute(params![event, key.as_str()])?;
    }
    Ok(())
}
