//! Security Parameter Indexes.

use core::fmt;

use super::error::{DecodeError, DecodeErrorKind};
use super::reader::Reader;
use super::writer::Writer;

/// The SPI of one side of an IKE SA: 8 octets, RFC 7296 section 2.6.
///
/// ```
/// use adit_ikev2::wire::IkeSpi;
///
/// assert_eq!(format!("{:?}", IkeSpi([0, 1, 2, 3, 4, 5, 6, 0xff])), "00010203040506ff");
/// assert!(IkeSpi::ZERO.is_zero());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct IkeSpi(pub [u8; 8]);

impl IkeSpi {
    /// Not yet known: the responder's SPI in the first message.
    pub const ZERO: Self = Self([0; 8]);

    /// True for [`ZERO`](Self::ZERO), which is no valid SPI.
    pub const fn is_zero(self) -> bool {
        u64::from_be_bytes(self.0) == 0
    }
}

impl fmt::Debug for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Display for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The SPI field of a Proposal, Notify or Delete, whose size depends on the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spi {
    /// SPI Size 0: the IKE SA of the message itself, or none.
    #[default]
    None,
    /// SPI Size 4: ESP or AH.
    Child(u32),
    /// SPI Size 8: an IKE SA, when it is rekeyed.
    Ike(IkeSpi),
}

impl Spi {
    /// The length of the field in bytes: 0, 4 or 8.
    pub const fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Child(_) => 4,
            Self::Ike(_) => 8,
        }
    }

    /// True if there is no SPI.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None)
    }

    /// The SPI of an ESP or AH SA, if it is one.
    pub const fn child(self) -> Option<u32> {
        match self {
            Self::Child(spi) => Some(spi),
            _ => None,
        }
    }

    /// The SPI of an IKE SA, if it is one.
    pub const fn ike(self) -> Option<IkeSpi> {
        match self {
            Self::Ike(spi) => Some(spi),
            _ => None,
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>, size: u8) -> Result<Self, DecodeError> {
        match size {
            0 => Ok(Self::None),
            4 => reader.u32("SPI").map(Self::Child),
            8 => reader.array("SPI").map(|spi| Self::Ike(IkeSpi(spi))),
            _ => Err(reader.error(DecodeErrorKind::BadLength, "SPI")),
        }
    }

    /// The octet that announces [`len`](Self::len).
    pub(crate) const fn size(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Child(_) => 4,
            Self::Ike(_) => 8,
        }
    }

    pub(super) fn encode(self, writer: &mut Writer<'_>) {
        match self {
            Self::None => {}
            Self::Child(spi) => writer.u32(spi),
            Self::Ike(spi) => writer.bytes(&spi.0),
        }
    }
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Child(spi) => write!(f, "{spi:08x}"),
            Self::Ike(spi) => fmt::Debug::fmt(spi, f),
        }
    }
}
