//! Checks of what points at messages: edits, redactions, reactions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Event, EventBody, Seq, UserId};
use rusqlite::Connection;
use smol_str::SmolStr;

use super::{Findings, Rule};
use crate::error::Fault;
use crate::key::{RoomKey, split_event};
use crate::rows::{self, UserIds};

type Sets = BTreeMap<(Seq, UserId), BTreeSet<SmolStr>>;

/// What points at the messages of a room, as its log says.
#[derive(Default)]
pub(super) struct Relations {
    edits: BTreeSet<(Seq, Seq)>,
    /// Edits that have content.
    told_edits: BTreeSet<(Seq, Seq)>,
    /// Messages that say by which event they were redacted, and whether they still have content.
    redacted: HashMap<Seq, (Option<Seq>, bool)>,
    redactions: BTreeMap<Seq, Seq>,
    sets: Sets,
}

impl Relations {
    pub(super) fn fold(&mut self, event: &Event, here: &str, findings: &mut Findings) {
        if let Some(target) = event.body.target().filter(|target| *target >= event.seq) {
            findings.add(Rule::SeqsDense, here, format_args!("points forward, at {target}"));
        }
        match &event.body {
            EventBody::Message { content, redacted_by, .. } => {
                self.redacted.extend(
                    (redacted_by.is_some() || content.is_none())
                        .then_some((event.seq, (*redacted_by, content.is_some()))),
                );
            }
            EventBody::Edit { target, content } => {
                self.edits.insert((*target, event.seq));
                if content.is_some() {
                    self.told_edits.insert((*target, event.seq));
                }
            }
            EventBody::Redaction { target, .. } => {
                self.redactions.insert(*target, event.seq);
                self.sets.retain(|(message, _), _| message != target);
            }
            EventBody::Reaction { target, keys, .. } => {
                let of_user = (*target, event.sender.clone());
                if keys.is_empty() {
                    self.sets.remove(&of_user);
                } else {
                    self.sets.insert(of_user, keys.clone());
                }
            }
            EventBody::Created { .. } | EventBody::Settings(_) | EventBody::Member { .. } => {}
        }
    }

    pub(super) fn check(
        &self,
        db: &Connection,
        room: RoomKey,
        subject: &str,
        users: &mut UserIds,
        findings: &mut Findings,
    ) -> Result<(), Fault> {
        self.check_redactions(subject, findings);
        self.check_edits(db, room, subject, findings)?;
        self.check_reactions(db, room, subject, users, findings)
    }

    fn check_redactions(&self, subject: &str, findings: &mut Findings) {
        let mut messages: BTreeSet<Seq> = self.redactions.keys().copied().collect();
        messages.extend(self.redacted.keys());
        for message in messages {
            let says = self.redacted.get(&message).copied();
            let by = self.redactions.get(&message).copied();
            if by.is_none() || says != Some((by, false)) {
                findings.add(
                    Rule::Redactions,
                    format_args!("{subject} seq {message}"),
                    "is not stripped as the log says",
                );
            }
        }
        for (target, edit) in &self.edits {
            if self.told_edits.contains(&(*target, *edit)) == self.redactions.contains_key(target) {
                findings.add(Rule::Redactions, format_args!("{subject} seq {edit}"), "an edit is not as its message");
            }
        }
    }

    fn check_edits(&self, db: &Connection, room: RoomKey, subject: &str, findings: &mut Findings) -> Result<(), Fault> {
        let mut statement = db.prepare_cached("SELECT target, seq FROM edit WHERE target BETWEEN ? AND ?")?;
        let mut rows = statement.query(room.events())?;
        let mut stored = BTreeSet::new();
        while let Some(row) = rows.next()? {
            stored.insert((split_event(row.get(0)?).1, Seq(row.get(1)?)));
        }
        for (target, edit) in self.edits.symmetric_difference(&stored) {
            let problem = format!("edit {edit} of {target} is in only one of the log and the table");
            findings.add(Rule::Edits, subject, problem);
        }
        Ok(())
    }

    fn check_reactions(
        &self,
        db: &Connection,
        room: RoomKey,
        subject: &str,
        users: &mut UserIds,
        findings: &mut Findings,
    ) -> Result<(), Fault> {
        let mut statement = db.prepare_cached("SELECT event, user, keys FROM reaction WHERE event BETWEEN ? AND ?")?;
        let mut rows = statement.query(room.events())?;
        let mut stored = Sets::new();
        while let Some(row) = rows.next()? {
            let of_user = (split_event(row.get(0)?).1, users.get(db, row.get(1)?)?);
            stored.insert(of_user, rows::parse_keys(row.get_ref(2)?.as_str().map_err(rows::sqlite)?)?);
        }
        if stored != self.sets {
            findings.add(Rule::Reactions, subject, "the users' sets are not what the log makes");
        }
        let mut counts: BTreeMap<(Seq, SmolStr), u64> = BTreeMap::new();
        for ((message, _), keys) in &self.sets {
            for key in keys {
                *counts.entry((*message, key.clone())).or_default() += 1;
            }
        }
        let mut statement =
            db.prepare_cached("SELECT event, key, count FROM reaction_count WHERE event BETWEEN ? AND ?")?;
        let stored = statement
            .query_map(room.events(), |row| Ok(((split_event(row.get(0)?).1, rows::text(row, 1)?), row.get(2)?)))?;
        if stored.collect::<Result<BTreeMap<_, _>, _>>()? != counts {
            findings.add(Rule::Reactions, subject, "the counts are not what the log makes");
        }
        Ok(())
    }
}
