//! SHA-256 of several messages side by side, each in its own 32-bit lane: FIPS 180-4 section 6.2.
//!
//! Eight lanes with AVX2, sixteen with AVX-512. One text serves both: what differs is how a rotation
//! and the two choices of bits are written. There is no table but the constants, which all lanes read
//! in the same order.

use core::arch::x86_64::{
    __m256i, __m512i, _mm_set_epi64x, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_blendv_epi8, _mm256_cmpgt_epi32, _mm256_extracti128_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set_epi32, _mm256_set_m128i, _mm256_set1_epi32,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
    _mm512_add_epi32, _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_cmpgt_epi32_mask,
    _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_mask_blend_epi32, _mm512_ror_epi32,
    _mm512_set_epi32, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_srli_epi32, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{from_bits, to_bits};

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// The initial hash value: FIPS 180-4 section 5.3.3.
pub(super) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The constants of the rounds: FIPS 180-4 section 4.2.2.
const ROUND: [[u32; 16]; 4] = [
    [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
    ],
    [
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
    ],
    [
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
    ],
    [
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ],
];

/// The hash function for one width of register: `add`, `rotate`, `shift`, `sum`, `choose` and
/// `majority` come from the module that this is used in.
macro_rules! lanes {
    ($vector:ty, $lanes:literal, $features:literal) => {
        /// Messages side by side.
        pub(in super::super) const LANES: usize = $lanes;

        /// The hash values of all lanes: word by word.
        #[derive(Clone, Copy)]
        pub(in super::super) struct State([$vector; 8]);

        /// A block of each lane, word by word.
        pub(in super::super) struct Blocks([$vector; 16]);

        impl State {
            /// The same hash value in each lane.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in super::super) fn all(words: &[u32; 8]) -> Self {
                Self(words.map(|word| splat(word)))
            }

            /// The first 16 bytes of each lane's hash value.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in super::super) fn front(&self) -> [[u8; 16]; $lanes] {
                let [a, b, c, d, ..] = self.0;
                let words = [lanes_of(a), lanes_of(b), lanes_of(c), lanes_of(d)];
                let mut front = [[0; 16]; $lanes];
                for (lane, bytes) in front.iter_mut().enumerate() {
                    for (part, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&words) {
                        *part = word[lane].to_be_bytes();
                    }
                }
                front
            }

            /// The last block of a message that is this hash value, `prefix` bytes into it.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in super::super) fn as_last_block(&self, prefix: u32) -> Blocks {
                let zero = splat(0);
                let [a, b, c, d, e, f, g, h] = self.0;
                let bits = splat((prefix + 32) * 8);
                let one = splat(1 << 31);
                Blocks([a, b, c, d, e, f, g, h, one, zero, zero, zero, zero, zero, zero, bits])
            }

            /// Takes one more block in each lane.
            ///
            /// Written out for sixteen rounds, so that the words and the state stay in registers and no
            /// round moves them; the schedule goes along, because it has no other use for the units.
            #[target_feature(enable = $features)]
            pub(in super::super) fn compress(&self, blocks: &Blocks) -> Self {
                let mut w = blocks.0;
                let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = self.0;
                macro_rules! round {
                    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident
                     $constants:ident $t:literal) => {
                        let sum_e = sum(rotate::<6>($e), rotate::<11>($e), rotate::<25>($e));
                        let known = add($h, add(w[$t], splat($constants[$t])));
                        let first = add(add(known, choose($e, $f, $g)), sum_e);
                        let sum_a = sum(rotate::<2>($a), rotate::<13>($a), rotate::<22>($a));
                        $d = add($d, first);
                        $h = add(first, add(sum_a, majority($a, $b, $c)));
                    };
                }
                macro_rules! next_word {
                    ($t:literal) => {
                        let early = w[($t + 1) % 16];
                        let early = sum(rotate::<7>(early), rotate::<18>(early), shift::<3>(early));
                        let late = w[($t + 14) % 16];
                        let late = sum(rotate::<17>(late), rotate::<19>(late), shift::<10>(late));
                        w[$t] = add(add(w[$t], w[($t + 9) % 16]), add(early, late));
                    };
                }
                macro_rules! no_more_words {
                    ($t:literal) => {};
                }
                macro_rules! sixteen_rounds {
                    ($constants:ident $then:ident) => {
                        round!(a b c d e f g h $constants 0); $then!(0);
                        round!(h a b c d e f g $constants 1); $then!(1);
                        round!(g h a b c d e f $constants 2); $then!(2);
                        round!(f g h a b c d e $constants 3); $then!(3);
                        round!(e f g h a b c d $constants 4); $then!(4);
                        round!(d e f g h a b c $constants 5); $then!(5);
                        round!(c d e f g h a b $constants 6); $then!(6);
                        round!(b c d e f g h a $constants 7); $then!(7);
                        round!(a b c d e f g h $constants 8); $then!(8);
                        round!(h a b c d e f g $constants 9); $then!(9);
                        round!(g h a b c d e f $constants 10); $then!(10);
                        round!(f g h a b c d e $constants 11); $then!(11);
                        round!(e f g h a b c d $constants 12); $then!(12);
                        round!(d e f g h a b c $constants 13); $then!(13);
                        round!(c d e f g h a b $constants 14); $then!(14);
                        round!(b c d e f g h a $constants 15); $then!(15);
                    };
                }
                let [first @ .., last] = &ROUND;
                for constants in first {
                    sixteen_rounds!(constants next_word);
                }
                sixteen_rounds!(last no_more_words);
                let mut after = self.0;
                for (word, change) in after.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                    *word = add(*word, change);
                }
                Self(after)
            }

            /// `other` in the lanes of which the count is above `step`.
            #[inline]
            #[target_feature(enable = $features)]
            fn or_where(&self, other: Self, counts: $vector, step: u32) -> Self {
                let mut after = self.0;
                for (word, other) in after.iter_mut().zip(other.0) {
                    *word = select(counts, step, other, *word);
                }
                Self(after)
            }
        }

        /// HMAC-SHA-256 (RFC 2104) of a message in each lane, cut to 16 bytes. `key` holds the states
        /// after the inner and the outer padded key.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in super::super) fn hmac(
            key: &[[u32; 8]; 2],
            messages: &[Message<'_>; $lanes],
        ) -> [[u8; 16]; $lanes] {
            let [inner, outer] = key;
            let mut counts = [0; $lanes];
            for (count, message) in counts.iter_mut().zip(messages) {
                *count = message.blocks() as u32;
            }
            let most = counts.into_iter().max().unwrap_or(0);
            let counts = from_lanes(counts);
            let mut state = State::all(inner);
            for step in 0..most {
                let mut blocks = [&[0; BLOCK]; $lanes];
                for (block, message) in blocks.iter_mut().zip(messages) {
                    *block = message.block(step as usize);
                }
                let next = state.compress(&Blocks::load(blocks));
                state = state.or_where(next, counts, step);
            }
            State::all(outer).compress(&state.as_last_block(BLOCK as u32)).front()
        }
    };
}

/// A message behind one block that has been taken already, with the padding of FIPS 180-4 section 5.1.
pub(super) struct Message<'a> {
    whole: &'a [[u8; BLOCK]],
    /// A block of no meaning; then what does not fill a block, and the padding: one or two blocks.
    rest: [u8; 3 * BLOCK],
    rest_blocks: usize,
}

impl<'a> Message<'a> {
    /// `bytes`, then up to four bytes of `trailing`.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], trailing: &[u8]) -> Self {
        let (whole, left) = bytes.as_chunks();
        let mut rest = [0; 3 * BLOCK];
        // A block is copied faster than a part of one: the part ends where the block ends.
        match bytes.last_chunk::<BLOCK>() {
            Some(last) => rest[left.len()..][..BLOCK].copy_from_slice(last),
            None => rest[BLOCK..][..left.len()].copy_from_slice(left),
        }
        let one = trailing.iter().take(4).rev().fold(0x80, |one, byte| one << 8 | u64::from(*byte));
        rest[BLOCK + left.len()..][..8].copy_from_slice(&one.to_le_bytes());
        let left_len = left.len() + trailing.len();
        let rest_blocks = if left_len + 9 <= BLOCK { 1 } else { 2 };
        let bits = (BLOCK + bytes.len() + trailing.len()) as u64 * 8;
        rest[BLOCK * (rest_blocks + 1) - 8..][..8].copy_from_slice(&bits.to_be_bytes());
        Self { whole, rest, rest_blocks }
    }

    #[inline(always)]
    fn blocks(&self) -> usize {
        self.whole.len() + self.rest_blocks
    }

    /// The block at `index`; behind the last one, anything.
    #[inline(always)]
    fn block(&self, index: usize) -> &[u8; BLOCK] {
        let (rest, _) = self.rest.as_chunks();
        let rest = if index > self.whole.len() { &rest[2] } else { &rest[1] };
        self.whole.get(index).unwrap_or(rest)
    }
}

/// Eight lanes.
pub(super) mod avx2 {
    use super::*;

    lanes!(__m256i, 8, "avx,avx2");

    impl State {
        /// The hash value of the first lane.
        #[target_feature(enable = "avx,avx2")]
        pub(in super::super) fn first(&self) -> [u32; 8] {
            self.0.map(|word| lanes_of(word)[0])
        }
    }

    impl Blocks {
        /// The big-endian words of a block for each lane.
        #[inline]
        #[target_feature(enable = "avx,avx2")]
        pub(in super::super) fn load(blocks: [&[u8; BLOCK]; 8]) -> Self {
            let order = _mm256_set_epi32(
                0x0c0d_0e0f,
                0x0809_0a0b,
                0x0405_0607,
                0x0001_0203,
                0x0c0d_0e0f,
                0x0809_0a0b,
                0x0405_0607,
                0x0001_0203,
            );
            let mut words = [splat(0); 16];
            for half in 0..2 {
                // Eight words of eight lanes: a transposition in three steps.
                let mut rows = [splat(0); 8];
                for (row, block) in rows.iter_mut().zip(blocks) {
                    let (bytes, _) = block[32 * half..].as_chunks::<16>();
                    let bytes = _mm256_set_m128i(load(&bytes[1]), load(&bytes[0]));
                    *row = _mm256_shuffle_epi8(bytes, order);
                }
                let pair = |at: usize| {
                    let (x, y) = (rows[at], rows[at + 1]);
                    (_mm256_unpacklo_epi32(x, y), _mm256_unpackhi_epi32(x, y))
                };
                let four = |at: usize| {
                    let ((a, b), (c, d)) = (pair(at), pair(at + 2));
                    [
                        _mm256_unpacklo_epi64(a, c),
                        _mm256_unpackhi_epi64(a, c),
                        _mm256_unpacklo_epi64(b, d),
                        _mm256_unpackhi_epi64(b, d),
                    ]
                };
                let (low, high) = (four(0), four(4));
                for index in 0..4 {
                    let (x, y) = (low[index], high[index]);
                    words[8 * half + index] = _mm256_permute2x128_si256::<0x20>(x, y);
                    words[8 * half + 4 + index] = _mm256_permute2x128_si256::<0x31>(x, y);
                }
            }
            Self(words)
        }
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn splat(word: u32) -> __m256i {
        _mm256_set1_epi32(word as i32)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn add(x: __m256i, y: __m256i) -> __m256i {
        _mm256_add_epi32(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn rotate<const BITS: i32>(x: __m256i) -> __m256i {
        // The intrinsics take the count as a constant, and 32 less it is none that can be written here.
        let high = match BITS {
            2 => _mm256_slli_epi32::<30>(x),
            6 => _mm256_slli_epi32::<26>(x),
            7 => _mm256_slli_epi32::<25>(x),
            11 => _mm256_slli_epi32::<21>(x),
            13 => _mm256_slli_epi32::<19>(x),
            17 => _mm256_slli_epi32::<15>(x),
            18 => _mm256_slli_epi32::<14>(x),
            19 => _mm256_slli_epi32::<13>(x),
            22 => _mm256_slli_epi32::<10>(x),
            _ => {
                const { assert!(matches!(BITS, 2 | 6 | 7 | 11 | 13 | 17 | 18 | 19 | 22 | 25)) };
                _mm256_slli_epi32::<7>(x)
            }
        };
        _mm256_or_si256(_mm256_srli_epi32::<BITS>(x), high)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn shift<const BITS: i32>(x: __m256i) -> __m256i {
        _mm256_srli_epi32::<BITS>(x)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn sum(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_xor_si256(_mm256_xor_si256(x, y), z)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn choose(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_xor_si256(_mm256_and_si256(x, y), _mm256_andnot_si256(x, z))
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn majority(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
    }

    /// Of each lane, `yes` if its count is above `step`.
    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn select(counts: __m256i, step: u32, yes: __m256i, no: __m256i) -> __m256i {
        _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(counts, splat(step)))
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn from_lanes(lanes: [u32; 8]) -> __m256i {
        let [a, b, c, d, e, f, g, h] = lanes.map(|word| word as i32);
        _mm256_set_epi32(h, g, f, e, d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn lanes_of(x: __m256i) -> [u32; 8] {
        let halves = [_mm256_extracti128_si256::<0>(x), _mm256_extracti128_si256::<1>(x)];
        let [low, high] = halves.map(|half| to_bits(half));
        core::array::from_fn(|lane| {
            (if lane < 4 { low >> (32 * lane) } else { high >> (32 * (lane - 4)) }) as u32
        })
    }
}

/// Sixteen lanes.
pub(super) mod avx512 {
    use super::*;

    lanes!(__m512i, 16, "avx,avx2,avx512f,avx512bw,avx512vl");

    impl Blocks {
        /// The big-endian words of a block for each lane.
        #[inline]
        #[target_feature(enable = "avx,avx2,avx512f,avx512bw,avx512vl")]
        pub(in super::super) fn load(blocks: [&[u8; BLOCK]; 16]) -> Self {
            let order = _mm512_broadcast_i32x4(_mm_set_epi64x(
                0x0c0d_0e0f_0809_0a0b,
                0x0405_0607_0001_0203,
            ));
            // Sixteen words of sixteen lanes: a transposition in four steps.
            let mut rows = [splat(0); 16];
            for (row, block) in rows.iter_mut().zip(blocks) {
                let (bytes, _) = block.as_chunks::<16>();
                let low = _mm256_set_m128i(load(&bytes[1]), load(&bytes[0]));
                let high = _mm256_set_m128i(load(&bytes[3]), load(&bytes[2]));
                let bytes = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
                *row = _mm512_shuffle_epi8(bytes, order);
            }
            let pair = |at: usize| {
                let (x, y) = (rows[at], rows[at + 1]);
                (_mm512_unpacklo_epi32(x, y), _mm512_unpackhi_epi32(x, y))
            };
            let four = |at: usize| {
                let ((a, b), (c, d)) = (pair(at), pair(at + 2));
                [
                    _mm512_unpacklo_epi64(a, c),
                    _mm512_unpackhi_epi64(a, c),
                    _mm512_unpacklo_epi64(b, d),
                    _mm512_unpackhi_epi64(b, d),
                ]
            };
            let quarters = [four(0), four(4), four(8), four(12)];
            let mut words = [splat(0); 16];
            for index in 0..4 {
                let [a, b, c, d] = quarters.map(|quarter| quarter[index]);
                let (even_low, odd_low) =
                    (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
                let (even_high, odd_high) =
                    (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
                words[index] = _mm512_shuffle_i32x4::<0x88>(even_low, even_high);
                words[4 + index] = _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high);
                words[8 + index] = _mm512_shuffle_i32x4::<0xdd>(even_low, even_high);
                words[12 + index] = _mm512_shuffle_i32x4::<0xdd>(odd_low, odd_high);
            }
            Self(words)
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn splat(word: u32) -> __m512i {
        _mm512_set1_epi32(word as i32)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add(x: __m512i, y: __m512i) -> __m512i {
        _mm512_add_epi32(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn rotate<const BITS: i32>(x: __m512i) -> __m512i {
        _mm512_ror_epi32::<BITS>(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn shift<const BITS: u32>(x: __m512i) -> __m512i {
        _mm512_srli_epi32::<BITS>(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn sum(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0x96>(x, y, z)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn choose(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0xca>(x, y, z)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn majority(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0xe8>(x, y, z)
    }

    /// Of each lane, `yes` if its count is above `step`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn select(counts: __m512i, step: u32, yes: __m512i, no: __m512i) -> __m512i {
        _mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(counts, splat(step)), no, yes)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn from_lanes(lanes: [u32; 16]) -> __m512i {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = lanes.map(|word| word as i32);
        _mm512_set_epi32(p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2,avx512f")]
    fn lanes_of(x: __m512i) -> [u32; 16] {
        let halves = [_mm512_extracti64x4_epi64::<0>(x), _mm512_extracti64x4_epi64::<1>(x)];
        let [low, high] = halves.map(|half| {
            let quarters =
                [_mm256_extracti128_si256::<0>(half), _mm256_extracti128_si256::<1>(half)];
            quarters.map(|quarter| to_bits(quarter))
        });
        let quarters = [low[0], low[1], high[0], high[1]];
        core::array::from_fn(|lane| (quarters[lane / 4] >> (32 * (lane % 4))) as u32)
    }
}

#[inline]
#[target_feature(enable = "avx")]
fn load(bytes: &[u8; 16]) -> core::arch::x86_64::__m128i {
    from_bits(u128::from_le_bytes(*bytes))
}
