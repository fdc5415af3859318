//! AES-GMAC with AES-NI and PCLMULQDQ, for packets of any length: RFC 4543.
//!
//! The text is associated data, too, and follows upon it without padding between. GHASH is the one of
//! the module above; there is one block of AES in a packet. Of the text this form takes one block per
//! register, those of [`wide`](super::wide) two and four.

use core::arch::x86_64::{__m128i, _mm_set_epi64x, _mm_setzero_si128, _mm_xor_si128};

use super::{
    BLOCK, Gcm, NONCE_LEN, POWERS, Product, counters, load, load_partial, reverse, to_bits,
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
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(in super::super) fn gmac(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> u128 {
        let GmacPacket { mask, lengths } = self.gmac_packet(nonce, aad, text);
        let mut head = [0; MAX_GMAC_AAD];
        let (head, text) = fill_up(&mut head, aad, text);
        let (passes, rest) = text.as_chunks::<{ STRIDE * BLOCK }>();
        let (blocks, partial) = rest.as_chunks::<BLOCK>();
        // The last pass has the blocks that are left, and the lengths.
        let last = blocks.len() + usize::from(!partial.is_empty()) + 1;
        let behind_head = if passes.is_empty() { last } else { STRIDE };
        let mut product = self.gmac_head(head, behind_head);
        let mut hash = _mm_setzero_si128();
        for pass in passes {
            for (index, block) in pass.as_chunks::<BLOCK>().0.iter().enumerate() {
                let block = _mm_xor_si128(reverse(load(block)), hash);
                hash = _mm_setzero_si128();
                let power = STRIDE - index;
                product.add(block, self.power(power));
            }
            hash = product.reduce();
            product = Product::zero();
        }
        for (index, block) in blocks.iter().enumerate() {
            let block = _mm_xor_si128(reverse(load(block)), hash);
            hash = _mm_setzero_si128();
            let power = last - index;
            product.add(block, self.power(power));
        }
        if !partial.is_empty() {
            let block = _mm_xor_si128(reverse(load_partial(partial)), hash);
            hash = _mm_setzero_si128();
            product.add(block, self.power(2));
        }
        product.add(_mm_xor_si128(lengths, hash), self.power(1));
        to_bits(_mm_xor_si128(reverse(product.reduce()), mask))
    }

    /// What ends the tag over `aad` and `text`.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(super) fn gmac_packet(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &[u8],
    ) -> GmacPacket {
        let [mask] = self.aes.encrypt(counters::<1>(load_partial(nonce), 1));
        GmacPacket { mask, lengths: _mm_set_epi64x((aad.len() + text.len()) as i64 * 8, 0) }
    }

    /// The sum that begins with `head`, behind which follow `behind` blocks that it is to be reduced with.
    #[inline]
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx")]
    pub(super) fn gmac_head(&self, head: &[[u8; BLOCK]], behind: usize) -> Product {
        let mut product = Product::zero();
        for (index, block) in head.iter().enumerate() {
            product.add(reverse(load(block)), self.power(behind + head.len() - index));
        }
        product
    }
}

/// What one packet brings besides its associated data and text.
pub(super) struct GmacPacket {
    /// What GHASH is encrypted with.
    pub(super) mask: __m128i,
    /// The block of lengths that GHASH ends with, byte-reversed.
    pub(super) lengths: __m128i,
}

/// Puts `aad` into `head`, and as much of `text` as fills its last block. Returns the blocks that these are,
/// and the rest of `text`.
#[inline]
pub(super) fn fill_up<'a, 'b>(
    head: &'a mut [u8; MAX_GMAC_AAD],
    aad: &[u8],
    text: &'b [u8],
) -> (&'a [[u8; BLOCK]], &'b [u8]) {
    let aad = &aad[..aad.len().min(MAX_GMAC_AAD)];
    let room = aad.len().wrapping_neg() % BLOCK;
    let (filling, text) = text.split_at(room.min(text.len()));
    head[..aad.len()].copy_from_slice(aad);
    head[aad.len()..aad.len() + filling.len()].copy_from_slice(filling);
    (&head.as_chunks().0[..aad.len().div_ceil(BLOCK)], text)
}
