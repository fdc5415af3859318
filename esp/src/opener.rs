//! The part of an inbound SA that never changes: keys, sizes and rules.

use core::ops::Range;

use adit_platform::cipher_mac::{CipherMacKey, Packet};

use crate::batch::{GROUP, OpenFrame};
use crate::config::Mode;
use crate::error::{InnerError, OpenError};
use crate::inbound::Opened;
use crate::ip::{HeaderV4, IpError, IpPacket};
use crate::nat::ChecksumRepair;
use crate::packet::{NextHeader, PADDING, Spi, TRAILER_LEN};
use crate::protection::{Counter, Protection, Sizes, packet};
use crate::selector::Selectors;

/// Opens packets whose sequence number has been found and checked by somebody else, and so needs no
/// exclusive access: several cores can work with one.
pub(crate) struct Opener {
    pub(crate) spi: Spi,
    pub(crate) mode: Mode,
    pub(crate) extended: bool,
    pub(crate) sizes: Sizes,
    pub(crate) protection: Protection,
    pub(crate) selectors: Option<Selectors>,
    /// Tunnel mode with AGGFRAG payloads and nothing else.
    pub(crate) aggfrag: bool,
    /// Transport mode behind a NAT: what is done about the checksums inside.
    pub(crate) checksum_repair: Option<ChecksumRepair>,
}

impl Opener {
    /// Checks lengths and SPI. Returns the sequence number as the packet carries it.
    #[inline]
    pub(crate) fn check_shape(&self, packet: &[u8]) -> Result<u32, OpenError> {
        let minimum = self.sizes.header + self.sizes.align + self.sizes.icv;
        let (Some(encrypted), Some([s0, s1, s2, s3, low @ ..])) = (
            packet.len().checked_sub(self.sizes.header + self.sizes.icv),
            packet.first_chunk::<8>(),
        ) else {
            return Err(OpenError::Truncated { len: packet.len(), minimum });
        };
        if encrypted < self.sizes.align {
            return Err(OpenError::Truncated { len: packet.len(), minimum });
        }
        let spi = Spi(u32::from_be_bytes([*s0, *s1, *s2, *s3]));
        if spi != self.spi {
            return Err(OpenError::WrongSpi { spi });
        }
        if encrypted & (self.sizes.align - 1) != 0 {
            return Err(OpenError::Misaligned { len: encrypted, multiple: self.sizes.align });
        }
        Ok(u32::from_be_bytes(*low))
    }

    /// Checks lengths and SPI of all frames, and notes the sequence numbers that they carry.
    pub(crate) fn check_shapes(&self, frames: &mut [OpenFrame<'_>]) {
        for frame in frames {
            frame.admitted = self.check_shape(frame.packet).map(u64::from);
        }
    }

    /// Verifies, decrypts and takes apart a packet that was admitted with this number.
    #[inline]
    pub(crate) fn open(&self, packet: &mut [u8], sequence: u64) -> Result<Opened, OpenError> {
        self.decrypt(packet, sequence)?;
        self.unwrap(packet, sequence)
    }

    /// The same with all frames that were admitted; the cryptography takes many at once if it can.
    pub(crate) fn open_batch(&self, frames: &mut [OpenFrame<'_>]) {
        let Some(key) = self.protection.batch() else {
            for OpenFrame { packet, admitted, result } in frames {
                *result = Some(admitted.and_then(|sequence| self.open(packet, sequence)));
            }
            return;
        };
        for group in frames.chunks_mut(GROUP) {
            let authentic = self.decrypt_group(key, group);
            for (OpenFrame { packet, admitted, result }, authentic) in
                group.iter_mut().zip(authentic)
            {
                *result = Some(admitted.and_then(|sequence| match authentic {
                    true => self.unwrap(packet, sequence),
                    false => Err(OpenError::Authentication { spi: self.spi, sequence }),
                }));
            }
        }
    }

    /// Verifies and decrypts up to [`GROUP`] frames, and says which of them are authentic.
    fn decrypt_group(&self, key: &dyn CipherMacKey, frames: &mut [OpenFrame<'_>]) -> [bool; GROUP] {
        let mut packets = core::array::from_fn::<_, GROUP, _>(|_| Packet::default());
        // Which frame each packet is.
        let mut places = [0; GROUP];
        let mut count = 0;
        for (place, frame) in frames.iter_mut().enumerate().take(GROUP) {
            let Ok(sequence) = frame.admitted else { continue };
            // What was admitted has been found to have the shape of a packet.
            let counter = Counter { spi: self.spi, sequence, extended: self.extended };
            if let Some(packet) = packet(self.sizes, counter, frame.packet) {
                (packets[count], places[count]) = (packet, place);
                count += 1;
            }
        }
        key.open(&mut packets[..count]);
        let mut authentic = [false; GROUP];
        for (packet, place) in packets[..count].iter().zip(places) {
            authentic[place] = packet.is_authentic();
        }
        authentic
    }

    /// Verifies and decrypts `packet`.
    #[inline]
    pub(crate) fn decrypt(&self, packet: &mut [u8], sequence: u64) -> Result<(), OpenError> {
        let counter = Counter { spi: self.spi, sequence, extended: self.extended };
        self.protection
            .open(self.sizes, counter, packet)
            .map_err(|_| OpenError::Authentication { spi: self.spi, sequence })
    }

    /// Takes a decrypted packet apart.
    #[inline]
    pub(crate) fn unwrap(&self, packet: &[u8], sequence: u64) -> Result<Opened, OpenError> {
        let (payload, next_header) = self.unpad(packet)?;
        let payload = match self.mode {
            //= RFC 4303 section 2.6: whatever a dummy packet holds is discarded.
            _ if next_header == NextHeader::NONE => payload.start..payload.start,
            Mode::Tunnel if self.aggfrag => match next_header {
                NextHeader::AGGFRAG => payload,
                other => return Err(OpenError::UnexpectedNextHeader(other)),
            },
            Mode::Tunnel => self.unwrap_inner(packet, payload, next_header)?,
            Mode::Transport => payload,
        };
        Ok(Opened { payload, next_header, sequence })
    }

    /// Finds the payload of a decrypted packet: RFC 4303 section 2.4.
    #[inline]
    fn unpad(&self, packet: &[u8]) -> Result<(Range<usize>, NextHeader), OpenError> {
        let (text, _) = packet.split_at(packet.len() - self.sizes.icv);
        let Some(&[first, second, pad_len, next_header]) = text.last_chunk() else {
            return Err(OpenError::Padding { offset: text.len() });
        };
        let trailer_at = text.len() - TRAILER_LEN;
        let start = self.sizes.header;
        let body = text.get(start..trailer_at).unwrap_or_default();
        let Some(payload_len) = body.len().checked_sub(pad_len.into()) else {
            return Err(OpenError::Padding { offset: trailer_at });
        };
        //= RFC 4303 section 2.4: the receiver SHOULD inspect the padding.
        let padding = &body[payload_len..];
        // What is short is compared in the trailer's own word: a load that spans stores of the decryption
        // would have to wait for them.
        let right = match padding.len() {
            len @ 0..=2 => {
                let expected = u32::from(u16::from_le_bytes([1, 2])) << (8 * (2 - len));
                let word = u32::from(u16::from_le_bytes([first, second]));
                ((word ^ expected) & 0xffff) >> (8 * (2 - len)) == 0
            }
            3 => *padding == [1, 2, 3],
            len => padding == &PADDING[..len],
        };
        if right {
            return Ok((start..start + payload_len, NextHeader(next_header)));
        }
        let wrong = padding.iter().zip(&PADDING).take_while(|(a, b)| a == b).count();
        Err(OpenError::Padding { offset: start + payload_len + wrong })
    }

    /// Finds the inner IP packet of a tunnel-mode packet and checks it against the selectors.
    #[inline]
    fn unwrap_inner(
        &self,
        packet: &[u8],
        payload: Range<usize>,
        next_header: NextHeader,
    ) -> Result<Range<usize>, OpenError> {
        let inner = &packet[payload.clone()];
        match next_header {
            NextHeader::IPV4 => self.unwrap_inner_v4(payload.start, inner),
            NextHeader::IPV6 => self.unwrap_inner_v6(payload.start, inner),
            other => Err(OpenError::UnexpectedNextHeader(other)),
        }
    }

    #[inline]
    fn unwrap_inner_v4(&self, start: usize, inner: &[u8]) -> Result<Range<usize>, OpenError> {
        let ip = HeaderV4::parse(inner).map_err(|error| inner_error(start, error))?;
        let admit = |own: &Selectors| own.admit_inbound_v4(&ip.selected, || ip.upper(inner));
        self.admit_inner(start, inner, ip.total_len, admit)
    }

    /// By itself, so that the path of IPv4 keeps what it reads of the packet in registers.
    #[inline(never)]
    fn unwrap_inner_v6(&self, start: usize, inner: &[u8]) -> Result<Range<usize>, OpenError> {
        let ip = IpPacket::parse_v6(inner).map_err(|error| inner_error(start, error))?;
        self.admit_inner(start, inner, ip.total_len, |own| own.admit_inbound(&ip))
    }

    #[inline(always)]
    fn admit_inner(
        &self,
        start: usize,
        inner: &[u8],
        total_len: usize,
        admit: impl FnOnce(&Selectors) -> bool,
    ) -> Result<Range<usize>, OpenError> {
        if let Some(selectors) = &self.selectors
            && !admit(selectors)
            && !selectors.admit_icmp_error(inner)
        {
            return Err(OpenError::Selectors);
        }
        //= RFC 4303 section 2.7: what lies behind the inner packet is TFC padding.
        Ok(start..start + total_len)
    }
}

#[cold]
fn inner_error(start: usize, error: IpError) -> OpenError {
    OpenError::Inner(InnerError { start, error })
}
