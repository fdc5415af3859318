//! The Identification payloads, RFC 7296 section 3.5.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::registry::IdType;
use super::writer::Writer;

/// Who a peer says it is, as it stands on the wire.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identification<'a> {
    /// How to read `data`.
    pub id_type: IdType,
    /// The identity itself.
    pub data: Cow<'a, [u8]>,
}

impl<'a> Identification<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id_type = IdType(reader.u8("ID type")?);
        reader.array::<3>("ID payload")?;
        Ok(Self { id_type, data: Cow::Borrowed(reader.rest()) })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.id_type.0);
        writer.bytes(&[0; 3]);
        writer.bytes(&self.data);
        Ok(())
    }

    /// The payload without its generic header (`RestOfInitIDPayload` in RFC 7296 section 2.15), which
    /// AUTH is computed over. The reserved octets are taken as zero, as RFC 7296 has them sent.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(4 + self.data.len());
        body.extend_from_slice(&[self.id_type.0, 0, 0, 0]);
        body.extend_from_slice(&self.data);
        body
    }

    pub(super) fn into_owned(self) -> Identification<'static> {
        Identification { id_type: self.id_type, data: Cow::Owned(self.data.into_owned()) }
    }
}
