//! AES-CBC with HMAC-SHA-256 over several packets side by side.
//!
//! CBC encrypts one block after the other, and SHA-256 is one chain of dependencies: a single packet
//! leaves most of the processor idle. Here each step takes a block of every packet of a group.

use core::arch::x86_64::{__m128i, _mm_setzero_si128, _mm_xor_si128};

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

    /// Encrypts and signs packets of which each is well formed.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn seal(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(STRIDE) {
            self.encrypt(group);
        }
        for group in packets.chunks_mut(avx2::LANES) {
            let tags = avx2::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(tags) {
                packet.set_tag(&tag);
            }
        }
    }

    /// The same, sixteen packets at a time.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl")]
    pub(in super::super) fn seal_wide(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(STRIDE) {
            self.encrypt(group);
        }
        for group in packets.chunks_mut(avx512::LANES) {
            let tags = avx512::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(tags) {
                packet.set_tag(&tag);
            }
        }
    }

    /// Verifies packets of which each is well formed, and decrypts those that are authentic.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn open(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx2::LANES) {
            let tags = avx2::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(tags) {
                if packet.check_tag(&tag) {
                    self.decrypt(packet);
                }
            }
        }
    }

    /// The same, sixteen packets at a time.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl")]
    pub(in super::super) fn open_wide(&self, packets: &mut [Packet<'_>]) {
        for group in packets.chunks_mut(avx512::LANES) {
            let tags = avx512::hmac(&self.hmac, &messages(group));
            for (packet, tag) in group.iter_mut().zip(tags) {
                if packet.check_tag(&tag) {
                    self.decrypt(packet);
                }
            }
        }
    }

    /// CBC of up to [`STRIDE`] packets, a block of each in every step.
    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn encrypt(&self, packets: &mut [Packet<'_>]) {
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

    /// CBC backwards, where the blocks of one packet do not wait for each other.
    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn decrypt(&self, packet: &mut Packet<'_>) {
        let (iv, text) = packet.iv_and_text();
        let mut before = load(iv);
        let (groups, rest) = text.as_chunks_mut::<STRIDE>();
        for group in groups {
            before = self.decrypt_blocks(before, group);
        }
        let (fours, rest) = rest.as_chunks_mut::<{ STRIDE / 2 }>();
        for four in fours {
            before = self.decrypt_blocks(before, four);
        }
        for block in rest {
            before = self.decrypt_blocks(before, core::array::from_mut(block));
        }
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1,avx")]
    fn decrypt_blocks<const N: usize>(
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
