//! Checks of rooms: each log is folded anew, event by event, and what is stored beside it is held against that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{CommitNumber, Cursors, Event, EventBody, Head, Member, Room, RoomId, Seq, UserId};
use rusqlite::{Connection, params};
use storage::record;

use super::reactions::Relations;
use super::{Findings, Rule};
use crate::error::Fault;
use crate::key::{RoomKey, UserKey, split_event};
use crate::rows::{self, EVENT, MEMBER, UserIds};

pub(super) fn check(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement = db.prepare(
        "SELECT r.key, a.id || '/' || r.id, r.id, a.head FROM room r JOIN app a ON a.key = r.app ORDER BY r.key",
    )?;
    let mut rows = statement.query([])?;
    let mut users = UserIds::default();
    while let Some(row) = rows.next()? {
        let (key, subject): (RoomKey, String) = (row.get(0)?, row.get(1)?);
        let id = rows::room_id(row, 2)?;
        let checked = check_room(db, key, &id, &subject, CommitNumber(row.get(3)?), &mut users, findings);
        if let Err(fault) = checked {
            findings.add(Rule::Readable, &subject, fault);
        }
    }
    check_directs(db, findings)
}

fn check_room(
    db: &Connection,
    key: RoomKey,
    id: &RoomId,
    subject: &str,
    app_head: CommitNumber,
    users: &mut UserIds,
    findings: &mut Findings,
) -> Result<(), Fault> {
    let cursors = load_cursors(db, key, users)?;
    let mut log = Folded::new(cursors.values().map(|cursors| cursors.read));
    let mut statement =
        db.prepare_cached(&format!("SELECT {EVENT}, last_message FROM log WHERE key BETWEEN ? AND ? ORDER BY key"))?;
    let mut rows = statement.query(key.events())?;
    while let Some(row) = rows.next()? {
        match rows::event(db, row, id, users) {
            Ok(event) => {
                let last_message = row.get::<_, Option<u64>>(8)?.map(Seq);
                if last_message != log.head.last_message.filter(|_| !event.body.is_message()) {
                    let problem = format!("names {last_message:?} as last message, it is {:?}", log.head.last_message);
                    findings.add(Rule::Heads, format_args!("{subject} seq {}", event.seq), problem);
                }
                log.fold(&event, app_head, subject, findings);
            }
            Err(fault) => {
                let (_, seq) = split_event(row.get(0)?);
                findings.add(Rule::Readable, format_args!("{subject} seq {seq}"), fault);
                log.head.seq = seq;
            }
        }
    }
    check_head_and_room(db, key, subject, &log, users, findings)?;
    check_members(db, key, subject, &log, users, findings)?;
    check_cursors(subject, &log, &cursors, app_head, findings);
    log.relations.check(db, key, subject, users, findings)
}

/// A log as it is read anew.
struct Folded {
    head: Head,
    room: Option<Room>,
    members: BTreeMap<UserId, Member>,
    relations: Relations,
    /// Seqs whose numbers are asked for.
    wanted: BTreeSet<Seq>,
    numbers: BTreeMap<Seq, u64>,
}

impl Folded {
    fn new(wanted: impl Iterator<Item = Seq>) -> Self {
        Self {
            head: Head::default(),
            room: None,
            members: BTreeMap::new(),
            relations: Relations::default(),
            wanted: wanted.collect(),
            numbers: BTreeMap::new(),
        }
    }

    fn fold(&mut self, event: &Event, app_head: CommitNumber, subject: &str, findings: &mut Findings) {
        let here = format!("{subject} seq {}", event.seq);
        if event.seq != self.head.seq.next() {
            findings.add(Rule::SeqsDense, &here, format_args!("comes after seq {}", self.head.seq));
        }
        let number = self.head.messages + u64::from(event.body.is_message());
        if event.number != number {
            findings.add(Rule::Numbers, &here, format_args!("has number {}, counted are {number}", event.number));
        }
        if event.commit < self.head.commit || event.commit > app_head || event.commit == CommitNumber(0) {
            let problem = format!("is of commit {}, after {} and up to {app_head}", event.commit, self.head.commit);
            findings.add(Rule::Commits, &here, problem);
        }
        if matches!(event.body, EventBody::Created { .. }) != (event.seq == Seq(1)) {
            findings.add(Rule::Rooms, &here, "a room is created by its first event and no other");
        }
        self.head.apply(event);
        // Counted on by what was counted, not by what is written there, so that one slip is one finding.
        self.head.messages = number;
        if self.wanted.contains(&event.seq) {
            self.numbers.insert(event.seq, number);
        }
        if let EventBody::Created { kind, settings } = &event.body {
            self.room = Some(Room::new(event.room.clone(), *kind, None, settings.clone(), event.at));
        }
        let mut before = None;
        if let EventBody::Member { user, .. } = &event.body {
            before = self.members.get(user).cloned();
            let member = self.members.entry(user.clone()).or_insert_with(|| Member::stranger(user.clone()));
            member.apply(event.seq, event.commit, &event.sender, &event.body);
        }
        if let Some(room) = &mut self.room {
            room.apply(&event.body, before.as_ref());
        }
        self.relations.fold(event, &here, findings);
    }
}

fn check_head_and_room(
    db: &Connection,
    key: RoomKey,
    subject: &str,
    log: &Folded,
    users: &mut UserIds,
    findings: &mut Findings,
) -> Result<(), Fault> {
    match rows::load_head(db, key) {
        Ok(stored) if stored == log.head => {}
        Ok(stored) => {
            findings.add(Rule::Heads, subject, format_args!("stored is {stored:?}, the log ends at {:?}", log.head));
        }
        Err(fault) => findings.add(Rule::Heads, subject, fault),
    }
    let stored = rows::load_room(db, key, users)?.ok_or(Fault::Damaged("a room is gone"))?;
    let Some(folded) = &log.room else {
        findings.add(Rule::Rooms, subject, "has no first event");
        return Ok(());
    };
    // The pair stands in no event; it is held against the members.
    let folded = Room { pair: stored.pair.clone(), ..folded.clone() };
    if stored != folded {
        findings.add(Rule::Rooms, subject, format_args!("stored is {stored:?}, the log makes {folded:?}"));
    }
    if let Some(pair) = &stored.pair
        && !pair.iter().eq(log.members.keys())
    {
        findings.add(Rule::Directs, subject, "its members are not its pair");
    }
    Ok(())
}

fn check_members(
    db: &Connection,
    key: RoomKey,
    subject: &str,
    log: &Folded,
    users: &mut UserIds,
    findings: &mut Findings,
) -> Result<(), Fault> {
    let room = rows::load_room(db, key, users)?;
    let mut statement = db
        .prepare_cached(&format!("SELECT {MEMBER}, m.peer FROM member m INDEXED BY member_of_room WHERE m.room = ?"))?;
    let mut rows = statement.query([key])?;
    let mut stored = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (mut member, invited_by) = rows::member(row)?;
        member.invited_by = invited_by.map(|by| users.get(db, by)).transpose()?;
        let peer: Option<UserKey> = row.get(7)?;
        let peer = peer.map(|peer| users.get(db, peer)).transpose()?;
        if peer.as_ref() != room.as_ref().and_then(|room| room.peer_of(&member.user)) {
            findings.add(Rule::Members, format_args!("{subject} {}", member.user), "has the wrong peer");
        }
        stored.insert(member.user.clone(), member);
    }
    for (user, folded) in &log.members {
        match stored.remove(user) {
            Some(stored) if stored == *folded => {}
            Some(stored) => {
                let problem = format!("stored is {stored:?}, the log makes {folded:?}");
                findings.add(Rule::Members, format_args!("{subject} {user}"), problem);
            }
            None => findings.add(Rule::Members, format_args!("{subject} {user}"), "is missing"),
        }
    }
    for user in stored.keys() {
        findings.add(Rule::Members, format_args!("{subject} {user}"), "stands in no event");
    }
    Ok(())
}

fn load_cursors(db: &Connection, room: RoomKey, users: &mut UserIds) -> Result<HashMap<UserId, Cursors>, Fault> {
    let mut statement = db.prepare_cached("SELECT user FROM member INDEXED BY member_of_room WHERE room = ?")?;
    let mut rows = statement.query([room])?;
    let mut cursors = HashMap::new();
    while let Some(row) = rows.next()? {
        let user = row.get(0)?;
        if let Some((_, found)) = rows::load_cursors(db, user, room)? {
            cursors.insert(users.get(db, user)?, found);
        }
    }
    Ok(cursors)
}

fn check_cursors(
    subject: &str,
    log: &Folded,
    cursors: &HashMap<UserId, Cursors>,
    app_head: CommitNumber,
    findings: &mut Findings,
) {
    for user in log.members.keys() {
        let here = format!("{subject} {user}");
        let Some(stored) = cursors.get(user) else {
            findings.add(Rule::Cursors, here, "are missing");
            continue;
        };
        if stored.read > stored.delivered || stored.delivered > log.head.seq || stored.commit > app_head {
            findings.add(Rule::Cursors, &here, format_args!("{stored:?} are past the end, {:?}", log.head));
        }
        let number = log.numbers.get(&stored.read).copied().unwrap_or(0);
        if stored.read <= log.head.seq && stored.read_messages != number {
            let problem = format!("count {} messages up to {}, there are {number}", stored.read_messages, stored.read);
            findings.add(Rule::Cursors, here, problem);
        }
    }
}

/// Direct rooms and the table that finds them name each other.
fn check_directs(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    let mut statement = db.prepare(
        "SELECT r.id FROM room r LEFT JOIN direct d ON d.low = r.low AND d.high = r.high
         WHERE r.kind = ?1 AND (d.room IS NULL OR d.room <> r.key)
         UNION ALL
         SELECT r.id FROM direct d JOIN room r ON r.key = d.room
         WHERE r.kind <> ?1 OR r.low IS NOT d.low OR r.high IS NOT d.high
         UNION ALL
         SELECT r.id FROM room r JOIN user_key l ON l.key = r.low JOIN user_key h ON h.key = r.high WHERE l.id >= h.id",
    )?;
    let mut rows = statement.query(params![record::room_kind_name(domain::RoomKind::Direct)])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        findings.add(Rule::Directs, format_args!("room {id}"), "is not the one that its pair leads to");
    }
    Ok(())
}
