//! Transport mode on whole IP packets: the IP header stays outside and ESP takes the place of what
//! follows it. RFC 4303 section 3.1.1.

use core::ops::Range;

use crate::checksum::internet_checksum;
use crate::config::Mode;
use crate::error::{InnerError, OpenError, SealError};
use crate::inbound::{Inbound, Opened};
use crate::ip::{Fragment, IpError, IpPacket, IpProblem};
use crate::outbound::Outbound;
use crate::packet::{NextHeader, Spi};

impl Outbound {
    /// Seals what the IP packet at `packet` in `buf` carries, in place, on a transport-mode SA. Says where
    /// the IP packet lies then.
    ///
    /// The IP header, with its options or extension headers, moves to the front by [`Self::headroom`]
    /// bytes; [`Self::tailroom`] of the rest is needed behind. ESP stands behind IPv6 extension
    /// headers, destination options included, which RFC 4303 section 3.1.1 leaves to us.
    ///
    /// # Errors
    /// [`SealError::NotTransport`] if the SA is one of tunnel mode, or `packet` is not a whole IP packet of
    /// exactly that length: a fragment must be reassembled first, RFC 4303 section 3.3.4. Otherwise as
    /// [`Self::seal`].
    pub fn seal_transport(
        &mut self,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Range<usize>, SealError> {
        let out_of_bounds = SealError::OutOfBounds { end: packet.end, buffer: buf.len() };
        let bytes = buf.get(packet.clone()).ok_or(out_of_bounds)?;
        let headers = IpPacket::parse(bytes)
            .ok()
            .filter(|headers| headers.total_len == bytes.len())
            .filter(|headers| headers.fragment == Fragment::Whole)
            .filter(|_| self.mode() == Mode::Transport)
            .ok_or(SealError::NotTransport)?;
        let start = packet
            .start
            .checked_sub(self.headroom())
            .ok_or(SealError::Headroom { needed: self.headroom(), available: packet.start })?;
        let mut ip = [0; MAX_HEADER_LEN];
        let ip = ip.get_mut(..headers.header_len).ok_or(SealError::NotTransport)?;
        ip.copy_from_slice(&bytes[..headers.header_len]);

        let payload = packet.start + headers.header_len..packet.end;
        let esp = self.seal(buf, payload, headers.protocol)?;
        let total = headers.header_len + esp.len();
        if !rewrite(ip, NextHeader::ESP, total) {
            return Err(SealError::TooLong { packet: total });
        }
        buf[start..start + ip.len()].copy_from_slice(ip);
        Ok(start..esp.end)
    }
}

impl Inbound {
    /// Opens the ESP packet in the IP packet `packet`, in place, on a transport-mode SA. The payload's
    /// range is that of the IP packet that the peer's stack sent, header included.
    ///
    /// Where a NAT has changed the addresses, the checksum of TCP or UDP inside is wrong:
    /// [`Self::with_checksum_repair`] has it put right.
    ///
    /// # Errors
    /// [`OpenError::Inner`] with offset 0 if `packet` is not a whole IP packet, and
    /// [`OpenError::Fragment`] if it is a fragment; the host has to reassemble. Otherwise as [`Self::open`],
    /// offsets counted from the SPI on.
    pub fn open_transport(&mut self, packet: &mut [u8]) -> Result<Opened, OpenError> {
        let headers = self.outer_headers(packet).map_err(|error| self.received.refuse(error))?;
        let mut ip = [0; MAX_HEADER_LEN];
        let ip = &mut ip[..headers.header_len];
        ip.copy_from_slice(&packet[..headers.header_len]);

        let mut opened = self.open(&mut packet[headers.header_len..headers.total_len])?;
        if opened.is_dummy() {
            return Ok(opened);
        }
        // The header moves up to the payload, over what was ESP's.
        let start = opened.payload.start;
        let end = headers.header_len + opened.payload.end;
        // Shorter than what came in, so that the length field holds it.
        rewrite(ip, opened.next_header, end - start);
        packet[start..start + ip.len()].copy_from_slice(ip);
        if let Some(repair) = &self.opener.checksum_repair {
            // What is no proper packet has no checksum either; the stack above it will see.
            let _ = repair.apply(&mut packet[start..end]);
        }
        opened.payload = start..end;
        Ok(opened)
    }

    /// The IP header of a packet that can be opened, no longer than [`MAX_HEADER_LEN`].
    fn outer_headers(&self, packet: &[u8]) -> Result<IpPacket, OpenError> {
        let inner = |error| OpenError::Inner(InnerError { start: 0, error });
        let headers = IpPacket::parse(packet).map_err(inner)?;
        //= RFC 4303 section 3.4.1: a fragment MUST be discarded.
        if headers.fragment != Fragment::Whole {
            let spi = packet.get(headers.header_len..).and_then(Spi::of_packet);
            return Err(OpenError::Fragment { spi: spi.filter(|_| !headers.fragment.is_later()) });
        }
        if headers.protocol != NextHeader::ESP || self.mode() != Mode::Transport {
            return Err(OpenError::UnexpectedNextHeader(headers.protocol));
        }
        if headers.header_len > MAX_HEADER_LEN {
            let problem = IpProblem::HeaderTooLong;
            return Err(inner(IpError { offset: MAX_HEADER_LEN, problem }));
        }
        Ok(headers)
    }
}

/// The longest IP header, with extension headers, that ESP is applied behind.
const MAX_HEADER_LEN: usize = 256;

/// Makes `header`, an IP header with what belongs to it, announce `protocol` and a packet of `total`
/// bytes. False if the length field cannot hold that.
fn rewrite(header: &mut [u8], protocol: NextHeader, total: usize) -> bool {
    if header[0] >> 4 == 4 {
        let Ok(total) = u16::try_from(total) else { return false };
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[9] = protocol.0;
        header[10..12].fill(0);
        let checksum = internet_checksum(&[header]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        return true;
    }
    let Ok(payload) = u16::try_from(total - 40) else { return false };
    header[4..6].copy_from_slice(&payload.to_be_bytes());
    header[last_next_header(header)] = protocol.0;
    true
}

/// Where an IPv6 header with extension headers, which was walked before, says what follows them.
fn last_next_header(header: &[u8]) -> usize {
    let (mut field, mut at) = (6, 40);
    while at < header.len() {
        let len = match NextHeader(header[field]) {
            NextHeader::FRAGMENT => 8,
            NextHeader::AH => usize::from(header[at + 1]) * 4 + 8,
            _ => usize::from(header[at + 1]) * 8 + 8,
        };
        (field, at) = (at, at + len);
    }
    field
}
