//! The part of an inbound SA that never changes: keys, sizes and rules.

use adit_platform::cipher_mac::{CipherMacKey, Packet};

use crate::batch::{GROUP, OpenFrame};
use crate::config::Mode;
use crate::error::{InnerError, OpenError};
use crate::inbound::Opened;
use crate::ip::{HeaderV4, HeaderV6, IpError};
use crate::nat::ChecksumRepair;
use crate::packet::{NextHeader, PADDING, Spi, TRAILER_LEN};
use crate::protection::{Counter, Protection, Sizes, packet};
use crate::selector::InboundRules;

/// Opens packets whose sequence number has been found and checked by somebody else, and so needs no
/// exclusive access: several cores can work with one.
pub(crate) struct Opener {
    pub(crate) spi: Spi,
    pub(crate) mode: Mode,
    pub(crate) extended: bool,
    pub(crate) sizes: Sizes,
    pub(crate) protection: Protection,
    pub(crate) selectors: Option<InboundRules>,
    pub(crate) contents: Contents,
    /// Transport mode behind a NAT: what is done about the checksums inside.
    pub(crate) checksum_repair: Option<ChecksumRepair>,
}

/// What the packets of an SA hold, next to dummy packets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Tunnel mode: a whole IP packet.
    IpPacket,
    /// Tunnel mode with AGGFRAG payloads and nothing else.
    Aggfrag,
    /// Transport mode.
    Anything,
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
            frame.result = match self.check_shape(frame.packet) {
                Ok(low) => {
                    frame.sequence = low.into();
                    None
                }
                Err(error) => Some(Err(error)),
            };
        }
    }

    /// Verifies, decrypts and takes apart a packet that was admitted with this number.
    #[inline]
    pub(crate) fn open(&self, packet: &mut [u8], sequence: u64) -> Result<Opened, OpenError> {
        self.decrypt(packet, sequence)?;
        self.unwrap(packet, sequence)
    }

    /// The same with all frames that have not been refused; the cryptography takes many at once if it can.
    pub(crate) fn open_batch(&self, frames: &mut [OpenFrame<'_>]) {
        if let Some(key) = self.protection.batch() {
            for group in frames.chunks_mut(GROUP) {
                self.open_group(key, group);
            }
        } else {
            for OpenFrame { packet, sequence, result } in frames {
                if result.is_none() {
                    *result = Some(self.open(packet, *sequence));
                }
            }
        }
    }

    /// The same with up to [`GROUP`] frames, side by side.
    fn open_group(&self, key: &dyn CipherMacKey, frames: &mut [OpenFrame<'_>]) {
        let mut packets = core::array::from_fn::<_, GROUP, _>(|_| Packet::default());
        let mut count = 0;
        for frame in frames.iter_mut().filter(|frame| frame.result.is_none()) {
            let counter =
                Counter { spi: self.spi, sequence: frame.sequence, extended: self.extended };
            // What was admitted has been found to have the shape of a packet: each gets its place.
            if let (Some(place), Some(packet)) =
                (packets.get_mut(count), packet(self.sizes, counter, frame.packet))
            {
                (*place, count) = (packet, count + 1);
            }
        }
        key.open(&mut packets[..count]);
        let authentic = packets.each_ref().map(Packet::is_authentic);
        let admitted = frames.iter_mut().filter(|frame| frame.result.is_none());
        for (OpenFrame { packet, sequence, result }, authentic) in admitted.zip(authentic) {
            *result = Some(match authentic {
                true => self.unwrap(packet, *sequence),
                false => Err(OpenError::Authentication { spi: self.spi, sequence: *sequence }),
            });
        }
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
        let len = if next_header == NextHeader::IPV4 && self.contents == Contents::IpPacket {
            self.inner_v4(payload)?
        } else {
            self.other_contents(payload, next_header)?
        };
        let start = self.sizes.header;
        Ok(Opened { payload: start..start + len, next_header, sequence })
    }

    /// How much of the payload counts, if it is no IPv4 packet in tunnel mode. By itself, so that the path of
    /// that keeps what it reads of the packet in registers.
    #[inline(never)]
    fn other_contents(&self, payload: &[u8], next_header: NextHeader) -> Result<usize, OpenError> {
        match (self.contents, next_header) {
            //= RFC 4303 section 2.6: whatever a dummy packet holds is discarded.
            (_, NextHeader::NONE) => Ok(0),
            (Contents::IpPacket, NextHeader::IPV6) => self.inner_v6(payload),
            (Contents::Aggfrag, NextHeader::AGGFRAG) | (Contents::Anything, _) => Ok(payload.len()),
            (Contents::IpPacket | Contents::Aggfrag, other) => {
                Err(OpenError::UnexpectedNextHeader(other))
            }
        }
    }

    /// Finds the payload of a decrypted packet: RFC 4303 section 2.4.
    #[inline(always)]
    fn unpad<'a>(&self, packet: &'a [u8]) -> Result<(&'a [u8], NextHeader), OpenError> {
        // That a packet has room for what is looked for here was seen before it was decrypted.
        let Some(text) = packet.get(..packet.len().wrapping_sub(self.sizes.icv)) else {
            return Err(OpenError::Padding { offset: packet.len() });
        };
        let Some(&[first, second, pad_len, next_header]) = text.last_chunk() else {
            return Err(OpenError::Padding { offset: text.len() });
        };
        let padded = &text[..text.len() - TRAILER_LEN];
        let Some(payload) = padded
            .get(..padded.len().wrapping_sub(pad_len.into()))
            .and_then(|front| front.get(self.sizes.header..))
        else {
            return Err(OpenError::Padding { offset: padded.len() });
        };
        //= RFC 4303 section 2.4: the receiver SHOULD inspect the padding.
        // What is short is compared in the trailer's own word: a load that spans stores of the decryption
        // would have to wait for them.
        let right = match pad_len {
            0..=2 => {
                let word = u32::from(u16::from_le_bytes([first, second]));
                word >> (16 - 8 * pad_len) == SHORT_PADDING_WORDS[usize::from(pad_len)]
            }
            _ => wrong_padding(padded, pad_len).is_none(),
        };
        if right {
            return Ok((payload, NextHeader(next_header)));
        }
        let offset = wrong_padding(padded, pad_len).unwrap_or(padded.len());
        Err(OpenError::Padding { offset })
    }

    /// Finds an inner IPv4 packet and checks it against the selectors. Returns its length: what lies behind
    /// it is TFC padding, RFC 4303 section 2.7.
    #[inline(always)]
    fn inner_v4(&self, inner: &[u8]) -> Result<usize, OpenError> {
        let ip = HeaderV4::parse(inner).map_err(|error| self.inner_error(error))?;
        if let Some(rules) = &self.selectors
            && !rules.v4.admit_all(ip.addresses())
            && !rules.v4.admit(ip.addresses(), &ip.above(inner))
        {
            self.admit_icmp_error(rules, inner)?;
        }
        Ok(ip.total_len)
    }

    /// The same of IPv6.
    fn inner_v6(&self, inner: &[u8]) -> Result<usize, OpenError> {
        let ip = HeaderV6::parse(inner).map_err(|error| self.inner_error(error))?;
        if let Some(rules) = &self.selectors
            && !rules.v6.admit_all(ip.addresses())
            && !rules.v6.admit(ip.addresses(), &ip.above())
        {
            self.admit_icmp_error(rules, inner)?;
        }
        Ok(ip.packet.len())
    }

    #[cold]
    fn admit_icmp_error(&self, rules: &InboundRules, inner: &[u8]) -> Result<(), OpenError> {
        if rules.admit_icmp_error(inner) { Ok(()) } else { Err(OpenError::Selectors) }
    }

    #[cold]
    fn inner_error(&self, error: IpError) -> OpenError {
        OpenError::Inner(InnerError { start: self.sizes.header, error })
    }
}

/// Padding of 0, 1 and 2 bytes as a little-endian number.
static SHORT_PADDING_WORDS: [u32; 3] = [0, 0x01, 0x0201];

/// Where in `padded`, which ends with `pad_len` bytes of padding, the first wrong one is.
#[inline(never)]
fn wrong_padding(padded: &[u8], pad_len: u8) -> Option<usize> {
    let start = padded.len().checked_sub(pad_len.into())?;
    let wrong = padded[start..].iter().zip(&PADDING).position(|(has, right)| has != right)?;
    Some(start + wrong)
}
