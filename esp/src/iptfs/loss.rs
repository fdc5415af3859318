//! What a receiver measures: the loss event rate of RFC 5348 section 5, as RFC 9347 appendix B has it.

use core::time::Duration;

use adit_platform::Instant;

use super::rate::{MAX_INTERVAL, packets_per_second};

/// Numbers that are remembered, and how far apart two may be to be told apart at all.
const WINDOW: usize = 64;

/// How many loss intervals count, and how much: RFC 5348 section 5.4.
const WEIGHTS: [f64; 8] = [1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2];

/// A packet is lost when so many with higher numbers have come: RFC 5348 section 5.1.
const LATER: u32 = 3;

/// The losses of one direction, over all SAs that carry it one after the other.
#[derive(Debug)]
pub(super) struct LossHistory {
    /// What is added to the numbers of the present SA.
    base: u64,
    /// The highest number so far, 0 for none.
    highest: u64,
    /// Which of the last numbers have come, and when.
    arrivals: [Option<Instant>; WINDOW],
    /// All numbers below this are known to have come or to be lost.
    judged: u64,
    /// The last number that came before `judged`, and when.
    before: Option<(u64, Instant)>,
    /// Where and when the present loss event began.
    event: Option<(u64, Instant)>,
    /// The intervals between loss events, the latest first, and whether they were ended by a CE mark.
    intervals: [(u32, bool); WEIGHTS.len()],
    /// How many of them there are.
    known: usize,
    /// The present interval was begun by a CE mark.
    marked: bool,
    /// Packets since a moment, to know their rate.
    counted: (Option<Instant>, u32),
    /// Packets per second, over the last round trip.
    rate: f64,
}

impl LossHistory {
    pub(super) const fn new() -> Self {
        Self {
            base: 0,
            highest: 0,
            arrivals: [None; WINDOW],
            judged: 1,
            before: None,
            event: None,
            intervals: [(0, false); WEIGHTS.len()],
            known: 0,
            marked: false,
            counted: (None, 0),
            rate: 0.0,
        }
    }

    /// Another SA carries the direction from now on, whose numbers begin with 1.
    pub(super) fn switch_sa(&mut self) {
        // What is missing of the old one may come yet, unseen.
        self.base = self.highest;
        self.judged = self.highest.saturating_add(1);
    }

    /// A packet has come, perhaps with a mark of congestion. True if none with a higher number came before.
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        sequence: u64,
        marked: bool,
        round_trip: Duration,
    ) -> bool {
        let number = self.base.saturating_add(sequence);
        self.count(now, round_trip);
        let is_newest = number > self.highest;
        if is_newest {
            // The numbers between have not come yet, whatever stood in their places.
            let skipped = (number - self.highest - 1).min(WINDOW as u64);
            for at in 1..=skipped {
                *self.arrival_mut(number - at) = None;
            }
            self.highest = number;
        } else if self.highest - number >= WINDOW as u64 {
            return false;
        }
        *self.arrival_mut(number) = Some(now);
        if marked {
            //= RFC 9347 section 3.1: with CE set, the receiver considers that packet as being dropped.
            self.lost(number, now, true, round_trip);
        }
        self.judge(round_trip);
        is_newest
    }

    /// The inverse of the loss event rate, in packets: RFC 5348 section 5.4. 0 without loss.
    pub(super) fn inverse_rate(&self) -> u32 {
        let (Some((start, _)), true) = (self.event, self.known > 0) else { return 0 };
        let open = (self.highest.saturating_sub(start) + 1) as f64;
        let known = self.intervals.iter().take(self.known);
        let closed = known.map(|(len, _)| f64::from(*len));
        let weigh = |lens: &mut dyn Iterator<Item = f64>| -> f64 {
            lens.zip(WEIGHTS).map(|(len, weight)| len * weight).sum()
        };
        let with_open = weigh(&mut core::iter::once(open).chain(closed.clone()).take(self.known));
        let without = weigh(&mut closed.clone());
        let total: f64 = WEIGHTS.iter().take(self.known).sum();
        (with_open.max(without) / total).clamp(1.0, f64::from(u32::MAX)) as u32
    }

    /// Whether the rate has something to do with marks of congestion.
    pub(super) fn is_marked(&self) -> bool {
        self.marked || self.intervals.iter().take(self.known).any(|(_, marked)| *marked)
    }

    fn arrival_mut(&mut self, number: u64) -> &mut Option<Instant> {
        &mut self.arrivals[(number % WINDOW as u64) as usize]
    }

    fn arrival(&self, number: u64) -> Option<Instant> {
        self.arrivals[(number % WINDOW as u64) as usize]
    }

    /// Decides on the numbers of which it is known by now whether they have come.
    fn judge(&mut self, round_trip: Duration) {
        let oldest = self.highest.saturating_sub(WINDOW as u64 - 1);
        if self.judged < oldest {
            // More is missing than is remembered.
            let at = self.before.map_or_else(|| self.arrival(self.highest), |(_, at)| Some(at));
            if let Some(at) = at {
                self.lost(self.judged, at, false, round_trip);
            }
            self.judged = oldest;
        }
        while self.judged <= self.highest {
            let number = self.judged;
            if let Some(at) = self.arrival(number) {
                self.before = Some((number, at));
            } else {
                let mut later = (number.saturating_add(1)..=self.highest)
                    .filter_map(|n| Some((n, self.arrival(n)?)));
                let after = later.next();
                let count = u32::from(after.is_some()) + later.count() as u32;
                let Some((after, came)) = after.filter(|_| count >= LATER) else { return };
                //= RFC 5348 section 5.2: the time of a loss is interpolated.
                let at = match self.before {
                    Some((before, at)) if came > at && after > before => {
                        let share = (number - before) as f64 / (after - before) as f64;
                        at + (came - at).mul_f64(share.clamp(0.0, 1.0))
                    }
                    _ => came,
                };
                self.lost(number, at, false, round_trip);
            }
            // The last number that there is: nothing follows.
            let Some(next) = number.checked_add(1) else { return };
            self.judged = next;
        }
    }

    /// A packet is lost: the beginning of a loss event, unless one began less than a round trip ago.
    fn lost(&mut self, number: u64, at: Instant, marked: bool, round_trip: Duration) {
        let len = match self.event {
            //= RFC 5348 section 5.2
            Some((_, start)) if at <= start + round_trip => return,
            Some((start, _)) => u32::try_from(number.saturating_sub(start)).unwrap_or(u32::MAX),
            None => self.first_interval(number, round_trip),
        };
        self.intervals.rotate_right(1);
        self.intervals[0] = (len.max(1), self.marked);
        self.known = (self.known + 1).min(WEIGHTS.len());
        self.marked = marked;
        self.event = Some((number, at));
    }

    /// The interval before the first loss: such that its rate is that at which packets come. RFC 5348 section
    /// 6.3.1.
    fn first_interval(&self, number: u64, round_trip: Duration) -> u32 {
        if round_trip.is_zero() {
            return u32::try_from(number).unwrap_or(u32::MAX);
        }
        let target = self.rate.max(0.5 / round_trip.as_secs_f64());
        let (mut low, mut high) = (1_u32, MAX_INTERVAL);
        while low < high {
            let middle = low + (high - low) / 2;
            if packets_per_second(middle, round_trip) < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn count(&mut self, now: Instant, round_trip: Duration) {
        let (since, packets) = &mut self.counted;
        let start = *since.get_or_insert(now);
        let elapsed = if now > start { now - start } else { Duration::ZERO };
        if *packets > 0 && elapsed >= round_trip && !elapsed.is_zero() {
            self.rate = f64::from(*packets) / elapsed.as_secs_f64();
            self.counted = (Some(now), 1);
        } else {
            *packets = packets.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    const RTT: Duration = Duration::from_millis(100);

    /// One packet in every ten milliseconds, without those of these numbers.
    fn run(history: &mut LossHistory, numbers: core::ops::Range<u64>, lost: &[u64]) {
        for number in numbers.filter(|number| !lost.contains(number)) {
            history.arrived(at(number * 10), number, false, RTT);
        }
    }

    #[test]
    fn no_loss_is_no_rate() {
        let mut history = LossHistory::new();
        run(&mut history, 1..1000, &[]);
        assert_eq!(history.inverse_rate(), 0);
        // Late and twice, but there.
        for number in [1001, 1000, 1003, 1003, 1002, 1005, 1006, 1004] {
            history.arrived(at(number * 10), number, false, RTT);
        }
        run(&mut history, 1007..1100, &[]);
        assert_eq!(history.inverse_rate(), 0);
    }

    //= RFC 5348 section 5.1: three packets with higher numbers.
    #[test]
    fn a_loss_is_one_when_three_later_ones_have_come() {
        let mut history = LossHistory::new();
        run(&mut history, 1..103, &[100]);
        assert_eq!(history.inverse_rate(), 0);
        run(&mut history, 103..104, &[]);
        assert!(history.inverse_rate() > 0);
    }

    //= RFC 5348 section 5.2: losses within a round trip are one loss event.
    #[test]
    fn losses_of_one_round_trip_are_one_event() {
        let (mut one, mut many) = (LossHistory::new(), LossHistory::new());
        run(&mut one, 1..400, &[200]);
        run(&mut many, 1..400, &[200, 201, 204, 210]);
        assert_eq!(one.inverse_rate(), many.inverse_rate());
        let mut two = LossHistory::new();
        run(&mut two, 1..400, &[200, 212]);
        assert!(two.inverse_rate() < one.inverse_rate());
    }

    //= RFC 5348 section 5.4: the weighted average over eight intervals.
    #[test]
    fn steady_loss_is_its_own_average() {
        let mut history = LossHistory::new();
        let lost: Vec<u64> = (1..60).map(|n| n * 50).collect();
        run(&mut history, 1..2960, &lost);
        assert_eq!(history.inverse_rate(), 50);
        // The open interval counts when it is long: the rate falls without new losses.
        run(&mut history, 2960..4000, &[]);
        // (1051 + 3 * 50 + 50 * (0.8 + 0.6 + 0.4 + 0.2)) / 6
        assert_eq!(history.inverse_rate(), (1050 + 150 + 100) / 6);
    }

    //= RFC 5348 section 6.3.1
    #[test]
    fn the_first_interval_is_that_of_the_rate() {
        let mut history = LossHistory::new();
        run(&mut history, 1..1004, &[1000]);
        let rate = packets_per_second(history.inverse_rate(), RTT);
        // 100 come in a second, and one less in the round trip of the loss.
        assert!((85.0..115.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_new_sa_counts_on() {
        let mut history = LossHistory::new();
        run(&mut history, 1..500, &[]);
        history.switch_sa();
        for number in 1..300 {
            history.arrived(at(5000 + number * 10), number, false, RTT);
        }
        assert_eq!(history.inverse_rate(), 0);
    }

    //= RFC 9347 section 3.1
    #[test]
    fn a_mark_of_congestion_counts_as_loss_and_is_told() {
        let mut history = LossHistory::new();
        run(&mut history, 1..100, &[]);
        assert!(!history.is_marked());
        history.arrived(at(1000), 100, true, RTT);
        run(&mut history, 101..110, &[]);
        assert!(history.is_marked() && history.inverse_rate() > 0);
        // Nine loss events later it is forgotten.
        let lost: Vec<u64> = (2..12).map(|n| n * 100).collect();
        run(&mut history, 110..1200, &lost);
        assert!(!history.is_marked());
    }

    #[test]
    fn numbers_of_any_kind_are_survived() {
        let mut history = LossHistory::new();
        for number in [5, u64::MAX, 1, u64::MAX - 1, 70, u64::MAX - 63, u64::MAX - 64] {
            history.arrived(at(number % 1000), number, number % 2 == 0, RTT);
            history.switch_sa();
            history.arrived(at(number % 7), number, false, Duration::ZERO);
            let _ = history.inverse_rate();
        }
    }
}
