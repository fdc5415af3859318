//! The Delete payload, RFC 7296 section 3.11.

use alloc::vec::Vec;

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::limits::MAX_DELETED_SPIS;
use super::reader::Reader;
use super::registry::ProtocolId;
use super::writer::Writer;

/// SAs that the sender has removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delete {
    /// [`ProtocolId::IKE`] for the IKE SA that carries this message, else the protocol of the Child SAs.
    pub protocol: ProtocolId,
    /// For Child SAs, the SPIs as the sender expects them inbound. Empty for an IKE SA.
    pub spis: Vec<u32>,
}

impl Delete {
    /// Deletes the IKE SA that carries the message.
    pub const fn ike_sa() -> Self {
        Self { protocol: ProtocolId::IKE, spis: Vec::new() }
    }

    /// Deletes ESP SAs by the sender's inbound SPIs.
    pub const fn esp(spis: Vec<u32>) -> Self {
        Self { protocol: ProtocolId::ESP, spis }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let protocol = ProtocolId(reader.u8("protocol ID")?);
        let spi_size = reader.u8("SPI size")?;
        let count = usize::from(reader.u16("number of SPIs")?);
        //= RFC 7296 section 3.11: the SPI Size MUST be zero for IKE or four for AH and ESP.
        if protocol == ProtocolId::IKE {
            reader.finish("Delete payload")?;
            return Ok(Self::ike_sa());
        }
        if count != 0 && spi_size != 4 {
            return Err(reader.error(DecodeErrorKind::BadLength, "SPI"));
        }
        if reader.len() != count * 4 {
            return Err(reader.error(DecodeErrorKind::BadLength, "number of SPIs"));
        }
        if count > MAX_DELETED_SPIS {
            return Err(reader.error(DecodeErrorKind::TooMany, "SPIs"));
        }
        let mut spis = Vec::with_capacity(count);
        for _ in 0..count {
            spis.push(reader.u32("SPI")?);
        }
        Ok(Self { protocol, spis })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.protocol.0);
        writer.u8(if self.protocol == ProtocolId::IKE { 0 } else { 4 });
        writer.len16(self.spis.len(), "number of SPIs")?;
        for spi in &self.spis {
            writer.u32(*spi);
        }
        Ok(())
    }
}
