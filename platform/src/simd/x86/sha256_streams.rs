//! SHA-256 of four messages side by side with the processor's instructions for it: FIPS 180-4 section 6.2.
//!
//! One message waits four cycles for every two rounds; four of them fill the time. The state is held as the instructions want it, in two registers: words
//! a, b, e and f, and words c, d, g and h.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32,
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
            let [inner, outer] = key.each_ref().map(|words| State::new(words));
            let (_, most) = messages.least_and_most();
            let mut states = [inner; LANES];
            let mut last = [[0; BLOCK]; LANES];
            let mut tags = [[0; 16]; LANES];
            // Each stream goes from the inner to the outer hash where its own message ends; what it does behind
            // that is not looked at.
            for step in 0..=most {
                let mut blocks = messages.blocks(step);
                for lane in 0..LANES {
                    if step == messages.counts[lane] {
                        last[lane] = states[lane].as_last_block();
                        states[lane] = outer;
                    }
                }
                for (lane, last) in last.iter().enumerate() {
                    if step >= messages.counts[lane] {
                        blocks[lane] = last;
                    }
                }
                states = compress(states, blocks);
                for (lane, tag) in tags.iter_mut().enumerate() {
                    if step == messages.counts[lane] {
                        *tag = states[lane].front();
                    }
                }
            }
            tags
        }

        /// Takes one more block in each stream.
        #[inline]
        #[target_feature(enable = $features)]
        fn compress(before: [State; LANES], blocks: [&[u8; BLOCK]; LANES]) -> [State; LANES] {
            let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
            let mut w = [[_mm_setzero_si128(); 4]; LANES];
            for (w, block) in w.iter_mut().zip(blocks) {
                for (w, bytes) in w.iter_mut().zip(block.as_chunks().0) {
                    *w = _mm_shuffle_epi8(load(bytes), order);
                }
            }
            let mut states = before;
            macro_rules! four_rounds {
                ($constants:ident $i:literal $late:literal $early:literal) => {
                    let [a, b, c, d] = $constants.as_chunks::<4>().0[$i].map(|word| word as i32);
                    let constants = _mm_set_epi32(d, c, b, a);
                    for (State { abef, cdgh }, w) in states.iter_mut().zip(&mut w) {
                        let known = _mm_add_epi32(w[$i], constants);
                        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, known);
                        if $late {
                            let late = _mm_alignr_epi8::<4>(w[$i], w[($i + 3) % 4]);
                            let next = _mm_add_epi32(w[($i + 1) % 4], late);
                            w[($i + 1) % 4] = _mm_sha256msg2_epu32(next, w[$i]);
                        }
                        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(known));
                        if $early {
                            w[($i + 3) % 4] = _mm_sha256msg1_epu32(w[($i + 3) % 4], w[$i]);
                        }
                    }
                };
            }
            let [first, others @ .., last] = &ROUND;
            four_rounds!(first 0 false false);
            four_rounds!(first 1 false true);
            four_rounds!(first 2 false true);
            four_rounds!(first 3 true true);
            // A loop, lest the compiler sort the rounds by message.
            for constants in others {
                four_rounds!(constants 0 true true);
                four_rounds!(constants 1 true true);
                four_rounds!(constants 2 true true);
                four_rounds!(constants 3 true true);
            }
            four_rounds!(last 0 true true);
            four_rounds!(last 1 true false);
            four_rounds!(last 2 true false);
            four_rounds!(last 3 false false);
            for (state, before) in states.iter_mut().zip(before) {
                state.abef = _mm_add_epi32(state.abef, before.abef);
                state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
            }
            states
        }
    };
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
