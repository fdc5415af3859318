//! How much a gateway lets strangers ask of it.

use core::time::Duration;

use adit_platform::Instant;

/// The limits of one gateway.
///
/// The defaults and the customary ranges (1 to 250) are those of the remote-access gateways of the
/// field; an owner whose machine carries more raises them by writing a larger number.
///
/// ```
/// use adit::Limits;
///
/// let limits = Limits { connections: 20_000, ..Limits::default() };
/// assert_eq!(limits.attempts_per_minute, 150);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Established connections at a time, for inner IPv4 and inner IPv6 addresses each. At least 1;
    /// customary 1 to 250, default 75.
    pub connections: u32,
    /// New connections begun in any minute, before anyone is authenticated. At least 1; customary 1 to
    /// 250, default 150.
    pub attempts_per_minute: u32,
    /// Half-open IKE SAs from which on every newcomer must first return a cookie (RFC 7296 section
    /// 2.6). 0 demands one always. Default 10, as strongSwan has it.
    pub cookie_threshold: usize,
    /// Half-open IKE SAs from one address beyond which its newcomers are ignored. Default 5, as
    /// strongSwan has it.
    pub half_open_per_address: usize,
    /// Half-open IKE SAs in all beyond which newcomers are ignored. Default 1000.
    pub half_open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 75,
            attempts_per_minute: 150,
            cookie_threshold: 10,
            half_open_per_address: 5,
            half_open: 1000,
        }
    }
}

/// A token bucket: `per_minute` attempts may come at once, and as many flow in again in a minute.
#[derive(Debug)]
pub(crate) struct AttemptRate {
    per_minute: u32,
    /// What is left, in attempts times nanoseconds of a minute, so that nothing is lost to rounding.
    tokens: u128,
    updated: Instant,
}

impl AttemptRate {
    /// One attempt in the unit of `tokens`.
    const ATTEMPT: u128 = Duration::from_secs(60).as_nanos();

    pub(crate) fn new(per_minute: u32, now: Instant) -> Self {
        let per_minute = per_minute.max(1);
        Self { per_minute, tokens: Self::ATTEMPT * u128::from(per_minute), updated: now }
    }

    /// Takes one attempt out of the bucket; false if it is empty.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full = Self::ATTEMPT * u128::from(self.per_minute);
        let inflow = (now - self.updated).as_nanos().saturating_mul(u128::from(self.per_minute));
        self.tokens = self.tokens.saturating_add(inflow).min(full);
        self.updated = self.updated.max(now);
        match self.tokens.checked_sub(Self::ATTEMPT) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn a_burst_then_one_each_interval() {
        let mut rate = AttemptRate::new(150, at(0));
        assert_eq!((0..1000).filter(|_| rate.take(at(0))).count(), 150);
        // 150 a minute is one each 400 ms.
        assert!(!rate.take(at(399)));
        assert!(rate.take(at(400)));
        assert!(!rate.take(at(401)));
    }

    #[test]
    fn never_more_than_a_minute_is_saved_up() {
        let mut rate = AttemptRate::new(2, at(0));
        assert_eq!((0..9).filter(|_| rate.take(at(3_600_000))).count(), 2);
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_nothing() {
        let mut rate = AttemptRate::new(1, at(1000));
        assert!(rate.take(at(1000)));
        assert!(!rate.take(at(0)));
        assert!(!rate.take(at(60_999)));
        assert!(rate.take(at(61_000)));
    }
}
