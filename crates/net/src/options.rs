//! What an operator can set.

use std::time::Duration;

use crate::Network;

/// Limits of a listener.
#[derive(Debug, Clone)]
pub struct NetOptions {
    /// Connections open at the same time; further ones are closed at once.
    pub connections_max: usize,
    /// Connections open at the same time from one address (IPv6: one /64). Trusted proxies are not counted.
    pub connections_per_address_max: usize,
    /// Time for a request's head to arrive, in milliseconds, from its first byte (or from the start of the connection).
    pub header_read_timeout_ms: u64,
    /// Largest head, in bytes.
    pub header_bytes_max: usize,
    /// Most header fields in a head.
    pub headers_max: usize,
    /// Time for a request's body to arrive, in milliseconds.
    pub body_read_timeout_ms: u64,
    /// Time that a connection may stay open without a request, in milliseconds.
    pub keep_alive_idle_ms: u64,
    /// Time that a peer may take none of the bytes written to it, in milliseconds.
    pub write_timeout_ms: u64,
    /// Time that open requests get to finish when the server stops, in milliseconds.
    pub shutdown_deadline_ms: u64,
    /// Proxies whose `X-Forwarded-For` is believed. Empty: nobody's.
    pub trusted_proxies: Vec<Network>,
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 1024,
            header_read_timeout_ms: 10_000,
            header_bytes_max: 16 * 1024,
            headers_max: 100,
            body_read_timeout_ms: 30_000,
            keep_alive_idle_ms: 75_000,
            write_timeout_ms: 30_000,
            shutdown_deadline_ms: 10_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl NetOptions {
    pub(crate) fn header_read_timeout(&self) -> Duration {
        Duration::from_millis(self.header_read_timeout_ms)
    }

    pub(crate) fn body_read_timeout(&self) -> Duration {
        Duration::from_millis(self.body_read_timeout_ms)
    }

    pub(crate) fn keep_alive_idle(&self) -> Duration {
        Duration::from_millis(self.keep_alive_idle_ms)
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    pub(crate) fn shutdown_deadline(&self) -> Duration {
        Duration::from_millis(self.shutdown_deadline_ms)
    }
}
