//! What the writer does when nothing is to be written: flushing, moving the WAL, wiping; and closing.

use std::sync::PoisonError;

use super::{State, Writer, write_windows};
use crate::error::Fault;
use crate::scrub;

/// Pages that are wiped in one go after a redaction.
const SCRUB_SLICE_PAGES: u64 = 8_192;
/// Slices that closing waits for; what is left is done by the next run.
const SCRUB_CLOSING_SLICES: usize = 64;

impl State {
    /// Flushes a part of what waits, in a transaction of its own.
    fn flush_slice(&mut self) -> Result<(), Fault> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.flusher.flush_slice(&self.db)?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        self.flusher.committed();
        Ok(())
    }
}

impl Writer {
    pub(super) fn empty_wal(&mut self) {
        if let Some(state) = &self.state {
            self.checkpoints.look_when_idle(&state.db, true);
        }
    }

    /// Flushes a part of what waits, if something does. True if it did.
    pub(super) fn flush_slice(&mut self) -> bool {
        // After a group that failed, what was committed before waits still.
        if self.open_state().is_err() || self.limit_pages().is_err() {
            return false;
        }
        let Some(state) = self.state.as_mut().filter(|state| !state.flusher.is_done()) else { return false };
        let flushed = state.flush_slice();
        if let Err(error) = &flushed {
            tracing::error!(%error, "what waits could not be written to its place");
            let known = self.stuck.len();
            self.give_up();
            // Without the room that hinders it, the rest may be written.
            return self.stuck.len() > known && self.open_state().is_ok();
        }
        true
    }

    pub(super) fn look_when_idle(&mut self) {
        self.wrote = false;
        let Some(state) = &self.state else { return };
        // Old pages in the WAL's file are wiped by making it empty.
        if self.checkpoints.look_when_idle(&state.db, self.scrub.is_due()) {
            self.wipe();
        }
        self.wrote = self.scrub.is_due();
    }

    /// Wipes a slice of the file. Everything of the WAL is in the file.
    pub(super) fn wipe(&mut self) {
        let Some(state) = self.state.as_mut().filter(|_| self.scrub.is_due()) else { return };
        let done = state
            .db
            .execute_batch("PRAGMA shrink_memory")
            .map_err(Fault::from)
            .and_then(|()| self.scrub.step(SCRUB_SLICE_PAGES).map_err(|_| Fault::Damaged("the file can't be wiped")))
            .and_then(|done| {
                if done {
                    scrub::note(&state.db, false)?;
                    state.scrub_noted = false;
                }
                Ok(())
            });
        if let Err(error) = done {
            tracing::warn!(%error, "unused bytes of the database could not be wiped");
        }
    }

    pub(super) fn close(&mut self) {
        while self.flush_slice() {}
        let Some(state) = &mut self.state else { return };
        if let Err(error) = write_windows(state) {
            tracing::warn!(%error, "windows could not be written while closing");
        }
        if self.checkpoints.look_when_idle(&state.db, true) {
            for _ in 0..SCRUB_CLOSING_SLICES {
                self.wipe();
            }
        }
        self.empty_wal();
        self.state = None;
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).sender = None;
    }
}
