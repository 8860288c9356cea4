//! Budgets per client address, for what costs the server something before anybody has signed in.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::ClientAddress;
use crate::address::group;

/// Addresses that are at rest are forgotten once in this many checks.
const CHECKS_PER_SWEEP: u32 = 1024;

/// So many tries per minute for each client address (IPv6: each /64).
pub struct Budget {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("addresses", &self.limiter.len()).finish()
    }
}

impl Budget {
    /// A budget of so many tries per minute, all of which may come at once.
    pub fn per_minute(tries: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::keyed(Quota::per_minute(tries)),
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    /// Takes one try, or says how long to wait for the next.
    pub fn take(&self, client: ClientAddress) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_PER_SWEEP == CHECKS_PER_SWEEP - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&group(client.0)).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_budget() {
        let budget = Budget::per_minute(NonZeroU32::new(3).unwrap());
        let take = |address: &str| budget.take(ClientAddress(address.parse().unwrap()));
        for _ in 0..3 {
            assert_eq!(take("1.2.3.4"), Ok(()));
        }
        let wait = take("1.2.3.4").unwrap_err();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(take("1.2.3.5"), Ok(()));
        for host in 1..=3 {
            assert_eq!(take(&format!("2001:db8::{host}")), Ok(()));
        }
        assert!(take("2001:db8::4").is_err(), "one /64 is one client");
        assert_eq!(take("2001:db8:0:1::4"), Ok(()));
    }
}
