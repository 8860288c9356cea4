//! The counters of WebSockets, looked up once: they count every frame.

use std::sync::LazyLock;

use metrics::{Counter, Gauge, counter, gauge};

pub(super) struct Meters {
    connections: Gauge,
    pub(super) frames: Counter,
    pub(super) frames_written: Counter,
    pub(super) deliveries: Counter,
    pub(super) resyncs: Counter,
}

/// Made by the first connection, when the recorder is there.
pub(super) static METERS: LazyLock<Meters> = LazyLock::new(|| Meters {
    connections: gauge!("starling_ws_connections"),
    frames: counter!("starling_ws_frames_total"),
    frames_written: counter!("starling_ws_frames_written_total"),
    deliveries: counter!("starling_ws_deliveries_total"),
    resyncs: counter!("starling_ws_resyncs_total"),
});

/// A connection in the gauge, however it ends.
pub(super) struct Counted;

impl Counted {
    pub(super) fn new() -> Self {
        METERS.connections.increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METERS.connections.decrement(1.0);
    }
}
