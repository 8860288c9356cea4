//! The window of a device's recent client ids, in keys instead of ids. The law is that of [`storage::Window`].
//!
//! It is searched with every message, so the hashes of the ids lie side by side, apart from the rest.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use domain::{ClientId, CommitNumber, Seq};
use foldhash::fast::FixedState;
use storage::{FINGERPRINT_FORGOTTEN, WINDOW_ENTRIES_MAX};

use crate::key::RoomKey;

/// A client id with the answer its command got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) client_id: ClientId,
    pub(crate) fingerprint: u64,
    pub(crate) room: RoomKey,
    pub(crate) seq: Seq,
    pub(crate) commit: CommitNumber,
}

/// The last [`WINDOW_ENTRIES_MAX`] client ids of a device.
#[derive(Debug, Default)]
pub(crate) struct DeviceWindow {
    hashes: VecDeque<u32>,
    answers: VecDeque<Answer>,
    /// How many of the last are not in the window's rows yet.
    pub(crate) unwritten: usize,
    /// Its rows hold everything up to this commit.
    pub(crate) written_to: CommitNumber,
    /// The rows it is made of.
    pub(crate) chunks: Vec<i64>,
}

impl DeviceWindow {
    /// What the id was used for.
    pub(crate) fn recall(&self, client_id: &ClientId) -> Option<&Answer> {
        let hash = hash(client_id);
        let (older, newer) = self.hashes.as_slices();
        find(older, 0, hash)
            .chain(find(newer, older.len(), hash))
            .filter_map(|index| self.answers.get(index))
            .find(|answer| answer.client_id == *client_id)
    }

    /// Adds an answer; the oldest gives way. The id is not known yet.
    pub(crate) fn remember(&mut self, answer: Answer) {
        if self.answers.len() == WINDOW_ENTRIES_MAX {
            self.hashes.pop_front();
            self.answers.pop_front();
        }
        self.hashes.push_back(hash(&answer.client_id));
        self.answers.push_back(answer);
        self.unwritten = (self.unwritten + 1).min(WINDOW_ENTRIES_MAX);
    }

    /// Forgets the fingerprint of the command that this event was written by, if it is remembered. True if it was; then
    /// the window must be written anew.
    pub(crate) fn forget_fingerprint(&mut self, client_id: &ClientId, room: RoomKey, seq: Seq) -> bool {
        let is_it = |answer: &&mut Answer| answer.client_id == *client_id && answer.room == room && answer.seq == seq;
        let Some(answer) = self.answers.iter_mut().find(is_it) else { return false };
        answer.fingerprint = FINGERPRINT_FORGOTTEN;
        self.unwritten = self.answers.len();
        true
    }

    /// The commit of the newest answer.
    pub(crate) fn last_commit(&self) -> CommitNumber {
        self.answers.back().map(|answer| answer.commit).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// All that is remembered, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter()
    }

    /// What is not in the window's rows yet, oldest first.
    pub(crate) fn unwritten(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().skip(self.answers.len() - self.unwritten)
    }
}

/// Where a hash stands in a slice of hashes of which the first has the index `first`.
///
/// It almost never does, so whole blocks are looked at without a branch, which the compiler makes a few instructions of.
fn find(hashes: &[u32], first: usize, hash: u32) -> impl Iterator<Item = usize> {
    const BLOCK: usize = 32;
    hashes
        .chunks(BLOCK)
        .enumerate()
        .filter(move |(_, block)| block.iter().fold(false, |found, other| found | (*other == hash)))
        .flat_map(move |(number, block)| {
            let here = block.iter().enumerate().filter(move |(_, other)| **other == hash);
            here.map(move |(index, _)| first + number * BLOCK + index)
        })
}

fn hash(client_id: &ClientId) -> u32 {
    // A hash that many ids share costs comparisons, and only those of the device that sent them.
    FixedState::default().hash_one(client_id) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_what_the_contracts_window_remembers() {
        let mut window = DeviceWindow::default();
        let mut model = storage::Window::default();
        let id = |n: usize| ClientId::new(format!("c{n}")).unwrap();
        for n in 0..WINDOW_ENTRIES_MAX * 2 + 7 {
            let (seq, commit, fingerprint) = (Seq(n as u64), CommitNumber(n as u64), n as u64);
            window.remember(Answer { client_id: id(n), fingerprint, room: RoomKey(1), seq, commit });
            let room = domain::RoomId::new("r").unwrap();
            model.remember(storage::Remembered { client_id: id(n), fingerprint, room, seq, commit });
        }
        for n in 0..WINDOW_ENTRIES_MAX * 2 + 9 {
            let expect = model.recall(&id(n), n as u64).is_some();
            assert_eq!(window.recall(&id(n)).is_some(), expect, "{n}");
        }
        assert_eq!(window.len(), WINDOW_ENTRIES_MAX);
        assert_eq!(window.unwritten().count(), WINDOW_ENTRIES_MAX);
    }
}
