//! Lines of the log that come seldom, whatever happens.
//!
//! When the disk is full, every command fails, and a line for each would fill the log: perhaps on the same disk, and with
//! nothing that the first one didn't say. A place in the code that may fail that often has a [`Seldom`] beside it, asks
//! it before it writes, and says with the next line how many were left out.
//!
//! ```
//! use seldom::Seldom;
//!
//! static FAILED: Seldom = Seldom::new();
//! if let Some(left_out) = FAILED.due() {
//!     // tracing::error!(%error, left_out, "a group could not be written");
//!     assert_eq!(left_out, 0);
//! }
//! assert_eq!(FAILED.due(), None);
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of one place.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Lets a line through if there was none in the last [`INTERVAL`], and counts those between.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// For a `static`: the first line is due at once.
    pub const fn new() -> Self {
        Self(Mutex::new(Lines { last: None, left_out: 0 }))
    }

    /// Whether a line is to be written now; if so, how many were left out since the one before.
    pub fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    /// The same at a given moment.
    pub fn due_at(&self, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            lines.left_out += 1;
            return None;
        }
        lines.last = Some(now);
        Some(std::mem::take(&mut lines.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of lines at these moments, in milliseconds.
    fn check(lines: &[(u64, Option<u64>)]) {
        let (seldom, start) = (Seldom::new(), Instant::now());
        for (at, expect) in lines {
            assert_eq!(seldom.due_at(start + Duration::from_millis(*at)), *expect, "at {at} of {lines:?}");
        }
    }

    #[test]
    fn one_line_a_second_says_how_many_were_left_out() {
        check(&[(0, Some(0)), (1_000, Some(0)), (60_000, Some(0))]);
        check(&[(0, Some(0)), (0, None), (999, None), (1_000, Some(2)), (1_001, None), (9_000, Some(1))]);
        // Another thread may have taken its time earlier.
        check(&[(500, Some(0)), (0, None), (1_500, Some(1))]);
    }
}
