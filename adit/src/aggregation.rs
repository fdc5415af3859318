//! Aggregation and fragmentation of inner packets, and IP-TFS: RFC 9347.

use core::time::Duration;

use adit_esp::iptfs::{CongestionControl, Pace, ReceiverStats, SenderStats};
use adit_ikev2::negotiate::{Aggfrag, AggfragPolicy};

use crate::config::ConfigError;

/// How inner packets share and fill ESP packets, if the peer agrees (RFC 9347): put together and cut up, and sent
/// either when there is something to send or at a constant rate, of which nobody outside can tell what goes on
/// inside.
///
/// Packets that wait have a queue for each tunnel, whose memory is taken when the tunnel is set up.
///
/// ```
/// use adit::{Aggregation, Policy};
/// use core::time::Duration;
///
/// // 20 Mbit/s at all times, in packets of 1400 bytes, or no tunnel at all.
/// let hidden = Aggregation { required: true, ..Aggregation::constant_rate(1400, 20_000_000) };
/// // Small packets share an ESP packet if they come within a millisecond.
/// let dense = Aggregation::on_demand(Duration::from_millis(1));
/// let policy = Policy { aggregation: Some(hidden), ..Policy::default() };
/// # let _ = (dense, policy);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aggregation {
    /// There is no tunnel to a peer that does not agree. If not, there is a plain one. Default: false.
    pub required: bool,
    /// When packets are sent. A constant rate does not give way to others, unless [`congestion_control`] has it do so:
    /// RFC 9347 section 2.4.1 allows it only where the whole path is under the user's control.
    ///
    /// [`congestion_control`]: Self::congestion_control
    pub pace: Pace,
    /// The rate is the most, and what the path bears beside others is found out (RFC 9347 section 2.4.2, RFC 5348):
    /// packets that are lost slow it down, and inner packets have no part in it. The peer has to report losses, which
    /// one with a constant rate does. It begins with one packet in a second and doubles with each round trip, so that
    /// the first packets take seconds. On demand it has no effect. Default: false.
    pub congestion_control: bool,
    /// Length of ESP's IP packets in bytes, 256 to 65,535, with all headers: of each at a constant rate, the most on
    /// demand. Where the path carries less, that.
    pub size: usize,
    /// Whether the peer may cut up inner packets to fill its own. Default: true.
    pub accept_fragments: bool,
    /// The longest inner packet, in bytes, that senders are told of, as long as the peer takes fragments; without
    /// them it is what fits. Default: 1500.
    pub mtu: usize,
    /// The most bytes of inner packets that wait in a tunnel, 2,048 to 16 MiB. Default: 131,070.
    pub queue: usize,
    /// How many ESP packets may come ahead of one that is late. Default: 3, RFC 9347 section 2.2.3.
    pub reorder_window: u16,
    /// How long such a late one is waited for. Default: 100 ms.
    pub patience: Duration,
}

/// The least and the most that [`Aggregation::size`] and [`Aggregation::queue`] may be.
const SIZE: core::ops::RangeInclusive<usize> = 256..=65_535;
const QUEUE: core::ops::RangeInclusive<usize> = 2048..=1 << 24;

impl Aggregation {
    /// Packets of at most 1,400 bytes, sent as soon as one is full or an inner packet has waited so long.
    pub const fn on_demand(patience: Duration) -> Self {
        Self {
            required: false,
            pace: Pace::OnDemand { patience },
            congestion_control: false,
            size: 1400,
            accept_fragments: true,
            mtu: 1500,
            queue: 131_070,
            reorder_window: 3,
            patience: Duration::from_millis(100),
        }
    }

    /// Packets of `size` bytes, one in every so many nanoseconds that together they are `rate` bits per second,
    /// whether there is something to send or not.
    pub const fn constant_rate(size: usize, rate: u64) -> Self {
        let bits = (size as u64).saturating_mul(8);
        let interval = match bits.saturating_mul(1_000_000_000).checked_div(rate) {
            Some(nanos) => Duration::from_nanos(nanos),
            // `check` refuses it.
            None => Duration::ZERO,
        };
        Self { pace: Pace::Constant { interval }, size, ..Self::on_demand(Duration::ZERO) }
    }

    /// The same with not more than `rate` bits per second, and less where the path bears less.
    pub const fn up_to(size: usize, rate: u64) -> Self {
        Self { congestion_control: true, ..Self::constant_rate(size, rate) }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let has_pace = !matches!(self.pace, Pace::Constant { interval } if interval.is_zero());
        if has_pace && SIZE.contains(&self.size) && QUEUE.contains(&self.queue) && self.mtu >= 576 {
            return Ok(());
        }
        Err(ConfigError::Aggregation)
    }

    /// How many packets are made up for when a host's timer is coarser than the rate: those of ten milliseconds.
    pub(crate) fn catch_up(&self) -> u16 {
        let Pace::Constant { interval } = self.pace else { return 0 };
        if self.congestion_control {
            // The rate may be anything.
            return 4;
        }
        let packets = Duration::from_millis(10).as_nanos().checked_div(interval.as_nanos());
        packets.map_or(0, |packets| u16::try_from(packets).unwrap_or(u16::MAX))
    }

    pub(crate) const fn controls(&self) -> bool {
        self.congestion_control && matches!(self.pace, Pace::Constant { .. })
    }

    /// The time between two packets.
    pub(crate) fn interval(&self, control: &CongestionControl) -> Duration {
        match self.pace {
            _ if self.controls() => control.interval(),
            Pace::Constant { interval } => interval,
            Pace::OnDemand { .. } => Duration::ZERO,
        }
    }

    /// What is negotiated.
    pub(crate) const fn to_ike(self) -> AggfragPolicy {
        AggfragPolicy {
            required: self.required,
            ours: Aggfrag {
                dont_fragment: !self.accept_fragments,
                congestion_control: self.controls(),
            },
            reports_congestion: matches!(self.pace, Pace::Constant { .. }),
        }
    }
}

/// What a tunnel with [`Aggregation`] has done.
///
/// ```
/// fn loss(stats: &adit::AggregationStats) -> f64 {
///     let sent = stats.received.payloads + stats.received.lost;
///     stats.received.lost as f64 / sent.max(1) as f64
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct AggregationStats {
    /// Of what was sent.
    pub sent: SenderStats,
    /// Of what came. At a constant rate, its `lost` is worth an administrator's attention: RFC 9347 section 2.4.1.
    pub received: ReceiverStats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_an_interval() {
        let one = Aggregation::constant_rate(1250, 10_000_000);
        assert_eq!(one.pace, Pace::Constant { interval: Duration::from_millis(1) });
        assert_eq!((one.size, one.check()), (1250, Ok(())));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let good = Aggregation::on_demand(Duration::ZERO);
        assert_eq!(good.check(), Ok(()));
        for bad in [
            Aggregation::constant_rate(1400, 0),
            Aggregation { size: 255, ..good },
            Aggregation { size: 65_536, ..good },
            Aggregation { queue: 2047, ..good },
            Aggregation { queue: (1 << 24) + 1, ..good },
            Aggregation { mtu: 575, ..good },
        ] {
            assert_eq!(bad.check(), Err(ConfigError::Aggregation), "{bad:?}");
        }
    }
}
