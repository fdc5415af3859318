//! EAP packets on the wire, RFC 3748 section 4.

use alloc::vec::Vec;
use core::fmt;

use crate::error::{Error, Malformed, Misuse};

/// Length of the header: Code, Identifier, Length.
const HEADER_LEN: usize = 4;

/// Length of an expanded Type: 254, Vendor-Id, Vendor-Type (RFC 3748 section 5.7).
const EXPANDED_LEN: usize = 8;

/// One EAP packet; its octets are borrowed from the buffer that it came in.
///
/// ```
/// use adit_eap::packet::{Body, Packet, Type};
///
/// let packet = Packet::parse(&[1, 7, 0, 5, 1])?;
/// assert_eq!(packet.identifier, 7);
/// let Body::Request(request) = packet.body else { panic!("not a Request") };
/// assert_eq!(request.kind, Type::IDENTITY);
/// # Ok::<(), adit_eap::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// Matches a Response with its Request; Success and Failure repeat that of the last Response.
    pub identifier: u8,
    /// What the packet is.
    pub body: Body<'a>,
}

/// The four kinds of packet that RFC 3748 defines, by the Code field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// Code 1, authenticator to peer.
    Request(Message<'a>),
    /// Code 2, peer to authenticator.
    Response(Message<'a>),
    /// Code 3, authenticator to peer.
    Success,
    /// Code 4, authenticator to peer.
    Failure,
}

/// What a Request or a Response carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The Type; an expanded Type of vendor 0 is read as the plain Type that it stands for.
    pub kind: Type,
    /// True if the Type stood in its expanded form, which an answer then has to use too.
    pub expanded: bool,
    /// Type-Data: everything behind the Type.
    pub data: &'a [u8],
}

/// An EAP Type: a vendor (0 for the IETF) and its number.
///
/// One that is unknown here survives a round trip and prints as its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Type {
    vendor: u32,
    number: u32,
}

impl Type {
    /// Identity, RFC 3748 section 5.1.
    pub const IDENTITY: Self = Self::new(1);
    /// Notification, RFC 3748 section 5.2.
    pub const NOTIFICATION: Self = Self::new(2);
    /// Nak (Response only), RFC 3748 section 5.3.
    pub const NAK: Self = Self::new(3);
    /// MD5-Challenge, RFC 3748 section 5.4.
    pub const MD5_CHALLENGE: Self = Self::new(4);
    /// One-Time Password, RFC 3748 section 5.5.
    pub const OTP: Self = Self::new(5);
    /// Generic Token Card, RFC 3748 section 5.6.
    pub const GTC: Self = Self::new(6);
    /// EAP-TLS, RFC 5216 and RFC 9190.
    pub const TLS: Self = Self::new(13);
    /// EAP-TTLS, RFC 5281.
    pub const TTLS: Self = Self::new(21);
    /// PEAP.
    pub const PEAP: Self = Self::new(25);
    /// EAP-MSCHAPv2, draft-kamath-pppext-eap-mschapv2.
    pub const MSCHAPV2: Self = Self::new(26);
    /// Marks the expanded form on the wire, RFC 3748 section 5.7; never the value of a [`Message`].
    const EXPANDED: Self = Self::new(254);

    /// The IETF's Type of this number.
    pub const fn new(number: u8) -> Self {
        Self { vendor: 0, number: number as u32 }
    }

    /// A vendor's Type; of `vendor`, an IANA enterprise number, 24 bits are kept.
    pub const fn vendor_specific(vendor: u32, number: u32) -> Self {
        Self { vendor: vendor & 0x00ff_ffff, number }
    }

    /// The vendor, an IANA enterprise number of 24 bits; 0 is the IETF.
    pub const fn vendor(self) -> u32 {
        self.vendor
    }

    /// The number of the Type among those of its vendor.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The single octet that can stand for this Type, if there is one.
    pub fn octet(self) -> Option<u8> {
        let octet = u8::try_from(self.number).ok()?;
        (self.vendor == 0 && self != Self::EXPANDED).then_some(octet)
    }

    /// True for an authentication method: not Identity, Notification, Nak or a reserved number.
    pub fn is_method(self) -> bool {
        self.vendor != 0 || (self.number >= 4 && self.number != 254)
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::IDENTITY => "Identity",
            Self::NOTIFICATION => "Notification",
            Self::NAK => "Nak",
            Self::MD5_CHALLENGE => "MD5-Challenge",
            Self::OTP => "OTP",
            Self::GTC => "GTC",
            Self::TLS => "EAP-TLS",
            Self::TTLS => "EAP-TTLS",
            Self::PEAP => "PEAP",
            Self::MSCHAPV2 => "EAP-MSCHAPv2",
            Self { vendor: 0, number } => return write!(f, "Type({number})"),
            Self { vendor, number } => return write!(f, "Type({vendor}/{number})"),
        };
        f.write_str(name)
    }
}

impl<'a> Packet<'a> {
    /// Reads one packet. Octets beyond the Length field are link padding and are ignored.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the offset of the field that is wrong: the packet has to be discarded
    /// silently (RFC 3748 section 4).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let [code, identifier, high, low, rest @ ..] = bytes else {
            return Err(Error::malformed(Malformed::Truncated, bytes.len()));
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // "A message with the Length field set to a value larger than the number of received octets
        // MUST be silently discarded." RFC 3748 section 4.1
        let Some(rest) = length.checked_sub(HEADER_LEN).and_then(|len| rest.get(..len)) else {
            return Err(Error::malformed(Malformed::Length, 2));
        };
        let body = match code {
            1 => Body::Request(Message::parse(rest)?),
            2 => Body::Response(Message::parse(rest)?),
            // "A Success or Failure packet MUST NOT contain additional data", section 4.2.
            3 | 4 if !rest.is_empty() => return Err(Error::malformed(Malformed::Length, 2)),
            3 => Body::Success,
            4 => Body::Failure,
            _ => return Err(Error::malformed(Malformed::Code, 0)),
        };
        Ok(Self { identifier: *identifier, body })
    }

    /// The octets of this packet.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] if the packet would exceed 65,535 octets.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let (code, message) = match self.body {
            Body::Request(message) => (1, Some(message)),
            Body::Response(message) => (2, Some(message)),
            Body::Success => (3, None),
            Body::Failure => (4, None),
        };
        let mut out = Vec::with_capacity(HEADER_LEN + message.map_or(0, |m| m.encoded_len()));
        out.extend_from_slice(&[code, self.identifier, 0, 0]);
        if let Some(message) = message {
            message.encode(&mut out);
        }
        let length = u16::try_from(out.len()).map_err(|_| Error::Misuse(Misuse::TooLong))?;
        out[2..4].copy_from_slice(&length.to_be_bytes());
        Ok(out)
    }
}

impl<'a> Message<'a> {
    /// A message of this Type, in the short form where the Type has one.
    pub fn new(kind: Type, data: &'a [u8]) -> Self {
        Self { kind, expanded: kind.octet().is_none(), data }
    }

    /// Reads what follows the header.
    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        match bytes {
            [] => Err(Error::malformed(Malformed::NoType, HEADER_LEN)),
            [0, ..] => Err(Error::malformed(Malformed::ReservedType, HEADER_LEN)),
            [254, v0, v1, v2, n0, n1, n2, n3, data @ ..] => Ok(Self {
                kind: Type {
                    vendor: u32::from_be_bytes([0, *v0, *v1, *v2]),
                    number: u32::from_be_bytes([*n0, *n1, *n2, *n3]),
                },
                expanded: true,
                data,
            }),
            [254, ..] => Err(Error::malformed(Malformed::Truncated, HEADER_LEN + bytes.len())),
            [octet, data @ ..] => Ok(Self { kind: Type::new(*octet), expanded: false, data }),
        }
    }

    /// Where Type-Data starts, from the start of the packet.
    pub(crate) fn data_offset(&self) -> usize {
        HEADER_LEN + if self.expanded { EXPANDED_LEN } else { 1 }
    }

    fn encoded_len(&self) -> usize {
        EXPANDED_LEN + self.data.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self.kind.octet() {
            Some(octet) if !self.expanded => out.push(octet),
            _ => push_expanded(out, self.kind),
        }
        out.extend_from_slice(self.data);
    }
}

/// Appends the expanded form of `kind`, RFC 3748 section 5.7.
pub(crate) fn push_expanded(out: &mut Vec<u8>, kind: Type) {
    out.push(254);
    out.extend_from_slice(&kind.vendor.to_be_bytes()[1..]);
    out.extend_from_slice(&kind.number.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_behind_the_length_is_ignored() {
        let packet = Packet::parse(&[1, 10, 0, 5, 1, 0xaa, 0xaa]).unwrap();
        assert_eq!(packet.encode().unwrap(), [1, 10, 0, 5, 1]);
    }

    #[test]
    fn errors_say_where() {
        let at = |bytes: &[u8]| match Packet::parse(bytes) {
            Err(Error::Malformed { what, offset }) => (what, offset),
            other => panic!("{other:?}"),
        };
        assert_eq!(at(&[1, 10, 0]), (Malformed::Truncated, 3));
        assert_eq!(at(&[1, 10, 0, 3]), (Malformed::Length, 2));
        assert_eq!(at(&[1, 10, 0, 4]), (Malformed::NoType, 4));
        assert_eq!(at(&[1, 10, 0, 9, 1]), (Malformed::Length, 2));
        assert_eq!(at(&[5, 10, 0, 5, 1]), (Malformed::Code, 0));
        assert_eq!(at(&[3, 10, 0, 6, 1, 1]), (Malformed::Length, 2));
        assert_eq!(at(&[1, 10, 0, 7, 254, 0, 0]), (Malformed::Truncated, 7));
        assert_eq!(at(&[2, 10, 0, 5, 0]), (Malformed::ReservedType, 4));
    }

    #[test]
    fn expanded_vendor_zero_is_the_plain_type() {
        // RFC 3748 section 5.7
        let bytes = [1, 10, 0, 13, 254, 0, 0, 0, 0, 0, 0, 26, 1];
        let packet = Packet::parse(&bytes).unwrap();
        let Body::Request(message) = packet.body else { panic!() };
        assert_eq!((message.kind, message.expanded), (Type::MSCHAPV2, true));
        assert_eq!(packet.encode().unwrap(), bytes);
    }
}
