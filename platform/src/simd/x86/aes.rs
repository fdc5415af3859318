//! AES: the key schedule, and blocks side by side. FIPS 197.

use core::arch::x86_64::{
    __m128i, _mm_aesdec_si128, _mm_aesdeclast_si128, _mm_aesenc_si128, _mm_aesenclast_si128,
    _mm_aesimc_si128, _mm_aeskeygenassist_si128, _mm_cvtsi128_si32, _mm_set_epi32, _mm_set1_epi32,
    _mm_setzero_si128, _mm_xor_si128,
};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The round keys of `ROUNDS` rounds: 10 for AES-128, 12 for AES-192, 14 for AES-256.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Schedule<const ROUNDS: usize> {
    /// The first `ROUNDS + 1` are in use.
    pub(super) keys: [__m128i; 15],
}

impl<const ROUNDS: usize> Schedule<ROUNDS> {
    /// Expands a key of `4 * (ROUNDS - 6)` bytes for encryption: FIPS 197 section 5.2.
    #[target_feature(enable = "aes,avx")]
    pub(super) fn new(key: &[u8]) -> Self {
        let in_key = ROUNDS - 6;
        let mut words = Zeroizing::new([0_u32; 60]);
        for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let mut constant: u32 = 1;
        for index in in_key..4 * (ROUNDS + 1) {
            let mut word = words[index - 1];
            if index % in_key == 0 {
                word = substitute(word).rotate_right(8) ^ constant;
                // Doubled in the field: past 0x80 comes 0x1b.
                constant = (constant << 1) ^ ((constant >> 7) * 0x11b);
            } else if in_key > 6 && index % in_key == 4 {
                word = substitute(word);
            }
            words[index] = words[index - in_key] ^ word;
        }
        let mut keys = [_mm_setzero_si128(); 15];
        for (key, [a, b, c, d]) in keys.iter_mut().zip(words.as_chunks().0) {
            *key = _mm_set_epi32(*d as i32, *c as i32, *b as i32, *a as i32);
        }
        Self { keys }
    }

    /// The schedule that undoes this one: FIPS 197 section 5.3.5.
    #[target_feature(enable = "aes,avx")]
    pub(super) fn inverse(&self) -> Self {
        let mut keys = self.keys;
        keys[..=ROUNDS].reverse();
        for key in &mut keys[1..ROUNDS] {
            *key = _mm_aesimc_si128(*key);
        }
        Self { keys }
    }

    /// Encrypts blocks side by side: FIPS 197 section 5.1.
    #[inline]
    #[target_feature(enable = "aes,avx")]
    pub(super) fn encrypt<const N: usize>(&self, mut blocks: [__m128i; N]) -> [__m128i; N] {
        for block in &mut blocks {
            *block = _mm_xor_si128(*block, self.keys[0]);
        }
        for round in 1..ROUNDS {
            for block in &mut blocks {
                *block = _mm_aesenc_si128(*block, self.keys[round]);
            }
        }
        for block in &mut blocks {
            *block = _mm_aesenclast_si128(*block, self.keys[ROUNDS]);
        }
        blocks
    }

    /// Decrypts blocks side by side, with the [`inverse`](Self::inverse) of the key's schedule.
    #[inline]
    #[target_feature(enable = "aes,avx")]
    pub(super) fn decrypt<const N: usize>(&self, mut blocks: [__m128i; N]) -> [__m128i; N] {
        for block in &mut blocks {
            *block = _mm_xor_si128(*block, self.keys[0]);
        }
        for round in 1..ROUNDS {
            for block in &mut blocks {
                *block = _mm_aesdec_si128(*block, self.keys[round]);
            }
        }
        for block in &mut blocks {
            *block = _mm_aesdeclast_si128(*block, self.keys[ROUNDS]);
        }
        blocks
    }
}

/// SubWord of FIPS 197 section 5.2, without a table.
#[inline]
#[target_feature(enable = "aes,avx")]
fn substitute(word: u32) -> u32 {
    _mm_cvtsi128_si32(_mm_aeskeygenassist_si128::<0>(_mm_set1_epi32(word as i32))) as u32
}
