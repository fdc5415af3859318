//! Opening: RFC 4303 section 3.4.

use core::fmt;
use core::ops::Range;

use adit_platform::Provider;

use crate::config::{Mode, SaConfig, SaKeys};
use crate::error::{InnerError, OpenError, SetupError};
use crate::ip::{IpError, IpPacket};
use crate::lifetime::{LifetimeEvent, Meter};
use crate::packet::{NextHeader, PADDING, Spi, TRAILER_LEN};
use crate::protection::{Counter, Protection, Sizes};
use crate::replay::{Replay, Window, WindowSize};
use crate::selector::Selectors;
use crate::stats::InboundStats;

/// The receiving end of an SA.
///
/// ```
/// use adit_esp::{Inbound, OpenError, SaConfig, SaKeys, Spi};
/// use adit_platform::aead::AeadAlgorithm;
/// use adit_platform::{Provider, Secret, Suite};
///
/// /// The IP packet inside an ESP packet.
/// fn example<'a>(sa: &mut Inbound, esp: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
///     let opened = sa.open(esp)?;
///     Ok(&esp[opened.payload])
/// }
/// ```
pub struct Inbound {
    spi: Spi,
    mode: Mode,
    extended: bool,
    sizes: Sizes,
    protection: Protection,
    window: Window,
    check_replay: bool,
    selectors: Option<Selectors>,
    meter: Meter,
    stats: InboundStats,
    /// Integrity failures since the last packet that passed: RFC 4303 appendix A3.1.
    failures: u32,
}

/// What a packet held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Where in the ESP packet the payload lies. In tunnel mode that is one whole IP packet, padding
    /// for traffic flow confidentiality removed; empty for a dummy packet.
    pub payload: Range<usize>,
    /// What the payload is: [`NextHeader::IPV4`] or [`NextHeader::IPV6`] in tunnel mode, the protocol
    /// in transport mode, [`NextHeader::NONE`] for a dummy packet.
    pub next_header: NextHeader,
    /// The packet's full sequence number.
    pub sequence: u64,
}

impl Opened {
    /// True for a packet that only hides how much traffic there is: discard it. RFC 4303 section 2.6.
    pub fn is_dummy(&self) -> bool {
        self.next_header == NextHeader::NONE
    }
}

/// After how many integrity failures in a row a receiver may have lost the high half of the sequence
/// number: RFC 4303 appendix A3.1 leaves it to us. On a link that forges or damages every packet this
/// costs one recovery attempt per as many packets.
const RECOVERY_TRIGGER: u32 = 32;

impl Inbound {
    /// A new SA that has received nothing, with a replay window of the default size.
    ///
    /// # Errors
    /// If the SPI is reserved, the provider cannot run the suite, or a key has the wrong length.
    pub fn new(config: &SaConfig, keys: &SaKeys, provider: &Provider) -> Result<Self, SetupError> {
        if config.spi.is_reserved() {
            return Err(SetupError::ReservedSpi(config.spi));
        }
        let extended = config.extended_sequence_numbers;
        Ok(Self {
            spi: config.spi,
            mode: config.mode,
            extended,
            sizes: Sizes::of(config.suite),
            protection: Protection::new(config.suite, keys, provider)?,
            window: Window::new(WindowSize::default()),
            check_replay: true,
            selectors: None,
            meter: Meter::new(config.lifetime, if extended { u64::MAX } else { u32::MAX.into() }),
            stats: InboundStats::default(),
            failures: 0,
        })
    }

    /// Uses a replay window of another size. Call it before the first packet: what was received so far
    /// counts as received, and what is missing up to there will be refused.
    pub fn with_window(mut self, size: WindowSize) -> Self {
        self.window = Window::resuming_after(size, self.window.top());
        self
    }

    /// Checks the inner packets of a tunnel-mode SA against these: RFC 4301 section 5.2, step 4.
    ///
    /// Without it the inner packet's addresses are not looked at, and the caller has to.
    pub fn with_selectors(mut self, selectors: Selectors) -> Self {
        self.selectors = Some(selectors);
        self
    }

    /// Takes over an SA on which numbers up to `top` may have been received elsewhere (RFC 6311): all of
    /// them count as received.
    pub fn resume_after(mut self, top: u64) -> Self {
        self.window = Window::resuming_after(self.window.size(), top);
        self
    }

    /// Accepts every authentic packet as often as it comes: for manually keyed and multi-sender SAs,
    /// RFC 4303 section 3.4.3. Whoever can record packets can then repeat them.
    ///
    /// # Errors
    /// With extended sequence numbers, whose high half only the window knows.
    pub fn dangerous_without_replay_check(mut self) -> Result<Self, SetupError> {
        if self.extended {
            return Err(SetupError::ExtendedNeedsWindow);
        }
        self.check_replay = false;
        Ok(self)
    }

    /// The SPI that packets carry.
    pub const fn spi(&self) -> Spi {
        self.spi
    }

    /// What the SA carries.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Opens `packet`, from its SPI to its ICV, in place.
    ///
    /// The order is that of RFC 4303 section 3.4: the sequence number is checked first and recorded
    /// only after the ICV; padding, inner packet and selectors are looked at only in authentic packets.
    ///
    /// # Errors
    /// If the packet must be dropped. Its content is unspecified then.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8]) -> Result<Opened, OpenError> {
        let result = self.admit(packet).and_then(|sequence| self.open_admitted(packet, sequence));
        if let Err(error) = &result {
            self.count_error(error);
        }
        result
    }

    /// All that can be said before the integrity check. Returns the full sequence number.
    #[inline]
    fn admit(&self, packet: &[u8]) -> Result<u64, OpenError> {
        let low = self.check_shape(packet)?;
        if self.meter.would_exceed(0) {
            return Err(OpenError::Expired);
        }
        let sequence = if self.extended {
            self.window.extend(low).ok_or(OpenError::TooOld { sequence: low })?
        } else {
            low.into()
        };
        if self.check_replay {
            self.window.check(sequence).map_err(|replay| match replay {
                Replay::TooOld => OpenError::TooOld { sequence: low },
                Replay::Repeated => OpenError::Replayed { sequence },
            })?;
        }
        Ok(sequence)
    }

    /// Checks lengths and SPI. Returns the sequence number as the packet carries it.
    #[inline]
    fn check_shape(&self, packet: &[u8]) -> Result<u32, OpenError> {
        let minimum = self.sizes.header + self.sizes.align + self.sizes.icv;
        let (Some(encrypted), Some((spi, rest))) = (
            packet.len().checked_sub(self.sizes.header + self.sizes.icv),
            packet.split_first_chunk::<4>(),
        ) else {
            return Err(OpenError::Truncated { len: packet.len(), minimum });
        };
        let Some(low) = rest.first_chunk().filter(|_| encrypted >= self.sizes.align) else {
            return Err(OpenError::Truncated { len: packet.len(), minimum });
        };
        let spi = Spi(u32::from_be_bytes(*spi));
        if spi != self.spi {
            return Err(OpenError::WrongSpi { spi });
        }
        if encrypted & (self.sizes.align - 1) != 0 {
            return Err(OpenError::Misaligned { len: encrypted, multiple: self.sizes.align });
        }
        Ok(u32::from_be_bytes(*low))
    }

    /// Verifies and decrypts a packet that was admitted, and takes it apart.
    #[inline]
    fn open_admitted(&mut self, packet: &mut [u8], sequence: u64) -> Result<Opened, OpenError> {
        let counter = Counter { spi: self.spi, sequence, extended: self.extended };
        if self.protection.open(self.sizes, counter, packet).is_err() {
            self.failures = self.failures.saturating_add(1);
            return Err(OpenError::Authentication { spi: self.spi, sequence });
        }
        self.failures = 0;
        self.window.commit(sequence);
        let (payload, next_header) = self.unpad(packet)?;
        if next_header == NextHeader::NONE {
            self.stats.dummies += 1;
            return Ok(Opened { payload: payload.start..payload.start, next_header, sequence });
        }
        let payload = match self.mode {
            Mode::Tunnel => self.unwrap_inner(packet, payload, next_header)?,
            Mode::Transport => payload,
        };
        self.meter.count(payload.len());
        Ok(Opened { payload, next_header, sequence })
    }

    /// Finds the payload of a decrypted packet: RFC 4303 section 2.4.
    #[inline]
    fn unpad(&self, packet: &[u8]) -> Result<(Range<usize>, NextHeader), OpenError> {
        let trailer_end = packet.len() - self.sizes.icv;
        let trailer_at = trailer_end - TRAILER_LEN;
        let (pad_len, next_header) = (packet[trailer_at], packet[trailer_at + 1]);
        let padding_at = trailer_at
            .checked_sub(pad_len.into())
            .filter(|at| *at >= self.sizes.header)
            .ok_or(OpenError::Padding { offset: trailer_at })?;
        //= RFC 4303 section 2.4: the receiver SHOULD inspect the padding.
        let wrong = packet[padding_at..trailer_at].iter().zip(&PADDING).position(|(a, b)| a != b);
        match wrong {
            None => Ok((self.sizes.header..padding_at, NextHeader(next_header))),
            Some(at) => Err(OpenError::Padding { offset: padding_at + at }),
        }
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
            NextHeader::IPV4 => self.admit_inner(payload.start, IpPacket::parse_v4(inner)),
            NextHeader::IPV6 => self.unwrap_inner_v6(payload.start, inner),
            other => Err(OpenError::UnexpectedNextHeader(other)),
        }
    }

    /// By itself, so that the path of IPv4 keeps what it reads of the packet in registers.
    #[inline(never)]
    fn unwrap_inner_v6(&self, start: usize, inner: &[u8]) -> Result<Range<usize>, OpenError> {
        self.admit_inner(start, IpPacket::parse_v6(inner))
    }

    #[inline(always)]
    fn admit_inner(
        &self,
        start: usize,
        inner: Result<IpPacket, IpError>,
    ) -> Result<Range<usize>, OpenError> {
        let inner = inner.map_err(|error| OpenError::Inner(InnerError { start, error }))?;
        if self.selectors.as_ref().is_some_and(|selectors| !selectors.admit_inbound(&inner)) {
            return Err(OpenError::Selectors);
        }
        //= RFC 4303 section 2.7: what lies behind the inner packet is TFC padding.
        Ok(start..start + inner.total_len)
    }

    #[cold]
    fn count_error(&mut self, error: &OpenError) {
        *self.stats.reason(error) += 1;
    }

    /// True if so many packets in a row have failed their integrity check that more than 2³² may have
    /// been lost before them. Give the next one to [`Self::recover`] instead of [`Self::open`].
    pub const fn needs_recovery(&self) -> bool {
        self.extended && self.failures >= RECOVERY_TRIGGER
    }

    /// Tries to open `packet` with the high half of the sequence number advanced by 1, 2, … up to
    /// `tries`: RFC 4303 appendix A3.2. A packet that opens moves the window to its number.
    ///
    /// Each try costs one integrity check, which whoever can send packets can make us do; the count of
    /// failures starts anew, so that the next try comes after as many.
    ///
    /// # Errors
    /// If the packet does not open in any of the tries, or must be dropped for another reason.
    pub fn recover(&mut self, packet: &mut [u8], tries: u32) -> Result<Opened, OpenError> {
        self.failures = 0;
        let result = self.recover_uncounted(packet, tries);
        if let Err(error) = &result {
            self.count_error(error);
        }
        result
    }

    fn recover_uncounted(&mut self, packet: &mut [u8], tries: u32) -> Result<Opened, OpenError> {
        if !self.extended {
            let sequence = self.admit(packet)?;
            return self.open_admitted(packet, sequence);
        }
        let low = self.check_shape(packet)?;
        if self.meter.would_exceed(0) {
            return Err(OpenError::Expired);
        }
        let mut sequence = self.window.extend(low).ok_or(OpenError::TooOld { sequence: low })?;
        let received = packet.to_vec();
        for _ in 0..tries {
            let Some(next) = sequence.checked_add(1 << 32) else { break };
            sequence = next;
            packet.copy_from_slice(&received);
            match self.open_admitted(packet, sequence) {
                Err(OpenError::Authentication { .. }) => {}
                result => return result,
            }
        }
        self.failures = 0;
        Err(OpenError::Authentication { spi: self.spi, sequence })
    }

    /// The highest sequence number received; 0 if there was none.
    pub const fn top_sequence(&self) -> u64 {
        self.window.top()
    }

    /// What happened to the SA's lifetime since the last call.
    pub fn poll_event(&mut self) -> Option<LifetimeEvent> {
        self.meter.poll_event()
    }

    /// Counters since the SA was made.
    pub fn stats(&self) -> InboundStats {
        InboundStats { packets: self.meter.packets, bytes: self.meter.bytes, ..self.stats }
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("spi", &self.spi)
            .field("mode", &self.mode)
            .field("extended", &self.extended)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
