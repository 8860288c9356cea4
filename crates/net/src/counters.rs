//! How many connections there are, and room for one more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Counts of a listener's connections, upgraded ones included.
#[derive(Debug, Default)]
pub struct Counters {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    per_address: Mutex<HashMap<IpAddr, usize>>,
    closed: Notify,
}

/// A connection's place in the counts; dropped with its socket.
#[derive(Debug)]
pub(crate) struct Place {
    counters: Arc<Counters>,
    address: Option<IpAddr>,
}

impl Counters {
    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections taken since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed at once since the start, because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes a place, if there is one. `address` is counted against its own limit if given.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        connections_max: usize,
        per_address_max: usize,
    ) -> Option<Place> {
        if self.open() >= connections_max || !self.take_address(address, per_address_max) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Some(Place { counters: self.clone(), address })
    }

    fn take_address(&self, address: Option<IpAddr>, per_address_max: usize) -> bool {
        let Some(address) = address else { return true };
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= per_address_max {
            return false;
        }
        *count += 1;
        true
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            let mut counts = self.counters.per_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = counts.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&address);
                }
            }
        }
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
        // `notify_one` keeps a permit for a waiter that has just looked.
        self.counters.closed.notify_one();
    }
}
