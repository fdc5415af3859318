//! Congestion information and what is made of it: RFC 9347 sections 2.4.2, 3 and 6.1.2.

use core::time::Duration;

use adit_platform::Instant;

use super::loss::LossHistory;
use super::rate::Rate;

/// The fields of the congestion-controlled header: RFC 9347 section 6.1.2.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Congestion {
    /// The packet probes the path's MTU.
    pub probe: bool,
    /// The loss event rate has to do with packets marked with Congestion Experienced.
    pub congestion_experienced: bool,
    /// The inverse of the loss event rate of what was received; 0 for no loss.
    pub loss_event_rate: u32,
    /// The round-trip time that the sender of this reckons with, in microseconds, 22 bits, all set for more; 0 if it
    /// is not known.
    pub round_trip_time: u32,
    /// How long `echo` has been held, in microseconds, 21 bits, all set for more.
    pub echo_delay: u32,
    /// The time between two packets of the sender of this, in microseconds, 21 bits, all set for more.
    pub transmit_delay: u32,
    /// A value to be echoed.
    pub value: u32,
    /// The value of the other end that came last.
    pub echo: u32,
}

const PROBE: u8 = 0b10;
const CONGESTION_EXPERIENCED: u8 = 0b01;
const MAX_ROUND_TRIP: u32 = (1 << 22) - 1;
const MAX_DELAY: u32 = (1 << 21) - 1;

impl Congestion {
    /// From the second octet of the payload and those behind the fourth.
    pub(super) fn read(flags: u8, fields: &[u8; 20]) -> Self {
        let word = |at: usize| {
            u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]])
        };
        // 22 bits of round-trip time, 21 of echo delay and 21 of transmit delay.
        let delays = u64::from(word(4)) << 32 | u64::from(word(8));
        Self {
            probe: flags & PROBE != 0,
            congestion_experienced: flags & CONGESTION_EXPERIENCED != 0,
            loss_event_rate: word(0),
            round_trip_time: (delays >> 42) as u32,
            echo_delay: (delays >> 21) as u32 & MAX_DELAY,
            transmit_delay: delays as u32 & MAX_DELAY,
            value: word(12),
            echo: word(16),
        }
    }

    /// The same; what is longer than its field becomes the field's maximum.
    pub(super) fn write(&self, fields: &mut [u8; 20]) -> u8 {
        let delays = u64::from(self.round_trip_time.min(MAX_ROUND_TRIP)) << 42
            | u64::from(self.echo_delay.min(MAX_DELAY)) << 21
            | u64::from(self.transmit_delay.min(MAX_DELAY));
        fields[..4].copy_from_slice(&self.loss_event_rate.to_be_bytes());
        fields[4..12].copy_from_slice(&delays.to_be_bytes());
        fields[12..16].copy_from_slice(&self.value.to_be_bytes());
        fields[16..].copy_from_slice(&self.echo.to_be_bytes());
        let probe = if self.probe { PROBE } else { 0 };
        probe | if self.congestion_experienced { CONGESTION_EXPERIENCED } else { 0 }
    }
}

/// Congestion control of a pair of SAs with AGGFRAG payloads, by the TCP-friendly rate control of RFC 5348.
///
/// It measures what the other end sends ([`Self::received`]), says so in what is sent ([`Self::header`]), and
/// reckons the time between two packets of this end from what the other says ([`Self::interval`]). An end whose
/// rate is fixed uses only the first two, for a peer that wants them (the C bit of USE_AGGFRAG).
///
/// ```
/// use adit_esp::iptfs::CongestionControl;
/// use adit_platform::Instant;
/// use core::time::Duration;
///
/// // Not more than 1,000 packets a second; one in a second until the peer has answered.
/// let mut control = CongestionControl::new(Instant::default(), Duration::from_millis(1));
/// assert_eq!(control.interval(), Duration::from_secs(1));
/// let header = control.header(Instant::default(), control.interval());
/// assert_eq!((header.loss_event_rate, header.round_trip_time), (0, 0));
/// ```
#[derive(Debug)]
pub struct CongestionControl {
    losses: LossHistory,
    rate: Rate,
    /// The peer's value that came last, and when it came first.
    heard: Option<(u32, Instant)>,
    /// What the peer takes for the round trip, and its interval.
    peer_round_trip: Duration,
    peer_interval: Duration,
}

/// An echo of something sent longer ago is none of ours.
const OLDEST_ECHO: u32 = 300_000_000;

impl CongestionControl {
    /// For a new pair of SAs, which is to send no faster than one packet in `shortest_interval`.
    pub fn new(now: Instant, shortest_interval: Duration) -> Self {
        Self {
            losses: LossHistory::new(),
            rate: Rate::new(now, shortest_interval),
            heard: None,
            peer_round_trip: Duration::ZERO,
            peer_interval: Duration::ZERO,
        }
    }

    /// A packet has come: its sequence number, what it says if it says anything, and whether its outer header had
    /// Congestion Experienced set (false where ECN is not used, which is the default of RFC 9347 section 9).
    pub fn received(
        &mut self,
        now: Instant,
        sequence: u64,
        said: Option<&Congestion>,
        congestion_experienced: bool,
    ) {
        let is_newest =
            self.losses.arrived(now, sequence, congestion_experienced, self.peer_round_trip);
        let Some(said) = said.filter(|_| is_newest) else { return };
        self.peer_round_trip = Duration::from_micros(said.round_trip_time.into());
        self.peer_interval = Duration::from_micros(said.transmit_delay.into());
        //= RFC 9347 section 3: subsequent receipt of the same TVal MUST NOT update the recorded time.
        if self.heard.is_none_or(|(value, _)| value != said.value) {
            self.heard = Some((said.value, now));
        }
        //= RFC 9347 section 3: the delay is found by subtracting the TEcho value from the current clock and then
        //= subtracting Echo Delay as well.
        let path = clock(now).wrapping_sub(said.echo).wrapping_sub(said.echo_delay);
        if said.echo != 0 && path < OLDEST_ECHO && said.echo_delay < MAX_DELAY {
            let path = Duration::from_micros(path.into());
            self.rate.feedback(now, path, self.peer_interval, said.loss_event_rate);
        }
    }

    /// The peer's packets come by another SA from now on, whose numbers begin with 1.
    pub fn switch_sa(&mut self) {
        self.losses.switch_sa();
    }

    /// What the next packet is to say; `interval` is the time between two packets of this end.
    pub fn header(&self, now: Instant, interval: Duration) -> Congestion {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let (echo, echo_delay) = match self.heard {
            Some((value, since)) => (value, micros(now.saturating_duration_since(since))),
            None => (0, 0),
        };
        Congestion {
            probe: false,
            congestion_experienced: self.losses.is_marked(),
            loss_event_rate: self.losses.inverse_rate(),
            round_trip_time: self.rate.round_trip(self.peer_interval).map_or(0, micros),
            echo_delay,
            transmit_delay: micros(interval),
            value: clock(now),
            echo,
        }
    }

    /// The time between two packets that the network bears now, 64 seconds at the most.
    pub fn interval(&self) -> Duration {
        self.rate.interval()
    }

    /// When [`Self::handle_timeout`] is to be called next.
    pub const fn poll_timeout(&self) -> Instant {
        self.rate.deadline()
    }

    /// Slows down if the peer has said nothing for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.rate.handle_timeout(now);
    }
}

/// Microseconds, never 0: that stands for no echo.
fn clock(now: Instant) -> u32 {
    (now.since_origin().as_micros() as u32).max(1)
}
