//! The IKE header, RFC 7296 section 3.1.

use alloc::vec::Vec;

use super::error::DecodeError;
use super::reader::Reader;
use super::registry::{ExchangeType, PayloadType};
use super::spi::IkeSpi;
use super::writer::Writer;

/// Length of the IKE header in bytes.
pub const HEADER_LEN: usize = 28;

/// The fixed header that every IKE message begins with.
///
/// ```
/// use adit_ikev2::wire::{ExchangeType, Flags, Header, IkeSpi};
///
/// let header = Header::new(
///     IkeSpi([1; 8]), IkeSpi([2; 8]), ExchangeType::INFORMATIONAL, Flags::default(), 7,
/// );
/// assert_eq!((header.major_version, header.message_id), (2, 7));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The original initiator's SPI; never zero.
    pub initiator_spi: IkeSpi,
    /// The original responder's SPI; zero in the first message.
    pub responder_spi: IkeSpi,
    /// Type of the first payload.
    pub next_payload: PayloadType,
    /// 2 for IKEv2. [`Message::parse`](super::Message::parse) accepts no other; [`parse`](Self::parse)
    /// does, so that INVALID_MAJOR_VERSION can be answered.
    pub major_version: u8,
    /// 0 when sent; ignored on receipt.
    pub minor_version: u8,
    /// Which exchange the message belongs to.
    pub exchange_type: ExchangeType,
    /// Direction and role.
    pub flags: Flags,
    /// Ties responses to requests: RFC 7296 section 2.2.
    pub message_id: u32,
    /// Length of the whole message in bytes, header included. Encoding fills it in.
    pub length: u32,
}

/// The flags of the IKE header that have a meaning. The Version flag is sent as zero and ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// I: the sender is the original initiator of the IKE SA.
    pub initiator: bool,
    /// R: the message is a response.
    pub response: bool,
}

impl Flags {
    const INITIATOR: u8 = 0x08;
    const RESPONSE: u8 = 0x20;

    /// A request that the original initiator sends.
    pub const REQUEST_BY_INITIATOR: Self = Self { initiator: true, response: false };
    /// A response that the original responder sends.
    pub const RESPONSE_BY_RESPONDER: Self = Self { initiator: false, response: true };
}

impl Header {
    /// A header of version 2.0 whose next payload and length the encoder fills in.
    pub const fn new(
        initiator_spi: IkeSpi,
        responder_spi: IkeSpi,
        exchange_type: ExchangeType,
        flags: Flags,
        message_id: u32,
    ) -> Self {
        Self {
            initiator_spi,
            responder_spi,
            next_payload: PayloadType::NONE,
            major_version: 2,
            minor_version: 0,
            exchange_type,
            flags,
            message_id,
            length: 0,
        }
    }

    /// Reads the first 28 bytes of `datagram` and judges nothing but their number.
    ///
    /// # Errors
    /// If there are fewer than 28.
    pub fn parse(datagram: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(datagram, 0);
        let initiator_spi = IkeSpi(reader.array("initiator SPI")?);
        let responder_spi = IkeSpi(reader.array("responder SPI")?);
        let next_payload = PayloadType(reader.u8("next payload")?);
        let version = reader.u8("version")?;
        let exchange_type = ExchangeType(reader.u8("exchange type")?);
        let flags = reader.u8("flags")?;
        Ok(Self {
            initiator_spi,
            responder_spi,
            next_payload,
            major_version: version >> 4,
            minor_version: version & 0x0f,
            exchange_type,
            flags: Flags {
                initiator: flags & Flags::INITIATOR != 0,
                response: flags & Flags::RESPONSE != 0,
            },
            message_id: reader.u32("message ID")?,
            length: reader.u32("length")?,
        })
    }

    /// Appends the 28 bytes to `buf`, the length as it stands in `self`.
    pub(crate) fn append_to(&self, buf: &mut Vec<u8>) {
        self.encode(&mut Writer::new(buf));
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.initiator_spi.0);
        writer.bytes(&self.responder_spi.0);
        writer.u8(self.next_payload.0);
        writer.u8(self.major_version << 4 | self.minor_version & 0x0f);
        writer.u8(self.exchange_type.0);
        let mut flags = 0;
        if self.flags.initiator {
            flags |= Flags::INITIATOR;
        }
        if self.flags.response {
            flags |= Flags::RESPONSE;
        }
        writer.u8(flags);
        writer.u32(self.message_id);
        writer.u32(self.length);
    }
}
