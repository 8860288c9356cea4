//! Planted bugs: lies that a server can be told to tell, to prove that the history checker catches them.
//!
//! A checker that finds nothing has shown nothing until it has found what was hidden from it. Each [`Bug`] is one small
//! `if planted(…)` at the place where such a mistake would be made. Without the feature `on`, which only the binary
//! `starling-planted` is built with, [`planted`] is `false` at compile time and nothing of them is left. With it, the
//! one bug is at work that the environment variable [`VARIABLE`] names; without the variable, none is.
//!
//! Bugs that would be noticed at once if they struck always strike every so many times instead, counted and not drawn, so
//! that a short run meets them as well as a long one: see [`planted_each`].

/// The environment variable that names the bug to be at work.
pub const VARIABLE: &str = "STARLING_PLANTED_BUG";

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident = $name:literal,)+) => {
        /// Something that goes wrong on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$bug,)+];

            /// Its name in kebab-case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Bug::$bug => $name,)+
                }
            }

            /// What goes wrong.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Bug::$bug => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

bugs! {
    /// Messages are answered 50 ms before their transaction is committed.
    AckBeforeCommit = "ack-before-commit",
    /// The WAL that a killed server leaves is thrown away; it is in the database every 20th group only.
    LostOnKill = "lost-on-kill",
    /// Messages that were committed to the redo log and not flushed to their rooms are forgotten by the start after a kill.
    RedoForgotten = "redo-forgotten",
    /// What is no message is written to a room before the messages that wait to be flushed to it.
    FlushLeftOut = "flush-left-out",
    /// Client ids are not recognised again: a repeat is written a second time.
    DroppedDedup = "dropped-dedup",
    /// Client ids that were used shortly before a kill are forgotten by the start after it.
    DedupForgottenOnRestart = "dedup-forgotten-on-restart",
    /// A member who was removed or has left goes on getting live pushes.
    LateRemoval = "late-removal",
    /// A member who was removed or has left pages through what came after.
    RemovedReadsHistory = "removed-reads-history",
    /// A member who was removed or has left is told the room's head and last message by sync and room.get.
    RemovedSyncsOn = "removed-syncs-on",
    /// Every 10th commit with events reaches sessions after the one that follows it.
    ReorderedFanOut = "reordered-fan-out",
    /// Every 25th event is pushed twice.
    DoubledFanOut = "doubled-fan-out",
    /// Every 25th message is pushed to nobody, and nobody is told to resync.
    LostFanOut = "lost-fan-out",
    /// Every 25th message is pushed with half of its text.
    TornPush = "torn-push",
    /// A cursor that is set to a smaller seq goes back.
    CursorMovedBack = "cursor-moved-back",
    /// Unread counts events of all kinds, not messages.
    WrongUnread = "wrong-unread",
    /// History and sync go on showing the text of a redacted message.
    BodyKeptAfterRedaction = "body-kept-after-redaction",
    /// The bytes of a redacted message are not wiped from the files.
    BodyKeptOnDisk = "body-kept-on-disk",
    /// The access token and the socket of a revoked device go on; only me.get, which reads the device, fails.
    RevokedTokenLives = "revoked-token-lives",
    /// Every 25th command that writes leaves out one seq of its room.
    GapInSeqs = "gap-in-seqs",
    /// Every 3rd sync with rooms in it leaves out the one that changed last.
    SyncSkipsARoom = "sync-skips-a-room",
    /// Every 5th page of history is cut as if the room's last three events had not happened.
    StaleRead = "stale-read",
    /// Every 25th message is refused though it was written.
    RefusedButWritten = "refused-but-written",
    /// Every 25th message is acknowledged with the seq after its own.
    WrongReceipt = "wrong-receipt",
}

impl Bug {
    /// The bug of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

/// Whether this bug is at work.
#[cfg(not(feature = "on"))]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether this bug is at work and strikes this time: it does every `nth` time that it is asked.
#[cfg(not(feature = "on"))]
#[must_use]
pub const fn planted_each(_bug: Bug, _nth: u64) -> bool {
    false
}

#[cfg(feature = "on")]
pub use on::{chosen, planted, planted_each};

/// The switches themselves.
#[cfg(feature = "on")]
mod on {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::{Bug, VARIABLE};

    /// The bug that is at work in this process.
    ///
    /// # Panics
    ///
    /// If the environment names one that does not exist.
    pub fn chosen() -> Option<Bug> {
        static CHOSEN: OnceLock<Option<Bug>> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let name = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty())?;
            Some(Bug::named(&name).unwrap_or_else(|| {
                let names: Vec<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
                panic!("{VARIABLE}: there is no `{name}`; there are {}", names.join(", "))
            }))
        })
    }

    /// Whether this bug is at work.
    pub fn planted(bug: Bug) -> bool {
        chosen() == Some(bug)
    }

    /// Whether this bug is at work and strikes this time: it does every `nth` time that it is asked.
    pub fn planted_each(bug: Bug, nth: u64) -> bool {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        planted(bug) && ASKED.fetch_add(1, Ordering::Relaxed) % nth == nth - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case_and_name_one_bug_each() {
        for bug in Bug::ALL {
            let name = bug.name();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert_eq!(Bug::named(name), Some(*bug), "{name}");
            assert!(bug.words().ends_with('.'), "{name}");
        }
        assert_eq!(Bug::named("none-such"), None);
    }

    #[test]
    fn nothing_is_at_work_unless_it_is_named() {
        for bug in Bug::ALL {
            assert!(!planted(*bug) && !planted_each(*bug, 1), "{}", bug.name());
        }
    }
}
