//! Chooses between the code for short packets and ring, for each processor and each packet.

use alloc::boxed::Box;

use super::x86::{self, Gcm};
use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength};

cpufeatures::new!(narrow, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx");
cpufeatures::new!(wide, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx", "avx2", "vaes", "vpclmulqdq");

/// The longest text that the narrow form takes where the processor has the wide one, in bytes: up to
/// here it is the latency that counts and not the throughput.
const NARROW: usize = 128;

/// The longest text that goes this way, in bytes: where ring's code for long packets begins to win. In
/// the narrow form that is an inner packet of 512 bytes with what ESP adds to it.
const MAX_NARROW: usize = 576;
const MAX_WIDE: usize = 768;

/// AES-128-GCM or AES-256-GCM: short packets here, long ones by `ring`.
#[derive(Debug)]
pub(super) struct AesGcm(pub(super) AeadAlgorithm, pub(super) &'static dyn Aead);

impl Aead for AesGcm {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let long = self.1.key(key)?;
        if !narrow::get() {
            return Ok(long);
        }
        Ok(match key.len() {
            16 => {
                // SAFETY: the processor has the features that `Gcm` needs: `narrow` asked for them all.
                let short = unsafe { Gcm::<10>::new(key) };
                Box::new(Key { short, long, wide: wide::get() })
            }
            32 => {
                // SAFETY: as above.
                let short = unsafe { Gcm::<14>::new(key) };
                Box::new(Key { short, long, wide: wide::get() })
            }
            _ => long,
        })
    }
}

/// A key that exists only where the processor has what [`Gcm`] needs.
struct Key<const ROUNDS: usize> {
    short: Gcm<ROUNDS>,
    long: Box<dyn AeadKey>,
    /// True if the processor has what the wide form needs, too.
    wide: bool,
}

impl<const ROUNDS: usize> Key<ROUNDS> {
    fn takes(&self, text: &[u8], aad: &[u8]) -> bool {
        let max_text = if self.wide { MAX_WIDE } else { MAX_NARROW };
        text.len() <= max_text && aad.len() <= x86::MAX_AAD
    }
}

impl<const ROUNDS: usize> AeadKey for Key<ROUNDS> {
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, tag) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.long.seal(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        *tag = if self.wide && text.len() > NARROW {
            // SAFETY: `self.wide` says that `wide` found all that the wide form needs.
            unsafe { self.short.seal_wide(nonce, aad, text) }
        } else {
            // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
            unsafe { self.short.seal(nonce, aad, text) }
        };
        Ok(())
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, tag) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.long.open(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let valid = if self.wide && text.len() > NARROW {
            // SAFETY: `self.wide` says that `wide` found all that the wide form needs.
            unsafe { self.short.open_wide(nonce, aad, text, tag) }
        } else {
            // SAFETY: a `Key` is made only after `narrow` found all that the narrow form needs.
            unsafe { self.short.open(nonce, aad, text, tag) }
        };
        if valid {
            return Ok(());
        }
        // What was decrypted before the tag was known to be wrong is nobody's to see.
        text.fill(0);
        Err(AeadError)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ring;

    /// Runs every length through one form whatever the processor would choose, against ring.
    fn compare<const ROUNDS: usize>(ours: &Key<ROUNDS>) {
        let nonce = *b"nonce 12 byt";
        for aad_len in [0, 1, 8, 12, 16] {
            let aad = &b"header of a packet"[..aad_len];
            for len in 0..=MAX_WIDE + 1 {
                let text: Vec<u8> = (0..len).map(|index| (index * 7 + len) as u8).collect();
                let mut packet = [&text[..], &[0; 16]].concat();
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

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn compare_both_sizes(wide: bool) {
        // SAFETY: the callers asked for all features.
        let short = unsafe { Gcm::<10>::new(&[0x42; 16]) };
        compare(&Key { short, long: ring::AES_128_GCM.key(&[0x42; 16]).unwrap(), wide });
        let key: Vec<u8> = (0..32_u8).map(|index| index.wrapping_mul(11)).collect();
        // SAFETY: as above.
        let short = unsafe { Gcm::<14>::new(&key) };
        compare(&Key { short, long: ring::AES_256_GCM.key(&key).unwrap(), wide });
    }

    #[test]
    fn the_narrow_form_gives_what_ring_gives() {
        if !narrow::get() {
            return std::println!("SKIP: needs a processor with AES-NI, PCLMULQDQ and AVX");
        }
        compare_both_sizes(false);
    }

    #[test]
    fn the_wide_form_gives_what_ring_gives() {
        if !wide::get() {
            return std::println!("SKIP: needs a processor with VAES and VPCLMULQDQ");
        }
        compare_both_sizes(true);
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
