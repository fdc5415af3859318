//! The same with VAES and VPCLMULQDQ: two blocks in each register. For packets of more blocks than one
//! pass of the narrow form takes.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_setzero_si128, _mm_xor_si128, _mm256_add_epi32, _mm256_aesenc_epi128,
    _mm256_aesenclast_epi128, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_clmulepi64_epi128, _mm256_extracti128_si256, _mm256_set_epi32, _mm256_set_m128i,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_xor_si256,
    _mm256_zextsi128_si256,
};

use super::{
    BLOCK, Gcm, Packet, Product, counters, load, reverse, store, to_bits, xor_block, xor_partial,
};
use crate::aead::MAX_NONCE_LEN as NONCE_LEN;

/// Blocks in a pass.
pub(super) const STRIDE: usize = 16;

/// Registers in a pass, of two blocks each.
const PAIRS: usize = STRIDE / 2;

impl<const ROUNDS: usize> Gcm<ROUNDS> {
    /// As [`Gcm::seal`].
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq")]
    pub(in super::super) fn seal_wide(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> u128 {
        to_bits(self.run_wide::<true>(&Packet::new(nonce, aad, text), text))
    }

    /// As [`Gcm::open`].
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq")]
    pub(in super::super) fn open_wide(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> u128 {
        to_bits(self.run_wide::<false>(&Packet::new(nonce, aad, text), text))
    }

    /// Encrypts or decrypts, and returns the tag of the ciphertext.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq")]
    fn run_wide<const SEAL: bool>(&self, packet: &Packet, text: &mut [u8]) -> __m128i {
        let [mask] = self.aes.encrypt(counters::<1>(packet.nonce, 1));
        let mut product = Product::zero();
        product.add(packet.aad, self.powers[0], self.folded[0]);
        let mut hash = product.reduce();
        let mut counter = 2;
        let (passes, rest) = text.as_chunks_mut::<{ STRIDE * BLOCK }>();
        for pass in passes {
            let stream = self.encrypt_wide(counter_pairs::<PAIRS>(packet.nonce, counter));
            counter += STRIDE as u32;
            let mut product = WideProduct::zero();
            for (index, pair) in pass.as_chunks_mut().0.iter_mut().enumerate() {
                let mut cipher = reverse_wide(xor_pair::<SEAL>(pair, stream[index]));
                if index == 0 {
                    cipher = _mm256_xor_si256(cipher, _mm256_zextsi128_si256(hash));
                }
                self.add_pair(&mut product, cipher, STRIDE - 1 - 2 * index);
            }
            hash = product.narrow().reduce();
        }
        let hash = match rest.len().div_ceil(4 * BLOCK) {
            0 | 1 => self.tail::<SEAL, 2>(packet, rest, counter, hash),
            2 => self.tail::<SEAL, 4>(packet, rest, counter, hash),
            3 => self.tail::<SEAL, 6>(packet, rest, counter, hash),
            _ => self.tail::<SEAL, 8>(packet, rest, counter, hash),
        };
        _mm_xor_si128(reverse(hash), mask)
    }

    /// What remains after the last whole pass: up to `N` pairs of blocks, then the lengths.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq")]
    fn tail<const SEAL: bool, const N: usize>(
        &self,
        packet: &Packet,
        text: &mut [u8],
        counter: u32,
        mut hash: __m128i,
    ) -> __m128i {
        let stream = self.encrypt_wide(counter_pairs::<N>(packet.nonce, counter));
        let count = text.len().div_ceil(BLOCK);
        let mut product = WideProduct::zero();
        let (pairs, rest) = text.as_chunks_mut();
        for (index, (pair, stream)) in pairs.iter_mut().zip(&stream).enumerate() {
            let cipher = reverse_wide(xor_pair::<SEAL>(pair, *stream));
            let cipher = _mm256_xor_si256(cipher, _mm256_zextsi128_si256(hash));
            hash = _mm_setzero_si128();
            self.add_pair(&mut product, cipher, count - 2 * index);
        }
        let mut product = product.narrow();
        // Less than a pair is left, and the pairs before it were at most `N - 1`.
        if let Some(stream) = stream.get(pairs.len()) {
            let halves = [_mm256_castsi256_si128(*stream), _mm256_extracti128_si256::<1>(*stream)];
            let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
            let mut power = count - 2 * pairs.len();
            let [first, second] = halves;
            let mut partial_stream = first;
            if let Some(block) = blocks.first_mut() {
                let cipher = _mm_xor_si128(reverse(xor_block::<SEAL>(block, first)), hash);
                hash = _mm_setzero_si128();
                product.add(cipher, self.powers[power], self.folded[power]);
                power -= 1;
                partial_stream = second;
            }
            if !rest.is_empty() {
                let cipher = reverse(xor_partial::<SEAL>(rest, partial_stream));
                let cipher = _mm_xor_si128(cipher, hash);
                hash = _mm_setzero_si128();
                product.add(cipher, self.powers[power], self.folded[power]);
            }
        }
        let lengths = _mm_xor_si128(packet.lengths, hash);
        product.add(lengths, self.powers[0], self.folded[0]);
        product.reduce()
    }

    /// Adds the first block of `pair` times the power at `index`, the second times the one below.
    #[inline]
    #[target_feature(enable = "avx,avx2,vpclmulqdq")]
    fn add_pair(&self, product: &mut WideProduct, pair: __m256i, index: usize) {
        let powers = _mm256_set_m128i(self.powers[index - 1], self.powers[index]);
        let folded = _mm256_set_m128i(self.folded[index - 1], self.folded[index]);
        product.add(pair, powers, folded);
    }

    /// Runs pairs of blocks through AES side by side.
    #[inline]
    #[target_feature(enable = "aes,avx,avx2,vaes")]
    fn encrypt_wide<const N: usize>(&self, mut pairs: [__m256i; N]) -> [__m256i; N] {
        let key = _mm256_broadcastsi128_si256(self.aes.keys[0]);
        for pair in &mut pairs {
            *pair = _mm256_xor_si256(*pair, key);
        }
        for round in 1..ROUNDS {
            let key = _mm256_broadcastsi128_si256(self.aes.keys[round]);
            for pair in &mut pairs {
                *pair = _mm256_aesenc_epi128(*pair, key);
            }
        }
        let key = _mm256_broadcastsi128_si256(self.aes.keys[ROUNDS]);
        for pair in &mut pairs {
            *pair = _mm256_aesenclast_epi128(*pair, key);
        }
        pairs
    }
}

/// Two [`Product`]s side by side.
struct WideProduct {
    low: __m256i,
    middle: __m256i,
    high: __m256i,
}

impl WideProduct {
    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn zero() -> Self {
        let zero = _mm256_setzero_si256();
        Self { low: zero, middle: zero, high: zero }
    }

    #[inline]
    #[target_feature(enable = "avx,avx2,vpclmulqdq")]
    fn add(&mut self, pair: __m256i, powers: __m256i, folded: __m256i) {
        let low = _mm256_clmulepi64_epi128::<0x00>(pair, powers);
        let high = _mm256_clmulepi64_epi128::<0x11>(pair, powers);
        let sums = _mm256_xor_si256(pair, _mm256_shuffle_epi32::<0x4e>(pair));
        let middle = _mm256_clmulepi64_epi128::<0x00>(sums, folded);
        self.low = _mm256_xor_si256(self.low, low);
        self.high = _mm256_xor_si256(self.high, high);
        self.middle = _mm256_xor_si256(self.middle, middle);
    }

    /// The sum of both.
    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn narrow(self) -> Product {
        Product {
            low: sum_of_halves(self.low),
            middle: sum_of_halves(self.middle),
            high: sum_of_halves(self.high),
        }
    }
}

#[inline]
#[target_feature(enable = "avx,avx2")]
fn sum_of_halves(x: __m256i) -> __m128i {
    _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x))
}

/// Reverses the order of the bytes in each half.
#[inline]
#[target_feature(enable = "avx,avx2")]
fn reverse_wide(x: __m256i) -> __m256i {
    let order = _mm256_set_epi32(
        0x0001_0203,
        0x0405_0607,
        0x0809_0a0b,
        0x0c0d_0e0f,
        0x0001_0203,
        0x0405_0607,
        0x0809_0a0b,
        0x0c0d_0e0f,
    );
    _mm256_shuffle_epi8(x, order)
}

/// `N` pairs of nonce and counter, from `first` on; see [`counters`].
#[inline]
#[target_feature(enable = "avx,avx2")]
fn counter_pairs<const N: usize>(nonce: __m128i, first: u32) -> [__m256i; N] {
    let nonce = _mm256_broadcastsi128_si256(nonce);
    let mut pairs = [nonce; N];
    for (index, pair) in pairs.iter_mut().enumerate() {
        let counter = first + 2 * index as u32;
        let (low, high) = (counter << 24, (counter + 1) << 24);
        let counters = _mm256_set_epi32(high as i32, 0, 0, 0, low as i32, 0, 0, 0);
        *pair = _mm256_add_epi32(nonce, counters);
    }
    pairs
}

/// Applies the key stream to a pair of blocks and returns the ciphertext.
#[inline]
#[target_feature(enable = "sse4.1,avx,avx2")]
fn xor_pair<const SEAL: bool>(pair: &mut [u8; 2 * BLOCK], stream: __m256i) -> __m256i {
    let (blocks, _) = pair.as_chunks_mut::<BLOCK>();
    let before = _mm256_set_m128i(load(&blocks[1]), load(&blocks[0]));
    let after = _mm256_xor_si256(before, stream);
    blocks[0] = store(_mm256_castsi256_si128(after));
    blocks[1] = store(_mm256_extracti128_si256::<1>(after));
    if SEAL { after } else { before }
}
