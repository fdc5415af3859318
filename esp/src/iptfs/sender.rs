//! Filling payloads, at one rate or as there is something to send: RFC 9347 sections 2.2 and 2.4.1.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use adit_platform::Instant;

use super::{CONGESTION_HEADER_LEN, Congestion, HEADER_LEN};
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
    /// Length of a payload in bytes, 5 to 65,535, with congestion information 25 at the least: [`Outbound::max_payload`](crate::Outbound::max_payload)
    /// of what the path carries. Every payload has it at a constant rate, and none has more on demand.
    pub payload_len: usize,
    /// When payloads are sent.
    pub pace: Pace,
    /// Whether inner packets may be cut up to fill payloads. Unless the peer has asked for no fragments
    /// (RFC 9347 section 5.1), they are, and an inner packet may be longer than a payload.
    pub fragment: bool,
    /// At a constant rate, how many payloads that nobody asked for in their time are made up for at once. For
    /// hosts whose timer is coarser than the rate; more of them are never made up for, lest a host that is busy
    /// with inner packets show by bursts that it was. 0 unless changed.
    pub catch_up: u16,
    /// Whether every payload has the header with congestion information, which [`Sender::set_congestion`] fills.
    /// False unless changed.
    pub congestion: bool,
    /// The most bytes of inner packets that wait. Twice the longest packet unless changed.
    pub queue: usize,
}

/// When a [`Sender`] sends.
///
/// ```
/// use adit_esp::iptfs::{Pace, SenderConfig};
/// use core::time::Duration;
///
/// let config = SenderConfig::on_demand(1400, Duration::from_millis(1));
/// assert_eq!(config.pace, Pace::OnDemand { patience: Duration::from_millis(1) });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// One payload in every interval, filled with padding where there is nothing to send: IP-TFS. Nobody
    /// outside sees what goes on inside. RFC 9347 section 2.4.1 allows it only where the whole path is under
    /// the user's control, because it does not give way to others.
    Constant {
        /// The time from one payload to the next.
        interval: Duration,
    },
    /// As soon as a payload can be filled, or a packet has waited so long, without padding. It saves
    /// overhead and hides nothing; RFC 9347 section 2.1 leaves such uses open.
    OnDemand {
        /// How long a packet may wait for others to share its payload; zero for not at all.
        patience: Duration,
    },
}

impl SenderConfig {
    /// One payload in every interval, fragments, and a queue of 131,070 bytes.
    pub const fn new(payload_len: usize, interval: Duration) -> Self {
        Self {
            payload_len,
            pace: Pace::Constant { interval },
            fragment: true,
            catch_up: 0,
            congestion: false,
            queue: 2 * MAX_PACKET_LEN,
        }
    }

    /// Bytes in front of the data blocks.
    const fn header_len(&self) -> usize {
        if self.congestion { CONGESTION_HEADER_LEN } else { HEADER_LEN }
    }

    /// The same, with payloads that are sent when there is something to send: [`Pace::OnDemand`].
    pub const fn on_demand(payload_len: usize, patience: Duration) -> Self {
        Self { pace: Pace::OnDemand { patience }, ..Self::new(payload_len, patience) }
    }
}

/// The longest inner packet in bytes: what is left of it must be a block offset.
const MAX_PACKET_LEN: usize = 65_535;

/// Makes AGGFRAG payloads, at one rate or on demand.
///
/// Give it inner packets by [`Self::push`]; when [`Self::poll_timeout`] says, take a payload by
/// [`Self::poll_payload`] and seal it. All payloads must go into one SA, in the order in which they were
/// taken and with no other packet between them, so that their sequence numbers are consecutive (RFC 9347
/// section 2.2.3); when that SA is replaced, call [`Self::switch_sa`].
///
/// The outer header takes nothing from inner packets, of which there are several: DF is never mapped, DSCP
/// should not be copied, and ECN is Not-ECT (RFC 9347 sections 2.2.5 and 3.1). Memory is taken once, for the
/// queue.
///
/// An example stands at [the module](super).
pub struct Sender {
    config: SenderConfig,
    /// The inner packets that wait, one behind the other, as they will be sent.
    bytes: VecDeque<u8>,
    /// The length of each.
    lens: VecDeque<u16>,
    /// How many bytes of the first one have been sent, less than all.
    sent: usize,
    /// When the next payload is due; never, if only a packet can be the cause of one.
    due: Option<Instant>,
    /// What payloads say of congestion.
    congestion: Congestion,
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
    /// Payloads that were due, not asked for in time, and not made up for.
    pub missed: u64,
}

impl Sender {
    /// A sender whose first payload is due at `start`, or on demand.
    ///
    /// # Errors
    /// If the payload's length is out of range, or the interval is nothing.
    pub fn new(config: SenderConfig, start: Instant) -> Result<Self, SenderError> {
        if !(config.header_len() + 1..=MAX_PACKET_LEN).contains(&config.payload_len) {
            return Err(SenderError::PayloadLength(config.payload_len));
        }
        let due = match config.pace {
            Pace::Constant { interval } if interval.is_zero() => return Err(SenderError::Interval),
            Pace::Constant { .. } => Some(start),
            Pace::OnDemand { .. } => None,
        };
        Ok(Self {
            config,
            bytes: VecDeque::with_capacity(config.queue),
            lens: VecDeque::with_capacity(config.queue / 20 + 1),
            sent: 0,
            due,
            congestion: Congestion::default(),
            stats: SenderStats::default(),
        })
    }

    /// Takes the inner IP packet at the front of `packet` to be sent.
    ///
    /// # Errors
    /// If it is no IP packet, is too long, or the queue is full: drop it, as a router does with a link that
    /// is too slow. Without fragments, one that is too long is treated like one that is longer than a
    /// tunnel's MTU (RFC 9347 section 2.2.6).
    pub fn push(&mut self, now: Instant, packet: &[u8]) -> Result<(), SenderError> {
        let headers = IpPacket::parse(packet).map_err(SenderError::NotIp)?;
        let len = headers.total_len;
        let maximum = if self.config.fragment { MAX_PACKET_LEN } else { self.space() };
        let maximum = maximum.min(self.config.queue);
        let short = u16::try_from(len).ok().filter(|_| len <= maximum);
        let short = short.ok_or(SenderError::TooLong { len, maximum })?;
        if self.bytes.len() + len > self.config.queue {
            self.stats.full += 1;
            return Err(SenderError::Full { len, free: self.config.queue - self.bytes.len() });
        }
        self.bytes.extend(&packet[..len]);
        self.lens.push_back(short);
        self.stats.packets += 1;
        if let Pace::OnDemand { patience } = self.config.pace {
            let due = if self.fills_a_payload() { now } else { now + patience };
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        }
        Ok(())
    }

    /// What payloads say from now on, if they have a header for it ([`SenderConfig::congestion`]).
    pub const fn set_congestion(&mut self, congestion: Congestion) {
        self.congestion = congestion;
    }

    /// The time from one payload to the next from now on; none if it is zero or there is no constant rate. One that
    /// is due later than that comes earlier.
    pub fn set_interval(&mut self, now: Instant, interval: Duration) {
        if let Pace::Constant { interval: before } = &mut self.config.pace
            && !interval.is_zero()
        {
            *before = interval;
            self.due = self.due.map(|due| due.min(now + interval));
        }
    }

    /// When the next payload is due; `None` if that depends on packets to come.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Writes the next payload to the front of `out`, if one is due, and says how long it is: at a constant
    /// rate always [`SenderConfig::payload_len`], on demand not more than that.
    ///
    /// At a constant rate, payloads whose time has passed by more than an interval are made up for as far as
    /// [`SenderConfig::catch_up`] says.
    ///
    /// # Errors
    /// If `out` is too short. Nothing is lost then.
    pub fn poll_payload(
        &mut self,
        now: Instant,
        out: &mut [u8],
    ) -> Result<Option<usize>, SenderError> {
        let Some(due) = self.due.filter(|due| now >= *due) else { return Ok(None) };
        let needed = match self.config.pace {
            Pace::Constant { .. } => self.config.payload_len,
            Pace::OnDemand { .. } => self.config.header_len() + self.next_blocks_len(),
        };
        let available = out.len();
        let out = out.get_mut(..needed).ok_or(SenderError::Buffer { needed, available })?;
        self.fill(out);
        self.due = match self.config.pace {
            Pace::Constant { interval } => Some(self.next_tick(now, due, interval)),
            Pace::OnDemand { .. } if self.lens.is_empty() => None,
            // What is left of a packet follows it at once.
            Pace::OnDemand { .. } if self.sent > 0 || self.fills_a_payload() => Some(due),
            Pace::OnDemand { patience } => Some(now + patience),
        };
        Ok(Some(needed))
    }

    /// The tick after `due` that lies ahead of `now`.
    fn next_tick(&mut self, now: Instant, due: Instant, interval: Duration) -> Instant {
        let next = due + interval;
        if next > now {
            return next;
        }
        let behind = (now - next).as_nanos() / interval.as_nanos() + 1;
        let catch_up = u128::from(self.config.catch_up);
        if behind <= catch_up {
            return next;
        }
        let missed = (behind - catch_up) as u64;
        self.stats.missed = self.stats.missed.saturating_add(missed);
        match self.config.catch_up {
            0 => now + interval,
            // Later than `next`, and so not before time began.
            n => {
                next + interval * u32::try_from(behind).unwrap_or(u32::MAX).saturating_sub(n.into())
            }
        }
    }

    /// Bytes of data blocks in a full payload.
    const fn space(&self) -> usize {
        self.config.payload_len - self.config.header_len()
    }

    fn fills_a_payload(&self) -> bool {
        self.queued() >= self.space()
    }

    /// How many bytes of packets go into the next payload.
    fn next_blocks_len(&self) -> usize {
        let space = self.space();
        if self.config.fragment {
            return self.queued().min(space);
        }
        let mut used = 0;
        for len in &self.lens {
            if usize::from(*len) > space - used {
                break;
            }
            used += usize::from(*len);
        }
        used
    }

    fn fill(&mut self, payload: &mut [u8]) {
        let (header, blocks) = payload.split_at_mut(self.config.header_len());
        //= RFC 9347 section 2.2.3: the BlockOffset MUST be consistent with the remaining size implied by
        //= the native length encoding of the fragmented inner packet.
        let offset = match self.lens.front() {
            // A packet that is cut has less than its length behind it.
            Some(len) if self.sent > 0 => len - self.sent as u16,
            _ => 0,
        };
        let [high, low] = offset.to_be_bytes();
        let [first, second, third, fourth, rest @ ..] = header else { return };
        (*third, *fourth) = (high, low);
        (*first, *second) = match <&mut [u8; 20]>::try_from(rest) {
            Ok(fields) => (super::CONGESTION_CONTROLLED, self.congestion.write(fields)),
            Err(_) => (super::NON_CONGESTION_CONTROLLED, 0),
        };

        let used = self.next_blocks_len();
        let (blocks, padding) = blocks.split_at_mut(used);
        // `used` is at most what waits behind `sent`.
        let (front, back) = self.bytes.as_slices();
        let from_front = used.min(front.len().saturating_sub(self.sent));
        let (first, second) = blocks.split_at_mut(from_front);
        if from_front > 0 {
            first.copy_from_slice(&front[self.sent..][..from_front]);
        }
        let at = self.sent.saturating_sub(front.len());
        second.copy_from_slice(&back[at..][..used - from_front]);
        //= RFC 9347 section 6.1.3.3: a pad block begins with a zero and goes on to the end.
        padding.fill(0);

        self.sent += used;
        while let Some(len) = self.lens.front().map(|len| usize::from(*len))
            && self.sent >= len
        {
            self.sent -= len;
            self.lens.pop_front();
            self.bytes.drain(..len);
        }
        self.stats.payloads += 1;
        self.stats.padding += u64::from(used == 0);
    }

    /// The payloads after this go into another SA: a packet of which a part has gone into the one before is
    /// sent again from its beginning.
    //= RFC 9347 section 2.2.3: senders MUST NOT send initial fragments of an inner packet using one SA and
    //= subsequent fragments in a different SA.
    pub const fn switch_sa(&mut self) {
        self.sent = 0;
    }

    /// Bytes of inner packets that wait.
    pub fn queued(&self) -> usize {
        self.bytes.len() - self.sent
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
            .field("queued", &self.queued())
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
