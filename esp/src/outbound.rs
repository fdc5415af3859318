//! Sealing: RFC 4303 section 3.3.

use core::fmt;
use core::ops::Range;

use adit_platform::cipher_mac::Packet;
use adit_platform::{Provider, Rng};

use crate::batch::{GROUP, SealFrame};
use crate::config::{Mode, SaConfig, SaKeys};
use crate::error::{SealError, SetupError};
use crate::lifetime::{LifetimeEvent, Meter};
use crate::packet::{
    HEADER_LEN, MAX_PACKET_LEN, NextHeader, PADDING, PADDING_WORD, SHORT_PADDING, Spi, TRAILER_LEN,
    pad_len,
};
use crate::protection::{Counter, IvSource, Protection, Sizes, packet};
use crate::stats::OutboundStats;

/// The sending end of an SA.
///
/// One `Outbound` has one writer: it is what makes sure that no sequence number, and so no nonce, is
/// ever used twice. More cores take more SAs (RFC 9611), not a lock.
///
/// ```
/// use adit_esp::{NextHeader, Outbound, SaConfig, SaKeys, Spi};
/// use adit_platform::aead::AeadAlgorithm;
/// use adit_platform::rng::{Rng, RngError};
/// use adit_platform::{Provider, Secret, Suite};
///
/// /// Sends `packet`, an IPv4 packet, through a new SA.
/// fn example(provider: &Provider, rng: &mut dyn Rng, packet: &[u8]) -> Option<Vec<u8>> {
///     let suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);
///     let config = SaConfig::new(Spi(0x1000), suite);
///     let keys = SaKeys::new(Secret::copy_from(&[1; 20]), Secret::copy_from(&[]));
///     let mut sa = Outbound::new(&config, &keys, provider, rng).ok()?;
///
///     let payload = sa.headroom()..sa.headroom() + packet.len();
///     let mut buf = vec![0; payload.end + sa.tailroom(packet.len())];
///     buf[payload.clone()].copy_from_slice(packet);
///     let esp = sa.seal(&mut buf, payload, NextHeader::IPV4).ok()?;
///     Some(buf[esp].to_vec())
/// }
/// ```
pub struct Outbound {
    spi: Spi,
    mode: Mode,
    extended: bool,
    sizes: Sizes,
    /// The number of the last packet sent; 0 before the first.
    sequence: u64,
    /// The last number that may be sent.
    sequence_limit: u64,
    protection: Protection,
    ivs: IvSource,
    meter: Meter,
    stats: OutboundStats,
    /// Payloads shorter than this are made this long: traffic flow confidentiality.
    pad_to: usize,
}

impl Outbound {
    /// A new SA, whose first packet will carry sequence number 1.
    ///
    /// `rng` is asked once, and only for a suite whose IVs must be unpredictable (CBC).
    ///
    /// # Errors
    /// If the SPI is reserved, the provider cannot run the suite, or a key has the wrong length.
    pub fn new(
        config: &SaConfig,
        keys: &SaKeys,
        provider: &Provider,
        rng: &mut dyn Rng,
    ) -> Result<Self, SetupError> {
        if config.spi.is_reserved() {
            return Err(SetupError::ReservedSpi(config.spi));
        }
        let extended = config.extended_sequence_numbers;
        let sequence_limit = if extended { u64::MAX } else { u32::MAX.into() };
        Ok(Self {
            spi: config.spi,
            mode: config.mode,
            extended,
            sizes: Sizes::of(config.suite),
            sequence: 0,
            sequence_limit,
            protection: Protection::new(config.suite, keys, provider)?,
            ivs: IvSource::new(config.suite, provider, rng)?,
            meter: Meter::new(config.lifetime, sequence_limit),
            stats: OutboundStats::default(),
            pad_to: 0,
        })
    }

    /// Pads every payload that is shorter to `len` bytes, so that its length cannot be seen: traffic
    /// flow confidentiality, RFC 4303 section 2.7.
    ///
    /// # Errors
    /// In transport mode, where the receiver could not tell the padding from the payload.
    pub fn with_padding_to(mut self, len: u16) -> Result<Self, SetupError> {
        if self.mode == Mode::Transport {
            return Err(SetupError::PaddingNeedsTunnel);
        }
        self.pad_to = len.into();
        Ok(self)
    }

    /// Takes over an SA of which packets up to `sequence` have been sent elsewhere, as a standby
    /// gateway does (RFC 6311). Sending a number that was sent before breaks the SA's encryption: leave
    /// a margin.
    pub fn dangerous_resume_after(mut self, sequence: u64) -> Self {
        self.sequence = sequence.min(self.sequence_limit);
        self.meter.limit_sequence_numbers(self.sequence_limit - self.sequence);
        self
    }

    /// The SPI that packets carry.
    pub const fn spi(&self) -> Spi {
        self.spi
    }

    /// What the SA carries.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Bytes needed in front of a payload: 8, 16 or 24. Constant over the life of the SA.
    pub const fn headroom(&self) -> usize {
        self.sizes.header
    }

    /// Bytes needed behind a payload of `payload` bytes, for padding, trailer and ICV.
    pub const fn tailroom(&self, payload: usize) -> usize {
        let padded = if payload < self.pad_to { self.pad_to } else { payload };
        (padded - payload) + pad_len(padded, self.sizes.align) + TRAILER_LEN + self.sizes.icv
    }

    /// Bytes that ESP may add to a payload, in front and behind together: what an inner MTU is smaller
    /// by, next to the outer headers. Padding that was asked for by [`Self::with_padding_to`] is not
    /// counted.
    pub const fn overhead(&self) -> usize {
        self.sizes.header + (self.sizes.align - 1) + TRAILER_LEN + self.sizes.icv
    }

    /// The longest payload whose ESP packet has at most `packet` bytes; 0 if there is none.
    pub const fn max_payload(&self, packet: usize) -> usize {
        let encrypted = packet.saturating_sub(self.sizes.header + self.sizes.icv);
        (encrypted & !(self.sizes.align - 1)).saturating_sub(TRAILER_LEN)
    }

    /// Seals the payload that lies at `payload` in `buf`, in place, and says where in `buf` the ESP
    /// packet lies then.
    ///
    /// Needs [`Self::headroom`] bytes in front of the payload and [`Self::tailroom`] behind it; what
    /// they held is overwritten. For a dummy packet, which the peer discards, seal any bytes with
    /// [`NextHeader::NONE`].
    ///
    /// # Errors
    /// If the range or the room around it does not fit, the sequence numbers are used up, or the hard
    /// lifetime is over. Nothing may be sent then; a number that was taken for the packet stays unused.
    #[inline]
    pub fn seal(
        &mut self,
        buf: &mut [u8],
        payload: Range<usize>,
        next: NextHeader,
    ) -> Result<Range<usize>, SealError> {
        let (packet, counter) = self.prepare(buf, payload, next)?;
        match self.protection.seal(self.sizes, counter, &mut buf[packet.clone()]) {
            Ok(()) => Ok(packet),
            Err(_) => Err(self.refuse(SealError::Crypto)),
        }
    }

    /// Seals `payload` out of place: the ESP packet is written to the front of `out`, and its length is
    /// returned. So can the segments of one large buffer be sealed into another, one behind the other, for
    /// a system that takes many packets in one call (GSO).
    ///
    /// The bytes are those that [`Self::seal`] would make. Needs [`Self::headroom`], the payload's length and
    /// [`Self::tailroom`] in `out`. Where the provider can read the payload in one place and write it in
    /// another ([`AeadKey::seal_to`](adit_platform::aead::AeadKey::seal_to)), it is not copied first.
    ///
    /// ```
    /// use adit_esp::{NextHeader, Outbound, SealError};
    ///
    /// /// Seals inner IPv4 packets one behind the other; returns where each ESP packet ends.
    /// fn fill(sa: &mut Outbound, packets: &[&[u8]], out: &mut [u8]) -> Result<Vec<usize>, SealError> {
    ///     let mut ends = Vec::new();
    ///     let mut at = 0;
    ///     for packet in packets {
    ///         at += sa.seal_into(packet, NextHeader::IPV4, &mut out[at..])?;
    ///         ends.push(at);
    ///     }
    ///     Ok(ends)
    /// }
    /// ```
    ///
    /// # Errors
    /// Like [`Self::seal`]; of the room in `out`, what is missing is said of the tailroom.
    #[inline]
    pub fn seal_into(
        &mut self,
        payload: &[u8],
        next: NextHeader,
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let start = self.headroom();
        let end = start + payload.len();
        if end > out.len() {
            let needed = end - start + self.tailroom(payload.len());
            let available = out.len().saturating_sub(start);
            return Err(self.refuse(SealError::Tailroom { needed, available }));
        }
        let (packet, counter) = self.prepare(out, start..end, next)?;
        match self.protection.seal_to(self.sizes, counter, payload, &mut out[packet.clone()]) {
            Ok(()) => Ok(packet.end),
            Err(_) => Err(self.refuse(SealError::Crypto)),
        }
    }

    /// All of sealing that comes before the cryptography: checks that there is room, takes a number, writes
    /// header and trailer, and counts. Says where in `buf` the packet lies, which is within it.
    #[inline(always)]
    fn prepare(
        &mut self,
        buf: &mut [u8],
        payload: Range<usize>,
        next: NextHeader,
    ) -> Result<(Range<usize>, Counter), SealError> {
        let payload_len = payload.end.saturating_sub(payload.start);
        match self.prepare_uncounted(buf, payload, next) {
            Ok(prepared) => {
                self.meter.count(payload_len);
                Ok(prepared)
            }
            Err(error) => Err(self.refuse(error)),
        }
    }

    #[inline(always)]
    fn prepare_uncounted(
        &mut self,
        buf: &mut [u8],
        payload: Range<usize>,
        next: NextHeader,
    ) -> Result<(Range<usize>, Counter), SealError> {
        let buffer = buf.len();
        let out_of_bounds = SealError::OutOfBounds { end: payload.end, buffer };
        let payload_len = payload.end.checked_sub(payload.start).ok_or(out_of_bounds)?;
        let available = buffer.checked_sub(payload.end).ok_or(out_of_bounds)?;
        let start = payload
            .start
            .checked_sub(self.sizes.header)
            .ok_or(SealError::Headroom { needed: self.sizes.header, available: payload.start })?;
        let tailroom = self.tailroom(payload_len);
        if available < tailroom {
            return Err(SealError::Tailroom { needed: tailroom, available });
        }
        let end = payload.end + tailroom;
        if end - start > MAX_PACKET_LEN {
            return Err(SealError::TooLong { packet: end - start });
        }
        if self.sequence >= self.sequence_limit {
            return Err(SealError::SequenceExhausted);
        }
        if self.meter.would_exceed(payload_len) {
            return Err(SealError::Expired);
        }
        let packet = &mut buf[start..end];

        //= RFC 4303 section 3.3.3: numbers never cycle. From here on this one is used, whatever happens
        // to the packet.
        self.sequence += 1;
        let sequence = self.sequence;
        let padded = payload_len.max(self.pad_to);
        if padded > payload_len {
            packet[self.sizes.header + payload_len..self.sizes.header + padded].fill(0);
        }
        write_trailer(&mut packet[self.sizes.header + padded..], self.sizes.icv, next);
        packet[..4].copy_from_slice(&self.spi.0.to_be_bytes());
        packet[4..8].copy_from_slice(&(sequence as u32).to_be_bytes());
        self.ivs
            .write(sequence, &mut packet[HEADER_LEN..self.sizes.header])
            .map_err(|_| SealError::Crypto)?;
        Ok((start..end, Counter { spi: self.spi, sequence, extended: self.extended }))
    }

    /// Seals up to [`GROUP`] frames; the cryptography takes them all at once.
    fn seal_group(&mut self, frames: &mut [SealFrame<'_>]) {
        let mut packets = core::array::from_fn::<_, GROUP, _>(|_| Packet::default());
        let mut count = 0;
        for SealFrame { buf, payload, next, result } in frames {
            *result =
                Some(self.prepare(buf, payload.clone(), *next).and_then(|(range, counter)| {
                    let prepared = packet(self.sizes, counter, &mut buf[range.clone()]);
                    let (Some(place), Some(prepared)) = (packets.get_mut(count), prepared) else {
                        return Err(self.refuse(SealError::Crypto));
                    };
                    (*place, count) = (prepared, count + 1);
                    Ok(range)
                }));
        }
        if let Some(key) = self.protection.batch() {
            key.seal(&mut packets[..count]);
        }
    }

    /// Counts an error.
    #[cold]
    fn refuse(&mut self, error: SealError) -> SealError {
        match error {
            SealError::SequenceExhausted => {
                self.stats.exhausted += 1;
                self.meter.expire();
            }
            SealError::Expired => {
                self.stats.expired += 1;
                self.meter.expire();
            }
            _ => self.stats.misuse += 1,
        }
        error
    }

    /// Seals each frame as [`Self::seal`] does, in order. A frame that fails does not stop the others.
    ///
    /// Where the provider has a form of the suite for many packets at once, as `simd` has for AES-CBC with
    /// HMAC-SHA2, the frames of a batch are sealed side by side: 8 and more are what that is made
    /// for.
    pub fn seal_batch(&mut self, frames: &mut [SealFrame<'_>]) {
        if self.protection.batch().is_some() {
            for group in frames.chunks_mut(GROUP) {
                self.seal_group(group);
            }
        } else {
            for SealFrame { buf, payload, next, result } in frames {
                *result = Some(self.seal(buf, payload.clone(), *next));
            }
        }
    }

    /// The sequence number of the last packet sealed; 0 if there was none.
    pub const fn last_sequence(&self) -> u64 {
        self.sequence
    }

    /// What happened to the SA's lifetime since the last call.
    pub fn poll_event(&mut self) -> Option<LifetimeEvent> {
        self.meter.poll_event()
    }

    /// Counters since the SA was made.
    pub fn stats(&self) -> OutboundStats {
        OutboundStats { packets: self.meter.packets, bytes: self.meter.bytes, ..self.stats }
    }
}

/// Padding 1, 2, 3, …, its length and the next header, over the whole of `trailer` but the `icv` bytes at
/// its end, which are still to be written.
#[inline]
fn write_trailer(trailer: &mut [u8], icv: usize, next: NextHeader) {
    let Some(pad) = trailer.len().checked_sub(icv + TRAILER_LEN) else { return };
    match trailer.first_chunk_mut::<8>() {
        // Eight bytes in one go, of which the last fall into the room for the ICV.
        Some(front) if pad <= SHORT_PADDING => {
            let shift = 8 * pad as u32;
            let padding = PADDING_WORD & ((1 << shift) - 1);
            let end = pad as u64 | u64::from(next.0) << 8;
            *front = (padding | end << shift).to_le_bytes();
        }
        // At most the cipher's block is padded to: this always fits the table and the octet.
        _ => {
            for (byte, value) in trailer.iter_mut().zip(&PADDING[..pad]) {
                *byte = *value;
            }
            trailer[pad..pad + TRAILER_LEN].copy_from_slice(&[pad as u8, next.0]);
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("spi", &self.spi)
            .field("mode", &self.mode)
            .field("extended", &self.extended)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
