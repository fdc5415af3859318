//! What the operating system brings: its clocks and its random source.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adit_platform::rng::{Rng, RngError};
use adit_platform::{Instant, UnixTime};

/// The system's monotonic clock, counted from the moment that this value was made.
///
/// ```
/// let clock = adit::tokio::Clock::start();
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    /// Starts counting now.
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }

    /// The time since the start.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "the driver is the host that reads the clock")]
    pub fn unix(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixTime::from_secs(since.as_secs())
    }

    /// The moment of `deadline` on tokio's clock.
    pub(super) fn to_tokio(self, deadline: Instant) -> tokio::time::Instant {
        // A deadline beyond tokio's range is as good as a day from now: the loop looks again then.
        let origin = self.origin;
        origin
            .checked_add(deadline.since_origin())
            .unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(86_400))
    }
}

/// The operating system's random source.
///
/// ```
/// use adit_platform::Rng;
///
/// let mut seed = [0; 32];
/// adit::tokio::SystemRng.fill(&mut seed)?;
/// # Ok::<(), adit_platform::rng::RngError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}
