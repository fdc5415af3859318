//! What a sender makes of it: TCP-friendly rate control, RFC 5348 section 4, as RFC 9347 appendix B has it.

use core::time::Duration;

use adit_platform::Instant;

/// The longest loss interval that makes a difference, in packets.
pub(super) const MAX_INTERVAL: u32 = 100_000_000;

/// Packets in the first round trip, of about 1400 bytes: RFC 5348 section 4.2.
const INITIAL_WINDOW: f64 = 3.0;

/// The least there is: one packet in 64 seconds, t_mbi of RFC 5348 section 4.3.
const LEAST: f64 = 1.0 / 64.0;

/// The rate of one direction.
#[derive(Debug)]
pub(super) struct Rate {
    /// Packets per second.
    allowed: f64,
    /// What the user allows.
    most: f64,
    /// Smoothed time for a packet and its echo.
    path: Option<Duration>,
    /// What the peer said last.
    inverse_loss: u32,
    /// When the rate was reckoned last.
    reckoned: Option<Instant>,
    /// When silence of the peer halves the rate.
    deadline: Instant,
}

impl Rate {
    /// One packet in a second until a round trip is known: RFC 5348 section 4.2.
    pub(super) fn new(now: Instant, shortest_interval: Duration) -> Self {
        let most = 1.0 / shortest_interval.as_secs_f64().max(1e-9);
        let allowed = most.min(1.0);
        let deadline = now + Duration::from_secs(2);
        Self { allowed, most, path: None, inverse_loss: 0, reckoned: None, deadline }
    }

    /// The time between two packets.
    pub(super) fn interval(&self) -> Duration {
        // At least one packet in 64 seconds: the division cannot overflow a duration.
        Duration::from_secs_f64(1.0 / self.allowed.max(LEAST))
    }

    /// The round trip: what a packet and its echo take, or what both ends take between two packets, whichever is
    /// longer (RFC 9347 section 3). None before the first echo.
    pub(super) fn round_trip(&self, peer_interval: Duration) -> Option<Duration> {
        self.path.map(|path| path.max(self.interval().saturating_add(peer_interval)))
    }

    /// The peer has echoed: the time for it, and what it says of loss and of its own interval.
    pub(super) fn feedback(
        &mut self,
        now: Instant,
        path: Duration,
        peer_interval: Duration,
        inverse_loss: u32,
    ) {
        let is_first = self.path.is_none();
        //= RFC 5348 section 4.3: R = q*R + (1-q)*R_sample, with q = 0.9.
        self.path = Some(match self.path {
            Some(smooth) => smooth.mul_f64(0.9).saturating_add(path.mul_f64(0.1)),
            None => path,
        });
        let Some(round_trip) = self.round_trip(peer_interval) else { return };
        let initial = INITIAL_WINDOW / round_trip.as_secs_f64().max(1e-6);
        let is_worse =
            inverse_loss != 0 && (self.inverse_loss == 0 || inverse_loss < self.inverse_loss);
        let is_time = self.reckoned.is_none_or(|last| now >= last + round_trip);
        // What every packet says is considered once in a round trip, but for bad news.
        if is_first || is_time || is_worse {
            let twice = self.allowed * 2.0;
            let next = match inverse_loss {
                0 if is_first => self.allowed.max(initial),
                0 if is_time => twice.max(initial.min(self.most)),
                0 => self.allowed,
                // The receive rate is taken to be that of sending: RFC 9347 appendix B.
                inverse => packets_per_second(inverse, round_trip).min(twice),
            };
            self.allowed = next.max(LEAST).min(self.most.max(LEAST));
            self.reckoned = Some(now);
        }
        self.inverse_loss = inverse_loss;
        self.deadline = now + self.patience(round_trip);
    }

    /// Halves the rate if the peer has been silent for too long: RFC 5348 section 4.4.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            self.allowed = (self.allowed / 2.0).max(LEAST);
            let round_trip = self.path.unwrap_or(Duration::from_millis(500));
            self.deadline = now + self.patience(round_trip);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Four round trips, and time for two packets.
    fn patience(&self, round_trip: Duration) -> Duration {
        round_trip.saturating_mul(4).max(self.interval().saturating_mul(2))
    }
}

/// The rate of a TCP that loses one packet in so many: RFC 9347 appendix B, RFC 5348 section 3.1.
pub(super) fn packets_per_second(inverse_loss: u32, round_trip: Duration) -> f64 {
    let p = 1.0 / f64::from(inverse_loss.max(1));
    let denominator = sqrt(2.0 * p / 3.0) + 12.0 * sqrt(3.0 * p / 8.0) * p * (1.0 + 32.0 * p * p);
    1.0 / (round_trip.as_secs_f64().max(1e-6) * denominator)
}

/// The square root of a number between 1e-10 and 1, which `core` does not have: Newton's method.
fn sqrt(number: f64) -> f64 {
    let mut root = 1.0;
    for _ in 0..32 {
        root = (root + number / root) / 2.0;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn roots() {
        for number in [1e-10, 1e-9, 1e-6, 0.0004, 0.25, 1.0] {
            assert!((sqrt(number) / f64::sqrt(number) - 1.0).abs() < 1e-9, "{number}");
        }
    }

    //= RFC 5348 section 3.1
    #[test]
    fn the_equation() {
        // p = 1 %, R = 100 ms: sqrt(0.02/3) = 0.081650, 12 * sqrt(0.03/8) * 0.01 * 1.0032 = 0.0073721.
        let rate = packets_per_second(100, 100 * MS);
        assert!((rate - 1.0 / (0.1 * 0.089_022)).abs() < 0.02, "{rate}");
        assert!(packets_per_second(1, 100 * MS) < 0.1, "all is lost");
        assert!(packets_per_second(u32::MAX, MS) > 10_000.0);
    }

    //= RFC 5348 sections 4.2 and 4.3
    #[test]
    fn it_starts_slowly_and_doubles_in_a_round_trip() {
        let mut rate = Rate::new(at(0), MS / 10);
        assert_eq!(rate.interval(), 1000 * MS);
        rate.feedback(at(1000), 20 * MS, MS, 0);
        // The round trip is not shorter than what both ends take between two packets.
        assert_eq!(rate.interval().as_millis(), 333);
        let mut now = 1000;
        let mut before = rate.interval();
        for _ in 0..5 {
            now += rate.round_trip(MS).unwrap().as_millis() as u64 + 1;
            rate.feedback(at(now), 20 * MS, MS, 0);
            assert!(rate.interval() <= before / 2 + MS / 1000);
            before = rate.interval();
        }
        for _ in 0..20 {
            now += 50;
            rate.feedback(at(now), 20 * MS, MS, 0);
        }
        assert_eq!(rate.interval(), MS / 10, "not more than allowed");
    }

    #[test]
    fn loss_sets_the_rate_and_silence_halves_it() {
        let mut rate = Rate::new(at(0), MS / 10);
        let mut now = 0;
        for _ in 0..60 {
            now += 100;
            rate.feedback(at(now), 100 * MS, MS / 10, 0);
        }
        // Bad news is heard at once, and good news in a round trip.
        rate.feedback(at(now), 100 * MS, MS / 10, 100);
        let expected = packets_per_second(100, 100 * MS);
        assert!((1.0 / rate.interval().as_secs_f64() / expected - 1.0).abs() < 0.02);
        let slow = rate.interval();
        rate.feedback(at(now + 1), 100 * MS, MS / 10, 10_000);
        assert_eq!(rate.interval(), slow);
        //= RFC 5348 section 4.4
        assert_eq!(rate.deadline(), at(now + 1) + 400 * MS);
        rate.handle_timeout(at(now + 400));
        assert_eq!(rate.interval(), slow);
        rate.handle_timeout(at(now + 401));
        assert_eq!(rate.interval().as_micros() / 10, slow.as_micros() * 2 / 10);
        for n in 1..1000 {
            rate.handle_timeout(at(now) + Duration::from_secs(300 * n));
        }
        assert_eq!(rate.interval(), Duration::from_secs(64));
    }

    #[test]
    fn whatever_the_peer_says_is_survived() {
        let mut rate = Rate::new(at(0), Duration::ZERO);
        let most = Duration::from_secs(1 << 40);
        for (n, path) in [Duration::ZERO, most, MS].into_iter().enumerate() {
            for peer in [Duration::ZERO, most] {
                for loss in [0, 1, u32::MAX] {
                    rate.feedback(at(n as u64), path, peer, loss);
                    let interval = rate.interval();
                    assert!(!interval.is_zero() && interval <= Duration::from_secs(64));
                }
            }
        }
    }
}
