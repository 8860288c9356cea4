//! The window of client ids that a device's repeats are recognised by.

use std::collections::{HashMap, VecDeque};

use domain::{ClientId, CommitNumber, RoomId, Seq};

use crate::{Outcome, Receipt, WINDOW_ENTRIES_MAX};

/// The fingerprint of a command whose text was deleted: nothing is kept that the text could be guessed by, and whatever
/// has its client id is taken for its repeat.
pub const FINGERPRINT_FORGOTTEN: u64 = u64::MAX;

/// A client id with the answer its command got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The id.
    pub client_id: ClientId,
    /// What the command was.
    pub fingerprint: u64,
    /// The room.
    pub room: RoomId,
    /// The receipt's seq.
    pub seq: Seq,
    /// The receipt's commit.
    pub commit: CommitNumber,
}

/// The last [`WINDOW_ENTRIES_MAX`] client ids of a device.
#[derive(Debug, Clone, Default)]
pub struct Window {
    entries: VecDeque<Remembered>,
    by_id: HashMap<ClientId, u64>,
    forgotten: u64,
}

impl Window {
    /// A window of entries in the order they were remembered.
    pub fn from_entries(entries: impl IntoIterator<Item = Remembered>) -> Self {
        let mut window = Self::default();
        for entry in entries {
            window.remember(entry);
        }
        window
    }

    /// The answer to a repeat, if it is one.
    pub fn recall(&self, client_id: &ClientId, fingerprint: u64) -> Option<Outcome> {
        let index = self.by_id.get(client_id)? - self.forgotten;
        let entry = self.entries.get(usize::try_from(index).ok()?)?;
        if entry.fingerprint != fingerprint && entry.fingerprint != FINGERPRINT_FORGOTTEN {
            return Some(Outcome::ClientIdReused);
        }
        Some(Outcome::Duplicate(Receipt { room: Some(entry.room.clone()), seq: entry.seq, commit: entry.commit }))
    }

    /// Adds an answer; the oldest gives way. An id that is known already is left as it is.
    pub fn remember(&mut self, entry: Remembered) {
        if self.by_id.contains_key(&entry.client_id) {
            return;
        }
        if self.entries.len() == WINDOW_ENTRIES_MAX
            && let Some(oldest) = self.entries.pop_front()
        {
            self.by_id.remove(&oldest.client_id);
            self.forgotten += 1;
        }
        self.by_id.insert(entry.client_id.clone(), self.forgotten + self.entries.len() as u64);
        self.entries.push_back(entry);
    }

    /// Forgets the fingerprint of the command that this event was written by, if it is remembered.
    pub fn forget_fingerprint(&mut self, client_id: &ClientId, room: &RoomId, seq: Seq) {
        let is_it = |entry: &&mut Remembered| entry.client_id == *client_id && entry.room == *room && entry.seq == seq;
        if let Some(entry) = self.entries.iter_mut().find(is_it) {
            entry.fingerprint = FINGERPRINT_FORGOTTEN;
        }
    }

    /// What is remembered, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Remembered> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u64) -> Remembered {
        let client_id = ClientId::new(format!("c{n}")).unwrap();
        Remembered { client_id, fingerprint: n, room: RoomId::new("r").unwrap(), seq: Seq(n), commit: CommitNumber(n) }
    }

    #[test]
    fn the_last_ids_are_known_and_older_ones_are_not() {
        let max = WINDOW_ENTRIES_MAX as u64;
        let window = Window::from_entries((1..=max + 10).map(entry));
        let recall = |n: u64, fingerprint: u64| window.recall(&ClientId::new(format!("c{n}")).unwrap(), fingerprint);
        assert_eq!(recall(10, 10), None);
        for n in [11, 100, max + 10] {
            let receipt = Receipt { room: Some(RoomId::new("r").unwrap()), seq: Seq(n), commit: CommitNumber(n) };
            assert_eq!(recall(n, n), Some(Outcome::Duplicate(receipt)));
        }
        assert_eq!(recall(11, 12), Some(Outcome::ClientIdReused));
        assert_eq!(window.entries().count(), WINDOW_ENTRIES_MAX);
    }
}
