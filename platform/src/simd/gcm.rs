//! Chooses between the code for short packets and ring, for each processor and each packet.

use alloc::boxed::Box;

use super::MAX_TEXT;
use super::x86::{self, Gcm};
use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength, NONCE_LEN};

cpufeatures::new!(features, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx");

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
        if !features::get() {
            return Ok(long);
        }
        if let Ok(key) = key.try_into() {
            // SAFETY: the processor has the features that `Gcm` needs: `features` asked for them all.
            let short = unsafe { Gcm::<10>::new(key) };
            Ok(Box::new(Key { short, long }))
        } else if let Ok(key) = key.try_into() {
            // SAFETY: as above.
            let short = unsafe { Gcm::<14>::new(key) };
            Ok(Box::new(Key { short, long }))
        } else {
            Ok(long)
        }
    }
}

/// A key that exists only where the processor has what [`Gcm`] needs.
struct Key<const ROUNDS: usize> {
    short: Gcm<ROUNDS>,
    long: Box<dyn AeadKey>,
}

impl<const ROUNDS: usize> AeadKey for Key<ROUNDS> {
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, tag) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if text.len() > MAX_TEXT || aad.len() > x86::MAX_AAD {
            return self.long.seal(nonce, aad, in_out);
        }
        // SAFETY: a `Key` is made only after `features` found all that `Gcm` needs.
        *tag = unsafe { self.short.seal(nonce, aad, text) };
        Ok(())
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, tag) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if text.len() > MAX_TEXT || aad.len() > x86::MAX_AAD {
            return self.long.open(nonce, aad, in_out);
        }
        // SAFETY: a `Key` is made only after `features` found all that `Gcm` needs.
        if unsafe { self.short.open(nonce, aad, text, tag) } {
            return Ok(());
        }
        // What was decrypted before the tag was known to be wrong is nobody's to see.
        text.fill(0);
        Err(AeadError)
    }
}
