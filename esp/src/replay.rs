//! The anti-replay window and the high half of extended sequence numbers: RFC 4303 section 3.4.3 and
//! appendix A.

use alloc::boxed::Box;
use alloc::vec;
use core::cmp::Ordering;
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
    /// The width less one: how far below the top the lowest number of the window lies.
    depth: u64,
    /// Bit `n % packets` says whether `n` was seen, for `top - packets < n <= top`.
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
        let seen = vec![u64::MAX; size.0 as usize / 64].into_boxed_slice();
        Self { top, depth: u64::from(size.0) - 1, seen }
    }

    /// The highest number received, 0 if none was.
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// The width of the window.
    pub const fn size(&self) -> WindowSize {
        WindowSize(self.depth as u32 + 1)
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
        if self.top - sequence > self.depth {
            return Err(Replay::TooOld);
        }
        self.check_bit(sequence)
    }

    #[inline]
    fn check_bit(&self, sequence: u64) -> Result<(), Replay> {
        match self.seen[self.word(sequence)] & bit(sequence) {
            0 => Ok(()),
            _ => Err(Replay::Repeated),
        }
    }

    /// Records that a packet with this number was authenticated. Numbers before the window are ignored.
    #[inline]
    pub fn commit(&mut self, sequence: u64) {
        if sequence > self.top {
            if sequence - self.top == 1 {
                // In order: the one bit that an advance would clear is the one that is set below.
                self.top = sequence;
            } else {
                self.advance(sequence);
            }
        } else if self.top - sequence > self.depth {
            return;
        }
        let word = self.word(sequence);
        self.seen[word] |= bit(sequence);
    }

    /// Records all of the numbers if each of them may still be accepted, and none of them otherwise.
    #[inline]
    pub(crate) fn commit_all(&mut self, numbers: &Numbers) -> bool {
        let Numbers { lowest, highest, .. } = *numbers;
        if highest.max(self.top).saturating_sub(lowest) > self.depth {
            return false;
        }
        for &(index, bits) in numbers.words() {
            // What the ring holds for numbers above the top is older than the window.
            let counted = match index.cmp(&(self.top / 64)) {
                Ordering::Less => u64::MAX,
                Ordering::Equal => u64::MAX >> (63 - self.top % 64),
                Ordering::Greater => 0,
            };
            if self.seen[self.word(index * 64)] & bits & counted != 0 {
                return false;
            }
        }
        if highest > self.top {
            self.advance(highest);
        }
        for &(index, bits) in numbers.words() {
            let word = self.word(index * 64);
            self.seen[word] |= bits;
        }
        true
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

    /// Where the bit of `sequence` lies: always within `seen`, because the width is a power of two.
    #[inline]
    fn word(&self, sequence: u64) -> usize {
        ((sequence & self.depth) / 64) as usize
    }

    /// The full number of a packet on an SA with extended sequence numbers, of which the wire shows
    /// the low half: RFC 4303 appendix A2.2.
    ///
    /// `None` if the only numbers that it can stand for lie before the first or after the last
    /// packet that an SA can have.
    #[inline]
    pub fn extend(&self, low: u32) -> Option<u64> {
        let (sequence, is_ahead) = self.extend_wrapping(low);
        ((sequence > self.top) == is_ahead).then_some(sequence)
    }

    /// [`Self::extend`] and [`Self::check`] in one. The number is right in its low half at least.
    #[inline]
    pub(crate) fn extend_checked(&self, low: u32) -> (u64, Result<(), Replay>) {
        let (sequence, is_ahead) = self.extend_wrapping(low);
        if is_ahead {
            let is_one = sequence > self.top;
            return (sequence, if is_one { Ok(()) } else { Err(Replay::TooOld) });
        }
        let is_one = sequence <= self.top;
        (sequence, if is_one { self.check_bit(sequence) } else { Err(Replay::TooOld) })
    }

    /// The full number, unless that leads beyond the first or the last there is, and whether it lies ahead of
    /// the window.
    #[inline]
    fn extend_wrapping(&self, low: u32) -> (u64, bool) {
        // Cases A and B at once: of the numbers with this low half it is the first that does not lie
        // before the window.
        let above_bottom = low.wrapping_sub((self.top as u32).wrapping_sub(self.depth as u32));
        let above_bottom = u64::from(above_bottom);
        let sequence = self.top.wrapping_add(above_bottom.wrapping_sub(self.depth));
        (sequence, above_bottom > self.depth)
    }
}

/// Sequence numbers that are to be recorded together, as the words of a [`Window`] hold them: gathered
/// beforehand, so that a window that others wait for is soon done with.
pub(crate) struct Numbers {
    /// Numbers divided by 64, and the bits of those that have it, in order.
    words: [(u64, u64); Self::WORDS],
    len: usize,
    lowest: u64,
    highest: u64,
}

impl Numbers {
    /// A batch of many hundred packets in order, or some dozens from here and there.
    const WORDS: usize = 16;

    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { words: [(0, 0); Self::WORDS], len: 0, lowest: u64::MAX, highest: 0 }
    }

    /// Adds a number. False if that cannot be done: the number is there already, or lies in a word before
    /// the last one's, or in one too many.
    #[inline]
    pub(crate) fn add(&mut self, sequence: u64) -> bool {
        let (index, bit) = (sequence / 64, bit(sequence));
        let last = self.len.checked_sub(1).and_then(|last| self.words.get_mut(last));
        match last {
            Some((last, bits)) if *last == index => {
                if *bits & bit != 0 {
                    return false;
                }
                *bits |= bit;
            }
            Some((last, _)) if *last > index => return false,
            _ => {
                let Some(word) = self.words.get_mut(self.len) else { return false };
                *word = (index, bit);
                self.len += 1;
            }
        }
        self.lowest = self.lowest.min(sequence);
        self.highest = self.highest.max(sequence);
        true
    }

    fn words(&self) -> &[(u64, u64)] {
        self.words.get(..self.len).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// What RFC 4303 section 3.4.3 says, with every number remembered.
    struct Model {
        size: u64,
        top: u64,
        seen: BTreeSet<u64>,
    }

    impl Model {
        fn check(&self, sequence: u64) -> Result<(), Replay> {
            if sequence == 0 || self.seen.contains(&sequence) {
                return Err(if self.top - sequence >= self.size {
                    Replay::TooOld
                } else {
                    Replay::Repeated
                });
            }
            if sequence + self.size <= self.top {
                return Err(Replay::TooOld);
            }
            Ok(())
        }

        fn commit(&mut self, sequence: u64) {
            self.seen.insert(sequence);
            self.top = self.top.max(sequence);
        }
    }

    fn agree(size: WindowSize, sequences: impl IntoIterator<Item = u64>) {
        let mut window = Window::new(size);
        let mut model = Model { size: size.packets().into(), top: 0, seen: BTreeSet::new() };
        for sequence in sequences {
            let expected = model.check(sequence);
            assert_eq!(window.check(sequence), expected, "{sequence} after {}", model.top);
            if expected.is_ok() {
                window.commit(sequence);
                model.commit(sequence);
            }
            assert_eq!(window.top(), model.top);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(
            size in prop_oneof![Just(64_u32), Just(128), Just(1024), Just(8192)],
            steps in prop::collection::vec((0_u8..8, 0_u64..20_000), 1..400),
        ) {
            let mut at = 0_u64;
            let sequences: Vec<u64> = steps.iter().map(|(kind, amount)| {
                at = match kind {
                    // Mostly forward by little, sometimes by much, and backward into the window.
                    0..=3 => at + amount % 4,
                    4 => at + amount,
                    5 => at.saturating_sub(amount % 70),
                    6 => at.saturating_sub(amount % u64::from(size + 70)),
                    _ => at + amount % (2 * u64::from(size)),
                };
                at
            }).collect();
            agree(WindowSize::at_least(size), sequences);
        }
    }

    proptest! {
        /// Numbers that are recorded together are recorded as one after the other, or not at all.
        #[test]
        fn many_at_once_agree_with_one_by_one(
            size in prop_oneof![Just(64_u32), Just(128), Just(8192)],
            start in prop_oneof![0_u64..10_000, Just(u64::MAX - 700)],
            batches in prop::collection::vec(
                (0_u64..300, prop::collection::vec((0_u64..3, 0_u64..130), 0..40)), 1..40),
        ) {
            let mut window = Window::resuming_after(WindowSize::at_least(size), start);
            let mut one_by_one = window.clone();
            let mut at = start;
            for (back, steps) in batches {
                at = at.saturating_sub(back);
                let mut numbers = Numbers::new();
                let mut gathered = Vec::new();
                for (far, step) in steps {
                    at = at.saturating_add(if far == 0 { step } else { 1 });
                    if !numbers.add(at) {
                        break;
                    }
                    gathered.push(at);
                }
                let mut after = one_by_one.clone();
                let fresh = gathered.iter().all(|number| {
                    let fresh = after.check(*number).is_ok();
                    after.commit(*number);
                    fresh
                });
                // Numbers that push each other out of the window are left to be recorded one by one.
                let wide = gathered.iter().max().zip(gathered.iter().min());
                let fits = wide.is_none_or(|(most, least)| most - least < size.into());
                prop_assert_eq!(window.commit_all(&numbers), fresh && fits);
                if fresh && fits {
                    one_by_one = after;
                }
                prop_assert_eq!(window.top(), one_by_one.top());
                for number in at.saturating_sub(2 * u64::from(size))..=at.saturating_add(70) {
                    prop_assert_eq!(window.check(number), one_by_one.check(number), "{}", number);
                }
            }
        }
    }

    #[test]
    fn agrees_with_a_set_at_every_distance() {
        // Every combination of positions within a word, over jumps up to beyond the window.
        for start in 60..=70_u64 {
            for jump in 1..=200_u64 {
                for back in 0..=70 {
                    let top = start + jump;
                    agree(
                        WindowSize::MIN,
                        [1, start - 1, start, top, top.saturating_sub(back), start],
                    );
                }
            }
        }
    }

    //= RFC 4303 section 3.4.3
    #[test]
    fn nothing_is_accepted_twice_and_nothing_recent_is_lost() {
        let mut window = Window::new(WindowSize::MIN);
        for sequence in (2..=64).step_by(2) {
            window.commit(sequence);
        }
        for sequence in 1..=64 {
            let expected = if sequence % 2 == 0 { Err(Replay::Repeated) } else { Ok(()) };
            assert_eq!(window.check(sequence), expected, "{sequence}");
        }
        assert_eq!(window.check(0), Err(Replay::TooOld));
    }

    #[test]
    fn the_first_number_is_one() {
        assert_eq!(Window::new(WindowSize::MIN).check(0), Err(Replay::Repeated));
    }

    #[test]
    fn a_commit_before_the_window_changes_nothing() {
        let mut window = Window::new(WindowSize::MIN);
        window.commit(1000);
        window.commit(1000 - 64 * 3 - 1);
        assert_eq!((window.top(), window.check(999), window.check(938)), (1000, Ok(()), Ok(())));
    }

    #[test]
    fn the_last_number_is_reached() {
        for size in [WindowSize::MIN, WindowSize::MAX] {
            let mut window = Window::resuming_after(size, u64::MAX - 3);
            assert_eq!(window.check(u64::MAX - 3), Err(Replay::Repeated));
            window.commit(u64::MAX);
            assert_eq!(window.check(u64::MAX), Err(Replay::Repeated));
            assert_eq!(window.check(u64::MAX - 1), Ok(()));
            assert_eq!(window.extend(u32::MAX), Some(u64::MAX));
            assert_eq!(window.extend(5), None, "there is no number after the last");
            window.commit(0);
            assert_eq!(window.top(), u64::MAX, "0 does not come after it either");
            assert_eq!(window.check(u64::MAX), Err(Replay::Repeated));
        }
    }

    //= RFC 4303 appendix A2.2, case A
    #[test]
    fn a_window_within_one_subspace_extends() {
        let window = Window::resuming_after(WindowSize::MIN, 7 << 32 | 1000);
        assert_eq!(window.extend(1000), Some(7 << 32 | 1000));
        assert_eq!(window.extend(1001), Some(7 << 32 | 1001));
        assert_eq!(window.extend(u32::MAX), Some(7 << 32 | 0xffff_ffff));
        assert_eq!(window.extend(1000 - 63), Some(7 << 32 | 937));
        assert_eq!(window.extend(1000 - 64), Some(8 << 32 | 936), "below the window: the next");
    }

    //= RFC 4303 appendix A2.2, case B
    #[test]
    fn a_window_across_two_subspaces_extends() {
        let window = Window::resuming_after(WindowSize::MIN, 7 << 32 | 10);
        assert_eq!(window.extend(10), Some(7 << 32 | 10));
        assert_eq!(window.extend(11), Some(7 << 32 | 11));
        assert_eq!(window.extend(u32::MAX), Some(6 << 32 | 0xffff_ffff));
        // The window is 64 wide: its bottom is 10 - 63 = -53.
        assert_eq!(window.extend(0_u32.wrapping_sub(53)), Some(7 * (1 << 32) - 53));
        assert_eq!(window.extend(0_u32.wrapping_sub(54)), Some(8 * (1 << 32) - 54));
    }

    #[test]
    fn no_number_lies_before_the_first() {
        let window = Window::new(WindowSize::MIN);
        assert_eq!(window.extend(1), Some(1));
        assert_eq!(window.extend(u32::MAX), None);
        assert_eq!(window.extend(u32::MAX - 63), Some(0xffff_ffc0));
    }

    proptest! {
        //= RFC 4303 appendix A2
        #[test]
        fn extension_finds_what_was_sent(
            top in any::<u64>().prop_map(|top| top.min(u64::MAX - (1 << 32))),
            ahead in 0_u64..(1 << 32) - 65_536,
            behind in 0_u64..65_536,
        ) {
            let window = Window::resuming_after(WindowSize::MAX, top);
            prop_assert_eq!(window.extend((top + ahead) as u32), Some(top + ahead));
            if let Some(sent) = top.checked_sub(behind) {
                prop_assert_eq!(window.extend(sent as u32), Some(sent));
            }
        }
    }
}
