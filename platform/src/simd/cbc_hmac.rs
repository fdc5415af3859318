//! Chooses between the code for many packets and that for one, for each processor and each batch.

use alloc::boxed::Box;

use super::x86::CbcHmac;
use crate::aead::InvalidKeyLength;
use crate::cipher::{Cipher, CipherAlgorithm, CipherKey};
use crate::cipher_mac::{CipherMac, CipherMacKey, Packet};
use crate::mac::{Mac, MacAlgorithm, MacKey};

cpufeatures::new!(narrow, "aes", "ssse3", "sse4.1", "avx", "avx2");
cpufeatures::new!(wide, "aes", "ssse3", "sse4.1", "avx", "avx2", "avx512f", "avx512bw", "avx512vl");
cpufeatures::new!(vaes, "aes", "ssse3", "sse4.1", "avx", "avx2", "vaes");
cpufeatures::new!(sha, "sha");

/// The fewest packets that are worth it: below that, processors with instructions for SHA-256 are faster
/// one packet after the other, and the others gain too little.
const LEAST_WITH_SHA: usize = 7;
const LEAST: usize = 3;

/// AES-CBC with HMAC-SHA2-256, and the two by themselves for what is no batch.
#[derive(Debug)]
pub(super) struct AesCbcHmac(pub(super) &'static dyn Cipher, pub(super) &'static dyn Mac);

impl CipherMac for AesCbcHmac {
    fn cipher(&self) -> CipherAlgorithm {
        self.0.algorithm()
    }

    fn mac(&self) -> MacAlgorithm {
        self.1.algorithm()
    }

    fn key(&self, cipher: &[u8], mac: &[u8]) -> Result<Box<dyn CipherMacKey>, InvalidKeyLength> {
        let single = Single { cipher: self.0.key(cipher)?, mac: self.1.key(mac)? };
        let least = if sha::get() { LEAST_WITH_SHA } else { LEAST };
        let Some(mac) = mac.first_chunk().filter(|_| narrow::get()) else {
            return Ok(Box::new(single));
        };
        Ok(match cipher.len() {
            16 => Box::new(Key::<10>::new(single, cipher, mac, least)),
            24 => Box::new(Key::<12>::new(single, cipher, mac, least)),
            32 => Box::new(Key::<14>::new(single, cipher, mac, least)),
            _ => Box::new(single),
        })
    }
}

/// Keys for one packet at a time.
struct Single {
    cipher: Box<dyn CipherKey>,
    mac: Box<dyn MacKey>,
}

impl CipherMacKey for Single {
    fn seal(&self, packets: &mut [Packet<'_>]) {
        for packet in packets {
            let (iv, text, _) = packet.parts();
            // A packet is made of whole blocks, so that neither can fail.
            let _ = self.cipher.encrypt(iv, text);
            let mut tag = [0; 16];
            let (covered, trailing) = packet.covered();
            let _ = self.mac.sign(&[covered, trailing], &mut tag);
            packet.set_tag(&tag);
        }
    }

    fn open(&self, packets: &mut [Packet<'_>]) {
        for packet in packets {
            let mut tag = [0; 16];
            let (covered, trailing) = packet.covered();
            let signed = self.mac.sign(&[covered, trailing], &mut tag);
            if signed.is_ok() && packet.check_tag(&tag) {
                let (iv, text, _) = packet.parts();
                let _ = self.cipher.decrypt(iv, text);
            }
        }
    }
}

/// Keys that exist only where the processor has what [`CbcHmac`] needs.
struct Key<const ROUNDS: usize> {
    batch: CbcHmac<ROUNDS>,
    single: Single,
    /// Which wide forms the processor has what they need for, too.
    wide: Wide,
    /// Fewer packets than this go one by one.
    least: usize,
}

#[derive(Clone, Copy)]
struct Wide {
    hmac: bool,
    cbc: bool,
}

impl Wide {
    fn get() -> Self {
        Self { hmac: wide::get(), cbc: vaes::get() }
    }
}

/// Packets that are verified and then decrypted: few enough for the first-level cache to keep them.
const GROUP: usize = 16;

impl<const ROUNDS: usize> Key<ROUNDS> {
    /// Only after `narrow` found all features.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(single: Single, cipher: &[u8], mac: &[u8; 32], least: usize) -> Self {
        // SAFETY: the callers asked `narrow`.
        let batch = unsafe { CbcHmac::new(cipher, mac) };
        Self { batch, single, wide: Wide::get(), least }
    }
}

impl<const ROUNDS: usize> CipherMacKey for Key<ROUNDS> {
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn seal(&self, packets: &mut [Packet<'_>]) {
        if packets.len() < self.least {
            return self.single.seal(packets);
        }
        for group in packets.chunks_mut(GROUP) {
            // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
            unsafe { self.batch.encrypt(group) };
            if self.wide.hmac {
                // SAFETY: `wide` found all that the wide form needs.
                unsafe { self.batch.sign_wide(group) }
            } else {
                // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
                unsafe { self.batch.sign(group) }
            }
        }
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn open(&self, packets: &mut [Packet<'_>]) {
        if packets.len() < self.least {
            return self.single.open(packets);
        }
        for group in packets.chunks_mut(GROUP) {
            if self.wide.hmac {
                // SAFETY: `wide` found all that the wide form needs.
                unsafe { self.batch.verify_wide(group) }
            } else {
                // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
                unsafe { self.batch.verify(group) }
            }
            for packet in group.iter_mut().filter(|packet| packet.is_authentic()) {
                if self.wide.cbc {
                    // SAFETY: `vaes` found all that the wide form needs.
                    unsafe { self.batch.decrypt_wide(packet) }
                } else {
                    // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
                    unsafe { self.batch.decrypt(packet) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ring;

    const HEADER: usize = 24;

    /// Seals and opens groups of every size and mixed lengths by one form whatever the processor would
    /// choose, against one packet after the other.
    fn compare<const ROUNDS: usize>(wide: Wide) {
        let cipher_key: Vec<u8> = (0..4 * (ROUNDS as u8 - 6)).map(|i| i.wrapping_mul(29)).collect();
        let cipher =
            ring::PROVIDER.ciphers.iter().find(|c| c.algorithm().key_len() == cipher_key.len());
        let mac = ring::PROVIDER.mac(MacAlgorithm::HmacSha2_256_128).unwrap();
        let single = || Single {
            cipher: cipher.unwrap().key(&cipher_key).unwrap(),
            mac: mac.key(&[9; 32]).unwrap(),
        };
        let ours = Key::<ROUNDS> { wide, ..Key::new(single(), &cipher_key, &[9; 32], 1) };
        let theirs = single();
        for count in 1..=34 {
            for base in 0..9 {
                let trailing = &[1, 2, 3, 4][..if base % 2 == 0 { 4 } else { 0 }];
                let bufs: Vec<Vec<u8>> = (0..count)
                    .map(|i| {
                        let blocks = if base < 4 { base } else { base * (i * 7 % 11) };
                        (0..HEADER + 16 * blocks + 16).map(|at| (at * 7 + i) as u8).collect()
                    })
                    .collect();
                let (mut a, mut b) = (bufs.clone(), bufs.clone());
                ours.seal(&mut packets(&mut a, trailing));
                theirs.seal(&mut packets(&mut b, trailing));
                assert_eq!(a, b, "{count} packets, {base}");
                // One of them is bent, and only that one is refused, and left as it is.
                let bent = count * 5 % 7 % count;
                let at = a[bent].len() - 1 - base % 16;
                a[bent][at] ^= 0x10;
                let refused = a[bent].clone();
                let mut opened = packets(&mut a, trailing);
                ours.open(&mut opened);
                for (index, packet) in opened.iter().enumerate() {
                    assert_eq!(packet.is_authentic(), index != bent, "{count} packets, {base}");
                }
                for (index, (a, original)) in a.iter().zip(&bufs).enumerate() {
                    let text = HEADER..original.len() - 16;
                    match index == bent {
                        true => assert_eq!(*a, refused),
                        false => assert_eq!(a[text.clone()], original[text]),
                    }
                }
            }
        }
    }

    fn packets<'a>(bufs: &'a mut [Vec<u8>], trailing: &[u8]) -> Vec<Packet<'a>> {
        bufs.iter_mut().map(|buf| Packet::new(buf, HEADER, 16, trailing).unwrap()).collect()
    }

    fn compare_all(wide: Wide) {
        compare::<10>(wide);
        compare::<12>(wide);
        compare::<14>(wide);
    }

    #[test]
    fn eight_lanes_give_what_one_packet_gives() {
        if !narrow::get() {
            return std::println!("SKIP: needs a processor with AES-NI and AVX2");
        }
        compare_all(Wide { hmac: false, cbc: false });
    }

    #[test]
    fn sixteen_lanes_give_what_one_packet_gives() {
        if !wide::get() {
            return std::println!("SKIP: needs a processor with AES-NI and AVX-512 (F, BW, VL)");
        }
        compare_all(Wide { hmac: true, cbc: false });
    }

    #[test]
    fn pairs_of_blocks_give_what_one_packet_gives() {
        if !vaes::get() {
            return std::println!("SKIP: needs a processor with VAES");
        }
        compare_all(Wide { hmac: false, cbc: true });
    }

    #[test]
    fn keys_of_other_lengths_are_refused() {
        for pair in crate::simd::PROVIDER.cipher_macs {
            let (cipher, mac) = (pair.cipher().key_len(), pair.mac().key_len());
            assert!(pair.key(&vec![1; cipher], &vec![1; mac]).is_ok());
            assert!(pair.key(&vec![1; cipher - 1], &vec![1; mac]).is_err());
            assert!(pair.key(&vec![1; cipher], &vec![1; mac + 1]).is_err());
        }
    }
}
