//! AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634).

use alloc::boxed::Box;
use core::hint::black_box;

use ring::aead::{self, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength};

/// An AEAD of ring, under our name and its own.
#[derive(Debug)]
pub(crate) struct RingAead(AeadAlgorithm, &'static Algorithm);

pub(crate) static AES_128_GCM: RingAead = RingAead(AeadAlgorithm::Aes128Gcm16, &aead::AES_128_GCM);
pub(crate) static AES_256_GCM: RingAead = RingAead(AeadAlgorithm::Aes256Gcm16, &aead::AES_256_GCM);
pub(crate) static CHACHA20_POLY1305: RingAead =
    RingAead(AeadAlgorithm::ChaCha20Poly1305, &aead::CHACHA20_POLY1305);

impl Aead for RingAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        match UnboundKey::new(self.1, key) {
            Ok(key) => Ok(Box::new(Key(LessSafeKey::new(key)))),
            Err(_) => Err(InvalidKeyLength { expected: self.0.key_len(), given: key.len() }),
        }
    }
}

/// An expanded key.
struct Key(LessSafeKey);

impl AeadKey for Key {
    #[inline]
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        // All tags are 16 bytes long.
        let (text, room) = in_out.split_last_chunk_mut::<16>().ok_or(AeadError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| AeadError)?;
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), text)
            .map_err(|_| AeadError)?;
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| AeadError)?;
        match self.0.open_in_place(nonce, Aad::from(aad), in_out) {
            Ok(_) => Ok(()),
            Err(_) => Err(AeadError),
        }
    }
}

/// ring does not wipe: the schedule of an all-zero key takes the place of the real one. It is an
/// AES-256 key whatever this one was, because that is the longest: it leaves no byte of this one's block
/// as it was, neither key nor what the stack left in the gaps of a shorter one.
impl Drop for Key {
    fn drop(&mut self) {
        if let Ok(key) = UnboundKey::new(&aead::AES_256_GCM, &[0; 32]) {
            self.0 = LessSafeKey::new(key);
        }
        // Keeps the compiler from leaving out a write that nothing reads.
        black_box(&mut self.0);
    }
}
