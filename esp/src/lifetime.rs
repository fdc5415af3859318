//! When an SA is to be replaced and when it stops working: RFC 4301 section 4.4.2.1.

/// Limits in bytes and packets. Limits in time are kept by the [`Sad`](crate::sad::Sad), which is told
/// what time it is.
///
/// The soft limit asks for a new SA by an event; at the hard one the SA stops. Bytes are those of
/// payloads, before ESP adds its own.
///
/// ```
/// use adit_esp::lifetime::{Lifetime, Limit};
///
/// let lifetime = Lifetime { bytes: Limit { soft: 900 << 30, hard: 1 << 40 }, ..Lifetime::UNLIMITED };
/// assert!(lifetime.packets.soft > 1 << 60);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// In bytes of payload.
    pub bytes: Limit,
    /// In packets.
    pub packets: Limit,
}

/// A soft and a hard limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// From here on, a new SA is asked for.
    pub soft: u64,
    /// The last amount that is still carried.
    pub hard: u64,
}

impl Limit {
    /// No limit that an SA could reach.
    pub const NONE: Self = Self { soft: u64::MAX, hard: u64::MAX };
}

impl Lifetime {
    /// No limit but that of the sequence numbers.
    pub const UNLIMITED: Self = Self { bytes: Limit::NONE, packets: Limit::NONE };
}

/// What happened to an SA's lifetime. Each is reported once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LifetimeEvent {
    /// A soft limit was reached: negotiate a new SA. Also reported when seven eighths of the sequence
    /// numbers are used.
    Soft,
    /// A hard limit was reached: the SA carries nothing more.
    Hard,
}

/// What an SA has carried, against what it may.
///
/// What each packet changes comes first, and in this order.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Meter {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    reported: Option<LifetimeEvent>,
    pending: Option<LifetimeEvent>,
    /// The next pair of amounts at which something is to be reported.
    next_bytes: u64,
    next_packets: u64,
    limits: Lifetime,
}

impl Meter {
    /// A meter for an SA with this many sequence numbers to use.
    pub(crate) fn new(limits: Lifetime, sequence_numbers: u64) -> Self {
        let mut meter = Self {
            bytes: 0,
            packets: 0,
            limits,
            next_bytes: limits.bytes.soft.min(limits.bytes.hard),
            next_packets: limits.packets.soft.min(limits.packets.hard),
            reported: None,
            pending: None,
        };
        meter.limit_sequence_numbers(sequence_numbers);
        meter
    }

    /// Has a new SA asked for before the last of this many sequence numbers is used.
    pub(crate) fn limit_sequence_numbers(&mut self, left: u64) {
        self.next_packets = self.next_packets.min((left - left / 8).max(1));
    }

    /// True if `bytes` more in one packet would pass a hard limit.
    #[inline]
    pub(crate) fn would_exceed(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes as u64) > self.limits.bytes.hard || self.is_over()
    }

    /// True if not even an empty packet may follow. [`Self::count`] saw to the bytes.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.packets >= self.limits.packets.hard
    }

    /// Counts a packet of `bytes`.
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        // No SA lives to see 2^64 packets.
        self.packets = self.packets.wrapping_add(1);
        if (self.bytes >= self.next_bytes) | (self.packets >= self.next_packets) {
            self.report();
        }
    }

    /// True if so many more packets and bytes leave nothing to be reported.
    #[inline]
    pub(crate) fn has_room(&self, packets: u64, bytes: u64) -> bool {
        !self.is_over()
            && self.packets.saturating_add(packets) < self.next_packets
            && self.bytes.saturating_add(bytes) < self.next_bytes
    }

    /// Counts packets for which there is room.
    #[inline]
    pub(crate) fn count_all(&mut self, packets: u64, bytes: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Stops the SA: a packet did not fit any more, or its time is over.
    #[cold]
    pub(crate) fn expire(&mut self) {
        if self.reported != Some(LifetimeEvent::Hard) {
            self.reported = Some(LifetimeEvent::Hard);
            self.pending = Some(LifetimeEvent::Hard);
            self.limits.packets.hard = 0;
        }
    }

    /// Asks for a new SA, as if a soft limit had been reached.
    #[cold]
    pub(crate) fn soften(&mut self) {
        if self.reported.is_none() {
            self.reported = Some(LifetimeEvent::Soft);
            self.pending = Some(LifetimeEvent::Soft);
        }
    }

    #[cold]
    fn report(&mut self) {
        self.next_bytes = self.limits.bytes.hard;
        self.next_packets = self.limits.packets.hard;
        if self.bytes >= self.limits.bytes.hard || self.packets >= self.limits.packets.hard {
            self.next_bytes = u64::MAX;
            self.next_packets = u64::MAX;
            self.expire();
        } else {
            self.soften();
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<LifetimeEvent> {
        self.pending.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 4301 section 4.4.2.1
    #[test]
    fn soft_comes_before_hard_and_each_once() {
        let packets = Limit { soft: 2, hard: 4 };
        let mut meter = Meter::new(Lifetime { packets, ..Lifetime::UNLIMITED }, u64::MAX);
        let mut events = [None; 4];
        for event in &mut events {
            assert!(!meter.would_exceed(1));
            meter.count(1);
            *event = meter.poll_event();
        }
        assert_eq!(events, [None, Some(LifetimeEvent::Soft), None, Some(LifetimeEvent::Hard)]);
        assert!(meter.would_exceed(0));
    }

    #[test]
    fn bytes_count_too() {
        let bytes = Limit { soft: 1000, hard: 1500 };
        let mut meter = Meter::new(Lifetime { bytes, ..Lifetime::UNLIMITED }, u64::MAX);
        meter.count(999);
        assert_eq!(meter.poll_event(), None);
        meter.count(1);
        assert_eq!(meter.poll_event(), Some(LifetimeEvent::Soft));
        assert!(!meter.would_exceed(500));
        assert!(meter.would_exceed(501));
    }

    #[test]
    fn running_out_of_sequence_numbers_asks_for_a_new_sa_in_time() {
        let mut meter = Meter::new(Lifetime::UNLIMITED, 80);
        for _ in 0..69 {
            meter.count(0);
        }
        assert_eq!(meter.poll_event(), None);
        meter.count(0);
        assert_eq!(meter.poll_event(), Some(LifetimeEvent::Soft));
    }
}
