//! What an SA has done, and what it has refused.
//!
//! RFC 4303 section 4 names the events that an audit log is to have; each has its counter, and the error that
//! goes with it says what the log entry needs.
//!
//! | event | error | counter |
//! |---|---|---|
//! | no SA for a packet (3.4.2) | [`OpenError::WrongSpi`] | [`Sad::unknown_spi`](crate::sad::Sad::unknown_spi) |
//! | a fragment offered to ESP (3.4.1) | [`OpenError::Fragment`] | [`InboundStats::fragments`] |
//! | sequence number overflow (3.3.3) | [`SealError::SequenceExhausted`](crate::SealError::SequenceExhausted) | [`OutboundStats::exhausted`] |
//! | anti-replay check (3.4.3) | [`OpenError::TooOld`], [`OpenError::Replayed`] | [`InboundStats::too_old`], [`InboundStats::replayed`] |
//! | integrity check (3.4.4) | [`OpenError::Authentication`] | [`InboundStats::authentication`] |
//! | selectors (RFC 4301 section 5.2) | [`OpenError::Selectors`] | [`InboundStats::selectors`] |

use core::ops::AddAssign;

use crate::error::OpenError;
use crate::iptfs::{ReceiverStats, SenderStats};

/// Counters of an outbound SA.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct OutboundStats {
    /// Packets sealed, dummies included.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Packets refused for want of room, for their length, or by the cipher.
    pub misuse: u64,
    /// Packets refused because the sequence numbers are used up.
    pub exhausted: u64,
    /// Packets refused because the lifetime is over.
    pub expired: u64,
}

/// Counters of an inbound SA. Every packet that [`Inbound`](crate::Inbound) is given is counted in
/// exactly one of `packets`, `dummies` and the reasons below them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct InboundStats {
    /// Packets opened and handed out.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Dummy packets: authentic, and without content.
    pub dummies: u64,
    /// Too short, or not aligned, to be a packet of this suite.
    pub malformed: u64,
    /// Fragments of ESP packets: RFC 4303 section 3.4.1.
    pub fragments: u64,
    /// Packets of another SA.
    pub wrong_spi: u64,
    /// Before the replay window.
    pub too_old: u64,
    /// Seen before.
    pub replayed: u64,
    /// The integrity check failed.
    pub authentication: u64,
    /// Arrived after the hard lifetime.
    pub expired: u64,
    /// Authentic, but wrongly padded.
    pub padding: u64,
    /// Authentic, but without a proper packet inside.
    pub inner: u64,
    /// Authentic, but outside the traffic selectors.
    pub selectors: u64,
}

impl InboundStats {
    /// The counter of a drop reason.
    pub(crate) fn reason(&mut self, error: &OpenError) -> &mut u64 {
        match error {
            OpenError::Truncated { .. } | OpenError::Misaligned { .. } => &mut self.malformed,
            OpenError::Fragment { .. } => &mut self.fragments,
            OpenError::WrongSpi { .. } => &mut self.wrong_spi,
            OpenError::TooOld { .. } => &mut self.too_old,
            OpenError::Replayed { .. } => &mut self.replayed,
            OpenError::Authentication { .. } => &mut self.authentication,
            OpenError::Expired => &mut self.expired,
            OpenError::Padding { .. } => &mut self.padding,
            OpenError::Inner(_) | OpenError::UnexpectedNextHeader(_) => &mut self.inner,
            OpenError::Selectors => &mut self.selectors,
        }
    }
}

/// Adds each of the named counters.
macro_rules! add_counters {
    ($type:ident: $($counter:ident)*) => {
        impl AddAssign for $type {
            fn add_assign(&mut self, other: Self) {
                // Naming every field here makes a new counter that is not added a compile error.
                let Self { $($counter),* } = other;
                $(self.$counter = self.$counter.saturating_add($counter);)*
            }
        }
    };
}

add_counters!(OutboundStats: packets bytes misuse exhausted expired);
add_counters!(InboundStats: packets bytes dummies malformed fragments wrong_spi too_old replayed
    authentication expired padding inner selectors);
add_counters!(SenderStats: payloads padding packets full missed);
add_counters!(ReceiverStats: payloads packets lost late refused incomplete malformed selectors);
