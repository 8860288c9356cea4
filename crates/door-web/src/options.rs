//! What an operator can set, and the limits of the wire.

use std::num::NonZeroU32;

/// Options of the door.
#[derive(Debug, Clone)]
pub struct DoorOptions {
    /// Origins (`https://chat.example.com`) whose pages may call besides the server's own. Empty: none. Behind a proxy that
    /// changes the `Host` header, the public origin belongs here, too: the server can't know it.
    pub allowed_origins: Vec<String>,
    /// Registrations and logins that one client address may try per minute.
    pub sign_ins_per_minute: NonZeroU32,
    /// Token refreshes that one client address may ask for per minute: many people share an office's address.
    pub refreshes_per_minute: NonZeroU32,
    /// Requests without a token that one client address may make per second: about the server, its health, its documents,
    /// the files of the web client. At once after a rest: those of five seconds.
    pub open_requests_per_second: NonZeroU32,
    /// Largest REST body, in bytes.
    pub body_bytes_max: usize,
    /// Largest WebSocket frame, in bytes.
    pub frame_bytes_max: usize,
    /// Time for a WebSocket to send `connect`, in milliseconds.
    pub connect_timeout_ms: u64,
    /// A WebSocket that was silent for this long is pinged, in milliseconds.
    pub ping_interval_ms: u32,
    /// A WebSocket that was silent for this long is closed, in milliseconds.
    pub silence_timeout_ms: u64,
    /// Time that a WebSocket's peer may take none of the bytes written to it, in milliseconds.
    pub write_timeout_ms: u64,
    /// Time that requests in flight get when a WebSocket is drained, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Requests of one WebSocket at the same time; while there are as many, nothing more is read from it.
    pub requests_in_flight_max: usize,
    /// Frames that are not requests before a WebSocket is closed.
    pub malformed_frames_max: u32,
    /// Requests refused in a row for their rate before a WebSocket is closed.
    pub refused_requests_max: u32,
}

impl Default for DoorOptions {
    fn default() -> Self {
        const fn count(n: u32) -> NonZeroU32 {
            NonZeroU32::new(n).expect("not zero")
        }
        Self {
            allowed_origins: Vec::new(),
            sign_ins_per_minute: const { count(20) },
            refreshes_per_minute: const { count(240) },
            open_requests_per_second: const { count(100) },
            body_bytes_max: 256 * 1024,
            frame_bytes_max: 64 * 1024,
            connect_timeout_ms: 10_000,
            ping_interval_ms: 30_000,
            silence_timeout_ms: 75_000,
            write_timeout_ms: 20_000,
            drain_timeout_ms: 5000,
            requests_in_flight_max: 32,
            malformed_frames_max: 10,
            refused_requests_max: 200,
        }
    }
}
