//! SHA-512 and SHA-384 of several messages side by side, each in its own 64-bit lane: FIPS 180-4 sections
//! 6.4 and 6.5.
//!
//! Four lanes with AVX2, eight with AVX-512.

use super::lanes::{Messages, lanes};
use super::load;

/// Bytes of a block.
pub(super) const BLOCK: usize = 128;

/// The initial hash value of SHA-512: FIPS 180-4 section 5.3.5.
pub(super) const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The initial hash value of SHA-384: FIPS 180-4 section 5.3.4.
pub(super) const INITIAL_384: [u64; 8] = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];

/// The constants of the rounds: FIPS 180-4 section 4.2.3.
const ROUND: [[u64; 16]; 5] = [
    [
        0x428a_2f98_d728_ae22,
        0x7137_4491_23ef_65cd,
        0xb5c0_fbcf_ec4d_3b2f,
        0xe9b5_dba5_8189_dbbc,
        0x3956_c25b_f348_b538,
        0x59f1_11f1_b605_d019,
        0x923f_82a4_af19_4f9b,
        0xab1c_5ed5_da6d_8118,
        0xd807_aa98_a303_0242,
        0x1283_5b01_4570_6fbe,
        0x2431_85be_4ee4_b28c,
        0x550c_7dc3_d5ff_b4e2,
        0x72be_5d74_f27b_896f,
        0x80de_b1fe_3b16_96b1,
        0x9bdc_06a7_25c7_1235,
        0xc19b_f174_cf69_2694,
    ],
    [
        0xe49b_69c1_9ef1_4ad2,
        0xefbe_4786_384f_25e3,
        0x0fc1_9dc6_8b8c_d5b5,
        0x240c_a1cc_77ac_9c65,
        0x2de9_2c6f_592b_0275,
        0x4a74_84aa_6ea6_e483,
        0x5cb0_a9dc_bd41_fbd4,
        0x76f9_88da_8311_53b5,
        0x983e_5152_ee66_dfab,
        0xa831_c66d_2db4_3210,
        0xb003_27c8_98fb_213f,
        0xbf59_7fc7_beef_0ee4,
        0xc6e0_0bf3_3da8_8fc2,
        0xd5a7_9147_930a_a725,
        0x06ca_6351_e003_826f,
        0x1429_2967_0a0e_6e70,
    ],
    [
        0x27b7_0a85_46d2_2ffc,
        0x2e1b_2138_5c26_c926,
        0x4d2c_6dfc_5ac4_2aed,
        0x5338_0d13_9d95_b3df,
        0x650a_7354_8baf_63de,
        0x766a_0abb_3c77_b2a8,
        0x81c2_c92e_47ed_aee6,
        0x9272_2c85_1482_353b,
        0xa2bf_e8a1_4cf1_0364,
        0xa81a_664b_bc42_3001,
        0xc24b_8b70_d0f8_9791,
        0xc76c_51a3_0654_be30,
        0xd192_e819_d6ef_5218,
        0xd699_0624_5565_a910,
        0xf40e_3585_5771_202a,
        0x106a_a070_32bb_d1b8,
    ],
    [
        0x19a4_c116_b8d2_d0c8,
        0x1e37_6c08_5141_ab53,
        0x2748_774c_df8e_eb99,
        0x34b0_bcb5_e19b_48a8,
        0x391c_0cb3_c5c9_5a63,
        0x4ed8_aa4a_e341_8acb,
        0x5b9c_ca4f_7763_e373,
        0x682e_6ff3_d6b2_b8a3,
        0x748f_82ee_5def_b2fc,
        0x78a5_636f_4317_2f60,
        0x84c8_7814_a1f0_ab72,
        0x8cc7_0208_1a64_39ec,
        0x90be_fffa_2363_1e28,
        0xa450_6ceb_de82_bde9,
        0xbef9_a3f7_b2c6_7915,
        0xc671_78f2_e372_532b,
    ],
    [
        0xca27_3ece_ea26_619c,
        0xd186_b8c7_21c0_c207,
        0xeada_7dd6_cde0_eb1e,
        0xf57d_4f7f_ee6e_d178,
        0x06f0_67aa_7217_6fba,
        0x0a63_7dc5_a2c8_98a6,
        0x113f_9804_bef9_0dae,
        0x1b71_0b35_131c_471b,
        0x28db_77f5_2304_7d84,
        0x32ca_ab7b_40c7_2493,
        0x3c9e_be0a_15c9_bebc,
        0x431d_67c4_9c10_0d4c,
        0x4cc5_d4be_cb3e_42b6,
        0x597f_299c_fc65_7e2a,
        0x5fcb_6fab_3ad6_faec,
        0x6c44_198c_4a47_5817,
    ],
];

/// The hash function for one width of register.
macro_rules! sha512 {
    ($vector:ty, $lanes:literal, $features:literal) => {
        lanes!($vector, u64, $lanes, $features, 28 34 39, 14 18 41, 1 8 7, 19 61 6);
    };
}

/// Four lanes.
pub(super) mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8,
        _mm256_cmpgt_epi64, _mm256_extracti128_si256, _mm256_or_si256, _mm256_set_epi64x,
        _mm256_set_m128i, _mm256_set1_epi64x, _mm256_shuffle_epi8, _mm256_slli_epi64,
        _mm256_srli_epi64, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256,
    };

    use super::*;
    use crate::simd::x86::to_bits;

    sha512!(__m256i, 4, "ssse3,sse4.1,avx,avx2");

    /// The hash value after one block.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn after(initial: &[u64; 8], block: &[u8; BLOCK]) -> [u64; 8] {
        let words = |quarter| four_words(&[block; 4], quarter);
        State::all(initial).compress(words).0.map(|word| lanes_of(word)[0])
    }

    /// Words `4 * quarter` to `4 * quarter + 3` of each lane's block, which are big-endian.
    #[inline]
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    fn four_words(blocks: &[&[u8; BLOCK]; 4], quarter: usize) -> [__m256i; 4] {
        let order = _mm256_set_epi64x(
            0x0809_0a0b_0c0d_0e0f,
            0x0001_0203_0405_0607,
            0x0809_0a0b_0c0d_0e0f,
            0x0001_0203_0405_0607,
        );
        // In each half of a register, two words of two lanes.
        let two_words = |piece: usize| {
            let row = |lane: usize| {
                let [low, high] =
                    [lane, lane + 2].map(|lane| load(&blocks[lane].as_chunks().0[piece]));
                _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order)
            };
            let (x, y) = (row(0), row(1));
            (_mm256_unpacklo_epi64(x, y), _mm256_unpackhi_epi64(x, y))
        };
        let ((a, b), (c, d)) = (two_words(2 * quarter), two_words(2 * quarter + 1));
        [a, b, c, d]
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn splat(word: u64) -> __m256i {
        _mm256_set1_epi64x(word as i64)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn add(x: __m256i, y: __m256i) -> __m256i {
        _mm256_add_epi64(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn rotate<const BITS: i32>(x: __m256i) -> __m256i {
        // The intrinsics take the count as a constant, and 64 less it is none that can be written here.
        let high = match BITS {
            1 => _mm256_slli_epi64::<63>(x),
            8 => _mm256_slli_epi64::<56>(x),
            14 => _mm256_slli_epi64::<50>(x),
            18 => _mm256_slli_epi64::<46>(x),
            19 => _mm256_slli_epi64::<45>(x),
            28 => _mm256_slli_epi64::<36>(x),
            34 => _mm256_slli_epi64::<30>(x),
            39 => _mm256_slli_epi64::<25>(x),
            41 => _mm256_slli_epi64::<23>(x),
            _ => {
                const { assert!(matches!(BITS, 1 | 8 | 14 | 18 | 19 | 28 | 34 | 39 | 41 | 61)) };
                _mm256_slli_epi64::<3>(x)
            }
        };
        _mm256_or_si256(_mm256_srli_epi64::<BITS>(x), high)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn shift<const BITS: i32>(x: __m256i) -> __m256i {
        _mm256_srli_epi64::<BITS>(x)
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
    fn select(counts: __m256i, step: u64, yes: __m256i, no: __m256i) -> __m256i {
        _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi64(counts, splat(step)))
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn from_lanes(lanes: [u64; 4]) -> __m256i {
        let [a, b, c, d] = lanes.map(|word| word as i64);
        _mm256_set_epi64x(d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "sse4.1,avx,avx2")]
    fn lanes_of(x: __m256i) -> [u64; 4] {
        let halves = [_mm256_extracti128_si256::<0>(x), _mm256_extracti128_si256::<1>(x)];
        let halves = halves.map(|half| to_bits(half));
        core::array::from_fn(|lane| (halves[lane / 2] >> (64 * (lane % 2))) as u64)
    }
}

/// Eight lanes.
pub(super) mod avx512 {
    use core::arch::x86_64::{
        __m512i, _mm_set_epi64x, _mm256_extracti128_si256, _mm256_set_m128i, _mm512_add_epi64,
        _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_cmpgt_epi64_mask,
        _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_mask_blend_epi64, _mm512_ror_epi64,
        _mm512_set_epi64, _mm512_set1_epi64, _mm512_shuffle_epi8, _mm512_srli_epi64,
        _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
    };

    use super::*;
    use crate::simd::x86::to_bits;

    sha512!(__m512i, 8, "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl");

    /// Words `4 * quarter` to `4 * quarter + 3` of each lane's block, which are big-endian.
    #[inline]
    #[target_feature(enable = "avx,avx2,avx512f,avx512bw,avx512vl")]
    fn four_words(blocks: &[&[u8; BLOCK]; 8], quarter: usize) -> [__m512i; 4] {
        let order =
            _mm512_broadcast_i32x4(_mm_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607));
        // In each quarter of a register, two words of two lanes.
        let two_words = |piece: usize| {
            let row = |lane: usize| {
                let [a, b, c, d] = [lane, lane + 2, lane + 4, lane + 6]
                    .map(|lane| load(&blocks[lane].as_chunks().0[piece]));
                let (low, high) = (_mm256_set_m128i(b, a), _mm256_set_m128i(d, c));
                let bytes = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
                _mm512_shuffle_epi8(bytes, order)
            };
            let (x, y) = (row(0), row(1));
            (_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y))
        };
        let ((a, b), (c, d)) = (two_words(2 * quarter), two_words(2 * quarter + 1));
        [a, b, c, d]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn splat(word: u64) -> __m512i {
        _mm512_set1_epi64(word as i64)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add(x: __m512i, y: __m512i) -> __m512i {
        _mm512_add_epi64(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn rotate<const BITS: i32>(x: __m512i) -> __m512i {
        _mm512_ror_epi64::<BITS>(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn shift<const BITS: u32>(x: __m512i) -> __m512i {
        _mm512_srli_epi64::<BITS>(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn sum(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi64::<0x96>(x, y, z)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn choose(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi64::<0xca>(x, y, z)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn majority(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi64::<0xe8>(x, y, z)
    }

    /// Of each lane, `yes` if its count is above `step`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn select(counts: __m512i, step: u64, yes: __m512i, no: __m512i) -> __m512i {
        _mm512_mask_blend_epi64(_mm512_cmpgt_epi64_mask(counts, splat(step)), no, yes)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn from_lanes(lanes: [u64; 8]) -> __m512i {
        let [a, b, c, d, e, f, g, h] = lanes.map(|word| word as i64);
        _mm512_set_epi64(h, g, f, e, d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "sse4.1,avx,avx2,avx512f")]
    fn lanes_of(x: __m512i) -> [u64; 8] {
        let halves = [_mm512_extracti64x4_epi64::<0>(x), _mm512_extracti64x4_epi64::<1>(x)];
        let [low, high] = halves.map(|half| {
            let quarters =
                [_mm256_extracti128_si256::<0>(half), _mm256_extracti128_si256::<1>(half)];
            quarters.map(|quarter| to_bits(quarter))
        });
        let quarters = [low[0], low[1], high[0], high[1]];
        core::array::from_fn(|lane| (quarters[lane / 2] >> (64 * (lane % 2))) as u64)
    }
}
