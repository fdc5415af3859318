//! Time is an argument: [`Instant`] for deadlines, [`UnixTime`] for the dates in certificates.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on the host's monotonic clock, as the time passed since an origin that the host chose.
///
/// Only differences matter; the origin (boot, program start) must stay the same for all values that
/// one endpoint ever sees. Resolution is one nanosecond, the range is more than 500 years.
///
/// ```
/// use adit_platform::Instant;
/// use core::time::Duration;
///
/// let start = Instant::from_origin(Duration::from_secs(10));
/// let deadline = start + Duration::from_millis(500);
/// assert_eq!(deadline - start, Duration::from_millis(500));
/// assert!(deadline > start);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The point `since_origin` after the host's origin.
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The time since the host's origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates at the end of time instead of overflowing.
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

impl Sub for Instant {
    type Output = Duration;
    /// Saturates at zero.
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_duration_since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

/// Wall-clock time in whole seconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Used where a protocol carries dates: certificate validity, CRL and OCSP freshness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The time `secs` seconds after the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// `self` moved later by `by`; fractions of a second are dropped.
    pub const fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Instant::from_origin(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::default() - end, Duration::ZERO);
        let late = UnixTime::from_secs(u64::MAX);
        assert_eq!(late.saturating_add(Duration::from_secs(9)), late);
    }
}
