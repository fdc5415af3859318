//! Sealing and opening in the buffers of the `bytes` crate.

use bytes::{Buf, BytesMut};

use crate::error::{OpenError, SealError};
use crate::inbound::{Inbound, Opened};
use crate::outbound::Outbound;
use crate::packet::NextHeader;

impl Outbound {
    /// Seals the payload in `buf`, which stands behind [`Self::headroom`] bytes of any content, and leaves
    /// the ESP packet there (feature `bytes`).
    ///
    /// Allocates only if the buffer's capacity has no room for [`Self::tailroom`] bytes more.
    ///
    /// ```
    /// use adit_esp::{NextHeader, Outbound, SealError};
    /// use bytes::{Bytes, BytesMut};
    ///
    /// fn send(sa: &mut Outbound, packet: &[u8]) -> Result<Bytes, SealError> {
    ///     let mut buf = BytesMut::zeroed(sa.headroom());
    ///     buf.extend_from_slice(packet);
    ///     sa.seal_bytes(&mut buf, NextHeader::IPV4)?;
    ///     Ok(buf.freeze())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Self::seal`]. The buffer holds what it held before then, but for the headroom's content.
    pub fn seal_bytes(&mut self, buf: &mut BytesMut, next: NextHeader) -> Result<(), SealError> {
        let len = buf.len();
        let payload = len
            .checked_sub(self.headroom())
            .ok_or(SealError::Headroom { needed: self.headroom(), available: len })?;
        buf.resize(len + self.tailroom(payload), 0);
        match self.seal(buf, self.headroom()..len, next) {
            Ok(_) => Ok(()),
            Err(error) => {
                buf.truncate(len);
                Err(error)
            }
        }
    }
}

impl Inbound {
    /// Opens the ESP packet in `buf` and leaves its payload there (feature `bytes`). Never allocates.
    ///
    /// # Errors
    /// As [`Self::open`]; the content of `buf` is unspecified then.
    pub fn open_bytes(&mut self, buf: &mut BytesMut) -> Result<Opened, OpenError> {
        let opened = self.open(buf)?;
        buf.truncate(opened.payload.end);
        buf.advance(opened.payload.start);
        Ok(Opened { payload: 0..buf.len(), ..opened })
    }
}
