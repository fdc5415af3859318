//! AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634).

use alloc::boxed::Box;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength, NONCE_LEN};

/// An AEAD of the RustCrypto project.
#[derive(Debug)]
pub(super) struct RustAead(pub(super) AeadAlgorithm);

impl Aead for RustAead {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        match self.0 {
            AeadAlgorithm::Aes128Gcm16 => prepare::<Aes128Gcm>(key, self.0),
            AeadAlgorithm::Aes256Gcm16 => prepare::<Aes256Gcm>(key, self.0),
            AeadAlgorithm::ChaCha20Poly1305 => prepare::<ChaCha20Poly1305>(key, self.0),
        }
    }
}

fn prepare<A>(key: &[u8], algorithm: AeadAlgorithm) -> Result<Box<dyn AeadKey>, InvalidKeyLength>
where
    A: KeyInit + AeadInOut + Send + Sync + 'static,
{
    match A::new_from_slice(key) {
        Ok(key) => Ok(Box::new(Key(key))),
        Err(_) => Err(InvalidKeyLength { expected: algorithm.key_len(), given: key.len() }),
    }
}

/// An expanded key, wiped on drop by the crates that made it (their feature `zeroize`).
struct Key<A>(A);

impl<A: AeadInOut + Send + Sync> AeadKey for Key<A> {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, room) = split_tag(in_out)?;
        let nonce = nonce.as_slice().try_into().map_err(|_| AeadError)?;
        let tag = self.0.encrypt_inout_detached(nonce, aad, text.into()).map_err(|_| AeadError)?;
        room.copy_from_slice(&tag);
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, tag) = split_tag(in_out)?;
        let nonce = nonce.as_slice().try_into().map_err(|_| AeadError)?;
        let tag = (&*tag).try_into().map_err(|_| AeadError)?;
        self.0.decrypt_inout_detached(nonce, aad, text.into(), tag).map_err(|_| AeadError)
    }
}

/// All tags are 16 bytes long.
fn split_tag(in_out: &mut [u8]) -> Result<(&mut [u8], &mut [u8]), AeadError> {
    let text = in_out.len().checked_sub(16).ok_or(AeadError)?;
    in_out.split_at_mut_checked(text).ok_or(AeadError)
}
