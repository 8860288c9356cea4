//! The machine's monotonic clock, the same in all processes.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::sleep;

const NANOS: i64 = 1_000_000_000;

/// Nanoseconds since the machine was started.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec * NANOS + time.tv_nsec).cast_unsigned()
}

/// Waits until then.
pub async fn wait_until(nanos: u64) {
    sleep(Duration::from_nanos(nanos.saturating_sub(now()))).await;
}
