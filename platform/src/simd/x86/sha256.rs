//! SHA-256 of several messages side by side, each in its own 32-bit lane: FIPS 180-4 section 6.2.
//!
//! Eight lanes with AVX2, sixteen with AVX-512.

use super::lanes::{Messages, lanes};
use super::load;

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
pub(super) const ROUND: [[u32; 16]; 4] = [
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

/// The hash function for one width of register.
macro_rules! sha256 {
    ($vector:ty, $lanes:literal, $features:literal) => {
        lanes!($vector, u32, $lanes, $features, 2 13 22, 6 11 25, 7 18 3, 17 19 10);
    };
}

/// Eight lanes.
pub(super) mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8,
        _mm256_cmpgt_epi32, _mm256_extracti128_si256, _mm256_or_si256, _mm256_set_epi32,
        _mm256_set_epi64x, _mm256_set_m128i, _mm256_set1_epi32, _mm256_shuffle_epi8,
        _mm256_slli_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
        _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
    };

    use super::*;
    use crate::simd::x86::to_bits;

    sha256!(__m256i, 8, "ssse3,sse4.1,avx,avx2");

    /// The hash value after one block.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn after(initial: &[u32; 8], block: &[u8; BLOCK]) -> [u32; 8] {
        let words = |quarter| four_words(&[block; 8], quarter);
        State::all(initial).compress(words).0.map(|word| lanes_of(word)[0])
    }

    /// Words `4 * quarter` to `4 * quarter + 3` of each lane's block, which are big-endian.
    #[inline]
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    fn four_words(blocks: &[&[u8; BLOCK]; 8], quarter: usize) -> [__m256i; 4] {
        let order = _mm256_set_epi64x(
            0x0c0d_0e0f_0809_0a0b,
            0x0405_0607_0001_0203,
            0x0c0d_0e0f_0809_0a0b,
            0x0405_0607_0001_0203,
        );
        let row = |lane: usize| {
            let [low, high] =
                [lane, lane + 4].map(|lane| load(&blocks[lane].as_chunks().0[quarter]));
            _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order)
        };
        // In each half of a register, four words of four lanes: a transposition in two steps.
        let pair = |lane: usize| {
            let (x, y) = (row(lane), row(lane + 1));
            (_mm256_unpacklo_epi32(x, y), _mm256_unpackhi_epi32(x, y))
        };
        let ((a, b), (c, d)) = (pair(0), pair(2));
        [
            _mm256_unpacklo_epi64(a, c),
            _mm256_unpackhi_epi64(a, c),
            _mm256_unpacklo_epi64(b, d),
            _mm256_unpackhi_epi64(b, d),
        ]
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
    #[target_feature(enable = "sse4.1,avx,avx2")]
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
    use core::arch::x86_64::{
        __m512i, _mm_set_epi64x, _mm256_extracti128_si256, _mm256_set_m128i, _mm512_add_epi32,
        _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_cmpgt_epi32_mask,
        _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_mask_blend_epi32, _mm512_ror_epi32,
        _mm512_set_epi32, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_srli_epi32,
        _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
        _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    };

    use super::*;
    use crate::simd::x86::to_bits;

    sha256!(__m512i, 16, "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl");

    /// Words `4 * quarter` to `4 * quarter + 3` of each lane's block, which are big-endian.
    #[inline]
    #[target_feature(enable = "avx,avx2,avx512f,avx512bw,avx512vl")]
    fn four_words(blocks: &[&[u8; BLOCK]; 16], quarter: usize) -> [__m512i; 4] {
        let order =
            _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203));
        let row = |lane: usize| {
            let [a, b, c, d] = [lane, lane + 4, lane + 8, lane + 12]
                .map(|lane| load(&blocks[lane].as_chunks().0[quarter]));
            let (low, high) = (_mm256_set_m128i(b, a), _mm256_set_m128i(d, c));
            let bytes = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
            _mm512_shuffle_epi8(bytes, order)
        };
        // In each quarter of a register, four words of four lanes: a transposition in two steps.
        let pair = |lane: usize| {
            let (x, y) = (row(lane), row(lane + 1));
            (_mm512_unpacklo_epi32(x, y), _mm512_unpackhi_epi32(x, y))
        };
        let ((a, b), (c, d)) = (pair(0), pair(2));
        [
            _mm512_unpacklo_epi64(a, c),
            _mm512_unpackhi_epi64(a, c),
            _mm512_unpacklo_epi64(b, d),
            _mm512_unpackhi_epi64(b, d),
        ]
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
    #[target_feature(enable = "sse4.1,avx,avx2,avx512f")]
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
