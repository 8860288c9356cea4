//! How fast frames may come that no rate of requests counts: pings and pongs. Each costs the server a wake-up, and a ping
//! an answer.

use std::time::Duration;

use tokio::time::Instant;

/// Pings and pongs per second, in the long run.
const PINGS_PER_SECOND: u32 = 10;
/// Pings and pongs at once, after a rest.
const PINGS_BURST: u32 = 20;
/// What one takes of the time.
const STEP: Duration = Duration::from_millis(1000 / PINGS_PER_SECOND as u64);

/// A bucket that leaks (GCRA), in one instant: when all that was taken will have leaked out.
pub(super) struct Pace(Instant);

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let empty_at = self.0.max(now) + STEP;
        let fits = empty_at - now <= STEP * PINGS_BURST;
        if fits {
            self.0 = empty_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_so_many_per_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut taken = |after_ms: u64| {
            let now = start + Duration::from_millis(after_ms);
            (0..1000).take_while(|_| pace.take(now)).count()
        };
        assert_eq!(taken(0), PINGS_BURST as usize);
        assert_eq!(taken(99), 0);
        assert_eq!(taken(1000), PINGS_PER_SECOND as usize);
        assert_eq!(taken(60_000), PINGS_BURST as usize);
    }
}
