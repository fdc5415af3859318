//! SHA-256 of four messages side by side with the processor's instructions for it: FIPS 180-4 section 6.2.
//!
//! One message waits four cycles for every two rounds; four of them fill the time. The state is held as the
//! instructions want it, in two registers: words a, b, e and f, and words c, d, g and h.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blendv_epi8, _mm_set_epi32, _mm_set_epi64x,
    _mm_set1_epi32, _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::lanes::Messages;
use super::sha256::{BLOCK, ROUND};
use super::{load, to_bits};

/// Messages side by side.
pub(super) const LANES: usize = 4;

/// The hash value of one message.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

impl State {
    #[inline]
    #[target_feature(enable = "avx")]
    fn new(words: &[u32; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = words.map(|word| word as i32);
        Self { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    }

    /// `other` if it is to be, without a branch.
    #[inline]
    #[target_feature(enable = "sse4.1,avx")]
    fn or_if(self, condition: bool, other: Self) -> Self {
        let mask = _mm_set1_epi32(-i32::from(condition));
        Self {
            abef: _mm_blendv_epi8(self.abef, other.abef, mask),
            cdgh: _mm_blendv_epi8(self.cdgh, other.cdgh, mask),
        }
    }

    /// The hash value, then the padding that makes it the second and last block of a message.
    #[inline]
    #[target_feature(enable = "sse4.1,avx")]
    fn as_last_block(&self) -> [u8; BLOCK] {
        let (abef, cdgh) = (to_bits(self.abef), to_bits(self.cdgh));
        let halves = [
            (abef >> 64) << 64 | cdgh >> 64,
            abef << 64 | (cdgh << 64) >> 64,
            1 << 127,
            8 * (BLOCK as u128 + 32),
        ];
        let mut block = [0; BLOCK];
        for (bytes, half) in block.as_chunks_mut().0.iter_mut().zip(halves) {
            *bytes = half.to_be_bytes();
        }
        block
    }

    /// The first 16 bytes of the hash value.
    #[inline]
    #[target_feature(enable = "sse4.1,avx")]
    fn front(&self) -> [u8; 16] {
        ((to_bits(self.abef) >> 64) << 64 | to_bits(self.cdgh) >> 64).to_be_bytes()
    }
}

/// The code for one set of registers: what is compiled for fewer is not taken over where there are more.
macro_rules! streams {
    ($features:literal) => {
        /// HMAC-SHA-256 (RFC 2104) of the message of each stream, cut to 16 bytes. `key` holds the states after the
        /// inner and the outer padded key.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in super::super) fn hmac(
            key: &[[u32; 8]; 2],
            _digest: usize,
            messages: &Messages<'_, LANES, BLOCK>,
        ) -> [[u8; 16]; LANES] {
            let [inner, outer] = key.each_ref().map(|words| [State::new(words); LANES]);
            let (_, most) = messages.least_and_most();
            let whole = messages.whole_of_all();
            let mut states = take(inner, whole);
            for step in whole[0].len()..most {
                let next = take(states, messages.blocks(step).map(core::slice::from_ref));
                for ((state, next), count) in states.iter_mut().zip(next).zip(messages.counts) {
                    *state = state.or_if(step < count, next);
                }
            }
            let last = states.map(|state| state.as_last_block());
            take(outer, last.each_ref().map(core::slice::from_ref)).map(|state| state.front())
        }

        /// Takes blocks in each stream, as many of each.
        ///
        /// By itself, so that states are vectors throughout: behind what takes one apart, the compiler holds
        /// its halves in memory, and a vector that is read there waits for both.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn take(mut states: [State; LANES], blocks: [&[[u8; BLOCK]]; LANES]) -> [State; LANES] {
            let [a, b, c, d] = blocks;
            for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
                states = compress(states, [a, b, c, d]);
            }
            states
        }

        /// Takes one more block in each stream.
        ///
        /// A loop over every four rounds, and not written out: what is written out is put in another order by the
        /// compiler, by message, and one message cannot fill the time.
        #[inline]
        #[target_feature(enable = $features)]
        fn compress(before: [State; LANES], blocks: [&[u8; BLOCK]; LANES]) -> [State; LANES] {
            let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
            // The words of the next sixteen rounds.
            let mut words = [[_mm_setzero_si128(); 4]; LANES];
            for (words, block) in words.iter_mut().zip(blocks) {
                for (words, bytes) in words.iter_mut().zip(block.as_chunks().0) {
                    *words = _mm_shuffle_epi8(load(bytes), order);
                }
            }
            let mut states = before;
            let (with_schedule, last) = ROUNDS.split_at(12);
            for constants in with_schedule {
                for (State { abef, cdgh }, words) in states.iter_mut().zip(&mut words) {
                    let [w0, w4, w8, w12] = *words;
                    let known = _mm_add_epi32(w0, four(constants));
                    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, known);
                    let w9 = _mm_alignr_epi8::<4>(w12, w8);
                    let partly = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), w9);
                    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(known));
                    *words = [w4, w8, w12, _mm_sha256msg2_epu32(partly, w12)];
                }
            }
            for (at, constants) in last.iter().enumerate() {
                for (State { abef, cdgh }, words) in states.iter_mut().zip(&words) {
                    let known = _mm_add_epi32(words[at], four(constants));
                    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, known);
                    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(known));
                }
            }
            for (state, before) in states.iter_mut().zip(before) {
                state.abef = _mm_add_epi32(state.abef, before.abef);
                state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
            }
            states
        }
    };
}

/// The constants of the rounds, by four.
const ROUNDS: &[[u32; 4]] = ROUND.as_flattened().as_chunks().0;

#[inline]
#[target_feature(enable = "avx")]
fn four(words: &[u32; 4]) -> __m128i {
    let [a, b, c, d] = words.map(|word| word as i32);
    _mm_set_epi32(d, c, b, a)
}

/// Sixteen registers, which do not hold all of four messages.
pub(super) mod narrow {
    use super::*;

    streams!("sha,ssse3,sse4.1,avx,avx2");
}

/// The registers of AVX-512, which do.
pub(super) mod wide {
    use super::*;

    streams!("sha,ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl");
}
