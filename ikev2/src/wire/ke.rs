//! The Key Exchange payload, RFC 7296 section 3.4.

use alloc::borrow::Cow;

use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::registry::KeMethod;
use super::writer::Writer;

/// A public value for one key exchange method.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyExchange<'a> {
    /// The method ("Diffie-Hellman Group Num").
    pub method: KeMethod,
    /// The public value in the form that the method's RFC gives it.
    pub data: Cow<'a, [u8]>,
}

impl<'a> KeyExchange<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let method = KeMethod(reader.u16("key exchange method")?);
        reader.u16("KE payload")?;
        Ok(Self { method, data: Cow::Borrowed(reader.rest()) })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u16(self.method.0);
        writer.u16(0);
        writer.bytes(&self.data);
        Ok(())
    }

    pub(super) fn into_owned(self) -> KeyExchange<'static> {
        KeyExchange { method: self.method, data: Cow::Owned(self.data.into_owned()) }
    }
}
