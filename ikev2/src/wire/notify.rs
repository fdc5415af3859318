//! The Notify payload, RFC 7296 section 3.10.

use alloc::borrow::Cow;

use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::registry::{NotifyType, ProtocolId};
use super::spi::Spi;
use super::writer::Writer;

/// An error, a status, or the announcement of an extension.
///
/// ```
/// use adit_ikev2::wire::{Notify, NotifyType};
///
/// let notify = Notify::error(NotifyType::TEMPORARY_FAILURE);
/// assert!(notify.notify_type.is_error());
/// assert_eq!(format!("{:?}", notify.notify_type), "TEMPORARY_FAILURE");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notify<'a> {
    /// The protocol of the SA that `spi` names; zero without an SPI.
    pub protocol: ProtocolId,
    /// The SA that this is about, if it is about one.
    pub spi: Spi,
    /// What is notified.
    pub notify_type: NotifyType,
    /// Data that the type defines.
    pub data: Cow<'a, [u8]>,
}

impl<'a> Notify<'a> {
    /// An error about the message itself, without data.
    pub const fn error(notify_type: NotifyType) -> Self {
        Self { protocol: ProtocolId::NONE, spi: Spi::None, notify_type, data: Cow::Borrowed(&[]) }
    }

    /// A status, or an error with data, that is about no other SA.
    pub const fn status(notify_type: NotifyType, data: &'a [u8]) -> Self {
        Self { protocol: ProtocolId::NONE, spi: Spi::None, notify_type, data: Cow::Borrowed(data) }
    }

    /// A notification about the Child SA of this protocol and SPI.
    pub const fn child(notify_type: NotifyType, protocol: ProtocolId, spi: u32) -> Self {
        Self { protocol, spi: Spi::Child(spi), notify_type, data: Cow::Borrowed(&[]) }
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let protocol = ProtocolId(reader.u8("protocol ID")?);
        let spi_size = reader.u8("SPI size")?;
        let notify_type = NotifyType(reader.u16("notify message type")?);
        let spi = Spi::parse(reader, spi_size)?;
        Ok(Self { protocol, spi, notify_type, data: Cow::Borrowed(reader.rest()) })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.protocol.0);
        writer.u8(self.spi.size());
        writer.u16(self.notify_type.0);
        self.spi.encode(writer);
        writer.bytes(&self.data);
        Ok(())
    }

    /// The same notification with its data copied out of the datagram.
    pub fn into_owned(self) -> Notify<'static> {
        Notify {
            protocol: self.protocol,
            spi: self.spi,
            notify_type: self.notify_type,
            data: Cow::Owned(self.data.into_owned()),
        }
    }
}
