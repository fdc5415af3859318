//! A hash of the SHA-2 family, and HMAC with it, over several messages side by side, each in its own lane of
//! a register: FIPS 180-4 sections 6.2 and 6.4, RFC 2104.
//!
//! One text serves every word size and every width of register. What differs is in the module that it is
//! used in: how words are loaded, added, rotated and chosen. There is no table but the constants, which all
//! lanes read in the same order.

use crate::cipher_mac::Packet;

/// The hash function for one width of register.
///
/// `add`, `rotate`, `shift`, `sum`, `choose`, `majority`, `splat`, `select`, `from_lanes`, `lanes_of` and
/// `four_words` come from the module that this is used in, `BLOCK` and `ROUND` from that of the hash.
/// The numbers are those of the functions Σ0, Σ1, σ0 and σ1 of FIPS 180-4 section 4.1.
macro_rules! lanes {
    ($vector:ty, $word:ty, $lanes:literal, $features:literal,
     $a0:literal $a1:literal $a2:literal, $e0:literal $e1:literal $e2:literal,
     $early0:literal $early1:literal $early2:literal, $late0:literal $late1:literal $late2:literal) => {
        /// Messages side by side.
        pub(in super::super) const LANES: usize = $lanes;

        /// The hash values of all lanes: word by word.
        #[derive(Clone, Copy)]
        struct State([$vector; 8]);

        impl State {
            /// The same hash value in each lane.
            #[inline]
            #[target_feature(enable = $features)]
            fn all(words: &[$word; 8]) -> Self {
                Self(words.map(|word| splat(word)))
            }

            /// The first four words of each lane's hash value.
            #[inline]
            #[target_feature(enable = $features)]
            fn front(&self) -> [[u8; 4 * size_of::<$word>()]; $lanes] {
                let [a, b, c, d, ..] = self.0;
                let words = [lanes_of(a), lanes_of(b), lanes_of(c), lanes_of(d)];
                let mut front = [[0; 4 * size_of::<$word>()]; $lanes];
                for (lane, bytes) in front.iter_mut().enumerate() {
                    for (part, word) in bytes.as_chunks_mut().0.iter_mut().zip(&words) {
                        *part = word[lane].to_be_bytes();
                    }
                }
                front
            }

            /// The last block of a message of one block and the first `digest` words of this hash value.
            #[inline]
            #[target_feature(enable = $features)]
            fn as_last_block(&self, digest: usize) -> [$vector; 16] {
                let bits = 8 * (BLOCK + digest * size_of::<$word>()) as $word;
                let mut block = [splat(0); 16];
                block[..digest].copy_from_slice(&self.0[..digest]);
                block[digest] = splat(1 << (<$word>::BITS - 1));
                block[15] = splat(bits);
                block
            }

            /// Takes one more block in each lane, four words at a time.
            ///
            /// Written out for sixteen rounds, so that the words and the state stay in registers and no
            /// round moves them. Words are asked for just before the rounds that need them, because the
            /// first rounds have units to spare for what it takes to bring them into lanes.
            #[inline]
            #[target_feature(enable = $features)]
            fn compress(&self, four_words: impl Fn(usize) -> [$vector; 4]) -> Self {
                let mut w = [splat(0); 16];
                let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = self.0;
                macro_rules! round {
                    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident
                     $constants:ident $t:literal) => {
                        let sum_e = sum(rotate::<$e0>($e), rotate::<$e1>($e), rotate::<$e2>($e));
                        let known = add($h, add(w[$t], splat($constants[$t])));
                        let first = add(add(known, choose($e, $f, $g)), sum_e);
                        let sum_a = sum(rotate::<$a0>($a), rotate::<$a1>($a), rotate::<$a2>($a));
                        $d = add($d, first);
                        $h = add(first, add(sum_a, majority($a, $b, $c)));
                    };
                }
                macro_rules! load_word {
                    (0) => { load_word!(four words 0) };
                    (4) => { load_word!(four words 4) };
                    (8) => { load_word!(four words 8) };
                    (12) => { load_word!(four words 12) };
                    (four words $t:literal) => {
                        [w[$t], w[$t + 1], w[$t + 2], w[$t + 3]] = four_words($t / 4);
                    };
                    ($t:literal) => {};
                }
                macro_rules! next_word {
                    ($t:literal) => {
                        let early = w[($t + 1) % 16];
                        let early =
                            sum(rotate::<$early0>(early), rotate::<$early1>(early), shift::<$early2>(early));
                        let late = w[($t + 14) % 16];
                        let late =
                            sum(rotate::<$late0>(late), rotate::<$late1>(late), shift::<$late2>(late));
                        w[$t] = add(add(w[$t], w[($t + 9) % 16]), add(early, late));
                    };
                }
                macro_rules! sixteen_rounds {
                    ($constants:ident $word_of:ident) => {
                        $word_of!(0); round!(a b c d e f g h $constants 0);
                        $word_of!(1); round!(h a b c d e f g $constants 1);
                        $word_of!(2); round!(g h a b c d e f $constants 2);
                        $word_of!(3); round!(f g h a b c d e $constants 3);
                        $word_of!(4); round!(e f g h a b c d $constants 4);
                        $word_of!(5); round!(d e f g h a b c $constants 5);
                        $word_of!(6); round!(c d e f g h a b $constants 6);
                        $word_of!(7); round!(b c d e f g h a $constants 7);
                        $word_of!(8); round!(a b c d e f g h $constants 8);
                        $word_of!(9); round!(h a b c d e f g $constants 9);
                        $word_of!(10); round!(g h a b c d e f $constants 10);
                        $word_of!(11); round!(f g h a b c d e $constants 11);
                        $word_of!(12); round!(e f g h a b c d $constants 12);
                        $word_of!(13); round!(d e f g h a b c $constants 13);
                        $word_of!(14); round!(c d e f g h a b $constants 14);
                        $word_of!(15); round!(b c d e f g h a $constants 15);
                    };
                }
                let [first, others @ ..] = &ROUND;
                sixteen_rounds!(first load_word);
                for constants in others {
                    sixteen_rounds!(constants next_word);
                }
                let mut after = self.0;
                for (word, change) in after.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                    *word = add(*word, change);
                }
                Self(after)
            }

            /// `other` in the lanes of which the count is above `step`.
            #[inline]
            #[target_feature(enable = $features)]
            fn or_where(&self, other: Self, counts: $vector, step: usize) -> Self {
                let mut after = self.0;
                for (word, other) in after.iter_mut().zip(other.0) {
                    *word = select(counts, step as $word, other, *word);
                }
                Self(after)
            }
        }

        /// HMAC (RFC 2104) of the message in each lane, cut to four words. `key` holds the states after the
        /// inner and the outer padded key; the hash has `digest` words.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in super::super) fn hmac(
            key: &[[$word; 8]; 2],
            digest: usize,
            messages: &Messages<'_, $lanes, BLOCK>,
        ) -> [[u8; 4 * size_of::<$word>()]; $lanes] {
            let [inner, outer] = key;
            let counts = from_lanes(messages.counts.map(|count| count as $word));
            let (least, most) = messages.least_and_most();
            let mut state = State::all(inner);
            for step in 0..most {
                let blocks = messages.blocks(step);
                let next = state.compress(|quarter| four_words(&blocks, quarter));
                state = if step < least { next } else { state.or_where(next, counts, step) };
            }
            let last = state.as_last_block(digest);
            let of_last = |quarter| {
                let (quarters, _) = last.as_chunks();
                quarters[quarter]
            };
            State::all(outer).compress(of_last).front()
        }
    };
}
pub(super) use lanes;

/// A message for each lane, behind one block that has been taken already, with the padding of FIPS 180-4
/// section 5.1.
pub(super) struct Messages<'a, const LANES: usize, const BLOCK: usize> {
    whole: [&'a [[u8; BLOCK]]; LANES],
    /// A block of no meaning; then what does not fill a block, and the padding: one or two blocks.
    rest: [[[u8; BLOCK]; 3]; LANES],
    /// How many blocks there are, whole ones and others.
    pub(super) counts: [usize; LANES],
}

impl<'a, const LANES: usize, const BLOCK: usize> Messages<'a, LANES, BLOCK> {
    /// What the tags of packets cover; lanes without a packet get an empty message.
    #[inline(always)]
    pub(super) fn covered_by(packets: &'a [Packet<'_>]) -> Self {
        let mut messages =
            Self { whole: [&[]; LANES], rest: [[[0; BLOCK]; 3]; LANES], counts: [0; LANES] };
        for (lane, packet) in packets.iter().enumerate().take(LANES) {
            let (bytes, trailing) = packet.covered();
            let (whole, left) = bytes.as_chunks();
            let rest = messages.rest[lane].as_flattened_mut();
            // A block is copied faster than a part of one: the part ends where the block ends.
            match bytes.last_chunk::<BLOCK>() {
                Some(last) => rest[left.len()..][..BLOCK].copy_from_slice(last),
                None => rest[BLOCK..][..left.len()].copy_from_slice(left),
            }
            // At most four bytes, and behind them the bit that ends the message.
            let end =
                trailing.iter().take(4).rev().fold(0x80, |end, byte| end << 8 | u64::from(*byte));
            rest[BLOCK + left.len()..][..8].copy_from_slice(&end.to_le_bytes());
            // The length has two words, of which the second is enough.
            let left_len = left.len() + trailing.len();
            let rest_blocks = if left_len + 1 + BLOCK / 8 <= BLOCK { 1 } else { 2 };
            let bits = (BLOCK + bytes.len() + trailing.len()) as u64 * 8;
            rest[BLOCK * (rest_blocks + 1) - 8..][..8].copy_from_slice(&bits.to_be_bytes());
            messages.whole[lane] = whole;
            messages.counts[lane] = whole.len() + rest_blocks;
        }
        messages
    }

    /// How many blocks every message has, and how many the longest; one without a packet does not count.
    #[inline(always)]
    pub(super) fn least_and_most(&self) -> (usize, usize) {
        let most = self.counts.into_iter().max().unwrap_or(0);
        let counted = self.counts.into_iter().filter(|count| *count != 0);
        (counted.min().unwrap_or(0), most)
    }

    /// As many blocks of each message as all of them have without padding.
    #[inline(always)]
    pub(super) fn whole_of_all(&self) -> [&'a [[u8; BLOCK]]; LANES] {
        let common = self.whole.iter().map(|whole| whole.len()).min().unwrap_or(0);
        self.whole.map(|whole| &whole[..common])
    }

    /// The block of each message at `step`; behind the last one, anything.
    #[inline(always)]
    pub(super) fn blocks(&self, step: usize) -> [&[u8; BLOCK]; LANES] {
        let mut blocks = [&[0; BLOCK]; LANES];
        for ((block, whole), rest) in blocks.iter_mut().zip(&self.whole).zip(&self.rest) {
            let rest = if step > whole.len() { &rest[2] } else { &rest[1] };
            *block = whole.get(step).unwrap_or(rest);
        }
        blocks
    }
}
