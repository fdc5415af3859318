//! AES-GCM with AES-NI and PCLMULQDQ.
//!
//! GHASH is computed as POLYVAL (RFC 8452 appendix A): blocks byte-reversed, the hash key multiplied by
//! x once. A pass takes up to [`STRIDE`] blocks through AES side by side, hashes each with its own
//! power of H and reduces once. There is no table, no branch and no address that depends on
//! anything but lengths.

use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64,
    _mm_or_si128, _mm_set_epi8, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128, _mm_shuffle_epi8,
    _mm_shuffle_epi32, _mm_slli_epi64, _mm_slli_si128, _mm_srai_epi32, _mm_srli_epi64,
    _mm_xor_si128,
};

use zeroize::{Zeroize, ZeroizeOnDrop};

mod aes;
mod cbc;
mod gmac;
mod hmac;
mod lanes;
mod sha256;
mod sha256_streams;
mod sha512;
mod wide;

pub(super) use cbc::Cbc;
pub(super) use gmac::MAX_GMAC_AAD;
pub(super) use hmac::{HmacSha256, HmacSha512};
pub(super) use wide::{ymm, zmm};

use super::source::{InPlace, Source};
use crate::aead::MAX_NONCE_LEN as NONCE_LEN;
use aes::Schedule;

/// The longest associated data that [`Gcm`] takes, in bytes: one block. ESP's has 8 or 12 bytes.
pub(super) const MAX_AAD: usize = BLOCK;

const BLOCK: usize = 16;

/// Blocks in a pass: enough to fill the AES unit's pipeline.
const STRIDE: usize = 8;

/// Powers of H: one for each block of text in the widest pass, one for the lengths, one for the
/// associated data.
const POWERS: usize = wide::STRIDE + 2;

/// An expanded key for `ROUNDS` rounds: 10 for AES-128, 12 for AES-192, 14 for AES-256. It has 912 bytes, of
/// which the powers of H are 672.
///
/// Three forms of the code work on it: [`seal`](Self::seal) and [`open`](Self::open) on one block per
/// register, and those of [`wide`] on two and on four.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Gcm<const ROUNDS: usize> {
    aes: Schedule<ROUNDS>,
    /// H^POWERS, …, H^2, H^1 in POLYVAL's convention, then zeros: the factors of the blocks of a pass in
    /// their order, to be read from any of them on by whole registers.
    powers: [__m128i; POWERS + wide::MAX_LANES - 1],
    /// Of each power, the sum of its halves in both halves: Karatsuba's middle factor.
    folded: [__m128i; POWERS + wide::MAX_LANES - 1],
}

/// What one packet brings besides its text.
struct Packet {
    /// The nonce, and zero in the place of the block counter.
    nonce: __m128i,
    /// The associated data, padded with zeros and byte-reversed.
    aad: __m128i,
    /// The block of lengths that GHASH ends with, byte-reversed.
    lengths: __m128i,
}

impl Packet {
    #[inline]
    #[target_feature(enable = "ssse3,avx")]
    fn new(nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> Self {
        Self {
            nonce: load_partial(nonce),
            aad: reverse(load_partial(aad)),
            lengths: _mm_set_epi64x(aad.len() as i64 * 8, text.len() as i64 * 8),
        }
    }
}

impl<const ROUNDS: usize> Gcm<ROUNDS> {
    /// Expands a key of `4 * (ROUNDS - 6)` bytes.
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(super) fn new(key: &[u8]) -> Self {
        let zeros = [_mm_setzero_si128(); POWERS + wide::MAX_LANES - 1];
        let mut gcm = Self { aes: Schedule::new(key), powers: zeros, folded: zeros };
        let [hash_key] = gcm.aes.encrypt([_mm_setzero_si128()]);
        let first = times_x(reverse(hash_key));
        let mut power = first;
        for index in (0..POWERS).rev() {
            gcm.powers[index] = power;
            gcm.folded[index] = fold(power);
            let mut product = Product::zero();
            product.add(power, (first, fold(first)));
            power = product.reduce();
        }
        gcm
    }

    /// Encrypts what `source` has for `text` and returns the tag, as a little-endian number. `aad` has at
    /// most [`MAX_AAD`] bytes.
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        mut source: impl Source,
        text: &mut [u8],
    ) -> u128 {
        to_bits(self.run::<true>(&Packet::new(nonce, aad, text), &mut source, text))
    }

    /// Decrypts `text` in place and returns the tag that it must have had; `text` is of no use if it
    /// had another.
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(super) fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> u128 {
        to_bits(self.run::<false>(&Packet::new(nonce, aad, text), &mut InPlace, text))
    }

    /// H^`exponent`, for exponents from 1 to [`POWERS`], and its folded form.
    #[inline]
    #[target_feature(enable = "avx")]
    fn power(&self, exponent: usize) -> (__m128i, __m128i) {
        let index = POWERS - exponent;
        (self.powers[index], self.folded[index])
    }

    /// Encrypts or decrypts, and returns the tag of the ciphertext.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    fn run<const SEAL: bool>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> __m128i {
        match text.len().div_ceil(BLOCK) {
            0 => self.one_pass::<SEAL, 0, 1>(packet, source, text),
            1 => self.one_pass::<SEAL, 1, 2>(packet, source, text),
            2 => self.one_pass::<SEAL, 2, 3>(packet, source, text),
            3 => self.one_pass::<SEAL, 3, 4>(packet, source, text),
            4 => self.one_pass::<SEAL, 4, 5>(packet, source, text),
            5 => self.one_pass::<SEAL, 5, 6>(packet, source, text),
            6 => self.one_pass::<SEAL, 6, 7>(packet, source, text),
            7 => self.one_pass::<SEAL, 7, 8>(packet, source, text),
            8 => self.one_pass::<SEAL, 8, 9>(packet, source, text),
            _ => self.passes::<SEAL>(packet, source, text),
        }
    }

    /// A packet of `BLOCKS` blocks, the last of which may be partial. `STREAMS` is one more: the block
    /// that masks the tag runs along.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    fn one_pass<const SEAL: bool, const BLOCKS: usize, const STREAMS: usize>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> __m128i {
        let mut hash = Product::zero();
        hash.add(packet.aad, self.power(BLOCKS + 2));
        hash.add(packet.lengths, self.power(1));
        let stream = self.aes.encrypt(counters::<STREAMS>(packet.nonce, 1));
        let (blocks, rest) = text.as_chunks_mut::<BLOCK>();
        for index in 0..BLOCKS {
            let cipher = match blocks.get_mut(index) {
                Some(block) => xor_block::<SEAL>(source, block, stream[index + 1]),
                None => xor_partial::<SEAL>(rest, stream[index + 1]),
            };
            hash.add(reverse(cipher), self.power(BLOCKS + 1 - index));
        }
        _mm_xor_si128(reverse(hash.reduce()), stream[0])
    }

    /// A packet of any length, one pass after another.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    fn passes<const SEAL: bool>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> __m128i {
        let [mask] = self.aes.encrypt(counters::<1>(packet.nonce, 1));
        let mut product = Product::zero();
        product.add(packet.aad, self.power(1));
        let mut hash = product.reduce();
        let mut counter = 2;
        let (passes, rest) = text.as_chunks_mut::<{ STRIDE * BLOCK }>();
        for pass in passes {
            let stream = self.aes.encrypt(counters::<STRIDE>(packet.nonce, counter));
            counter += STRIDE as u32;
            let mut product = Product::zero();
            for (index, block) in pass.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                let mut cipher = reverse(xor_block::<SEAL>(source, block, stream[index]));
                if index == 0 {
                    cipher = _mm_xor_si128(cipher, hash);
                }
                let power = STRIDE - index;
                product.add(cipher, self.power(power));
            }
            hash = product.reduce();
        }
        let count = rest.len().div_ceil(BLOCK);
        let stream = self.aes.encrypt(counters::<STRIDE>(packet.nonce, counter));
        let mut product = Product::zero();
        let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
        for (index, stream) in stream.into_iter().enumerate().take(count) {
            let cipher = match blocks.get_mut(index) {
                Some(block) => xor_block::<SEAL>(source, block, stream),
                None => xor_partial::<SEAL>(rest, stream),
            };
            let block = _mm_xor_si128(reverse(cipher), hash);
            hash = _mm_setzero_si128();
            product.add(block, self.power(count + 1 - index));
        }
        let lengths = _mm_xor_si128(packet.lengths, hash);
        product.add(lengths, self.power(1));
        _mm_xor_si128(reverse(product.reduce()), mask)
    }
}

/// The sum of products of 128-bit polynomials, not reduced: Karatsuba's three parts.
struct Product {
    low: __m128i,
    middle: __m128i,
    high: __m128i,
}

impl Product {
    #[inline]
    #[target_feature(enable = "avx")]
    fn zero() -> Self {
        let zero = _mm_setzero_si128();
        Self { low: zero, middle: zero, high: zero }
    }

    /// Adds `block` times a power of H, which comes with its folded form.
    #[inline]
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
    fn add(&mut self, block: __m128i, (power, folded): (__m128i, __m128i)) {
        self.low = _mm_xor_si128(self.low, _mm_clmulepi64_si128::<0x00>(block, power));
        self.high = _mm_xor_si128(self.high, _mm_clmulepi64_si128::<0x11>(block, power));
        let middle = _mm_clmulepi64_si128::<0x00>(fold(block), folded);
        self.middle = _mm_xor_si128(self.middle, middle);
    }

    /// The sum modulo POLYVAL's polynomial, x^128 + x^127 + x^126 + x^121 + 1.
    #[inline]
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
    fn reduce(self) -> __m128i {
        let middle = _mm_xor_si128(self.middle, _mm_xor_si128(self.low, self.high));
        // Each step folds the lowest 64 bits into the 128 above them.
        let step = _mm_clmulepi64_si128::<0x10>(self.low, modulus());
        let middle = _mm_xor_si128(_mm_xor_si128(middle, swap(self.low)), step);
        let step = _mm_clmulepi64_si128::<0x10>(middle, modulus());
        _mm_xor_si128(_mm_xor_si128(self.high, swap(middle)), step)
    }
}

#[inline]
#[target_feature(enable = "avx")]
fn modulus() -> __m128i {
    _mm_set_epi64x(0xc200_0000_0000_0000_u64 as i64, 1)
}

/// Exchanges the halves.
#[inline]
#[target_feature(enable = "avx")]
fn swap(x: __m128i) -> __m128i {
    _mm_shuffle_epi32::<0x4e>(x)
}

/// The sum of the halves, in both halves.
#[inline]
#[target_feature(enable = "avx")]
fn fold(x: __m128i) -> __m128i {
    _mm_xor_si128(x, swap(x))
}

/// Reverses the order of the bytes.
#[inline]
#[target_feature(enable = "ssse3,avx")]
fn reverse(x: __m128i) -> __m128i {
    _mm_shuffle_epi8(x, byte_order())
}

#[inline]
#[target_feature(enable = "avx")]
fn byte_order() -> __m128i {
    _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

/// The hash key times x, which takes GHASH to POLYVAL: RFC 8452 appendix A.
#[inline]
#[target_feature(enable = "avx")]
fn times_x(h: __m128i) -> __m128i {
    let carry = _mm_srai_epi32::<31>(_mm_shuffle_epi32::<0xff>(h));
    let shifted =
        _mm_or_si128(_mm_slli_epi64::<1>(h), _mm_slli_si128::<8>(_mm_srli_epi64::<63>(h)));
    _mm_xor_si128(shifted, _mm_and_si128(carry, modulus()))
}

/// `N` blocks of nonce and counter, from `first` on.
#[inline]
#[target_feature(enable = "avx")]
fn counters<const N: usize>(nonce: __m128i, first: u32) -> [__m128i; N] {
    let mut blocks = [nonce; N];
    for (index, block) in blocks.iter_mut().enumerate() {
        let counter = first.wrapping_add(index as u32);
        *block = _mm_or_si128(nonce, _mm_set_epi32(counter.swap_bytes() as i32, 0, 0, 0));
    }
    blocks
}

/// Applies the key stream to what `source` has for a block and returns the ciphertext.
#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn xor_block<const SEAL: bool>(
    source: &mut impl Source,
    block: &mut [u8; BLOCK],
    stream: __m128i,
) -> __m128i {
    let before = load(&source.take(block));
    let after = _mm_xor_si128(before, stream);
    *block = store(after);
    if SEAL { after } else { before }
}

/// The same for a last block of less than 16 bytes, which lie in place; the ciphertext comes padded with
/// zeros.
#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn xor_partial<const SEAL: bool>(block: &mut [u8], stream: __m128i) -> __m128i {
    let before = load_partial(block);
    let kept = u128::MAX.checked_shr(128 - 8 * block.len() as u32).unwrap_or(0);
    let after = _mm_and_si128(_mm_xor_si128(before, stream), from_bits(kept));
    store_partial(after, block);
    if SEAL { after } else { before }
}

#[inline]
#[target_feature(enable = "avx")]
fn from_bits(bits: u128) -> __m128i {
    _mm_set_epi64x((bits >> 64) as i64, bits as i64)
}

#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn to_bits(x: __m128i) -> u128 {
    let (high, low) = (_mm_extract_epi64::<1>(x) as u64, _mm_cvtsi128_si64(x) as u64);
    u128::from(high) << 64 | u128::from(low)
}

#[inline]
#[target_feature(enable = "avx")]
fn load(block: &[u8; BLOCK]) -> __m128i {
    from_bits(u128::from_le_bytes(*block))
}

#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn store(x: __m128i) -> [u8; BLOCK] {
    to_bits(x).to_le_bytes()
}

/// Up to 16 bytes, padded with zeros, in at most five loads and without a call.
#[inline]
#[target_feature(enable = "avx")]
fn load_partial(bytes: &[u8]) -> __m128i {
    if let Some(block) = bytes.first_chunk() {
        return load(block);
    }
    let (mut bits, mut shift, mut rest) = (0, 0, bytes);
    if let Some((piece, after)) = rest.split_first_chunk() {
        bits = u128::from(u64::from_le_bytes(*piece));
        (shift, rest) = (64, after);
    }
    if let Some((piece, after)) = rest.split_first_chunk() {
        bits |= u128::from(u32::from_le_bytes(*piece)) << shift;
        (shift, rest) = (shift + 32, after);
    }
    for byte in rest.iter().take(3) {
        bits |= u128::from(*byte) << shift;
        shift += 8;
    }
    from_bits(bits)
}

/// Writes the first bytes of `x`, fewer than 16.
#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn store_partial(x: __m128i, out: &mut [u8]) {
    let (mut bits, mut rest) = (to_bits(x), out);
    if let Some((piece, _)) = rest.split_first_chunk_mut() {
        *piece = (bits as u64).to_le_bytes();
        (bits, rest) = (bits >> 64, &mut rest[8..]);
    }
    if let Some((piece, _)) = rest.split_first_chunk_mut() {
        *piece = (bits as u32).to_le_bytes();
        (bits, rest) = (bits >> 32, &mut rest[4..]);
    }
    for byte in rest.iter_mut().take(3) {
        *byte = bits as u8;
        bits >>= 8;
    }
}
