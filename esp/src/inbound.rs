//! Opening: RFC 4303 section 3.4.

use core::fmt;
use core::ops::Range;

use adit_platform::Provider;

use crate::batch::OpenFrame;
use crate::config::{Mode, SaConfig, SaKeys};
use crate::error::{OpenError, SetupError};
use crate::lifetime::{LifetimeEvent, Meter};
use crate::opener::{Contents, Opener};
use crate::packet::{NextHeader, Spi};
use crate::protection::{Protection, Sizes};
use crate::replay::{Numbers, Replay, Window, WindowSize};
use crate::selector::{InboundRules, Selectors};
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
    pub(crate) opener: Opener,
    pub(crate) received: Received,
}

/// The part of an inbound SA that each packet changes.
///
/// In this order, so that what an authentic packet changes lies in one line of the cache together with the lock
/// of a [`SharedInbound`](crate::batch::SharedInbound): it is what goes from core to core.
#[repr(C)]
pub(crate) struct Received {
    window: Window,
    /// Integrity failures since the last packet that passed: RFC 4303 appendix A3.1.
    failures: u32,
    check_replay: bool,
    meter: Meter,
    stats: InboundStats,
}

/// What a packet held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Where in the ESP packet the payload lies. In tunnel mode that is one whole IP packet, padding
    /// for traffic flow confidentiality removed, or an AGGFRAG payload; empty for a dummy packet.
    pub payload: Range<usize>,
    /// What the payload is: [`NextHeader::IPV4`], [`NextHeader::IPV6`] or [`NextHeader::AGGFRAG`] in tunnel
    /// mode, the protocol in transport mode, [`NextHeader::NONE`] for a dummy packet.
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
        let sequence_numbers = if extended { u64::MAX } else { u32::MAX.into() };
        Ok(Self {
            opener: Opener {
                spi: config.spi,
                mode: config.mode,
                contents: match config.mode {
                    Mode::Tunnel => Contents::IpPacket,
                    Mode::Transport => Contents::Anything,
                },
                extended,
                sizes: Sizes::of(config.suite),
                protection: Protection::new(config.suite, keys, provider)?,
                selectors: None,
                checksum_repair: None,
            },
            received: Received {
                window: Window::new(WindowSize::default()),
                check_replay: true,
                meter: Meter::new(config.lifetime, sequence_numbers),
                stats: InboundStats::default(),
                failures: 0,
            },
        })
    }

    /// Uses a replay window of another size. Call it before the first packet: what was received so far
    /// counts as received, and what is missing up to there will be refused.
    pub fn with_window(mut self, size: WindowSize) -> Self {
        let window = &mut self.received.window;
        *window = Window::resuming_after(size, window.top());
        self
    }

    /// Checks the inner packets of a tunnel-mode SA against these: RFC 4301 section 5.2, step 4.
    ///
    /// Without it the inner packet's addresses are not looked at, and the caller has to.
    pub fn with_selectors(mut self, selectors: Selectors) -> Self {
        self.opener.selectors = Some(InboundRules::new(selectors));
        self
    }

    /// Takes AGGFRAG payloads and nothing else, as was agreed by USE_AGGFRAG (RFC 9347 section 5.1): what is
    /// opened goes to an [`iptfs::Receiver`](crate::iptfs::Receiver), which is to check the selectors.
    ///
    /// # Errors
    /// In transport mode, which has no whole inner packets.
    pub fn with_aggfrag(mut self) -> Result<Self, SetupError> {
        if self.mode() != Mode::Tunnel {
            return Err(SetupError::AggfragNeedsTunnel);
        }
        self.opener.contents = Contents::Aggfrag;
        Ok(self)
    }

    /// Takes over an SA on which numbers up to `top` may have been received elsewhere (RFC 6311): all of
    /// them count as received.
    pub fn resume_after(mut self, top: u64) -> Self {
        let window = &mut self.received.window;
        *window = Window::resuming_after(window.size(), top);
        self
    }

    /// Accepts every authentic packet as often as it comes: for manually keyed and multi-sender SAs,
    /// RFC 4303 section 3.4.3. Whoever can record packets can then repeat them.
    ///
    /// # Errors
    /// With extended sequence numbers, whose high half only the window knows.
    pub fn dangerous_without_replay_check(mut self) -> Result<Self, SetupError> {
        if self.opener.extended {
            return Err(SetupError::ExtendedNeedsWindow);
        }
        self.received.check_replay = false;
        Ok(self)
    }

    /// The SPI that packets carry.
    pub const fn spi(&self) -> Spi {
        self.opener.spi
    }

    /// What the SA carries.
    pub const fn mode(&self) -> Mode {
        self.opener.mode
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
        let Self { opener, received } = self;
        match received.open(opener, packet) {
            Ok(opened) => {
                received.count(&opened);
                Ok(opened)
            }
            Err(error) => Err(received.refuse(error)),
        }
    }

    /// Opens each frame as [`Self::open`] does, in order. A frame that fails does not stop the others.
    ///
    /// Where the provider has a form of the suite for many packets at once, as `simd` has for AES-CBC with
    /// HMAC-SHA2, all sequence numbers are checked first, then all packets opened side by side, then all
    /// numbers recorded. Of two copies of a packet in one batch the second is refused in any case.
    pub fn open_batch(&mut self, frames: &mut [OpenFrame<'_>]) {
        if self.opener.protection.batch().is_none() {
            for OpenFrame { packet, result, .. } in frames {
                *result = Some(self.open(packet));
            }
            return;
        }
        self.opener.check_shapes(frames);
        self.received.admit_batch(&self.opener, frames);
        self.opener.open_batch(frames);
        let tally = Tally::of(frames);
        self.received.record_batch(frames, &tally);
    }

    /// True if so many packets in a row have failed their integrity check that more than 2³² may have
    /// been lost before them. Give the next one to [`Self::recover`] instead of [`Self::open`].
    pub const fn needs_recovery(&self) -> bool {
        self.received.needs_recovery(&self.opener)
    }

    /// Opens `packet` like [`Self::open`], and if it is not authentic, tries again with the high half of
    /// the sequence number advanced by 1, 2, … up to `tries`: RFC 4303 appendix A3.2. A packet that opens
    /// moves the window to its number.
    ///
    /// Each try costs one integrity check and a copy of the packet, which whoever can send packets can
    /// make us do; the count of failures starts anew, so that the next time comes after as many.
    ///
    /// # Errors
    /// If the packet does not open in any of the tries, or must be dropped for another reason.
    pub fn recover(&mut self, packet: &mut [u8], tries: u32) -> Result<Opened, OpenError> {
        let original = packet.to_vec();
        let Self { opener, received } = self;
        let result = received.admit(opener, packet).and_then(|mut sequence| {
            let mut decrypted = opener.decrypt(packet, sequence);
            for _ in 0..if opener.extended { tries } else { 0 } {
                let Some(next) = sequence.checked_add(1 << 32) else { break };
                if decrypted.is_ok() {
                    break;
                }
                sequence = next;
                packet.copy_from_slice(&original);
                decrypted = opener.decrypt(packet, sequence);
            }
            received.authenticated(decrypted.is_ok(), sequence);
            received.failures = 0;
            decrypted?;
            opener.unwrap(packet, sequence)
        });
        received.counted(result)
    }

    /// The highest sequence number received; 0 if there was none.
    pub const fn top_sequence(&self) -> u64 {
        self.received.window.top()
    }

    /// What happened to the SA's lifetime since the last call.
    pub fn poll_event(&mut self) -> Option<LifetimeEvent> {
        self.received.poll_event()
    }

    /// Counters since the SA was made.
    pub fn stats(&self) -> InboundStats {
        self.received.stats()
    }
}

impl Received {
    /// Opens a packet. What becomes of it is still to be counted.
    #[inline(always)]
    fn open(&mut self, opener: &Opener, packet: &mut [u8]) -> Result<Opened, OpenError> {
        let sequence = self.admit(opener, packet)?;
        let decrypted = opener.decrypt(packet, sequence);
        self.authenticated(decrypted.is_ok(), sequence);
        decrypted?;
        opener.unwrap(packet, sequence)
    }

    /// All that can be said before the integrity check. Returns the full sequence number.
    #[inline]
    pub(crate) fn admit(&self, opener: &Opener, packet: &[u8]) -> Result<u64, OpenError> {
        self.admit_number(opener, opener.check_shape(packet)?)
    }

    #[inline]
    fn admit_number(&self, opener: &Opener, low: u32) -> Result<u64, OpenError> {
        if self.meter.is_over() {
            return Err(OpenError::Expired);
        }
        if opener.extended {
            // Only the window knows the high half, so that it is always checked.
            let (sequence, checked) = self.window.extend_checked(low);
            return checked.map(|()| sequence).map_err(|replay| refused(replay, sequence));
        }
        self.check_replay(low.into())?;
        Ok(low.into())
    }

    #[inline]
    fn check_replay(&self, sequence: u64) -> Result<(), OpenError> {
        if !self.check_replay {
            return Ok(());
        }
        self.window.check(sequence).map_err(|replay| refused(replay, sequence))
    }

    /// Records the outcome of the integrity check: only if it passed is the number used.
    #[inline]
    fn authenticated(&mut self, passed: bool, sequence: u64) {
        if passed {
            self.failures = 0;
            self.window.commit(sequence);
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// [`Self::admit`] for a packet that is done with if it is refused.
    #[cfg(feature = "std")]
    pub(crate) fn admit_counted(
        &mut self,
        opener: &Opener,
        packet: &[u8],
    ) -> Result<u64, OpenError> {
        self.admit(opener, packet).map_err(|error| self.refuse(error))
    }

    /// Finds the full numbers of all frames that have the shape of a packet, and whether they may be opened.
    pub(crate) fn admit_batch(&self, opener: &Opener, frames: &mut [OpenFrame<'_>]) {
        for frame in frames.iter_mut().filter(|frame| frame.result.is_none()) {
            match self.admit_number(opener, frame.sequence as u32) {
                Ok(sequence) => frame.sequence = sequence,
                Err(error) => frame.result = Some(Err(error)),
            }
        }
    }

    /// Records and counts all frames, after they were opened, with what a [`Tally`] found of them.
    pub(crate) fn record_batch(&mut self, frames: &mut [OpenFrame<'_>], tally: &Tally) {
        if !self.record_all(tally) {
            self.record_each(frames);
        }
    }

    /// False if that cannot be done, and nothing is recorded.
    #[inline]
    fn record_all(&mut self, tally: &Tally) -> bool {
        let Tally { clean: true, packets, bytes, ref numbers } = *tally else { return false };
        let recorded = self.check_replay
            && self.meter.has_room(packets, bytes)
            && self.window.commit_all(numbers);
        if recorded {
            self.failures = 0;
            self.meter.count_all(packets, bytes);
        }
        recorded
    }

    #[cold]
    fn record_each(&mut self, frames: &mut [OpenFrame<'_>]) {
        for OpenFrame { sequence, result, .. } in frames {
            match result.take() {
                Some(Err(error)) if error.precedes_integrity() => {
                    *result = Some(Err(self.refuse(error)));
                }
                opened => *result = opened.map(|opened| self.record(*sequence, opened)),
            }
        }
    }

    /// Records and counts a packet that was admitted, decrypted and taken apart while others may have
    /// used its number or the last of the lifetime. Returns what has become of it.
    pub(crate) fn record(
        &mut self,
        sequence: u64,
        result: Result<Opened, OpenError>,
    ) -> Result<Opened, OpenError> {
        let result = match result {
            Err(OpenError::Authentication { .. }) => {
                self.authenticated(false, sequence);
                result
            }
            _ if self.meter.is_over() => Err(OpenError::Expired),
            _ => self.check_replay(sequence).and_then(|()| {
                self.authenticated(true, sequence);
                result
            }),
        };
        self.counted(result)
    }

    fn counted(&mut self, result: Result<Opened, OpenError>) -> Result<Opened, OpenError> {
        result.inspect(|opened| self.count(opened)).map_err(|error| self.refuse(error))
    }

    /// Counts a packet that was opened.
    #[inline]
    fn count(&mut self, opened: &Opened) {
        if opened.is_dummy() {
            self.stats.dummies += 1;
        } else {
            self.meter.count(opened.payload.end.wrapping_sub(opened.payload.start));
        }
    }

    /// Counts a packet that was not.
    #[cold]
    pub(crate) fn refuse(&mut self, error: OpenError) -> OpenError {
        *self.stats.reason(&error) += 1;
        error
    }

    const fn needs_recovery(&self, opener: &Opener) -> bool {
        opener.extended && self.failures >= RECOVERY_TRIGGER
    }

    pub(crate) fn poll_event(&mut self) -> Option<LifetimeEvent> {
        self.meter.poll_event()
    }

    pub(crate) fn stats(&self) -> InboundStats {
        InboundStats { packets: self.meter.packets, bytes: self.meter.bytes, ..self.stats }
    }
}

#[cold]
fn refused(replay: Replay, sequence: u64) -> OpenError {
    match replay {
        Replay::TooOld => OpenError::TooOld { sequence: sequence as u32 },
        Replay::Repeated => OpenError::Replayed { sequence },
    }
}

/// What there is to record of a batch, gathered before the lock is taken.
pub(crate) struct Tally {
    /// True if every frame was opened, and all numbers could be gathered; if not, the rest says nothing.
    clean: bool,
    numbers: Numbers,
    packets: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) fn of(frames: &[OpenFrame<'_>]) -> Self {
        let mut tally = Self { clean: true, numbers: Numbers::new(), packets: 0, bytes: 0 };
        for OpenFrame { sequence, result, .. } in frames {
            match result {
                Some(Ok(opened)) if !opened.is_dummy() && tally.numbers.add(*sequence) => {
                    tally.packets += 1;
                    tally.bytes += opened.payload.len() as u64;
                }
                _ => {
                    tally.clean = false;
                    break;
                }
            }
        }
        tally
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("spi", &self.opener.spi)
            .field("mode", &self.opener.mode)
            .field("extended", &self.opener.extended)
            .field("window", &self.received.window)
            .finish_non_exhaustive()
    }
}
