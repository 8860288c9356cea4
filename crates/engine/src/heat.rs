//! How much is told in a room: a hot one gathers for a moment what it tells, so that each session is woken, and written to,
//! once for several deliveries.

use std::time::Duration;

use tokio::time::Instant;

/// How long is counted before it is judged.
const WINDOW: Duration = Duration::from_secs(1);

/// The deliveries of a room, counted.
#[derive(Debug)]
pub(crate) struct Heat {
    since: Instant,
    told: u64,
    hot: bool,
}

impl Heat {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, told: 0, hot: false }
    }

    /// Counts what is told to so many; says whether the room is hot: in the last full window it told more than so many per
    /// second.
    pub(crate) fn tell(&mut self, people: usize, now: Instant, hot_per_second: u64) -> bool {
        let counted = now - self.since;
        if counted >= WINDOW {
            self.hot = self.told as f64 / counted.as_secs_f64() > hot_per_second as f64;
            (self.since, self.told) = (now, 0);
        }
        self.told += people as u64;
        self.hot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_hot_by_its_last_second() {
        let start = Instant::now();
        let mut heat = Heat::new(start);
        let mut tell = |after_ms: u64, people| heat.tell(people, start + Duration::from_millis(after_ms), 1000);
        assert!(!tell(0, 600) && !tell(500, 600));
        // 1,200 in the first second.
        assert!(tell(1000, 10) && tell(1999, 10));
        // 20 in the second.
        assert!(!tell(2000, 2000));
        // 2,000 in ten seconds.
        assert!(!tell(12_000, 1));
    }
}
