//! Rate limits: a token bucket (GCRA) for each user, and a narrow one for each account's password.

use std::num::NonZeroU32;

use domain::{AppId, UserId};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::EngineError;

type Key = (AppId, UserId);
type Limiter = RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// What a user may still ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests at once after a rest.
    pub limit: u32,
    /// Requests left of it now.
    pub remaining: u32,
    /// When all of it is there again, in milliseconds.
    pub reset_ms: u64,
}

/// Limits by user.
pub(crate) struct RateLimits {
    requests: Limiter,
    passwords: Limiter,
    per_second: u32,
    burst: u32,
}

impl RateLimits {
    pub(crate) fn new(per_second: u32, burst: u32, passwords_per_minute: u32) -> Self {
        let (per_second, burst) = (at_least_one(per_second), at_least_one(burst));
        let passwords = at_least_one(passwords_per_minute);
        Self {
            requests: limiter(Quota::per_second(per_second).allow_burst(burst)),
            passwords: limiter(Quota::per_minute(passwords)),
            per_second: per_second.get(),
            burst: burst.get(),
        }
    }

    /// Takes one request of the user's.
    pub(crate) fn request(&self, app: &AppId, user: &UserId) -> Result<Allowance, EngineError> {
        let remaining = take(&self.requests, app, user)?;
        let reset_ms = u64::from(self.burst - remaining) * 1000 / u64::from(self.per_second);
        Ok(Allowance { limit: self.burst, remaining, reset_ms })
    }

    /// Takes what an unusually large request costs beyond the first, in requests. More than the whole allowance is never
    /// asked for.
    pub(crate) fn surcharge(&self, app: &AppId, user: &UserId, requests: u32) -> Result<(), EngineError> {
        let Some(requests) = NonZeroU32::new(requests.min(self.burst)) else { return Ok(()) };
        match self.requests.check_key_n(&(app.clone(), user.clone()), requests) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(not_until)) => Err(refused(&self.requests, &not_until)),
            Err(_) => Err(EngineError::RateLimited { retry_after_ms: 1000 }),
        }
    }

    /// Takes one password attempt on the account.
    pub(crate) fn password(&self, app: &AppId, user: &UserId) -> Result<(), EngineError> {
        take(&self.passwords, app, user).map(|_| ())
    }

    /// Forgets users who have their whole allowance again, so that memory follows the active ones.
    pub(crate) fn forget_rested(&self) {
        self.requests.retain_recent();
        self.passwords.retain_recent();
    }
}

fn at_least_one(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}

fn limiter(quota: Quota) -> Limiter {
    RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>()
}

fn take(limiter: &Limiter, app: &AppId, user: &UserId) -> Result<u32, EngineError> {
    match limiter.check_key(&(app.clone(), user.clone())) {
        Ok(snapshot) => Ok(snapshot.remaining_burst_capacity()),
        Err(not_until) => Err(refused(limiter, &not_until)),
    }
}

fn refused(limiter: &Limiter, not_until: &governor::NotUntil<governor::clock::QuantaInstant>) -> EngineError {
    let wait = not_until.wait_time_from(limiter.clock().now());
    let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    EngineError::RateLimited { retry_after_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_refused() {
        let limits = RateLimits::new(1, 3, 1);
        let (app, ann, bob) = (AppId::new("a").unwrap(), UserId::new("ann").unwrap(), UserId::new("bob").unwrap());
        let remaining: Vec<_> = (0..3).map(|_| limits.request(&app, &ann).unwrap().remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let Err(EngineError::RateLimited { retry_after_ms }) = limits.request(&app, &ann) else { panic!("refused") };
        assert!((1..=1000).contains(&retry_after_ms));
        assert!(limits.request(&app, &bob).is_ok());
        assert!(limits.surcharge(&app, &bob, 0).is_ok());
        assert!(limits.surcharge(&app, &bob, 2).is_ok());
        assert!(limits.surcharge(&app, &bob, 100).is_err());
        limits.forget_rested();
    }
}
