//! Many packets in one call, and one inbound SA for many threads.

use core::ops::Range;

use crate::error::{OpenError, SealError};
use crate::inbound::Opened;
use crate::packet::NextHeader;

/// How many packets the cryptography is given at a time.
pub(crate) const GROUP: usize = 32;

/// A packet to be sealed in a batch, by [`Outbound::seal_batch`](crate::Outbound::seal_batch).
///
/// ```
/// use adit_esp::batch::SealFrame;
/// use adit_esp::{NextHeader, Outbound};
///
/// /// Seals what lies behind the headroom in each buffer; returns how many could be.
/// fn seal_all(sa: &mut Outbound, buffers: &mut [Vec<u8>]) -> usize {
///     let (head, tail) = (sa.headroom(), sa.tailroom(1400));
///     let mut frames: Vec<SealFrame<'_>> = buffers
///         .iter_mut()
///         .map(|buf| {
///             buf.resize(head + 1400 + tail, 0);
///             SealFrame::new(buf, head..head + 1400, NextHeader::IPV4)
///         })
///         .collect();
///     sa.seal_batch(&mut frames);
///     frames.iter().filter(|frame| matches!(frame.result(), Some(Ok(_)))).count()
/// }
/// ```
#[derive(Debug)]
pub struct SealFrame<'a> {
    pub(crate) buf: &'a mut [u8],
    pub(crate) payload: Range<usize>,
    pub(crate) next: NextHeader,
    pub(crate) result: Option<Result<Range<usize>, SealError>>,
}

impl<'a> SealFrame<'a> {
    /// The arguments of [`Outbound::seal`](crate::Outbound::seal).
    pub fn new(buf: &'a mut [u8], payload: Range<usize>, next: NextHeader) -> Self {
        Self { buf, payload, next, result: None }
    }

    /// What [`Outbound::seal`](crate::Outbound::seal) said; `None` until the batch was sealed.
    pub fn result(&self) -> Option<&Result<Range<usize>, SealError>> {
        self.result.as_ref()
    }

    /// The ESP packet, if there is one.
    pub fn packet(&self) -> Option<&[u8]> {
        match &self.result {
            Some(Ok(packet)) => self.buf.get(packet.clone()),
            _ => None,
        }
    }
}

/// A packet to be opened in a batch, by [`Inbound::open_batch`](crate::Inbound::open_batch).
#[derive(Debug)]
pub struct OpenFrame<'a> {
    pub(crate) packet: &'a mut [u8],
    /// The number that it carries, then its full number.
    pub(crate) sequence: u64,
    pub(crate) result: Option<Result<Opened, OpenError>>,
}

impl<'a> OpenFrame<'a> {
    /// The argument of [`Inbound::open`](crate::Inbound::open).
    pub fn new(packet: &'a mut [u8]) -> Self {
        Self { packet, sequence: 0, result: None }
    }

    /// What [`Inbound::open`](crate::Inbound::open) said; `None` until the batch was opened.
    pub fn result(&self) -> Option<&Result<Opened, OpenError>> {
        self.result.as_ref()
    }

    /// The payload, if the packet was opened; empty for a dummy packet.
    pub fn payload(&self) -> Option<&[u8]> {
        match &self.result {
            Some(Ok(opened)) => self.packet.get(opened.payload.clone()),
            _ => None,
        }
    }
}

#[cfg(feature = "std")]
pub use shared::SharedInbound;

#[cfg(feature = "std")]
mod shared {
    use std::hint::spin_loop;
    use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

    use super::OpenFrame;
    use crate::error::OpenError;
    use crate::inbound::{Inbound, Opened, Received, Tally};
    use crate::lifetime::LifetimeEvent;
    use crate::opener::Opener;
    use crate::packet::Spi;
    use crate::stats::InboundStats;

    /// An inbound SA that several threads receive on (feature `std`).
    ///
    /// The cryptography runs outside the lock; a batch takes it twice, once to check all its sequence
    /// numbers and once to record those that proved authentic. A packet that two threads have at the same
    /// time is accepted from one of them. An SA for each core costs less: RFC 9611.
    ///
    /// ```
    /// use adit_esp::Inbound;
    /// use adit_esp::batch::{OpenFrame, SharedInbound};
    ///
    /// fn receive(sa: &SharedInbound, packets: &mut [Vec<u8>]) -> usize {
    ///     let mut frames: Vec<OpenFrame<'_>> =
    ///         packets.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
    ///     sa.open_batch(&mut frames);
    ///     frames.iter().filter_map(|frame| frame.payload()).map(|payload| payload.len()).sum()
    /// }
    /// ```
    pub struct SharedInbound {
        opener: Opener,
        received: OwnLines<Mutex<Received>>,
    }

    /// Begins and ends at the lines of a cache, and at the pairs of lines that some processors fetch: what
    /// one core writes here takes nothing from under another that reads what lies beside it.
    #[repr(align(128))]
    struct OwnLines<T>(T);

    /// How often a thread that finds the lock taken looks again before it sleeps. A batch holds it for a
    /// fraction of a microsecond, for which no thread should be put to sleep and woken: this is some
    /// microseconds.
    const LOOKS: usize = 128;

    impl SharedInbound {
        /// Shares an SA.
        pub fn new(sa: Inbound) -> Self {
            let Inbound { opener, received } = sa;
            Self { opener, received: OwnLines(Mutex::new(received)) }
        }

        /// The SPI that packets carry.
        pub fn spi(&self) -> Spi {
            self.opener.spi
        }

        /// Like [`Inbound::open`].
        ///
        /// # Errors
        /// If the packet must be dropped.
        pub fn open(&self, packet: &mut [u8]) -> Result<Opened, OpenError> {
            let sequence = self.lock().admit_counted(&self.opener, packet)?;
            let result = self.opener.open(packet, sequence);
            self.lock().record(sequence, result)
        }

        /// Like [`Inbound::open_batch`].
        pub fn open_batch(&self, frames: &mut [OpenFrame<'_>]) {
            self.opener.check_shapes(frames);
            self.lock().admit_batch(&self.opener, frames);
            self.opener.open_batch(frames);
            let tally = Tally::of(frames);
            self.lock().record_batch(frames, &tally);
        }

        /// What happened to the SA's lifetime since the last call.
        pub fn poll_event(&self) -> Option<LifetimeEvent> {
            self.lock().poll_event()
        }

        /// Counters since the SA was made.
        pub fn stats(&self) -> InboundStats {
            self.lock().stats()
        }

        /// Nothing that runs under the lock can panic and leave half a change; if it did, the window
        /// would still be one that refuses more, not less.
        fn lock(&self) -> MutexGuard<'_, Received> {
            let Self { received: OwnLines(received), .. } = self;
            for _ in 0..LOOKS {
                match received.try_lock() {
                    Ok(guard) => return guard,
                    Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) => spin_loop(),
                }
            }
            received.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
