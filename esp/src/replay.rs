//! The anti-replay window and the high half of extended sequence numbers: RFC 4303 section 3.4.3 and
//! appendix A.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// How many packets late a packet may arrive and still be accepted.
///
/// A power of two from 64 to 65,536. The default is 8,192: at 10 Gbit/s in packets of 1,400 bytes
/// that is nine milliseconds of reordering. A window costs one bit per packet of width.
///
/// ```
/// use adit_esp::replay::WindowSize;
///
/// assert_eq!(WindowSize::default().packets(), 8192);
/// assert_eq!(WindowSize::at_least(1000).packets(), 1024);
/// assert_eq!(WindowSize::at_least(1).packets(), 64);
/// assert_eq!(WindowSize::at_least(1 << 20).packets(), 65_536);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowSize(u32);

impl WindowSize {
    /// The smallest window: 64 packets, which RFC 4303 section 3.4.3 prefers as the least.
    pub const MIN: Self = Self(64);
    /// The largest window: 65,536 packets, 8 KiB.
    pub const MAX: Self = Self(65_536);

    /// The smallest window that is at least `packets` wide, within [`Self::MIN`] and [`Self::MAX`].
    pub const fn at_least(packets: u32) -> Self {
        if packets <= Self::MIN.0 {
            Self::MIN
        } else if packets >= Self::MAX.0 {
            Self::MAX
        } else {
            Self(packets.next_power_of_two())
        }
    }

    /// The width in packets.
    pub const fn packets(self) -> u32 {
        self.0
    }
}

impl Default for WindowSize {
    fn default() -> Self {
        Self(8192)
    }
}

impl fmt::Debug for WindowSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowSize({})", self.0)
    }
}

/// Which sequence numbers of an SA have been received.
///
/// A ring of bits, one for each of the last [`WindowSize::packets`] numbers, that is never shifted:
/// RFC 6479. Its bits are cleared one by one at the ends of an advance and by whole words in between,
/// so that no spare word is needed and the width is exact.
///
/// Asking and recording are two calls, because the integrity check belongs between them.
///
/// ```
/// use adit_esp::replay::{Replay, Window, WindowSize};
///
/// let mut window = Window::new(WindowSize::MIN);
/// assert_eq!(window.check(1), Ok(()));
/// window.commit(1);
/// assert_eq!(window.check(1), Err(Replay::Repeated));
/// window.commit(100);
/// assert_eq!(window.check(36), Err(Replay::TooOld));
/// assert_eq!(window.check(37), Ok(()));
/// ```
#[derive(Clone)]
pub struct Window {
    /// The highest number committed; 0 before the first packet.
    top: u64,
    /// Bit `n % packets` says whether `n` was seen, for `top - packets < n <= top`. The length is a
    /// power of two.
    seen: Box<[u64]>,
}

/// Why a sequence number is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replay {
    /// The number lies before the window.
    TooOld,
    /// A packet with this number was accepted before.
    Repeated,
}

impl Window {
    /// An empty window: nothing received, the first packet carries number 1.
    pub fn new(size: WindowSize) -> Self {
        Self::resuming_after(size, 0)
    }

    /// A window that takes over an SA on which numbers up to `top` may have been received elsewhere:
    /// all of them count as received.
    pub fn resuming_after(size: WindowSize, top: u64) -> Self {
        Self { top, seen: vec![u64::MAX; size.0 as usize / 64].into_boxed_slice() }
    }

    /// The highest number received, 0 if none was.
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// The width of the window.
    pub const fn size(&self) -> WindowSize {
        WindowSize(self.seen.len() as u32 * 64)
    }

    /// Whether a packet with this number may still be accepted. Changes nothing.
    ///
    /// # Errors
    /// If the number lies before the window or was committed already.
    #[inline]
    pub fn check(&self, sequence: u64) -> Result<(), Replay> {
        if sequence > self.top {
            return Ok(());
        }
        if self.top - sequence >= self.seen.len() as u64 * 64 {
            return Err(Replay::TooOld);
        }
        if self.seen[self.word(sequence)] & bit(sequence) != 0 {
            return Err(Replay::Repeated);
        }
        Ok(())
    }

    /// Records that a packet with this number was authenticated. Numbers before the window are ignored.
    #[inline]
    pub fn commit(&mut self, sequence: u64) {
        if sequence > self.top {
            self.advance(sequence);
        } else if self.top - sequence >= self.seen.len() as u64 * 64 {
            return;
        }
        let word = self.word(sequence);
        self.seen[word] |= bit(sequence);
    }

    /// Moves the top to `to` and forgets what the ring held for the numbers passed over.
    #[inline]
    fn advance(&mut self, to: u64) {
        let first = self.top + 1;
        let (first_word, last_word) = (first / 64, to / 64);
        // Bits of the word that are at or after `first`, and at or before `to`.
        let from_first = u64::MAX << (first % 64);
        let through_to = u64::MAX >> (63 - to % 64);
        let (low, high) = (self.word(first), self.word(to));
        if first_word == last_word {
            self.seen[low] &= !(from_first & through_to);
        } else if last_word - first_word <= self.seen.len() as u64 {
            // The two may be the same word of the ring: what lies between `to` and `first` in it is
            // then old, but still within the window.
            self.seen[low] &= !from_first;
            for word in first_word + 1..last_word {
                let word = self.word(word * 64);
                self.seen[word] = 0;
            }
            self.seen[high] &= !through_to;
        } else {
            self.seen.fill(0);
        }
        self.top = to;
    }

    /// Where the bit of `sequence` lies: always within `seen`, whose length is a power of two.
    #[inline]
    fn word(&self, sequence: u64) -> usize {
        (sequence / 64) as usize & (self.seen.len() - 1)
    }

    /// The full number of a packet on an SA with extended sequence numbers, of which the wire shows
    /// the low half: RFC 4303 appendix A2.2.
    ///
    /// `None` if the only numbers that it can stand for lie before the first or after the last
    /// packet that an SA can have.
    #[inline]
    pub fn extend(&self, low: u32) -> Option<u64> {
        let width = self.seen.len() as u32 * 64;
        let (top_low, top_high) = (self.top as u32, (self.top >> 32) as u32);
        let bottom_low = top_low.wrapping_sub(width - 1);
        let high = if top_low >= width - 1 {
            // Case A: the window lies within one subspace.
            if low >= bottom_low { top_high } else { top_high.checked_add(1)? }
        } else if low >= bottom_low {
            // Case B: the window spans two subspaces, and this is the older one.
            top_high.checked_sub(1)?
        } else {
            top_high
        };
        Some(u64::from(high) << 32 | u64::from(low))
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").field("top", &self.top).field("size", &self.size()).finish()
    }
}

#[inline]
const fn bit(sequence: u64) -> u64 {
    1 << (sequence % 64)
}
