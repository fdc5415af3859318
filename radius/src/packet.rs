//! RADIUS packets on the wire, RFC 2865 section 3.

use crate::attribute::Attributes;
use crate::dictionary::Code;
use crate::error::{Error, Malformed};

/// Length of the header in octets: Code, Identifier, Length, Authenticator.
pub const HEADER_LEN: usize = 20;

/// Longest packet in octets.
pub const MAX_PACKET_LEN: usize = 4096;

/// A packet whose attributes are known to lie inside of it; its octets are borrowed.
///
/// That it is well formed does not say who made it: see [`crate::secure`].
///
/// ```
/// use adit_radius::{AttributeType, Code, Packet};
///
/// // RFC 2865 section 7.1, the Access-Accept.
/// let bytes = [
///     0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf,
///     0x9b, 0x55, 0xe0, 0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00,
///     0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03,
/// ];
/// let packet = Packet::parse(&bytes)?;
/// assert_eq!(packet.code(), Code::ACCESS_ACCEPT);
/// assert_eq!(packet.attributes().u32(AttributeType::SERVICE_TYPE)?, Some(1));
/// # Ok::<(), adit_radius::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    header: &'a [u8; HEADER_LEN],
    attributes: Attributes<'a>,
}

impl<'a> Packet<'a> {
    /// Reads one datagram. Octets behind the Length field are padding and are ignored.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the offset of what is wrong: the packet has to be discarded silently.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let Some((header, rest)) = datagram.split_first_chunk::<HEADER_LEN>() else {
            return Err(Error::malformed(Malformed::Truncated, datagram.len()));
        };
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if length > MAX_PACKET_LEN {
            return Err(Error::malformed(Malformed::Length, 2));
        }
        let body = length
            .checked_sub(HEADER_LEN)
            .and_then(|len| rest.get(..len))
            .ok_or(Error::malformed(Malformed::Length, 2))?;
        Ok(Self { header, attributes: Attributes::parse(body, HEADER_LEN)? })
    }

    /// What the packet is.
    pub fn code(&self) -> Code {
        Code(self.header[0])
    }

    /// Matches a reply with its request.
    pub fn identifier(&self) -> u8 {
        self.header[1]
    }

    /// The Request or Response Authenticator.
    pub fn authenticator(&self) -> &'a [u8; 16] {
        // The header has 20 octets, of which these are the last.
        self.header.last_chunk().unwrap_or(&[0; 16])
    }

    /// The attributes, in order.
    pub fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// Code, Identifier and Length: what stands in front of the Authenticator.
    pub(crate) fn prefix(&self) -> &'a [u8; 4] {
        self.header.first_chunk().unwrap_or(&[0; 4])
    }
}
