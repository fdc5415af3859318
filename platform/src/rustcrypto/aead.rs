//! The AEADs that the RustCrypto project has in the form that IPsec uses: AES-GCM with tags of 16 and 12
//! bytes (RFC 4106), AES-CCM (RFC 4309), ChaCha20-Poly1305 (RFC 7634).

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U8, U11, U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use ccm::Ccm;

use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength};

/// The AEAD `A` of the RustCrypto project under our name.
pub(crate) struct RustAead<A>(AeadAlgorithm, PhantomData<fn() -> A>);

type Gcm<A, Tag> = RustAead<AesGcm<A, U12, Tag>>;
/// RFC 4309 section 4: a nonce of 11 bytes.
type CcmAead<A, Tag> = RustAead<Ccm<A, Tag, U11>>;

#[cfg(feature = "rustcrypto")]
pub(crate) static AES_128_GCM_16: Gcm<Aes128, U16> = RustAead::new(AeadAlgorithm::Aes128Gcm16);
pub(crate) static AES_192_GCM_16: Gcm<Aes192, U16> = RustAead::new(AeadAlgorithm::Aes192Gcm16);
#[cfg(feature = "rustcrypto")]
pub(crate) static AES_256_GCM_16: Gcm<Aes256, U16> = RustAead::new(AeadAlgorithm::Aes256Gcm16);
pub(crate) static AES_128_GCM_12: Gcm<Aes128, U12> = RustAead::new(AeadAlgorithm::Aes128Gcm12);
pub(crate) static AES_192_GCM_12: Gcm<Aes192, U12> = RustAead::new(AeadAlgorithm::Aes192Gcm12);
pub(crate) static AES_256_GCM_12: Gcm<Aes256, U12> = RustAead::new(AeadAlgorithm::Aes256Gcm12);

pub(crate) static AES_128_CCM_16: CcmAead<Aes128, U16> = RustAead::new(AeadAlgorithm::Aes128Ccm16);
pub(crate) static AES_192_CCM_16: CcmAead<Aes192, U16> = RustAead::new(AeadAlgorithm::Aes192Ccm16);
pub(crate) static AES_256_CCM_16: CcmAead<Aes256, U16> = RustAead::new(AeadAlgorithm::Aes256Ccm16);
pub(crate) static AES_128_CCM_12: CcmAead<Aes128, U12> = RustAead::new(AeadAlgorithm::Aes128Ccm12);
pub(crate) static AES_192_CCM_12: CcmAead<Aes192, U12> = RustAead::new(AeadAlgorithm::Aes192Ccm12);
pub(crate) static AES_256_CCM_12: CcmAead<Aes256, U12> = RustAead::new(AeadAlgorithm::Aes256Ccm12);
pub(crate) static AES_128_CCM_8: CcmAead<Aes128, U8> = RustAead::new(AeadAlgorithm::Aes128Ccm8);
pub(crate) static AES_192_CCM_8: CcmAead<Aes192, U8> = RustAead::new(AeadAlgorithm::Aes192Ccm8);
pub(crate) static AES_256_CCM_8: CcmAead<Aes256, U8> = RustAead::new(AeadAlgorithm::Aes256Ccm8);

#[cfg(feature = "rustcrypto")]
pub(crate) static CHACHA20_POLY1305: RustAead<chacha20poly1305::ChaCha20Poly1305> =
    RustAead::new(AeadAlgorithm::ChaCha20Poly1305);

impl<A> RustAead<A> {
    const fn new(algorithm: AeadAlgorithm) -> Self {
        Self(algorithm, PhantomData)
    }
}

impl<A> fmt::Debug for RustAead<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RustAead").field(&self.0).finish()
    }
}

impl<A> Aead for RustAead<A>
where
    A: KeyInit + AeadInOut + Send + Sync + 'static,
{
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        match A::new_from_slice(key) {
            Ok(prepared) => Ok(Box::new(Key { key: prepared, tag_len: self.0.tag_len() })),
            Err(_) => Err(InvalidKeyLength { expected: self.0.key_len(), given: key.len() }),
        }
    }
}

/// An expanded key, wiped on drop by the crates that made it (their feature `zeroize`).
struct Key<A> {
    key: A,
    tag_len: usize,
}

impl<A> Key<A> {
    fn split_tag<'a>(
        &self,
        in_out: &'a mut [u8],
    ) -> Result<(&'a mut [u8], &'a mut [u8]), AeadError> {
        let text = in_out.len().checked_sub(self.tag_len).ok_or(AeadError)?;
        in_out.split_at_mut_checked(text).ok_or(AeadError)
    }
}

impl<A: AeadInOut + Send + Sync> AeadKey for Key<A> {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = self.split_tag(in_out)?;
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag =
            self.key.encrypt_inout_detached(nonce, aad, text.into()).map_err(|_| AeadError)?;
        room.copy_from_slice(&tag);
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, tag) = self.split_tag(in_out)?;
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag = (&*tag).try_into().map_err(|_| AeadError)?;
        self.key.decrypt_inout_detached(nonce, aad, text.into(), tag).map_err(|_| AeadError)
    }
}
