//! Payloads whose body is one string of octets: Nonce, Vendor ID, EAP, and those that are unknown.

use alloc::borrow::Cow;

use super::error::{DecodeError, DecodeErrorKind};
use super::limits::{MAX_NONCE_LEN, MIN_NONCE_LEN};
use super::reader::Reader;
use super::registry::PayloadType;

/// Ni or Nr: 16 to 256 octets, RFC 7296 section 3.9.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nonce<'a>(pub Cow<'a, [u8]>);

/// An implementation's mark, RFC 7296 section 3.12.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VendorId<'a>(pub Cow<'a, [u8]>);

/// One EAP packet, at least its 4-octet header, RFC 7296 section 3.16.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Eap<'a>(pub Cow<'a, [u8]>);

/// A payload of a type that this crate does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownPayload<'a> {
    /// The type.
    pub payload_type: PayloadType,
    /// The Critical bit: if set, the message must be rejected, RFC 7296 section 2.5.
    pub critical: bool,
    /// What follows the generic payload header.
    pub body: Cow<'a, [u8]>,
}

impl<'a> Nonce<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        //= RFC 7296 section 3.9: the size of the Nonce Data MUST be between 16 and 256 octets, inclusive.
        if !(MIN_NONCE_LEN..=MAX_NONCE_LEN).contains(&reader.len()) {
            return Err(reader.error(DecodeErrorKind::BadLength, "nonce data"));
        }
        Ok(Self(Cow::Borrowed(reader.rest())))
    }
}

impl<'a> Eap<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if reader.len() < 4 {
            return Err(reader.error(DecodeErrorKind::Truncated, "EAP message"));
        }
        Ok(Self(Cow::Borrowed(reader.rest())))
    }
}
