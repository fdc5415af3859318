//! A whole message: header, payloads in the clear, and where its encrypted part lies.

use alloc::vec::Vec;
use core::ops::Range;

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::header::{HEADER_LEN, Header};
use super::payload::{GenericHeader, Payloads};
use super::reader::Reader;
use super::registry::PayloadType;
use super::writer::Writer;

/// A message as it came, with nothing decrypted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The IKE header.
    pub header: Header,
    /// The payloads outside of the encrypted part: all of them in IKE_SA_INIT, none or few elsewhere.
    pub payloads: Payloads<'a>,
    /// The SK or SKF payload, which is the last one.
    pub encrypted: Option<Encrypted>,
}

/// Where the encrypted part of a datagram lies. Holds no bytes, so that it can be opened in place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encrypted {
    /// The type of the first payload inside; [`PayloadType::NONE`] for none and for later fragments.
    pub first_payload: PayloadType,
    /// For SKF, which part of the message this is.
    pub fragment: Option<Fragment>,
    /// From the first octet of the IV to the last of the ICV, in the datagram. What stands before it is
    /// authenticated and not encrypted.
    pub body: Range<usize>,
}

/// One part of several, RFC 7383 section 2.5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Counts from 1 to `total`.
    pub number: u16,
    /// In how many parts the message was sent.
    pub total: u16,
}

impl<'a> Message<'a> {
    /// Reads a datagram, without the non-ESP marker that stands before it on port 4500.
    ///
    /// # Errors
    /// If it is malformed, longer than it says, or not of major version 2.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let header = Header::parse(datagram)?;
        let at = |offset, kind, what| DecodeError { kind, what, offset };
        if header.major_version != 2 {
            return Err(at(17, DecodeErrorKind::UnsupportedVersion, "version"));
        }
        if header.initiator_spi.is_zero() {
            //= RFC 7296 section 3.1: this value MUST NOT be zero.
            return Err(at(0, DecodeErrorKind::BadValue, "initiator SPI"));
        }
        if usize::try_from(header.length) != Ok(datagram.len()) {
            return Err(at(24, DecodeErrorKind::BadLength, "length"));
        }
        let body = datagram.get(HEADER_LEN..).unwrap_or_default();
        let mut reader = Reader::new(body, HEADER_LEN);
        let (payloads, next) = Payloads::parse_chain(header.next_payload, &mut reader)?;
        let encrypted = match next {
            Some(payload_type) => {
                Some(Encrypted::parse(payload_type == PayloadType::SKF, &mut reader)?)
            }
            None => None,
        };
        //= RFC 7296 section 3.14: the Encrypted payload, if present in a message, MUST be the last payload.
        reader.finish("message")?;
        Ok(Self { header, payloads, encrypted })
    }

    /// Writes a message in the clear, with its length and the chain of payload types filled in.
    ///
    /// # Errors
    /// If a payload is longer than its length field can say.
    pub fn encode(header: &Header, payloads: &Payloads<'_>) -> Result<Vec<u8>, EncodeError> {
        let mut datagram = alloc::vec![0; HEADER_LEN];
        let next_payload = payloads.encode(&mut datagram)?;
        let length = u32::try_from(datagram.len()).map_err(|_| EncodeError { what: "message" })?;
        let mut head = Vec::with_capacity(HEADER_LEN);
        Header { next_payload, length, ..*header }.encode(&mut Writer::new(&mut head));
        datagram.splice(..HEADER_LEN, head);
        Ok(datagram)
    }
}

impl Encrypted {
    fn parse(is_fragment: bool, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = GenericHeader::parse(reader)?;
        let mut body = reader.sub(header.body_len, "Encrypted payload")?;
        let fragment = if is_fragment {
            let start = body.clone();
            let number = body.u16("fragment number")?;
            let total = body.u16("total fragments")?;
            //= RFC 7383 section 2.6: check that the Fragment Number is not zero and not above the total.
            if number == 0 || number > total {
                return Err(start.error(DecodeErrorKind::BadValue, "fragment number"));
            }
            Some(Fragment { number, total })
        } else {
            None
        };
        let start = body.offset();
        Ok(Self { first_payload: header.next, fragment, body: start..start + body.len() })
    }
}
