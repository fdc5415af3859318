//! Appends fields to a buffer and fills in the lengths that enclose them.

use alloc::vec::Vec;

use super::error::EncodeError;

/// Writes big-endian fields at the end of a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buf: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buf: &'a mut Vec<u8>) -> Self {
        Self { buf }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.buf.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// A count or length that must fit into one octet.
    pub(crate) fn len8(&mut self, len: usize, what: &'static str) -> Result<(), EncodeError> {
        self.u8(u8::try_from(len).map_err(|_| EncodeError { what })?);
        Ok(())
    }

    /// A count or length that must fit into two octets.
    pub(crate) fn len16(&mut self, len: usize, what: &'static str) -> Result<(), EncodeError> {
        self.u16(u16::try_from(len).map_err(|_| EncodeError { what })?);
        Ok(())
    }

    /// Writes a structure whose two-octet length lies `at` bytes after its beginning and counts it whole.
    pub(crate) fn measured(
        &mut self,
        at: usize,
        what: &'static str,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.buf.len();
        write(&mut Writer { buf: self.buf })?;
        let len = u16::try_from(self.buf.len() - start).map_err(|_| EncodeError { what })?;
        if let Some(field) = self.buf.get_mut(start + at..start + at + 2) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }
}
