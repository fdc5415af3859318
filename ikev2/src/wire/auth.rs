//! The Authentication payload, RFC 7296 section 3.8.

use alloc::borrow::Cow;

use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::registry::AuthMethod;
use super::writer::Writer;

/// The proof of an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authentication<'a> {
    /// How `data` was computed.
    pub method: AuthMethod,
    /// The MAC or signature, for method 14 with its algorithm in front (RFC 7427 section 3).
    pub data: Cow<'a, [u8]>,
}

impl<'a> Authentication<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let method = AuthMethod(reader.u8("auth method")?);
        reader.array::<3>("AUTH payload")?;
        Ok(Self { method, data: Cow::Borrowed(reader.rest()) })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.method.0);
        writer.bytes(&[0; 3]);
        writer.bytes(&self.data);
        Ok(())
    }

    pub(super) fn into_owned(self) -> Authentication<'static> {
        Authentication { method: self.method, data: Cow::Owned(self.data.into_owned()) }
    }
}
