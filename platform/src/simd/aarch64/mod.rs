//! AES-GCM and AES-GMAC with the AES and PMULL instructions of AArch64, for short packets.
//!
//! The method is that of x86-64: GHASH as POLYVAL (RFC 8452 appendix A), a power of H for each block of a
//! pass, one reduction a pass; no table, no branch and no address that depends on anything but lengths.

use core::arch::aarch64::{
    uint8x16_t, vaeseq_u8, vaesmcq_u8, vdupq_n_u8, vdupq_n_u32, veorq_u8, vextq_u8, vgetq_lane_u32,
    vgetq_lane_u64, vmull_high_p64, vmull_p64, vreinterpretq_p64_u8, vreinterpretq_p128_u8,
    vreinterpretq_u8_p128, vreinterpretq_u8_u32, vreinterpretq_u32_u8, vreinterpretq_u64_u8,
    vrev64q_u8,
};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

mod gmac;

pub(super) use gmac::MAX_GMAC_AAD;

use super::source::{InPlace, Source};
use crate::aead::MAX_NONCE_LEN as NONCE_LEN;

/// The longest associated data that [`Gcm`] takes, in bytes: one block. ESP's has 8 or 12 bytes.
pub(super) const MAX_AAD: usize = BLOCK;

const BLOCK: usize = 16;

/// Blocks in a pass: enough to fill the pipeline of the AES unit.
const STRIDE: usize = 8;

/// Powers of H: one for each block of text in the widest pass, for the associated data and the lengths.
const POWERS: usize = 18;

/// An expanded key for `ROUNDS` rounds: 10 for AES-128, 12 for AES-192, 14 for AES-256.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Gcm<const ROUNDS: usize> {
    /// The first `ROUNDS + 1` are in use.
    round_keys: [uint8x16_t; 15],
    /// H^1, H^2, … in POLYVAL's convention.
    powers: [uint8x16_t; POWERS],
    /// Of each power, the sum of its halves in both halves: Karatsuba's middle factor.
    folded: [uint8x16_t; POWERS],
}

/// What one packet brings besides its text.
struct Packet {
    /// The nonce, and zero in the place of the block counter.
    nonce: uint8x16_t,
    /// The associated data, padded with zeros and byte-reversed.
    aad: uint8x16_t,
    /// The block of lengths that GHASH ends with, byte-reversed.
    lengths: uint8x16_t,
}

impl Packet {
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn new(nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> Self {
        Self {
            nonce: load_partial(nonce),
            aad: reverse(load_partial(aad)),
            lengths: lengths(aad.len(), text.len()),
        }
    }
}

impl<const ROUNDS: usize> Gcm<ROUNDS> {
    /// Expands a key of `4 * (ROUNDS - 6)` bytes.
    #[target_feature(enable = "neon,aes")]
    pub(super) fn new(key: &[u8]) -> Self {
        let zero = vdupq_n_u8(0);
        let (powers, folded) = ([zero; POWERS], [zero; POWERS]);
        let mut gcm = Self { round_keys: expand::<ROUNDS>(key), powers, folded };
        let [hash_key] = gcm.encrypt([zero]);
        gcm.powers[0] = times_x(reverse(hash_key));
        for index in 1..POWERS {
            let mut product = Product::zero();
            product.add(gcm.powers[index - 1], gcm.powers[0], fold(gcm.powers[0]));
            gcm.powers[index] = product.reduce();
        }
        for index in 0..POWERS {
            gcm.folded[index] = fold(gcm.powers[index]);
        }
        gcm
    }

    /// Encrypts what `source` has for `text` and returns the tag, as a little-endian number. `aad` has at
    /// most [`MAX_AAD`] bytes.
    #[target_feature(enable = "neon,aes")]
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
    #[target_feature(enable = "neon,aes")]
    pub(super) fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> u128 {
        to_bits(self.run::<false>(&Packet::new(nonce, aad, text), &mut InPlace, text))
    }

    /// Encrypts or decrypts, and returns the tag of the ciphertext.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn run<const SEAL: bool>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> uint8x16_t {
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
    #[target_feature(enable = "neon,aes")]
    fn one_pass<const SEAL: bool, const BLOCKS: usize, const STREAMS: usize>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> uint8x16_t {
        let mut hash = Product::zero();
        hash.add(packet.aad, self.powers[BLOCKS + 1], self.folded[BLOCKS + 1]);
        hash.add(packet.lengths, self.powers[0], self.folded[0]);
        let stream = self.encrypt(counters::<STREAMS>(packet.nonce, 1));
        let (blocks, rest) = text.as_chunks_mut::<BLOCK>();
        for index in 0..BLOCKS {
            let cipher = match blocks.get_mut(index) {
                Some(block) => xor_block::<SEAL>(source, block, stream[index + 1]),
                None => xor_partial::<SEAL>(rest, stream[index + 1]),
            };
            hash.add(reverse(cipher), self.powers[BLOCKS - index], self.folded[BLOCKS - index]);
        }
        veorq_u8(reverse(hash.reduce()), stream[0])
    }

    /// A packet of any length, one pass after another.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn passes<const SEAL: bool>(
        &self,
        packet: &Packet,
        source: &mut impl Source,
        text: &mut [u8],
    ) -> uint8x16_t {
        let [mask] = self.encrypt(counters::<1>(packet.nonce, 1));
        let mut product = Product::zero();
        product.add(packet.aad, self.powers[0], self.folded[0]);
        let mut hash = product.reduce();
        let mut counter = 2;
        let (passes, rest) = text.as_chunks_mut::<{ STRIDE * BLOCK }>();
        for pass in passes {
            let stream = self.encrypt(counters::<STRIDE>(packet.nonce, counter));
            counter += STRIDE as u32;
            let mut product = Product::zero();
            for (index, block) in pass.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                let cipher =
                    veorq_u8(reverse(xor_block::<SEAL>(source, block, stream[index])), hash);
                hash = vdupq_n_u8(0);
                let power = STRIDE - 1 - index;
                product.add(cipher, self.powers[power], self.folded[power]);
            }
            hash = product.reduce();
        }
        let count = rest.len().div_ceil(BLOCK);
        let stream = self.encrypt(counters::<STRIDE>(packet.nonce, counter));
        let mut product = Product::zero();
        let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
        for (index, stream) in stream.into_iter().enumerate().take(count) {
            let cipher = match blocks.get_mut(index) {
                Some(block) => xor_block::<SEAL>(source, block, stream),
                None => xor_partial::<SEAL>(rest, stream),
            };
            let block = veorq_u8(reverse(cipher), hash);
            hash = vdupq_n_u8(0);
            product.add(block, self.powers[count - index], self.folded[count - index]);
        }
        product.add(veorq_u8(packet.lengths, hash), self.powers[0], self.folded[0]);
        veorq_u8(reverse(product.reduce()), mask)
    }

    /// Runs blocks through AES side by side: FIPS 197 section 5.1. The instruction adds the round key
    /// first, so that the last one is left to be added.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn encrypt<const N: usize>(&self, mut blocks: [uint8x16_t; N]) -> [uint8x16_t; N] {
        for key in &self.round_keys[..ROUNDS - 1] {
            for block in &mut blocks {
                *block = vaesmcq_u8(vaeseq_u8(*block, *key));
            }
        }
        for block in &mut blocks {
            *block = vaeseq_u8(*block, self.round_keys[ROUNDS - 1]);
            *block = veorq_u8(*block, self.round_keys[ROUNDS]);
        }
        blocks
    }
}

/// The key schedule: FIPS 197 section 5.2.
#[target_feature(enable = "neon,aes")]
fn expand<const ROUNDS: usize>(key: &[u8]) -> [uint8x16_t; 15] {
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
    let mut keys = [vdupq_n_u8(0); 15];
    for (key, words) in keys.iter_mut().zip(words.as_chunks::<4>().0) {
        let bits = words.iter().rev().fold(0, |bits, word| bits << 32 | u128::from(*word));
        *key = from_bits(bits);
    }
    keys
}

/// SubWord of FIPS 197 section 5.2, without a table: with four equal columns, shifting the rows changes
/// nothing.
#[inline]
#[target_feature(enable = "neon,aes")]
fn substitute(word: u32) -> u32 {
    let columns = vreinterpretq_u8_u32(vdupq_n_u32(word));
    vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vaeseq_u8(columns, vdupq_n_u8(0))))
}

/// The sum of products of 128-bit polynomials, not reduced: Karatsuba's three parts.
struct Product {
    low: uint8x16_t,
    middle: uint8x16_t,
    high: uint8x16_t,
}

impl Product {
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn zero() -> Self {
        let zero = vdupq_n_u8(0);
        Self { low: zero, middle: zero, high: zero }
    }

    /// Adds `block` times a power of H, of which `folded` is the folded form.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn add(&mut self, block: uint8x16_t, power: uint8x16_t, folded: uint8x16_t) {
        self.low = veorq_u8(self.low, multiply_low(block, power));
        self.high = veorq_u8(self.high, multiply_high(block, power));
        self.middle = veorq_u8(self.middle, multiply_low(fold(block), folded));
    }

    /// The sum modulo POLYVAL's polynomial, x^128 + x^127 + x^126 + x^121 + 1.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn reduce(self) -> uint8x16_t {
        let modulus = from_bits(MODULUS >> 64);
        let middle = veorq_u8(self.middle, veorq_u8(self.low, self.high));
        // Each step folds the lowest 64 bits into the 128 above them.
        let step = multiply_low(self.low, modulus);
        let middle = veorq_u8(veorq_u8(middle, swap(self.low)), step);
        let step = multiply_low(middle, modulus);
        veorq_u8(veorq_u8(self.high, swap(middle)), step)
    }
}

/// POLYVAL's polynomial without its highest term.
const MODULUS: u128 = 0xc200_0000_0000_0000_0000_0000_0000_0001;

/// The product of the lower halves.
#[inline]
#[target_feature(enable = "neon,aes")]
fn multiply_low(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    let (a, b) = (vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b));
    vreinterpretq_u8_p128(vmull_p64(vgetq_lane_u64::<0>(a), vgetq_lane_u64::<0>(b)))
}

/// The product of the upper halves.
#[inline]
#[target_feature(enable = "neon,aes")]
fn multiply_high(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(a), vreinterpretq_p64_u8(b)))
}

/// Exchanges the halves.
#[inline]
#[target_feature(enable = "neon,aes")]
fn swap(x: uint8x16_t) -> uint8x16_t {
    vextq_u8::<8>(x, x)
}

/// The sum of the halves, in both halves.
#[inline]
#[target_feature(enable = "neon,aes")]
fn fold(x: uint8x16_t) -> uint8x16_t {
    veorq_u8(x, swap(x))
}

/// Reverses the order of the bytes.
#[inline]
#[target_feature(enable = "neon,aes")]
fn reverse(x: uint8x16_t) -> uint8x16_t {
    swap(vrev64q_u8(x))
}

/// The hash key times x, which takes GHASH to POLYVAL: RFC 8452 appendix A.
#[inline]
#[target_feature(enable = "neon,aes")]
fn times_x(h: uint8x16_t) -> uint8x16_t {
    let h = to_bits(h);
    from_bits((h << 1) ^ ((h >> 127).wrapping_neg() & MODULUS))
}

/// The block of lengths, in bytes here and in bits there, byte-reversed.
#[inline]
#[target_feature(enable = "neon,aes")]
fn lengths(aad: usize, text: usize) -> uint8x16_t {
    from_bits(u128::from(aad as u64 * 8) << 64 | u128::from(text as u64 * 8))
}

/// `N` blocks of nonce and counter, from `first` on.
#[inline]
#[target_feature(enable = "neon,aes")]
fn counters<const N: usize>(nonce: uint8x16_t, first: u32) -> [uint8x16_t; N] {
    let mut blocks = [nonce; N];
    for (index, block) in blocks.iter_mut().enumerate() {
        let counter = first.wrapping_add(index as u32);
        *block = veorq_u8(nonce, from_bits(u128::from(counter.swap_bytes()) << 96));
    }
    blocks
}

/// Applies the key stream to what `source` has for a block and returns the ciphertext.
#[inline]
#[target_feature(enable = "neon,aes")]
fn xor_block<const SEAL: bool>(
    source: &mut impl Source,
    block: &mut [u8; BLOCK],
    stream: uint8x16_t,
) -> uint8x16_t {
    let before = load(&source.take(block));
    let after = veorq_u8(before, stream);
    *block = to_bits(after).to_le_bytes();
    if SEAL { after } else { before }
}

/// The same for a last block of less than 16 bytes, which lie in place; the ciphertext comes padded with
/// zeros.
#[inline]
#[target_feature(enable = "neon,aes")]
fn xor_partial<const SEAL: bool>(block: &mut [u8], stream: uint8x16_t) -> uint8x16_t {
    let before = load_partial(block);
    let kept = u128::MAX.checked_shr(128 - 8 * block.len() as u32).unwrap_or(0);
    let after = to_bits(veorq_u8(before, stream)) & kept;
    let len = block.len();
    block.copy_from_slice(&after.to_le_bytes()[..len]);
    if SEAL { from_bits(after) } else { before }
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn load(block: &[u8; BLOCK]) -> uint8x16_t {
    from_bits(u128::from_le_bytes(*block))
}

/// Up to 16 bytes, padded with zeros.
#[inline]
#[target_feature(enable = "neon,aes")]
fn load_partial(bytes: &[u8]) -> uint8x16_t {
    let mut block = [0; BLOCK];
    let len = bytes.len().min(BLOCK);
    block[..len].copy_from_slice(&bytes[..len]);
    load(&block)
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn from_bits(bits: u128) -> uint8x16_t {
    vreinterpretq_u8_p128(bits)
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn to_bits(x: uint8x16_t) -> u128 {
    vreinterpretq_p128_u8(x)
}
