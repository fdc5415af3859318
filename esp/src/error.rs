//! What can go wrong, by whose fault it is.

use core::fmt;

use crate::ip::IpError;
use crate::packet::{NextHeader, Spi};

/// Whose fault an error is, and so what to do about it.
///
/// ```
/// use adit_esp::{Fault, OpenError, Spi};
///
/// let error = OpenError::Authentication { spi: Spi(0x1000), sequence: 7 };
/// assert_eq!(error.fault(), Fault::Peer);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// Bytes that are not what the RFC says: anybody may have sent them.
    Malformed,
    /// The packet is well-formed, but the peer (or somebody in its name) should not have sent it.
    Peer,
    /// Local policy or the other end of a lifetime says no.
    Policy,
    /// The caller gave arguments that cannot work.
    Misuse,
    /// Something that an SA has a finite number of is used up.
    Exhausted,
}

/// An SA cannot be made from this configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// SPIs up to 255 are reserved: RFC 4303 section 2.1.
    ReservedSpi(Spi),
    /// The provider lists no implementation of an algorithm of the suite.
    UnsupportedSuite,
    /// The keying material does not have the length that the suite takes.
    KeyLength {
        /// Which key.
        key: KeyKind,
        /// Bytes that the suite takes.
        expected: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// The host's random source failed while a key for CBC IVs was drawn.
    Random,
    /// Traffic flow confidentiality padding needs tunnel mode: only there does the inner packet say
    /// where it ends. RFC 4303 section 2.7.
    PaddingNeedsTunnel,
    /// AGGFRAG payloads need tunnel mode: RFC 9347 section 5.1.
    AggfragNeedsTunnel,
    /// Checksums are repaired in transport mode; in tunnel mode the inner packet comes as it was sent.
    RepairNeedsTransport,
    /// Extended sequence numbers need the replay window to find their high half: RFC 4303 section 3.3.3.
    ExtendedNeedsWindow,
}

/// One of the two keys of a direction of an SA.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    /// The encryption key, with the salt behind it where the suite has one.
    Encryption,
    /// The integrity key.
    Integrity,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedSpi(spi) => write!(f, "SPI {spi} is reserved"),
            Self::UnsupportedSuite => f.write_str("the crypto provider cannot run this suite"),
            Self::KeyLength { key, expected, given } => {
                let key = match key {
                    KeyKind::Encryption => "encryption",
                    KeyKind::Integrity => "integrity",
                };
                write!(f, "{key} key of {given} bytes, but the suite takes {expected}")
            }
            Self::Random => f.write_str("the host's random source failed"),
            Self::PaddingNeedsTunnel => {
                f.write_str("traffic flow confidentiality padding needs tunnel mode")
            }
            Self::AggfragNeedsTunnel => f.write_str("AGGFRAG payloads need tunnel mode"),
            Self::RepairNeedsTransport => {
                f.write_str("checksums are repaired in transport mode only")
            }
            Self::ExtendedNeedsWindow => {
                f.write_str("extended sequence numbers need the replay window")
            }
        }
    }
}

impl core::error::Error for SetupError {}

/// A packet was not sealed. Nothing may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SealError {
    /// The payload's range is not within the buffer.
    OutOfBounds {
        /// Where the payload was said to end.
        end: usize,
        /// Length of the buffer.
        buffer: usize,
    },
    /// Too few bytes in front of the payload.
    Headroom {
        /// Bytes needed: [`Outbound::headroom`](crate::Outbound::headroom).
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// Too few bytes behind the payload.
    Tailroom {
        /// Bytes needed: [`Outbound::tailroom`](crate::Outbound::tailroom).
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// The ESP packet would be longer than [`MAX_PACKET_LEN`](crate::packet::MAX_PACKET_LEN).
    TooLong {
        /// Length that the ESP packet would have.
        packet: usize,
    },
    /// Every sequence number has been used: a new SA is needed. RFC 4303 section 3.3.3.
    SequenceExhausted,
    /// The hard lifetime in bytes, packets or time is over: RFC 4301 section 4.4.2.1.
    Expired,
    /// The child has no SA to send by: removed, or its lifetime is over.
    NoSa,
    /// The SA is not one of transport mode, or the packet not one that transport mode can carry: not IP, not
    /// whole, or a fragment.
    NotTransport,
    /// The outer header's addresses are not of one family.
    MixedFamilies,
    /// The cipher refused. The sequence number is lost, so that it cannot be used twice.
    Crypto,
}

impl SealError {
    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::OutOfBounds { .. }
            | Self::Headroom { .. }
            | Self::Tailroom { .. }
            | Self::TooLong { .. }
            | Self::MixedFamilies
            | Self::NotTransport
            | Self::Crypto => Fault::Misuse,
            Self::SequenceExhausted => Fault::Exhausted,
            Self::Expired | Self::NoSa => Fault::Policy,
        }
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { end, buffer } => {
                write!(f, "payload ends at {end} in a buffer of {buffer} bytes")
            }
            Self::Headroom { needed, available } => {
                write!(f, "{available} bytes in front of the payload, {needed} needed")
            }
            Self::Tailroom { needed, available } => {
                write!(f, "{available} bytes behind the payload, {needed} needed")
            }
            Self::TooLong { packet } => write!(f, "ESP packet of {packet} bytes is too long"),
            Self::SequenceExhausted => f.write_str("every sequence number of the SA has been used"),
            Self::Expired => f.write_str("the SA's lifetime is over"),
            Self::NoSa => f.write_str("the child has no SA to send by"),
            Self::NotTransport => f.write_str("not a whole IP packet on a transport-mode SA"),
            Self::MixedFamilies => f.write_str("outer addresses of two families"),
            Self::Crypto => f.write_str("the cipher refused the packet"),
        }
    }
}

impl core::error::Error for SealError {}

/// A packet was not opened, and must be dropped. Each variant has its counter in
/// [`InboundStats`](crate::InboundStats).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Shorter than the shortest packet of this suite.
    Truncated {
        /// Length of the packet.
        len: usize,
        /// Length of the shortest packet that can be one.
        minimum: usize,
    },
    /// The encrypted part does not end on the boundary that the cipher and RFC 4303 section 2.4 ask for.
    Misaligned {
        /// Length of the encrypted part, which starts behind the IV.
        len: usize,
        /// What it must be a multiple of.
        multiple: usize,
    },
    /// The packet belongs to another SA, or to none that the database has.
    WrongSpi {
        /// The packet's SPI.
        spi: Spi,
    },
    /// The sequence number lies before the replay window.
    TooOld {
        /// The low 32 bits of the number, as received.
        sequence: u32,
    },
    /// A packet with this sequence number was accepted before.
    Replayed {
        /// The full sequence number.
        sequence: u64,
    },
    /// The ICV does not match: damaged, forged, or a wrong key.
    Authentication {
        /// The packet's SPI.
        spi: Spi,
        /// The full sequence number that was assumed.
        sequence: u64,
    },
    /// A fragment of an ESP packet, which has to be reassembled first: RFC 4303 section 3.4.1.
    Fragment {
        /// Its SPI, if this is the fragment that has it.
        spi: Option<Spi>,
    },
    /// The SA's hard lifetime is over.
    Expired,
    /// The padding length leads out of the packet, or the padding is not 1, 2, 3, …: RFC 4303 section 2.4.
    Padding {
        /// Offset in the packet of the padding byte (or of the pad length) that is wrong.
        offset: usize,
    },
    /// The payload of a tunnel-mode packet is not the IP packet that the next header announces.
    Inner(InnerError),
    /// The inner packet is not one that the SA's traffic selectors admit: RFC 4301 section 5.2.
    Selectors,
    /// A transport-mode SA carries a whole IP packet, or a tunnel-mode SA something else.
    UnexpectedNextHeader(NextHeader),
}

/// What is wrong with the inner packet of a tunnel-mode packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InnerError {
    /// Offset in the ESP packet at which the inner packet starts.
    pub start: usize,
    /// What is wrong in it, with an offset relative to `start`.
    pub error: IpError,
}

impl OpenError {
    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Truncated { .. } | Self::Misaligned { .. } | Self::Fragment { .. } => {
                Fault::Malformed
            }
            Self::Expired => Fault::Policy,
            Self::WrongSpi { .. }
            | Self::TooOld { .. }
            | Self::Replayed { .. }
            | Self::Authentication { .. }
            | Self::Padding { .. }
            | Self::Inner(_)
            | Self::Selectors
            | Self::UnexpectedNextHeader(_) => Fault::Peer,
        }
    }
}

impl OpenError {
    /// True if the packet was refused before its integrity check.
    pub(crate) const fn precedes_integrity(&self) -> bool {
        match self {
            Self::Truncated { .. }
            | Self::Misaligned { .. }
            | Self::Fragment { .. }
            | Self::WrongSpi { .. }
            | Self::TooOld { .. }
            | Self::Replayed { .. }
            | Self::Expired => true,
            Self::Authentication { .. }
            | Self::Padding { .. }
            | Self::Inner(_)
            | Self::Selectors
            | Self::UnexpectedNextHeader(_) => false,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len, minimum } => {
                write!(f, "ESP packet of {len} bytes, but the shortest of this suite has {minimum}")
            }
            Self::Misaligned { len, multiple } => {
                write!(f, "encrypted part of {len} bytes is not a multiple of {multiple}")
            }
            Self::WrongSpi { spi } => write!(f, "no SA here has SPI {spi}"),
            Self::TooOld { sequence } => {
                write!(f, "sequence number {sequence:#010x} lies before the replay window")
            }
            Self::Replayed { sequence } => write!(f, "sequence number {sequence} was seen before"),
            Self::Authentication { spi, sequence } => {
                write!(f, "integrity check failed: SPI {spi}, sequence number {sequence}")
            }
            Self::Fragment { spi: Some(spi) } => {
                write!(f, "first fragment of a packet of SPI {spi}")
            }
            Self::Fragment { spi: None } => f.write_str("later fragment of an ESP packet"),
            Self::Expired => f.write_str("the SA's lifetime is over"),
            Self::Padding { offset } => write!(f, "bad padding at offset {offset}"),
            Self::Inner(InnerError { start, error }) => {
                write!(f, "inner packet at offset {start}: {error}")
            }
            Self::Selectors => f.write_str("inner packet outside the SA's traffic selectors"),
            Self::UnexpectedNextHeader(next) => {
                write!(f, "next header {next} does not belong into this SA")
            }
        }
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Inner(InnerError { error, .. }) => Some(error),
            _ => None,
        }
    }
}
