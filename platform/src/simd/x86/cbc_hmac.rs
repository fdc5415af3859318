//! AES-CBC with HMAC-SHA-256 over several packets side by side.
//!
//! CBC encrypts one block after the other, and SHA-256 is one chain of dependencies: a single packet
//! leaves most of the processor idle. Here each step takes a block of every packet of a group.

use core::arch::x86_64::{
    __m128i, _mm_setzero_si128, _mm_xor_si128, _mm256_aesdec_epi128, _mm256_aesdeclast_epi128,
    _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_set_m128i, _mm256_setzero_si256, _mm256_xor_si256,
};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::aes::Schedule;
use super::sha256::{self, Message, avx2, avx512};
use super::{BLOCK, load, store};
use crate::cipher_mac::Packet;

/// Packets whose CBC is encrypted side by side, and blocks of one packet that are decrypted so: enough to
/// fill the AES unit's pipeline.
const STRIDE: usize = 8;

/// The keys: `ROUNDS` is 10 for AES-128, 12 for AES-192, 14 for AES-256.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(in super::super) struct CbcHmac<const ROUNDS: usize> {
    encryption: Schedule<ROUNDS>,
    decryption: Schedule<ROUNDS>,
    /// The hash states after the inner and the outer padded key: RFC 2104 section 2.
    hmac: [[u32; 8]; 2],
}

impl<const ROUNDS: usize> CbcHmac<ROUNDS> {
    /// Prepares a cipher key of `4 * (ROUNDS - 6)` bytes and a MAC key of 32.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn new(key: &[u8], mac_key: &[u8; 32]) -> Self {
        let encryption = Schedule::new(key);
        let decryption = encryption.inverse();
        let mut hmac = [[0; 8]; 2];
        for (state, pad) in hmac.iter_mut().zip([0x36, 0x5c]) {
            let mut block = zeroize::Zeroizing::new([pad; sha256::BLOCK]);
            for (byte, key) in block.iter_mut().zip(mac_key) {
                *byte ^= key;
            }
            let start = avx2::State::all(&sha256::INITIAL);
            *state = start.compress(&avx2::Blocks::load([&*block; 8])).first();
        }
        Self { encryption, decryption, hmac }
    }

    /// Encrypts packets.
    #[target_feature(enable = "aes,sse4.1,avx")]
    pub(in super::super) fn encrypt(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(STRIDE) {
            self.encrypt_group(group);
        }
    }

    /// Writes the tags of packets, eight at a time.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn sign(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx2::LANES) {
            let tags = avx2::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(&tags) {
                packet.set_tag(tag);
            }
        }
    }

    /// The same, sixteen at a time.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl")]
    pub(in super::super) fn sign_wide(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx512::LANES) {
            let tags = avx512::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(&tags) {
                packet.set_tag(tag);
            }
        }
    }

    /// Checks the tags of packets, eight at a time.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn verify(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx2::LANES) {
            let tags = avx2::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(&tags) {
                packet.check_tag(tag);
            }
        }
    }

    /// The same, sixteen at a time.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl")]
    pub(in super::super) fn verify_wide(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx512::LANES) {
            let tags = avx512::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(&tags) {
                packet.check_tag(tag);
            }
        }
    }

    /// Decrypts a packet: CBC backwards, where the blocks do not wait for each other.
    #[target_feature(enable = "aes,sse4.1,avx")]
    pub(in super::super) fn decrypt(&self, packet: &mut Packet<'_>) {
        let (iv, text) = packet.iv_and_text();
        self.decrypt_blocks(load(iv), text);
    }

    /// The same with two blocks in a register.
    #[target_feature(enable = "aes,sse4.1,avx,avx2,vaes")]
    pub(in super::super) fn decrypt_wide(&self, packet: &mut Packet<'_>) {
        let (iv, text) = packet.iv_and_text();
        let mut before = load(iv);
        let (groups, rest) = text.as_chunks_mut::<{ 2 * STRIDE }>();
        for group in groups {
            let mut sealed = [_mm256_setzero_si256(); STRIDE];
            for (sealed, [low, high]) in sealed.iter_mut().zip(group.as_chunks().0) {
                *sealed = _mm256_set_m128i(load(high), load(low));
            }
            let mut blocks = sealed;
            let key = _mm256_broadcastsi128_si256(self.decryption.keys[0]);
            for pair in &mut blocks {
                *pair = _mm256_xor_si256(*pair, key);
            }
            for key in &self.decryption.keys[1..ROUNDS] {
                let key = _mm256_broadcastsi128_si256(*key);
                for pair in &mut blocks {
                    *pair = _mm256_aesdec_epi128(*pair, key);
                }
            }
            let key = _mm256_broadcastsi128_si256(self.decryption.keys[ROUNDS]);
            for pair in &mut blocks {
                *pair = _mm256_aesdeclast_epi128(*pair, key);
            }
            for ((place, opened), sealed) in
                group.as_chunks_mut().0.iter_mut().zip(blocks).zip(sealed)
            {
                let chain = _mm256_set_m128i(_mm256_castsi256_si128(sealed), before);
                let opened = _mm256_xor_si256(opened, chain);
                let [low, high]: &mut [[u8; BLOCK]; 2] = place;
                *low = store(_mm256_castsi256_si128(opened));
                *high = store(_mm256_extracti128_si256::<1>(opened));
                before = _mm256_extracti128_si256::<1>(sealed);
            }
        }
        self.decrypt_blocks(before, rest);
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

/// What the tags of a group cover; lanes without a packet get an empty message.
#[inline(always)]
fn messages<'a, const LANES: usize>(group: &'a [Packet<'_>]) -> [Message<'a>; LANES] {
    core::array::from_fn(|lane| match group.get(lane) {
        Some(packet) => {
            let (bytes, trailing) = packet.covered();
            Message::new(bytes, trailing)
        }
        None => Message::new(&[], &[]),
    })
}
