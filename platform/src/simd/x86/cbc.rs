//! AES-CBC over several packets, or several blocks of one, side by side.

use core::arch::x86_64::{
    __m128i, _mm_setzero_si128, _mm_xor_si128, _mm256_aesdec_epi128, _mm256_aesdeclast_epi128,
    _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_set_m128i, _mm256_setzero_si256, _mm256_xor_si256,
};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::aes::Schedule;
use super::{BLOCK, load, store};
use crate::cipher_mac::Packet;

/// Packets whose CBC is encrypted side by side, and blocks (or pairs of them) of one packet that are
/// decrypted so: enough to fill the AES unit's pipeline.
const STRIDE: usize = 8;

/// The key: `ROUNDS` is 10 for AES-128, 12 for AES-192, 14 for AES-256.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(in super::super) struct Cbc<const ROUNDS: usize> {
    encryption: Schedule<ROUNDS>,
    decryption: Schedule<ROUNDS>,
}

impl<const ROUNDS: usize> Cbc<ROUNDS> {
    /// Prepares a key of `4 * (ROUNDS - 6)` bytes.
    #[target_feature(enable = "aes,avx")]
    pub(in super::super) fn new(key: &[u8]) -> Self {
        let encryption = Schedule::new(key);
        let decryption = encryption.inverse();
        Self { encryption, decryption }
    }

    /// Encrypts packets.
    #[target_feature(enable = "aes,sse4.1,avx")]
    pub(in super::super) fn encrypt(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(STRIDE) {
            self.encrypt_group(group);
        }
    }

    /// Decrypts a packet: CBC backwards, where the blocks do not wait for each other.
    #[target_feature(enable = "aes,sse4.1,avx")]
    pub(in super::super) fn decrypt(&self, packet: &mut Packet<'_>) {
        let (iv, text) = packet.iv_and_text();
        self.decrypt_blocks(load(iv), text);
    }

    /// CBC of up to [`STRIDE`] packets, a block of each in every step.
    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn encrypt_group(&self, packets: &mut [Packet<'_>]) {
        let mut texts: [&mut [[u8; BLOCK]]; STRIDE] = Default::default();
        let mut last = [_mm_setzero_si128(); STRIDE];
        let mut most = 0;
        for ((packet, text), last) in packets.iter_mut().zip(&mut texts).zip(&mut last) {
            let (iv, blocks) = packet.iv_and_text();
            *last = load(iv);
            most = most.max(blocks.len());
            *text = blocks;
        }
        for step in 0..most {
            for (text, last) in texts.iter().zip(&mut last) {
                if let Some(block) = text.get(step) {
                    *last = _mm_xor_si128(*last, load(block));
                }
            }
            last = self.encryption.encrypt(last);
            for (text, last) in texts.iter_mut().zip(last) {
                if let Some(block) = text.get_mut(step) {
                    *block = store(last);
                }
            }
        }
    }

    /// Decrypts blocks of a packet, behind the block `before`.
    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn decrypt_blocks(&self, mut before: __m128i, text: &mut [[u8; BLOCK]]) {
        let (groups, rest) = text.as_chunks_mut::<STRIDE>();
        for group in groups {
            before = self.decrypt_some(before, group);
        }
        let (fours, rest) = rest.as_chunks_mut::<{ STRIDE / 2 }>();
        for four in fours {
            before = self.decrypt_some(before, four);
        }
        for block in rest {
            before = self.decrypt_some(before, core::array::from_mut(block));
        }
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn decrypt_some<const N: usize>(
        &self,
        mut before: __m128i,
        blocks: &mut [[u8; BLOCK]; N],
    ) -> __m128i {
        let mut sealed = [_mm_setzero_si128(); N];
        for (sealed, block) in sealed.iter_mut().zip(blocks.iter()) {
            *sealed = load(block);
        }
        let opened = self.decryption.decrypt(sealed);
        for ((block, opened), sealed) in blocks.iter_mut().zip(opened).zip(sealed) {
            *block = store(_mm_xor_si128(opened, before));
            before = sealed;
        }
        before
    }
}

/// Decryption with two blocks in a register, for one set of registers: what is compiled for fewer is not taken
/// over where there are more.
macro_rules! pairs {
    ($(#[$doc:meta])* $decrypt:ident, $pairs:ident, $features:literal) => {
        impl<const ROUNDS: usize> Cbc<ROUNDS> {
            $(#[$doc])*
            #[target_feature(enable = $features)]
            pub(in super::super) fn $decrypt(&self, packet: &mut Packet<'_>) {
                let (iv, text) = packet.iv_and_text();
                let mut before = load(iv);
                let (pairs, rest) = text.as_chunks_mut();
                let (groups, pairs) = pairs.as_chunks_mut::<STRIDE>();
                for group in groups {
                    before = self.$pairs(before, group);
                }
                let (groups, pairs) = pairs.as_chunks_mut::<{ STRIDE / 2 }>();
                for group in groups {
                    before = self.$pairs(before, group);
                }
                for pair in pairs {
                    before = self.$pairs(before, core::array::from_mut(pair));
                }
                for block in rest {
                    before = self.decrypt_some(before, core::array::from_mut(block));
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn $pairs<const N: usize>(
                &self,
                before: __m128i,
                pairs: &mut [[[u8; BLOCK]; 2]; N],
            ) -> __m128i {
                let mut blocks = [_mm256_setzero_si256(); N];
                let key = _mm256_broadcastsi128_si256(self.decryption.keys[0]);
                for (block, [low, high]) in blocks.iter_mut().zip(pairs.iter()) {
                    *block = _mm256_xor_si256(_mm256_set_m128i(load(high), load(low)), key);
                }
                for key in &self.decryption.keys[1..ROUNDS] {
                    let key = _mm256_broadcastsi128_si256(*key);
                    for block in &mut blocks {
                        *block = _mm256_aesdec_epi128(*block, key);
                    }
                }
                let key = _mm256_broadcastsi128_si256(self.decryption.keys[ROUNDS]);
                for block in &mut blocks {
                    *block = _mm256_aesdeclast_epi128(*block, key);
                }
                let last = load(&pairs[N - 1][1]);
                // Backwards, so that what a pair is chained to has not been overwritten.
                for index in (0..N).rev() {
                    let chained_to = match index {
                        0 => before,
                        _ => load(&pairs[index - 1][1]),
                    };
                    let [low, high] = &mut pairs[index];
                    let chain = _mm256_set_m128i(load(low), chained_to);
                    let opened = _mm256_xor_si256(blocks[index], chain);
                    *low = store(_mm256_castsi256_si128(opened));
                    *high = store(_mm256_extracti128_si256::<1>(opened));
                }
                last
            }
        }
    };
}

pairs!(
    /// [`decrypt`](Self::decrypt) with two blocks in a register.
    decrypt_wide, decrypt_pairs, "aes,sse4.1,avx,avx2,vaes"
);
pairs!(
    /// The same with the registers of AVX-512, which hold all round keys beside the blocks.
    decrypt_widest, decrypt_pairs_widest, "aes,sse4.1,avx,avx2,vaes,avx512f,avx512bw,avx512vl"
);
