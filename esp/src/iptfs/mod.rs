//! Aggregation and fragmentation of inner packets, and IP traffic flow security by it: RFC 9347. An SA sends
//! packets of one size at one rate, whatever goes on inside: inner packets are put together and cut up to
//! fill them, and padding stands in where there are none. Or it sends on demand, and saves overhead.
//!
//! A [`Sender`] is given inner packets and asked for a payload at each tick of its rate; what it gives is
//! sealed with [`NextHeader::AGGFRAG`](crate::NextHeader::AGGFRAG). An SA made
//! [`with_aggfrag`](crate::Inbound::with_aggfrag) opens such packets, and a [`Receiver`] takes the inner
//! packets out of them. Both ends must have agreed on it (USE_AGGFRAG, RFC 9347 section 5.1).
//!
//! Where the path is shared with others, a [`CongestionControl`] finds the rate that it bears (RFC 9347 section
//! 2.4.2): it is given the header of every packet that comes, makes that of every one that is sent, and says when
//! the next one may be. A [`Receiver`] takes payloads with such a header and without it.
//!
//! ```
//! use adit_esp::iptfs::{Receiver, Sender, SenderConfig};
//! use adit_platform::Instant;
//! use core::time::Duration;
//!
//! let now = Instant::from_origin(Duration::ZERO);
//! let mut sender = Sender::new(SenderConfig::new(100, Duration::from_millis(10)), now)?;
//! let mut receiver = Receiver::new();
//!
//! let mut packet = [0; 150];
//! packet[..20].copy_from_slice(&[0x45, 0, 0, 150, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
//! sender.push(now, &packet)?;
//! let mut payload = [0; 100];
//! let mut received = Vec::new();
//! for sequence in 1..=2 {
//!     let now = sender.poll_timeout().expect("it has a rate");
//!     let len = sender.poll_payload(now, &mut payload)?.expect("it is time");
//!     receiver.handle_payload(now, sequence, &payload[..len], &mut |inner| received.push(inner.to_vec()))?;
//! }
//! assert_eq!(received, [packet]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod congestion;
mod loss;
mod rate;
mod receiver;
mod sender;

use core::fmt;

pub use congestion::{Congestion, CongestionControl};
pub use receiver::{Receiver, ReceiverStats};
pub use sender::{Pace, Sender, SenderConfig, SenderError, SenderStats};

/// Bytes in front of the data blocks: RFC 9347 section 6.1.1.
pub const HEADER_LEN: usize = 4;

/// The same with congestion information: RFC 9347 section 6.1.2.
pub const CONGESTION_HEADER_LEN: usize = 24;

const NON_CONGESTION_CONTROLLED: u8 = 0;
const CONGESTION_CONTROLLED: u8 = 1;

/// An AGGFRAG payload: RFC 9347 section 6.1.
///
/// ```
/// use adit_esp::iptfs::Payload;
///
/// let payload = Payload::parse(&[0, 0, 0, 2, 0xaa, 0xbb, 0x00])?;
/// assert_eq!(payload.block_offset, 2);
/// assert_eq!(payload.blocks, [0xaa, 0xbb, 0x00]);
/// assert_eq!(payload.congestion, None);
/// # Ok::<(), adit_esp::iptfs::PayloadError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// How many bytes of what follows, here and in later payloads, belong to a data block that began
    /// earlier. Longer than [`Self::blocks`] if that one goes on beyond this payload.
    pub block_offset: u16,
    /// What a congestion-controlled sender and receiver tell each other.
    pub congestion: Option<Congestion>,
    /// IP packets, or parts of one at either end, and padding.
    pub blocks: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads the header. Nothing is said of the data blocks.
    ///
    /// # Errors
    /// If the header is not all there, or of a sub-type that has no meaning.
    pub fn parse(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let truncated = PayloadError::Truncated { len: payload.len() };
        let (header, blocks) = payload.split_first_chunk::<HEADER_LEN>().ok_or(truncated)?;
        let &[sub_type, flags, high, low] = header;
        let block_offset = u16::from_be_bytes([high, low]);
        match sub_type {
            NON_CONGESTION_CONTROLLED => Ok(Self { block_offset, congestion: None, blocks }),
            CONGESTION_CONTROLLED => {
                let (rest, blocks) = blocks
                    .split_first_chunk::<{ CONGESTION_HEADER_LEN - HEADER_LEN }>()
                    .ok_or(truncated)?;
                Ok(Self { block_offset, congestion: Some(Congestion::read(flags, rest)), blocks })
            }
            other => Err(PayloadError::SubType(other)),
        }
    }
}

/// The length of the data block that starts with `bytes`, in bytes: what the IP header in it says. `None` if
/// too little of it is there. RFC 9347 section 6.1.3.
fn block_len(bytes: &[u8]) -> Option<Result<usize, BadBlock>> {
    match bytes.first()? >> 4 {
        4 => {
            let len = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
            Some(if len < 20 { Err(BadBlock) } else { Ok(len) })
        }
        6 => {
            let payload = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
            Some(Ok(40 + payload))
        }
        _ => Some(Err(BadBlock)),
    }
}

/// A data block that is neither an IP packet nor padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BadBlock;

/// The longest data block: an IPv6 packet whose length field is at its maximum.
const MAX_BLOCK_LEN: usize = 40 + 65_535;

/// An authentic payload that a receiver does not take: the peer's fault, or a wrong configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PayloadError {
    /// The header is not all there.
    Truncated {
        /// Length of the payload in bytes.
        len: usize,
    },
    /// A sub-type that RFC 9347 does not define.
    SubType(u8),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len } => write!(f, "AGGFRAG payload of only {len} bytes"),
            Self::SubType(sub_type) => write!(f, "AGGFRAG sub-type {sub_type} at offset 0"),
        }
    }
}

impl core::error::Error for PayloadError {}
