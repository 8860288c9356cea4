//! The records of a row of `redo`: what one group has committed and not written to `log`, packed.
//!
//! First the commits of the group (app, number), then the records, each with the place of its commit among them. Numbers are
//! LEB128 varints, texts are preceded by their length in bytes. A row is written once and read after a crash only.

use domain::{ClientId, CommitNumber, Seq, Timestamp};

use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey, Slot, UserKey};
use crate::packed::{DAMAGED, key, put, put_text, room, take, take_fingerprint, take_text};

const EVENT: u64 = 1;
const CURSORS: u64 = 2;

/// A commit of a group.
pub(crate) type CommitKey = (AppKey, CommitNumber);

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// An event, as its row in `log`. The fingerprint counts if there is a client id.
    Event {
        commit: CommitKey,
        room: RoomKey,
        seq: Seq,
        number: u64,
        at: Timestamp,
        sender: UserKey,
        device: DeviceKey,
        client_id: Option<ClientId>,
        fingerprint: u64,
        kind: u8,
        body: &'a str,
    },
    /// A member's cursors, as their row in `log`.
    Cursors { commit: CommitKey, room: RoomKey, slot: Slot, delivered: Seq, read: Seq, number: u64 },
}

impl Record<'_> {
    /// The room that it is about.
    pub(crate) fn room(&self) -> RoomKey {
        match self {
            Record::Event { room, .. } | Record::Cursors { room, .. } => *room,
        }
    }
}

/// Packs the records of a group.
#[derive(Debug)]
pub(crate) struct Packer {
    commits: Vec<CommitKey>,
    bytes: Vec<u8>,
}

impl Packer {
    pub(crate) fn new(commits: Vec<CommitKey>) -> Self {
        let mut bytes = Vec::new();
        put(&mut bytes, commits.len() as u64);
        for (app, commit) in &commits {
            put(&mut bytes, u64::from(app.0));
            put(&mut bytes, commit.0);
        }
        Self { commits, bytes }
    }

    /// Adds a record of one of the commits.
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        let Self { commits, bytes } = self;
        let (tag, of, room) = match record {
            Record::Event { commit, room, .. } => (EVENT, commit, room),
            Record::Cursors { commit, room, .. } => (CURSORS, commit, room),
        };
        let place = commits.iter().position(|commit| commit == of).unwrap_or(commits.len());
        put_all(bytes, [tag, place as u64, u64::from(room.0)]);
        match record {
            Record::Event { seq, number, at, sender, device, client_id, fingerprint, kind, body, .. } => {
                let numbers = [seq.0, *number, at.0.cast_unsigned(), u64::from(sender.0), u64::from(device.0)];
                put_all(bytes, numbers);
                put_text(bytes, client_id.as_ref().map_or("", ClientId::as_str));
                if client_id.is_some() {
                    bytes.extend_from_slice(&fingerprint.to_le_bytes());
                }
                put(bytes, u64::from(*kind));
                put_text(bytes, body);
            }
            Record::Cursors { slot, delivered, read, number, .. } => {
                put_all(bytes, [u64::from(slot.0), delivered.0, read.0, *number]);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

fn put_all<const N: usize>(bytes: &mut Vec<u8>, numbers: [u64; N]) {
    for number in numbers {
        put(bytes, number);
    }
}

/// The records of a row.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    commits: Vec<CommitKey>,
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn of(mut bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut commits = Vec::new();
        for _ in 0..take(&mut bytes)? {
            commits.push((AppKey(key(&mut bytes)?), CommitNumber(take(&mut bytes)?)));
        }
        Ok(Self { commits, rest: bytes })
    }

    pub(crate) fn commits(&self) -> &[CommitKey] {
        &self.commits
    }

    fn read(&mut self) -> Result<Record<'a>, Fault> {
        let bytes = &mut self.rest;
        let tag = take(bytes)?;
        let place = usize::try_from(take(bytes)?).map_err(|_| DAMAGED)?;
        let commit = *self.commits.get(place).ok_or(DAMAGED)?;
        let room = room(bytes)?;
        match tag {
            EVENT => {
                let (seq, number) = (Seq(take(bytes)?), take(bytes)?);
                let at = Timestamp(take(bytes)?.cast_signed());
                let (sender, device) = (UserKey(key(bytes)?), DeviceKey(key(bytes)?));
                let client_id = match take_text(bytes)? {
                    "" => None,
                    id => Some(ClientId::new(id).map_err(|_| DAMAGED)?),
                };
                let fingerprint = if client_id.is_some() { take_fingerprint(bytes)? } else { 0 };
                let kind = u8::try_from(take(bytes)?).map_err(|_| DAMAGED)?;
                let body = take_text(bytes)?;
                Ok(Record::Event { commit, room, seq, number, at, sender, device, client_id, fingerprint, kind, body })
            }
            CURSORS => Ok(Record::Cursors {
                commit,
                room,
                slot: Slot(key(bytes)?),
                delivered: Seq(take(bytes)?),
                read: Seq(take(bytes)?),
                number: take(bytes)?,
            }),
            _ => Err(DAMAGED),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Fault>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.read().inspect_err(|_| self.rest = &[]))
    }
}

/// For fuzzing: reads records and packs them anew.
pub(crate) fn repack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let records = Records::of(bytes)?;
    let mut packer = Packer::new(records.commits().to_vec());
    for record in records {
        packer.add(&record?);
    }
    Ok(packer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_packed() {
        let commits = vec![(AppKey(1), CommitNumber(700)), (AppKey(3), CommitNumber(1 << 40))];
        let event = |commit, seq: u64, client_id: Option<&str>| Record::Event {
            commit,
            room: RoomKey(70_000),
            seq: Seq(seq),
            number: seq / 2,
            at: Timestamp(1_770_000_000_000),
            sender: UserKey(9),
            device: DeviceKey(300),
            client_id: client_id.map(|id| ClientId::new(id).unwrap()),
            fingerprint: client_id.map_or(0, |_| u64::MAX - seq),
            kind: 4,
            body: r#"{"text":"早"}"#,
        };
        let (delivered, read) = (Seq(12), Seq(u64::from(u32::MAX)));
        let cursors =
            Record::Cursors { commit: commits[0], room: RoomKey(1), slot: Slot(2), delivered, read, number: 5 };
        let records = [event(commits[0], 1, None), cursors, event(commits[1], 1 << 30, Some("c-1"))];
        let mut packer = Packer::new(commits.clone());
        records.iter().for_each(|record| packer.add(record));
        let bytes = packer.finish();
        let read = Records::of(&bytes).unwrap();
        assert_eq!(read.commits(), commits);
        assert_eq!(read.collect::<Result<Vec<_>, _>>().unwrap(), records);
        assert_eq!(repack(&bytes).unwrap(), bytes);
        for cut in 1..bytes.len() {
            // What is cut off is noticed, unless it is cut between two records.
            let read = Records::of(&bytes[..cut]).and_then(|records| records.collect::<Result<Vec<_>, _>>());
            assert!(read.is_err() || records.starts_with(&read.unwrap()), "{cut}");
        }
    }
}
