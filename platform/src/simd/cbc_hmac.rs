//! Chooses between the code for many packets and that for one, for each processor and each batch.

use alloc::boxed::Box;

use super::x86::{Cbc, HmacSha256, HmacSha512};
use crate::aead::InvalidKeyLength;
use crate::cipher::{Cipher, CipherAlgorithm, CipherKey};
use crate::cipher_mac::{CipherMac, CipherMacKey, Packet};
use crate::mac::{Mac, MacAlgorithm, MacKey};

cpufeatures::new!(narrow, "aes", "ssse3", "sse4.1", "avx", "avx2");
cpufeatures::new!(wide, "aes", "ssse3", "sse4.1", "avx", "avx2", "avx512f", "avx512bw", "avx512vl");
cpufeatures::new!(vaes, "aes", "ssse3", "sse4.1", "avx", "avx2", "vaes");
cpufeatures::new!(sha, "sha");

/// The fewest packets that are worth it: fewer gain too little.
const LEAST: usize = 3;

/// AES-CBC with HMAC-SHA2, and the two by themselves for what is no batch.
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
        let single = Single::new((self.0, cipher), (self.1, mac))?;
        let Some(hmac) = Hmac::new(self.mac(), mac) else {
            return Ok(Box::new(single));
        };
        Ok(match cipher.len() {
            16 => Box::new(Key::<10>::new(single, cipher, hmac)),
            24 => Box::new(Key::<12>::new(single, cipher, hmac)),
            32 => Box::new(Key::<14>::new(single, cipher, hmac)),
            _ => Box::new(single),
        })
    }
}

/// Keys for one packet at a time.
struct Single {
    cipher: Box<dyn CipherKey>,
    mac: Box<dyn MacKey>,
    /// At most [`MAX_TAG`].
    tag_len: usize,
}

/// The longest tag: HMAC-SHA2-512-256's.
const MAX_TAG: usize = 32;

impl Single {
    fn new(cipher: (&dyn Cipher, &[u8]), mac: (&dyn Mac, &[u8])) -> Result<Self, InvalidKeyLength> {
        let tag_len = mac.0.algorithm().tag_len();
        Ok(Self { cipher: cipher.0.key(cipher.1)?, mac: mac.0.key(mac.1)?, tag_len })
    }
}

impl CipherMacKey for Single {
    fn seal(&self, packets: &mut [Packet<'_>]) {
        for packet in packets {
            let (iv, text, _) = packet.parts();
            // A packet is made of whole blocks, so that neither can fail.
            let _ = self.cipher.encrypt(iv, text);
            let mut tag = [0; MAX_TAG];
            let tag = &mut tag[..self.tag_len];
            let (covered, trailing) = packet.covered();
            let _ = self.mac.sign(&[covered, trailing], tag);
            packet.set_tag(tag);
        }
    }

    fn open(&self, packets: &mut [Packet<'_>]) {
        for packet in packets {
            let mut tag = [0; MAX_TAG];
            let tag = &mut tag[..self.tag_len];
            let (covered, trailing) = packet.covered();
            let signed = self.mac.sign(&[covered, trailing], tag);
            if signed.is_ok() && packet.check_tag(tag) {
                let (iv, text, _) = packet.parts();
                let _ = self.cipher.decrypt(iv, text);
            }
        }
    }
}

/// A key of HMAC for packets side by side; exists only where the processor has what the narrow form needs.
enum Hmac {
    Sha256(HmacSha256),
    Sha512(HmacSha512),
}

impl Hmac {
    /// `None` if there is no such form, or not on this processor.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(algorithm: MacAlgorithm, key: &[u8]) -> Option<Self> {
        if !narrow::get() {
            return None;
        }
        match algorithm {
            MacAlgorithm::HmacSha2_256_128 => {
                // SAFETY: `narrow` found all features.
                Some(Self::Sha256(unsafe { HmacSha256::new(key.try_into().ok()?) }))
            }
            MacAlgorithm::HmacSha2_384_192 => {
                // SAFETY: `narrow` found all features.
                Some(Self::Sha512(unsafe { HmacSha512::new_384(key.try_into().ok()?) }))
            }
            MacAlgorithm::HmacSha2_512_256 => {
                // SAFETY: `narrow` found all features.
                Some(Self::Sha512(unsafe { HmacSha512::new(key.try_into().ok()?) }))
            }
            MacAlgorithm::AesXcbc96 | MacAlgorithm::AesCmac96 => None,
        }
    }

    /// Computes the tags of packets and gives each packet its own. `forms` only as far as [`Forms::get`]
    /// has them.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn each(
        &self,
        forms: Forms,
        packets: &mut [Packet<'_>],
        give: impl Fn(&mut Packet<'_>, &[u8]),
    ) {
        match self {
            Self::Sha256(key) => match (forms.sha, forms.wide) {
                // SAFETY: an `Hmac` is made only after `narrow` found all that the narrow form needs.
                (false, false) => unsafe { key.each(packets, give) },
                // SAFETY: `wide` found all that the wide form needs.
                (false, true) => unsafe { key.each_wide(packets, give) },
                // SAFETY: `narrow` and `sha` found all that this form needs.
                (true, false) => unsafe { key.each_stream(packets, give) },
                // SAFETY: `wide` and `sha` found all that this form needs.
                (true, true) => unsafe { key.each_stream_wide(packets, give) },
            },
            Self::Sha512(key) => match forms.wide {
                // SAFETY: an `Hmac` is made only after `narrow` found all that the narrow form needs.
                false => unsafe { key.each(packets, give) },
                // SAFETY: `wide` found all that the wide form needs.
                true => unsafe { key.each_wide(packets, give) },
            },
        }
    }
}

/// Keys that exist only where the processor has what the narrow forms need.
struct Key<const ROUNDS: usize> {
    cbc: Cbc<ROUNDS>,
    hmac: Hmac,
    single: Single,
    forms: Forms,
    /// Fewer packets than this go one by one.
    least: usize,
}

/// Which forms besides the narrow ones the processor has what they need for.
#[derive(Clone, Copy)]
struct Forms {
    /// AVX-512: twice as many lanes, and twice as many registers.
    wide: bool,
    /// The instructions for SHA-256, which are faster than lanes of either width.
    sha: bool,
    /// Two blocks of AES in a register.
    vaes: bool,
}

impl Forms {
    fn get() -> Self {
        Self { wide: wide::get(), sha: sha::get(), vaes: vaes::get() }
    }
}

/// Packets that are verified and then decrypted: few enough for the first-level cache to keep them.
const GROUP: usize = 16;

impl<const ROUNDS: usize> Key<ROUNDS> {
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(single: Single, cipher: &[u8], hmac: Hmac) -> Self {
        // SAFETY: there is an `Hmac`, so `narrow` found all features.
        let cbc = unsafe { Cbc::new(cipher) };
        Self { cbc, hmac, single, forms: Forms::get(), least: LEAST }
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
            unsafe { self.cbc.encrypt(group) };
            self.hmac.each(self.forms, group, |packet, tag| packet.set_tag(tag));
        }
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn open(&self, packets: &mut [Packet<'_>]) {
        if packets.len() < self.least {
            return self.single.open(packets);
        }
        for group in packets.chunks_mut(GROUP) {
            self.hmac.each(self.forms, group, |packet, tag| {
                packet.check_tag(tag);
            });
            for packet in group.iter_mut().filter(|packet| packet.is_authentic()) {
                match (self.forms.vaes, self.forms.wide) {
                    // SAFETY: `vaes` and `wide` found all that this form needs.
                    (true, true) => unsafe { self.cbc.decrypt_widest(packet) },
                    // SAFETY: `vaes` found all that the wide form needs.
                    (true, false) => unsafe { self.cbc.decrypt_wide(packet) },
                    // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
                    (false, _) => unsafe { self.cbc.decrypt(packet) },
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
    fn compare<const ROUNDS: usize>(mac: MacAlgorithm, forms: Forms) {
        let cipher_key: Vec<u8> = (0..4 * (ROUNDS as u8 - 6)).map(|i| i.wrapping_mul(29)).collect();
        let cipher =
            ring::PROVIDER.ciphers.iter().find(|c| c.algorithm().key_len() == cipher_key.len());
        let mac_key: Vec<u8> = (0..mac.key_len() as u8).map(|i| i.wrapping_mul(31)).collect();
        let tag_len = mac.tag_len();
        let single = || {
            let mac = ring::PROVIDER.mac(mac).unwrap();
            Single::new((*cipher.unwrap(), &cipher_key), (mac, &mac_key)).unwrap()
        };
        let hmac = Hmac::new(mac, &mac_key).unwrap();
        let ours = Key::<ROUNDS> { forms, least: 1, ..Key::new(single(), &cipher_key, hmac) };
        let theirs = single();
        for count in 1..=34 {
            for base in 0..9 {
                let trailing = &[1, 2, 3, 4][..if base % 2 == 0 { 4 } else { 0 }];
                let bufs: Vec<Vec<u8>> = (0..count)
                    .map(|i| {
                        let blocks = if base < 4 { base } else { base * (i * 7 % 11) };
                        (0..HEADER + 16 * blocks + tag_len).map(|at| (at * 7 + i) as u8).collect()
                    })
                    .collect();
                let (mut a, mut b) = (bufs.clone(), bufs.clone());
                ours.seal(&mut packets(&mut a, tag_len, trailing));
                theirs.seal(&mut packets(&mut b, tag_len, trailing));
                assert_eq!(a, b, "{count} packets, {base}");
                // One of them is bent, and only that one is refused, and left as it is.
                let bent = count * 5 % 7 % count;
                let at = a[bent].len() - 1 - base * 3 % tag_len;
                a[bent][at] ^= 0x10;
                let refused = a[bent].clone();
                let mut opened = packets(&mut a, tag_len, trailing);
                ours.open(&mut opened);
                for (index, packet) in opened.iter().enumerate() {
                    assert_eq!(packet.is_authentic(), index != bent, "{count} packets, {base}");
                }
                for (index, (a, original)) in a.iter().zip(&bufs).enumerate() {
                    let text = HEADER..original.len() - tag_len;
                    match index == bent {
                        true => assert_eq!(*a, refused),
                        false => assert_eq!(a[text.clone()], original[text]),
                    }
                }
            }
        }
    }

    fn packets<'a>(bufs: &'a mut [Vec<u8>], tag_len: usize, trailing: &[u8]) -> Vec<Packet<'a>> {
        bufs.iter_mut().map(|buf| Packet::new(buf, HEADER, tag_len, trailing).unwrap()).collect()
    }

    fn compare_all(forms: Forms) {
        use MacAlgorithm::{HmacSha2_256_128, HmacSha2_384_192, HmacSha2_512_256};
        for mac in [HmacSha2_256_128, HmacSha2_384_192, HmacSha2_512_256] {
            compare::<10>(mac, forms);
            compare::<12>(mac, forms);
            compare::<14>(mac, forms);
        }
    }

    #[test]
    fn narrow_lanes_give_what_one_packet_gives() {
        if !narrow::get() {
            return std::println!("SKIP: needs a processor with AES-NI and AVX2");
        }
        compare_all(Forms { wide: false, sha: false, vaes: false });
    }

    #[test]
    fn wide_lanes_give_what_one_packet_gives() {
        if !wide::get() {
            return std::println!("SKIP: needs a processor with AES-NI and AVX-512 (F, BW, VL)");
        }
        compare_all(Forms { wide: true, sha: false, vaes: false });
    }

    #[test]
    fn streams_give_what_one_packet_gives() {
        if !narrow::get() || !sha::get() {
            return std::println!("SKIP: needs a processor with AES-NI, AVX2 and SHA-NI");
        }
        compare_all(Forms { wide: false, sha: true, vaes: false });
    }

    #[test]
    fn streams_in_more_registers_give_what_one_packet_gives() {
        if !wide::get() || !sha::get() {
            return std::println!(
                "SKIP: needs a processor with AES-NI, SHA-NI and AVX-512 (F, BW, VL)"
            );
        }
        compare_all(Forms { wide: true, sha: true, vaes: false });
    }

    #[test]
    fn pairs_of_blocks_give_what_one_packet_gives() {
        if !vaes::get() {
            return std::println!("SKIP: needs a processor with VAES");
        }
        compare_all(Forms { wide: false, sha: false, vaes: true });
    }

    #[test]
    fn pairs_of_blocks_in_more_registers_give_what_one_packet_gives() {
        if !vaes::get() || !wide::get() {
            return std::println!("SKIP: needs a processor with VAES and AVX-512 (F, BW, VL)");
        }
        compare_all(Forms { wide: true, sha: false, vaes: true });
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
