//! AES-GMAC for packets of any length: RFC 4543.
//!
//! The text is associated data, too, and follows upon it without padding between. GHASH is the one of
//! the module above; there is one block of AES in a packet.

use core::arch::aarch64::{vdupq_n_u8, veorq_u8};

use super::{
    BLOCK, Gcm, NONCE_LEN, POWERS, Product, counters, lengths, load, load_partial, reverse, to_bits,
};

/// The longest associated data before the text, in bytes. ESP's has 16 or 20.
pub(in super::super) const MAX_GMAC_AAD: usize = 2 * BLOCK;

/// Blocks that the associated data becomes at most, filled up from the text.
const HEAD: usize = MAX_GMAC_AAD / BLOCK;

/// Blocks of text in a pass: as many as there are powers of H for, next to the head and the lengths.
const STRIDE: usize = POWERS - HEAD - 1;

impl<const ROUNDS: usize> Gcm<ROUNDS> {
    /// The tag over `aad`, which has at most [`MAX_GMAC_AAD`] bytes, and `text`, as a little-endian
    /// number.
    #[target_feature(enable = "neon,aes")]
    pub(in super::super) fn gmac(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> u128 {
        let [mask] = self.encrypt(counters::<1>(load_partial(nonce), 1));
        let lengths = lengths(aad.len() + text.len(), 0);
        let mut head = [0; MAX_GMAC_AAD];
        let (head_blocks, text) = join(&mut head, aad, text);
        let head = &head.as_chunks().0[..head_blocks];

        let mut product = Product::zero();
        let (passes, rest) = text.as_chunks::<{ STRIDE * BLOCK }>();
        let (blocks, partial) = rest.as_chunks::<BLOCK>();
        // The last pass has the blocks that are left, and the lengths.
        let last = blocks.len() + usize::from(!partial.is_empty()) + 1;
        let behind_head = if passes.is_empty() { last } else { STRIDE };
        for (index, block) in head.iter().enumerate() {
            let power = behind_head + head_blocks - 1 - index;
            product.add(reverse(load(block)), self.powers[power], self.folded[power]);
        }
        let mut hash = vdupq_n_u8(0);
        for pass in passes {
            for (index, block) in pass.as_chunks::<BLOCK>().0.iter().enumerate() {
                let block = veorq_u8(reverse(load(block)), hash);
                hash = vdupq_n_u8(0);
                let power = STRIDE - 1 - index;
                product.add(block, self.powers[power], self.folded[power]);
            }
            hash = product.reduce();
            product = Product::zero();
        }
        for (index, block) in blocks.iter().enumerate() {
            let block = veorq_u8(reverse(load(block)), hash);
            hash = vdupq_n_u8(0);
            let power = last - 1 - index;
            product.add(block, self.powers[power], self.folded[power]);
        }
        if !partial.is_empty() {
            let block = veorq_u8(reverse(load_partial(partial)), hash);
            hash = vdupq_n_u8(0);
            product.add(block, self.powers[1], self.folded[1]);
        }
        product.add(veorq_u8(lengths, hash), self.powers[0], self.folded[0]);
        to_bits(veorq_u8(reverse(product.reduce()), mask))
    }
}

/// Puts `aad` into `head`, and as much of `text` as fills its last block. Returns how many blocks that are,
/// and the rest of `text`.
#[inline]
fn join<'a>(head: &mut [u8; MAX_GMAC_AAD], aad: &[u8], text: &'a [u8]) -> (usize, &'a [u8]) {
    let aad = &aad[..aad.len().min(MAX_GMAC_AAD)];
    let room = aad.len().wrapping_neg() % BLOCK;
    let (filling, text) = text.split_at(room.min(text.len()));
    head[..aad.len()].copy_from_slice(aad);
    head[aad.len()..aad.len() + filling.len()].copy_from_slice(filling);
    (aad.len().div_ceil(BLOCK), text)
}
