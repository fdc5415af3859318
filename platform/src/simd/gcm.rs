//! Chooses between the code for short packets and ring, for each processor and each packet.

use alloc::boxed::Box;

#[cfg(target_arch = "aarch64")]
use super::aarch64::{Gcm, MAX_AAD, MAX_GMAC_AAD};
#[cfg(target_arch = "x86_64")]
use super::x86::{Gcm, MAX_AAD, MAX_GMAC_AAD};
use crate::aead::{
    Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength, MAX_NONCE_LEN as NONCE_LEN,
};

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(narrow, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx");
// With "aes" comes PMULL, and NEON with every processor.
#[cfg(target_arch = "aarch64")]
cpufeatures::new!(narrow, "aes");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(wide, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx", "avx2", "vaes", "vpclmulqdq");

/// The longest text that the narrow form takes where the processor has the wide one, in bytes: up to
/// here it is the latency that counts and not the throughput.
#[cfg(target_arch = "x86_64")]
const NARROW: usize = 128;

/// The longest text that goes this way, in bytes: where ring's code for long packets begins to win. In
/// the narrow form that is an inner packet of 512 bytes with what ESP adds to it.
const MAX_NARROW: usize = 576;
#[cfg(target_arch = "x86_64")]
const MAX_WIDE: usize = 768;

/// AES-GCM with any key and any tag: short packets here, long ones by somebody else.
#[derive(Debug)]
pub(super) struct AesGcm(pub(super) AeadAlgorithm, pub(super) &'static dyn Aead);

impl Aead for AesGcm {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let long = self.1.key(key)?;
        if !narrow::get() {
            return Ok(long);
        }
        Ok(match (key.len(), self.0.tag_len()) {
            (16, 16) => Box::new(Key::<10, 16>::new(key, long)),
            (16, 12) => Box::new(Key::<10, 12>::new(key, long)),
            (16, 8) => Box::new(Key::<10, 8>::new(key, long)),
            (24, 16) => Box::new(Key::<12, 16>::new(key, long)),
            (24, 12) => Box::new(Key::<12, 12>::new(key, long)),
            (24, 8) => Box::new(Key::<12, 8>::new(key, long)),
            (32, 16) => Box::new(Key::<14, 16>::new(key, long)),
            (32, 12) => Box::new(Key::<14, 12>::new(key, long)),
            (32, 8) => Box::new(Key::<14, 8>::new(key, long)),
            _ => long,
        })
    }
}

/// A key with tags of `TAG` bytes, that exists only where the processor has what [`Gcm`] needs.
struct Key<const ROUNDS: usize, const TAG: usize> {
    short: Gcm<ROUNDS>,
    long: Box<dyn AeadKey>,
    /// True if the processor has what the wide form needs, too.
    #[cfg(target_arch = "x86_64")]
    wide: bool,
}

impl<const ROUNDS: usize, const TAG: usize> Key<ROUNDS, TAG> {
    /// Only after `narrow` found all features.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(key: &[u8], long: Box<dyn AeadKey>) -> Self {
        // SAFETY: the callers asked `narrow`.
        let short = unsafe { Gcm::new(key) };
        Self {
            short,
            long,
            #[cfg(target_arch = "x86_64")]
            wide: wide::get(),
        }
    }

    fn takes(&self, text: &[u8], aad: &[u8]) -> bool {
        #[cfg(target_arch = "x86_64")]
        let max_text = if self.wide { MAX_WIDE } else { MAX_NARROW };
        #[cfg(target_arch = "aarch64")]
        let max_text = MAX_NARROW;
        text.len() <= max_text && aad.len() <= MAX_AAD
    }

    /// Encrypts `text`, and returns the tag.
    #[inline]
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn encrypt(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> u128 {
        #[cfg(target_arch = "x86_64")]
        if self.wide && text.len() > NARROW {
            // SAFETY: `self.wide` says that `wide` found all that the wide form needs.
            return unsafe { self.short.seal_wide(nonce, aad, text) };
        }
        // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
        unsafe { self.short.seal(nonce, aad, text) }
    }

    /// Decrypts `text`, and returns the tag that it must have had.
    #[inline]
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn decrypt(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> u128 {
        #[cfg(target_arch = "x86_64")]
        if self.wide && text.len() > NARROW {
            // SAFETY: `self.wide` says that `wide` found all that the wide form needs.
            return unsafe { self.short.open_wide(nonce, aad, text) };
        }
        // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
        unsafe { self.short.open(nonce, aad, text) }
    }
}

impl<const ROUNDS: usize, const TAG: usize> AeadKey for Key<ROUNDS, TAG> {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = in_out.split_last_chunk_mut::<TAG>().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.long.seal(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag = self.encrypt(nonce, aad, text);
        room.copy_from_slice(&tag.to_le_bytes()[..TAG]);
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, given) = in_out.split_last_chunk_mut::<TAG>().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.long.open(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag = self.decrypt(nonce, aad, text);
        if is_tag(tag, given) {
            return Ok(());
        }
        // What was decrypted before the tag was known to be wrong is nobody's to see.
        text.fill(0);
        Err(AeadError)
    }
}

/// AES-GMAC, which leaves the text readable: RFC 4543. Packets of every length are authenticated here, for
/// which no other code is faster; only associated data that is none of ESP's goes to somebody else.
#[derive(Debug)]
pub(super) struct AesGmac(pub(super) AeadAlgorithm, pub(super) &'static dyn Aead);

impl Aead for AesGmac {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let other = self.1.key(key)?;
        if !narrow::get() {
            return Ok(other);
        }
        Ok(match key.len() {
            16 => Box::new(GmacKey::<10>::new(key, other)),
            24 => Box::new(GmacKey::<12>::new(key, other)),
            32 => Box::new(GmacKey::<14>::new(key, other)),
            _ => other,
        })
    }
}

/// A key that exists only where the processor has what [`Gcm`] needs.
struct GmacKey<const ROUNDS: usize> {
    gcm: Gcm<ROUNDS>,
    other: Box<dyn AeadKey>,
}

impl<const ROUNDS: usize> GmacKey<ROUNDS> {
    /// Only after `narrow` found all features.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(key: &[u8], other: Box<dyn AeadKey>) -> Self {
        // SAFETY: the callers asked `narrow`.
        let gcm = unsafe { Gcm::new(key) };
        Self { gcm, other }
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn tag(&self, nonce: &[u8], aad: &[u8], text: &[u8]) -> Result<u128, AeadError> {
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        // SAFETY: a `GmacKey` is made only after `narrow` found all that is needed.
        Ok(unsafe { self.gcm.gmac(nonce, aad, text) })
    }
}

impl<const ROUNDS: usize> AeadKey for GmacKey<ROUNDS> {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if aad.len() > MAX_GMAC_AAD {
            return self.other.seal(nonce, aad, in_out);
        }
        *room = self.tag(nonce, aad, text)?.to_le_bytes();
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, given) = in_out.split_last_chunk_mut::<16>().ok_or(AeadError)?;
        if aad.len() > MAX_GMAC_AAD {
            return self.other.open(nonce, aad, in_out);
        }
        if is_tag(self.tag(nonce, aad, text)?, given) { Ok(()) } else { Err(AeadError) }
    }
}

/// Compares the front of `tag` with `given`, in constant time: no branch depends on a part of it.
#[inline]
fn is_tag<const TAG: usize>(tag: u128, given: &[u8; TAG]) -> bool {
    let mut padded = [0; 16];
    padded[..TAG].copy_from_slice(given);
    let counted = u128::MAX >> (8 * (16 - TAG));
    (tag ^ u128::from_le_bytes(padded)) & counted == 0
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ring;

    /// Runs every length through one form whatever the processor would choose, against ring.
    fn compare<const ROUNDS: usize, const TAG: usize>(ours: &Key<ROUNDS, TAG>) {
        let nonce = *b"nonce 12 byt";
        for aad_len in [0, 1, 8, 12, 16] {
            let aad = &b"header of a packet"[..aad_len];
            for len in 0..=2 * MAX_NARROW {
                let text: Vec<u8> = (0..len).map(|index| (index * 7 + len) as u8).collect();
                let mut packet = [&text[..], &[0; TAG]].concat();
                let mut expected = packet.clone();
                ours.seal(&nonce, aad, &mut packet).unwrap();
                ours.long.seal(&nonce, aad, &mut expected).unwrap();
                assert_eq!(packet, expected, "{len} bytes");
                ours.open(&nonce, aad, &mut packet).unwrap();
                assert_eq!(packet[..len], text, "{len} bytes");
                let last = expected.len() - 1;
                expected[last] ^= 1;
                assert!(ours.open(&nonce, aad, &mut expected).is_err(), "{len} bytes");
            }
        }
    }

    /// Every length of key, and every length of tag with one of them; `form` chooses what is tested.
    fn compare_all(form: Form) {
        use crate::rustcrypto::{AES_128_GCM_8, AES_128_GCM_12, AES_192_GCM_16};
        let key: Vec<u8> = (0..32_u8).map(|index| index.wrapping_mul(11)).collect();
        let long = |aead: &dyn Aead| aead.key(&key[..aead.algorithm().key_len()]).unwrap();
        compare(&form.of(Key::<10, 16>::new(&key[..16], long(&ring::AES_128_GCM))));
        compare(&form.of(Key::<14, 16>::new(&key, long(&ring::AES_256_GCM))));
        compare(&form.of(Key::<12, 16>::new(&key[..24], long(&AES_192_GCM_16))));
        compare(&form.of(Key::<10, 12>::new(&key[..16], long(&AES_128_GCM_12))));
        compare(&form.of(Key::<10, 8>::new(&key[..16], long(&AES_128_GCM_8))));
    }

    #[derive(Clone, Copy)]
    enum Form {
        Narrow,
        #[cfg(target_arch = "x86_64")]
        Wide,
    }

    impl Form {
        fn of<const ROUNDS: usize, const TAG: usize>(
            self,
            key: Key<ROUNDS, TAG>,
        ) -> Key<ROUNDS, TAG> {
            Key {
                #[cfg(target_arch = "x86_64")]
                wide: matches!(self, Self::Wide),
                ..key
            }
        }
    }

    #[test]
    fn the_narrow_form_gives_what_ring_gives() {
        if !narrow::get() {
            return std::println!("SKIP: needs a processor with AES and carry-less multiplication");
        }
        compare_all(Form::Narrow);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_wide_form_gives_what_ring_gives() {
        if !wide::get() {
            return std::println!("SKIP: needs a processor with VAES and VPCLMULQDQ");
        }
        compare_all(Form::Wide);
    }

    #[test]
    fn buffers_without_room_for_a_tag_are_refused() {
        for aead in crate::simd::PROVIDER.aeads {
            let algorithm = aead.algorithm();
            let key = aead.key(&vec![1; algorithm.key_len()]).unwrap();
            let nonce = vec![0; algorithm.nonce_len()];
            for len in 0..algorithm.tag_len() {
                assert_eq!(key.seal(&nonce, &[], &mut vec![0; len]), Err(AeadError));
                assert_eq!(key.open(&nonce, &[], &mut vec![0; len]), Err(AeadError));
            }
        }
    }
}
