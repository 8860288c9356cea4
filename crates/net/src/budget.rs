//! Budgets per client address, for what costs the server something before anybody has signed in.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::ClientAddress;
use crate::address::group;

/// Addresses that are at rest are forgotten once in this many checks.
const CHECKS_PER_SWEEP: u32 = 1024;

type Limiter = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// So many tries in a time for each client address (IPv6: each /64).
pub struct Budget {
    limiter: Limiter,
    quota: Quota,
    checks: AtomicU32,
}

/// What an address may still try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Tries at once after a rest.
    pub limit: u32,
    /// Tries left of it now.
    pub remaining: u32,
    /// When all of it is there again.
    pub reset: Duration,
    /// How long to wait for the next, if this try was refused.
    pub refused: Option<Duration>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("addresses", &self.limiter.len()).finish()
    }
}

impl Budget {
    /// A budget of so many tries per minute, all of which may come at once.
    pub fn per_minute(tries: NonZeroU32) -> Self {
        Self::of(Quota::per_minute(tries))
    }

    /// A budget of so many tries per second, and of `burst` at once after a rest.
    pub fn per_second(tries: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::of(Quota::per_second(tries).allow_burst(burst))
    }

    fn of(quota: Quota) -> Self {
        let limiter = RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Self { limiter, quota, checks: AtomicU32::new(0) }
    }

    /// Takes one try, if there is one, and says what is left.
    pub fn take(&self, client: ClientAddress) -> Left {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_PER_SWEEP == CHECKS_PER_SWEEP - 1 {
            self.limiter.retain_recent();
        }
        let (remaining, refused) = match self.limiter.check_key(&group(client.0)) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(self.limiter.clock().now()))),
        };
        let limit = self.quota.burst_size().get();
        let reset = self.quota.replenish_interval() * limit.saturating_sub(remaining);
        Left { limit, remaining, reset, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn each_address_has_its_own_budget() {
        let budget = Budget::per_minute(count(3));
        let take = |address: &str| budget.take(ClientAddress(address.parse().unwrap()));
        for remaining in (0..3).rev() {
            let left = take("1.2.3.4");
            assert_eq!((left.limit, left.remaining, left.refused), (3, remaining, None));
            assert_eq!(left.reset, Duration::from_secs(20) * (3 - remaining));
        }
        let wait = take("1.2.3.4").refused.unwrap();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(take("1.2.3.5").refused, None);
        for host in 1..=3 {
            assert_eq!(take(&format!("2001:db8::{host}")).refused, None);
        }
        assert!(take("2001:db8::4").refused.is_some(), "one /64 is one client");
        assert_eq!(take("2001:db8:0:1::4").refused, None);
    }

    #[test]
    fn a_burst_may_be_larger_than_a_second() {
        let budget = Budget::per_second(count(1), count(4));
        let take = || budget.take(ClientAddress([1, 2, 3, 4].into()));
        assert_eq!((0..4).map(|_| take().remaining).collect::<Vec<_>>(), [3, 2, 1, 0]);
        assert!(take().refused.is_some_and(|wait| wait <= Duration::from_secs(1)));
    }
}
