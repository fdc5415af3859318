//! Filling payloads of one size at one rate: RFC 9347 sections 2.2 and 2.4.1.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use adit_platform::Instant;

use super::HEADER_LEN;
use crate::ip::{IpError, IpPacket};

/// How a [`Sender`] sends.
///
/// ```
/// use adit_esp::iptfs::SenderConfig;
/// use core::time::Duration;
///
/// // 1,400 bytes every 112 µs are 100 Mbit/s.
/// let config = SenderConfig::new(1400, Duration::from_micros(112));
/// assert!(config.fragment);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SenderConfig {
    /// Length of every payload in bytes, 5 to 65,535: [`Outbound::max_payload`](crate::Outbound::max_payload)
    /// of what the path carries.
    pub payload_len: usize,
    /// The time from one payload to the next.
    pub interval: Duration,
    /// Whether inner packets may be cut up to fill payloads. Unless the peer has asked for no fragments
    /// (RFC 9347 section 5.1), they are, and an inner packet may be longer than a payload.
    pub fragment: bool,
    /// The most bytes of inner packets that wait. Twice the longest packet unless changed.
    pub queue: usize,
}

impl SenderConfig {
    /// Fragments, and a queue of 131,070 bytes.
    pub const fn new(payload_len: usize, interval: Duration) -> Self {
        Self { payload_len, interval, fragment: true, queue: 2 * MAX_PACKET_LEN }
    }
}

/// The longest inner packet in bytes: what is left of it must be a block offset.
const MAX_PACKET_LEN: usize = 65_535;

/// Makes AGGFRAG payloads of one size at one rate.
///
/// Give it inner packets by [`Self::push`]; when [`Self::poll_timeout`] says, take a payload by
/// [`Self::poll_payload`] and seal it. All payloads must go into one SA in the order in which they were
/// taken; when that one is replaced, call [`Self::switch_sa`].
///
/// Nothing of an inner packet's DSCP and ECN goes into the outer header: that would be seen (RFC 9347
/// section 2.2.6). Memory is taken once, for the queue.
///
/// An example stands at [the module](super).
pub struct Sender {
    config: SenderConfig,
    /// The bytes of the inner packets that wait, one behind the other, as they will be sent.
    bytes: VecDeque<u8>,
    /// How much of each is left to be sent; only of the first one can it be less than all.
    left: VecDeque<u16>,
    /// The beginning of the first one has been sent.
    is_cut: bool,
    /// When the next payload is due.
    due: Instant,
    stats: SenderStats,
}

/// Counters of a [`Sender`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct SenderStats {
    /// Payloads given out.
    pub payloads: u64,
    /// Those that are nothing but padding.
    pub padding: u64,
    /// Inner packets taken.
    pub packets: u64,
    /// Inner packets refused because the queue was full.
    pub full: u64,
    /// Payloads that were due and not asked for in time.
    pub missed: u64,
}

impl Sender {
    /// A sender whose first payload is due at `start`.
    ///
    /// # Errors
    /// If the payload's length is out of range, or the interval is nothing.
    pub fn new(config: SenderConfig, start: Instant) -> Result<Self, SenderError> {
        if !(HEADER_LEN + 1..=MAX_PACKET_LEN).contains(&config.payload_len) {
            return Err(SenderError::PayloadLength(config.payload_len));
        }
        if config.interval.is_zero() {
            return Err(SenderError::Interval);
        }
        Ok(Self {
            config,
            bytes: VecDeque::with_capacity(config.queue),
            left: VecDeque::with_capacity(config.queue / 20 + 1),
            is_cut: false,
            due: start,
            stats: SenderStats::default(),
        })
    }

    /// Takes the inner IP packet at the front of `packet` to be sent.
    ///
    /// # Errors
    /// If it is no IP packet, is too long, or the queue is full: drop it, as a router does with a link that
    /// is too slow.
    pub fn push(&mut self, packet: &[u8]) -> Result<(), SenderError> {
        let headers = IpPacket::parse(packet).map_err(SenderError::NotIp)?;
        let len = headers.total_len;
        let space = self.config.payload_len - HEADER_LEN;
        let maximum = if self.config.fragment { MAX_PACKET_LEN } else { space };
        let maximum = maximum.min(self.config.queue);
        let left = u16::try_from(len)
            .ok()
            .filter(|_| len <= maximum)
            .ok_or(SenderError::TooLong { len, maximum })?;
        if self.bytes.len() + len > self.config.queue {
            self.stats.full += 1;
            return Err(SenderError::Full { len, free: self.config.queue - self.bytes.len() });
        }
        self.bytes.extend(&packet[..len]);
        self.left.push_back(left);
        self.stats.packets += 1;
        Ok(())
    }

    /// When the next payload is due.
    pub const fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// Writes the next payload to the front of `out`, if one is due, and says how long it is: always
    /// [`SenderConfig::payload_len`].
    ///
    /// Payloads whose time has passed by more than an interval are not made up for: a burst would be seen.
    ///
    /// # Errors
    /// If `out` is too short. Nothing is lost then.
    pub fn poll_payload(
        &mut self,
        now: Instant,
        out: &mut [u8],
    ) -> Result<Option<usize>, SenderError> {
        if now < self.due {
            return Ok(None);
        }
        let (needed, available) = (self.config.payload_len, out.len());
        let out = out.get_mut(..needed).ok_or(SenderError::Buffer { needed, available })?;
        self.due = self.due + self.config.interval;
        if self.due <= now {
            let behind = (now - self.due).as_nanos();
            let missed = behind / self.config.interval.as_nanos() + 1;
            self.stats.missed = self.stats.missed.saturating_add(missed as u64);
            self.due = now + self.config.interval;
        }
        self.fill(out);
        Ok(Some(needed))
    }

    fn fill(&mut self, payload: &mut [u8]) {
        let (header, blocks) = payload.split_at_mut(HEADER_LEN);
        let offset = if self.is_cut { self.left.front().copied().unwrap_or(0) } else { 0 };
        let [high, low] = offset.to_be_bytes();
        header.copy_from_slice(&[super::NON_CONGESTION_CONTROLLED, 0, high, low]);

        let mut used = 0;
        while let Some(left) = self.left.front_mut() {
            let space = blocks.len() - used;
            let fits = usize::from(*left) <= space;
            if space == 0 || !fits && !self.config.fragment {
                break;
            }
            used += usize::from(*left).min(space);
            self.is_cut = !fits;
            if !fits {
                // `space` is less than what is left, and so than 65,536.
                *left -= space as u16;
                break;
            }
            self.left.pop_front();
        }
        let (blocks, padding) = blocks.split_at_mut(used);
        // `used` is what the queue's packets have, and so no more than is in it.
        let (front, back) = self.bytes.as_slices();
        let (first, second) = blocks.split_at_mut(used.min(front.len()));
        first.copy_from_slice(&front[..first.len()]);
        second.copy_from_slice(&back[..second.len()]);
        self.bytes.drain(..used);
        //= RFC 9347 section 6.1.3.3: a pad block begins with a zero and goes on to the end.
        padding.fill(0);
        self.stats.payloads += 1;
        self.stats.padding += u64::from(used == 0);
    }

    /// The payloads after this go into another SA: what is left of a packet whose beginning went into the
    /// one before is dropped, because nobody could put it together.
    pub fn switch_sa(&mut self) {
        if core::mem::take(&mut self.is_cut)
            && let Some(left) = self.left.pop_front()
        {
            self.bytes.drain(..usize::from(left));
        }
    }

    /// Bytes of inner packets that wait.
    pub fn queued(&self) -> usize {
        self.bytes.len()
    }

    /// Counters since the sender was made.
    pub const fn stats(&self) -> SenderStats {
        self.stats
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("config", &self.config)
            .field("queued", &self.bytes.len())
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// A sender cannot be made, or does not take a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SenderError {
    /// A payload of this length in bytes cannot be: 5 to 65,535 can.
    PayloadLength(usize),
    /// The interval between payloads is nothing.
    Interval,
    /// The inner packet is none.
    NotIp(IpError),
    /// The inner packet is longer than a payload, or the queue, can take.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that is possible.
        maximum: usize,
    },
    /// Too much is waiting already.
    Full {
        /// The inner packet's length in bytes.
        len: usize,
        /// Bytes free in the queue.
        free: usize,
    },
    /// The buffer is too short for a payload.
    Buffer {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadLength(len) => write!(f, "AGGFRAG payloads cannot be {len} bytes long"),
            Self::Interval => f.write_str("no time between two payloads"),
            Self::NotIp(error) => write!(f, "no IP packet to send: {error}"),
            Self::TooLong { len, maximum } => {
                write!(f, "inner packet of {len} bytes, at most {maximum} can be sent")
            }
            Self::Full { len, free } => {
                write!(f, "inner packet of {len} bytes, but only {free} are free in the queue")
            }
            Self::Buffer { needed, available } => {
                write!(f, "buffer of {available} bytes for a payload, {needed} needed")
            }
        }
    }
}

impl core::error::Error for SenderError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotIp(error) => Some(error),
            _ => None,
        }
    }
}
